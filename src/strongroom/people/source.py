"""Where somebody comes from, in one spelling: what a credential is bound to, and what tries are counted by.

Called by `gateway` with the address of a connection, and by ``strongroom login`` with what ``--from`` says.
"""

import ipaddress

HOME_PREFIX = 64
"""Of IPv6: what one customer of a provider has at least (RFC 6177), and so can change in at will."""


def source_of(address: str) -> str:
    """The address in its one spelling; nothing where it is none, and nothing matches nothing.

    An IPv4 address that came through a socket of IPv6 is the IPv4 address (RFC 4291, 2.5.5.2); the zone of a
    link-local one (RFC 4007) is a name of this machine's and left out.
    """
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return str(found)


def neighbourhood_of(source: str) -> str:
    """What counts as one source of tries: the address, and of IPv6 the network that it can choose from."""
    try:
        found = ipaddress.ip_address(source)
    except ValueError:
        return source
    if isinstance(found, ipaddress.IPv4Address):
        return source
    return str(ipaddress.ip_network((found, HOME_PREFIX), strict=False))
