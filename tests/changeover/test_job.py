"""changeover/job.py: whole changeovers, with writers at work, killed at any point, and back again."""

import re
import subprocess
import threading
from dataclasses import replace
from types import MappingProxyType

import psycopg
import pytest
from tests.changeover.killing import Killed, killing, mortal_connection
from tests.changeover.shop import EMAIL, HASTY, IBAN, ORDER_EMAIL, STYLE, Shop, codec_of, target
from tests.protect.samples import Counted, keyset_for

from strongroom.changeover import job
from strongroom.changeover.model import Direction, Limits, Progress, Stage, Target
from strongroom.errors import (
    ChangeoverBusy,
    ChangeoverLocked,
    ChangeoverRefused,
    KeysetMissing,
    TenantUnknown,
)
from strongroom.protect.plan import Sent
from strongroom.protect.scheme import Scheme
from strongroom.protect.tenants import TenantCodecs
from strongroom.session.snapshot import protections_in
from strongroom.sql.resolve import analyse
from strongroom.sql.schema import CATALOG_QUERY, Schema
from strongroom.sql.statement import Context

SHAPE = """\
SELECT c.conname, c.contype::text, c.convalidated, pg_get_constraintdef(c.oid) FROM pg_constraint c
WHERE c.conrelid IN ('customers'::regclass, 'orders'::regclass) AND c.contype <> 'n'
  AND c.conname NOT LIKE 'strongroom\\_~%' ORDER BY 1"""
INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
OURS = """\
SELECT relname::text FROM pg_class WHERE relname LIKE 'strongroom%' OR relname LIKE '~~~~%'
UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal
UNION ALL SELECT attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
  WHERE attname LIKE 'strongroom%' AND NOT attisdropped AND relkind = 'r'
UNION ALL SELECT proname FROM pg_proc WHERE proname LIKE 'empty_shadows%'
UNION ALL SELECT conname FROM pg_constraint WHERE conname LIKE 'strongroom_not_null%'"""


ELSEWHERE = {Stage.REWRITE, Stage.DONE, Stage.PROPAGATE, Stage.RESEAL}
"""Stages that a changeover does not have, or that are its end."""


@pytest.mark.parametrize("shop", ["embedded", "15"], indirect=True)
def test_every_row_is_sealed_and_nothing_else_changes(shop: Shop) -> None:
    """Values, constraints, indexes and comments are what they were; only the form of the columns is not."""
    before, shape, indexes = shop.contents(), shop.rows(SHAPE), shop.rows(INDEXES)
    report = shop.change()
    assert shop.contents(shop.schemes) == before
    ours = {"strongroom_email", "strongroom_iban"}
    assert [row for row in shop.rows(SHAPE) if row[0] not in ours] == shape
    assert shop.rows(INDEXES) == indexes
    assert {row[2] for row in shop.rows(SHAPE) if row[0] in ours} == {True}
    assert shop.rows(
        "SELECT col_description('customers'::regclass, attnum) FROM pg_attribute"
        " WHERE attrelid = 'customers'::regclass AND attname = 'email'"
    ) == [("where to write to",)]
    assert shop.rows(OURS) == []
    assert report.rows == 900
    assert report.verified == 500 + 400 + 429
    assert 0 < report.longest_lock < 5
    assert report.leftovers


@pytest.mark.parametrize("shop", ["embedded", "15"], indirect=True)
def test_unprotect_is_the_way_back(shop: Shop) -> None:
    """The same rows, constraints and indexes as before; left are keysets and what refuses sealed values."""
    before, shape, indexes = shop.contents(), shop.rows(SHAPE), shop.rows(INDEXES)
    shop.change()
    shop.change(Direction.UNPROTECT)
    assert shop.contents() == before
    assert shop.rows(SHAPE) == shape
    assert shop.rows(INDEXES) == indexes
    assert shop.rows(OURS) == []
    assert shop.rows("SELECT * FROM strongroom_keys.columns") == []


