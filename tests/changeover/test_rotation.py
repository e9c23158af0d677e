"""changeover/rotation.py: a column's key is rotated, with writers at work, killed at any point."""

import threading
from functools import partial
from typing import Any

import psycopg
import pytest
from tests.changeover.killing import Killed, killing, mortal_connection
from tests.changeover.ring import NOW, Ring
from tests.changeover.shop import EMAIL, HASTY, IBAN, ORDER_EMAIL, STYLE, Shop
from tests.changeover.test_job import INDEXES, OURS, SHAPE

from strongroom.changeover import checks
from strongroom.changeover.database import Database
from strongroom.changeover.model import Stage
from strongroom.changeover.rotation import NotWanted
from strongroom.errors import ChangeoverBusy, ChangeoverRefused, ColumnNotProtected, KeysChanged
from strongroom.keys.beside import create_type, look_up_type
from strongroom.keys.model import KeyState
from strongroom.keys.rotation import given_up, next_version
from strongroom.protect.plan import TEXT_FORMAT, Sent
from strongroom.testing.waiting import wait_until

CHECK = """\
SELECT pg_get_constraintdef(oid), convalidated, obj_description(oid, 'pg_constraint')
FROM pg_constraint WHERE conrelid = 'customers'::regclass AND conname = 'strongroom_iban'"""
OWN_TEXT = Sent(STYLE, 0, TEXT_FORMAT)


@pytest.fixture
def ring(shop: Shop) -> Ring:
    """A shop whose columns are protected by real keys."""
    return Ring.of(shop)


def test_a_new_version_seals_and_the_old_one_opens(ring: Ring) -> None:
    """Nothing is written anew; the database takes values of both."""
    before, old = ring.opened(IBAN), ring.keyset(IBAN).primary
    rotated = ring.rotate(IBAN)
    keyset = ring.keyset(IBAN)
    assert keyset.primary != old
    assert keyset.key_ids == {old, keyset.primary}
    assert rotated.resealed == 0
    assert ring.opened(IBAN) == before
    assert ring.sealed_by(IBAN) == {old}
    sealed = ring.codec(IBAN).seal(b"new", OWN_TEXT)
    with ring.shop.connect() as connection:
        connection.execute("UPDATE customers SET iban = %b WHERE id = 1", (sealed,))
    assert ring.sealed_by(IBAN) == {old, keyset.primary}
    assert ring.shop.rows(CHECK)[0][1] is True


def test_gateways_are_waited_for_before_the_new_version_seals(ring: Ring) -> None:
    """While it is pre-active: whoever meets a value of it must know it."""
    states: list[KeyState] = []

    def look(progress: Any) -> None:
        if progress.stage is Stage.PROPAGATE and progress.done == 0:
            states.append(ring.keyset(IBAN).versions[-1].state)

    ring.rotate(IBAN, tell=look)
    assert states == [KeyState.PRE_ACTIVE]
    assert sum(ring.waited) == 2.0


def test_old_values_are_sealed_anew(ring: Ring) -> None:
    """All of them, and PostgreSQL's own CHECK proves it; what clients know of the table stays."""
    before, old = ring.opened(IBAN), ring.keyset(IBAN).primary
    ((_, _, order),) = ring.shop.rows(CHECK)
    rotated = ring.rotate(IBAN, reencrypt=True)
    keyset = ring.keyset(IBAN)
    assert ring.opened(IBAN) == before
    assert ring.sealed_by(IBAN) == {keyset.primary}
    assert rotated.resealed == 429
    assert keyset.version(old).state is KeyState.DEACTIVATED
    ((definition, validated, comment),) = ring.shop.rows(CHECK)
    assert (f"{keyset.primary:08x}" in definition, f"{old:08x}" in definition) == (True, False)
    assert (validated, comment) == (True, order)
    assert ring.state[IBAN.keyset].revision == keyset.revision
    assert ring.shop.rows("SELECT * FROM strongroom_keys.rotations") == []


def test_the_uses_of_the_new_key_are_counted(ring: Ring) -> None:
    """Each value that it seals."""
    ring.uses.taken.clear()
    rotated = ring.rotate(IBAN, reencrypt=True)
    counted = sum(count for _, key_id, count in ring.uses.taken if key_id == rotated.keyset.primary)
    assert counted == 429


def test_who_has_not_heard_of_it_is_refused_at_the_end(ring: Ring) -> None:
    """A value of the old key is an error then, and never one that nobody can open later."""
    late = ring.codec(IBAN)
    ring.rotate(IBAN, reencrypt=True)
    with ring.shop.connect() as connection, pytest.raises(psycopg.errors.CheckViolation):
        connection.execute("UPDATE customers SET iban = %b WHERE id = 1", (late.seal(b"x", OWN_TEXT),))


