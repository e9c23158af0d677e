"""``strongroom keys destroy``: a version of a key is ended, in two steps with days between them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from strongroom.cli.keys.approving import Approval, Signature, approved
from strongroom.cli.keys.asking import say
from strongroom.cli.keys.states import key_id_of
from strongroom.cli.keys.work import DatabaseName, KeyWork
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_json, print_table
from strongroom.cli.worksite import Worksite, scheme_named, worksite
from strongroom.config import DEFAULT_FILE, load
from strongroom.errors import DestructionRefused
from strongroom.keys.approvals import Act
from strongroom.keys.endings import Ending, Endings, of_version
from strongroom.keys.kek import database_of, kek_name, tenant_of
from strongroom.keys.model import Keyset, KeyState
from strongroom.keys.obstacles import Obstacle

Key = Annotated[
    str, typer.Argument(metavar="KEYSET", help="Its name, or schema.table.column of one that it serves.")
]
Version = Annotated[int, typer.Argument(metavar="VERSION", min=1, help="As `keys show` numbers them.")]
Cancel = Annotated[bool, typer.Option("--cancel", help="Take a scheduled destruction back.")]


def destroy(
    key: Key,
    version: Version,
    *,
    config: Config = DEFAULT_FILE,
    database: DatabaseName = None,
    cancel: Cancel = False,
    approval: Approval = None,
    signature: Signature = None,
    json: Json = False,
) -> None:
    """End a version for ever: the first call schedules it, the same call on or after that day does it.

    Exit status 1 while something needs the key, with the list of it all, and while it is not due. What
    wrapped the key ends with it, and dumps of the database from before when their root does: which is said.

    Examples: strongroom keys destroy public.customers.iban 1 · strongroom keys destroy
    public.customers.iban 1 --cancel
    """
    settings = load(config)
    place = database or (database_of(key) if "/" in key else None)
    with worksite(settings, place, "strongroom keys destroy") as site:
        assert settings.keys is not None  # config: protected columns have a root
        step = _Step(site, key, version)
        delay = timedelta(days=settings.keys.destroy_delay_days)
        done = step.cancel() if cancel else step.take(delay, approval, signature)
    _show(done, as_json=json)
    if done.what in {"refused", "waiting"}:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Done:
    """What came of a call."""

    what: str
    """refused, scheduled, waiting, destroyed or cancelled."""
    keyset: Keyset
    number: int
    ending: Ending
    due: datetime | None = None
    obstacles: Sequence[Obstacle] = ()
    """What stands in the way; when it is done, backups that hold it all the same."""
    roots: Sequence[str] = ()
    """They wrap it in dumps of the database from before."""
    exports: Sequence[str] = ()
    """Files with the key in the clear, as they were named then."""
    held: Sequence[str] = ()
    """Tables that could not be rewritten."""


class _Step:
    """One call of the command, for one version."""

    def __init__(self, site: Worksite, key: str, number: int) -> None:
        self._site = site
        self._work = KeyWork(site, wait=False)
        self._endings = Endings(site.state.engine)
        self._keyset = self._work.keyset(_named(site, key))
        self._number, self._key_id = number, key_id_of(self._keyset, number)
        self._ending = of_version(self._keyset.name, number, self._key_id)

    def cancel(self) -> _Done:
        """Takes it back; raises ``DestructionRefused`` where it was not scheduled, or has begun."""
        if self._destroyed:
            raise self._ending.refused(
                f"version {self._number} of {self._keyset.name!r} is destroyed already",
                f"what was begun is ended by: {self._ending.command}",
            )
        if not self._endings.forget(self._ending):
            raise self._ending.refused(
                f"{self._ending.deed} was not scheduled", f"see `strongroom keys show {self._keyset.name}`"
            )
        self._note("destruction cancelled")
        return self._done("cancelled")

    def take(self, delay: timedelta, approval: Path | None, signatures: list[Path] | None) -> _Done:
        """Schedules it, or carries it out; or says what stands in the way.

        Carrying it out may need several people: raises an ``ApprovalError``.
        """
        due, now = self._endings.due(self._ending), datetime.now(UTC)
        if self._destroyed and due is None:
            return self._gone()
        if found := self._work.obstacles(self._keyset, self._key_id):
            return self._done("refused", due=due, obstacles=found)
        if due is None:
            due = self._endings.schedule(self._ending, now + delay)
            self._note("destruction scheduled", due=f"{due:%Y-%m-%d %H:%M}Z")
            return self._done("scheduled", due=due, roots=self._work.roots_of(self._keyset))
        if now < due:
            return self._done("waiting", due=due)
        with approved(self._site.settings, self._site.state, self._act, approval, signatures, resumable=True):
            return self._carry_out()

    @property
    def _act(self) -> Act:
        fields = {
            "keyset": self._keyset.name,
            "version": str(self._number),
            "key_id": f"{self._key_id:08x}",
        }
        return Act("destroy", f"destroy version {self._number} of {self._keyset.name} for ever", fields)

    def _carry_out(self) -> _Done:
        roots = self._work.roots_of(self._keyset)
        if self._endings.begun(self._ending) is None:
            self._note("destruction begun", roots=roots)
        held = self._work.destroy(self._keyset, self._key_id, self._ending)
        self._note("destroyed", roots=roots)
        self._endings.forget(self._ending)
        # One may have been written while this ran.
        return self._gone(held, self._work.backups_of(self._keyset, self._key_id))

    def _gone(self, held: Sequence[str] = (), backups: Sequence[Obstacle] = ()) -> _Done:
        work, keyset = self._work, self._keyset
        return self._done(
            "destroyed",
            obstacles=backups,
            roots=work.roots_of(keyset),
            exports=work.exports_of(keyset),
            held=held,
        )

    @property
    def _destroyed(self) -> bool:
        return self._keyset.version(self._key_id).state is KeyState.DESTROYED

    def _done(self, what: str, **more: Any) -> _Done:
        return _Done(what, self._keyset, self._number, self._ending, **more)

    def _note(self, what: str, **details: object) -> None:
        key_id = f"{self._key_id:08x}"
        self._work.journal.add(what, self._keyset.name, version=self._number, key_id=key_id, **details)


def _named(site: Worksite, key: str) -> str:
    """The keyset of a column, or of this name; raises ``DestructionRefused`` for a tenant's."""
    if tenant_of(key if "/" in key else scheme_named(site.schemes, key).keyset) is not None:
        raise DestructionRefused(
            "a version of a tenant's key cannot be destroyed by itself",
            hint="suspend or compromise it; all keys of the tenant end by: strongroom keys tenants destroy",
        )
    if any(scheme.keyset == key for scheme in site.schemes.values()):
        return key
    return scheme_named(site.schemes, key).keyset


