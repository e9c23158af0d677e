"""``temporary`` and ``break_glass`` of a role: who may have it for a time, and who must agree.

Those who are named are people, or ``group:NAME`` for the people of a group: a program shows no second factor,
and whoever knows its password could otherwise agree to what they get themselves. ``roles`` hangs these on a
role, `offers_fit` holds them against the people, ``access`` makes an `Offer` of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field, PlainValidator

from strongroom.config.role_values import parse_duration, parse_name
from strongroom.config.values import expect_text, invalid
from strongroom.policy.offers import Offer

GROUP = "group:"
LONGEST = timedelta(days=90)
LONGEST_OF_GLASS = timedelta(days=1)
APPROVALS_AT_MOST = 5


def _parse_who(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise invalid("must be a list of people", instead="write names under people, or group:NAME")
    return tuple(_who(expect_text(one, "a name")) for one in value)


def _who(name: str) -> str:
    return GROUP + parse_name(name.removeprefix(GROUP)) if name.startswith(GROUP) else name


def _parse_longest(value: object) -> timedelta:
    return _no_longer_than(LONGEST, parse_duration(value))


def _parse_longest_of_glass(value: object) -> timedelta:
    return _no_longer_than(LONGEST_OF_GLASS, parse_duration(value))


def _no_longer_than(most: timedelta, found: timedelta) -> timedelta:
    if found > most:
        raise invalid(f"is longer than {most.days} d", instead="give what is needed always under people")
    return found


Who = Annotated[tuple[str, ...], PlainValidator(_parse_who)]


class Temporary(BaseModel):
    """Who may be given a role for a time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: Who
    by: Who
    longest: Annotated[timedelta, PlainValidator(_parse_longest)]
    approvals: int = Field(default=1, ge=1, le=APPROVALS_AT_MOST)
    """So many of ``by`` must agree, whoever gets the role not among them."""


class BreakGlass(BaseModel):
    """Who may take a role at once, with the alarm."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    to: Who
    longest: Annotated[timedelta, PlainValidator(_parse_longest_of_glass)]


class _Offering(Protocol):
    @property
    def temporary(self) -> Temporary | None: ...
    @property
    def break_glass(self) -> BreakGlass | None: ...


class _Settings(Protocol):
    @property
    def roles(self) -> Mapping[str, Any]: ...
    @property
    def people(self) -> Mapping[str, Any]: ...
    @property
    def groups(self) -> Mapping[str, Sequence[str]]: ...


def offers_fit(settings: _Settings) -> None:
    """Raises ``invalid`` for who is not there, and where nobody could agree but whoever gets the role."""
    for name, role in settings.roles.items():
        for place, who in _named(role):
            for one in who:
                if one.startswith(GROUP) and one.removeprefix(GROUP) not in settings.groups:
                    raise invalid(f"roles.{name}.{place} names {one}, which is not under groups")
                if not one.startswith(GROUP) and one not in settings.people:
                    raise invalid(f"roles.{name}.{place} names {one}, which is not under people")
        if role.temporary is not None:
            _enough_agree(name, temporary_offer(role.temporary, settings))


def _named(role: _Offering) -> Iterator[tuple[str, tuple[str, ...]]]:
    if role.temporary is not None:
        yield "temporary.to", role.temporary.to
        yield "temporary.by", role.temporary.by
    if role.break_glass is not None:
        yield "break_glass.to", role.break_glass.to


def _enough_agree(name: str, offer: Offer) -> None:
    fewest = min((len(offer.by - {one}) for one in offer.to), default=len(offer.by))
    if fewest < offer.approvals:
        raise invalid(
            f"roles.{name}.temporary needs {offer.approvals} to agree, and somebody under to: has only"
            f" {fewest} in by: besides themselves",
            instead="name more people in by:",
        )


def temporary_offer(written: Temporary, settings: _Settings) -> Offer:
    """With the people of each group."""
    to, by = _people(written.to, settings), _people(written.by, settings)
    return Offer(to, written.longest, by, written.approvals)


def glass_offer(written: BreakGlass, settings: _Settings) -> Offer:
    """Nobody need agree."""
    return Offer(_people(written.to, settings), written.longest)


def _people(who: Sequence[str], settings: _Settings) -> frozenset[str]:
    groups = {one.removeprefix(GROUP) for one in who if one.startswith(GROUP)}
    of_groups = {name for name, person in settings.people.items() if groups & set(person.groups)}
    return frozenset(one for one in who if one in settings.people) | of_groups
