"""keys/store.py: keysets in the state, made once, and the counting of their uses."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.protect.samples import keyset_for, scheme

from strongroom.config import StateAddress
from strongroom.errors import KekMissing, KeyUsesSpent
from strongroom.keys.generate import new_keyset
from strongroom.keys.kek import Keks, WrappedKek, danger_written, new_kek
from strongroom.keys.model import MAX_USES_RANDOMIZED, Dek, ExportCapability, Keyset, KeyState, KeyVersion
from strongroom.keys.store import KeyStore, adopt_keks, kept_keks, kept_keysets
from strongroom.protect.scheme import Scheme
from strongroom.state import State, open_state

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEK = new_kek("shop", NOW)
KEKS = Keks.of([KEK])


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
    store = KeyStore(state.engine, KEKS)
    store.adopt(KEKS.wrap(new_keyset(one, NOW)) for one in schemes)
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


def test_a_kek_of_another_database_opens_nothing(state: State) -> None:
    """Neither its keysets are loaded, nor is another key taken for theirs."""
    made(state, scheme("text"))
    assert KeyStore(state.engine, Keks.of([new_kek("other", NOW)])).load() == {}
    with pytest.raises(KekMissing):
        KeyStore(state.engine, Keks.of([new_kek("shop", NOW)])).load()


def test_keysets_from_beside_the_data_are_taken_over(state: State) -> None:
    """A new one is kept, a newer revision replaces, an older one does not."""
    store = KeyStore(state.engine, KEKS)
    old = keyset_for(scheme("text"))
    new = old.with_key(KeyVersion(9, KeyState.ACTIVE, NOW, Dek(bytes(32), old.algorithm, 9)))
    store.adopt([KEKS.wrap(old)])
    assert store.load()[old.name].revision == 1
    store.adopt([KEKS.wrap(new)])
    store.adopt([KEKS.wrap(old)])
    assert store.load()[old.name].key_ids == {0x01020304, 9}


def test_uses_are_added_up_and_limited(state: State) -> None:
    """The count is on the disk; beyond the limit nothing is reserved."""
    store = KeyStore(state.engine, KEKS)
    limit = MAX_USES_RANDOMIZED
    store.reserve("k", 1, 10, limit)
    store.reserve("k", 1, 5, limit)
    store.reserve("k", 2**32 - 1, 1, limit)
    assert KeyStore(state.engine, KEKS).uses() == {("k", 1): 15, ("k", 2**32 - 1): 1}
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


def test_keks_are_taken_over(state: State) -> None:
    """As they are wrapped: a newer revision replaces, an older one does not."""
    first, second = WrappedKek(KEK.name, 1, {"file 1": b"a"}), WrappedKek(KEK.name, 2, {"file 2": b"b"})
    assert kept_keks(state.engine) == {}
    adopt_keks(state.engine, [first])
    assert kept_keks(state.engine) == {KEK.name: first}
    adopt_keks(state.engine, [second])
    adopt_keks(state.engine, [first])
    assert kept_keks(state.engine) == {KEK.name: second}


WORKER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from strongroom.config import StateAddress
from strongroom.keys.generate import new_keyset
from strongroom.keys.kek import danger_read
from strongroom.keys.store import KeyStore
from strongroom.state import open_state
from strongroom.protect.scheme import Scheme
schemes = [Scheme.parse("shop", f"public.t.c{n}", type="text", encryption="randomized") for n in range(20)]
keks = danger_read([sys.stdin.readline()])
store = KeyStore(open_state(StateAddress(path=Path(sys.argv[1]))).engine, keks)
sys.stdin.readline()
store.adopt(keks.wrap(new_keyset(scheme, datetime(2026, 1, 1, tzinfo=UTC))) for scheme in schemes)
print(sorted((name, keyset.primary) for name, keyset in store.load().items()))
"""


def test_workers_that_start_together_have_the_same_keys(state: State, tmp_path: Path) -> None:
    """Four processes bring their own twenty keysets at once, and all come out with the same ones."""
    command = [sys.executable, "-c", WORKER, str(tmp_path / "state.db")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    [kek] = danger_written(KEKS)
    workers = [subprocess.Popen(command, **pipes) for _ in range(4)]  # type: ignore[call-overload]  # one dict for all
    for worker in workers:
        worker.stdin.write(kek.replace("\n", "") + "\ngo\n")
        worker.stdin.flush()
    printed = {worker.communicate(timeout=60)[0] for worker in workers}
    assert len(printed) == 1
    assert len(KeyStore(state.engine, KEKS).load()) == 20
    assert printed.pop().count("shop/public.t.c") == 20
