"""protect/copy/stream.py: COPY through sealing and opening, held against PostgreSQL's own tables.

Two tables in a real server: `plain`, and `sealed`, whose protected columns are bytea. What PostgreSQL writes
of `plain` must be what the opener makes of `sealed`, and what it takes into `plain` must be in `sealed` too.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from psycopg import sql
from tests.protect.copy.streams import copy_of, cut, open_sealed, seal, through
from tests.protect.samples import codec

from strongroom.errors import Bug, ConstructRefused, StrongroomError
from strongroom.protect.copy.binary_format import SIGNATURE
from strongroom.protect.copy.fields import RowTenant
from strongroom.protect.copy.stream import CopyOpener, CopySealer
from strongroom.protect.plan import BINARY_FORMAT, TEXT_FORMAT, Sent
from strongroom.protect.style import TextStyle
from strongroom.sql.statement import Copy
from strongroom.testing.servers import PostgresServer

Row = tuple[str | None, str | None, str | None]
PROTECTED = [None, seal, seal]
OPENING = [None, open_sealed, open_sealed]

# Each set of options as COPY takes it, and as analysis hands it on.
OPTIONS: list[tuple[str, dict[str, object]]] = [
    ("", {}),
    ("DELIMITER ',', NULL ''", {"delimiter": ",", "null": ""}),
    ("DELIMITER '|', NULL 'nil', HEADER", {"delimiter": "|", "null": "nil", "header": True}),
    ("DELIMITER E'\\x01'", {"delimiter": "\x01"}),
    ("FORMAT csv", {"format": "csv"}),
    ("FORMAT csv, HEADER, NULL 'NULL'", {"format": "csv", "header": True, "null": "NULL"}),
    ("FORMAT csv, ESCAPE '\\'", {"format": "csv", "escape": "\\"}),
    ("FORMAT csv, QUOTE '''', DELIMITER ';'", {"format": "csv", "quote": "'", "delimiter": ";"}),
    ("FORMAT csv, QUOTE 'x', ESCAPE '0'", {"format": "csv", "quote": "x", "escape": "0"}),
    ("FORMAT csv, DELIMITER 'a'", {"format": "csv", "delimiter": "a"}),
    ("FORMAT csv, QUOTE '\\', NULL 'a'", {"format": "csv", "quote": "\\", "null": "a"}),
    ("FORMAT binary", {"format": "binary"}),
]
TO_ONLY: list[tuple[str, dict[str, object]]] = [
    ("FORMAT csv, FORCE_QUOTE *", {"format": "csv", "force_quote": ("*",)}),
    ("FORMAT csv, FORCE_QUOTE (a, b)", {"format": "csv", "force_quote": ("a", "b")}),
]
FROM_ONLY: list[tuple[str, dict[str, object]]] = [
    ("FORMAT csv, FORCE_NULL (b, c)", {"format": "csv", "force_null": ("b", "c")}),
    ("FORMAT csv, FORCE_NOT_NULL (a, b)", {"format": "csv", "force_not_null": ("a", "b")}),
    (
        "FORMAT csv, NULL 'a', FORCE_NULL (b), FORCE_NOT_NULL (b)",
        {"format": "csv", "null": "a", "force_null": ("b",), "force_not_null": ("b",)},
    ),
]


@dataclass
class Twins:
    """The two tables, on one connection."""

    connection: psycopg.Connection

    def fill(self, rows: list[Row]) -> None:
        """The same rows in both."""
        self.connection.execute("TRUNCATE plain, sealed")
        with self.connection.cursor() as cursor:
            cursor.executemany("INSERT INTO plain VALUES (%s, %s, %s)", rows)
            hidden = [(a, *(None if v is None else seal(v.encode()) for v in rest)) for a, *rest in rows]
            cursor.executemany("INSERT INTO sealed VALUES (%s, %s, %s)", hidden)

    def rows(self, table: str) -> list[Row]:
        """What is in one of them, opened."""
        opened: list[Row] = []
        for a, *rest in self.connection.execute(f"SELECT * FROM {table} ORDER BY ctid").fetchall():
            values = (v if v is None or isinstance(v, str) else open_sealed(v).decode() for v in rest)
            opened.append((a, *values))
        return opened

    def copy_to(self, table: str, options: str) -> list[bytes]:
        """The CopyData messages of COPY TO."""
        with self.connection.cursor().copy(f"COPY {table} (a, b, c) TO STDOUT ({options})".encode()) as copy:
            return [bytes(data) for data in copy]

    def copy_from(self, table: str, options: str, stream: bytes) -> str:
        """Takes a stream into an empty table; the SQLSTATE where that is refused."""
        self.connection.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(table)))
        try:
            with self.connection.cursor().copy(
                f"COPY {table} (a, b, c) FROM STDIN ({options})".encode()
            ) as copy:
                copy.write(stream)
        except psycopg.Error as error:
            return error.sqlstate or "?"
        return ""


def parenthesised(options: str, format_: str = "text") -> str:
    """COPY's parentheses may not be empty."""
    return options or f"FORMAT {format_}"


