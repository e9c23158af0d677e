"""keys/beside.py: whether configuration, state and database agree, and the copy in the database."""

from dataclasses import replace

import psycopg
import pytest
from tests.protect.samples import CREATED, keyset_for, scheme

from strongroom.errors import InvalidScheme, KeysetMismatch, KeysetMissing, KeysetOrphaned
from strongroom.keys import beside
from strongroom.keys.beside import Agreement, agree
from strongroom.keys.model import Dek, Keyset, KeyState, KeyVersion

A, B = scheme("text"), scheme("integer", column="public.t.d")
KEYS_A, KEYS_B = keyset_for(A), keyset_for(B)


def newer(keyset: Keyset) -> Keyset:
    """The keyset after one more key."""
    dek = Dek(bytes(keyset.algorithm.key_size), keyset.algorithm, 9)
    return keyset.with_key(KeyVersion(9, KeyState.ACTIVE, CREATED, dek))


def by_name(*keysets: Keyset) -> dict[str, Keyset]:
    return {keyset.name: keyset for keyset in keysets}


def test_what_never_was_is_made() -> None:
    """Nothing anywhere: a keyset for each, one for columns that share it."""
    shared = scheme("text", column="public.t.e", key="public.t.c")
    assert agree([A, B, shared], {}, {}, {}) == Agreement((), (A, B), ())


def test_where_all_agree_nothing_is_done() -> None:
    """The same keysets in both places, and the ids that columns name are theirs."""
    both = by_name(KEYS_A, KEYS_B)
    assert agree([A, B], both, both, {"public.t.c": [KEYS_A.primary]}) == Agreement((), (), ())


def test_a_state_that_was_lost_is_taken_over_from_beside_the_data() -> None:
    """No new key is made over old data."""
    assert agree([A], {}, by_name(KEYS_A), {"public.t.c": [KEYS_A.primary]}) == Agreement((KEYS_A,), (), ())


def test_a_copy_that_is_missing_is_made() -> None:
    """After a crash between making and publishing, or from a dump without our schema."""
    assert agree([A], by_name(KEYS_A), {}, {}) == Agreement((), (), (KEYS_A,))


def test_the_newer_copy_wins() -> None:
    """In either direction."""
    new = newer(KEYS_A)
    assert agree([A], by_name(KEYS_A), by_name(new), {}) == Agreement((new,), (), ())
    assert agree([A], by_name(new), by_name(KEYS_A), {}) == Agreement((), (), (new,))


def test_two_keysets_of_one_name_are_refused() -> None:
    """This state belongs to another database."""
    with pytest.raises(KeysetMismatch):
        agree([A], by_name(KEYS_A), by_name(keyset_for(A, 77)), {})
    with pytest.raises(KeysetMismatch):
        agree([A], by_name(KEYS_A), by_name(replace(KEYS_A, context=B.context)), {})


def test_a_keyset_without_a_column_is_refused() -> None:
    """Wherever it is: deleting a line of configuration does not end protection."""
    for state, copies in (({}, by_name(KEYS_B)), (by_name(KEYS_B), {}), (by_name(KEYS_B), by_name(KEYS_B))):
        with pytest.raises(KeysetOrphaned, match=r"public\.t\.d"):
            agree([A], state, copies, {})
    with pytest.raises(KeysetOrphaned):
        agree([], by_name(KEYS_A), {}, {})


def test_sealed_values_without_their_keys_are_refused() -> None:
    """No keyset at all, or one without the key that the column names."""
    with pytest.raises(KeysetMissing):
        agree([A], {}, {}, {"public.t.c": [5]})
    with pytest.raises(KeysetMissing, match="00000005"):
        agree([A], by_name(KEYS_A), by_name(KEYS_A), {"public.t.c": [KEYS_A.primary, 5]})


@pytest.mark.parametrize(
    "changed", [scheme("integer"), scheme("text", "deterministic"), scheme("text", pad=8)]
)
def test_a_changed_line_of_configuration_is_refused(changed: object) -> None:
    """Type, encryption and padding are the keyset's."""
    with pytest.raises(KeysetMismatch):
        agree([changed], by_name(KEYS_A), by_name(KEYS_A), {})  # type: ignore[list-item]  # schemes


def test_columns_that_share_a_key_are_of_one_kind() -> None:
    """Else their values could not be compared."""
    with pytest.raises(InvalidScheme):
        agree([A, scheme("integer", column="public.t.e", key="public.t.c")], {}, {}, {})


def test_the_tables_keep_the_newest_copy(embedded: psycopg.Connection) -> None:
    """The statements run on a real server, twice; an older revision does not replace a newer one."""
    for _ in range(2):
        embedded.execute(beside.CREATE_TABLES)
    assert embedded.execute(beside.TABLES).fetchall() == [(True,), (True,)]

    def write(revision: int, wrapped: bytes, wraps: str = "{}") -> None:
        with psycopg.RawCursor(embedded) as cursor:
            row = ["shop/c", revision, [1, 2**32 - 1], wrapped, "kek shop", wraps]
            cursor.execute(beside.WRITE_KEYSET, row)
            cursor.execute(beside.WRITE_COLUMN, ["public.t.c", "shop/c"])

    with psycopg.RawCursor(embedded) as cursor:
        cursor.execute(beside.WRITE_KEK, ["kek shop", 1, "{}"])
    write(2, b"two")
    write(1, b"one")
    assert embedded.execute(beside.READ_KEYSETS).fetchall() == [("shop/c", 2, b"two")]
    write(3, b"three")
    assert embedded.execute(beside.READ_KEYSETS).fetchall() == [("shop/c", 3, b"three")]
    assert embedded.execute(beside.READ_COLUMNS).fetchall() == [("public.t.c", "shop/c")]
    write(4, b"four", '{"a root": "of a KEK that is there no more"}')
    assert embedded.execute(beside.READ_KEYSETS).fetchall() == [("shop/c", 3, b"three")]
