"""People at a running gateway of two workers: what `strongroom login` gives, and when it is worth nothing."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import asyncpg
import psycopg
import pyotp
import pytest
from tests.audit.test_log import contents
from tests.gateway.conftest import DATABASE
from tests.gateway.serving import configuration, connections, logged

from strongroom.audit.records.reading import read as read_record
from strongroom.audit.records.sessions import LoginFailed, Refusal
from strongroom.config import StateAddress
from strongroom.errors import LoginRefused
from strongroom.people import sign_in
from strongroom.people.credentials import issue
from strongroom.people.model import Verified
from strongroom.people.sign_in import ByPasswordAndCode, PasswordAndCode
from strongroom.people.throttle import Rules
from strongroom.secret import Secret
from strongroom.state import State, open_state
from strongroom.testing.certificates import Authority
from strongroom.testing.gateway import Gateway
from strongroom.testing.processes import free_port
from strongroom.testing.raw_client import SECONDS, RawClient
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres.codec import message

WORDS = "correct horse battery staple"
PEOPLE = ("anna", "berta", "carl", "dora", "emil", "frida", "gustav")
STEP = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class House:
    """A gateway, its state, and its people's authenticators."""

    gateway: Gateway
    state: State
    authenticators: dict[str, pyotp.TOTP]

    def sign_in(self, name: str, *arguments: str, code: str = "", program: tuple[str, ...] = ()) -> str:
        """What the command prints; the code is that of now where none is given."""
        typed = f"{WORDS}\n{code or self.authenticators[name].now()}\n"
        command = ("login", "--as", name, "--database", DATABASE, *arguments)
        run = subprocess.run(
            [
                *(sys.executable, "-m", "strongroom", *command),
                *("--config", str(self.gateway.configuration), *(("--", *program) if program else ())),
            ],
            env=dict(self.gateway.environment),
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )
        assert WORDS not in run.stdout + run.stderr
        return run.stdout if run.returncode == 0 else f"{run.returncode}: {run.stderr}"

    def give(
        self,
        name: str,
        *,
        source: str = "127.0.0.1",
        ago: timedelta = timedelta(0),
        session: timedelta = timedelta(hours=8),
        database: str = DATABASE,
    ) -> str:
        """The password of a credential that was issued so long ago."""
        then = datetime.now(UTC) - ago
        made = issue(
            self.state,
            Verified(name, "password and totp", then),
            database=database,
            source=source,
            credential_time=timedelta(minutes=10),
            session_time=session,
            now=then,
        )
        return made.password.danger_reveal()

    def refusals(self) -> list[tuple[str, str, str]]:
        """What the log says of credentials that were refused."""
        lines = logged(self.gateway, "a credential was refused")
        return [(line["person"], line["source"], line["why"]) for line in lines]


@pytest.fixture(scope="module")
def house(shop: PostgresServer) -> Iterator[House]:
    """Two workers before two databases; everyone was added, and frida has a role of her own."""
    shop.create_user("support", "support's")
    state: list[State] = []
    authenticators: dict[str, pyotp.TOTP] = {}

    def first(gateway: Gateway) -> None:
        read = configuration(gateway)
        other = {**read["databases"][DATABASE], "listen": f"127.0.0.1:{free_port()}"}
        people: dict[str, dict[str, object]] = {name: {"databases": [DATABASE, "other"]} for name in PEOPLE}
        people["frida"] |= {"upstream_user": "support", "upstream_password": "${SUPPORT}"}
        audit = {"audit": {"log": "audit", "origin": "gateway.example/people"}}
        databases = {"databases": read["databases"] | {"other": other}}
        gateway.configure(read | {"people": people} | databases | audit)
        state.append(open_state(StateAddress(gateway.folder / "state" / "state.db")))
        for name in PEOPLE:
            secret = sign_in.add(state[0], name, Secret(WORDS), datetime.now(UTC) - timedelta(days=1))
            authenticators[name] = pyotp.TOTP(secret.danger_reveal())

    variables = {"SUPPORT": "support's"}
    with Gateway.start(shop, DATABASE, workers=2, first=first, variables=variables) as running:
        yield House(running, state[0], authenticators)
        state[0].close()


def connected(house: House, name: str, password: str, source: str = "127.0.0.1") -> RawClient:
    """A client that has shown a password, from this address of loopback."""
    sock = socket.create_connection(("127.0.0.1", house.gateway.port), SECONDS, (source, 0))
    client = RawClient(sock)
    client.start(name, DATABASE)
    scram, first = client.begin_scram(password)
    client.send(message(b"p", scram.final(first)))
    return client


def comes_in(house: House, name: str, password: str, source: str = "127.0.0.1") -> bool:
    """Whether this is let in; else it hears what everyone hears."""
    with connected(house, name, password, source) as client:
        tag, body = client.receive()
        if tag != "E":
            return True
        fields = m.ErrorResponse.parse(body).fields
        assert (fields["C"], fields["M"]) == ("28P01", "strongroom: login refused [login-refused]")
        return False


