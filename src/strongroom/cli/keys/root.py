"""``strongroom keys root``: which roots wrap what, and how one is made, taken into use, and taken off."""

import asyncio
import getpass
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli.keys.approving import Approval, Signature, approved, roots_in_words
from strongroom.cli.keys.root_make import make
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_done, print_table
from strongroom.config import DEFAULT_FILE, Settings, load
from strongroom.config.model import Keys
from strongroom.config.roots import PassphraseAddress, RootAddress
from strongroom.errors import RootError, RootRemovalRefused
from strongroom.gateway import wraps
from strongroom.gateway.tenants import copies_of, holds_own
from strongroom.keys.approvals import Act
from strongroom.keys.endings import Endings, Kind, of_root
from strongroom.keys.generation import unseen
from strongroom.keys.hierarchy import Roots
from strongroom.keys.holds import Holds
from strongroom.keys.journal import Journal
from strongroom.keys.kek import WrappedKek
from strongroom.keys.obstacles import of_holds, of_rollbacks, refuse_obstacles
from strongroom.keys.root import RootKey
from strongroom.keys.root.entering import Entered
from strongroom.keys.root.opening import name_of, open_root, open_roots, provider_of
from strongroom.keys.root.passphrase import PassphraseRoot
from strongroom.keys.store import kept_keks
from strongroom.secret import Secret
from strongroom.state import State, look_at_state, open_state

Name = Annotated[str, typer.Argument(metavar="NAME", help="As `strongroom keys root list` shows it.")]
NewPassphrase = Annotated[
    bool, typer.Option("--new-passphrase", help="In place of the configured one; it is asked for twice.")
]
NowDue = Annotated[bool, typer.Option("--now-due", help="Do it: the day has come.")]
Cancel = Annotated[bool, typer.Option("--cancel", help="Take a scheduled removal back.")]

root = typer.Typer(
    help="The roots: look at them, make one, have everything wrapped by it, take one off.",
    epilog='docs/guides/keys.md, "From a file to a key service", walks through a change of root.',
    no_args_is_help=True,
)
root.command("make")(make)


@root.command("list")
def list_roots(*, config: Config = DEFAULT_FILE, json: Json = False) -> None:
    """Show the configured roots, and those that wrap keys still; asks nobody for passphrases or shares.

    Exit status 1 where a configured root cannot be used.

    Example: strongroom keys root list --json
    """
    settings = load(config)
    state = look_at_state(settings.state)
    try:
        kept = list(kept_keks(state.engine).values())
        rows = _rows(settings, kept)
        removals = Endings(state.engine).all(Kind.ROOT)
    finally:
        state.close()
    for row in rows:
        due = removals.get(str(row["root"]))
        row["removal"] = None if due is None else f"{due:%Y-%m-%d %H:%M}Z"
    print_table(["root", "configured", "usable", "wraps", "removal"], rows, as_json=json)
    if any(row["configured"] and row["usable"] != "yes" for row in rows):
        raise typer.Exit(1)


def _rows(settings: Settings, kept: Sequence[WrappedKek]) -> list[dict[str, object]]:
    rows = []
    for address in settings.keys.roots if settings.keys else ():
        name, usable = name_of(address) or f"{provider_of(address)}:", "yes"
        try:
            name = open_root(address, settings.state.path.parent, kept, Entered()).name
        except RootError as error:
            usable = error.message
        rows.append(_row(name, kept, configured=True, usable=usable))
    known = {row["root"] for row in rows}
    # Tenants' own providers are no roots of ours, nor is the word that one was destroyed.
    ours = [row for row in kept if not row.is_destroyed and not holds_own(settings, row.name)]
    former = sorted({name for row in ours for name in row.wraps} - known)
    return rows + [_row(name, kept, configured=False, usable="") for name in former]


def _row(name: str, kept: Sequence[WrappedKek], *, configured: bool, usable: str) -> dict[str, object]:
    wrapped = ", ".join(sorted(row.name for row in kept if name in row.wraps))
    return {"root": name, "configured": configured, "usable": usable, "wraps": wrapped}


