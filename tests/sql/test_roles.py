"""The gateway's own logins are out of clients' reach."""

from dataclasses import replace

import pytest
from tests.sql.world import CONTEXT

from strongroom.errors import DefinitionRefused
from strongroom.sql.resolve import analyse

OURS = replace(CONTEXT, logins=frozenset({"shop"}))


@pytest.mark.parametrize(
    "text",
    [
        "ALTER USER shop PASSWORD 'SCRAM-SHA-256$4096:c2FsdA==$a2V5:a2V5'",  # psql's \\password
        "ALTER ROLE shop WITH PASSWORD NULL",
        "alter role shop nologin",
        "alter role shop connection limit 0",
        "alter role shop valid until 'yesterday'",
        "alter role current_user password 'x'",
        "alter role session_user password 'x'",
        "alter role shop rename to other",
    ],
)
def test_a_login_is_not_changed(text: str) -> None:
    """Every session of the gateway's depends on it."""
    with pytest.raises(DefinitionRefused, match="logs in"):
        analyse(text, (), OURS)


@pytest.mark.parametrize(
    "text",
    [
        "alter role shop set search_path = public",
        "alter role shop createdb",
        "alter role other password 'x'",
        "alter role other rename to another",
        "alter table plain rename to shop",
        "create role another login password 'x'",
    ],
)
def test_other_changes_of_roles_pass(text: str) -> None:
    """What does not keep the gateway out is the database's affair."""
    assert analyse(text, (), OURS).pieces == (text,)