def test_writers_go_on(ring: Ring) -> None:
    """Some by the old key until they hear of the new one; no value is lost, and the last write stays."""
    written: dict[int, bytes] = {}
    done = threading.Event()

    def write() -> None:
        number = 0
        with ring.shop.connect() as connection:
            while not done.is_set():
                number += 1
                row, value = number % 500 + 1, b"w%d" % number
                sealed = ring.codec(IBAN).seal(value, OWN_TEXT)
                try:
                    connection.execute("UPDATE customers SET iban = %b WHERE id = %s", (sealed, row))
                except psycopg.errors.CheckViolation:  # the key was rotated since it was read
                    continue
                written[row] = value

    before = dict(ring.opened(IBAN))
    writer = threading.Thread(target=write)
    writer.start()
    try:
        ring.rotate(IBAN, reencrypt=True)
    finally:
        done.set()
        writer.join()
    assert written
    assert dict(ring.opened(IBAN)) == before | written
    assert ring.sealed_by(IBAN) == {ring.keyset(IBAN).primary}


@pytest.mark.parametrize("stage", [Stage.PREPARE, Stage.PROPAGATE, Stage.RESEAL, Stage.DONE])
def test_a_run_killed_in_any_stage_goes_on(ring: Ring, stage: Stage) -> None:
    """To the version that it had begun, and no other."""
    before = ring.opened(IBAN)
    with pytest.raises(Killed):
        ring.rotate(IBAN, reencrypt=True, tell=killing(lambda progress: progress.stage is stage))
    assert ring.opened(IBAN) == before
    if stage is not Stage.DONE:
        ring.rotate(IBAN, reencrypt=True)
    assert ring.opened(IBAN) == before
    assert len(ring.keyset(IBAN).versions) == 2
    assert ring.sealed_by(IBAN) == {ring.keyset(IBAN).primary}


def test_a_run_killed_at_any_statement_goes_on(ring: Ring) -> None:
    """Killed again and again, each time some statements later; everything opens at each moment."""
    before = ring.opened(IBAN)
    for statements in range(0, 2000, 3):
        mortal = mortal_connection(ring.shop, statements)
        try:
            ring.rotate_on(mortal, [IBAN], reencrypt=True)
        except (Killed, psycopg.OperationalError):
            assert ring.opened(IBAN) == before
        else:
            break
        finally:
            mortal.close()
    assert ring.opened(IBAN) == before
    assert len(ring.keyset(IBAN).versions) == 2
    assert ring.sealed_by(IBAN) == {ring.keyset(IBAN).primary}


def test_of_two_at_once_one_is_told(ring: Ring) -> None:
    """The second finds the first at work."""
    refused: list[ChangeoverBusy] = []

    def second(progress: Any) -> None:
        if progress.stage is Stage.PROPAGATE and not refused:
            with pytest.raises(ChangeoverBusy) as caught:
                ring.rotate(IBAN)
            refused.append(caught.value)

    ring.rotate(IBAN, tell=second)
    assert refused
    assert len(ring.keyset(IBAN).versions) == 2


def test_a_rotation_that_is_not_wanted_any_more(ring: Ring) -> None:
    """Somebody else came first: the state takes over what is there, and nothing is changed."""
    ring.rotate(IBAN)
    stale = ring.state.pop(IBAN.keyset)
    with pytest.raises(NotWanted):
        ring.rotate(IBAN, wanted=lambda keyset: len(keyset.versions) == 1)
    assert ring.state[IBAN.keyset].revision == stale.revision
    assert len(ring.keyset(IBAN).versions) == 2


def test_what_was_changed_meanwhile_is_not_overwritten(ring: Ring) -> None:
    """A keyset is written in the place of the one that was read, or not at all."""
    read = ring.keyset(IBAN)
    ring.rotate(IBAN)
    now = ring.keyset(IBAN)
    with ring.shop.connect() as connection, pytest.raises(KeysChanged):
        ring.ledger(connection).write(read, next_version(read, NOW))
    assert ring.keyset(IBAN).versions[-1].key_id == now.primary


def test_triggers_that_are_not_accepted(ring: Ring) -> None:
    """They would fire for each row: refused by name, before anything is begun; accepted, they fire."""
    ring.shop.run(
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN NEW.updated := now(); RETURN NEW; END'",
        "CREATE TRIGGER touched BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION touch()",
    )
    with pytest.raises(ChangeoverRefused) as caught:
        ring.rotate(IBAN, reencrypt=True)
    assert "trigger touched" in caught.value.detail
    assert len(ring.keyset(IBAN).versions) == 1
    ring.rotate(IBAN, reencrypt=True, accepted=["public.touch"])
    assert ring.sealed_by(IBAN) == {ring.keyset(IBAN).primary}


