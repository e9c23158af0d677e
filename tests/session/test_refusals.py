"""session/refusals.py: errors of ours as a client sees them."""

from strongroom.errors import MessageTooLarge
from strongroom.session.refusals import no_such_message, to_wire


def test_our_error_says_who_and_why() -> None:
    """An error of ours carries code, SQLSTATE and hint, and says that it is ours."""
    fields = to_wire(MessageTooLarge("too long", hint="send less"), "FATAL").fields
    assert fields["S"] == fields["V"] == "FATAL"
    assert fields["C"] == MessageTooLarge.sqlstate
    assert fields["M"] == "strongroom: too long [message-too-large]"
    assert fields["H"] == "send less"


def test_a_type_that_does_not_exist_is_named() -> None:
    """And the client is told what to do."""
    fields = to_wire(no_such_message(0), "FATAL").fields
    assert fields["C"] == "0A000"
    assert "'\\x00'" in fields["M"]
    assert fields["H"]
