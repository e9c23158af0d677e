"""gateway/keeper.py: in a gateway that runs, a tenant's key goes when it is withdrawn, and comes back."""

import asyncio
import json
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from tests.conftest import missing
from tests.gateway.serving import logged
from tests.gateway.tenants import IBAN, TABLE

from strongroom.config import Settings, load
from strongroom.gateway.gate import upstream_of
from strongroom.gateway.kept import Place
from strongroom.gateway.newcomers import Site, add
from strongroom.gateway.protection import open_keks, prepare
from strongroom.gateway.tenants import PATIENCE_SECONDS
from strongroom.keys.root.file import FileRoot
from strongroom.keys.store import KeyStore
from strongroom.keys.uses import Reservations
from strongroom.protect.canonical import Sent
from strongroom.protect.plan import ColumnCodec
from strongroom.protect.scheme import Scheme
from strongroom.protect.style import TextStyle
from strongroom.state import open_state
from strongroom.testing.certificates import Authority
from strongroom.testing.gateway import Gateway
from strongroom.testing.installations import openbao as find_openbao
from strongroom.testing.openbao import ROOT_POLICY, OpenBao
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

pytestmark = pytest.mark.xdist_group("openbao")

COLUMN = "public.people.iban"
CACHE_SECONDS = 2
GRACE = CACHE_SECONDS + 6.0
"""Until what was withdrawn is gone: a second more than the cache's time, and what a loaded machine needs."""
NUMBERS = {"acme": "AC12", "globex": "GL34"}


@dataclass
class Served:
    """A gateway of two workers before rows of two tenants, of which acme may hold its own key."""

    gateway: Gateway
    server: PostgresServer
    tenants: tuple[str, ...] = ()

    @property
    def settings(self) -> Settings:
        """The configuration."""
        return load(self.gateway.configuration, dict(self.gateway.environment))

    def add(self, *names: str) -> None:
        """As `strongroom keys tenants add` does it."""

        async def work() -> None:
            upstream = upstream_of(self.gateway.database, self.settings)
            place = Place(self.gateway.database, upstream, upstream)
            prepared = await prepare(self.settings, state, [place], to_seal=True)
            await add(Site(self.settings, state, place, prepared.roots), names)

        state = open_state(self.settings.state)
        try:
            asyncio.run(work())
        finally:
            state.close()

    def store(self, number: int, tenant: str) -> None:
        """Puts a sealed value of a tenant into the table, past the gateway."""
        state = open_state(self.settings.state)
        try:
            store = KeyStore(state.engine, open_keks(self.settings, state))
            scheme = Scheme.parse(self.gateway.database, COLUMN, type="text", encryption="randomized")
            one = scheme.of_tenant(tenant)
            codec = ColumnCodec(one, store.load()[one.keyset], Reservations(store.reserve))
            sealed = codec.seal(NUMBERS[tenant].encode(), Sent(TextStyle()))
        finally:
            state.close()
        with self.server.connect(self.gateway.database) as direct:
            direct.execute("INSERT INTO people VALUES (%s, %s, %s)", [number, tenant, sealed])

    def session(self) -> psycopg.Connection[Any]:
        """A session of an application."""
        return psycopg.connect(self.gateway.uri(), autocommit=True)


def read(session: psycopg.Connection[Any], tenant: str) -> str:
    """The tenant's number, or the SQLSTATE of the error that comes in its place."""
    try:
        found = session.execute("SELECT iban FROM people WHERE tenant = %s", [tenant]).fetchone()
    except psycopg.Error as error:
        return error.sqlstate or str(error)
    assert found is not None
    return str(found[0])


def opens(served: Served, tenant: str) -> bool:
    """Whether a new session gets the tenant's number."""
    with served.session() as one:
        return read(one, tenant) == NUMBERS[tenant]


@contextmanager
def serving(server: PostgresServer, own: dict[str, str], **variables: str) -> Iterator[Served]:
    """A gateway of a new database; ``own`` are providers by tenant."""
    database = server.create_database(f"db{secrets.token_hex(4)}")
    server.run(TABLE, database)

    def first(gateway: Gateway) -> None:
        (gateway.folder / "copies").mkdir(mode=0o700)
        configure(gateway, own, destroy_delay_days=0)
        served = Served(gateway, server)
        served.add(*NUMBERS)
        for number, tenant in enumerate(NUMBERS):
            served.store(number, tenant)

    columns = {"columns": {COLUMN: IBAN}}
    with Gateway.start(
        server, database, workers=2, more=columns, first=first, variables=variables
    ) as gateway:
        yield Served(gateway, server)


