"""keys/keyring.py: the keysets in use."""

import pytest
from tests.protect.samples import Counted, keyset_for, scheme

from strongroom.errors import KeysetMissing, UnknownKey
from strongroom.keys.keyring import KeyRing
from strongroom.protect.plan import TEXT_FORMAT, ColumnCodec, Sent
from strongroom.protect.style import TextStyle

SCHEME, OTHER = scheme("text"), scheme("text", column="public.t.d")
RING = KeyRing.of([keyset_for(SCHEME), keyset_for(OTHER, 7)])


def test_a_key_is_found_by_keyset_and_id() -> None:
    """Never by its id alone: another keyset's key of that id is another key."""
    assert RING.find(SCHEME.keyset, 0x01020304).key_id == 0x01020304
    assert RING.find(OTHER.keyset, 7).key_id == 7
    with pytest.raises(UnknownKey):
        RING.find(SCHEME.keyset, 7)
    with pytest.raises(KeysetMissing):
        RING.find("shop/public.t.e", 7)


def test_codecs_are_made_for_columns() -> None:
    """By their configured names; a column without its keyset is an error."""
    uses = Counted()
    codecs = RING.codecs([SCHEME, OTHER], uses)
    codec = codecs["public.t.d"]
    assert isinstance(codec, ColumnCodec)
    sealed = codec.seal(b"x", Sent(TextStyle()))
    assert codecs["public.t.d"].open(sealed, format_code=TEXT_FORMAT, style=TextStyle()) == b"x"
    assert uses.taken == [(OTHER.keyset, 7, 1)]
    with pytest.raises(KeysetMissing):
        RING.codec(scheme("text", column="public.t.e"), uses)
