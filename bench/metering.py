"""What one ordinary round pays for being counted: ``python -m bench.metering``, in processor time.

A round near protected columns is sealed, answered, opened and recorded: it takes eight readings of the clock,
three notes of a time and some increments, which are made here as the session makes them, and nothing else.
"""

import time

from strongroom.gateway.meters import DatabaseMeter
from strongroom.session.recorded import rows_at_end
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.codec import message

ROUNDS = 100_000
ANSWER = message(b"C", b"SELECT 1\0") + m.ready_for_query("I")


def main() -> None:
    """Print the figure."""
    print(f"{_microseconds(ROUNDS) - _microseconds(ROUNDS, empty=True):.2f} µs for each round")


def _microseconds(rounds: int, *, empty: bool = False) -> float:
    meter = DatabaseMeter()
    began = time.process_time()
    for _ in range(rounds):
        if not empty:
            _round(meter)
    return (time.process_time() - began) / rounds * 1e6


def _round(meter: DatabaseMeter) -> None:
    began = meter.clock()
    sealing = meter.clock() - began
    for times in (meter.protect, meter.upstream, meter.audit):
        then = meter.clock()
        times.note(sealing + meter.clock() - then)
    meter.passed += 1
    meter.opened += rows_at_end(ANSWER)
    meter.sealed += 1


if __name__ == "__main__":
    main()
