"""``strongroom keys approvals``: who must sign what, what is to be signed, and a change of who must."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli.keys.approving import (
    Approval,
    Signature,
    demanded,
    protecting,
    read_limited,
    signatures_of,
    signed,
    who_signed,
)
from strongroom.cli.keys.asking import say
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_done, print_json, print_table
from strongroom.config import DEFAULT_FILE, Settings, load
from strongroom.errors import ApprovalIncomplete, ApprovalsWeakened
from strongroom.keys.approval_store import Approvals
from strongroom.keys.approvals import (
    MAX_REQUEST_BYTES,
    Act,
    Request,
    Requirement,
    refuse_weaker,
    signed_by,
)
from strongroom.state import look_at_state, open_state

RequestFile = Annotated[Path, typer.Argument(metavar="FILE", help="The request.")]

approvals = typer.Typer(
    help="What several people must sign: look at it, see who has, change who must.",
    epilog='docs/guides/keys.md, "Two people", walks through it.',
    no_args_is_help=True,
)


@approvals.command("list")
def list_people(*, config: Config = DEFAULT_FILE, json: Json = False) -> None:
    """Show who may sign, in the configuration and on record; exit status 1 where it asks for less.

    Example: strongroom keys approvals list
    """
    settings = load(config)
    recorded = _recorded(settings)
    print_table(["person", "key", "configured", "on_record"], _people(settings, recorded), as_json=json)
    for where, one in (("configured", settings.approvals), ("on record", recorded)):
        if one is not None:
            say(f"{where}: {one.needed} of {len(one.by)} people, for {', '.join(sorted(one.acts))}")
    try:
        refuse_weaker(settings.approvals, recorded)
    except ApprovalsWeakened as error:
        say(f"{error.message}. {error.hint}")
        raise typer.Exit(1) from None


def _people(settings: Settings, recorded: Requirement | None) -> list[dict[str, object]]:
    sides = [_keys(settings.approvals), _keys(recorded)]
    return [
        {
            "person": name,
            "key": fingerprint,
            "configured": (name, fingerprint) in sides[0],
            "on_record": (name, fingerprint) in sides[1],
        }
        for name, fingerprint in sorted({*sides[0], *sides[1]})
    ]


def _keys(requirement: Requirement | None) -> set[tuple[str, str]]:
    by = {} if requirement is None else requirement.by
    return {(name, key.fingerprint) for name, keys in by.items() for key in keys}


@approvals.command("show")
def show(
    file: RequestFile, *, config: Config = DEFAULT_FILE, signature: Signature = None, json: Json = False
) -> None:
    """Show what one is about to sign, and who has signed; exit status 1 while people are missing.

    Examples: strongroom keys approvals show strongroom-export-5f0c1d2e.json · strongroom keys approvals show
    request.json --signature anna.sig --json
    """
    settings = load(config)
    content = read_limited(file, MAX_REQUEST_BYTES)
    request = Request.read(content)
    demands = _demands(settings, request)
    given = signatures_of(file, signature or ())
    found = [one for demand in demands for one in signed_by(content, given, demand)]
    signatures = [{"file": one.file, "person": one.person, "why_not": one.why_not} for one in found]
    if json:
        print_json(
            {**_shown(request), "signatures": signatures, "needed": max(one.needed for one in demands)}
        )
    else:
        rows = [{"what": name, "value": value} for name, value in _shown(request).items()]
        print_table(["what", "value"], rows, as_json=False)
        print_table(["person", "file", "why_not"], signatures, as_json=False)
    try:
        who_signed(content, given, demands)
    except ApprovalIncomplete as error:
        say(error.message)
        raise typer.Exit(1) from None


def _demands(settings: Settings, request: Request) -> list[Requirement]:
    """Who must sign it, as far as this state and the configuration know."""
    state = look_at_state(settings.state)
    try:
        recorded = Approvals(state.engine).recorded() or settings.approvals
        demands = demanded(request.act.kind, recorded, protecting(settings, state))
    finally:
        state.close()
    return demands or [recorded or Requirement(1, {}, frozenset())]


def _shown(request: Request) -> Mapping[str, str]:
    """Everything that is signed. What no terminal should be sent is escaped, as in the file."""
    held = "" if datetime.now(UTC) < request.expires else ", which is over"
    shown = {
        "act": request.act.kind,
        "in words": request.act.words,
        **request.act.fields,
        "state": request.state,
        "asked by": request.asked_by,
        "made": request.made.isoformat(),
        "expires": request.expires.isoformat() + held,
        "nonce": request.nonce,
    }
    return {_plain(name): _plain(value) for name, value in shown.items()}


def _plain(text: str) -> str:
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


@approvals.command("change")
def change(
    *,
    config: Config = DEFAULT_FILE,
    approval: Approval = None,
    signature: Signature = None,
    json: Json = False,
) -> None:
    """Put what the configuration asks for on record, where that is less: those on record must sign it.

    Examples: strongroom keys approvals change · strongroom keys approvals change --approval
    strongroom-approvals-5f0c1d2e.json
    """
    settings = load(config)
    state = open_state(settings.state)
    people: Sequence[str] = ()
    try:
        on_record = Approvals(state.engine)
        recorded, configured = on_record.recorded(), settings.approvals
        if configured == recorded:
            words = "what the configuration asks for is on record already"
        elif recorded is None or (configured is not None and configured.covers(recorded)):
            on_record.required(configured)
            words = "it asks for no less than what was on record, and is on record now"
        else:
            with signed(state, _act(recorded, configured), [recorded], approval, signature) as people:
                on_record.change(configured, people)
            words = f"what the configuration asks for is on record now; {', '.join(people)} signed it"
    finally:
        state.close()
    done = {"changed": configured != recorded, "signed_by": list(people)}
    print_done(done, words, as_json=json)


def _act(recorded: Requirement, configured: Requirement | None) -> Act:
    """Both whole, so that who signs sees what goes and what comes."""
    if configured is None:
        words, after = "need nobody's approval any more", {"needed": "nobody"}
    else:
        people, acts = ", ".join(configured.by), ", ".join(sorted(configured.acts))
        words, after = f"need {configured.needed} of {people} to sign {acts}", dict(configured.fields)
    fields = {f"now {name}": value for name, value in recorded.fields.items()}
    return Act("approvals", words, {**fields, **{f"then {name}": value for name, value in after.items()}})


def _recorded(settings: Settings) -> Requirement | None:
    state = look_at_state(settings.state)
    try:
        return Approvals(state.engine).recorded()
    finally:
        state.close()
