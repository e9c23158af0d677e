"""Where protected columns are: partitions, views and code."""

from dataclasses import replace

from tests.sql.world import EVENT_EMAIL, PROTECTIONS, SCHEMA, table

from strongroom.sql.ground import ground_of
from strongroom.sql.schema import Schema

GROUND = ground_of(SCHEMA, PROTECTIONS)


def test_partitions_are_protected_by_name() -> None:
    """A partition's column of the same name is protected, whatever its number."""
    assert GROUND.columns[106, 2] == EVENT_EMAIL
    swapped = replace(SCHEMA.relations[106], columns=tuple(reversed(SCHEMA.relations[106].columns)))
    schema = Schema({**SCHEMA.relations, 106: swapped})
    assert {key for key in ground_of(schema, PROTECTIONS).columns if key[0] == 106} == {(106, 2)}


def test_partitions_of_partitions() -> None:
    """Protection is inherited at any depth."""
    leaf = replace(table(120, "leaf", ("email", 25)), parents=(106,))
    assert ground_of(Schema({**SCHEMA.relations, 120: leaf}), PROTECTIONS).columns[120, 1] == EVENT_EMAIL


def test_views_are_near() -> None:
    """A view over a protected table is near, and so is a view over the view."""
    above = replace(table(121, "above", ("mail", 25), kind="v"), depends=(103,))
    assert ground_of(Schema({**SCHEMA.relations, 121: above}), PROTECTIONS).near >= {100, 103, 121}
    assert 102 not in GROUND.near


def test_a_parent_of_a_protected_child_is_torn() -> None:
    """A parent that does not protect what its child does is near, and is not read."""
    parent = table(122, "parent", ("kind", 25), ("email", 25))
    child = replace(SCHEMA.relations[100], oid=123, name="child", parents=(122,))
    ground = ground_of(Schema({122: parent, 123: child}), {(123, 2): EVENT_EMAIL})
    assert ground.torn == {122}
    assert ground.near == {122, 123}


def test_opaque_functions() -> None:
    """Functions that name what is near, run text, call such, or are not readable."""
    names = {SCHEMA.functions[oid].name for oid in GROUND.opaque}
    assert names == {"sneak", "dynamic", "caller", "listed", "matches"}


def test_an_aggregate_is_as_its_parts() -> None:
    """An aggregate with an opaque transition function is opaque."""
    aggregate = replace(
        SCHEMA.functions[506], oid=520, name="total", kind="a", language="internal", parts=(502,)
    )
    schema = Schema(SCHEMA.relations, functions={**SCHEMA.functions, 520: aggregate})
    assert 520 in ground_of(schema, PROTECTIONS).opaque


def test_nothing_protected_nothing_near() -> None:
    """Without protections nothing is near and nothing opaque."""
    ground = ground_of(SCHEMA, {})
    assert not ground.near
    assert not ground.opaque


def test_a_ground_is_kept() -> None:
    """The same snapshot and configuration give the same ground."""
    ground = ground_of(SCHEMA, PROTECTIONS)
    assert ground_of(SCHEMA, PROTECTIONS) is ground
    assert ground_of(SCHEMA, dict(PROTECTIONS)) is not ground


def test_perils_reach_through_views() -> None:
    """A view over a table whose triggers are opaque is as perilous, and so is code that names either."""
    above = replace(table(124, "seen", ("id", 23), kind="v"), depends=(110,))
    writer = replace(SCHEMA.functions[503], oid=521, name="writer", source="insert into audited values ($1)")
    schema = Schema({**SCHEMA.relations, 124: above}, functions={**SCHEMA.functions, 521: writer})
    ground = ground_of(schema, PROTECTIONS)
    assert ground.perils == {110: {502}, 124: {502}}
    assert 521 in ground.opaque
