"""changeover/rotation.py: a column's key is rotated, with writers at work, killed at any point."""

import threading
from typing import Any

import psycopg
import pytest
from tests.changeover.killing import Killed, killing, mortal_connection
from tests.changeover.ring import NOW, Ring
from tests.changeover.shop import HASTY, IBAN, STYLE, Shop

from strongroom.changeover import checks
from strongroom.changeover.database import Database
from strongroom.changeover.model import Stage
from strongroom.errors import ChangeoverBusy, ChangeoverRefused, ColumnNotProtected, KeysChanged
from strongroom.keys.model import KeyState
from strongroom.keys.rotation import next_version
from strongroom.protect.plan import TEXT_FORMAT, Sent

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