def configure(gateway: Gateway, own: dict[str, str], **more: object) -> None:
    """Writes where the keys of tenants are."""
    written = yaml.safe_load(gateway.configuration.read_text())
    written["keys"]["tenants"] = {
        "copies": "copies",
        "cache_seconds": CACHE_SECONDS,
        "own": {f"{gateway.database}@{tenant}": address for tenant, address in own.items()},
        **more,
    }
    gateway.configure(written)


@pytest.fixture(scope="module")
def own_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that stands for acme's provider."""
    folder = tmp_path_factory.mktemp("acme")
    FileRoot.create(folder / "own.key", None)
    return folder / "own.key"


@pytest.fixture(scope="module")
def served(shop: PostgresServer, own_key: Path) -> Iterator[Served]:
    """A gateway of which acme holds its own key."""
    with serving(shop, {"acme": f"file:{own_key}"}) as one:
        yield one


@contextmanager
def withdrawn(key: Path) -> Iterator[None]:
    """While the provider has not got the key."""
    key.rename(key.with_suffix(".away"))
    try:
        yield
    finally:
        key.with_suffix(".away").rename(key)


def test_a_withdrawn_key_opens_nothing_in_any_session(served: Served, own_key: Path) -> None:
    """Of sessions that are new, idle, and in a transaction; others' values open all the time."""
    with served.session() as idle, served.session() as busy:
        assert read(idle, "acme") == read(busy, "acme") == NUMBERS["acme"]
        busy.execute("BEGIN")
        with withdrawn(own_key):
            wait_until(lambda: read(idle, "acme") != NUMBERS["acme"], "the key is taken away")
            assert read(busy, "acme") != NUMBERS["acme"]
            assert not opens(served, "acme")
            assert all(opens(served, "globex") for _ in range(4))
        wait_until(lambda: opens(served, "acme"), "the key is given again")
    (line,) = logged(served.gateway, "the key of a tenant was taken away")
    assert line["tenant"] == f"{served.gateway.database}@acme"
    assert len(logged(served.gateway, "the key of a tenant is here again")) == 1


def test_rows_on_their_way(served: Served, own_key: Path) -> None:
    """A cursor that was opened before gives others' values, and no longer those of the tenant."""
    with served.session() as theirs, served.session() as acmes, served.session() as watch:
        for session, tenant in ((theirs, "globex"), (acmes, "acme")):
            session.execute("BEGIN")
            session.execute(
                f"DECLARE rows CURSOR FOR SELECT iban FROM people WHERE tenant = '{tenant}'".encode()
            )
        with withdrawn(own_key):
            wait_until(lambda: read(watch, "acme") != NUMBERS["acme"], "the key is taken away")
            assert theirs.execute("FETCH rows").fetchone() == (NUMBERS["globex"],)
            with pytest.raises(psycopg.Error):
                acmes.execute("FETCH rows")
    wait_until(lambda: opens(served, "acme"), "the key is given again")


def test_others_work_while_it_goes(served: Served, own_key: Path) -> None:
    """Not one of their queries fails, in the sessions that they have."""
    with served.session() as theirs, served.session() as acmes, withdrawn(own_key):
        wrong = 0
        while read(acmes, "acme") == NUMBERS["acme"]:
            wrong += read(theirs, "globex") != NUMBERS["globex"]
        assert read(theirs, "globex") == NUMBERS["globex"]
        assert wrong == 0
    wait_until(lambda: opens(served, "acme"), "the key is given again")


def test_a_worker_that_starts_later_does_not_have_it(served: Served, own_key: Path) -> None:
    """What was withdrawn is not handed down; nor does a reload bring it back."""
    with withdrawn(own_key):
        wait_until(lambda: not opens(served, "acme"), "the key is taken away")
        count = len(logged(served.gateway, "configuration reloaded"))
        served.gateway.signal(signal.SIGHUP)
        wait_until(lambda: len(logged(served.gateway, "configuration reloaded")) >= count + 2, "reloaded")
        assert not opens(served, "acme")
        assert opens(served, "globex")
    wait_until(lambda: opens(served, "acme"), "the key is given again")