# ----------------------------------------------------------------------------------------------- what is said


def _show(done: _Done, *, as_json: bool) -> None:
    if as_json:
        print_json(_for_programs(done))
    elif done.what == "refused":
        print_table(["in the way", "what to do"], _rows(done), as_json=False)
        say(f"{done.ending.deed} is refused while any of these is there")
    elif done.what == "destroyed":
        _tell_the_end(done)
    elif done.what == "cancelled":
        print(f"{done.keyset.name}: version {done.number} stays")
    else:
        verb = "is scheduled" if done.what == "scheduled" else "was scheduled, and is not due yet"
        print(f"{done.ending.deed} {verb}: from {done.due:%Y-%m-%d %H:%M}Z on, run the same command again")
        say(f"to take it back: {done.ending.command} --cancel")


def _rows(done: _Done) -> list[dict[str, object]]:
    return [{"in the way": one.what, "what to do": one.remedy} for one in done.obstacles]


def _for_programs(done: _Done) -> dict[str, object]:
    return {
        "key": done.keyset.name,
        "version": done.number,
        "key_id": f"{done.keyset.versions[done.number - 1].key_id:08x}",
        "outcome": done.what,
        "due": None if done.due is None else f"{done.due:%Y-%m-%d %H:%M}Z",
        "obstacles": [{"what": one.what, "remedy": one.remedy} for one in done.obstacles],
        "roots": list(done.roots),
        "exports": list(done.exports),
        "not_rewritten": list(done.held),
    }


def _tell_the_end(done: _Done) -> None:
    """What ended; and what no program can reach from here."""
    kek = kek_name(database_of(done.keyset.name))
    print(f"{done.keyset.name}: version {done.number} is destroyed, with what wrapped it of {kek!r}")
    say("what no program can reach from here, and how it ends:")
    say(
        "- dumps, file backups, replicas and write-ahead logs of the database from before: they hold it under"
        f" {kek!r}, which was wrapped by"
    )
    for root in done.roots:
        say(f"    {root}")
    say(
        "  and open by any of these until it has ended: strongroom keys root make, rewrap and remove, then"
        ' destroy the root key where it is kept (docs/guides/keys.md, "A key\'s end")'
    )
    for backup in done.obstacles:
        say(f"- {backup.what}: {backup.remedy}")
    for file in done.exports:
        say(f"- its export in the clear, {file}: destroy every copy of it")
    for table in done.held:
        say(
            f"- the files of strongroom_keys.{table}, which was in use: VACUUM (FULL) strongroom_keys.{table}"
        )
    say("- copies of the state's file, and what its disk keeps of overwritten blocks: destroy them")
    say("make a new backup of the keys now: strongroom keys backup FILE")
