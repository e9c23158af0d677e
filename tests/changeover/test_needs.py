"""changeover/needs.py: what in a database needs a key, as its own catalog proves it."""

from collections.abc import Sequence

import pytest
from tests.changeover.killing import Killed, killing
from tests.changeover.ring import Ring
from tests.changeover.shop import EMAIL, HASTY, IBAN, ORDER_EMAIL, Shop

from strongroom.changeover.database import Database
from strongroom.changeover.model import Stage
from strongroom.changeover.needs import needs
from strongroom.protect.scheme import Scheme


@pytest.fixture
def ring(shop: Shop) -> Ring:
    """A shop whose columns are protected by real keys."""
    return Ring.of(shop)


def found(ring: Ring, schemes: Sequence[Scheme], number: int = 1) -> list[str]:
    """What needs a version of the keyset of these columns."""
    keyset = ring.keyset(schemes[0])
    with ring.shop.connect() as connection:
        key_id = keyset.versions[number - 1].key_id
        return [one.what for one in needs(Database(connection, HASTY), keyset, key_id, schemes)]


def test_columns_whose_check_allows_it(ring: Ring) -> None:
    """Each by name: after a rotation still, and no more once every value was sealed anew."""
    allows = "public.customers.iban allows values of it, by its CHECK"
    assert found(ring, [IBAN]) == [allows]
    ring.rotate(IBAN)
    assert found(ring, [IBAN]) == [allows]
    ring.rotate(IBAN, reencrypt=True)
    assert found(ring, [IBAN]) == []
    assert found(ring, [IBAN], number=3) == [allows]


def test_columns_that_share_a_keyset(ring: Ring) -> None:
    """All of them, whether or not they are configured here."""
    columns = [f"public.{one}.email allows values of it, by its CHECK" for one in ("customers", "orders")]
    assert found(ring, [EMAIL, ORDER_EMAIL]) == columns
    assert found(ring, [EMAIL]) == columns
    ring.rotate(EMAIL, ORDER_EMAIL, reencrypt=True)
    assert found(ring, [EMAIL, ORDER_EMAIL]) == []


def test_a_copy_of_a_table(ring: Ring) -> None:
    """Its CHECK came with it, and still allows the key: so it may hold values of it."""
    ring.shop.run("CREATE TABLE copied (LIKE customers INCLUDING CONSTRAINTS)")
    ring.rotate(IBAN, reencrypt=True)
    assert found(ring, [IBAN]) == ["public.copied.iban allows values of it, by its CHECK"]


def test_a_column_of_which_nothing_is_proved(ring: Ring) -> None:
    """Its CHECK is gone, or was not validated."""
    ring.rotate(IBAN, reencrypt=True)
    ((definition,),) = ring.shop.rows(
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'strongroom_iban'"
    )
    ring.shop.run("ALTER TABLE customers DROP CONSTRAINT strongroom_iban")
    assert found(ring, [IBAN]) == ["public.customers.iban has no CHECK, so that values of it may be there"]
    ring.shop.run(f"ALTER TABLE customers ADD CONSTRAINT strongroom_iban {definition} NOT VALID")
    assert found(ring, [IBAN]) == ["public.customers.iban may hold values of it: its CHECK is not validated"]


def test_a_rotation_that_stopped_in_the_middle(ring: Ring) -> None:
    """By its row; it goes when the rotation has ended."""
    ring.rotate(IBAN, reencrypt=True)
    with pytest.raises(Killed):
        ring.rotate(IBAN, reencrypt=True, tell=killing(lambda progress: progress.stage is Stage.PROPAGATE))
    assert "a rotation of its keyset is under way" in found(ring, [IBAN])
    ring.rotate(IBAN, reencrypt=True)
    assert found(ring, [IBAN]) == []


def test_a_changeover_that_stopped_in_the_middle(ring: Ring) -> None:
    """The deterministic kind names its columns."""
    with pytest.raises(Killed):
        ring.rotate(
            EMAIL,
            ORDER_EMAIL,
            reencrypt=True,
            tell=killing(lambda progress: progress.stage is Stage.FILL),
        )
    lines = found(ring, [EMAIL, ORDER_EMAIL])
    assert "strongroom keys rotate of the column email is under way" in lines
