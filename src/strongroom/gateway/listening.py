"""Listening on an address: IPv4, IPv6 (a zone included) or a name; what stands in the way is told by cause.

Used by `supervisor` for the databases, and by `health`.
"""

import errno
import socket

from strongroom.config import Address
from strongroom.errors import CannotListen

_WAYS_OUT = {
    errno.EADDRINUSE: "Is another gateway running there? Change `{key}`, or stop the other one.",
    errno.EADDRNOTAVAIL: "Give `{key}` an address that this machine has (`ip address` lists them).",
    errno.EACCES: "Ports below 1024 are the system's: choose another in `{key}`.",
}
_OTHERWISE = "Correct the address in `{key}`."  # a name that does not resolve, a family that is switched off


def listen(address: Address, key: str, backlog: int) -> socket.socket:
    """A listening socket; ``key`` is where the address was configured. Raises `CannotListen`."""
    try:
        family, place = _resolved(address)
        return socket.create_server(place, family=family, backlog=backlog)
    except OSError as error:
        raise cannot_listen(address, key, error) from error


def _resolved(address: Address) -> tuple[socket.AddressFamily, tuple[str, int]]:
    """The family and the socket address, which for IPv6 holds the zone (RFC 4007, section 11)."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    found = socket.getaddrinfo(address.host, address.port, family, socket.SOCK_STREAM)
    return family, found[0][4]  # type: ignore[return-value]  # typeshed leaves out that bind takes all four parts


def cannot_listen(address: Address, key: str, error: OSError) -> CannotListen:
    """The error by its cause."""
    is_name = isinstance(error, socket.gaierror)  # whose numbers are of another table
    way_out = _OTHERWISE if is_name else _WAYS_OUT.get(error.errno or 0, _OTHERWISE)
    why = (error.strerror or type(error).__name__).partition(" (")[0]  # create_server names the address again
    return CannotListen(f"cannot listen on {address}: {why}", hint=way_out.format(key=key))
