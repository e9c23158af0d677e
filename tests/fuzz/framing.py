"""An atheris target: the framing of messages, and the messages of a client, from octets as they come.

Octets cut into chunks in any way give the same messages as in one piece, and nothing but the framer's own
errors is raised. Run by `test_fuzz.py`, or by hand: `python -m tests.fuzz.framing -max_total_time=60`.
"""

import sys
from collections.abc import Callable

import atheris

with atheris.instrument_imports(include=["strongroom"]):
    from strongroom.errors import StrongroomError
    from strongroom.session.startup import first_packet
    from strongroom.wire.postgres import messages as m
    from strongroom.wire.postgres.codec import HEADER, Framer

LIMIT = 1 << 12
PARSERS: dict[int, Callable[[bytes], object]] = {
    ord("Q"): m.Query.parse,
    ord("P"): m.Parse.parse,
    ord("B"): m.Bind.parse,
    ord("D"): m.Target.parse,
    ord("E"): m.Execute.parse,
    ord("T"): m.RowDescription.parse,
    ord("t"): m.ParameterDescription.parse,
    ord("S"): m.ParameterStatus.parse,
    ord("N"): m.ErrorResponse.parse,
}


def framed(data: bytes) -> None:
    """One input."""
    provider = atheris.FuzzedDataProvider(data)
    cuts = [provider.ConsumeIntInRange(1, 64) for _ in range(provider.ConsumeIntInRange(0, 8))]
    octets = provider.ConsumeBytes(1 << 14)
    whole = messages([octets])
    chunks, at = [], 0
    for size in cuts:
        chunks.append(octets[at : at + size])
        at += size
    assert messages([*chunks, octets[at:]]) == whole
    for tag, body in whole[0]:
        understand(PARSERS.get(tag), body)
    understand(lambda early: first_packet(early, LIMIT), octets)


def messages(chunks: list[bytes]) -> tuple[list[tuple[int, bytes]], str]:
    """What comes of chunks: the messages, and the code of the error that ended them."""
    framer, found = Framer(LIMIT), []
    for chunk in filter(None, chunks):
        try:
            data, spans = framer.feed(chunk)
        except StrongroomError as error:
            return [], error.code  # whole messages before a bad one may come, or not, with their chunk
        found += [(tag, data[start + HEADER : end]) for tag, start, end in spans]
    return found, ""


def understand(parser: Callable[[bytes], object] | None, body: bytes) -> None:
    """A parser raises errors of ours alone."""
    if parser is not None:
        try:
            parser(body)
        except StrongroomError:
            return


if __name__ == "__main__":
    atheris.Setup(sys.argv, framed)
    atheris.Fuzz()