@pytest.fixture(scope="module")
def twins(servers: object) -> Iterator[Twins]:
    """Both tables, in the embedded server."""
    server: PostgresServer = servers.server("embedded")  # type: ignore[attr-defined]  # tests/conftest.py's Servers
    with server.connect(server.create_database("copy_streams")) as connection:
        connection.execute("CREATE TABLE plain (a text, b text, c text)")
        connection.execute("CREATE TABLE sealed (a text, b bytea, c bytea)")
        yield Twins(connection)


VALUE = (
    st.none()
    | st.text("abNx0\"\\\n\r\t,;|'.\x01\x7fé ", max_size=6)
    | st.sampled_from(["\\.", "\\N", "NULL", ""])
)
ROWS = st.lists(st.tuples(VALUE, VALUE, VALUE), max_size=6)
SLOWLY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize(("options", "fields"), [*OPTIONS, *TO_ONLY])
@SLOWLY
@given(rows=ROWS, size=st.integers(1, 40))
def test_what_is_opened_is_what_postgres_writes(
    twins: Twins, options: str, fields: dict[str, object], rows: list[Row], size: int
) -> None:
    """Byte for byte, message by message, and however the stream is cut."""
    twins.fill(rows)
    expected = twins.copy_to("plain", parenthesised(options))
    stored = twins.copy_to("sealed", parenthesised(options))
    copy = copy_of("a", "b", "c", **fields)
    messages = CopyOpener(copy, OPENING)
    assert [messages.feed(message) for message in stored] == expected
    assert messages.finish() == b""
    whole = CopyOpener(copy, OPENING)
    assert through(whole.feed, cut(b"".join(stored), size), whole.finish) == b"".join(expected)


def may_be_masked(fields: dict[str, object]) -> bool:
    """Whether NULL is written as no value is."""
    return fields.get("format", "text") != "text" or "null" not in fields


def masked(value: bytes) -> bytes | None:
    """A mask of these tests' own: some values become NULL, others longer."""
    return None if len(value) % 3 == 1 else value + b'",\\'


def test_a_value_cannot_pass_for_null() -> None:
    """Whoever chose what NULL looks like would see which rows hold that; csv puts such a value in quotes."""
    for null in ("", "secret", "\\n"):
        with pytest.raises(ConstructRefused):
            CopyOpener(copy_of("a", null=null), [None], masks=[masked])
        CopyOpener(copy_of("a", null=null), [masked])
    opener = CopyOpener(copy_of("a", format="csv", null="secret"), [None], masks=[masked])
    assert opener.feed(b'"secret"\nsecret\n') == b'"secret"",\\"\nsecret\n'


