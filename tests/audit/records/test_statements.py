"""Records of statements: what must never be in them."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strongroom.audit.records.encoding import encode
from strongroom.audit.records.keyed import KeyedColumn
from strongroom.audit.records.lines import Session, Shape, keyed_hashes
from strongroom.audit.records.shared import Client, Head, Holder, Result
from strongroom.audit.records.statements import Deed, Outcome, Permitted, Plan
from strongroom.sql.normalized import Normalized, normalized

HEAD = Head(1_763_860_000_000, 1, "worker 1", "shop/gateway", "0.1.0")
CLIENT = Client("support-1", Holder.PERSON, "1/shop/1", "192.0.2.1", "psql")
KEYED = KeyedColumn(bytes(range(32)), "shop", "public", "customers", "id")
OUTCOME = Outcome(Result.SUCCESS, "00000", 3, 1, 1)

STATEMENTS = [
    "select name, {0} from customers where id = {1} and email like {0}",
    "insert into customers (id, name) values ({0}, {1}), ({1}, {0})",
    "update customers set name = {0} where id in ({0}, {1}) returning {1}",
    "with a as (select {0} as b) delete from customers using a where name = a.b or name = {1}",
    "alter role support password {0}; comment on table customers is {1}",
    "copy customers from stdin with (delimiter {0}, null {1})",
    "do {0}; set a.b = {1}",
    "selec {0} from {1}",
]


def plan(found: Normalized) -> Plan:
    """As a statement about customers has it."""
    return Plan(
        Deed.QUERY, found.fingerprint, found.text, ("public.customers",), ("public.customers.name",), (),
        ("public.customers.id",), (), ("select",), (),
        ("roles.support.tables",),
    )  # fmt: skip


def texts(octets: bytes) -> str:
    """All that a reader of the record sees, escapes taken out."""
    return json.dumps(json.loads(octets), ensure_ascii=False).replace("\\\\", "\\").replace('\\"', '"')


VALUES = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\0"), min_size=3, max_size=20
).map(lambda text: f"zq{text}")


@pytest.mark.parametrize("statement", STATEMENTS)
@settings(max_examples=40)
@given(one=VALUES, other=VALUES)
def test_no_value_is_in_a_record(statement: str, one: str, other: str) -> None:
    """Whatever values are in a statement, or are its parameters, none is in its record; fast or slow."""
    quoted = ["'" + value.replace("'", "''") + "'" for value in (one, other)]
    hashes = KEYED.of(one.encode()), KEYED.of(other.encode())
    for found in normalized(statement.format(*quoted)):
        record = Permitted(HEAD, CLIENT, plan(found), OUTCOME, "shop", 1, hashes)
        octets = encode(record)
        line = Shape(HEAD, record.plan, keyed=True).line(Session(HEAD, CLIENT, "shop"))
        assert octets == line.permitted(HEAD.time, 1, 1, 3, rows=1, values=1, keyed=keyed_hashes(hashes))
        for value in (one, other):
            assert value not in texts(octets)
            assert value.encode().hex() not in octets.decode()


@settings(max_examples=20)
@given(one=VALUES, other=VALUES)
def test_records_of_other_values_are_the_same(one: str, other: str) -> None:
    """But for the keyed hashes: so nothing about a value is in the rest, not even its length."""
    records = []
    for value in (one, other):
        (found,) = normalized("select name from customers where id = '" + value.replace("'", "''") + "'")
        records.append(encode(Permitted(HEAD, CLIENT, plan(found), OUTCOME, "shop", 1)))
    assert records[0] == records[1]
