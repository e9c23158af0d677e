"""session/waiting.py: a session waits for a long text, and keeps in order what comes meanwhile."""

import pytest
from tests.protect.samples import CREATED, Counted
from tests.session.conversation import BOUND, DONE, IDLE, LIMITS, PARSED
from tests.session.guarding import Guarded
from tests.session.test_policing import Judge
from tests.session.test_rounds import data_row
from tests.session.test_series import CLOSED, snapshot

from strongroom.errors import StatementTooComplex
from strongroom.keys.generate import new_keyset
from strongroom.protect.scheme import Scheme
from strongroom.protect.tenants import TenantCodecs
from strongroom.session.analyses import Question
from strongroom.session.assuming import Wish
from strongroom.session.guarded import GuardedRelay
from strongroom.session.snapshot import Snapshot
from strongroom.sql.resolve import analyse
from strongroom.sql.schema import Column, Relation, Schema
from strongroom.sql.statement import Analysis, Context
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres import types
from strongroom.wire.postgres.codec import message

PATH = b'{"path": ["pg_catalog", "public"]}'
LOOKED = PARSED + BOUND + data_row(PATH, b"{}") + DONE + CLOSED + CLOSED + IDLE
"""The answer to the gateway's own question for the search path."""

COUNT = 2_000
LONG = m.Query("INSERT INTO people (id, email) VALUES " + ", ".join(f"({n}, 'e{n}')" for n in range(COUNT)))
NEXT = m.Query("SELECT 1").serialise()


def waiting() -> tuple[GuardedRelay, Question]:
    """A relay that waits for the analysis of a long text, and its question."""
    relay = GuardedRelay(LIMITS, snapshot())
    relay.client(LONG.serialise())
    relay.upstream(LOOKED)
    relay.to_upstream.clear()
    question = relay.take_question()
    assert question is not None
    assert relay.waiting
    return relay, question


def analysed(question: Question) -> Analysis:
    """What the analyst would say."""
    known = question.snapshot
    assert isinstance(known, Snapshot)
    return analyse(question.text, question.declared, Context(known.schema, known.protections, question.path))


def taken(relay: GuardedRelay) -> bytes:
    """What goes upstream, with all the turns that it needs."""
    while relay.wants_turn:
        relay.go_on()
    octets = b"".join(relay.to_upstream)
    relay.to_upstream.clear()
    return octets


def test_a_long_text_is_sealed_when_its_analysis_is_there() -> None:
    """Before that nothing of it goes upstream; its literals take more than one turn."""
    relay, question = waiting()
    assert (question.text, relay.to_upstream) == (LONG.text, [])
    relay.answered(question, analysed(question))
    assert relay.wants_turn
    sent = taken(relay)
    assert sent.startswith(b"Q")
    assert sent.count(b"::pg_catalog.bytea") == COUNT
    assert b"'e7'" not in sent
    assert not relay.waiting


def test_what_comes_meanwhile_follows_it() -> None:
    """In its order, whatever upstream says in between; and the question is asked once."""
    relay, question = waiting()
    relay.client(NEXT)
    relay.upstream(m.ParameterStatus("application_name", "x").serialise())
    relay.client(NEXT)
    assert relay.take_question() is None
    assert taken(relay) == b""
    relay.answered(question, analysed(question))
    sent = taken(relay)
    assert sent.endswith(b"::pg_catalog.bytea)\0" + NEXT + NEXT)


def test_a_refusal_is_the_text_s_own() -> None:
    """What follows goes on."""
    relay, question = waiting()
    relay.client(NEXT)
    relay.answered(question, StatementTooComplex("no"))
    sent = taken(relay)
    assert b"strongroom refused" in sent
    assert sent.endswith(NEXT)
    assert relay.refused == ["statement-too-complex"]


def test_another_catalog_is_another_question() -> None:
    """What was found under the old one is not used."""
    relay, question = waiting()
    relay.share(snapshot())
    relay.answered(question, analysed(question))
    again = relay.take_question()
    assert again is not None
    assert again.snapshot is not question.snapshot
    assert taken(relay) == b""
    relay.answered(again, analysed(again))
    assert taken(relay).count(b"::pg_catalog.bytea") == COUNT


