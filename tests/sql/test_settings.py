"""SET, RESET and set_config."""

import pytest
from tests.sql.world import one

from strongroom.errors import SettingPinned
from strongroom.sql.settings import is_utf8, setting
from strongroom.sql.statement import Barrier


@pytest.mark.parametrize("name", ["UTF8", "utf-8", "Utf_8", "UNICODE"])
def test_utf8_has_many_names(name: str) -> None:
    """PostgreSQL takes these for UTF-8."""
    assert is_utf8(name)


@pytest.mark.parametrize("name", ["latin1", "SQL_ASCII", "", "utf16"])
def test_other_encodings(name: str) -> None:
    """And these not."""
    assert not is_utf8(name)


@pytest.mark.parametrize(
    ("text", "barrier"),
    [
        ("set search_path to a, b", Barrier.SEARCH_PATH),
        ("set local search_path = default", Barrier.SEARCH_PATH),
        ("reset search_path", Barrier.SEARCH_PATH),
        ("set role x", Barrier.ROLE),
        ("reset role", Barrier.ROLE),
        ("set session authorization default", Barrier.ROLE),
        ("reset all", Barrier.SEARCH_PATH | Barrier.ROLE | Barrier.STYLE),
        ("select set_config('search_path', $1, false)", Barrier.SEARCH_PATH),
        ("select set_config('role'::text, 'x', true)", Barrier.ROLE),
        ("set timezone to 'utc'", Barrier.STYLE),
        ("set strongroom.role = 'dba: why'", Barrier.STYLE),
        ("reset strongroom.role", Barrier.STYLE),
        ("set lock_timeout to '1s'", Barrier.NONE),
        ("set transaction isolation level serializable", Barrier.NONE),
        ("set standard_conforming_strings = true", Barrier.NONE),
        ("set bytea_output to hex", Barrier.NONE),
        ("reset client_encoding", Barrier.NONE),
        ("show search_path", Barrier.NONE),
    ],
)
def test_barriers(text: str, barrier: Barrier) -> None:
    """A change of what names mean is a barrier; other settings are not."""
    assert one(text).barriers == barrier


@pytest.mark.parametrize(
    "text",
    [
        "set standard_conforming_strings = 0",
        "set client_encoding = 'LATIN1'",
        "set names 'win1252'",
        "set bytea_output = escape",
        "select set_config('bytea_output', lower($1), false)",
        "select set_config(lower('x'), 'x', true)",
        "select set_config('Strongroom.Role', 'dba: why', true)",
        "with x as (select set_config('client_encoding', 'latin1', true)) select * from x",
    ],
)
def test_pinned(text: str) -> None:
    """A pinned setting keeps its value, and a name or value that is computed is not trusted."""
    with pytest.raises(SettingPinned):
        one(text)


def test_reset_gives_back_what_was_pinned() -> None:
    """A value of None, which is RESET and DEFAULT, is that of the start."""
    assert setting("bytea_output", None) is Barrier.NONE


@pytest.mark.parametrize(
    ("text", "assumes"),
    [
        ("set strongroom.role = 'dba: why'", "dba: why"),
        ("set local Strongroom.ROLE to dba", "dba"),
        ("set strongroom.role = ''", None),
        ("set strongroom.role to default", None),
        ("reset strongroom.role", None),
        ("set role dba", None),
        ("set strongroom.tenant = 'dba: why'", None),
    ],
)
def test_a_role_of_ours(text: str, assumes: str | None) -> None:
    """What SET strongroom.role says."""
    assert one(text).assumes == assumes
