"""keys/imports.py: key pairs that wait for a key, and the version that comes of it."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.protect.samples import keyset_for, scheme

from strongroom.config import StateAddress
from strongroom.errors import KeyImportRefused, WrongKek
from strongroom.keys.imported import ImportToken
from strongroom.keys.imports import Imports, with_imported
from strongroom.keys.kek import Keks, database_of, new_kek
from strongroom.keys.model import ExportCapability, KeyState
from strongroom.keys.rotation import promoted, waiting
from strongroom.state import State, open_state

NOW = datetime(2026, 1, 1, tzinfo=UTC)
KEYSET = keyset_for(scheme("text", encryption="randomized"))
KEKS = Keks.of([new_kek(database_of(KEYSET.name), NOW)])


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """An empty state."""
    state = open_state(StateAddress(path=tmp_path / "state.db"))
    yield state
    state.close()


@pytest.fixture(scope="module")
def token() -> ImportToken:
    """Made once, since that takes a second."""
    return ImportToken.make(NOW)


def test_a_token_is_kept_until_the_key_has_come(state: State, token: ImportToken) -> None:
    """Wrapped; the same public key comes back."""
    imports = Imports(state.engine, KEKS)
    imports.begin(KEYSET.name, token)
    assert imports.pending(KEYSET.name) == token
    assert imports.pending(KEYSET.name).public == token.public
    with state.engine.begin() as connection:
        kept = connection.execute(text("SELECT wrapped FROM key_imports")).scalar_one()
    assert token.danger_private() not in kept
    imports.done(KEYSET.name)
    with pytest.raises(KeyImportRefused, match="has begun"):
        imports.pending(KEYSET.name)


def test_a_second_token_takes_the_place_of_the_first(state: State, token: ImportToken) -> None:
    """Of two public keys in circulation, one counts."""
    imports = Imports(state.engine, KEKS)
    imports.begin(KEYSET.name, ImportToken("a", NOW + timedelta(hours=1), token._private))
    imports.begin(KEYSET.name, token)
    assert imports.pending(KEYSET.name).identifier == token.identifier


OTHER = f"{database_of(KEYSET.name)}/public.other.column"


@pytest.mark.parametrize(
    ("column", "value"),
    [("expires", "2030-01-01 00:00:00.000000"), ("identifier", "b"), ("keyset", OTHER)],
)
def test_a_changed_row_opens_nothing(state: State, token: ImportToken, column: str, value: str) -> None:
    """Nobody gives an import more time, or another keyset, in the file of the state."""
    imports = Imports(state.engine, KEKS)
    imports.begin(KEYSET.name, token)
    with state.engine.begin() as connection:
        connection.execute(text(f"UPDATE key_imports SET {column} = :value"), {"value": value})
    with pytest.raises(WrongKek):
        imports.pending(OTHER if column == "keyset" else KEYSET.name)


def test_what_came_waits_to_be_used() -> None:
    """Pre-active, with its very material; the version before goes on sealing."""
    material = os.urandom(32)
    keyset = with_imported(KEYSET, material, NOW)
    newest = keyset.versions[-1]
    assert waiting(keyset) is newest
    assert newest.state is KeyState.PRE_ACTIVE
    assert keyset.primary == KEYSET.primary
    assert newest.dek is not None
    assert newest.dek.danger_material(ExportCapability("a test")) == material
    assert promoted(keyset).primary == newest.key_id


def test_one_waits_at_a_time() -> None:
    """Which is the next would not be clear."""
    keyset = with_imported(KEYSET, os.urandom(32), NOW)
    with pytest.raises(KeyImportRefused, match=r"version 2 .* waits"):
        with_imported(keyset, os.urandom(32), NOW)


def test_a_key_that_is_there_already() -> None:
    """Two versions of one key would each count their uses."""
    material = os.urandom(32)
    keyset = promoted(with_imported(KEYSET, material, NOW))
    with pytest.raises(KeyImportRefused, match="already"):
        with_imported(keyset, material, NOW)


@pytest.mark.parametrize("size", [0, 16, 31, 33, 64])
def test_a_key_of_another_length(size: int) -> None:
    """It fits no cipher of the column."""
    with pytest.raises(KeyImportRefused, match="has 32 octets"):
        with_imported(KEYSET, bytes(size), NOW)
