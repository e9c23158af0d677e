"""What one session knows of protection, and when that has grown old."""

from dataclasses import replace

import pytest
from tests.kit.reachable import reachable
from tests.session.guarding import ANNA, CODECS, EMAIL, PATH, SCHEMA, SNAPSHOT, plaintext, rotated

from strongroom.errors import (
    BarrierInBatch,
    Bug,
    FormLost,
    InvalidValue,
    PreparedStatementOutdated,
    TransactionFailed,
    UndefinedTable,
)
from strongroom.keys.model import KeyState
from strongroom.session.guard import Guard, OutOfDate
from strongroom.session.snapshot import Snapshot
from strongroom.session.statements import Names, Portal, Run, Statement
from strongroom.sql.schema import Schema
from strongroom.sql.statement import Barrier, Kind, Output, Resolved
from strongroom.wire.postgres import types

BY_MAIL = "SELECT id FROM people WHERE email = $1"
NAME = EMAIL.scheme.column
BARE = Snapshot(Schema({}), {name: one.scheme for name, one in CODECS.items()}, {}, CODECS)


class World:
    """A guard with the books that it looks into."""

    def __init__(self, snapshot: Snapshot = SNAPSHOT) -> None:
        self.statements: Names[Statement] = Names()
        self.portals: Names[Portal] = Names()
        self.guard = Guard(snapshot, self.statements, self.portals)
        self.guard.refreshed(PATH, None)

    def resolved(self, text: str) -> Resolved:
        """A text of one statement."""
        (found,) = self.guard.analyse(text, ()).statements
        return found

    def complete(self, text: str) -> None:
        """Upstream carries it out."""
        for one in self.guard.analyse(text, ()).statements:
            self.guard.completed(one)


# ------------------------------------------------------------------------------------ analysis


def test_nothing_is_analysed_before_the_path_is_known() -> None:
    """A session begins with that to be read."""
    fresh = Guard(SNAPSHOT, Names(), Names())
    assert fresh.stale is Barrier.SEARCH_PATH
    with pytest.raises(Bug):
        fresh.analyse(BY_MAIL, ())


def test_a_text_is_analysed_once() -> None:
    """For all sessions of a snapshot, path and types; names of a session are its own."""
    one, other = World(), World()
    assert one.guard.analyse(BY_MAIL, ()) is other.guard.analyse(BY_MAIL, ())
    assert one.guard.analyse(BY_MAIL, (types.TEXT,)) is not one.guard.analyse(BY_MAIL, ())
    first = one.guard.analyse(BY_MAIL, ())
    other.guard.refreshed(("pg_catalog", "x", "public"), None)
    assert other.guard.analyse(BY_MAIL, ()) is not first
    for world in (one, other):
        world.complete("DECLARE c CURSOR FOR SELECT email FROM people")
    assert one.guard.analyse("FETCH c", ()) is not one.guard.analyse("FETCH c", ())


def test_what_is_not_known_is_looked_for_once() -> None:
    """Somebody may have made it around the gateway; then it is refused, or PostgreSQL's business."""
    for text, error in (("SELECT 1 FROM people, new", UndefinedTable), ("SELECT 1 FROM new", None)):
        guard = World().guard
        with pytest.raises(OutOfDate):
            guard.analyse(text, (), may_look=True)
        assert guard.stale is Barrier.CATALOG
        guard.refreshed(PATH, SCHEMA)
        if error is None:
            assert not guard.analyse(text, (), may_look=True).touched
        else:
            with pytest.raises(error):
                guard.analyse(text, (), may_look=True)
        guard.share(SNAPSHOT)
        with pytest.raises(OutOfDate):
            guard.analyse(text, (), may_look=True)


def test_a_column_that_lost_its_form_is_not_touched() -> None:
    """It would take plaintext."""
    world = World(replace(BARE, sealed=frozenset({NAME})).with_schema(plaintext()))
    with pytest.raises(FormLost):
        world.guard.analyse(BY_MAIL, ())


