"""What a refused login means."""

import pytest

from strongroom.session.upstream_refusal import login_refusal


@pytest.mark.parametrize("sqlstate", ["53300", "53400", "57P01", "57P03", "42704", "22023"])
def test_what_is_temporary_or_the_clients_own_passes(sqlstate: str) -> None:
    """A driver sees the SQLSTATE by which it decides to try again, or to mend its start-up parameters."""
    assert login_refusal(sqlstate).sqlstate == sqlstate


@pytest.mark.parametrize("sqlstate", ["28P01", "28000", "3D000", "42501", "XX000", "0A000"])
def test_what_is_between_us_and_the_database_does_not_pass(sqlstate: str) -> None:
    """The client's own password was right; the gateway's was not, and the operator reads which."""
    error = login_refusal(sqlstate)
    assert (error.sqlstate, error.upstream_sqlstate) == ("08004", sqlstate)
    assert sqlstate in error.message
    assert error.hint


@pytest.mark.parametrize("sqlstate", ["", "28P0", "28P011", "28p01", "5730\n", "secret"])
def test_what_is_no_sqlstate_is_not_repeated(sqlstate: str) -> None:
    """The database's octets reach neither message nor attribute unchecked."""
    error = login_refusal(sqlstate)
    assert (error.sqlstate, error.upstream_sqlstate) == ("08004", "?????")
    assert "secret" not in error.message
