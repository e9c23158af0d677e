"""COPY: the columns of its stream and how it is written."""

from dataclasses import replace

import pytest
from tests.sql.world import EMAIL, one

from strongroom.errors import ConstructRefused, UserCodeRefused
from strongroom.sql.statement import Copy, CopyColumn, Kind


def copy_of(text: str) -> Copy:
    copy = one(text).copy
    assert copy is not None
    return copy


def test_columns() -> None:
    """Each column of the stream has its protection and the type that the client sees."""
    assert copy_of("copy customers (id, email) from stdin").columns == (
        CopyColumn("id", None, 23, -1),
        CopyColumn("email", EMAIL, 25, -1),
    )


def test_a_query_gives_its_columns() -> None:
    """COPY of a query has the columns of its outputs."""
    columns = copy_of("copy (select email as mail, count(*) from customers group by email) to stdout").columns
    assert [(column.name, column.protection) for column in columns] == [("mail", EMAIL), ("count", None)]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", Copy(())),
        ("(format text, delimiter '|', null '')", Copy((), delimiter="|", null="")),
        ("csv header", Copy((), format="csv", delimiter=",", null="", header=True)),
        (
            "(format csv, quote '|', header false)",
            Copy((), format="csv", delimiter=",", null="", quote="|", escape="|"),
        ),
        ("(format csv, escape 'e')", Copy((), format="csv", delimiter=",", null="", escape="e")),
        (
            "(format csv, force_null (email))",
            Copy((), format="csv", delimiter=",", null="", force_null=("email",)),
        ),
        ("(format binary)", Copy((), format="binary")),
        ("(header match)", Copy((), header=True)),
        ("delimiter ';' null 'x'", Copy((), delimiter=";", null="x")),
    ],
)
def test_options(options: str, expected: Copy) -> None:
    """Options of both spellings are read, with the defaults of each format."""
    made = copy_of(f"copy customers (id) from stdin {options}")
    assert made == replace(expected, columns=(CopyColumn("id", None, 23, -1),))


@pytest.mark.parametrize(
    "text",
    [
        "copy customers from '/x'",
        "copy customers from stdin (encoding 'latin1')",
        "copy customers from stdin (default 'x')",
        "copy mails from stdin",
        "copy customers (nope) from stdin",
        "copy (select array_agg(email) from customers) to stdout",
    ],
)
def test_refused(text: str) -> None:
    """A stream that does not pass us whole, or cannot be sealed, is refused."""
    with pytest.raises(ConstructRefused):
        one(text)


def test_where_is_resolved() -> None:
    """COPY FROM ... WHERE may compare a protected column with a literal."""
    assert one("copy customers from stdin where email <> 'a'").kind is Kind.COPY_IN


def test_triggers_fire() -> None:
    """COPY FROM runs triggers, as INSERT does."""
    with pytest.raises(UserCodeRefused):
        one("copy logged from stdin")
    assert one("copy logged to stdout").copy is not None