def test_while_something_is_stale_only_a_transactions_end_passes() -> None:
    """In a failed transaction nothing can be read anew."""
    world = World()
    world.complete("SET search_path = x")
    with pytest.raises(TransactionFailed):
        world.guard.analyse(BY_MAIL, ())
    with pytest.raises(BarrierInBatch):
        world.guard.analyse("ROLLBACK; SELECT 1", ())
    assert world.guard.analyse("ROLLBACK", ()).statements[0].kind is Kind.TRANSACTION


def test_nothing_follows_the_end_of_a_changed_transaction_in_one_text() -> None:
    """Its changes may have been taken back."""
    world = World()
    world.complete("SET LOCAL search_path = x")
    world.guard.refreshed(("pg_catalog", "x"), None)
    for text in ("COMMIT; SELECT 1 FROM people", "ROLLBACK TO a; SELECT 1"):
        with pytest.raises(BarrierInBatch):
            world.guard.analyse(text, ())
    assert world.guard.analyse("COMMIT; BEGIN", ()).statements
    assert world.guard.analyse("SELECT 1; COMMIT", ()).statements


# ------------------------------------------------------------------------------------ growing old


@pytest.mark.parametrize(
    ("text", "stale", "for_all"),
    [
        ("CREATE TABLE x (id int)", Barrier.CATALOG, True), ("SET search_path = x",
        Barrier.SEARCH_PATH, False),
        ("SET ROLE x", Barrier.ROLE, False), ("SET timezone = 'UTC'", Barrier.STYLE, False),
        ("PREPARE p AS SELECT 1", Barrier.NONE, False), ("SELECT 1", Barrier.NONE, False),
        ("DECLARE c CURSOR FOR SELECT 1", Barrier.NONE, False),
    ],
)  # fmt: skip
def test_what_a_statement_makes_old(text: str, stale: Barrier, for_all: bool) -> None:
    """Now, and once more at the end of the transaction, which may take it back; a catalog is everybody's."""
    world = World()
    world.complete(text)
    assert world.guard.stale == stale
    assert world.guard.changed is bool(stale)
    world.guard.refreshed(PATH, None)
    assert not world.guard.stale
    assert world.guard.transaction_ended() is for_all
    assert world.guard.stale == stale
    assert not world.guard.changed


def test_a_part_of_a_transaction_taken_back_is_old_at_once() -> None:
    """ROLLBACK TO undoes what came before it, so that it is read anew in the transaction."""
    world = World()
    world.complete("SET LOCAL search_path = x")
    world.guard.refreshed(PATH, None)
    world.complete("ROLLBACK TO a")
    assert world.guard.stale is Barrier.SEARCH_PATH


def test_another_outlook_means_that_statements_are_looked_at_again() -> None:
    """Another path or catalog; not the same ones read again."""
    guard = World().guard
    before = guard.outlook
    guard.refreshed(PATH, None)
    assert guard.outlook == before
    guard.refreshed(("pg_catalog",), None)
    assert guard.outlook != before
    guard.refreshed(PATH, SCHEMA)
    assert guard.outlook != before


def test_a_shared_snapshot_waits_for_the_end_of_ones_own_changes() -> None:
    """A transaction that changed the catalog looks at its own; one with temporary tables reads again."""
    own = World()
    own.complete("CREATE TABLE x (id int)")
    own.guard.refreshed(PATH, SCHEMA)
    seen = own.guard.outlook
    own.guard.share(SNAPSHOT)
    assert own.guard.outlook == seen
    temporary = World()
    temporary.guard.refreshed(("pg_temp_3", *PATH), None)
    temporary.guard.share(SNAPSHOT)
    assert temporary.guard.stale is Barrier.CATALOG
    plain = World()
    plain.guard.share(BARE)
    assert plain.guard.protected == frozenset()