# --------------------------------------------------------------------------------- what it is good for


def test_psql_runs_with_what_a_sign_in_gives(house: House, shop: PostgresServer) -> None:
    """Password and code, then a program in whose environment the credential stands."""
    psql = str(shop.installation.program("psql"))
    said = house.sign_in("anna", program=(psql, "-XAtc", "SELECT 6 * 7, current_user"))
    assert said == "42|postgres\n"
    (line,) = [line for line in logged(house.gateway, "a person came in") if line["person"] == "anna"]
    assert line["source"] == "127.0.0.1"


def test_a_code_counts_once_and_clocks_may_differ(house: House) -> None:
    """A step late it counts; replayed it is refused, though the password is right."""
    code = house.authenticators["berta"].at(datetime.now(UTC) - STEP / 2)
    told = json.loads(house.sign_in("berta", "--json", code=code))
    with psycopg.connect(told["uri"]) as db:
        assert db.execute("SELECT 1").fetchone() == (1,)
    assert "login refused" in house.sign_in("berta", "--json", code=code)
    assert "login refused" in house.sign_in(
        "berta", code=house.authenticators["berta"].at(datetime.now(UTC) - 9 * STEP)
    )


def test_it_works_as_a_password_in_any_driver_as_often_as_wanted(house: House) -> None:
    """In both workers, and several of one person at a time; as the person's own role."""
    passwords = [house.give("frida"), house.give("frida")]

    async def look(uri: str) -> str:
        db = await asyncpg.connect(uri)
        try:
            return str(await db.fetchval("SELECT current_user"))
        finally:
            await db.close()

    for password in passwords * 3:
        uri = house.gateway.uri("frida", password)
        assert asyncio.run(look(uri)) == "support"
        with psycopg.connect(uri) as db:
            assert db.execute("SELECT current_user").fetchone() == ("support",)


def test_over_tls_it_is_bound_to_the_channel_and_the_address(
    shop: PostgresServer, authority: Authority
) -> None:
    """With SCRAM-SHA-256-PLUS, as any password; from elsewhere it is worth nothing there either."""
    states: list[State] = []

    def first(gateway: Gateway) -> None:
        gateway.configure(configuration(gateway) | {"people": {"anna": {"databases": [DATABASE]}}})
        states.append(open_state(StateAddress(gateway.folder / "state" / "state.db")))
        secret = sign_in.add(states[0], "anna", Secret(WORDS), datetime.now(UTC) - timedelta(days=1))
        authenticators["anna"] = pyotp.TOTP(secret.danger_reveal())

    authenticators: dict[str, pyotp.TOTP] = {}
    with Gateway.start(shop, DATABASE, authority=authority, first=first) as gateway:
        house = House(gateway, states[0], authenticators)
        program = "import psycopg; print(psycopg.connect('').pgconn.ssl_in_use)"
        assert house.sign_in("anna", program=(sys.executable, "-c", program)) == "True\n"
        with psycopg.connect(gateway.uri("anna", house.give("anna"), channel_binding="require")) as db:
            assert db.execute("SELECT 1").fetchone() == (1,)
        elsewhere = house.give("anna", source="127.0.0.2")
        with pytest.raises(psycopg.OperationalError, match="login-refused"):
            psycopg.connect(gateway.uri("anna", elsewhere))
        assert house.refusals() == [("anna", "127.0.0.1", "another address")]
        states[0].close()


# ------------------------------------------------------------------------------ when it is worth nothing


def test_what_is_over_stolen_for_elsewhere_or_forged(house: House) -> None:
    """Each hears the same; the log says of genuine ones what was wrong with them."""
    good = house.give("carl")
    assert comes_in(house, "carl", good)
    assert not comes_in(house, "carl", house.give("carl", ago=timedelta(minutes=10)))
    assert not comes_in(house, "carl", house.give("carl", ago=-timedelta(hours=1)))
    assert not comes_in(house, "carl", good, "127.0.0.2")
    assert comes_in(house, "carl", house.give("carl", source="127.0.0.2"), "127.0.0.2")
    assert not comes_in(house, "carl", house.give("carl", database="other"))
    assert not comes_in(house, "carl", good[:-1] + ("A" if good[-1] != "A" else "B"))
    assert not comes_in(house, "dora", good)
    assert not comes_in(house, "carl", WORDS)
    assert not comes_in(house, "Carl", good)
    assert house.refusals() == [
        ("carl", "127.0.0.1", "expired"),
        ("carl", "127.0.0.1", "from the future"),
        ("carl", "127.0.0.2", "another address"),
        ("carl", "127.0.0.1", "another database"),
    ]
    log = house.gateway.log.read_text()
    assert good not in log
    assert WORDS not in log
    expected = [
        *(("carl", one) for one in (Refusal.EXPIRED, Refusal.EXPIRED, Refusal.ELSEWHERE, Refusal.ELSEWHERE)),
        *(("carl", Refusal.PROOF), ("dora", Refusal.PROOF), ("carl", Refusal.PROOF)),
        ("(unknown)", Refusal.UNKNOWN),
    ]
    wait_until(lambda: recorded_refusals(house, "carl", "dora", "(unknown)") == expected, "they are recorded")


