"""keys/uses.py across processes: what several seal by one key, one of them killed, is never counted short.

Real processes on one state on the disk. Each writes every value that it sealed into a file of its own, so
that what a killed one sealed is known to the last.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import pytest
from tests.protect.samples import scheme

from strongroom.config import StateAddress
from strongroom.keys.generate import new_keyset
from strongroom.keys.kek import Keks, danger_written, new_kek
from strongroom.keys.model import MAX_USES_RANDOMIZED, Keyset
from strongroom.keys.store import KeyStore
from strongroom.keys.uses import FIRST_BATCH, LARGEST_BATCH
from strongroom.state import State, open_state
from strongroom.testing.waiting import wait_until

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SEALED_OCTETS = 5 + 12 + len("value") + 16
"""Of one value: prefix, nonce, ciphertext, tag (docs/spec/ciphertext.md)."""

PATIENCE = 60.0

SEALER = """
import os, sys
from pathlib import Path
from strongroom.config import StateAddress
from strongroom.errors import KeyUsesSpent
from strongroom.keys.kek import danger_read
from strongroom.keys.store import KeyStore
from strongroom.keys.uses import Reservations
from strongroom.protect.canonical import Sent
from strongroom.protect.plan import ColumnCodec
from strongroom.protect.scheme import Scheme
from strongroom.protect.style import TextStyle
from strongroom.state import open_state
store = KeyStore(open_state(StateAddress(path=Path(sys.argv[1]))).engine, danger_read([sys.stdin.readline()]))
scheme = Scheme.parse("shop", "public.t.c", type="text", encryption="randomized")
codec = ColumnCodec(scheme, store.load()[scheme.keyset], Reservations(store.reserve))
written = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
try:
    while True:
        os.write(written, codec.seal(b"value", Sent(TextStyle())))
except KeyUsesSpent:
    sys.exit(3)
"""


@dataclass
class Sealers:
    """Processes that seal by one key, and the state in which all count."""

    folder: Path
    state: State
    store: KeyStore
    keyset: Keyset
    kek: str
    processes: list[subprocess.Popen[str]]

    def start(self) -> int:
        """Another process; its number."""
        number = len(self.processes)
        command = [sys.executable, "-c", SEALER, str(self.folder / "state.db"), str(self.file(number))]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
        self.processes.append(process)
        assert process.stdin is not None
        with process.stdin as line:
            line.write(self.kek + "\n")
        return number

    def sealed(self, number: int) -> int:
        """How many values it has sealed."""
        file = self.file(number)
        return file.stat().st_size // SEALED_OCTETS if file.exists() else 0

    def all_sealed(self) -> int:
        """How many all have, those that are dead included."""
        return sum(self.sealed(number) for number in range(len(self.processes)))

    def counted(self) -> int:
        """How many uses the state counts."""
        return self.store.uses().get((self.keyset.name, self.keyset.primary), 0)

    def until(self, number: int, at_least: int) -> None:
        """Waits until one has sealed so many; at each look no value is there that is not counted."""

        def look() -> bool:
            sealed = self.all_sealed()  # first: the count only grows
            assert sealed <= self.counted()
            return self.sealed(number) >= at_least

        wait_until(look, f"{at_least} values", PATIENCE)

    def kill(self, number: int) -> None:
        """It is gone in the middle of whatever it does."""
        self.processes[number].send_signal(signal.SIGKILL)
        assert self.processes[number].wait(PATIENCE) == -signal.SIGKILL

    def file(self, number: int) -> Path:
        """Where its values are."""
        return self.folder / f"sealed-by-{number}"


@contextmanager
def sealing(folder: Path) -> Iterator[Sealers]:
    """A new key; nobody seals yet."""
    folder.chmod(0o700)
    state = open_state(StateAddress(path=folder / "state.db"))
    keks = Keks.of([new_kek("shop", NOW)])
    store = KeyStore(state.engine, keks)
    store.adopt([keks.wrap(new_keyset(scheme("text"), NOW))])
    [keyset], [kek] = store.load().values(), danger_written(keks)
    sealers = Sealers(folder, state, store, keyset, kek.replace("\n", ""), [])
    try:
        yield sealers
    finally:
        for process in sealers.processes:
            process.kill()
            process.wait()
        state.close()


def reserved_for(sealed: int) -> int:
    """What one process has reserved once it has sealed so many: batches that double, up to the largest."""
    reserved = 0
    for batch in (min(FIRST_BATCH << step, LARGEST_BATCH) for step in count()):
        if reserved >= sealed:
            return reserved
        reserved += batch
    raise AssertionError


def test_a_killed_process_leaves_no_use_uncounted(tmp_path: Path) -> None:
    """Two seal, one is killed, another takes its place; the count is high by rests of batches alone."""
    with sealing(tmp_path) as sealers:
        first, second = sealers.start(), sealers.start()
        sealers.until(first, 5_000)
        sealers.until(second, 5_000)
        sealers.kill(first)
        dead = sealers.sealed(first)
        third = sealers.start()
        sealers.until(third, 5_000)
        sealers.until(second, 20_000)
        assert sealers.sealed(first) == dead
        for number in (second, third):
            sealers.kill(number)
        each = [sealers.sealed(number) for number in (first, second, third)]
        assert sum(each) <= sealers.counted()
        # One that died between the reservation and the first value of it has reserved for one value more.
        assert sum(map(reserved_for, each)) <= sealers.counted() <= sum(reserved_for(one + 1) for one in each)
        values = [sealers.file(number).read_bytes() for number in (first, second, third)]
        nonces = {
            one[at + 5 : at + 17]
            for one in values
            for at in range(0, len(one) - SEALED_OCTETS + 1, SEALED_OCTETS)
        }
        assert len(nonces) == sum(each)


@pytest.mark.parametrize("left", [3 * FIRST_BATCH - 1, 3 * FIRST_BATCH + 1])
def test_two_processes_stop_at_one_limit(tmp_path: Path, left: int) -> None:
    """What is safe is safe for both together, and lies at half of NIST's 2^32."""
    assert 2 * MAX_USES_RANDOMIZED == 2**32
    with sealing(tmp_path) as sealers:
        name, key_id = sealers.keyset.name, sealers.keyset.primary
        sealers.store.reserve(name, key_id, MAX_USES_RANDOMIZED - left, MAX_USES_RANDOMIZED)
        for number in (sealers.start(), sealers.start()):
            assert sealers.processes[number].wait(PATIENCE) == 3  # KeyUsesSpent
        assert 0 < sealers.all_sealed() <= left
        assert MAX_USES_RANDOMIZED - left < sealers.counted() <= MAX_USES_RANDOMIZED
