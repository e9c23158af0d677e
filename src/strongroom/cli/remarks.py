"""Findings: those about a policy, and how `check` and `policy check` print all that they have."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict

from strongroom.cli.output import print_json, print_table
from strongroom.config import Settings
from strongroom.gateway.fitting import look, reviewed
from strongroom.onboarding.finding import Finding, failed, fails, mind
from strongroom.policy.authorizer import Authorizer
from strongroom.policy.review import Remark


def findings(settings: Settings, authorizer: Authorizer, *, live: bool) -> Iterator[Finding]:
    """What is wrong with it by itself, and ``live`` beside the databases that its roles name."""
    yield from _findings(reviewed(settings, authorizer))
    if live:
        looked = asyncio.run(look(settings, authorizer))
        yield from _findings(looked.remarks)
        yield from (failed(f"policy in {name}", error) for name, error in looked.unread.items())


def print_findings(found: Sequence[Finding], *, as_json: bool) -> None:
    """As a table for people, in which the remedy stands under the remark, or as data."""
    if as_json:
        print_json([asdict(one) | {"verdict": one.verdict.value} for one in found])
    else:
        print_table(["verdict", "subject", "remark"], [_row(one) for one in found], as_json=False)


def _row(one: Finding) -> dict[str, str]:
    remark = "\n".join([one.remark, *([f"→ {one.remedy}"] if one.remedy else []), *one.sql])
    return {"verdict": one.verdict.value, "subject": one.subject, "remark": remark}


def _findings(remarks: Iterable[Remark]) -> Iterator[Finding]:
    for one in remarks:
        wrong = f"{one.line}: {one.wrong}" if one.line else one.wrong
        yield (fails if one.serious else mind)(one.place, wrong, one.remedy)