def test_a_column_in_plaintext(shop: Shop) -> None:
    """There is nothing to rotate."""
    with shop.connect() as connection, pytest.raises(ColumnNotProtected):
        checks.find(Database(connection, HASTY), IBAN)


@pytest.mark.parametrize("stage", [Stage.PREPARE, Stage.PROPAGATE, Stage.RESEAL])
def test_what_was_begun_to_an_exposed_version_is_given_up(ring: Ring, stage: Stage) -> None:
    """Whether or not it has sealed: a version is made that others cannot know, and seals all."""
    before = ring.opened(IBAN)
    with pytest.raises(Killed):
        ring.rotate(IBAN, reencrypt=True, tell=killing(lambda progress: progress.stage is stage))
    exposed = ring.all_ids(IBAN)
    rotated = ring.rotate(IBAN, reencrypt=True, exposed=exposed, finish=partial(given_up, exposed=exposed))
    keyset = ring.keyset(IBAN)
    assert len(exposed) == 2
    assert keyset.primary not in exposed
    assert keyset.key_ids == ring.sealed_by(IBAN) == {keyset.primary}
    assert rotated.resealed == 429
    assert ring.opened(IBAN) == before


def test_a_version_that_came_after_the_leak_is_kept(ring: Ring) -> None:
    """It waits, or seals already: the old values alone are left to be sealed anew."""
    exposed = ring.all_ids(IBAN)
    ring.rotate(IBAN)
    rotated = ring.rotate(IBAN, reencrypt=True, exposed=exposed, finish=partial(given_up, exposed=exposed))
    assert rotated.resealed == 429
    assert len(ring.keyset(IBAN).versions) == 2
    assert ring.keyset(IBAN).key_ids == ring.sealed_by(IBAN)


# ------------------------------------------------------------------------------------ deterministic columns

BOTH = (EMAIL, ORDER_EMAIL)
GUARDS = (
    "SELECT typname::text FROM pg_type WHERE typnamespace = 'strongroom_keys'::regnamespace AND typtype = 'd'"
)
JOINED = "SELECT count(*) FROM customers JOIN orders USING (email)"


def test_a_deterministic_column_is_swapped(ring: Ring) -> None:
    """With all that share its keyset: one key before, one after; joins, indexes and constraints stay."""
    before, old = [ring.opened(one) for one in BOTH], ring.keyset(EMAIL).primary
    shape, indexes, joined = ring.shop.rows(SHAPE), ring.shop.rows(INDEXES), ring.shop.rows(JOINED)
    rotated = ring.rotate(*BOTH, reencrypt=True)
    keyset = ring.keyset(EMAIL)
    assert keyset.primary != old
    assert keyset.version(old).state is KeyState.DEACTIVATED
    assert [ring.opened(one) for one in BOTH] == before
    assert [ring.sealed_by(one) for one in BOTH] == [{keyset.primary}] * 2
    assert rotated.resealed == 500 + 400
    new_shape = [
        (*row[:3], row[3].replace(f"{keyset.primary:08x}", f"{old:08x}")) for row in ring.shop.rows(SHAPE)
    ]
    assert new_shape == shape
    assert ring.shop.rows(INDEXES) == indexes
    assert ring.shop.rows(JOINED) == joined
    assert ring.shop.rows(OURS) == []
    assert ring.shop.rows(GUARDS) == [(f"looked_up_by_{keyset.primary:08x}",)]
    assert ring.state[EMAIL.keyset].revision == keyset.revision
    assert ring.waited == []


def test_it_needs_reencryption(ring: Ring) -> None:
    """Two keys in one column would make equal values unequal."""
    with pytest.raises(ChangeoverRefused, match="must be of one key") as caught:
        ring.rotate(*BOTH)
    assert "--reencrypt" in caught.value.hint
    assert len(ring.keyset(EMAIL).versions) == 1


def test_all_columns_of_the_keyset_go_together(ring: Ring) -> None:
    """One that was left out would be joined with values of another key."""
    with pytest.raises(ChangeoverRefused) as caught:
        ring.rotate(EMAIL, reencrypt=True)
    assert "foreign key" in caught.value.detail


