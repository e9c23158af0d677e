"""What stands beside the data, out of plain dumps."""

import subprocess
from pathlib import Path

import pytest
from tests.conftest import Servers

from strongroom.errors import DumpUnreadable
from strongroom.gateway.kept import filled
from strongroom.keys import beside
from strongroom.keys.dump import MAX_LINE, read_dump
from strongroom.keys.kek import WrappedKek, WrappedKeyset, wraps_text
from strongroom.keys.restore import Beside
from strongroom.testing.installations import EMBEDDED
from strongroom.testing.servers import PostgresServer

STRANGE = 'shop/public.t."a\\b	c\nd"'
"""A name with everything that COPY writes as an escape."""
KEK = WrappedKek("kek shop", 4, {'file "ä" 1f2e3d4c': b"\x00\x01wrapped", "passphrase": b"$argon2id$\n\\"})
KEYSETS = (
    WrappedKeyset(STRANGE, 3, bytes(range(256))),
    WrappedKeyset("shop/public.t.email", 1, b"\\N\t\n"),
)
FOUND = Beside(
    KEK,
    KEYSETS,
    (),
    {STRANGE: frozenset({7, 2**32 - 1}), "shop/public.t.email": frozenset()},
    {"public.t.email": "shop/public.t.email"},
)


@pytest.fixture(scope="module")
def database(servers: Servers) -> tuple[PostgresServer, str]:
    """Keys beside data that try to look like them."""
    server = servers.server(EMBEDDED)
    name = server.create_database("dumped")
    server.run(beside.CREATE_TABLES, name)
    server.run(filled(beside.WRITE_KEK, KEK.name, KEK.revision, wraps_text(KEK.wraps)), name)
    for one in KEYSETS:
        ids = "{" + ",".join(str(id_) for id_ in sorted(FOUND.key_ids[one.name])) + "}"
        under = KEK.name, wraps_text(KEK.wraps)
        server.run(filled(beside.WRITE_KEYSET, one.name, one.revision, ids, one.wrapped, *under), name)
    server.run(filled(beside.WRITE_COLUMN, "public.t.email", "shop/public.t.email"), name)
    server.run("CREATE TABLE a_liar (t text)", name)
    lies = "COPY strongroom_keys.keks (name, revision, wraps, written) FROM stdin;"
    server.run(f"INSERT INTO a_liar VALUES ('{lies}'), ('kek other'), (E'\\\\.')", name)
    return server, name


def dumped(database: tuple[PostgresServer, str], *options: str) -> list[bytes]:
    server, name = database
    command = [str(server.installation.program("pg_dump")), *options, server.uri(name)]
    made = subprocess.run(command, capture_output=True, check=True)
    return made.stdout.splitlines(keepends=True)


def test_a_dump_of_pg_dump(database: tuple[PostgresServer, str]) -> None:
    """Every row comes out as it stands in the tables, and rows of others that look like them do not."""
    assert read_dump(dumped(database)) == ("shop", FOUND)


def test_of_the_schema_alone(database: tuple[PostgresServer, str]) -> None:
    """A dump of strongroom_keys is enough; so is one whose lines end as on Windows."""
    lines = dumped(database, "--schema=strongroom_keys")
    assert read_dump(lines) == ("shop", FOUND)
    assert read_dump([line.replace(b"\n", b"\r\n") for line in lines]) == ("shop", FOUND)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--format=custom",), "custom format"),
        (("--inserts",), "no rows"),
        (("--exclude-schema=strongroom_keys",), "no rows"),
        (("--schema-only",), "no rows"),
    ],
)
def test_dumps_of_other_kinds(
    database: tuple[PostgresServer, str], options: tuple[str, ...], words: str
) -> None:
    """They are refused, and the way to a plain one is named."""
    with pytest.raises(DumpUnreadable, match=words) as caught:
        read_dump(dumped(database, *options))
    assert "pg_restore" in caught.value.hint


def test_a_plain_dump_made_of_a_custom_one(database: tuple[PostgresServer, str], tmp_path: Path) -> None:
    """The recipe of the hint gives a dump that is read."""
    custom, plain = tmp_path / "custom", tmp_path / "plain.sql"
    custom.write_bytes(b"".join(dumped(database, "--format=custom")))
    program = database[0].installation.program("pg_restore")
    subprocess.run([program, "--schema=strongroom_keys", "-f", str(plain), str(custom)], check=True)
    with plain.open("rb") as file:
        assert read_dump(file) == ("shop", FOUND)


def test_a_dump_that_was_cut(database: tuple[PostgresServer, str]) -> None:
    """Cut anywhere before the last of our tables, it is refused or says what is missing, never half read."""
    lines = dumped(database, "--schema=strongroom_keys")
    for length in range(len(lines)):
        try:
            read = read_dump(lines[:length])
        except DumpUnreadable:
            continue
        assert read == ("shop", FOUND)


@pytest.mark.parametrize(
    "row",
    [
        b"kek shop\tx\t{}\n",
        b"kek shop\t1\n",
        b"kek shop\t1\t{}\tmore\n",
        b"kek shop\t1\tno json\n",
        b"\xff\t1\t{}\n",
        b"kek shop\t1\t{}\nkek other\t1\t{}\n",
        b"",
    ],
)
def test_rows_that_are_not_in_their_form(row: bytes) -> None:
    """A dump that somebody edited is refused."""
    text = b"COPY strongroom_keys.keks (name, revision, wraps) FROM stdin;\n" + row + b"\\.\n"
    text += b"COPY strongroom_keys.keysets (name, revision, key_ids, wrapped) FROM stdin;\n\\.\n"
    with pytest.raises(DumpUnreadable):
        read_dump(text.splitlines(keepends=True))


def test_other_tables_of_ours_may_hold_long_rows(database: tuple[PostgresServer, str]) -> None:
    """What `protection:` keeps beside the data is longer than any key, and none of recovery's business."""
    lines = [
        b"COPY strongroom_keys.protection (one, number, stance, proofs, written) FROM stdin;\n",
        b"t\t1\t" + b"x" * (2 * MAX_LINE) + b"\t{}\t2026-01-01\n",
        b"\\.\n",
    ]
    assert read_dump([*lines, *dumped(database)]) == ("shop", FOUND)