@root.command("rewrap")
def rewrap(
    *,
    config: Config = DEFAULT_FILE,
    new_passphrase: NewPassphrase = False,
    approval: Approval = None,
    signature: Signature = None,
    json: Json = False,
) -> None:
    """Wrap every key-encryption key anew under each configured root, now rather than at the next start.

    What other roots wrapped stays, until `strongroom keys root remove`.

    Examples: strongroom keys root rewrap · strongroom keys root rewrap --new-passphrase
    """
    settings, keys = _with_keys(load(config))
    if new_passphrase and not any(isinstance(one, PassphraseAddress) for one in keys.roots):
        raise typer.BadParameter("no passphrase: is configured; write it as root: or second_root: first")
    state = open_state(settings.state)
    try:
        roots = _opened(settings, state)
        act = _rewrapping(settings, state, roots, new_passphrase=new_passphrase)
        with approved(settings, state, act, approval, signature, resumable=True):
            onto = _with_new_passphrase(roots) if new_passphrase else roots
            places, copies = wraps.places_of(settings, state), copies_of(settings)
            rows = asyncio.run(wraps.rewrap(state, places, roots, onto, copies))
            names = ", ".join(row.name for row in rows)
            Journal(state.engine).add("rewrapped", ", ".join(onto.names), keks=names)
    finally:
        state.close()
    none = "there is no key-encryption key yet: `strongroom protect` and `serve` make one"
    words = [f"{row.name} is wrapped by {', '.join(onto.names)}" for row in rows] or [none]
    done = {"keks": [row.name for row in rows], "roots": list(onto.names)}
    print_done(done, *words, as_json=json)
    if new_passphrase and not json:
        print("give the gateways the new passphrase at their next start; until then, the old one opens too")


def _rewrapping(settings: Settings, state: State, roots: Roots, *, new_passphrase: bool) -> Act:
    """A passphrase's name has the salt in it, which is another at each try."""
    names = ["passphrase" if isinstance(one, PassphraseRoot) else one.name for one in roots.usable]
    keks, onto = ", ".join(sorted(kept_keks(state.engine))), roots_in_words(settings)
    anew = ", and ask for a new passphrase" if new_passphrase else ""
    fields = {"keks": keks, "roots": onto, "names": ", ".join(names), "new_passphrase": str(new_passphrase)}
    return Act("root", f"wrap {keks or 'no key yet'} under the roots {onto}{anew}", fields)


def _with_new_passphrase(roots: Roots) -> Roots:
    first = Secret(getpass.getpass("New passphrase of the root key: "))
    if Secret(getpass.getpass("Again: ")) != first:
        raise typer.BadParameter("the two passphrases differ")
    others: list[RootKey] = [one for one in roots.usable if not isinstance(one, PassphraseRoot)]
    return Roots((*others, PassphraseRoot.new(first)), roots.failures)


@root.command("remove")
def remove(
    name: Name,
    *,
    config: Config = DEFAULT_FILE,
    now_due: NowDue = False,
    cancel: Cancel = False,
    approval: Approval = None,
    signature: Signature = None,
    json: Json = False,
) -> None:
    """Take off what a root wrapped: the first call schedules it, a later one with --now-due does it.

    Refused while the root is configured, while a key-encryption key opens by no other, or while a legal hold
    is on the root or on such a key. Dumps of the
    database and backups of the state from before still hold what it wrapped.

    Examples: strongroom keys root remove "file 1f2e3d4c" · strongroom keys root remove "file 1f2e3d4c"
    --now-due
    """
    if now_due and cancel:
        raise typer.BadParameter("--now-due and --cancel exclude each other")
    settings, keys = _with_keys(load(config))
    state = open_state(settings.state)
    try:
        if cancel:
            done, words = _cancel(state, name)
        elif now_due:
            done, words = _carry_out(settings, state, name, approval, signature)
        else:
            done, words = _schedule(settings, state, name, timedelta(days=keys.destroy_delay_days))
    finally:
        state.close()
    print_done({"root": name, **done}, *words, as_json=json)


