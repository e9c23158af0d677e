"""Keyed hashes of parameters."""

import hashlib
import hmac
import pickle

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from strongroom.audit.records.keyed import KeyedColumn
from strongroom.audit.records.statements import Keyed
from strongroom.errors import Bug, IllegalTransition
from strongroom.protect.canonical import BINARY_FORMAT, TEXT_FORMAT, Sent, encode
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres import types
from strongroom.wire.postgres.types import DeclaredType

SECRET = bytes(range(32))
CUSTOMERS = "shop", "public", "customers", "id"


def test_the_hash_is_what_the_specification_says() -> None:
    """HKDF-SHA-256 over the four names, then HMAC-SHA-256, of which 16 octets are kept."""
    info = b"".join(
        len(one).to_bytes(4) + one for one in [b"strongroom.audit.keyed.v1", *map(str.encode, CUSTOMERS)]
    )
    key = HKDF(SHA256(), 32, salt=None, info=info).derive(SECRET)
    expected = hmac.new(key, b"\0\0\x12\x67", hashlib.sha256).hexdigest()[:32]
    assert KeyedColumn(SECRET, *CUSTOMERS).of(b"\0\0\x12\x67") == Keyed("public.customers.id", expected)


def test_one_value_has_one_hash_however_it_is_written() -> None:
    """Text or binary, with blanks or zeros: what is hashed is the canonical plaintext."""
    style = TextStyle()
    declared = DeclaredType(types.INT4)
    texts = [encode(declared, one, Sent(style, 0, TEXT_FORMAT)) for one in (b"4711", b" 004711 ", b"+4711")]
    binary = encode(declared, (4711).to_bytes(4), Sent(style, 0, BINARY_FORMAT))
    column = KeyedColumn(SECRET, *CUSTOMERS)
    assert len({column.of(one).hash for one in [*texts, binary]}) == 1
    assert column.of(encode(declared, b"4712", Sent(style))) != column.of(binary)


@pytest.mark.parametrize(
    "other",
    [("shop", "public", "orders", "id"), ("shop", "public", "customers", "number"), ("test", *CUSTOMERS[1:])],
)
def test_columns_are_not_compared(other: tuple[str, ...]) -> None:
    """The same value has another hash in another column or database."""
    assert KeyedColumn(SECRET, *other).of(b"x").hash != KeyedColumn(SECRET, *CUSTOMERS).of(b"x").hash


def test_another_secret_is_another_hash() -> None:
    """Once a secret is destroyed nobody can try values."""
    assert KeyedColumn(SECRET[::-1], *CUSTOMERS).of(b"x") != KeyedColumn(SECRET, *CUSTOMERS).of(b"x")


def test_a_short_secret_is_a_bug() -> None:
    """Whoever can try all secrets can try all values."""
    with pytest.raises(Bug):
        KeyedColumn(bytes(31), *CUSTOMERS)


def test_the_key_does_not_show() -> None:
    """Neither printed nor pickled."""
    column = KeyedColumn(SECRET, *CUSTOMERS)
    assert repr(column) == "<KeyedColumn public.customers.id>"
    with pytest.raises(IllegalTransition):
        pickle.dumps(column)
