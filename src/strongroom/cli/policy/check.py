"""``strongroom policy check``: does the policy say what it means?"""

from dataclasses import asdict

import typer

from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_json, print_table
from strongroom.config import DEFAULT_FILE, load_policy
from strongroom.onboarding.finding import Finding, Verdict, fails, holds, mind
from strongroom.policy.authorizer import Authorizer
from strongroom.policy.review import Remark, review


def check(*, config: Config = DEFAULT_FILE, json: Json = False) -> None:
    """Look for rules that never count, that disagree, and for roles that nobody holds.

    What is misspelt or unknown ends the command with status 2; the exit status is 1 if a rule does not mean
    what it says. Columns are not looked for in a database.

    Example: strongroom policy check --config roles.yaml
    """
    settings, policy = load_policy(config)
    findings = [_finding(one) for one in review(Authorizer(policy))]
    findings.insert(0, holds("policy", f"{settings.file}: {len(policy.roles)} roles"))
    if json:
        print_json([asdict(one) | {"verdict": one.verdict.value} for one in findings])
    else:
        print_table(["verdict", "subject", "remark"], [_row(one) for one in findings], as_json=False)
    if any(one.verdict is Verdict.FAILS for one in findings):
        raise typer.Exit(1)


def _finding(remark: Remark) -> Finding:
    return (fails if remark.serious else mind)(remark.place, remark.wrong, remark.remedy)


def _row(one: Finding) -> dict[str, str]:
    remark = one.remark + (f"\n→ {one.remedy}" if one.remedy else "")
    return {"verdict": one.verdict.value, "subject": one.subject, "remark": remark}
