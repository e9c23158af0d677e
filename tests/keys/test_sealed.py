"""The list of columns that hold sealed values: nobody but unprotect takes one off it."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from strongroom.config.values import parse_state
from strongroom.keys.sealed import SealedColumns
from strongroom.state import open_state

EMAIL, IBAN = "public.customers.email", "public.customers.iban"


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """A state of its own."""
    (tmp_path / "state").mkdir(mode=0o700)
    return open_state(parse_state("sqlite:state/state.db", tmp_path)).engine


def test_what_was_sealed_is_remembered(engine: Engine) -> None:
    """By database, by whoever opens the state next; twice is once."""
    sealed = SealedColumns(engine)
    assert sealed.of("shop") == frozenset()
    sealed.add("shop", frozenset({EMAIL, IBAN}))
    sealed.add("shop", frozenset({EMAIL}))
    sealed.add("shop", frozenset())
    assert SealedColumns(engine).of("shop") == {EMAIL, IBAN}
    assert sealed.of("other") == frozenset()


def test_unprotect_releases(engine: Engine) -> None:
    """One column of one database; what it was is remembered, too."""
    sealed = SealedColumns(engine)
    for database in ("shop", "other"):
        sealed.add(database, frozenset({EMAIL, IBAN}))
    sealed.release("shop", frozenset({EMAIL}))
    assert sealed.of("shop") == {IBAN}
    assert sealed.released("shop") == {EMAIL}
    assert sealed.of("other") == {EMAIL, IBAN}
    assert sealed.released("other") == frozenset()


def test_protect_takes_it_back(engine: Engine) -> None:
    """A released column that is sealed again counts again."""
    sealed = SealedColumns(engine)
    sealed.add("shop", frozenset({EMAIL}))
    sealed.release("shop", frozenset({EMAIL}))
    sealed.add("shop", frozenset({EMAIL}))
    assert sealed.of("shop") == {EMAIL}
    assert sealed.released("shop") == frozenset()


def test_what_was_never_sealed_is_not_released(engine: Engine) -> None:
    """To release it leaves no trace that could be taken for one."""
    sealed = SealedColumns(engine)
    sealed.release("shop", frozenset({EMAIL}))
    assert sealed.released("shop") == frozenset()
