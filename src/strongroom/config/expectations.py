"""A file of who, what and expected, for ``strongroom policy test``: parsed as strictly as the configuration.

Each expectation is one access in the words of the configuration, such as ``show public.customers.email``,
with what is to come of it: yes, no, ``reveal``, or ``{mask: email}``.
"""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError

from strongroom.config.problems import invalid_configuration
from strongroom.config.role_values import (
    parse_column_pattern,
    parse_duration,
    parse_pattern,
    parse_show,
    parse_yes,
    parse_zone,
)
from strongroom.config.source import read_source
from strongroom.config.values import expect_text, invalid
from strongroom.errors import InvalidConfiguration
from strongroom.policy.model import TABLE_ACTIONS, Access, Action, Circumstances, Mask, Resource
from strongroom.policy.pattern import Pattern
from strongroom.policy.roles import REVEAL

__all__ = ["Case", "Expectation", "Moment", "Question", "load_expectations", "parse_moment"]


@dataclass(frozen=True, slots=True)
class Question:
    """One access, but for the database."""

    text: str
    action: Action
    pattern: Pattern

    def access(self, database: str) -> Access:
        """The access in this database."""
        schema, name, *column = (part[0] for part in self.pattern.parts)
        if self.action is Action.CALL:
            return Access(self.action, Resource(database, schema, function=name))
        return Access(self.action, Resource(database, schema, name, column[0] if column else None))


@dataclass(frozen=True, slots=True)
class Expectation:
    """What is to come of it: None that it is denied, else a mask; `REVEAL` also for what is no showing."""

    show: Mask | None

    def words(self, action: Action) -> str:
        """As it is written: a showing is revealed, what is no showing is done or not."""
        if self.show is None:
            return "no"
        if self.show == REVEAL:
            return "reveal" if action is Action.MASK else "yes"
        return f"mask {self.show}"


_COLUMN_WORDS = {
    "show": Action.MASK,
    "reveal": Action.REVEAL,
    "filter": Action.FILTER,
    "write": Action.WRITE,
}


def _question(value: object) -> Question:
    text = expect_text(value, "an action and a name")
    word, _, name = text.partition(" ")
    if word in _COLUMN_WORDS:
        question = Question(text, _COLUMN_WORDS[word], parse_column_pattern(name))
    elif word in (*TABLE_ACTIONS, Action.CALL):
        question = Question(text, Action(word), parse_pattern(name))
    else:
        known = (*_COLUMN_WORDS, *TABLE_ACTIONS, Action.CALL)
        raise invalid("begins with no action", instead=f"choose from {', '.join(known)}")
    if not question.pattern.is_exact:
        raise invalid("is about more than one name", instead="write one name in full")
    return question


def _expectation(value: object) -> Expectation:
    if isinstance(value, bool):
        return Expectation(REVEAL if value else None)
    return Expectation(parse_show(value))


def _moment(value: object) -> datetime:
    found = re.fullmatch(r"(\d{4}-\d\d-\d\d \d\d:\d\d) (\S+)", expect_text(value, "a moment"), re.ASCII)
    zone: ZoneInfo | None = parse_zone(found[2]) if found else None
    try:
        return datetime.strptime(found[1] if found else "", "%Y-%m-%d %H:%M").replace(tzinfo=zone)
    except ValueError:
        raise invalid("is not a moment", instead="write 2026-11-23 10:00 Europe/Berlin") from None


def _address(value: object) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        return ipaddress.ip_address(expect_text(value, "an address"))
    except ValueError:
        raise invalid("is not an address", instead="write 192.0.2.7 or 2001:db8::7") from None


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Moment(_Frozen):
    """The circumstances of a case; what is left out is not known."""

    at: Annotated[datetime | None, PlainValidator(_moment)] = None
    address: Annotated[ipaddress.IPv4Address | ipaddress.IPv6Address | None, PlainValidator(_address)] = None
    second_factor: Annotated[timedelta | None, PlainValidator(parse_duration)] = None
    """So long ago."""
    application: str | None = None
    certificate: Annotated[bool, PlainValidator(parse_yes)] = False
    tenant: str | None = None
    assumed: str | None = None
    """The role that the session has assumed."""

    def circumstances(self, now: datetime) -> Circumstances:
        """As a policy asks for them; ``now`` where no moment is said."""
        return Circumstances(
            self.at or now,
            self.address,
            self.second_factor,
            self.application,
            self.certificate,
            self.tenant,
            assumed=self.assumed,
        )


class Case(_Frozen):
    """One subject under some circumstances, and what is expected."""

    subject: str = Field(alias="as")
    database: str | None = Field(default=None, alias="in")
    """May be left out where there is only one."""
    when: Moment = Field(default_factory=Moment)
    expect: Mapping[
        Annotated[Question, PlainValidator(_question)], Annotated[Expectation, PlainValidator(_expectation)]
    ] = Field(min_length=1)


class _File(_Frozen):
    tests: Sequence[Case] = Field(min_length=1)


def parse_moment(values: Mapping[str, object]) -> Moment:
    """Circumstances that were given by options; raises a ``ConfigError`` that names the first wrong one."""
    try:
        return Moment.model_validate({key: value for key, value in values.items() if value})
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False)[0]
        option = str(wrong["loc"][0]).replace("_", "-")
        raise InvalidConfiguration(
            f"--{option}: {wrong['msg']}", hint=str(wrong.get("ctx", {}).get("instead", ""))
        ) from None


def load_expectations(path: Path) -> Sequence[Case]:
    """The cases of the file; raises a ``ConfigError`` that names file, line, key and remedy."""
    source = read_source(path, {})
    try:
        return _File.model_validate(source.data).tests
    except ValidationError as error:
        raise invalid_configuration(source, error, _File) from None
