"""Which names an expression can see: PostgreSQL's namespaces."""

import pytest
from tests.sql.world import CUSTOMERS, EMAIL, INT, TEXT

from strongroom.errors import AmbiguousColumn, ConstructRefused, UndefinedColumn, UndefinedTable
from strongroom.sql.scope import Item, Named, Scope, Source, quoted
from strongroom.sql.value import PLAIN, Literal, Value

SEALED = Value(EMAIL, type_oid=TEXT)
NUMBER = Value(type_oid=INT)


def item(alias: str, *columns: str, schema: str | None = None, partial: bool = False) -> Item:
    """An item whose column `email` is protected."""
    named = [Named(name, SEALED if name == "email" else NUMBER) for name in columns]
    return Item(alias, named, schema=schema, partial=partial)


def level(*items: Item, parent: Scope | None = None) -> Scope:
    """A query level with these in FROM."""
    return Scope(parent, Source(list(items), [column for one in items for column in one.columns]))


def test_names_are_quoted_whole() -> None:
    """A quote inside is doubled, so that a name cannot end early."""
    assert quoted('a "b" C') == '"a ""b"" C"'


def test_an_unqualified_name_is_the_innermost_column() -> None:
    """A level hides those around it; what it does not have is sought further out."""
    outer = level(item("o", "email", "total"))
    inner = level(Item("i", [Named("email", NUMBER)]), parent=outer)
    assert inner.column("email") is NUMBER
    assert inner.column("total") is NUMBER
    assert outer.column("email") is SEALED
    assert level(item("i", "id"), parent=outer).column("email") is SEALED


def test_a_name_twice_at_one_level_is_ambiguous() -> None:
    """Unqualified in two items, or qualified where one item has it twice; further out it does not matter."""
    both = level(item("a", "email"), item("b", "email"))
    with pytest.raises(AmbiguousColumn):
        both.column("email")
    assert both.qualified(None, "a", "email") is SEALED
    assert level(item("c", "email"), parent=both).column("email") is SEALED
    with pytest.raises(AmbiguousColumn):
        level(item("a", "email", "email")).qualified(None, "a", "email")


def test_a_qualifier_means_the_innermost_item() -> None:
    """By alias, and by schema where the item has no alias; two of one name are ambiguous."""
    outer = level(item("c", "email", schema="public"))
    inner = level(item("c", "id"), parent=outer)
    assert inner.item(None, "c").columns[0].name == "id"
    assert inner.qualified("public", "c", "email") is SEALED
    with pytest.raises(UndefinedColumn):
        inner.qualified(None, "c", "email")
    with pytest.raises(UndefinedTable):
        inner.qualified("other", "c", "email")
    with pytest.raises(AmbiguousColumn):
        level(item("c", "id"), item("c", "id")).item(None, "c")


def test_what_a_join_hides_is_not_named() -> None:
    """Items behind a join's alias are there for its columns only."""
    hidden = Item("c", [Named("email", SEALED)], visible=False)
    with pytest.raises(UndefinedTable):
        level(hidden).item(None, "c")


def test_a_name_of_no_column_may_be_a_row() -> None:
    """A table's name, unqualified, is its row; a column of the name goes first, even further out."""
    row = level(item("c", "id", "email")).column("c")
    assert row.fields == (("id", NUMBER), ("email", SEALED))
    outer = level(item("o", "c"))
    assert level(item("c", "email"), parent=outer).column("c") is NUMBER


def test_unknown_names_are_refused() -> None:
    """Nothing is guessed."""
    with pytest.raises(UndefinedColumn):
        level(item("c", "id")).column("nope")
    with pytest.raises(UndefinedColumn):
        level(item("c", "id")).qualified(None, "c", "nope")
    with pytest.raises(UndefinedTable):
        level(item("c", "id")).qualified(None, "d", "id")


def test_system_columns_are_of_tables() -> None:
    """`ctid` of a table is plain; of a subquery it does not exist."""
    table = Item("c", [], relation=CUSTOMERS)
    assert level(table).column("ctid") is PLAIN
    assert level(table).qualified(None, "c", "tableoid") is PLAIN
    with pytest.raises(UndefinedColumn):
        level(item("s", "id")).column("ctid")
    with pytest.raises(UndefinedColumn):
        level(item("s", "id")).qualified(None, "s", "ctid")


def test_a_function_whose_columns_are_not_known_may_have_any() -> None:
    """A name that it might have, and that is protected or open further out, could mean either: refused."""
    open_ = Value(open=((Literal(0, 1), 0),))
    outer = level(item("c", "email", "id"), Item("o", [Named("v", open_)]))
    inner = level(item("f", partial=True), parent=outer)
    for name in ("email", "v"):
        with pytest.raises(AmbiguousColumn, match="may be of a function"):
            inner.column(name)
    assert inner.column("id") is NUMBER
    assert inner.column("anything") is PLAIN
    assert inner.qualified(None, "f", "anything") is PLAIN
    assert inner.column("f") is PLAIN


def test_its_own_level_has_the_column_first() -> None:
    """A protected column beside the function, at its level, is found; two would be ambiguous upstream."""
    assert level(item("c", "email"), item("f", partial=True)).column("email") is SEALED


def test_with_queries_are_seen_from_within() -> None:
    """The innermost of a name; one that is named but not written yet is refused."""
    outer = Scope(ctes={"w": [Named("a", NUMBER)], "later": None})
    inner = Scope(outer, ctes={"w": [Named("b", SEALED)]})
    found = inner.cte("w")
    assert found is not None
    assert found[0].name == "b"
    assert Scope(outer).cte("w") == [Named("a", NUMBER)]
    assert inner.cte("nope") is None
    with pytest.raises(ConstructRefused):
        inner.cte("later")


def test_a_source_grows_to_the_right() -> None:
    """It is partial as soon as one of its items is."""
    source = Source()
    source.extend(Source([item("a", "id")], [Named("id", NUMBER)]))
    assert not source.partial
    source.extend(Source([item("f", partial=True)], []))
    assert source.partial
    assert [one.alias for one in source.items] == ["a", "f"]
