"""The contents of records to a syslog server: RFC 5424 over TLS, each behind its length (RFC 5425).

    <110>1 2026-11-23T12:00:00.000Z gateway-1.example strongroom - audit [meta sequenceId="N"] CONTENT

110 is "log audit", "informational" (RFC 5424, section 6.2.1); N is the record's number and one, in 31 bits.
Syslog has no acknowledgement. A batch counts as taken once the server's machine has acknowledged its octets,
which the kernel knows; and where a connection did not end in order, or this process is new, the last
``OVERLAP`` records are sent again. There is no UDP, and no TLS without a certificate that is verified. Run by
``gateway/shipping.py`` in a thread beside the log's writer.
"""

import contextlib
import fcntl
import json
import socket
import ssl
import struct
import termios
import time
from datetime import UTC, datetime
from threading import Event

from strongroom.audit.sinks.follower import Follower
from strongroom.errors import SinkRefused, SinkUnreachable

CONNECT_SECONDS = 5.0
TAKE_SECONDS = 10.0
"""For a batch to be acknowledged."""
OVERLAP = 1000
_LOOK_SECONDS = 0.005
_PRIORITY = 13 * 8 + 6
_MOST = 2**31 - 1


class SyslogSink:
    """A server that follows a log."""

    def __init__(
        self, follower: Follower, host: str, port: int, context: ssl.SSLContext, origin: str
    ) -> None:
        self._follower = follower
        self._host, self._port = host, port
        self._context = context
        self._name = origin.partition("/")[0]
        self._line: ssl.SSLSocket | None = None
        self._is_sure = False  # that the server read what was sent over the last connection
        self._furthest = follower.sent()
        self._ending = Event()

    def begin(self) -> None:
        """Raises ``SinkRefused`` where the server is not the one that is meant, or does not want us."""
        self._follower.size()
        self._connect().close()

    def end(self) -> None:
        """The batch that is under way is the last."""
        self._ending.set()

    def close(self) -> None:
        """Hangs up, in order."""
        line, self._line = self._line, None
        if line is not None:
            with line:
                line.settimeout(1.0)
                with contextlib.suppress(OSError):  # it need not answer that
                    line.unwrap()

    def send(self) -> int:
        """Returns how many records were taken; raises ``SinkUnreachable`` where they are not."""
        size = self._follower.size()
        self._hear()
        if self._follower.sent() == size:
            return size
        if self._line is None:
            self._line = self._connect()
            if not self._is_sure:
                self._follower.took(min(self._follower.sent(), max(0, self._furthest - OVERLAP)))
        self._is_sure = False
        for batch in self._follower.batches(size):
            self._give(self._line, b"".join(self._frame(number, content) for number, content in batch))
            self._follower.took(batch[-1][0] + 1)
            self._furthest = max(self._furthest, self._follower.sent())
            if self._ending.is_set():
                return self._follower.sent()
        self._follower.took(size)  # the last ones may have been erased
        return size

    def _connect(self) -> ssl.SSLSocket:
        where = f"the syslog server {self._host}:{self._port}"
        try:
            plain = socket.create_connection((self._host, self._port), CONNECT_SECONDS)
        except OSError as error:
            raise SinkUnreachable(f"{where} does not answer") from error
        try:
            return self._context.wrap_socket(plain, server_hostname=self._host)
        except ssl.SSLCertVerificationError as error:
            plain.close()
            raise SinkRefused(
                f"the certificate of {where} is not one to trust", hint="name the authority with ca: ca.pem"
            ) from error
        except OSError as error:
            plain.close()
            raise SinkUnreachable(f"{where} does not speak TLS with us") from error

    def _hear(self) -> None:
        """Takes what TLS has to say; and notices where the server has hung up.

        Where that was in order it had read everything: Linux resets a connection that is closed with
        octets unread.
        """
        if self._line is None:
            return
        self._line.settimeout(0.0)
        try:
            while self._line.recv(4096):
                pass
            self._drop(is_sure=True)
        except (ssl.SSLWantReadError, BlockingIOError):
            return
        except OSError:
            self._drop(is_sure=False)

    def _give(self, line: ssl.SSLSocket, octets: bytes) -> None:
        """Returns when the server's machine has all of it."""
        try:
            line.settimeout(TAKE_SECONDS)
            line.sendall(octets)
            deadline = time.monotonic() + TAKE_SECONDS
            while _on_the_way(line):
                if time.monotonic() > deadline:
                    raise TimeoutError
                self._ending.wait(_LOOK_SECONDS)
        except OSError as error:
            self._drop(is_sure=False)
            raise SinkUnreachable(
                f"the syslog server {self._host}:{self._port} does not take what it is sent"
            ) from error

    def _drop(self, *, is_sure: bool) -> None:
        assert self._line is not None  # there was something to drop
        self._line.close()
        self._line, self._is_sure = None, is_sure

    def _frame(self, number: int, content: bytes) -> bytes:
        head = (
            f"<{_PRIORITY}>1 {_time(content)} {self._name} strongroom - audit "
            f'[meta sequenceId="{number % _MOST + 1}"] '
        )
        message = head.encode() + content
        return b"%d %b" % (len(message), message)


def _time(content: bytes) -> str:
    """When it happened (OCSF: ``time``, in milliseconds), as RFC 5424 writes it; ``-`` if not said."""
    try:
        moment = datetime.fromtimestamp(json.loads(content)["time"] / 1000, UTC)
    except (ValueError, LookupError, TypeError, OverflowError, OSError):
        return "-"
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def _on_the_way(line: socket.socket) -> int:
    """Octets that the other machine has not acknowledged (Linux, tcp(7), SIOCOUTQ)."""
    answer = fcntl.ioctl(line.fileno(), termios.TIOCOUTQ, struct.pack("i", 0))
    return int(struct.unpack("i", answer)[0])
