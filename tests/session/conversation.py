"""What the tests of the open session share: a relay, and messages written short."""

from strongroom.session.relay import Limits, Relay
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.codec import HEADER, Framer, message

LIMITS = Limits(message_bytes=1 << 20, statements_per_session=3)

QUERY = m.Query("SELECT 1").serialise()
PARSE = m.Parse("s", "SELECT 1").serialise()
BIND = m.Bind("", "s").serialise()
EXECUTE = m.Execute("").serialise()
EXTENDED = PARSE + BIND + EXECUTE + m.SYNC

PARSED, BOUND, CLOSED = message(b"1", b""), message(b"2", b""), message(b"3", b"")
ROW = message(b"D", b"\0\1\0\0\0\1x")
DONE = message(b"C", b"SELECT 1\0")
COPIED = message(b"C", b"COPY 1\0")
COPY_IN = message(b"G", b"\0\0\1\0\0")
COPY_OUT = message(b"H", b"\0\0\1\0\0")
COPY_DATA = message(b"d", b"1\n")
IDLE, IN_TRANSACTION, FAILED = (m.ready_for_query(status) for status in "ITE")
ERROR = m.ErrorResponse.of("ERROR", "22012", "division by zero").serialise()
FATAL = m.ErrorResponse.of("FATAL", "57P01", "terminating connection").serialise()


class Conversation:
    """A relay between two scripts; what each side got since it was last looked at."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.relay = Relay(limits)

    def client(self, octets: bytes) -> tuple[bytes, bytes]:
        """The client sends; return what went upstream and what to the client."""
        sent = self.relay.begin_round(octets)
        if sent is not None:
            return sent, b""
        self.relay.client(octets)
        return self._taken()

    def upstream(self, octets: bytes) -> tuple[bytes, bytes]:
        """Upstream sends; return what went upstream and what to the client."""
        answer = self.relay.end_round(octets)
        if answer is not None:
            return b"", answer
        self.relay.upstream(octets)
        return self._taken()

    def _taken(self) -> tuple[bytes, bytes]:
        taken = b"".join(self.relay.to_upstream), b"".join(self.relay.to_client)
        self.relay.to_upstream.clear()
        self.relay.to_client.clear()
        return taken


def split(octets: bytes) -> list[tuple[str, bytes]]:
    """The messages in some octets, by type and body; nothing may be left over."""
    framer = Framer(1 << 30)
    data, spans = framer.feed(octets)
    assert framer.held == 0
    return [(chr(tag), data[start + HEADER : end]) for tag, start, end in spans]


def errors(octets: bytes) -> list[m.ErrorResponse]:
    """The ErrorResponses among some messages."""
    return [m.ErrorResponse.parse(body) for tag, body in split(octets) if tag == "E"]
