"""keys/kek.py: key-encryption keys, what they wrap, and how they are wrapped themselves."""

import io
import json
from datetime import UTC, datetime

import pytest
import tink
from tests.protect.samples import keyset_for, scheme
from tink import aead, cleartext_keyset_handle

from strongroom.errors import InvalidKeyset, KekMissing, WrongKek, WrongRoot
from strongroom.keys.generate import new_version
from strongroom.keys.kek import (
    Keks,
    WrappedKeyset,
    danger_read,
    danger_written,
    database_of,
    new_kek,
    unwrap_kek,
    wrap_kek,
    wraps_of,
    wraps_text,
)
from strongroom.keys.model import ExportCapability, Keyset, KeyState
from strongroom.keys.root import wrapping_context
from strongroom.keys.root.file import FileRoot
from strongroom.protect.envelope import length_prefixed

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROOT = FileRoot(bytes(32), 1)
KEK = new_kek("shop", NOW)
KEYSET = keyset_for(scheme("text"))


def rotated(kek: Keyset) -> Keyset:
    second = new_version(kek.algorithm, [kek.primary], KeyState.ACTIVE, NOW)
    return kek.with_key(second).with_primary(second.key_id)


def test_a_keyset_comes_out_as_it_went_in() -> None:
    """With its keys, states and context."""
    keks = Keks.of([KEK])
    kept = keks.wrap(KEYSET)
    again = keks.unwrap(kept)
    assert (again.name, again.revision, again.key_ids) == (KEYSET.name, 1, KEYSET.key_ids)
    assert again.context == KEYSET.context
    assert keks.is_current(kept)
    assert keks.has(KEYSET.name)


def test_a_wrapped_keyset_cannot_stand_in_for_another() -> None:
    """Its name and revision are bound to it."""
    keks = Keks.of([KEK])
    kept = keks.wrap(KEYSET)
    for bad in (
        WrappedKeyset("shop/public.t.d", 1, kept.wrapped),
        WrappedKeyset(kept.name, 2, kept.wrapped),
        WrappedKeyset(kept.name, 1, kept.wrapped[:-1] + bytes([kept.wrapped[-1] ^ 1])),
    ):
        with pytest.raises(WrongKek):
            keks.unwrap(bad)


def test_after_a_rotation_the_old_version_still_unwraps() -> None:
    """The new one wraps from then on."""
    before, keks = Keks.of([KEK]).wrap(KEYSET), Keks.of([rotated(KEK)])
    assert keks.unwrap(before).name == KEYSET.name
    assert not keks.is_current(before)
    assert keks.is_current(keks.wrap(KEYSET))
    with pytest.raises(KekMissing, match="a version of 'kek shop' that is not here"):
        Keks.of([KEK]).unwrap(keks.wrap(KEYSET))


def test_a_version_that_may_not_be_used_unwraps_nothing() -> None:
    """Suspended is suspended, on this level too."""
    before = Keks.of([KEK]).wrap(KEYSET)
    keks = Keks.of([rotated(KEK).with_state(KEK.primary, KeyState.SUSPENDED)])
    with pytest.raises(WrongKek, match="which is suspended"):
        keks.unwrap(before)


def test_the_kek_of_another_database_is_not_tried() -> None:
    """Each database has its own."""
    with pytest.raises(KekMissing, match="no key-encryption key 'kek shop'"):
        Keks.of([new_kek("other", NOW)]).unwrap(Keks.of([KEK]).wrap(KEYSET))
    assert database_of("shop/public.t.c") == "shop"


def test_under_a_root() -> None:
    """It opens under its own name and its own root only."""
    wrapped = wrap_kek(KEK, ROOT)
    assert unwrap_kek("kek shop", wrapped, ROOT).primary == KEK.primary
    for name, root in (
        ("kek other", ROOT),
        ("kek shop", FileRoot(bytes(32), 2)),
        ("kek shop", FileRoot(b"1" * 32, 1)),
    ):
        with pytest.raises(WrongRoot):
            unwrap_kek(name, wrapped, root)


def test_what_is_no_kek_is_refused() -> None:
    """Bytes that the root opens and that are none; and a column's keyset in its place."""
    with pytest.raises(InvalidKeyset):
        unwrap_kek("kek shop", ROOT.wrap(b"{}", wrapping_context("kek shop")), ROOT)
    forged = ROOT.wrap(written(KEYSET), wrapping_context(KEYSET.name))
    with pytest.raises(WrongRoot):
        unwrap_kek(KEYSET.name, forged, ROOT)


def written(keyset: Keyset) -> bytes:
    [kek] = danger_written(Keks.of([keyset]))
    return kek.encode()


def test_stock_tink_goes_the_whole_way() -> None:
    """From the KEK's document to a keyset's, with Tink and JSON alone."""
    aead.register()
    document = json.loads(written(KEK))
    handle = cleartext_keyset_handle.read(tink.JsonKeysetReader(json.dumps(document["keyset"])))
    kept = Keks.of([KEK]).wrap(KEYSET)
    opened = handle.primitive(aead.Aead).decrypt(
        kept.wrapped, length_prefixed("strongroom.keyset.v1", KEYSET.name)
    )
    inner = json.loads(opened)
    assert inner["name"] == KEYSET.name
    material = cleartext_keyset_handle.read(tink.JsonKeysetReader(json.dumps(inner["keyset"])))
    stream = io.StringIO()
    cleartext_keyset_handle.write(tink.JsonKeysetWriter(stream), material)
    assert json.loads(stream.getvalue())["primaryKeyId"] == KEYSET.primary


def test_for_a_worker() -> None:
    """What the supervisor says over the line is what the worker has."""
    [again] = danger_read(danger_written(Keks.of([KEK]))).by_name.values()
    assert again.name == KEK.name
    capability = ExportCapability("a test")
    assert [v.dek and v.dek.danger_material(capability) for v in again.versions] == [
        v.dek and v.dek.danger_material(capability) for v in KEK.versions
    ]


def test_wraps_as_text() -> None:
    """Read again as written; anything else is refused."""
    wraps = {"file 1": b"\x00\xff", "vault x": b""}
    assert dict(wraps_of(wraps_text(wraps))) == wraps
    for bad in ("", "[]", '{"a": 1}', '{"a": "%"}'):
        with pytest.raises(InvalidKeyset):
            wraps_of(bad)