def recorded_refusals(house: House, *names: str) -> list[tuple[str, Refusal]]:
    """What the audit log says of those who did not come in, in the order of both workers' clocks."""
    found = [read_record(one) for one in contents(house.gateway.folder / "audit")]
    failed = [one for one in found if isinstance(one, LoginFailed) and one.user in names]
    return [(one.user, one.refusal) for one in sorted(failed, key=lambda one: one.head.time)]


def test_what_is_over_may_be_tried_again_and_again(house: House) -> None:
    """A tool that reconnects by itself with what expired guesses nothing, and locks nobody out."""
    expired = house.give("emil", ago=timedelta(hours=1))
    for _ in range(12):
        assert not comes_in(house, "emil", expired)
    assert comes_in(house, "emil", house.give("emil"))


def test_a_stranger_does_not_learn_who_exists(house: House) -> None:
    """The salt of a name is the same before and after a sign-in, and has the length of any."""

    def salt(name: str) -> bytes:
        with RawClient.connect(house.gateway.port) as client:
            client.start(name, DATABASE)
            _, first = client.begin_scram("x")
            return first.split(b",", 1)[1]

    before = salt("gustav")
    house.give("gustav")
    assert salt("gustav") == before
    assert len(salt("nobody")) == len(before)


def test_who_is_locked_out_of_the_command_is_in_the_log(house: House) -> None:
    """The command has no log; the gateway's says it once, within a second or two."""
    way = ByPasswordAndCode(house.state, Rules())
    for number in range(Rules().failures):
        then = datetime.now(UTC) - timedelta(minutes=Rules().failures - number)
        with pytest.raises(LoginRefused):
            way.verify(PasswordAndCode("emil", Secret("wrong"), "000000"), source=sign_in.COMMAND, now=then)
    line = wait_until(lambda: logged(house.gateway, "sign-ins are locked"), "it is said")[0]
    assert (line["person"], line["source"]) == ("emil", "command")
    assert "login refused" in house.sign_in("emil")
    assert comes_in(house, "emil", house.give("emil"))
    assert len(logged(house.gateway, "sign-ins are locked")) == 1


# ---------------------------------------------------------------------------------- when it must end


def test_who_is_disabled_loses_open_sessions(house: House) -> None:
    """Within seconds, in the middle of a transaction; and nothing that was given counts any more."""
    password = house.give("dora")
    with connected(house, "dora", password) as client:
        client.until("Z")
        assert [tag for tag, _ in client.ask("BEGIN")] == ["C", "Z"]
        house.gateway.command("people", "disable", "dora")
        assert client.error()["C"] == "28000"
        assert client.is_closed()
    assert not comes_in(house, "dora", password)
    assert "login refused" in house.sign_in("dora")


def test_a_session_ends_when_its_sign_in_is_over(house: House) -> None:
    """It hears why, and where to go."""
    with connected(house, "gustav", house.give("gustav", session=timedelta(seconds=3))) as client:
        client.until("Z")
        fields = client.error()
        assert (fields["C"], "session-over" in fields["M"]) == ("57P01", True)
        assert "strongroom login" in fields["H"]


def test_who_is_taken_out_of_the_configuration_goes(house: House) -> None:
    """With the reload; who is left in it stays, and so do accounts."""
    read = configuration(house.gateway)
    with (
        connected(house, "anna", house.give("anna")) as leaving,
        connected(house, "carl", house.give("carl")) as staying,
        psycopg.connect(house.gateway.uri()) as account,
    ):
        leaving.until("Z")
        staying.until("Z")
        people = {name: person for name, person in read["people"].items() if name != "anna"}
        house.gateway.configure(read | {"people": people})
        house.gateway.signal(signal.SIGHUP)
        assert leaving.error()["C"] == "28000"
        assert [tag for tag, _ in staying.ask("SELECT 1")] == ["T", "D", "C", "Z"]
        assert account.execute("SELECT 1").fetchone() == (1,)
    house.gateway.configure(read)
    house.gateway.signal(signal.SIGHUP)
    wait_until(
        lambda: len(logged(house.gateway, "configuration reloaded")) == 4, "both workers have it again"
    )
    assert comes_in(house, "anna", house.give("anna"))


def test_places_are_given_back(house: House) -> None:
    """Whoever was let in, refused late, or expelled."""
    wait_until(lambda: connections(house.gateway) == 0, "nobody is counted")
