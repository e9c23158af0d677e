"""Who runs a command."""

import os
import pwd
from pathlib import Path

import pytest

from strongroom.audit.records.shared import Holder
from strongroom.deeds.whose import administrator, name_of, running_as

ME = pwd.getpwuid(os.getuid()).pw_name
SOMEBODY = next(one for one in pwd.getpwall() if one.pw_uid != os.getuid())


@pytest.mark.parametrize(
    ("content", "name"),
    [
        pytest.param(f"{SOMEBODY.pw_uid}\n", name_of(SOMEBODY.pw_uid), id="who logged in, through sudo"),
        pytest.param("4294967295", ME, id="nobody logged in"),
        pytest.param("", ME, id="a kernel that does not say"),
        pytest.param("4000000001", "user 4000000001", id="a user without a name"),
    ],
)
def test_who(tmp_path: Path, content: str, name: str) -> None:
    """Whoever logged in, else the process's user."""
    file = tmp_path / "loginuid"
    file.write_text(content)
    found = administrator(file)
    assert (found.name, found.kind) == (name, Holder.ADMINISTRATOR)


def test_a_machine_without_it(tmp_path: Path) -> None:
    """The process's user."""
    assert administrator(tmp_path / "none").name == ME == running_as()