def test_what_is_sealed_too_late_is_refused(shop: Shop) -> None:
    """A gateway that has not seen the end of protection writes an error, not ciphertext for a value."""
    note = Scheme.parse("shop", "public.orders.note", type="bytea", encryption="randomized")
    code = Scheme.parse("shop", "public.orders.code", type="char(40)", encryption="randomized")
    shop.run("ALTER TABLE orders ADD note bytea, ADD code char(40)")
    shop.keep_keysets([note, code])
    schemes = (*shop.schemes, note, code)
    shop.change(Direction.PROTECT, *schemes)
    shop.change(Direction.UNPROTECT, *schemes)
    for scheme in schemes:
        late = codec_of(scheme).seal(b"late", Sent(STYLE))
        assert late is not None
        late = late[:18]  # whatever its length
        _, table, column = scheme.column.split(".")
        statement = f"UPDATE {table} SET {column} = '\\x{late.hex()}'::bytea"
        with pytest.raises(psycopg.errors.CheckViolation) as caught:
            shop.run(statement)
        assert caught.value.diag.constraint_name == f"strongroom_~plain_{column}"
    shop.change(Direction.PROTECT, *schemes)
    assert shop.rows("SELECT FROM pg_constraint WHERE conname LIKE 'strongroom\\_~%'") == []


TYPES = [
    ("customers.born", "date"), ("customers.spent", "numeric(12,2)"), ("customers.notes", "json"),
    ("customers.tags", "text[]"), ("customers.updated", "timestamptz"), ("orders.total", "integer"),
]  # fmt: skip


def test_values_of_many_types_go_there_and_back(shop: Shop) -> None:
    """In one go, each by its own key."""
    schemes = [
        Scheme.parse("shop", f"public.{name}", type=type_, encryption="randomized") for name, type_ in TYPES
    ]
    shop.keep_keysets(schemes)
    before = shop.contents()
    assert shop.change(Direction.PROTECT, *schemes).verified == 6 * 500
    assert {row[0] for row in shop.rows("SELECT pg_typeof(born)::text FROM customers")} == {"bytea"}
    shop.change(Direction.UNPROTECT, *schemes)
    assert shop.contents() == before


def test_the_database_refuses_plaintext_afterwards(shop: Shop) -> None:
    """And equal values that are not there, and those of unknown customers."""
    shop.change()
    for email in ("anna@example.org", "\\x0101020304", "\\x0201020304" + "00" * 16):
        with pytest.raises(psycopg.errors.CheckViolation):
            shop.run(f"UPDATE customers SET email = '{email}' WHERE id = 1")
    with pytest.raises(psycopg.errors.UniqueViolation):
        shop.run("UPDATE customers SET email = (SELECT email FROM customers WHERE id = 2) WHERE id = 1")
    stranger = codec_of(EMAIL).seal(b"nobody", Sent(STYLE))
    assert stranger is not None
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        shop.run(f"UPDATE orders SET email = '\\x{stranger.hex()}' WHERE id = 1")


@pytest.mark.parametrize("shop", ["embedded", "15"], indirect=True)
def test_a_primary_key_and_its_foreign_key_are_swapped(shop: Shop) -> None:
    """Both become bytea in one moment, and are keys again at the end."""
    shop.run(
        "CREATE TABLE people (ssn text PRIMARY KEY, name text)",
        "CREATE TABLE visits (id int, ssn text NOT NULL REFERENCES people DEFERRABLE INITIALLY DEFERRED)",
        "INSERT INTO people SELECT 'nr ' || i FROM generate_series(1, 300) i",
        "INSERT INTO visits SELECT i, 'nr ' || i FROM generate_series(1, 300) i",
    )
    first = Scheme.parse("shop", "public.people.ssn", type="text", encryption="deterministic")
    second = Scheme.parse(
        "shop", "public.visits.ssn", type="text", encryption="deterministic", key="public.people.ssn"
    )
    shop.keep_keysets([first])
    shop.change(Direction.PROTECT, first, second)
    query = """SELECT conname, contype::text, convalidated, condeferred, pg_get_constraintdef(oid)
        FROM pg_constraint
        WHERE conrelid IN ('people'::regclass, 'visits'::regclass) AND contype IN ('p', 'f')
        ORDER BY 1"""
    assert shop.rows(query) == [
        ("people_pkey", "p", True, False, "PRIMARY KEY (ssn)"),
        ("visits_ssn_fkey", "f", True, True,
         "FOREIGN KEY (ssn) REFERENCES people(ssn) DEFERRABLE INITIALLY DEFERRED"),
    ]  # fmt: skip
    assert shop.rows("SELECT count(*) FROM people JOIN visits USING (ssn)") == [(300,)]
    with pytest.raises(psycopg.errors.NotNullViolation):
        shop.run("INSERT INTO visits VALUES (1, NULL)")


