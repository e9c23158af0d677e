"""``strongroom protection``: what a configuration protects less, and taking it once people have signed it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from strongroom.acceptance.act import act_of, signers_of
from strongroom.acceptance.reminder import FORGOTTEN, NOTHING
from strongroom.acceptance.store import Acceptance, Accepted
from strongroom.cli.keys.approving import (
    asking,
    how_to_sign,
    read_limited,
    signatures_of,
    who_signed,
    written,
)
from strongroom.cli.keys.asking import say
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_done, print_table
from strongroom.config import DEFAULT_FILE, Settings, load
from strongroom.config.protection import WEAKENING
from strongroom.errors import ApprovalMismatch, ProtectionForgotten
from strongroom.gateway.stances import stance_of
from strongroom.keys.approval_store import Approvals
from strongroom.keys.approvals import MAX_REQUEST_BYTES, Request, Requirement, refuse_other
from strongroom.keys.generation import state_id
from strongroom.stance.model import Stance, Weakening
from strongroom.stance.sections import weakenings
from strongroom.state import look_at_state, open_state

New = Annotated[Path, typer.Argument(metavar="NEW", help="The configuration that is to come.")]
RequestFile = Annotated[Path, typer.Argument(metavar="REQUEST", help="The request that was signed.")]
Signatures = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[SIGNATURE]...", help="Those that do not lie beside it, as REQUEST.NAME.sig."),
]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="A new file.")]

protection = typer.Typer(
    help="What weakens protection: see it, have it signed, take it.",
    epilog="docs/guides/weakening.md walks through it.",
    no_args_is_help=True,
)


@protection.command("show")
def show(*, config: Config = DEFAULT_FILE, json: Json = False) -> None:
    """Show what counts: since when, who signed the change to it, and who signs the next that weakens.

    Example: strongroom protection show
    """
    accepted = _accepted(load(config))
    if accepted is None:
        words = "nothing was accepted yet: write protection: and start the gateway"
        print_done({"number": None}, words, as_json=json)
        return
    signers = accepted.signers
    rows = {
        "number": accepted.number,
        "since": f"{accepted.since:%Y-%m-%d %H:%M}Z",
        "signed by": ", ".join(accepted.signed_by) or "nobody: it weakened nothing",
        "sha256": accepted.stance.digest,
        "next": "nobody is asked" if signers is None else f"{signers.needed} of {', '.join(signers.by)}",
    }
    print_table(["what", "value"], [{"what": k, "value": v} for k, v in rows.items()], as_json=json)


@protection.command("diff")
def diff(new: New, *, config: Config = DEFAULT_FILE, json: Json = False) -> None:
    """List what a configuration protects less than what counts; the exit status is 1 if there is anything.

    Until something was accepted, it is compared with the configuration.

    Example: strongroom protection diff new.yaml
    """
    found = weakenings(_before(load(config)), stance_of(load(new)))
    print_table(["what", "words"], [{"what": one.what, "words": one.words} for one in found], as_json=json)
    if found:
        raise typer.Exit(1)


@protection.command("request")
def request(new: New, *, config: Config = DEFAULT_FILE, output: Output = None, json: Json = False) -> None:
    """Write a request to take a configuration that protects less, for people to sign.

    Example: strongroom protection request new.yaml -o request.json
    """
    settings = load(config)
    after = stance_of(load(new))
    before, signers = _in_force(settings, after)
    found = [FORGOTTEN] if before == NOTHING else weakenings(before, after)
    if not found:
        words = "nothing is weaker: the gateway takes it at its next start or reload"
        print_done({"request": None, "weakens": []}, words, as_json=json)
        return
    state = open_state(settings.state)
    try:
        act, this = act_of(before, after, found), state_id(state.engine)
    finally:
        state.close()
    made = Request.new(act, this, asking(), datetime.now(UTC))
    path = written(made, output)
    weaker = [{"what": one.what, "words": one.words} for one in found]
    print_done({"request": str(path), "weakens": weaker}, *map(str, found), as_json=json)
    say(f"{signers.needed} of {', '.join(signers.by)} must sign that; {how_to_sign(made, path)}")
    say(f"then: strongroom protection accept {path}")


@protection.command("accept")
def accept(
    file: RequestFile,
    signatures: Signatures = None,
    *,
    config: Config = DEFAULT_FILE,
    json: Json = False,
) -> None:
    """Take what people have signed: the gateway then loads that configuration, and no other.

    It holds as long as the request does. Put the configuration in its place, and start or reload.

    Examples: strongroom protection accept request.json · strongroom protection accept request.json anna.sig
    ben.sig
    """
    settings = load(config)
    before, signers = _in_force(settings, stance_of(settings))
    content = read_limited(file, MAX_REQUEST_BYTES)
    signed = Request.read(content)
    state = open_state(settings.state)
    try:
        refuse_other(signed, signed.act, state_id(state.engine), datetime.now(UTC))
        _refuse_other_change(signed.act.kind, signed.act.fields, before)
        people = who_signed(content, signatures_of(file, signatures or ()), [signers])
        Approvals(state.engine).begin(signed, people, resumable=False)
        Acceptance(state.engine).sign(signed, people)
    finally:
        state.close()
    until = f"{signed.expires:%Y-%m-%d %H:%MZ}"
    words = f"{', '.join(people)} signed it: the gateway takes that configuration until {until}"
    done = {"signed_by": list(people), "until": signed.expires.isoformat()}
    print_done(done, words, as_json=json)
    say("put it in its place, and start or reload the gateway (SIGHUP)")


def _refuse_other_change(kind: str, fields: Mapping[str, str], before: Stance) -> None:
    if kind != WEAKENING:
        raise ApprovalMismatch(f"what was signed is another act: {kind}, and no change of the configuration")
    if fields.get("before") != before.digest:
        raise ApprovalMismatch(
            "what was signed begins with another configuration than counts now",
            hint="Something was taken since: strongroom protection request NEW writes another request.",
        )


def _accepted(settings: Settings) -> Accepted | None:
    state = look_at_state(settings.state)
    try:
        return Acceptance(state.engine).accepted()
    finally:
        state.close()


def _before(settings: Settings) -> Stance:
    accepted = _accepted(settings)
    return stance_of(settings) if accepted is None else accepted.stance


def _in_force(settings: Settings, after: Stance) -> tuple[Stance, Requirement]:
    """What counts, and who signs what weakens it; raises ``ProtectionForgotten`` where nobody does.

    Where nothing is known, it is those by whom the configuration itself says that it may be weakened: the
    keys know whether they are who signed before (``gateway/reminding.py``).
    """
    accepted = _accepted(settings)
    before, signers = (
        (NOTHING, signers_of(after.signers)) if accepted is None else (accepted.stance, accepted.signers)
    )
    if signers is None:
        raise ProtectionForgotten(
            "nobody is asked to sign anything: nothing was accepted with protection: in it",
            hint="Write protection: {approvals: 2, by: {...}} and start or reload the gateway.",
        )
    return before, signers


def remark(settings: Settings) -> tuple[Accepted | None, list[Weakening]]:
    """For ``strongroom check``: what counts, and what the configuration protects less."""
    accepted = _accepted(settings)
    if accepted is None or accepted.signers is None:
        return None, []
    return accepted, weakenings(accepted.stance, stance_of(settings))
