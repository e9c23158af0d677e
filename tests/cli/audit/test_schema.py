"""``strongroom audit schema``."""

import json

import pytest

from strongroom.audit.records.schema import schema
from strongroom.cli import main


def test_it_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    """For people who feed the log to something else."""
    with pytest.raises(SystemExit) as exited:
        main(["audit", "schema"])
    assert not exited.value.code
    assert json.loads(capsys.readouterr().out) == schema()