def test_the_old_order_of_columns_is_remembered(shop: Shop) -> None:
    """So that `*` can be spelled out as clients know it, after several changeovers too."""
    shop.change(Direction.PROTECT, IBAN)
    shop.change(Direction.PROTECT, EMAIL, ORDER_EMAIL)
    wanted = ["id", "email", "name", "iban", "born", "spent", "notes", "tags", "updated"]
    assert client_order(shop, "customers") == wanted
    shop.change(Direction.UNPROTECT, IBAN)
    shop.run(
        "ALTER TABLE customers ADD COLUMN later int",
        "ALTER TABLE customers DROP COLUMN born",
        "ALTER TABLE customers RENAME COLUMN name TO surname",
    )
    wanted = ["id", "email", "surname", "iban", "spent", "notes", "tags", "updated", "later"]
    assert client_order(shop, "customers") == wanted
    assert client_order(shop, "orders") == ["id", "email", "total"]


def client_order(shop: Shop, table: str) -> list[str]:
    """The columns of a table as analysis orders them."""
    return [column.name for column in catalog(shop).names[("public", table)].ordered()]


def catalog(shop: Shop) -> Schema:
    """What analysis sees of the shop."""
    (answer,) = shop.rows(CATALOG_QUERY)[0]
    return Schema.from_catalog(answer)


@pytest.mark.parametrize("direction", [Direction.PROTECT, Direction.UNPROTECT])
def test_statements_are_understood_while_a_column_changes(shop: Shop, direction: Direction) -> None:
    """Our trigger is no code that analysis must fear, and `*` is what it was."""
    shop.change(Direction.PROTECT, IBAN)
    if direction is Direction.UNPROTECT:
        shop.change(Direction.PROTECT, EMAIL, ORDER_EMAIL)
    with pytest.raises(Killed):
        shop.change(direction, EMAIL, ORDER_EMAIL, tell=killing(lambda p: p.stage is Stage.VERIFY))
    schema = catalog(shop)
    protected = shop.schemes if direction is Direction.UNPROTECT else [IBAN]
    context = Context(schema, protections_in(schema, protected), ("pg_catalog", "public"))
    (insert,) = analyse("INSERT INTO customers VALUES (1, 'a', 'n', 'i')", (), context).statements
    assert sum(not isinstance(piece, str) for piece in insert.pieces) == len(protected) // 2 + 1
    (select,) = analyse("SELECT * FROM customers", (), context).statements
    assert select.outputs is not None
    assert [output.name for output in select.outputs][:4] == ["id", "email", "name", "iban"]
    assert len(select.outputs) == 9


def test_columns_under_way_are_hidden_from_clients(shop: Shop) -> None:
    """A shadow is no column of `*`."""
    with pytest.raises(Killed):
        shop.change(tell=killing(lambda progress: progress.stage is Stage.VERIFY))
    assert client_order(shop, "orders") == ["id", "email", "total"]


# ------------------------------------------------------------------------------------ killed at any point


