"""Playbooks: a conversation with a session written down, what happens and what must follow, in order.

    (
        Playbook(Session(rules, entropy))
        .when(ev.Accepted(tls=False, peer=Peer()))
        .when(ev.ClientData(startup)).then(do.LookUpAccount("app"))
        .when(ev.AccountKnown(None)).then(Tells("R"))
    )

``when`` feeds an event; ``then`` says which effects it has, all of them and in order; where it is left out
there must be none. An effect is written as itself, or as a matcher (`Tells`, `Fails`) where its octets would
say nothing to the reader. No socket, no clock: any order of events can be written down.
"""

from dataclasses import dataclass
from typing import Protocol, Self

from strongroom.session import effects as do
from strongroom.session import events as ev
from strongroom.wire.postgres.codec import HEADER, Framer
from strongroom.wire.postgres.messages import ErrorResponse


class Conversing(Protocol):
    """What a playbook can drive."""

    def handle(self, event: ev.Event) -> list[do.Effect]:
        """Take an event, return what is to be done."""


class Matcher(Protocol):
    """Stands for effects of a kind; its ``repr`` says which."""

    def matches(self, effect: do.Effect) -> bool:
        """Whether the effect is of that kind."""


@dataclass(frozen=True, slots=True)
class Tells:
    """Messages to the client, by their types: ``Tells("SSKZ")``."""

    tags: str

    def matches(self, effect: do.Effect) -> bool:
        """Whether it sends these messages, whole."""
        return isinstance(effect, do.SendClient) and _tags(effect.data) == self.tags


@dataclass(frozen=True, slots=True)
class Asks:
    """Messages to the database, by their types."""

    tags: str

    def matches(self, effect: do.Effect) -> bool:
        """Whether it sends these messages, whole."""
        return isinstance(effect, do.SendUpstream) and _tags(effect.data) == self.tags


@dataclass(frozen=True, slots=True)
class Logs:
    """A line in the log, and the code in it."""

    event: str
    code: str = ""

    def matches(self, effect: do.Effect) -> bool:
        """Whether it logs that."""
        return (
            isinstance(effect, do.Log)
            and effect.event == self.event
            and effect.fields.get("code", "") == self.code
        )


@dataclass(frozen=True, slots=True)
class Fails:
    """A FATAL error to the client: our ``code`` and its SQLSTATE."""

    code: str
    sqlstate: str

    def matches(self, effect: do.Effect) -> bool:
        """Whether it is that error, and nothing but it."""
        if not isinstance(effect, do.SendClient) or _tags(effect.data) != "E":
            return False
        fields = ErrorResponse.parse(effect.data[HEADER:]).fields
        return (
            fields["V"] == "FATAL" and fields["C"] == self.sqlstate and fields["M"].endswith(f"[{self.code}]")
        )


Expected = do.Effect | Matcher


def ends(code: str, sqlstate: str) -> tuple[Expected, ...]:
    """The effects with which a session ends by an error of ours."""
    return Fails(code, sqlstate), Logs("session failed", code), do.Close()


class Playbook:
    """One conversation; raises ``AssertionError`` at the first step that goes otherwise."""

    def __init__(self, session: Conversing) -> None:
        self.session = session
        self._due: list[do.Effect] = []
        self._step = "the beginning"

    def when(self, event: ev.Event) -> Self:
        """The event happens; what the one before it caused must have been said by ``then``."""
        self.over()
        self._step = type(event).__name__
        self._due = self.session.handle(event)
        return self

    def client(self, data: bytes) -> Self:
        """The client sends octets."""
        return self.when(ev.ClientData(data))

    def upstream(self, data: bytes) -> Self:
        """The database sends octets."""
        return self.when(ev.UpstreamData(data))

    def then(self, *expected: Expected) -> Self:
        """These effects follow, in this order, and no others."""
        came, self._due = self._due, []
        agree = len(came) == len(expected) and all(
            _same(effect, wanted) for effect, wanted in zip(came, expected, strict=True)
        )
        if not agree:
            raise AssertionError(
                f"after {self._step}\n  expected {_list(expected)}\n  came     {_list(came)}"
            )
        return self

    def over(self) -> Self:
        """Nothing follows that was not said."""
        if self._due:
            raise AssertionError(f"after {self._step} nothing was expected\n  came     {_list(self._due)}")
        return self


def _same(effect: do.Effect, expected: Expected) -> bool:
    if isinstance(expected, Tells | Asks | Logs | Fails):
        return expected.matches(effect)
    return effect == expected


def _tags(data: bytes) -> str:
    framer = Framer(1 << 30)
    _, spans = framer.feed(data)
    return "".join(chr(tag) for tag, _, _ in spans) + ("…" if framer.held else "")


def _list(effects: object) -> str:
    assert isinstance(effects, list | tuple)
    return "\n           ".join(_shown(effect) for effect in effects) or "nothing"


def _shown(effect: object) -> str:
    if isinstance(effect, do.SendClient | do.SendUpstream) and len(effect.data) > 0:
        return f"{effect!r} ({_tags(effect.data)})"
    return repr(effect)
