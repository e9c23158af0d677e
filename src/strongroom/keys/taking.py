"""What a KEK wraps in the state, after the KEK was changed beside the data: taken over, and wrapped anew.

In steps, any of which a kill may part from the next: the former versions of the KEK open still, until
``refuse_behind`` has found that nothing here is wrapped by them. Called by ``keys rotate --kek`` and ``keys
destroy``.
"""

from collections.abc import Iterable

from sqlalchemy import Engine

from strongroom.errors import KeysChanged
from strongroom.keys.imports import Imports
from strongroom.keys.kek import Keks, WrappedKek, WrappedKeyset
from strongroom.keys.model import Keyset
from strongroom.keys.store import KeyStore, adopt_keks, kept_keysets, kept_retired


def take_over(engine: Engine, row: WrappedKek, kek: Keyset, keysets: Iterable[WrappedKeyset]) -> None:
    """Takes a KEK and its keysets over from beside the data, and wraps what stands here alone by it."""
    keks = Keks.of([kek])
    adopt_keks(engine, [row])
    store = KeyStore(engine, keks)
    store.adopt(keysets)
    store.rewrap_retired()
    Imports(engine, keks).rewrap()


def refuse_behind(engine: Engine, kek: Keyset) -> None:
    """Raises ``KeysChanged`` where something is not wrapped by the newest version: it would be lost."""
    keks = Keks.of([kek])
    kept = (*kept_keysets(engine), *kept_retired(engine))
    behind = [one.name for one in kept if keks.has(one.name) and not keks.is_current(one)]
    if behind:
        raise KeysChanged(
            f"{', '.join(behind)} is wrapped by a former version of {kek.name!r} in the state",
            hint="another command changed it meanwhile: run this one again",
        )