def test_no_literal_stays_behind() -> None:
    """When the text has gone, nothing is kept of it: the same text is asked about again."""
    relay, question = waiting()
    relay.answered(question, analysed(question))
    taken(relay)
    assert relay.held == 0
    relay.upstream(DONE + IDLE)
    relay.client(LONG.serialise())
    assert relay.take_question() is not None


OWNED = Relation(
    16600,
    "public",
    "owned",
    "r",
    (Column(1, "tenant", types.TEXT, -1), Column(2, "iban", types.BYTEA, -1)),
)
SCHEME = Scheme.parse("shop", "public.owned.iban", type="text", encryption="randomized", tenant="tenant")


def of_tenants(*names: str, automatic: bool = True) -> Snapshot:
    """A table whose rows belong to tenants, of which these have keys."""
    keysets = {name: new_keyset(SCHEME.of_tenant(name), CREATED) for name in names}
    codecs = {SCHEME.column: TenantCodecs(SCHEME, keysets, Counted())}
    empty = Snapshot(Schema({}), {SCHEME.column: SCHEME}, {}, codecs, makes_tenants=automatic)
    return empty.with_schema(Schema({OWNED.oid: OWNED}))


WRITTEN = m.Query("INSERT INTO owned (tenant, iban) VALUES ('acme', 'AC12')").serialise()
BOUND_TO_IT = (
    m.Parse("", "INSERT INTO owned (tenant, iban) VALUES ($1, $2)").serialise()
    + m.Bind("", "", (), (b"acme", b"AC12")).serialise() + m.Execute("").serialise() + m.SYNC
)  # fmt: skip


@pytest.mark.parametrize("text", [WRITTEN, BOUND_TO_IT])
def test_what_is_first_written_for_a_tenant_waits_for_its_keys(text: bytes) -> None:
    """It is asked for once; then the statement goes upstream, sealed, and what follows it after it."""
    talk = Guarded(of_tenants())
    sent, _ = talk.client(text + NEXT)
    assert b"AC12" not in sent
    assert b"SELECT 1" not in sent
    assert talk.relay.take_tenant() == "acme"
    assert talk.relay.take_tenant() is None
    talk.relay.share(of_tenants("acme"))
    talk.relay.tenant_made()
    sent = b"".join(talk.relay.to_upstream)
    assert b"AC12" not in sent
    assert b"acme" in sent
    if text is WRITTEN:
        assert sent.endswith(NEXT)


@pytest.mark.parametrize("text", [WRITTEN, BOUND_TO_IT])
def test_a_tenant_that_is_not_made_is_refused(text: bytes) -> None:
    """Once the keys were refused; the next statement asks again, where it may."""
    talk = Guarded(of_tenants())
    for _ in range(2):
        talk.client(text)
        assert talk.relay.take_tenant() == "acme"
        talk.relay.tenant_made()
        assert b"strongroom refused" in b"".join(talk.relay.to_upstream)
        assert b"AC12" not in b"".join(talk.relay.to_upstream)
        talk.relay.to_upstream.clear()
    by_hand = Guarded(of_tenants(automatic=False))
    assert b"strongroom refused" in by_hand.client(text)[0]
    assert by_hand.relay.take_tenant() is None


@pytest.mark.parametrize("written", [True, False])
def test_what_follows_an_assumption_waits_until_it_is_written_down(written: bool) -> None:
    """The next statement is judged when it is known whether the role counts."""
    talk, judge = Guarded(), Judge()
    talk.relay.police(judge, "")
    asked = m.Query("SET strongroom.role = 'dba: order 17'").serialise()
    assert talk.client(asked)[0] == asked
    talk.style = {"strongroom.role": "dba: order 17"}
    talk.upstream(message(b"C", b"SET\0") + IDLE)
    assert talk.client(NEXT)[0] == b""
    assert talk.relay.take_wish() == Wish("dba", "order 17")
    assert talk.relay.take_wish() is None
    assert talk.client(NEXT)[0] == b""
    talk.relay.assumed(written=written)
    assert b"".join(talk.relay.to_upstream) == NEXT + NEXT
    assert judge.heard[-1].assumed == ("dba" if written else "")
