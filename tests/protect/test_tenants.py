"""protect/tenants.py: columns whose values are sealed by the keys of the tenant that they belong to."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.protect.samples import Counted, keyset_for, scheme

from strongroom.errors import InvalidValue, KeysetMismatch, TenantUnknown, UnknownKey
from strongroom.keys.model import Keyset
from strongroom.protect.canonical import Sent
from strongroom.protect.plan import BINARY_FORMAT, TEXT_FORMAT
from strongroom.protect.scheme import Scheme
from strongroom.protect.style import TextStyle
from strongroom.protect.tenants import TenantCodecs, TenantNames, is_tenant_name
from strongroom.wire.postgres import types

STYLE = TextStyle()
ONE = UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
RENTED = replace(scheme("text"), tenant="tenant_id")


def keyset(tenant: str, key_id: int, of: Scheme = RENTED) -> Keyset:
    """A tenant's."""
    return keyset_for(of.of_tenant(tenant), key_id)


def codecs() -> TenantCodecs:
    """A column of two tenants."""
    return TenantCodecs(RENTED, {"acme": keyset("acme", 7), "globex": keyset("globex", 8)}, Counted())


def test_a_tenant_has_its_own_key_and_context() -> None:
    """Both stand in its keyset's name and in what is bound into its values."""
    one = RENTED.of_tenant("acme")
    assert one.keyset == "shop@acme/public.t.c"
    assert (one.context.database, one.context.tenant) == ("shop", "acme")


def test_all_open_and_each_seals_by_its_own() -> None:
    """A value names its key, so that nobody must say whose it is to read it."""
    both, values = codecs(), [b"a", None, b"b", b"c"]
    sealed = both.seal_all(values, ["acme", None, "globex", "acme"], Sent(STYLE))
    assert [one and one[:5] for one in sealed] == [b"\1\0\0\0\7", None, b"\1\0\0\0\x08", b"\1\0\0\0\7"]
    assert both.open_all(sealed, format_code=TEXT_FORMAT, style=STYLE) == values
    native = both.native_opener(TEXT_FORMAT, is_hexed=False)
    assert native is not None
    assert native(sealed[2] or b"") == b"b"


def test_one_tenant_opens_no_others_values() -> None:
    """Nor does whoever has no tenant, or one without a key."""
    both = codecs()
    sealed = both.of("globex").seal(b"x", Sent(STYLE))
    assert both.only("globex").open(sealed, format_code=TEXT_FORMAT, style=STYLE) == b"x"
    for other in ("acme", "", "nobody"):
        with pytest.raises(UnknownKey, match="tenant"):
            both.only(other).open(sealed, format_code=TEXT_FORMAT, style=STYLE)


def test_a_value_does_not_open_as_another_tenants() -> None:
    """Its tenant is bound into it, so that a swapped key id helps nobody."""
    same = {"acme": keyset("acme", 7), "globex": keyset("globex", 8)}
    sealed = TenantCodecs(RENTED, same, Counted()).of("acme").seal(b"x", Sent(STYLE)) or b""
    with pytest.raises(Exception, match="does not open"):
        codecs().open(b"\1\0\0\0\x08" + sealed[5:], format_code=TEXT_FORMAT, style=STYLE)


def test_who_has_no_key_is_refused() -> None:
    """By an error that knows the name and does not say it: it is a client's value."""
    with pytest.raises(TenantUnknown) as caught:
        codecs().of("xq7mark")
    assert caught.value.tenant == "xq7mark"
    assert "xq7mark" not in str(caught.value) + caught.value.hint
    with pytest.raises(TenantUnknown):
        codecs().seal_all([b"x"], [None], Sent(STYLE))


def test_key_ids_tell_tenants_apart() -> None:
    """Two with one id could open each other's."""
    with pytest.raises(KeysetMismatch, match="one id"):
        TenantCodecs(RENTED, {"acme": keyset("acme", 7), "globex": keyset("globex", 7)}, Counted())


@pytest.mark.parametrize(
    ("oid", "text", "binary", "name"),
    [
        (types.INT4, b"-7", b"\xff\xff\xff\xf9", "-7"),
        (types.INT8, b" 0042 ", b"\0\0\0\0\0\0\0\x2a", "42"),
        (types.INT2, b"5", b"\0\5", "5"),
        (types.TEXT, b"acme", b"acme", "acme"),
        (types.VARCHAR, b"a.b_c:d+e-f", b"a.b_c:d+e-f", "a.b_c:d+e-f"),
        (types.UUID, b"{A0EEBC99-9C0B4EF8BB6D6BB9BD380A11}", ONE.bytes, str(ONE)),
    ],
)  # fmt: skip
def test_equal_values_have_one_name(oid: int, text: bytes, binary: bytes, name: str) -> None:
    """However the client writes them."""
    names = TenantNames(types.declared(oid))
    assert names.of(text, Sent(STYLE, 0, TEXT_FORMAT)) == name
    assert names.of(binary, Sent(STYLE, 0, BINARY_FORMAT)) == name
    assert names.stored(binary) == name


@pytest.mark.parametrize("bad", [b"", b"a b", b"a/b", b"a@b", b".hidden", b"a" * 101, "é".encode(), b"a\n"])
def test_what_is_no_name_is_refused(bad: bytes) -> None:
    """It would be part of the names of keys, and of a file; the error does not repeat it."""
    with pytest.raises(InvalidValue):
        TenantNames(types.declared(types.TEXT)).of(bad, Sent(STYLE, 0, TEXT_FORMAT))
    with pytest.raises(InvalidValue, match="no tenant"):
        TenantNames(types.declared(types.TEXT)).of(None, Sent(STYLE, 0, TEXT_FORMAT))


@given(st.integers(-(2**31), 2**31 - 1))
def test_every_number_is_a_name(number: int) -> None:
    """Negative ones, too."""
    name = TenantNames(types.declared(types.INT4)).stored(number.to_bytes(4, signed=True))
    assert name == str(number)
    assert is_tenant_name(name)