def test_a_start_without_the_provider(served: Served, own_key: Path) -> None:
    """The gateway serves everyone else, and the tenant as soon as its provider is there."""
    served.gateway.shut_down()
    with withdrawn(own_key):
        served.gateway.launch()
        assert not opens(served, "acme")
        assert opens(served, "globex")
    wait_until(lambda: opens(served, "acme"), "the key is given again")


def test_a_tenant_that_a_command_makes_is_soon_known(served: Served) -> None:
    """Without a reload, whoever wraps its key."""
    NUMBERS["initech"] = "IN56"
    served.add("initech")
    served.store(7, "initech")
    wait_until(lambda: opens(served, "initech"), "the new tenant's key is there")


def test_a_key_that_a_command_destroys_is_soon_gone(served: Served) -> None:
    """From the gateway that runs, without a reload; everyone else's stay."""
    NUMBERS["umbra"] = "UM78"
    served.add("umbra")
    served.store(8, "umbra")
    wait_until(lambda: opens(served, "umbra"), "the new tenant's key is there")
    with served.session() as one:
        assert read(one, "umbra") == NUMBERS["umbra"]
        for _ in range(2):
            served.gateway.command("keys", "tenants", "destroy", served.gateway.database, "umbra")
        wait_until(lambda: read(one, "umbra") != NUMBERS["umbra"], "the key is gone")
    assert not opens(served, "umbra")
    assert opens(served, "globex")


def test_a_customer_who_deletes_the_key_in_openbao(shop: PostgresServer, authority: Authority) -> None:
    """Its values stop opening within the cache's time; everyone else's keep working."""
    program = find_openbao()
    if program is None:
        missing("OpenBao")
    with OpenBao.start(program, authority) as bao:
        token = bao.make_root()
        address = f"vault:{bao.url}/transit/strongroom?token=${{ACME_TOKEN}}&ca={bao.certificate_authority}"
        with serving(shop, {"acme": address}, ACME_TOKEN=token) as one:
            assert opens(one, "acme")
            bao.call("POST", "transit/keys/strongroom/config", {"deletion_allowed": True})
            with one.session() as session:
                bao.call("DELETE", "transit/keys/strongroom")
                wait_until(lambda: read(session, "acme") != NUMBERS["acme"], "the key is taken away")
                assert opens(one, "globex")
            assert len(logged(one.gateway, "the key of a tenant was taken away")) == 1
            assert token not in one.gateway.log.read_text()


Step = Callable[[OpenBao, Gateway], None]


@dataclass(frozen=True)
class Withdrawal:
    """How a customer takes its key from us, and how it gives it again."""

    take: Step
    give: Step


def revoke(bao: OpenBao, gateway: Gateway) -> None:
    """The gateway's token is worth nothing any more."""
    bao.call("POST", "auth/token/revoke", {"token": gateway.environment["ACME_TOKEN"]})


def renew(bao: OpenBao, gateway: Gateway) -> None:
    """The configuration names another token, and the gateway is reloaded."""
    configure(gateway, {"acme": address_of(bao, "ACME_NEXT_TOKEN")})
    gateway.signal(signal.SIGHUP)


def forbid(bao: OpenBao, _: Gateway) -> None:
    """The token stays, and may do nothing."""
    bao.call("PUT", "sys/policies/acl/strongroom", {"policy": 'path "none" { capabilities = ["read"] }'})


def allow(bao: OpenBao, _: Gateway) -> None:
    """It may do again what a root needs."""
    bao.call("PUT", "sys/policies/acl/strongroom", {"policy": ROOT_POLICY})


def archive(bao: OpenBao, _: Gateway) -> None:
    """A new version of the transit key, and the one that wrapped the tenant's is archived."""
    bao.call("POST", "transit/keys/strongroom/rotate")
    bao.call("POST", "transit/keys/strongroom/config", {"min_decryption_version": 2})


def unarchive(bao: OpenBao, _: Gateway) -> None:
    """It opens again."""
    bao.call("POST", "transit/keys/strongroom/config", {"min_decryption_version": 1})


