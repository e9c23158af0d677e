"""session/snapshot.py: which columns count as protected, and by which keys they are looked up."""

from dataclasses import replace

import pytest
from tests.session.guarding import CODECS, EMAIL, PATH, PEOPLE, SCHEMA, SNAPSHOT, plaintext, rotated

from strongroom.errors import KeysRotated
from strongroom.keys.model import KeyState
from strongroom.session.guard import Guard
from strongroom.session.snapshot import Snapshot, column_type, places_of, protections_in
from strongroom.session.statements import Names
from strongroom.sql.schema import Column, Schema, UserType
from strongroom.wire.postgres import types

NAME = EMAIL.scheme.column
BARE = Snapshot(Schema({}), {name: one.scheme for name, one in CODECS.items()}, {}, CODECS)
MAIL = (PEOPLE.oid, 2)
BY_MAIL = "SELECT id FROM people WHERE email = $1"
OWN = f"looked_up_by_{EMAIL.primary:08x}"


def with_columns(*columns: Column, name: str = "people") -> Schema:
    """A catalog in which the table is another."""
    return Schema({PEOPLE.oid: replace(PEOPLE, name=name, columns=columns)})


def test_columns_are_found_by_name_and_then_by_place() -> None:
    """One that was sealed and renamed stays where it was, even if another takes its name."""
    schemes = list(SNAPSHOT.schemes.values())
    assert places_of(SCHEMA, schemes) == {NAME: (PEOPLE.oid, 2), "public.people.pin": (PEOPLE.oid, 3)}
    renamed = with_columns(Column(2, "mail", types.BYTEA, -1), Column(9, "email", types.TEXT, -1))
    assert places_of(renamed, schemes, SNAPSHOT.protections)[NAME] == (PEOPLE.oid, 2)
    assert places_of(renamed, schemes)[NAME] == (PEOPLE.oid, 9)
    assert set(SNAPSHOT.with_schema(renamed).protections) == {(PEOPLE.oid, 2)}


def test_a_swap_is_followed() -> None:
    """The column that is replaced is dropped; the one of its name is it from then on."""
    swapped = with_columns(Column(1, "id", types.INT4, -1), Column(9, "email", types.BYTEA, -1))
    assert set(SNAPSHOT.with_schema(swapped).protections) == {(PEOPLE.oid, 9)}


def test_a_column_counts_from_the_moment_it_is_sealed() -> None:
    """Until then its table is watched; one that was sealed once counts whatever the catalog says."""
    waiting = BARE.with_schema(plaintext())
    assert set(waiting.protections) == {(PEOPLE.oid, 3)}
    assert waiting.awaiting == {PEOPLE.oid}
    assert not SNAPSHOT.awaiting
    sealed_once = replace(BARE, sealed=frozenset({NAME})).with_schema(plaintext())
    assert set(sealed_once.protections) == {(PEOPLE.oid, 2), (PEOPLE.oid, 3)}
    assert sealed_once.lost == {(PEOPLE.oid, 2)}
    assert not sealed_once.awaiting


def test_protections_as_if_all_were_sealed() -> None:
    """For those who ask before anything is."""
    schemes = BARE.schemes.values()
    assert set(protections_in(plaintext(), schemes)) == {(PEOPLE.oid, 2), (PEOPLE.oid, 3)}
    assert protections_in(Schema({}), schemes) == {}
    assert column_type(plaintext(), (PEOPLE.oid, 2)) == types.TEXT


# ------------------------------------------------------------------------------------ keys


def keyed(*types_there: str, allowed: int | None = None) -> Schema:
    """The catalog with types that look-ups name, and a CHECK that allows a key."""
    keys = {} if allowed is None else {2: frozenset({allowed})}
    made = tuple(UserType(900 + n, "strongroom_keys", name, "d", 0) for n, name in enumerate(types_there))
    return replace(Schema({PEOPLE.oid: replace(PEOPLE, keys=keys)}), types=made)


def test_a_look_up_names_the_type_of_its_key() -> None:
    """Where the catalog has it."""
    assert SNAPSHOT.with_schema(keyed(OWN)).protections[MAIL].looked_up_by == OWN
    assert SNAPSHOT.with_schema(keyed()).protections[MAIL].looked_up_by == ""


@pytest.mark.parametrize(
    ("schema", "outdated"),
    [
        (keyed(), False),
        (keyed(OWN, allowed=EMAIL.primary), False),
        (keyed("looked_up_by_0000ffff"), True),
        (keyed(allowed=EMAIL.primary + 1), True),
        (keyed(OWN, allowed=EMAIL.primary + 1), True),
    ],
)
def test_a_key_that_is_no_longer_the_columns(schema: Schema, outdated: bool) -> None:
    """Nothing is looked up by it, whether its type or the column's CHECK tells of it."""
    snapshot = SNAPSHOT.with_schema(schema)
    assert (MAIL in snapshot.outdated) is outdated
    guard = Guard(snapshot, Names(), Names())
    guard.refreshed(PATH, None)
    assert guard.outdated is outdated
    if outdated:
        with pytest.raises(KeysRotated):
            guard.analyse(BY_MAIL, ())
    else:
        guard.analyse(BY_MAIL, ())


@pytest.mark.parametrize(("state", "columns"), [(KeyState.SUSPENDED, {NAME}), (KeyState.DEACTIVATED, set())])
def test_a_key_that_opens_no_more(state: KeyState, columns: set[str]) -> None:
    """Its column is named; a key that is new, or that opens still, is nothing to worry about."""
    assert SNAPSHOT.withdrawn(rotated(state)) == columns
    assert rotated(state).withdrawn(BARE) == {NAME}
    assert SNAPSHOT.withdrawn(replace(SNAPSHOT, codecs={})) == set()