Done = tuple[dict[str, object], list[str]]
"""What was done to a removal, for programs and for people."""


def _cancel(state: State, name: str) -> Done:
    endings, ending = Endings(state.engine), of_root(name)
    if endings.begun(ending) is not None:
        raise RootRemovalRefused(
            f"{ending.deed} has begun", hint=f"what was begun is ended by: {ending.command} --now-due"
        )
    if not endings.forget(ending):
        raise RootRemovalRefused(
            f"no removal of the root {name!r} was scheduled", hint="see `strongroom keys root list`"
        )
    Journal(state.engine).add("root removal cancelled", name)
    return {"removal": "cancelled"}, [f"the root {name} stays"]


def _schedule(settings: Settings, state: State, name: str, delay: timedelta) -> Done:
    wrapped = _without(settings, state, name).names
    due = Endings(state.engine).schedule(of_root(name), datetime.now(UTC) + delay)
    Journal(state.engine).add("root removal scheduled", name, due=f"{due:%Y-%m-%d %H:%M}Z")
    day = f"{due:%Y-%m-%d %H:%M}Z"
    return {"removal": "scheduled", "due": day, "keks": list(wrapped)}, [
        f"the root {name} wraps {', '.join(wrapped)}; each opens by a configured root too",
        f'from {day} on: strongroom keys root remove "{name}" --now-due',
    ]


def _carry_out(
    settings: Settings, state: State, name: str, approval: Path | None, signatures: list[Path] | None
) -> Done:
    endings, ending = Endings(state.engine), of_root(name)
    endings.refuse_early(ending, datetime.now(UTC))
    removal = _without(settings, state, name)
    keks = ", ".join(removal.names)
    act = Act("root", f"take off what the root {name} wrapped: {keks}", {"root": name, "keks": keks})
    with approved(settings, state, act, approval, signatures, resumable=True):
        if endings.begun(ending) is None:
            Journal(state.engine).add("root removal begun", name, keks=keks)
            endings.begun(ending, keks)
        asyncio.run(wraps.carry_out(state, removal, copies_of(settings)))
        endings.done(ending, "root removed", keks=keks)
    return {"removal": "done", "keks": list(removal.names)}, [
        f"the root {name} wraps nothing here any more",
        "older dumps of the database and backups of the state hold what it wrapped: keep it while they are",
    ]


def _without(settings: Settings, state: State, name: str) -> wraps.Removal:
    """What is left without the root; raises ``RootRemovalRefused`` where it is needed."""
    roots = _opened(settings, state)
    assert settings.keys is not None  # _with_keys
    if name in roots.names or any(_may_be(address, name, roots) for address in settings.keys.roots):
        raise RootRemovalRefused(
            f"the root {name!r} is configured, or cannot be told from one that is",
            hint="take it out of `keys:`; a configured root that cannot be used now must be usable first",
        )
    begun = (Endings(state.engine).begun(of_root(name)) or "").split(", ")
    removal = asyncio.run(
        wraps.without(
            state,
            wraps.places_of(settings, state),
            roots,
            name,
            copies_of(settings),
            begun=list(filter(None, begun)),
        )
    )
    held = of_holds(Holds(state.engine), name, also=removal.names)
    refuse_obstacles(of_root(name), [*of_rollbacks(unseen(state.engine)), *held])
    return removal


def _may_be(address: RootAddress, name: str, roots: Roots) -> bool:
    """Whether a configured root may have this name, though it cannot be used now."""
    known = name_of(address)
    if known is not None:
        return known == name
    provider = provider_of(address)
    usable = any(one.partition(" ")[0] == provider for one in roots.names)
    return not usable and name.partition(" ")[0] == provider


def _with_keys(settings: Settings) -> tuple[Settings, Keys]:
    if settings.keys is None:
        raise typer.BadParameter(f"{settings.file} names no root: add keys: root:")
    return settings, settings.keys


def _opened(settings: Settings, state: State) -> Roots:
    assert settings.keys is not None  # _with_keys
    kept = kept_keks(state.engine).values()
    return open_roots(settings.keys.roots, settings.state.path.parent, kept)
