"""The catalog query on real servers, and the snapshot made of it."""

import pytest
from tests.sql.world import CUSTOMERS, OLDER, SCHEMA

from strongroom.errors import CatalogUnreadable
from strongroom.sql.schema import CATALOG_QUERY, Schema, read_order
from strongroom.testing.servers import PostgresServer

OBJECTS = """
CREATE TABLE parent (id int GENERATED ALWAYS AS IDENTITY, email varchar(10) DEFAULT 'x', gone int,
    twice int GENERATED ALWAYS AS (1 + 1) STORED) PARTITION BY LIST (email);
ALTER TABLE parent DROP COLUMN gone;
CREATE TABLE child PARTITION OF parent FOR VALUES IN ('a');
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'begin return new; end';
CREATE FUNCTION twice(int) RETURNS int LANGUAGE sql IMMUTABLE RETURN $1 * 2;
CREATE FUNCTION added(int, int) RETURNS int LANGUAGE sql AS 'select $1 + $2';
CREATE AGGREGATE total(int) (sfunc = added, stype = int);
CREATE TRIGGER stamp BEFORE INSERT ON child FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE VIEW seen AS SELECT email FROM parent;
CREATE TABLE used (a int CHECK (twice(a) > 1), b int DEFAULT twice(1));
CREATE RULE copied AS ON INSERT TO used DO ALSO DELETE FROM child;
CREATE OPERATOR === (leftarg = int, rightarg = int, function = added);
CREATE TABLE keyed (a int, b int, c int UNIQUE, PRIMARY KEY (b, a), EXCLUDE ((a + 1) WITH =));
CREATE TABLE naming (a int REFERENCES keyed (c));
CREATE TYPE mood AS ENUM ('good');
"""


@pytest.mark.parametrize("postgres", ["embedded", "15", "16", "17", "18"], indirect=True)
def test_catalog(postgres: PostgresServer) -> None:
    """One query says of every version's catalog what analysis must know."""
    database = postgres.create_database("catalog")
    with postgres.connect(database) as connection:
        connection.execute(OBJECTS)
        row = connection.execute(CATALOG_QUERY).fetchone()
    assert row is not None
    schema = Schema.from_catalog(row[0])
    _check_relations(schema)
    _check_code(schema)


def _check_relations(schema: Schema) -> None:
    parent, child, seen = (schema.names["public", name] for name in ("parent", "child", "seen"))
    assert [(column.attnum, column.name, column.typmod) for column in parent.columns] == [
        (1, "id", -1), (2, "email", 14), (4, "twice", -1),
    ]  # fmt: skip
    assert [column.has_default for column in parent.columns] == [False, True, False]
    assert [(column.identity, column.generated) for column in parent.columns] == [
        ("a", ""),
        ("", ""),
        ("", "s"),
    ]
    assert (parent.kind, child.kind, child.parents) == ("p", "r", (parent.oid,))
    assert seen.depends == (parent.oid,)
    assert (schema.names["public", "keyed"].key, parent.key) == ((2, 1), ())
    keyed, naming = schema.names["public", "keyed"], schema.names["public", "naming"]
    assert keyed.unique == {"keyed_pkey": (2, 1), "keyed_c_key": (3,), "keyed_expr_excl": (0,)}
    assert (keyed.references, naming.references) == ((), (keyed.oid,))
    assert schema.truncated_with([keyed]) == [naming]
    assert schema.has_heirs(parent)
    assert not schema.has_heirs(child)
    assert "parent" in (seen.definition or "")
    assert schema.path == ("pg_catalog", "public")
    assert ("pg_catalog", "pg_class") in schema.system


def _check_code(schema: Schema) -> None:
    by_name = {function.name: function for function in schema.functions.values()}
    used, child = schema.names["public", "used"], schema.names["public", "child"]
    assert child.triggers == (("stamp", by_name["stamp"].oid),)
    assert by_name["twice"].oid in used.calls
    assert (used.rules, used.depends) == (("copied",), (child.oid,))
    assert "2" in by_name["twice"].source
    assert by_name["total"].parts == (by_name["added"].oid,)
    assert [(operator.name, operator.function) for operator in schema.operators] == [
        ("===", by_name["added"].oid)
    ]
    assert [item.name for item in schema.types if item.kind == "e"] == ["mood"]


def test_find_follows_the_path() -> None:
    """A name is that of the first schema of the path that has it."""
    assert SCHEMA.find(None, "customers", ("pg_catalog", "public", "other")) is CUSTOMERS
    other = SCHEMA.find(None, "customers", ("other", "public"))
    assert other is SCHEMA.find("other", "customers", ())
    assert other is not CUSTOMERS
    assert SCHEMA.find(None, "pg_class", ("pg_catalog",)) == ("pg_catalog", "pg_class")
    assert SCHEMA.find(None, "nowhere", ("public",)) is None


def test_columns_keep_the_order_that_clients_know() -> None:
    """After a column was swapped it stands last in the table, and in its old place for clients."""
    assert [column.name for column in OLDER.ordered()] == ["id", "rest", "email"]
    assert [column.name for column in CUSTOMERS.ordered()] == [column.name for column in CUSTOMERS.columns]


SWAPPED = """
CREATE TABLE swapped (id int, rest text, email bytea CONSTRAINT strongroom_email CHECK (email <> ''));
COMMENT ON CONSTRAINT strongroom_email ON swapped IS
    'strongroom column order: {"table": 0, "order": [], "names": ["id", "email", "rest"]}';
CREATE TABLE child (more int) INHERITS (swapped);
CREATE TABLE grandchild () INHERITS (child);
CREATE TABLE stranger (email bytea CONSTRAINT strongroom_email CHECK (email <> ''), id int, rest text);
ALTER TABLE stranger INHERIT swapped;
"""


def test_children_of_a_swapped_table(postgres: PostgresServer) -> None:
    """A child made after a swap stands in the order of clients; one with its own places keeps them."""
    database = postgres.create_database("children")
    with postgres.connect(database) as connection:
        connection.execute(SWAPPED)
        row = connection.execute(CATALOG_QUERY).fetchone()
    assert row is not None
    schema = Schema.from_catalog(row[0])
    orders = {
        name: [column.name for column in schema.names["public", name].ordered()]
        for name in ("swapped", "child", "grandchild", "stranger")
    }
    assert orders == {
        "swapped": ["id", "email", "rest"],
        "child": ["id", "email", "rest", "more"],
        "grandchild": ["id", "email", "rest", "more"],
        "stranger": ["email", "id", "rest"],
    }


@pytest.mark.parametrize("catalog", [{}, {"relations": [{}]}, {"relations": 1}])
def test_a_catalog_of_another_form(catalog: dict[str, object]) -> None:
    """What the query cannot have returned is refused."""
    with pytest.raises(CatalogUnreadable):
        Schema.from_catalog(catalog)


@pytest.mark.parametrize(
    ("comment", "order"),
    [
        ('strongroom column order: {"table": 7, "order": [1, 4, 3], "names": ["a", "b", "c"]}', (1, 4, 3)),
        ('strongroom column order: {"table": 8, "order": [1, 4, 3], "names": ["a", "b", "gone"]}', (1, 2)),
        ('strongroom column order: {"table": 7}', None),
        ("strongroom column order: nonsense", None),
        ("a comment of somebody else", None),
    ],
)
def test_the_order_is_read_from_a_comment(comment: str, order: tuple[int, ...] | None) -> None:
    """By attnum while the table is the same, by name after a restore, and never from anything else."""
    assert read_order(comment, 7, {"a": 1, "b": 2}) == order