WITHDRAWALS = {
    "token revoked": Withdrawal(revoke, renew),
    "policy taken away": Withdrawal(forbid, allow),
    "version archived": Withdrawal(archive, unarchive),
}


def address_of(bao: OpenBao, variable: str) -> str:
    """The transit key as acme's provider."""
    return f"vault:{bao.url}/transit/strongroom?token=${{{variable}}}&ca={bao.certificate_authority}"


@pytest.mark.parametrize("way", WITHDRAWALS)
def test_a_customer_who_withdraws_the_key_in_openbao(
    shop: PostgresServer, authority: Authority, way: str
) -> None:
    """Its values stop opening within the cache's time, and only they; given again, they open again."""
    program = find_openbao()
    if program is None:
        missing("OpenBao")
    with OpenBao.start(program, authority) as bao:
        tokens = {"ACME_TOKEN": bao.make_root(), "ACME_NEXT_TOKEN": bao.token("strongroom")}
        with serving(shop, {"acme": address_of(bao, "ACME_TOKEN")}, **tokens) as one, one.session() as theirs:
            with one.session() as acmes:
                assert read(acmes, "acme") == NUMBERS["acme"]
                WITHDRAWALS[way].take(bao, one.gateway)
                wait_until(lambda: read(acmes, "acme") != NUMBERS["acme"], "the key is taken away", GRACE)
            assert not opens(one, "acme")
            assert read(theirs, "globex") == NUMBERS["globex"]
            assert opens(one, "globex")
            WITHDRAWALS[way].give(bao, one.gateway)
            wait_until(lambda: opens(one, "acme"), "the key is given again")
            assert read(theirs, "globex") == NUMBERS["globex"]
            (line,) = logged(one.gateway, "the key of a tenant was taken away")
            assert line["why"]
            about = [other["event"] for other in lines(one.gateway) if "@acme" in str(other)]
            assert about == ["the key of a tenant was taken away", "the key of a tenant is here again"]
            events = json.loads(one.gateway.command("keys", "events", "--json"))
            noted = [event["what"] for event in events if "@acme" in event["subject"]]
            assert noted[-2:] == ["tenant key withdrawn", "tenant key given again"]
            assert not [token for token in tokens.values() if token in one.gateway.log.read_text()]


def lines(gateway: Gateway) -> list[dict[str, Any]]:
    """The whole log."""
    found = (line for line in gateway.log.read_text().splitlines() if line.startswith("{"))
    return [json.loads(line) for line in found]


def test_reloads_while_a_provider_is_silent_do_not_prolong_it(
    shop: PostgresServer, authority: Authority
) -> None:
    """They begin while the key counts and end when it does not: what was gone once opens in no session."""
    program = find_openbao()
    if program is None:
        missing("OpenBao")
    with OpenBao.start(program, authority) as bao:
        token = bao.make_root()
        with serving(shop, {"acme": address_of(bao, "ACME_TOKEN")}, ACME_TOKEN=token) as one:
            bao.pause()
            try:
                silent = time.monotonic()
                found = [(opens(one, "acme"), time.monotonic() - silent)]
                for reload in range(2):
                    one.gateway.signal(signal.SIGHUP)
                    while len(logged(one.gateway, "configuration reloaded")) < 2 * (reload + 1):
                        found.append((opens(one, "acme"), time.monotonic() - silent))
                        assert found[-1][1] < 60, "the reloads do not end"
                found += [(opens(one, "acme"), time.monotonic() - silent) for _ in range(20)]
                assert opens(one, "globex")
            finally:
                bao.resume()
            opened = [well for well, _ in found]
            assert opened[0]
            assert opened == sorted(opened, reverse=True)
            assert found[opened.index(False)][1] < GRACE
            assert PATIENCE_SECONDS > CACHE_SECONDS  # so that each reload took longer than the key counted
            wait_until(lambda: opens(one, "acme"), "the provider answers")


