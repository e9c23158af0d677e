"""``strongroom policy test``: a file of who, what and expected, for every change of a policy."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_table
from strongroom.config import DEFAULT_FILE, Settings, load_policy
from strongroom.config.expectations import Case, Expectation, load_expectations
from strongroom.errors import InvalidConfiguration
from strongroom.policy.authorizer import Authorizer
from strongroom.policy.model import PERMIT, Access, Circumstances, Decision, Subject
from strongroom.policy.roles import REVEAL

Tests = Annotated[Path, typer.Argument(metavar="FILE", help="Who, what and expected; see the guide.")]


def trial(file: Tests, *, config: Config = DEFAULT_FILE, json: Json = False) -> None:
    """Ask the policy what a file expects of it; the exit status is 1 if any answer is another.

    Example: strongroom policy test tests.yaml --config roles.yaml
    """
    settings, policy = load_policy(config)
    authorizer = Authorizer(policy)
    subjects = {one.name: one for one in policy.subjects}
    cases = enumerate(load_expectations(file), start=1)
    rows = [row for number, case in cases for row in _rows(authorizer, settings, subjects, number, case)]
    print_table(["holds", "test", "as", "access", "expected", "answer", "by"], rows, as_json=json)
    if not all(row["holds"] for row in rows):
        raise typer.Exit(1)


def _rows(
    authorizer: Authorizer, settings: Settings, subjects: Mapping[str, Subject], number: int, case: Case
) -> Iterator[dict[str, object]]:
    subject = subjects.get(case.subject)
    if subject is None:
        raise InvalidConfiguration(f"test {number}: {case.subject} is neither an account nor a person")
    database = _database(settings, number, case)
    circumstances = _circumstances(authorizer, subject, number, case)
    for question, expected in case.expect.items():
        access = question.access(database)
        decision = authorizer.decide(subject, (access,), circumstances)
        answer = _answer(access, decision)
        (reason,) = decision.reasons
        yield {
            "holds": answer == expected,
            "test": number,
            "as": subject.name,
            "access": question.text,
            "expected": expected.words(access.action),
            "answer": answer.words(access.action),
            "by": ", ".join(reason.rules) or reason.remark,
        }


def _answer(access: Access, decision: Decision) -> Expectation:
    if decision.effect is not PERMIT:
        return Expectation(None)
    return Expectation(decision.masks.get(access.resource, REVEAL))


def _database(settings: Settings, number: int, case: Case) -> str:
    database = case.database or (next(iter(settings.databases)) if len(settings.databases) == 1 else "")
    if database not in settings.databases:
        raise InvalidConfiguration(f"test {number}: in: names no database", hint="Say which one is meant.")
    return database


def _circumstances(authorizer: Authorizer, subject: Subject, number: int, case: Case) -> Circumstances:
    """The answer must be the same tomorrow: where it hangs on the hour, the hour is to be said."""
    when = case.when
    grants = authorizer.policy.grants(subject)
    if when.at is None and any(one.hours for grant in grants for one in grant.conditions):
        raise InvalidConfiguration(
            f"test {number}: {subject.name} has a role that counts at some hours, and at: is missing",
            hint="Write when: {at: 2026-11-23 10:00 Europe/Berlin}.",
        )
    return Circumstances(
        when.at or datetime(2000, 1, 1, tzinfo=UTC),
        when.address,
        when.second_factor,
        when.application,
        when.certificate,
        when.tenant,
        when.assumed,
    )
