"""keys/document.py: a keyset as Tink's JSON with what belongs to it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.protect.samples import scheme

from strongroom.errors import InvalidKeyset
from strongroom.keys import document
from strongroom.keys.generate import new_keyset
from strongroom.keys.model import Algorithm, Dek, ExportCapability, Keyset, KeyState, KeyVersion

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
CAPABILITY = ExportCapability("a test")


def several() -> Keyset:
    """A keyset with a key in each state."""
    keys = new_keyset(scheme("text", "deterministic", "public.customers.Straße"), NOW)
    states = [s for s in KeyState if s is not KeyState.ACTIVE]
    for key_id, state in enumerate(states, 1):
        dek = None if state is KeyState.DESTROYED else Dek(bytes(64), Algorithm.AES256_SIV, key_id)
        keys = keys.with_key(KeyVersion(key_id, state, NOW, dek))
    return keys


def described(keys: Keyset) -> list[tuple[int, KeyState, datetime, bytes | None]]:
    """A keyset's versions with their material, which do not compare otherwise."""
    return [
        (v.key_id, v.state, v.created, v.dek.danger_material(CAPABILITY) if v.dek else None)
        for v in keys.versions
    ]


def test_a_keyset_comes_back_whole() -> None:
    """States, times, context, form and revision survive, and so does the material."""
    keys = several()
    back = document.read(document.danger_written(keys, CAPABILITY))
    assert described(back) == described(keys)
    assert (back.name, back.context, back.form, back.pad) == (
        keys.name,
        keys.context,
        keys.form,
        keys.pad,
    )
    assert (back.primary, back.revision, back.algorithm) == (keys.primary, keys.revision, keys.algorithm)


def written() -> dict[str, Any]:
    """A document, to be broken."""
    made: dict[str, Any] = json.loads(document.danger_written(several(), CAPABILITY))
    return made


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["format"], "strongroom keyset 2"),
        (["encryption"], "rot13"),
        (["context", "column"], "other"),
        (["context", "more"], "x"),
        (["associatedData"], "00"),
        (["keyset", "primaryKeyId"], 1),
        (["keyset", "primaryKeyId"], "many"),
        (["keyset", "key", 0, "outputPrefixType"], "RAW"),
        (["keyset", "key", 0, "status"], "DESTROYED"),
        (["keyset", "key", 0, "keyId"], 77),
        (["keyset", "key", 0, "keyData", "typeUrl"], "type.googleapis.com/google.crypto.tink.AesGcmKey"),
        (["keyset", "key", 0, "keyData", "value"], "EkA="),
        (["keyset", "key", 0, "keyData", "value"], "?"),
        (["keyset", "key"], None),
        (["versions", 0, "state"], "lost"),
        (["versions", 0, "created"], "yesterday"),
        (["versions", 0, "keyId"], 0),
        (["revision"], None),
    ],
)
def test_a_broken_document_is_refused(path: list[Any], value: Any) -> None:
    """Whatever is changed, the error is ours and no keyset comes out."""
    broken = written()
    place = broken
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(InvalidKeyset):
        document.read(json.dumps(broken).encode())


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b"null", b"\xff", b'{"format": "strongroom keyset 1"}'])
def test_what_is_no_document_is_refused(text: bytes) -> None:
    """Any bytes may stand in a database."""
    with pytest.raises(InvalidKeyset):
        document.read(text)
