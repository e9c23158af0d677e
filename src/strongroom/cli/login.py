"""``strongroom login``: a person signs in, and gets a credential that works as a password for some minutes.

It opens the state, so it runs on the gateway's machine, at a terminal or over SSH; ``--from`` says where the
sessions will come from. With a program behind ``--`` it runs that, with the credential in its environment.
"""

import os
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from urllib.parse import quote

import typer

from strongroom.cli.asking import ask_secret
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_json
from strongroom.config import DEFAULT_FILE, Database, Settings, environment_with, load
from strongroom.errors import PersonUnknown
from strongroom.gateway.tls import ServerTls, server_binding
from strongroom.people.credentials import Issued, issue
from strongroom.people.model import Verified
from strongroom.people.sign_in import COMMAND, ByPasswordAndCode, PasswordAndCode
from strongroom.people.source import source_of
from strongroom.state import State, open_state

EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # where to connect when a listener listens there

As = Annotated[str, typer.Option("--as", metavar="NAME", help="A name under people.")]
In = Annotated[str | None, typer.Option("--database", "-d", metavar="NAME", help="Where there are several.")]
From = Annotated[
    str | None,
    typer.Option("--from", metavar="ADDRESS", help="Where the sessions will come from; this machine."),
]
Uri = Annotated[bool, typer.Option("--uri", help="Print a libpq URI, and nothing else.")]
Program = Annotated[list[str] | None, typer.Argument(metavar="[-- PROGRAM ...]", help="What to run with it.")]


@dataclass(frozen=True, slots=True)
class Given:
    """What a person gets, and where it is good."""

    issued: Issued
    database: str
    host: str
    port: int
    tls: bool
    binding: bool = False
    """Whether SCRAM can be bound to the listener's certificate."""

    @property
    def uri(self) -> str:
        """As libpq reads it (its manual, "Connection URIs")."""
        user, password = quote(self.issued.credential.person, safe=""), self.issued.password.danger_reveal()
        host = f"[{self.host}]" if ":" in self.host else self.host
        mode = "?sslmode=require" if self.tls else ""
        return f"postgresql://{user}:{password}@{host}:{self.port}/{quote(self.database, safe='')}{mode}"

    @property
    def environment(self) -> dict[str, str]:
        """As libpq reads it (its manual, "Environment Variables")."""
        return {
            "PGHOST": self.host,
            "PGPORT": str(self.port),
            "PGDATABASE": self.database,
            "PGUSER": self.issued.credential.person,
            "PGPASSWORD": self.issued.password.danger_reveal(),
        }

    @property
    def defaults(self) -> dict[str, str]:
        """The same where the person has set nothing; who is bound to the channel needs no authority."""
        mode = {"PGSSLMODE": "require"} if self.tls else {}
        return mode | ({"PGCHANNELBINDING": "require"} if self.binding else {})

    @property
    def told(self) -> dict[str, object]:
        """For programs."""
        credential = self.issued.credential
        return {
            "user": credential.person,
            "password": self.issued.password.danger_reveal(),
            "host": self.host,
            "port": self.port,
            "database": self.database,
            "uri": self.uri,
            "from": credential.source,
            "expires": credential.expires.isoformat(),
            "session_until": credential.session_until.isoformat(),
        }


def login(  # noqa: PLR0917  # typer makes options of parameters, whatever their order
    name: As,
    program: Program = None,
    database: In = None,
    source: From = None,
    uri: Uri = False,
    json: Json = False,
    config: Config = DEFAULT_FILE,
) -> None:
    """Sign in with password and code; get a user name and password that count for minutes.

    Asked for unseen at a terminal, or read as two lines from standard input. Runs on the gateway's machine.

    Example: strongroom login --as anna -- psql

    Example: strongroom login --as anna --from 192.0.2.7 --uri
    """
    if program and shutil.which(program[0]) is None:
        raise typer.BadParameter(f"there is no program {program[0]}")
    settings = load(config)
    place = _database(settings, name, database)
    where = _source(settings.databases[place], source)
    claim = PasswordAndCode(name, ask_secret("Password: "), ask_secret("Code: ").danger_reveal())
    state = open_state(settings.state)
    try:
        given = _sign_in(settings, state, claim, place, where)
    finally:
        state.close()
    if program:
        environment = environment_with(given.environment, given.defaults)
        os.execvpe(program[0], program, environment)  # noqa: S606  # what the person asks for
    if json:
        print_json(given.told)
    elif uri:
        print(given.uri)
    else:
        _tell(given)


def _sign_in(settings: Settings, state: State, claim: PasswordAndCode, place: str, where: str) -> Given:
    now = datetime.now(UTC)
    verified: Verified = ByPasswordAndCode(state, settings.login.rules).verify(claim, source=COMMAND, now=now)
    issued = issue(
        state,
        verified,
        database=place,
        source=where,
        credential_time=settings.login.credential_time,
        session_time=settings.login.session_time,
        now=now,
    )
    database = settings.databases[place]
    host = EVERYWHERE.get(database.listen.host, database.listen.host)
    tls = database.tls
    binding = None if tls is None else server_binding(ServerTls(tls.certificate, tls.key))
    return Given(issued, place, host, database.listen.port, tls is not None, binding is not None)


def _tell(given: Given) -> None:
    credential = given.issued.credential
    print(f"user      {credential.person}")
    print(f"password  {given.issued.password.danger_reveal()}")
    print(f"uri       {given.uri}")
    print(
        f"For {given.database}, from {credential.source}, until {credential.expires:%H:%M} UTC;"
        f" sessions end at {credential.session_until:%H:%M} UTC."
    )


def _database(settings: Settings, name: str, wanted: str | None) -> str:
    """The database that is meant. Who is configured is no secret here: who runs this can read the file."""
    person = settings.people.get(name)
    if person is None:
        raise PersonUnknown(
            f"{name} is not under people in {settings.file}", hint="Write the person there first."
        )
    if wanted is None and len(person.databases) > 1:
        raise typer.BadParameter(f"--database is needed: {', '.join(person.databases)}")
    place = person.databases[0] if wanted is None else wanted
    if place not in person.databases:
        raise typer.BadParameter(f"{name} may not use {place}")
    return place


def _source(database: Database, wanted: str | None) -> str:
    """What is said; else this machine as the listener sees it, which is the address that is connected to."""
    if wanted is None:
        host = source_of(database.listen.host)
        if not host or host in EVERYWHERE or database.listen.is_loopback:
            return "::1" if ":" in host else "127.0.0.1"
        return host
    found = source_of(wanted)
    if not found:
        raise typer.BadParameter(f"{wanted!r} is no address")
    return found
