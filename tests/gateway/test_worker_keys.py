"""A worker whose keys of tenants come and go, of which the test is the supervisor.

What the supervisor said last is what counts, however its words fall: among reloads, while TLS is settled,
while the worker drains.
"""

import secrets
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from tests.conftest import Servers
from tests.gateway.one_worker import PASSWORD, Worker, admitted, prove, said
from tests.gateway.tenants import IBAN, Shop

from strongroom.keys.kek import Keks, danger_written, kek_name
from strongroom.keys.store import KeyStore
from strongroom.keys.uses import Reservations
from strongroom.protect.canonical import Sent
from strongroom.protect.plan import ColumnCodec
from strongroom.protect.scheme import Scheme
from strongroom.protect.style import TextStyle
from strongroom.secret import Secret
from strongroom.testing.certificates import Authority
from strongroom.testing.installations import EMBEDDED
from strongroom.testing.raw_client import Ended, RawClient
from strongroom.testing.waiting import wait_until
from strongroom.wire.postgres.messages import SSL_REQUEST
from strongroom.wire.postgres.verifier import SALT_BYTES, make_verifier

NUMBERS = {"acme": "AC12", "globex": "GL34"}


@dataclass
class Site:
    """A database with a value of each tenant, the keys of all, and a listener with TLS."""

    shop: Shop
    keks: Keks
    listener: socket.socket
    authority: Authority

    def content(self, password: str = PASSWORD) -> str:
        """The configuration of the worker."""
        written = self.shop.configuration
        made = self.authority.server("localhost", "127.0.0.1")
        database = written["databases"][self.shop.database]
        database["upstream_password"] = self.shop.server.password
        database["tls"] = {"certificate": str(made.certificate), "key": str(made.key)}
        verifier = make_verifier(Secret(password), secrets.token_bytes(SALT_BYTES)).text()
        return yaml.safe_dump(
            written | {"accounts": {"app": {"databases": [self.shop.database], "password": verifier}}}
        )

    @property
    def acme(self) -> str:
        """The name of acme's key."""
        return kek_name(f"{self.shop.database}@acme")

    def reload(self) -> bytes:
        """What a worker hears of a reload that began while acme's key counted."""
        return said("reload", content=self.content(), keks=danger_written(self.keks))

    def gone(self) -> bytes:
        """What it hears when acme's key is taken away."""
        return said("tenants", keks=[], gone=[self.acme])

    @contextmanager
    def worker(self) -> Iterator[Worker]:
        """One that is ready, and has all keys."""
        database, keks = self.shop.database, danger_written(self.keks)
        with Worker(self.shop.folder, self.content(), self.listener, database=database, keks=keks) as one:
            assert one.said() == {"what": "ready"}, one.log.read_text()
            yield one

    @contextmanager
    def session(self, worker: Worker) -> Iterator[RawClient]:
        """A session in it."""
        with self.begun() as client:
            self.log_in(client, worker)
            yield client

    @contextmanager
    def begun(self) -> Iterator[RawClient]:
        """A connection for which TLS was asked, and not begun."""
        with RawClient.connect(self.listener.getsockname()[1]) as client:
            assert client.ask_for(SSL_REQUEST) == b"S"
            yield client

    def log_in(self, client: RawClient, worker: Worker) -> None:
        """Makes a session of it."""
        client.wrap(ssl.create_default_context(cafile=self.authority.certificate))
        prove(client, database=self.shop.database)
        admitted(worker)
        client.until("Z")


@pytest.fixture
def site(servers: Servers, authority: Authority, tmp_path: Path) -> Iterator[Site]:
    """Two tenants, a value each."""
    shop = Shop.make(tmp_path, servers.server(EMBEDDED))
    shop.columns = {"public.people.iban": IBAN}
    shop.add(*NUMBERS)
    keks = shop.prepared().keks
    scheme = Scheme.parse(shop.database, "public.people.iban", type="text", encryption="randomized")
    with shop.state() as state, shop.server.connect(shop.database) as direct:
        store = KeyStore(state.engine, keks)
        for number, (tenant, plain) in enumerate(NUMBERS.items()):
            one = scheme.of_tenant(tenant)
            codec = ColumnCodec(one, store.load()[one.keyset], Reservations(store.reserve))
            sealed = codec.seal(plain.encode(), Sent(TextStyle()))
            direct.execute(
                "INSERT INTO people (id, tenant, iban) VALUES (%s, %s, %s)", [number, tenant, sealed]
            )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield Site(shop, keks, listener, authority)


def opens(client: RawClient, tenant: str) -> bool:
    """Whether the session gets the tenant's number; where it does not, it may end."""
    try:
        came = client.ask(f"SELECT iban FROM people WHERE tenant = '{tenant}'")
    except Ended:
        return False
    return any(tag == "D" and body.endswith(NUMBERS[tenant].encode()) for tag, body in came)


def reloaded(worker: Worker, times: int = 1) -> None:
    """It has taken so many reloads."""
    wait_until(lambda: len(worker.logged("configuration reloaded")) >= times, "it is reloaded")


def test_what_is_taken_away_behind_a_reload_stays_away(site: Site) -> None:
    """Both are heard at once, and the reload, which had the key still, begins after that."""
    with site.worker() as worker, site.session(worker) as client:
        assert opens(client, "acme")
        worker.hears_at_once(site.reload(), site.gone())
        reloaded(worker)
        assert not opens(client, "acme")
        with site.session(worker) as another:
            assert opens(another, "globex")
            assert not opens(another, "acme")


def test_what_is_taken_away_behind_two_reloads_stays_away(site: Site) -> None:
    """The first one's end does not make the second one deaf."""
    with site.worker() as worker:
        for turn in range(1, 4):
            worker.hears_at_once(site.reload(), site.reload(), site.reload(), site.gone())
            reloaded(worker, 3 * turn)
            with site.session(worker) as client:
                assert opens(client, "globex")
                assert not opens(client, "acme")
            worker.hears("tenants", keks=danger_written(Keks.of([site.keks.by_name[site.acme]])), gone=[])


def test_it_is_taken_from_who_settles_tls_meanwhile(site: Site) -> None:
    """Nobody tells a connection that is no session yet, and it has all keys when it becomes one."""
    with site.worker() as worker, site.session(worker) as watch, site.begun() as client:
        worker.hears_at_once(site.gone())
        wait_until(lambda: not opens(watch, "acme"), "the key is gone")
        site.log_in(client, worker)
        assert opens(client, "globex")
        assert not opens(client, "acme")


def test_it_is_taken_from_sessions_that_a_worker_waits_for(site: Site) -> None:
    """While it drains it hears still."""
    with site.worker() as worker, site.session(worker) as client:
        client.ask("BEGIN")
        worker.hears("drain")
        assert opens(client, "acme")
        worker.hears_at_once(site.gone())
        wait_until(lambda: not opens(client, "acme"), "the key is gone")
