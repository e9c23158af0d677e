"""``strongroom policy check``: does the policy say what it means?"""

from typing import Annotated

import typer

from strongroom.cli.options import Config, Json
from strongroom.cli.remarks import findings, print_findings
from strongroom.config import DEFAULT_FILE, load_policy
from strongroom.onboarding.finding import Verdict, holds
from strongroom.policy.authorizer import Authorizer

Live = Annotated[bool, typer.Option("--live", help="Look for names and types in the databases, too.")]


def check(*, live: Live = False, config: Config = DEFAULT_FILE, json: Json = False) -> None:
    """Look for rules that never count, that disagree, and for roles that nobody holds.

    With --live tables, columns and functions are looked for in the databases, and masks held against the
    types of columns. What is misspelt or unknown to Strongroom ends the command with status 2; the exit
    status is 1 if a rule does not mean what it says.

    Example: strongroom policy check --config roles.yaml

    Example: strongroom policy check --live
    """
    settings, policy = load_policy(config)
    found = [holds("policy", f"{settings.file}: {len(policy.roles)} roles")]
    found += findings(settings, Authorizer(policy), live=live)
    print_findings(found, as_json=json)
    if any(one.verdict is Verdict.FAILS for one in found):
        raise typer.Exit(1)
