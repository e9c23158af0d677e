"""``strongroom policy explain`` says what the gateway then does, statement by statement."""

import json
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import TupleRow
from tests.gateway.test_policy import COLUMNS, PASSWORD, TABLES, session, with_policy

from strongroom.cli import main
from strongroom.testing.gateway import PASSWORD_VARIABLE, Account, Gateway
from strongroom.testing.servers import PostgresServer

WHO = ("app", "sam", "ivy", "nobody")
STATEMENTS = """
SELECT 1
SELECT id FROM people
SELECT name FROM people
SELECT email, iban, born FROM people
SELECT * FROM people
SELECT note FROM people
SELECT upper(name) FROM people
SELECT name || 'x' FROM people
SELECT id FROM people WHERE email = 'jo@example.com'
SELECT id FROM people WHERE name = 'x'
SELECT id FROM people ORDER BY born
SELECT count(*) FROM people
SELECT count(name) FROM people
SELECT DISTINCT name FROM people
SELECT p.name FROM people p JOIN notes n ON n.id = p.id
SELECT x.name FROM (SELECT name FROM people) x
WITH x AS (SELECT email FROM people) SELECT email FROM x
SELECT email FROM people UNION ALL SELECT email FROM people
SELECT name FROM names
SELECT made FROM functional
SELECT made_up()
SELECT body FROM notes
SELECT body FROM notes WHERE id = 1 FOR UPDATE
SELECT word FROM plain WHERE word = 'hidden'
SELECT 1 FROM plain WHERE set_config('a.b', word, false) = ''
SELECT 1 FROM plain WHERE word::int = 1
SELECT people FROM people
SELECT relname FROM pg_class
SELECT most_common_vals FROM pg_stats
SELECT * FROM pg_stat_activity
SELECT pg_read_file('PG_VERSION')
SELECT nextval('none')
INSERT INTO notes VALUES (2, 'x')
INSERT INTO notes SELECT id, name FROM people
INSERT INTO notes VALUES (2, 'x') RETURNING body
INSERT INTO people (id, note) VALUES (7, 'x')
INSERT INTO people (id) VALUES (1) ON CONFLICT (id) DO UPDATE SET note = 'x'
UPDATE people SET note = 'x' WHERE id = 1
UPDATE people SET note = name WHERE id = 1
UPDATE people SET note = 'x' WHERE id = 1 RETURNING name
UPDATE people SET note = 'x'
UPDATE notes SET body = 'x' WHERE id = 1
UPDATE notes SET body = 'x' WHERE id = id
DELETE FROM notes WHERE id = 1
DELETE FROM notes
DELETE FROM notes WHERE id = 1 OR true
WITH d AS (DELETE FROM notes RETURNING id) SELECT id FROM d
MERGE INTO notes n USING (VALUES (1)) v(i) ON n.id = v.i WHEN MATCHED THEN DELETE
MERGE INTO notes n USING plain ON true WHEN MATCHED THEN DELETE
TRUNCATE notes
LOCK TABLE notes
COPY notes TO STDOUT
COPY (SELECT name FROM people) TO STDOUT
EXPLAIN SELECT name FROM people
EXPLAIN ANALYZE DELETE FROM notes
PREPARE p AS SELECT note FROM people
PREPARE p AS SELECT name FROM people
DECLARE c CURSOR FOR SELECT name FROM people
CREATE TABLE more (id int)
CREATE TEMP TABLE more AS SELECT name FROM people
CREATE INDEX ON notes (id)
DROP TABLE notes
GRANT SELECT ON notes TO PUBLIC
SET ROLE postgres
SET "ROLE" TO postgres
SET search_path = public
SHOW search_path
LISTEN heard
DO $$ BEGIN NULL; END $$
SELECT name FROM people; SELECT body FROM notes
SELECT id FROM people; DELETE FROM notes
SET strongroom.role = 'dba: none of mine'
SET work_mem = '1MB'
SET strongroom.tenant = 'acme'; SELECT body FROM notes
SAVEPOINT s
""".strip().splitlines()
FREE = ["BEGIN", "SET strongroom.tenant = 'acme'", "RESET strongroom.tenant"]
"""Need no role at all."""


@pytest.fixture(scope="module")
def explained(shop: PostgresServer) -> Iterator[Gateway]:
    """The roles, tables and accounts of `test_policy`."""
    shop.create_database("explained")
    shop.run(TABLES, "explained")
    account = Account("app", PASSWORD)
    with Gateway.start(
        shop,
        "explained",
        account=account,
        more={"columns": COLUMNS},
        first=with_policy,
    ) as running:
        yield running


@pytest.mark.parametrize("who", WHO)
def test_what_is_explained_is_what_happens(
    explained: Gateway, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], who: str
) -> None:
    """Where it says permitted the gateway lets the statement pass, and where it says refused it does not."""
    monkeypatch.setenv(PASSWORD_VARIABLE, explained.environment[PASSWORD_VARIABLE])
    said, done = {}, {}
    with session(explained, who) as one:
        for text in [*STATEMENTS, *FREE]:
            with pytest.raises(SystemExit):
                main([
                    "policy", "explain", "--as", who, text, "--json", "--config",
                    str(explained.configuration),
                ])  # fmt: skip
            said[text] = json.loads(capsys.readouterr().out)["permitted"]
            done[text] = passes(one, text)
    assert said == done
    passed = [text for text, did in done.items() if did]
    assert (passed == FREE) is (who == "nobody")
    assert not all(done.values())


def passes(one: psycopg.Connection[TupleRow], text: str) -> bool:
    """Whether the gateway lets a statement pass; what it does is taken back."""
    with psycopg.ClientCursor(one) as cursor:
        one.pgconn.exec_(b"BEGIN")
        try:
            if text.startswith("COPY"):
                with cursor.copy(text.encode()) as copy:
                    list(copy)
            else:
                cursor.execute(text.encode())
        except psycopg.Error as error:
            return "strongroom: " not in str(error)
        finally:
            one.pgconn.exec_(b"ROLLBACK")
    return True