@pytest.fixture(scope="module")
def automatic(shop: PostgresServer) -> Iterator[Gateway]:
    """A gateway of two workers that makes the keys of up to four tenants by itself."""
    database = shop.create_database(f"db{secrets.token_hex(4)}")
    shop.run(TABLE, database)

    def first(gateway: Gateway) -> None:
        (gateway.folder / "copies").mkdir(mode=0o700)
        configure(gateway, {}, add="automatic", limit=4)

    with Gateway.start(shop, database, workers=2, more={"columns": {COLUMN: IBAN}}, first=first) as gateway:
        yield gateway


INSERT = "INSERT INTO people (id, tenant, iban) VALUES (%s, %s, %s)"


def test_who_writes_first_waits_for_the_keys(automatic: Gateway) -> None:
    """By parameters and by literals, in sessions of any worker; the statement then does what it says."""
    with psycopg.connect(automatic.uri(), autocommit=True) as one:
        one.execute(INSERT, (1, "acme", "AC1"))
        one.execute("INSERT INTO people (id, tenant, iban) VALUES (2, 'globex', 'GL2')")
    for _ in range(4):
        with psycopg.connect(automatic.uri(), autocommit=True) as another:
            found = another.execute("SELECT tenant, iban FROM people ORDER BY id").fetchall()
            assert found == [("acme", "AC1"), ("globex", "GL2")]


def test_two_at_once_make_one(automatic: Gateway) -> None:
    """Sessions that write for the same new tenant all get through, and it has one key."""

    def write(number: int) -> None:
        with psycopg.connect(automatic.uri(), autocommit=True) as one:
            one.execute(INSERT, (number, "initech", f"IN{number}"))

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(write, range(10, 16)))
    with psycopg.connect(automatic.uri(), autocommit=True) as one:
        rows = one.execute("SELECT iban FROM people WHERE tenant = 'initech' ORDER BY id").fetchall()
    assert rows == [(f"IN{number}",) for number in range(10, 16)]
    made = logged(automatic, "the key of a tenant was made")
    assert [one["tenant"].partition("@")[2] for one in made].count("initech") == 1


def test_no_more_than_the_limit(automatic: Gateway) -> None:
    """Whoever writes names without end is refused; the session and the others go on."""
    with psycopg.connect(automatic.uri(), autocommit=True) as one:
        one.execute(INSERT, (20, "umbrella", "UM"))
        refused = [not writes(one, 21 + number, f"more{number}") for number in range(6)]
        assert refused == sorted(refused)  # once it is full, it is
        assert sum(refused) >= 3
        one.execute(INSERT, (30, "umbrella", "UM2"))


def writes(db: psycopg.Connection[Any], number: int, tenant: str) -> bool:
    """Whether a row of the tenant was written, and not refused since there are as many as there may be."""
    try:
        db.execute(INSERT, (number, tenant, "X"))
    except psycopg.errors.ObjectNotInPrerequisiteState:  # tenant-unknown
        return False
    return True


def test_a_silent_service_takes_away_the_keys_of_its_own_tenants_alone(
    shop: PostgresServer, authority: Authority, tmp_path: Path
) -> None:
    """It accepts and never answers: its many tenants wait for it, and nobody else does."""
    program = find_openbao()
    if program is None:
        missing("OpenBao")
    FileRoot.create(tmp_path / "acme.key", None)
    with OpenBao.start(program, authority) as bao:
        token = bao.make_root()
        many = {f"t{number}": address_of(bao, "MANY_TOKEN") for number in range(40)}
        own = {"acme": f"file:{tmp_path / 'acme.key'}", **many}
        with serving(shop, own, MANY_TOKEN=token) as one:
            scopes = {f"{one.gateway.database}@{name}" for name in many}
            one.add(*many)
            here, gone = "the key of a tenant is here again", "the key of a tenant was taken away"
            wait_until(lambda: _tenants(one.gateway, here) >= scopes, "all of them are here", 60)
            bao.pause()
            try:
                wait_until(lambda: _tenants(one.gateway, gone) >= scopes, "all of them are gone", 60)
                until = time.monotonic() + 3 * CACHE_SECONDS
                while time.monotonic() < until:
                    assert opens(one, "acme")
            finally:
                bao.resume()
            assert _tenants(one.gateway, gone) == scopes


def _tenants(gateway: Gateway, event: str) -> set[str]:
    """Those of whom the log says so."""
    return {str(line["tenant"]) for line in logged(gateway, event)}