@pytest.mark.parametrize("path", [PATH, ("pg_temp_3", *PATH)])
@pytest.mark.parametrize("text", ["SELECT id FROM people", "CREATE TABLE x (id int)"])
def test_the_keys_are_taken_at_once(path: tuple[str, ...], text: str) -> None:
    """By a session with a catalog of its own, too; and of the former ones nothing is kept."""
    world, newer = World(), rotated(KeyState.SUSPENDED)
    world.complete(text)
    world.guard.refreshed(path, SCHEMA)
    outputs = world.resolved("SELECT email FROM people").outputs
    world.guard.plan(outputs or (), (1,), (0,))
    world.statements.note("s", Statement("s", BY_MAIL, (), world.resolved(BY_MAIL), world.guard.outlook))
    assert any(one is EMAIL for one in reachable(world))
    assert world.guard.share(newer) == {NAME}
    assert not any(one is EMAIL for one in reachable(world))
    assert any(one is newer.codecs[NAME] for one in reachable(world))
    assert world.guard.share(newer) == frozenset()


# ------------------------------------------------------------------------------------ names


def test_prepared_statements_are_seen_by_name() -> None:
    """Those of Parse and of PREPARE; the unnamed one is not SQL's."""
    world = World()
    for name in ("s", ""):
        made = Statement(name, BY_MAIL, (), world.resolved(BY_MAIL), world.guard.outlook)
        world.statements.note(name, made)
    assert world.resolved("EXECUTE s('anna')").touched
    prepared = world.guard._prepared
    assert (list(prepared), len(prepared), "" in prepared, "t" in prepared) == (["s"], 1, False, False)


def test_a_statement_that_sql_prepared_must_still_mean_the_same() -> None:
    """Its text went upstream in one form, and cannot be sent again in another."""
    world = World()
    text = f"PREPARE p AS {BY_MAIL}"
    resolved = world.resolved(text)
    made = Statement("p", text, (), resolved.defines, world.guard.outlook, by_sql=True)
    assert world.guard.anew(made) == resolved.defines
    world.guard.share(BARE.with_schema(plaintext()))
    with pytest.raises(PreparedStatementOutdated):
        world.guard.anew(made)
    by_parse = Statement("s", BY_MAIL, (), world.resolved(BY_MAIL), None)
    assert world.guard.anew(by_parse) == world.resolved(BY_MAIL)


def test_cursors_of_both_kinds_share_their_names() -> None:
    """A portal comes before a cursor of DECLARE; CLOSE and DISCARD ALL take the latter."""
    world = World()
    world.complete("DECLARE c CURSOR FOR SELECT email FROM people")
    made = world.guard.cursors["c"]
    assert made is not None
    assert made.outputs is not None
    assert made.outputs[0].name == "email"
    bound = Resolved(Kind.SELECT, (), outputs=(Output("x"),))
    portal = Portal("c", None, Run((bound,)))
    world.portals.note("c", portal)
    assert world.guard.cursors["c"] is bound
    assert sorted(world.guard.cursors) == ["c"]
    world.portals.note("c", None)
    for text in ("DISCARD PLANS", "DISCARD TEMP", "CLOSE other"):
        world.complete(text)
        world.guard.refreshed(PATH, None)
        assert world.guard.cursor("c") is not None
    world.complete("CLOSE ALL")
    assert world.guard.cursor("c") is None


# ------------------------------------------------------------------------------------ sealing


def test_holes_are_filled() -> None:
    """With the sealed literal, as one token with its type; what is wrong is refused unquoted."""
    world = World()
    pieces = world.guard.analyse("SELECT id FROM people WHERE email = 'anna'", ()).pieces
    assert world.guard.text(pieces).endswith(f"= '\\x{ANNA.hex()}'::pg_catalog.bytea")
    wrong = world.guard.analyse("UPDATE people SET pin = 'geheim'", ()).pieces
    with pytest.raises(InvalidValue) as refused:
        world.guard.text(wrong)
    assert "geheim" not in refused.value.message


def test_a_plan_is_made_once() -> None:
    """For the same outputs, formats and style; another style opens otherwise."""
    world = World()
    outputs = world.resolved("SELECT email FROM people").outputs
    assert outputs is not None
    first = world.guard.plan(outputs, (1,), (0,))
    assert world.guard.plan(outputs, (1,), (0,)) is first
    assert world.guard.plan(outputs, (1,), (1,)) is not first
    world.guard.style = world.guard.style.with_setting("TimeZone", "Asia/Tokyo")
    assert world.guard.plan(outputs, (1,), (0,)) is not first
    assert world.guard.plan((Output("id"),), (0,), (0,)) is None
