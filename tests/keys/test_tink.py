"""keys/tink.py and the formats of sealed values, against stock Tink in both directions."""

import io
import json
from datetime import UTC, datetime

import pytest
import tink
from tests.protect.samples import scheme
from tink import aead, cleartext_keyset_handle, daead

from strongroom.errors import WrongTag
from strongroom.keys import document
from strongroom.keys.generate import new_keyset
from strongroom.keys.model import ExportCapability, Keyset
from strongroom.protect.deterministic import Deterministic
from strongroom.protect.envelope import associated_data
from strongroom.protect.randomized import Randomized

NOW = datetime(2026, 1, 1, tzinfo=UTC)

aead.register()
daead.register()


def exported(keyset: Keyset) -> tuple[str, bytes]:
    """(Tink's JSON, associated data) of an exported keyset."""
    written = json.loads(document.danger_written(keyset, ExportCapability("a test")))
    return json.dumps(written["keyset"]), bytes.fromhex(written["associatedData"])


def handle_of(keyset: Keyset) -> tink.KeysetHandle:
    """The keyset in Tink's hands."""
    return cleartext_keyset_handle.read(tink.JsonKeysetReader(exported(keyset)[0]))


@pytest.mark.parametrize("plaintext", [b"", b"x", b"anna@example.org", bytes(5000)])
def test_randomized_values_open_on_both_sides(plaintext: bytes) -> None:
    """What we seal Tink opens, and what Tink seals we open."""
    keyset = new_keyset(scheme("text"), NOW)
    ours, theirs = Randomized(keyset), handle_of(keyset).primitive(aead.Aead)
    context = exported(keyset)[1]
    assert theirs.decrypt(ours.seal(plaintext), context) == plaintext
    assert ours.open(theirs.encrypt(plaintext, context)) == plaintext
    with pytest.raises(WrongTag):
        ours.open(theirs.encrypt(plaintext, context + b"x"))


@pytest.mark.parametrize("plaintext", [b"", b"x", b"anna@example.org", bytes(5000)])
def test_deterministic_values_are_the_same_on_both_sides(plaintext: bytes) -> None:
    """Tink's bytes are ours, to the last one."""
    keyset = new_keyset(scheme("text", "deterministic"), NOW)
    ours, theirs = Deterministic(keyset), handle_of(keyset).primitive(daead.DeterministicAead)
    context = exported(keyset)[1]
    assert theirs.encrypt_deterministically(plaintext, context) == ours.seal(plaintext)
    assert theirs.decrypt_deterministically(ours.seal(plaintext), context) == plaintext
    assert ours.open(theirs.encrypt_deterministically(plaintext, context)) == plaintext


@pytest.mark.parametrize("kind", ["randomized", "deterministic"])
def test_a_keyset_that_tink_made_is_read(kind: str) -> None:
    """Tink's own JSON stands in a document in place of ours, and values open."""
    deterministic = kind == "deterministic"
    template = (
        daead.deterministic_aead_key_templates.AES256_SIV
        if deterministic
        else aead.aead_key_templates.AES256_GCM
    )
    handle = tink.new_keyset_handle(template)
    out = io.StringIO()
    cleartext_keyset_handle.write(tink.JsonKeysetWriter(out), handle)
    written = json.loads(
        document.danger_written(new_keyset(scheme("text", kind), NOW), ExportCapability("a test"))
    )
    written["keyset"] = json.loads(out.getvalue())
    written["versions"][0]["keyId"] = written["keyset"]["primaryKeyId"]
    keyset = document.read(json.dumps(written).encode())
    context = associated_data(keyset.context)
    if deterministic:
        sealed = handle.primitive(daead.DeterministicAead).encrypt_deterministically(b"value", context)
        assert Deterministic(keyset).open(sealed) == b"value"
    else:
        assert Randomized(keyset).open(handle.primitive(aead.Aead).encrypt(b"value", context)) == b"value"