@pytest.mark.parametrize(
    ("options", "fields"), [one for one in (*OPTIONS, *TO_ONLY) if may_be_masked(one[1])]
)
@SLOWLY
@given(rows=ROWS, size=st.integers(1, 40))
def test_what_is_masked_is_what_postgres_writes_of_it(
    twins: Twins, options: str, fields: dict[str, object], rows: list[Row], size: int
) -> None:
    """Of a column that is sealed and of one that is not, as if the table held what the masks show."""
    twins.fill(rows)
    stored = b"".join(twins.copy_to("sealed", parenthesised(options)))
    shown = [(*(None if v is None else text_of(masked(v.encode())) for v in (a, b)), c) for a, b, c in rows]
    twins.fill([(a, b, c) for a, b, c in shown])
    expected = b"".join(twins.copy_to("plain", parenthesised(options)))
    opens = [None, lambda value: masked(open_sealed(value)), open_sealed]
    opener = CopyOpener(copy_of("a", "b", "c", **fields), opens, masks=[masked, None, None])
    assert through(opener.feed, cut(stored, size), opener.finish) == expected


def text_of(value: bytes | None) -> str | None:
    """What a table of text holds."""
    return None if value is None else value.decode()


@pytest.mark.parametrize(("options", "fields"), OPTIONS)
@SLOWLY
@given(rows=ROWS, size=st.integers(1, 40))
def test_what_postgres_wrote_can_be_sealed(
    twins: Twins, options: str, fields: dict[str, object], rows: list[Row], size: int
) -> None:
    """COPY TO of a plaintext table goes into the sealed one and holds the same values."""
    twins.fill(rows)
    stream = b"".join(twins.copy_to("plain", parenthesised(options)))
    check(twins, options, copy_of("a", "b", "c", **fields), stream, size)


def check(twins: Twins, options: str, copy: Copy, stream: bytes, size: int) -> None:
    """A client's stream fills both tables alike, or is refused for both."""
    refused = twins.copy_from("plain", parenthesised(options), stream)
    sealer = CopySealer(copy, PROTECTED)
    sealed = None
    with contextlib.suppress(StrongroomError):
        sealed = through(sealer.feed, cut(stream, size), sealer.finish)
    if sealed is None:
        assert refused, "only we refuse"
        return
    assert twins.copy_from("sealed", parenthesised(options), sealed) == refused
    if not refused:
        assert twins.rows("sealed") == twins.rows("plain")


# Streams that clients could send, in characters that mean something to some of the formats. A \. that is
# not alone on its line is left out: PostgreSQL 18 refuses it in text, and we do.
STREAM = st.lists(
    st.sampled_from(
        [",", "\t", "|", ";", "\n", "\r\n", "\n", "\r", '"', "'", "\\", "a", "x", "0", "N", "é", "\\N"]
    ),
    max_size=30,
).map("".join)
PIECE = st.sampled_from(
    [
        "",
        "a",
        '"a"',
        '"a""b"',
        '"a,b"',
        '"\n"',
        "'x'",
        "\\N",
        "\\t",
        "\\101",
        "\\x41",
        "a\\\nb",
        '""',
        "\\\\",
        "é",
    ]
)


@pytest.mark.parametrize(("options", "fields"), [*OPTIONS[:-1], *FROM_ONLY])
@SLOWLY
@given(stream=STREAM, size=st.integers(1, 40))
def test_any_stream_means_the_same(
    twins: Twins, options: str, fields: dict[str, object], stream: str, size: int
) -> None:
    """Refused by both, or the same rows in both."""
    check(twins, options, copy_of("a", "b", "c", **fields), stream.encode(), size)


