"""privileges/powers.py: what makes a role dangerous to be a member of."""

from strongroom.privileges.facts import Facts, Role, Thing
from strongroom.privileges.powers import attributes, owned, powers

ROLES = {
    one.oid: one
    for one in (
        Role(10, "postgres", superuser=True, createrole=True),
        Role(6181, "pg_read_all_data"),
        Role(9999, "pg_of_next_year"),
        Role(20, "plain"),
        Role(30, "owner"),
        Role(40, "past", bypassrls=True, createdb=True),
    )
}
TABLE = Thing("TABLE", ("public", "t"), 30, relkind="r")
SERIAL = Thing("SEQUENCE", ("public", "t_id_seq"), 30, table=("public", "t"))
FACTS = Facts(180000, ROLES, (), Thing("DATABASE", ("shop",), 10), (), (TABLE, SERIAL))


def test_powers() -> None:
    """Superusers, attributes, predefined roles, owners, and users of the gateway's."""
    assert list(powers(FACTS, 20)) == []
    assert list(powers(FACTS, 20, {"plain"})) == ["all that the gateway's own user plain may"]
    assert "all that the superuser postgres may" in list(powers(FACTS, 10))
    assert list(powers(FACTS, 6181)) == ["pg_read_all_data (reads every table)"]
    assert list(powers(FACTS, 9999)) == ["pg_of_next_year"]
    assert list(powers(FACTS, 30)) == ["what owner owns (public.t)"]
    assert list(powers(FACTS, 40)) == ["BYPASSRLS by past"]


def test_attributes() -> None:
    """CREATEDB gives nothing in databases that are there."""
    assert attributes(ROLES[40]) == ["BYPASSRLS"]
    assert attributes(ROLES[40], all_of_them=True) == ["BYPASSRLS", "CREATEDB"]


def test_what_is_owned() -> None:
    """The sequence of a column goes with its table."""
    assert owned(FACTS, 30) == [TABLE]
    assert owned(FACTS, 10) == [FACTS.database]