def test_look_ups_by_the_old_key_are_errors_in_the_moment_of_the_swap(ring: Ring) -> None:
    """The type that they name is there until then, and gone with it; never is there an empty answer."""
    old = ring.keyset(EMAIL)
    sealed = ring.codec(EMAIL).seal(b"anna7@example.org", OWN_TEXT)
    guarded = (
        f"WITH g AS (SELECT NULL::strongroom_keys.looked_up_by_{old.primary:08x})"
        " SELECT id FROM customers WHERE email = %b"
    )
    ring.shop.run(create_type(look_up_type(old)))
    answers: list[object] = []
    done = threading.Event()

    def look_up() -> None:
        with ring.shop.connect() as connection:
            while not done.is_set():
                try:
                    answers.append(connection.execute(guarded.encode(), (sealed,), prepare=True).fetchall())
                except psycopg.errors.UndefinedObject:
                    answers.append(None)

    def begin(progress: Any) -> None:
        if progress.stage is Stage.FILL and not reader.ident:
            reader.start()

    reader = threading.Thread(target=look_up)
    try:
        ring.rotate(*BOTH, reencrypt=True, tell=begin)
        wait_until(lambda: answers[-1:] == [None], "the reader meets the swap")
    finally:
        done.set()
        reader.join()
    assert answers[0] == [(7,)]
    first = answers.index(None)
    assert set(map(str, answers[:first])) == {"[(7,)]"}
    assert set(answers[first:]) == {None}


@pytest.mark.parametrize(
    "stage",
    [Stage.PREPARE, Stage.FILL, Stage.INDEX, Stage.VERIFY, Stage.SWAP, Stage.SETTLE],
)
def test_a_swap_killed_in_any_stage_goes_on(ring: Ring, stage: Stage) -> None:
    """To the version that it had begun; at each moment there is one key in all columns."""
    before = [ring.opened(one) for one in BOTH]
    with pytest.raises(Killed):
        ring.rotate(*BOTH, reencrypt=True, tell=killing(lambda progress: progress.stage is stage))
    assert [ring.opened(one) for one in BOTH] == before
    assert [ring.sealed_by(one) for one in BOTH] == [{ring.keyset(EMAIL).primary}] * 2
    ring.rotate(*BOTH, reencrypt=True)
    assert [ring.opened(one) for one in BOTH] == before
    assert [ring.sealed_by(one) for one in BOTH] == [{ring.keyset(EMAIL).primary}] * 2
    assert len(ring.keyset(EMAIL).versions) == 2
    assert ring.shop.rows(OURS) == []
    assert ring.shop.rows(GUARDS) == [(f"looked_up_by_{ring.keyset(EMAIL).primary:08x}",)]


@pytest.mark.parametrize("stage", [Stage.PREPARE, Stage.FILL, Stage.SWAP, Stage.SETTLE])
def test_a_swap_to_an_exposed_version_is_given_up(ring: Ring, stage: Stage) -> None:
    """Its shadows go, or what follows on it is done: another swap takes all columns to a new version."""
    before, shape = [ring.opened(one) for one in BOTH], ring.shop.rows(INDEXES)
    with pytest.raises(Killed):
        ring.rotate(*BOTH, reencrypt=True, tell=killing(lambda progress: progress.stage is stage))
    exposed = ring.all_ids(EMAIL)
    ring.rotate(*BOTH, reencrypt=True, exposed=exposed, finish=partial(given_up, exposed=exposed))
    keyset = ring.keyset(EMAIL)
    assert len(exposed) == 2
    assert keyset.primary not in exposed
    assert [ring.sealed_by(one) for one in BOTH] == [{keyset.primary}] * 2
    assert [ring.opened(one) for one in BOTH] == before
    assert ring.shop.rows(INDEXES) == shape
    assert ring.shop.rows(OURS) == []
    assert ring.shop.rows(GUARDS) == [(f"looked_up_by_{keyset.primary:08x}",)]


@pytest.mark.parametrize(
    "offset", [0, pytest.param(1, marks=pytest.mark.full), pytest.param(2, marks=pytest.mark.full)]
)
def test_a_swap_killed_at_any_statement_goes_on(ring: Ring, offset: int) -> None:
    """The same, wherever it dies."""
    before = [ring.opened(one) for one in BOTH]
    for statements in range(offset, 2000, 9):
        mortal = mortal_connection(ring.shop, statements)
        try:
            ring.rotate_on(mortal, BOTH, reencrypt=True)
        except (Killed, psycopg.OperationalError):
            assert [ring.sealed_by(one) for one in BOTH] == [{ring.keyset(EMAIL).primary}] * 2
        else:
            break
        finally:
            mortal.close()
    assert [ring.opened(one) for one in BOTH] == before
    assert len(ring.keyset(EMAIL).versions) == 2
    assert ring.shop.rows(OURS) == []
    assert ring.shop.rows(GUARDS) == [(f"looked_up_by_{ring.keyset(EMAIL).primary:08x}",)]