@pytest.mark.parametrize(("options", "fields"), [*OPTIONS[:-1], *FROM_ONLY])
@SLOWLY
@given(
    rows=st.lists(st.tuples(PIECE, PIECE, PIECE), min_size=1, max_size=5),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
)
@example(rows=[("a", "\\N", ""), ("\\.", "", "")], end="\n")
def test_rows_of_three_fields_mean_the_same(
    twins: Twins, options: str, fields: dict[str, object], rows: list[tuple[str, str, str]], end: str
) -> None:
    """The same, for streams that mostly are well-formed."""
    copy = copy_of("a", "b", "c", **fields)
    stream = "".join(copy.delimiter.join(row) + end for row in rows)
    check(twins, options, copy, stream.encode(), 7)


@pytest.mark.parametrize("stream", ["1\tb\tc\n\\.\nignored\n", "1\tb\tc\n\\.", "\\.\n", "1\tb\tc\r\n\\.\r\n"])
def test_the_end_marker_means_the_same(twins: Twins, stream: str) -> None:
    """In text format; what follows is dropped."""
    check(twins, "", copy_of("a", "b", "c"), stream.encode(), 3)


def test_real_codecs_seal_and_open_in_both_formats() -> None:
    """What was sealed from text opens as binary too."""
    column, style = codec("integer"), TextStyle()
    as_text, as_binary = copy_of("n"), copy_of("n", format="binary")
    sealer = CopySealer(as_text, [lambda value: column.seal(value, Sent(style)) or b""])
    stored = sealer.feed(b"258\n\\N\n") + sealer.finish()
    opener = CopyOpener(as_text, [column.opener(TEXT_FORMAT, style)])
    assert opener.feed(stored) + opener.finish() == b"258\n\\N\n"
    value = bytes.fromhex(stored.split(b"\n")[0][3:].decode())
    head, tail = b"PGCOPY\n\xff\r\n\0" + bytes(8) + b"\0\1", b"\xff\xff"
    raw = CopyOpener(as_binary, [column.opener(BINARY_FORMAT, style)])
    assert raw.feed(head + len(value).to_bytes(4) + value + tail) == head + b"\0\0\0\4\0\0\1\2" + tail


def test_each_column_has_its_function_or_none() -> None:
    """Another number of them is an error of ours."""
    with pytest.raises(Bug):
        CopySealer(copy_of("a", "b"), [None])
    with pytest.raises(Bug):
        CopyOpener(copy_of("a", "b"), [None, None], masks=[masked])
    with pytest.raises(Bug):
        CopyOpener(copy_of("a", "b"), [None, open_sealed], masks=[None, masked])


@pytest.mark.parametrize("format_", ["text", "csv", "binary"])
def test_each_row_says_whose_it_is(format_: str) -> None:
    """Before its values are sealed, and never for the next row; NULL is no tenant."""
    copy = copy_of("tenant", "id", "value", format=format_, **_CSV if format_ == "csv" else {})
    row = RowTenant(0)
    seen: list[tuple[bytes, bytes | None]] = []

    def seal(value: bytes) -> bytes:
        seen.append((value, row.value))
        return value

    data = b"".join(_in_binary(one) for one in _OF_TENANTS)
    if format_ == "binary":
        data = SIGNATURE + bytes(8) + data + b"\xff\xff"
    elif format_ == "text":
        data = b"7\t1\tx\n\\N\t2\ty\n8\t3\t\\N\na\\tb\t4\tz\n"
    else:
        data = b'"7",1,x\n,2,y\n8,3,\n"a\tb",4,z\n'
    sealer = CopySealer(copy, [None, None, seal], tenant=row)
    sealer.feed(data)
    sealer.finish()
    assert seen == [(b"x", b"7"), (b"y", None), (b"z", b"a\tb")]


_CSV: dict[str, object] = {"delimiter": ",", "null": ""}
_OF_TENANTS = [(b"7", b"1", b"x"), (None, b"2", b"y"), (b"8", b"3", None), (b"a\tb", b"4", b"z")]


def _in_binary(row: tuple[bytes | None, ...]) -> bytes:
    fields = (b"\xff\xff\xff\xff" if one is None else len(one).to_bytes(4) + one for one in row)
    return len(row).to_bytes(2) + b"".join(fields)