@pytest.mark.parametrize("direction", [Direction.PROTECT, Direction.UNPROTECT])
@pytest.mark.parametrize("stage", [stage for stage in Stage if stage not in ELSEWHERE])
def test_a_run_killed_in_any_stage_goes_on(shop: Shop, stage: Stage, direction: Direction) -> None:
    """What an earlier run did is found, and the end is the same."""
    before = shop.contents()
    if direction is Direction.UNPROTECT:
        shop.change()
    with pytest.raises(Killed):
        shop.change(direction, tell=killing(lambda progress: progress.stage is stage))
    shop.run("UPDATE customers SET name = 'Berta' WHERE id % 3 = 0")
    shop.change(direction)
    opened = shop.schemes if direction is Direction.PROTECT else ()
    changed = [(*row[:4], "Berta", *row[5:]) if int(row[3]) % 3 == 0 else row for row in before["customers"]]
    assert shop.contents(opened) == {**before, "customers": changed}
    assert shop.rows(OURS) == []


def run_mortal(shop: Shop, statements: int) -> bool:
    """A run that dies at some statement; whether it lived."""
    mortal = mortal_connection(shop, statements)
    try:
        job.run(mortal, [target(scheme) for scheme in shop.schemes], Direction.PROTECT, limits=HASTY)
    except (Killed, psycopg.OperationalError):
        return False
    else:
        return True
    finally:
        mortal.close()


@pytest.mark.parametrize(
    "offset", [0, pytest.param(1, marks=pytest.mark.full), pytest.param(2, marks=pytest.mark.full)]
)
def test_a_run_killed_at_any_statement_goes_on(shop: Shop, offset: int) -> None:
    """Killed again and again, each time a few statements later, it comes to the end."""
    before = shop.contents()
    for statements in range(offset, 2000, 9):
        if run_mortal(shop, statements):
            break
        assert_one_form(shop)
    assert shop.contents(shop.schemes) == before
    assert shop.rows(OURS) == []
    assert shop.rows("SELECT count(*) FROM strongroom_keys.columns") == [(3,)]


def assert_one_form(shop: Shop) -> None:
    """All three columns are in the same form, whenever one looks."""
    forms = shop.rows(
        "SELECT DISTINCT atttypid = 'bytea'::regtype FROM pg_attribute JOIN pg_class c ON c.oid = attrelid"
        " WHERE relname IN ('customers', 'orders') AND attname IN ('email', 'iban')"
    )
    assert len(forms) == 1


def test_what_is_under_way_can_be_abandoned(shop: Shop) -> None:
    """Nothing of ours is left, and the rows are as they were."""
    before = shop.contents()
    with pytest.raises(Killed):
        shop.change(tell=killing(lambda progress: progress.stage is Stage.SWAP))
    with shop.connect() as connection:
        assert sorted(job.abandon(connection)) == ["public.customers", "public.orders"]
        assert job.abandon(connection) == []
    assert shop.contents() == before
    assert shop.rows(OURS) == []
    shop.change()


def test_a_change_of_keys_is_abandoned_alone(shop: Shop) -> None:
    """Where it is that keyset's; what protects a column goes on where it was."""
    with pytest.raises(Killed):
        shop.change(Direction.PROTECT, IBAN, tell=killing(lambda progress: progress.stage is Stage.SWAP))
    with shop.connect() as connection:
        assert job.abandon(connection, rekeyed=IBAN.keyset) == []
        assert job.is_under_way(connection)
    shop.change(Direction.PROTECT, IBAN)


def test_a_change_under_way_is_not_mixed_with_another(shop: Shop) -> None:
    """Other columns of the table wait until it is done."""
    with pytest.raises(Killed):
        shop.change(Direction.PROTECT, IBAN, tell=killing(lambda progress: progress.stage is Stage.FILL))
    with pytest.raises(ChangeoverRefused, match="under way"):
        shop.change(Direction.PROTECT, EMAIL, ORDER_EMAIL)
    shop.change(Direction.PROTECT, IBAN)


# ------------------------------------------------------------------------------------ beside writers


