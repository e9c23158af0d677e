"""``strongroom check``: does what the configuration says hold on this machine?"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_table
from strongroom.config import DEFAULT_FILE, Settings, load
from strongroom.errors import StrongroomError
from strongroom.state import State, open_state


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked."""

    subject: str
    holds: bool
    remark: str = ""


def check(config: Config = DEFAULT_FILE, json: Json = False) -> None:
    """Check the configuration, the state and the files that they name.

    Example: strongroom check --config /etc/strongroom/strongroom.yaml
    """
    settings = load(config)
    findings = list(_findings(settings))
    print_table(["subject", "holds", "remark"], [asdict(one) for one in findings], as_json=json)
    if not all(one.holds for one in findings):
        raise typer.Exit(1)


def _findings(settings: Settings) -> Iterator[Finding]:
    yield Finding("configuration", True, str(settings.file))
    try:
        state = open_state(settings.state)
    except StrongroomError as error:
        yield Finding("state", False, error.message)
        return
    yield Finding("state", True, str(settings.state.path))
    yield from _accounts(settings, state)
    state.close()
    for name, database in settings.databases.items():
        if database.tls is not None:
            for key, path in database.tls:
                yield from _readable(f"databases.{name}.tls.{key}", path)


def _accounts(settings: Settings, state: State) -> Iterator[Finding]:
    for name, account in settings.accounts.items():
        subject = f"accounts.{name}"
        if account.password is not None or account.certificate is not None:
            yield Finding(subject, True)
        elif state.verifier(name) is not None:
            yield Finding(subject, True, "password in the state")
        else:
            yield Finding(subject, False, f"cannot log in yet: run strongroom password {name}")


def _readable(subject: str, path: Path | None) -> Iterator[Finding]:
    if path is None:
        return
    try:
        path.open("rb").close()
    except OSError as error:
        yield Finding(subject, False, f"{path}: {error.strerror}")
    else:
        yield Finding(subject, True, str(path))
