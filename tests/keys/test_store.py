"""keys/store.py: keysets in the state, made once, and the counting of their uses."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.protect.samples import keyset_for, scheme

from strongroom.config import StateAddress
from strongroom.errors import InvalidKeyset, KeyUsesSpent, WrongRoot
from strongroom.keys.generate import new_keyset
from strongroom.keys.model import MAX_USES_RANDOMIZED, Dek, ExportCapability, Keyset, KeyState, KeyVersion
from strongroom.keys.root.file import FileRoot
from strongroom.keys.store import KeyStore, WrappedKeyset, kept_keysets, unwrap, wrap
from strongroom.protect.scheme import Scheme
from strongroom.state import State, open_state

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROOT = FileRoot(bytes(32), 1)


@pytest.fixture
def state(tmp_path: Path) -> State:
    """An empty state."""
    tmp_path.chmod(0o700)
    return open_state(StateAddress(path=tmp_path / "state.db"))


def material(keyset: Keyset) -> list[bytes]:
    """The keys themselves."""
    return [v.dek.danger_material(ExportCapability("a test")) for v in keyset.versions if v.dek]


def made(state: State, *schemes: Scheme) -> dict[str, Keyset]:
    """New keysets in the state."""
    store = KeyStore(state.engine, ROOT)
    store.adopt(new_keyset(one, NOW) for one in schemes)
    return store.load()


def test_the_first_of_two_keysets_stays(state: State) -> None:
    """What comes second under the same name and revision replaces nothing, in whichever process."""
    wanted = [scheme("text"), scheme("integer", column="public.t.d")]
    first, second = made(state, *wanted), made(state, *wanted)
    assert set(first) == {"shop/public.t.c", "shop/public.t.d"}
    for name, keyset in first.items():
        assert material(keyset) == material(second[name])
    assert material(first["shop/public.t.c"]) != material(first["shop/public.t.d"])


def test_nothing_is_stored_in_the_clear(state: State, tmp_path: Path) -> None:
    """No key's bytes stand in the files of the state."""
    keysets = made(state, scheme("text"))
    state.close()
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    (key,) = material(keysets["shop/public.t.c"])
    assert key not in files
    assert b"shop/public.t.c" in files


def test_another_root_opens_nothing(state: State) -> None:
    """Neither one of another id nor one of the same id with another key."""
    made(state, scheme("text"))
    for other in (FileRoot(bytes(32), 2), FileRoot(b"\1" * 32, 1)):
        with pytest.raises(WrongRoot):
            KeyStore(state.engine, other).load()


def test_a_wrapped_keyset_cannot_stand_in_for_another() -> None:
    """Its name and revision are bound to it."""
    kept = wrap(keyset_for(scheme("text")), ROOT)
    assert unwrap(kept, ROOT).name == kept.name
    with pytest.raises(WrongRoot):
        unwrap(WrappedKeyset("shop/public.t.d", 1, kept.wrapped), ROOT)
    with pytest.raises(WrongRoot):
        unwrap(WrappedKeyset(kept.name, 2, kept.wrapped), ROOT)
    with pytest.raises(WrongRoot):
        unwrap(WrappedKeyset(kept.name, 1, b""), ROOT)


def test_keysets_from_beside_the_data_are_taken_over(state: State) -> None:
    """A new one is kept, a newer revision replaces, an older one does not."""
    store = KeyStore(state.engine, ROOT)
    old = keyset_for(scheme("text"))
    new = old.with_key(KeyVersion(9, KeyState.ACTIVE, NOW, Dek(bytes(32), old.algorithm, 9)))
    store.adopt([old])
    assert store.load()[old.name].revision == 1
    store.adopt([new])
    store.adopt([old])
    assert store.load()[old.name].key_ids == {0x01020304, 9}


def test_uses_are_added_up_and_limited(state: State) -> None:
    """The count is on the disk; beyond the limit nothing is reserved."""
    store = KeyStore(state.engine, ROOT)
    limit = MAX_USES_RANDOMIZED
    store.reserve("k", 1, 10, limit)
    store.reserve("k", 1, 5, limit)
    store.reserve("k", 2**32 - 1, 1, limit)
    assert KeyStore(state.engine, ROOT).uses() == {("k", 1): 15, ("k", 2**32 - 1): 1}
    store.reserve("k", 1, limit - 15, limit)
    with pytest.raises(KeyUsesSpent):
        store.reserve("k", 1, 1, limit)
    assert store.uses()["k", 1] == limit


def test_what_is_kept_is_readable_without_the_root(state: State) -> None:
    """To be copied beside the data, and to see whether there is any."""
    assert kept_keysets(state.engine) == []
    made(state, scheme("text"))
    (kept,) = kept_keysets(state.engine)
    assert (kept.name, kept.revision) == ("shop/public.t.c", 1)


def test_a_document_that_is_none_is_refused() -> None:
    """Bytes that the root opens and that are no keyset."""
    from strongroom.keys.root import wrapping_context  # noqa: PLC0415 - only this test speaks to it

    with pytest.raises(InvalidKeyset):
        unwrap(WrappedKeyset("k", 1, ROOT.wrap(b"{}", wrapping_context("k"))), ROOT)


WORKER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from strongroom.config import StateAddress
from strongroom.keys.generate import new_keyset
from strongroom.keys.root.file import FileRoot
from strongroom.keys.store import KeyStore
from strongroom.state import open_state
from strongroom.protect.scheme import Scheme
schemes = [Scheme.parse("shop", f"public.t.c{n}", type="text", encryption="randomized") for n in range(20)]
store = KeyStore(open_state(StateAddress(path=Path(sys.argv[1]))).engine, FileRoot(bytes(32), 1))
sys.stdin.readline()
store.adopt(new_keyset(scheme, datetime(2026, 1, 1, tzinfo=UTC)) for scheme in schemes)
print(sorted((name, keyset.primary) for name, keyset in store.load().items()))
"""


def test_workers_that_start_together_have_the_same_keys(state: State, tmp_path: Path) -> None:
    """Four processes bring their own twenty keysets at once, and all come out with the same ones."""
    command = [sys.executable, "-c", WORKER, str(tmp_path / "state.db")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers = [subprocess.Popen(command, **pipes) for _ in range(4)]  # type: ignore[call-overload]  # one dict for all
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()
    printed = {worker.communicate(timeout=60)[0] for worker in workers}
    assert len(printed) == 1
    assert len(KeyStore(state.engine, ROOT).load()) == 20
    assert printed.pop().count("shop/public.t.c") == 20
