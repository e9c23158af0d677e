"""A state with keys in it, of everything that a backup holds, for the tests of backups."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from tests.protect.samples import scheme

from strongroom.config import StateAddress
from strongroom.keys.custody import Custody, note
from strongroom.keys.generate import new_keyset, new_version
from strongroom.keys.hierarchy import Roots, wrapped
from strongroom.keys.holds import Hold, Holds
from strongroom.keys.journal import Journal
from strongroom.keys.kek import Keks, new_kek
from strongroom.keys.model import Keyset, KeyState
from strongroom.keys.root.file import FileRoot
from strongroom.keys.rotation import next_version, promoted, settled
from strongroom.keys.sealed import SealedColumns
from strongroom.keys.store import KeyStore, adopt_keks
from strongroom.state import State, open_state

MADE = datetime(2026, 1, 1, tzinfo=UTC)
EMAIL = "shop/public.t.email"


def a_root(folder: Path, name: str = "root") -> FileRoot:
    """A new root in a folder of its own."""
    place = folder / f"{name}-key"
    place.mkdir(mode=0o700)
    return FileRoot.create(place / "root.key", None)


def an_empty_state(folder: Path, name: str = "state") -> State:
    """A new state in a folder of its own."""
    place = folder / name
    place.mkdir(mode=0o700)
    return open_state(StateAddress(place / "state.db"))


def rotated(keyset: Keyset) -> Keyset:
    """The keyset after a whole rotation."""
    return settled(promoted(next_version(keyset, MADE + timedelta(days=90))))


def some_keysets() -> list[Keyset]:
    """One that was rotated, one with a compromised and a destroyed version, each of another kind."""
    email = rotated(new_keyset(scheme("text", "deterministic", "public.t.email"), MADE))
    iban = new_keyset(scheme("text", "randomized", "public.t.iban"), MADE)
    for state in (KeyState.COMPROMISED, KeyState.DESTROYED):
        taken = [version.key_id for version in iban.versions]
        iban = iban.with_key(new_version(iban.algorithm, taken, KeyState.PRE_ACTIVE, MADE))
        iban = iban.with_state(iban.versions[-1].key_id, state)
    return [email, iban.with_floors(1, 1)]


def a_filled_state(folder: Path, root: FileRoot) -> tuple[State, Keks]:
    """A state with a KEK of two versions, keysets in use and retired, uses, custody and sealed columns."""
    state = an_empty_state(folder)
    keks = Keks.of([rotated(new_kek("shop", MADE))])
    adopt_keks(state.engine, [wrapped(keks.by_name["kek shop"], 3, Roots((root,)))])
    store = KeyStore(state.engine, keks)
    old = new_keyset(scheme("text", "randomized", "public.t.phone"), MADE)
    store.adopt([keks.wrap(one) for one in (*some_keysets(), old)])
    store.retire([old.name])
    email = store.load()[EMAIL]
    store.reserve(email.name, email.primary, 1024, 2**31)
    SealedColumns(state.engine).add("shop", frozenset({"public.t.email", "public.t.iban"}))
    SealedColumns(state.engine).release("shop", frozenset({"public.t.iban"}))
    Journal(state.engine).add("rotated", EMAIL, key_id=f"{email.primary:08x}", resealed=7)
    holds = Holds(state.engine)
    holds.lay(Hold.new(EMAIL, 1, "case 17", MADE, date(2030, 12, 31)))
    holds.lay(Hold.new("kek shop", None, "case 18", MADE + timedelta(days=1)))
    holds.release(holds.naming("kek shop")[0].id, "closed", MADE + timedelta(days=2))
    kept = Custody(EMAIL, "Ada", "the safe in Bern", timedelta(days=90), MADE, None)
    note(state.engine, [kept, replace(kept, name=root.name, tested=MADE)])
    return state, keks
