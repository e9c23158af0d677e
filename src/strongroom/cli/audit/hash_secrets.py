"""``strongroom audit hash-secrets``, ``rotate-`` and ``export-hash-secret``: what is behind keyed hashes."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from strongroom.audit.hash_secrets import HashSecret, HashSecrets
from strongroom.audit.log import hold
from strongroom.cli.audit.given import configured
from strongroom.cli.audit.looking import note
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_done, print_table
from strongroom.config import DEFAULT_FILE, load
from strongroom.errors import LogInUse, LogUnwritable
from strongroom.state import open_state

T = TypeVar("T")


def hash_secrets(*, config: Config = DEFAULT_FILE, json: Json = False) -> None:
    """List the secrets behind keyed hashes, without what they are; the newest makes hashes.

    Example: strongroom audit hash-secrets
    """
    found = _with_secrets(config, lambda known: known.all())
    print_table(["number", "since"], [_row(one) for one in found], as_json=json)


def rotate_hash_secret(
    *,
    forget_former: Annotated[
        bool,
        typer.Option("--forget-former", help="The former ones find their hashes no more."),
    ] = False,
    config: Config = DEFAULT_FILE,
    json: Json = False,
) -> None:
    """Make another secret: it makes hashes from the gateway's next reload or start on; `who-saw` asks by all.

    With --forget-former records from before are not found by a value any more, by nobody who has no copy. A
    gateway that runs would go on making hashes that nobody finds: stop it first.

    Examples: strongroom audit rotate-hash-secret · strongroom audit rotate-hash-secret --forget-former
    """
    with _alone(configured(load(config)).log) if forget_former else nullcontext():
        made = _with_secrets(config, lambda known: known.add(datetime.now(UTC)))
        gone = _with_secrets(config, lambda known: known.forget_former(), wipe=True) if forget_former else 0
    print_done(
        _row(made) | {"forgotten": gone},
        f"secret {made.number}; {gone} former ones are forgotten",
        "it makes hashes from the gateway's next reload or start on",
        as_json=json,
    )


def export_hash_secret(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file, readable to you alone.")],
    *,
    number: Annotated[int | None, typer.Option(metavar="N", help="Another one than the newest.")] = None,
    config: Config = DEFAULT_FILE,
    json: Json = False,
) -> None:
    """Write a secret into a file, for `who-saw --secret` on another machine.

    Who has it and the log can find out which values are in the log's keyed hashes, by trying.

    Example: strongroom audit export-hash-secret audit-hashes.secret
    """
    known = _with_secrets(config, lambda known: known.all())
    found = next((one for one in known if number in {None, one.number}), None)
    if found is None:
        raise typer.BadParameter("there is no such secret: none was made yet, or it is forgotten")
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(found.octets)
    print_done(_row(found) | {"file": str(file)}, f"{file}: secret {found.number}", as_json=json)


@contextmanager
def _alone(log: Path) -> Iterator[None]:
    """While no gateway runs, nor starts; raises ``LogInUse`` where one does."""
    if not log.exists():
        yield  # there was none yet
        return
    try:
        held = hold(log)
    except LogInUse:
        raise LogInUse(
            "a gateway runs: it makes hashes with a secret that would be forgotten",
            hint="Stop it first; or leave out --forget-former, and the former ones go on finding theirs.",
        ) from None
    except OSError as error:
        raise LogUnwritable(f"the audit log in {log} cannot be held: {error.strerror}") from None
    try:
        yield
    finally:
        os.close(held)


def _with_secrets(config: Path, ask: Callable[[HashSecrets], T], *, wipe: bool = False) -> T:
    settings = load(config)
    state = open_state(settings.state)
    try:
        answer = ask(HashSecrets(state.engine, configured(settings).origin))
        if wipe and not state.wipe():
            note("somebody reads the state: its write-ahead log has what was forgotten until the next start")
        return answer
    finally:
        state.close()


def _row(secret: HashSecret) -> dict[str, object]:
    return {"number": secret.number, "since": f"{secret.since:%Y-%m-%d %H:%M}Z"}