WRITES = [
    "UPDATE customers SET email = 'new' || id || '-' || txid_current() || '@example.org' WHERE id = {id}",
    "UPDATE customers SET iban = CASE WHEN iban IS NULL THEN 'FR' || {n} END WHERE id = {id}",
    "UPDATE customers SET name = 'Name {n}', spent = spent + 1 WHERE id = {id}",
    "INSERT INTO customers (id, email, iban) VALUES (100000 + {n}, 'late{n}@example.org', 'AT{n}')",
    "DELETE FROM customers WHERE id = {id} AND id % 10 = 0",
    "INSERT INTO orders VALUES (100000 + {n}, (SELECT email FROM customers WHERE id = {id}), {n})",
    "UPDATE orders SET email = NULL WHERE id = {id} AND id % 3 = 0",
    "WITH w AS (SELECT 1) UPDATE customers SET email = email WHERE id = {id}",
]
MIRROR = """\
CREATE TABLE customers_twin (LIKE customers INCLUDING ALL);
CREATE TABLE orders_twin (LIKE orders INCLUDING ALL);
INSERT INTO customers_twin SELECT * FROM customers; INSERT INTO orders_twin SELECT * FROM orders;
ALTER TABLE orders_twin ADD FOREIGN KEY (email) REFERENCES customers_twin (email)
  ON UPDATE CASCADE ON DELETE CASCADE;"""


