"""``strongroom policy diff``: whose access a change of the policy changes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli.options import Json
from strongroom.cli.output import print_table
from strongroom.cli.policy.words import access_words
from strongroom.config import load_policy
from strongroom.policy.authorizer import Authorizer
from strongroom.policy.model import Action
from strongroom.policy.reach import Change, Way, changes, limits_of

Old = Annotated[Path, typer.Argument(metavar="OLD", help="The configuration before.")]
New = Annotated[Path, typer.Argument(metavar="NEW", help="The configuration after.")]


def diff(old: Old, new: New, *, json: Json = False) -> None:
    """Compare what two configurations let everybody do; the exit status is 1 if there is a difference.

    They are compared at every name that either of them names; ⁎ stands for any other name.

    Example: strongroom policy diff running.yaml changed.yaml
    """
    before, after = Authorizer(load_policy(old)[1]), Authorizer(load_policy(new)[1])
    rows = [_row(one) for one in changes(before, after)] + _limits(before, after)
    print_table(["who", "database", "access", "before", "after"], rows, as_json=json)
    if rows:
        raise typer.Exit(1)


def _row(change: Change) -> dict[str, object]:
    return {
        "who": change.subject.name,
        "database": change.access.resource.database,
        "access": access_words(change.access),
        "before": _ways(change.access.action, change.before),
        "after": _ways(change.access.action, change.after),
    }


def _ways(action: Action, ways: Sequence[Way]) -> str:
    words = [str(way) if action is Action.MASK else way.while_permitted for way in ways]
    return "; ".join(words) or "no"


def _limits(before: Authorizer, after: Authorizer) -> list[dict[str, object]]:
    was, becomes = limits_of(before.policy), limits_of(after.policy)
    return [
        {
            "who": name,
            "database": "",
            "access": "limits",
            "before": was.get(name, "no"),
            "after": becomes.get(name, "no"),
        }
        for name in sorted(was.keys() | becomes.keys())
        if was.get(name) != becomes.get(name)
    ]
