"""The customers of the demo."""

import re

from strongroom.demo.customers import customers


def test_they_are_the_same_each_time() -> None:
    """The generator is deterministic, and a shorter run is the beginning of a longer one."""
    assert list(customers(100)) == list(customers(200))[:100]


def test_they_are_believable() -> None:
    """Emails are unique, ASCII and under reserved domains; ids count from one."""
    people = list(customers(10_000))
    assert [one.id for one in people] == list(range(1, 10_001))
    assert len({one.email for one in people}) == 10_000
    for one in people:
        assert re.fullmatch(r"[a-z]+\.[a-z]+\d+@(example\.(com|net|org)|(mail|post)\.example)", one.email)
        assert 1940 <= one.born.year <= 2005


def test_ibans_have_valid_check_digits() -> None:
    """Moved to the end and read as a number, the head of an IBAN leaves a remainder of 1 (ISO 7064)."""
    for one in customers(1000):
        assert re.fullmatch(r"DE\d{20}", one.iban)
        assert int(f"{one.iban[4:]}1314{one.iban[2:4]}") % 97 == 1
