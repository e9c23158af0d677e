"""audit/sinks/syslog.py: records over TLS to a server that reads them as RFC 5424 and 5425 say."""

import re
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from tests.audit.making import ORIGIN, signer
from tests.audit.sinks.test_lines import grow

from strongroom.audit.sinks import syslog
from strongroom.audit.sinks.follower import Follower
from strongroom.audit.sinks.syslog import OVERLAP, SyslogSink
from strongroom.errors import SinkRefused, SinkUnreachable
from strongroom.testing.certificates import Authority
from strongroom.testing.waiting import wait_until

SIGNER = signer()
MESSAGE = re.compile(
    rb'<110>1 (\S+) gateway\.example strongroom - audit \[meta sequenceId="(\d+)"\] (.*)', re.DOTALL
)


class Receiver:
    """A syslog server over TLS, which takes one connection after the other."""

    def __init__(self, authority: Authority, port: int = 0, *, name: str = "127.0.0.1") -> None:
        made = authority.server(name)
        self._context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._context.load_cert_chain(made.certificate, made.key)
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self.octets: list[bytes] = []
        """Of each connection."""
        self.reads = threading.Event()
        self.reads.set()
        self._lines: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listener.accept()
                line = self._context.wrap_socket(plain, server_side=True)
            except ssl.SSLError:
                continue
            except OSError:
                return
            self._lines.append(line)
            self.octets.append(b"")
            with line, suppress(OSError):
                while self.reads.wait() and (octets := line.recv(1 << 16)):
                    self.octets[-1] += octets

    def stop(self) -> None:
        """No more is heard; harmless when done twice."""
        if self._listener.fileno() < 0:
            return
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for line in self._lines:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        self.reads.set()
        self._thread.join()

    def messages(self) -> list[bytes]:
        """What came, whole ones; each must be as long as it says."""
        found = []
        for octets in list(self.octets):
            at = 0
            while (space := octets.find(b" ", at)) >= 0:
                length = int(octets[at:space])
                if space + 1 + length > len(octets):
                    break
                found.append(octets[space + 1 : space + 1 + length])
                at = space + 1 + length
        return found

    def numbers(self) -> list[int]:
        """Of the records, in the order they came."""
        matches = [MESSAGE.fullmatch(one) for one in self.messages()]
        assert all(matches)
        for found in matches:
            assert found is not None
            assert found[3] == b'{"number":%d}' % (int(found[2]) - 1)
        return [int(found[2]) - 1 for found in matches if found is not None]


@pytest.fixture
def receiver(authority: Authority) -> Iterator[Receiver]:
    """On a port of its own."""
    made = Receiver(authority)
    yield made
    made.stop()


def sink_of(folder: Path, authority: Authority, port: int) -> SyslogSink:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    return SyslogSink(Follower(folder / "log", "siem", [SIGNER.key]), "127.0.0.1", port, context, ORIGIN)


def send_often(folder: Path, sink: SyslogSink) -> None:
    """At the first time it may not be known yet that nobody is there."""
    for _ in range(3):
        sink.send()
        grow(folder, 1)


def test_each_record_in_order(tmp_path: Path, authority: Authority, receiver: Receiver) -> None:
    """Over one connection, framed by their lengths."""
    with closing(sink_of(tmp_path, authority, receiver.port)) as sink:
        total = 0
        for count in (1, 300, 5):
            grow(tmp_path, count)
            total += count
            assert sink.send() == total
        wait_until(lambda: receiver.numbers() == list(range(306)), "all have come")
    assert len(receiver.octets) == 1


def test_times(tmp_path: Path) -> None:
    """A record's own, in milliseconds; without one there is none."""
    assert syslog._time(b'{"time":1795435200123}') == "2026-11-23T12:00:00.123Z"
    for other in (b"{}", b'{"time":"x"}', b'{"time":1e300}', b"nonsense", b"[]"):
        assert syslog._time(other) == "-"


def test_a_server_that_goes_and_comes(tmp_path: Path, authority: Authority, receiver: Receiver) -> None:
    """What it may not have read is sent again, and nothing is left out."""
    grow(tmp_path, 2000)
    with closing(sink_of(tmp_path, authority, receiver.port)) as sink:
        sink.send()
        wait_until(lambda: len(receiver.numbers()) == 2000, "all have come")
        receiver.stop()
        grow(tmp_path, 10)
        with pytest.raises(SinkUnreachable):
            send_often(tmp_path, sink)
        for _ in range(3):  # its connections count for one that may have lost something
            with pytest.raises(SinkUnreachable):
                sink.send()
        other = Receiver(authority, receiver.port)
        try:
            size = sink.send()
            wait_until(lambda: set(range(2000, size)) <= set(other.numbers()), "the rest has come")
            assert other.numbers() == list(range(other.numbers()[0], size))
            assert other.numbers()[0] >= 2000 - OVERLAP
        finally:
            other.stop()


def test_a_sender_that_was_killed(tmp_path: Path, authority: Authority, receiver: Receiver) -> None:
    """Another begins some records before the position: these come twice."""
    grow(tmp_path, 2000)
    with closing(sink_of(tmp_path, authority, receiver.port)) as sink:
        sink.send()
    grow(tmp_path, 1)
    with closing(sink_of(tmp_path, authority, receiver.port)) as sink:
        sink.send()
        expected = [*range(2000), *range(2000 - OVERLAP, 2001)]
        wait_until(lambda: receiver.numbers() == expected, "all have come")


def test_a_server_that_does_not_read(
    tmp_path: Path, authority: Authority, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up after a time, and nothing counts as taken that it did not take."""
    monkeypatch.setattr(syslog, "TAKE_SECONDS", 0.5)
    receiver.reads.clear()
    grow(tmp_path, 100_000)
    with closing(sink_of(tmp_path, authority, receiver.port)) as sink:
        with pytest.raises(SinkUnreachable, match="does not take"):
            sink.send()
        receiver.reads.set()
        sink.send()
        wait_until(lambda: set(receiver.numbers()) == set(range(100_000)), "all have come")


def test_another_certificate(
    tmp_path: Path, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Of another authority, or for another name: nothing is sent."""
    grow(tmp_path, 1)
    stranger = Authority.make(tmp_path_factory.mktemp("stranger"))
    for made in (Receiver(stranger), Receiver(authority, name="other.example")):
        try:
            with closing(sink_of(tmp_path, authority, made.port)) as sink:
                for act in (sink.begin, sink.send):
                    with pytest.raises(SinkRefused, match="certificate"):
                        act()
            assert made.messages() == []
        finally:
            made.stop()


def test_nobody_there(tmp_path: Path, authority: Authority) -> None:
    """Or what does not speak TLS."""
    grow(tmp_path, 1)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with closing(sink_of(tmp_path, authority, port)) as sink, pytest.raises(SinkUnreachable):
        sink.begin()
