"""Listening on addresses of this machine, and what is said where that cannot be."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from strongroom.config import Address
from strongroom.errors import CannotListen
from strongroom.gateway.listening import listen


def link_local() -> Iterator[str]:
    """Addresses of this machine that mean nothing without their zone."""
    for line in Path("/proc/net/if_inet6").read_text().splitlines():
        digits, _, _, scope, _, name = line.split()
        if scope == "20":  # IPV6_ADDR_LINKLOCAL (include/net/ipv6.h)
            yield socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits)) + f"%{name}"


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", *link_local()])
def test_addresses(host: str) -> None:
    """IPv4, a name, IPv6, and IPv6 with a zone."""
    with listen(Address(host, 0), "listen", 1) as listener:
        target = listener.getsockname()
        with socket.socket(listener.family) as client:
            client.connect(target)
            assert client.getpeername()[:2] == target[:2]


@pytest.mark.parametrize(
    ("host", "why", "way_out"),
    [
        ("192.0.2.1", "Cannot assign", "that this machine has"),  # RFC 5737: nobody has it
        ("nothing.invalid", "Name or service", "Correct the address in `health`"),  # RFC 6761
    ],
)
def test_what_is_in_the_way(host: str, why: str, way_out: str) -> None:
    """The cause is named once, with what to do about this one."""
    with pytest.raises(CannotListen, match=why) as caught:
        listen(Address(host, 6432), "health", 1)
    assert way_out in caught.value.hint
    assert caught.value.message.count(host) == 1


def test_an_address_that_is_taken() -> None:
    """Another gateway is the usual reason."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(CannotListen, match="already in use") as caught:
            listen(Address("127.0.0.1", taken.getsockname()[1]), "listen", 1)
        assert "another gateway" in caught.value.hint
