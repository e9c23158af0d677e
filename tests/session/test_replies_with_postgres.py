"""Random pipelines through a relay to a real PostgreSQL: every row finds the statement that gave it."""

import json
import random
from collections.abc import Callable

import pytest
from tests.session.conversation import split

from strongroom.session.guarded import GuardedRelay
from strongroom.session.relay import Limits
from strongroom.session.replies import Owed, Request
from strongroom.session.snapshot import Snapshot
from strongroom.session.statements import Portal
from strongroom.sql.schema import CATALOG_QUERY, Schema
from strongroom.testing.raw_client import RawClient
from strongroom.testing.servers import PostgresServer
from strongroom.wire.postgres import messages as m

END = m.SYNC + m.Query("ROLLBACK").serialise() + m.Query("SELECT 'the end'").serialise()


class Watching(GuardedRelay):
    """Notes the rows that come, each with the request that it was attributed to."""

    def __init__(self, snapshot: Snapshot) -> None:
        super().__init__(Limits(1 << 20, 100), snapshot)
        self.rows: list[tuple[Owed, bytes]] = []
        self.bound: list[Portal] = []

    def _put_portal(self, name: str, portal: Portal | None) -> Callable[[], None] | None:
        if portal is not None:
            self.bound.append(portal)
        return super()._put_portal(name, portal)

    def text_of(self, run: object) -> str:
        """The statement that a run was bound to."""
        [statement] = [one.statement for one in self.bound if one.run is run]
        assert statement is not None
        return statement.text

    def _answered(self, owed: Owed, tag: int, data: bytes, start: int, end: int) -> bytes | None:
        if tag == ord("D") and not owed.mine:
            self.rows += [(owed, body) for _, body in split(data[start:end])]
        return super()._answered(owed, tag, data, start, end)


def pipeline(chance: random.Random, count: int) -> list[bytes]:
    """Messages of a client that does everything at once and much of it wrong."""

    def name() -> str:
        return chance.choice(["", "a", "b"])

    makers: list[Callable[[], bytes]] = [
        lambda: m.Parse(name(), f"SELECT {chance.randrange(10**6)}").serialise(),
        lambda: m.Parse(name(), "SELEC").serialise(),
        lambda: m.Bind(name(), name()).serialise(),
        lambda: m.Bind(name(), name()).serialise(),
        lambda: m.Execute(name()).serialise(),
        lambda: m.Execute(name()).serialise(),
        lambda: m.Target(chance.choice("SP"), name()).describe(),
        lambda: m.Target(chance.choice("SP"), name()).close(),
        lambda: m.SYNC,
        lambda: m.SYNC,
        lambda: m.FLUSH,
        lambda: m.Query(chance.choice(["SELECT 1; SELECT 1/0; SELECT 2", "", "SELEC"])).serialise(),
        lambda: m.Query(chance.choice(["BEGIN", "COMMIT", "ROLLBACK", "DEALLOCATE ALL"])).serialise(),
    ]
    makers += [
        lambda: b"".join(make() for make in (makers[7], makers[8], makers[0], makers[2], makers[4])),
        lambda: _run(name(), name(), chance.randrange(10**6)),
        lambda: _run(name(), name(), chance.randrange(10**6)) + m.SYNC,
    ]
    weights = [8, 1, 6, 6, 6, 6, 2, 2, 5, 5, 1, 1, 2, 6, 12, 12]
    return [chance.choices(makers, weights)[0]() for _ in range(count)]


def _run(statement: str, portal: str, number: int) -> bytes:
    """Prepare anew, bind and execute."""
    anew = m.Target("S", statement).close() + m.Target("P", portal).close()
    anew += m.Parse(statement, f"SELECT {number}").serialise() + m.Bind(portal, statement).serialise()
    return anew + m.Execute(portal).serialise()


@pytest.mark.parametrize("seed", range(40))
def test_every_row_finds_its_statement(postgres: PostgresServer, seed: int) -> None:
    """Whatever is pipelined, the rows of an Execute are those of the statement that the relay thinks of."""
    chance = random.Random(seed)
    with postgres.connect() as db:
        found = db.execute(f"SELECT ({CATALOG_QUERY.rstrip().rstrip(';')})::text".encode()).fetchone()
    assert found is not None
    relay = Watching(Snapshot(Schema.from_catalog(json.loads(found[0])), {}, {}, {}))
    with RawClient.connect(postgres.port) as upstream:
        upstream.log_in("postgres", postgres.password, "postgres", m.PROTOCOL_3_0)
        heard = b""
        for sent in [*pipeline(chance, 60), END]:
            relay.client(sent)
            while relay.waiting:  # the driver reads no more of the client either
                heard += _pump(relay, upstream)
        while not heard.endswith(b"the end" + b"C\0\0\0\x0dSELECT 1\0" + b"Z\0\0\0\x05I"):
            heard += _pump(relay, upstream)
    assert relay.idle
    assert any(owed.request is Request.EXECUTE for owed, _ in relay.rows)
    for owed, body in relay.rows:
        if owed.request is Request.EXECUTE:
            assert relay.text_of(owed.subject) == f"SELECT {body[6:].decode()}"


def _pump(relay: GuardedRelay, upstream: RawClient) -> bytes:
    upstream.send(b"".join(relay.to_upstream))
    relay.to_upstream.clear()
    relay.upstream(upstream.socket.recv(1 << 16))
    heard = b"".join(relay.to_client)
    relay.to_client.clear()
    return heard
