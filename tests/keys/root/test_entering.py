"""keys/root/entering.py: what people are asked for, once, and what is kept of it."""

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from strongroom.config.roots import PassphraseAddress
from strongroom.config.shamir_address import ShamirAddress
from strongroom.errors import PassphraseNeeded, RootUnreachable
from strongroom.keys.root.entering import Entered
from strongroom.keys.root.shamir import ShamirRoot
from strongroom.secret import Secret

ASKED, SHARES = PassphraseAddress(None), ShamirAddress(None)


@contextmanager
def keyboard(monkeypatch: pytest.MonkeyPatch, lines: Iterable[str]) -> Iterator[None]:
    """A terminal at which these lines are entered, and Ctrl-D after them."""
    controller, terminal = os.openpty()
    with os.fdopen(controller, "w"), os.fdopen(terminal) as stdin:
        waiting = iter(lines)
        monkeypatch.setattr("sys.stdin", stdin)
        monkeypatch.setattr("getpass.getpass", lambda _: _next(waiting))
        yield


def _next(waiting: Iterator[str]) -> str:
    try:
        return next(waiting)
    except StopIteration:
        raise EOFError from None


def test_without_a_terminal_nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service says what to write, and goes on for now: a second root may be there."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    entered = Entered.ask([ASKED, SHARES])
    with pytest.raises(PassphraseNeeded, match="no terminal"):
        entered.passphrase(ASKED)
    with pytest.raises(RootUnreachable, match="no terminal"):
        entered.root_of_shares(SHARES)


def test_what_was_entered_is_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the same however often a root is opened, and does not print."""
    root, shares = ShamirRoot.make(count=2, threshold=2)
    with keyboard(monkeypatch, ["correct horse", *(share.danger_text() for share in shares)]):
        entered = Entered.ask([ASKED, SHARES])
        for _ in range(2):
            assert entered.passphrase(ASKED).danger_reveal() == "correct horse"
            assert entered.root_of_shares(SHARES).name == root.name
    assert repr(entered) == "<Entered>"


def test_who_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-D."""
    with keyboard(monkeypatch, []):
        entered = Entered.ask([ASKED, SHARES])
    with pytest.raises(PassphraseNeeded, match="not entered"):
        entered.passphrase(ASKED)
    with pytest.raises(RootUnreachable, match="not entered"):
        entered.root_of_shares(SHARES)


def test_a_mistyped_share_is_told_and_asked_for_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others need not be entered anew."""
    root, (one, other) = ShamirRoot.make(count=2, threshold=2)
    with keyboard(monkeypatch, [one.danger_text(), other.danger_text()[:-2], other.danger_text()]):
        assert Entered.ask([SHARES]).root_of_shares(SHARES).name == root.name
    assert "too short" in capsys.readouterr().err


def test_another_address_was_not_entered() -> None:
    """A reload that brings it asks nobody."""
    with pytest.raises(PassphraseNeeded, match="nobody is asked now"):
        Entered().passphrase(ASKED)
    with pytest.raises(RootUnreachable, match="nobody is asked now"):
        Entered().root_of_shares(ShamirAddress(7))


def test_a_passphrase_of_the_environment_is_not_asked_for() -> None:
    """It is in the address."""
    address = PassphraseAddress(Secret("correct horse"))
    assert Entered.ask([address]).passphrase(address) is address.passphrase