class Writers:
    """Two writers that do the same to the tables and to twins of them, until the swap makes them fail."""

    def __init__(self, shop: Shop) -> None:
        self.written = 0
        self._shop = shop
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._write, args=(n,)) for n in (0, 1)]

    def __enter__(self) -> "Writers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)

    def _write(self, seed: int) -> None:
        n = seed
        with self._shop.connect() as connection:
            while not self._stop.is_set():
                n += 2
                statement = WRITES[n // 2 % len(WRITES)].format(id=n * 7919 % 3000 + 1, n=n)
                try:
                    with connection.transaction():
                        connection.execute(statement.encode())
                        twin = re.sub("customers|orders", r"\g<0>_twin", statement)
                        connection.execute(twin.encode())
                except (psycopg.errors.DatatypeMismatch, psycopg.errors.CheckViolation):
                    return  # swapped: plaintext statements do not fit any more
                except psycopg.errors.DeadlockDetected:
                    continue  # between the writers
                self.written += 1


def test_writers_go_on_and_no_row_is_different(shop: Shop) -> None:
    """Two writers change all that is changing; what is sealed at the end is what twin tables have."""
    shop.run(
        "INSERT INTO customers (id, email, iban) SELECT i, 'more' || i, 'IT' || i"
        " FROM generate_series(501, 3000) i"
    )
    shop.run(MIRROR)
    with Writers(shop) as writers:
        report = shop.change()
    assert writers.written > 20
    contents = shop.contents(shop.schemes)
    for table in ("customers", "orders"):
        assert sorted(map(str, contents[table])) == sorted(map(str, shop.table(f"{table}_twin")))
    assert report.longest_lock < 5


def test_a_row_may_be_changed_between_reading_and_writing(shop: Shop) -> None:
    """A batch that was read is written back only where the row is still the same version."""
    changed = iter([True])

    def tell(progress: Progress) -> None:
        if progress.stage is Stage.VERIFY and next(changed, False):
            shop.run("UPDATE customers SET email = 'other' || id, iban = NULL")

    shop.change(tell=tell)
    with_orders = shop.contents(shop.schemes)
    assert {row[1] for row in with_orders["customers"]} == {f"other{n}" for n in range(1, 501)}
    assert {row[2] for row in with_orders["customers"]} == {None}


def test_a_long_transaction_makes_it_give_up(shop: Shop) -> None:
    """Nobody waits behind us for longer than the lock is waited for, and nothing is changed."""
    limits = Limits(lock_wait=0.05, lock_tries=2)
    with shop.connect() as other, other.transaction():
        other.execute("SELECT FROM customers")
        with pytest.raises(ChangeoverLocked):
            shop.change(limits=limits)
    assert shop.rows(OURS) == []


def test_two_runs_at_once_are_refused(shop: Shop) -> None:
    """One changeover at a time in a database."""

    def tell(progress: Progress) -> None:
        if progress.stage is Stage.FILL:
            shop.change()

    with pytest.raises(ChangeoverBusy):
        shop.change(tell=tell)


def test_nothing_is_sealed_by_a_key_that_is_not_kept(shop: Shop) -> None:
    """The keyset must be beside the data first."""
    shop.run("DELETE FROM strongroom_keys.keysets")
    with pytest.raises(KeysetMissing):
        shop.change()
    assert shop.rows(OURS) == []


def test_a_disabled_trigger_stops_the_swap(shop: Shop) -> None:
    """Shadows might be old then."""

    def tell(progress: Progress) -> None:
        if progress.stage is Stage.SWAP:
            shop.run('ALTER TABLE customers DISABLE TRIGGER "~~~~strongroom_shadow"')

    with pytest.raises(ChangeoverRefused, match="trigger"):
        shop.change(tell=tell)


def test_a_changed_table_stops_the_swap_and_is_found_by_the_next_run(shop: Shop) -> None:
    """An index that came meanwhile is not lost."""

    def tell(progress: Progress) -> None:
        if progress.stage is Stage.SWAP:
            shop.run("CREATE INDEX IF NOT EXISTS late ON customers (email, born)")

    with pytest.raises(ChangeoverRefused, match="changed since"):
        shop.change(tell=tell)
    shop.change()
    assert ("late",) in shop.rows("SELECT indexname FROM pg_indexes WHERE tablename = 'customers'")


def test_a_change_that_is_done_is_refused_by_name(shop: Shop) -> None:
    """There is nothing to do."""
    shop.change()
    with pytest.raises(ChangeoverRefused) as refused:
        shop.change()
    assert "is bytea already" in refused.value.detail


def _files_with(shop: Shop, octets: bytes) -> list[str]:
    """The files of the database that hold these octets."""
    ((database,),) = shop.rows("SELECT oid FROM pg_database WHERE datname = current_database()")
    files = list((shop.server.data / "base" / str(database)).iterdir())
    assert sum(path.stat().st_size for path in files) > 100_000
    return [path.name for path in files if octets in path.read_bytes()]


def test_a_rewrite_does_not_wait_for_statistics(shop: Shop) -> None:
    """Whoever has them open keeps us from clearing them, not all others from planning; and it is said."""
    with shop.connect() as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM pg_statistic")
        report = shop.change(rewrite=True)
    assert any("VACUUM FULL pg_catalog.pg_statistic" in leftover for leftover in report.leftovers)
    assert not any("--rewrite" in leftover for leftover in report.leftovers)


def test_a_rewrite_leaves_no_plaintext_in_the_files(shop: Shop) -> None:
    """After it, none of the values is in a dump, nor in any file of the database, statistics included."""
    shop.run("UPDATE customers SET iban = 'DE89-frequent' WHERE id % 2 = 0", "ANALYZE", "CHECKPOINT")
    ((statistics,),) = shop.rows("SELECT pg_relation_filenode('pg_statistic')::text")
    assert statistics in _files_with(shop, b"DE89-frequent")
    report = shop.change(rewrite=True)
    shop.run("CHECKPOINT")
    assert _files_with(shop, b"@example.org") == _files_with(shop, b"DE89-frequent") == []
    dump = subprocess.run(
        [shop.server.installation.program("pg_dump"), shop.server.uri(shop.database)],
        capture_output=True, check=True,
    )  # fmt: skip
    assert b"COPY public.customers" in dump.stdout
    assert b"@example.org" not in dump.stdout
    assert not any("--rewrite" in leftover for leftover in report.leftovers)


class TestTenants:
    """Columns whose values belong to tenants."""

    SCHEME = Scheme.parse(
        "shop", "public.customers.iban", type="varchar(40)", encryption="randomized", tenant="tenant_id"
    )
    IDS = MappingProxyType({"1": 0x111, "2": 0x222})

    def target(self, scheme: Scheme = SCHEME, tenant: str | None = None) -> Target:
        """The column, with keys for tenants 1 and 2."""
        keysets = {name: keyset_for(scheme.of_tenant(name), key_id) for name, key_id in self.IDS.items()}
        return Target(scheme, None, TenantCodecs(scheme, keysets, Counted()), tenant)

    def test_each_row_is_sealed_for_its_tenant(self, shop: Shop) -> None:
        """Also one that goes to another tenant while it runs; and the way back is open."""
        shop.run("ALTER TABLE customers ADD tenant_id int", "UPDATE customers SET tenant_id = 1 + id % 2")
        before = shop.table("customers")

        def move(step: Progress) -> None:
            if step.stage is Stage.INDEX:  # all rows are filled, none is swapped
                shop.run("UPDATE customers SET tenant_id = 2 WHERE id = 2")

        with shop.connect() as connection:
            job.run(connection, [self.target()], Direction.PROTECT, limits=HASTY, tell=move)
        sealed = shop.rows("SELECT tenant_id, substring(iban, 1, 5), count(*) FROM customers GROUP BY 1, 2")
        assert {(tenant, int.from_bytes(prefix[1:])) for tenant, prefix, _ in sealed if prefix} == {
            (int(name), key_id) for name, key_id in self.IDS.items()
        }
        with pytest.raises(psycopg.errors.CheckViolation):
            shop.run("UPDATE customers SET iban = '\\x02" + "00" * 40 + "' WHERE id = 1")
        with shop.connect() as connection:
            job.run(connection, [self.target()], Direction.UNPROTECT, limits=HASTY)
        shop.run("UPDATE customers SET tenant_id = 1 WHERE id = 2")
        assert shop.table("customers") == before

    def test_what_has_no_tenant_stops_it(self, shop: Shop) -> None:
        """Before anything is swapped; a tenant without a key does, too."""
        shop.run("ALTER TABLE customers ADD tenant_id int", "UPDATE customers SET tenant_id = 1")
        for wrong in ("NULL", "3"):
            shop.run(f"UPDATE customers SET tenant_id = {wrong} WHERE iban IS NOT NULL AND id < 20")
            with shop.connect() as connection, pytest.raises(TenantUnknown):
                job.run(connection, [self.target()], Direction.PROTECT, limits=HASTY)
        shop.run("UPDATE customers SET tenant_id = 1")
        with shop.connect() as connection:
            job.run(connection, [self.target()], Direction.PROTECT, limits=HASTY)

    @pytest.mark.parametrize("shop", ["15"], indirect=True)  # the embedded one knows no such collations
    def test_a_column_that_cannot_name_tenants_is_refused(self, shop: Shop) -> None:
        """By its type, its collation or its absence; a session must be told whose the values are."""
        shop.run(
            "CREATE COLLATION anycase (provider = icu, locale = 'und', deterministic = false)",
            "ALTER TABLE customers ADD counted int GENERATED ALWAYS AS IDENTITY",
            "ALTER TABLE customers ADD price numeric, ADD alias text COLLATE anycase",
        )
        for column, why in (
            ("counted", "computed by the database"),
            ("price", "cannot name tenants"),
            ("alias", "cannot name tenants"),
            ("absent", "there is no column"),
            ("session", "--tenant"),
        ):
            scheme = replace(self.SCHEME, tenant=column)
            with shop.connect() as connection:
                plan = job.plan_of(connection, [self.target(scheme)], Direction.PROTECT)
            assert [refusal for refusal in plan.refusals if why in refusal]

    def test_a_session_is_told_whose_all_are(self, shop: Shop) -> None:
        """Then every value is sealed for that tenant."""
        scheme = replace(self.SCHEME, tenant="session")
        with shop.connect() as connection:
            job.run(connection, [self.target(scheme, "2")], Direction.PROTECT, limits=HASTY)
        found = shop.rows("SELECT DISTINCT substring(iban, 1, 5) FROM customers WHERE iban IS NOT NULL")
        assert [int.from_bytes(prefix[1:]) for (prefix,) in found] == [self.IDS["2"]]
