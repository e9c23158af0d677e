"""Where somebody comes from, in one spelling."""

import pytest

from strongroom.people.source import neighbourhood_of, source_of


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:DB8:0:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("", ""),
        ("localhost", ""),
        ("192.0.2.07", ""),
        ("192.0.2.0/24", ""),
    ],
)
def test_an_address_has_one_spelling(address: str, source: str) -> None:
    """What is no address is nothing, which matches nothing."""
    assert source_of(address) == source


def test_who_may_choose_among_addresses_is_one_source() -> None:
    """A customer has a /64 of IPv6 at least; an address of IPv4 stands for itself."""
    assert neighbourhood_of("2001:db8::1") == neighbourhood_of("2001:db8::ffff:1") == "2001:db8::/64"
    assert neighbourhood_of("2001:db8:0:1::1") != neighbourhood_of("2001:db8::1")
    assert neighbourhood_of("192.0.2.7") == "192.0.2.7"
    assert neighbourhood_of("command") == "command"
