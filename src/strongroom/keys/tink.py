"""Keys in Tink's own JSON, so that stock Tink in any language opens every value (design, Formats).

Only Tink's TINK prefix is written and read, and only the two key types that Strongroom seals with. The key
itself stands in a protobuf message of one field (tink/proto/aes_gcm.proto, aes_siv.proto), which is small
enough to be written here by hand; the tests hold it against Tink. Called by ``document.py`` and ``root/``.
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from typing import Any

from strongroom.errors import InvalidKeyset
from strongroom.keys.model import Algorithm

_TYPE_URLS = {
    Algorithm.AES256_GCM: "type.googleapis.com/google.crypto.tink.AesGcmKey",
    Algorithm.AES256_SIV: "type.googleapis.com/google.crypto.tink.AesSivKey",
}
# Tag and length of the field key_value: number 3 of AesGcmKey, 2 of AesSivKey. Field 1, the version, is 0
# and left out, as proto3 does; other writers may spell it out.
_FIELDS = {Algorithm.AES256_GCM: b"\x1a\x20", Algorithm.AES256_SIV: b"\x12\x40"}
_EXPLICIT_VERSION = b"\x08\x00"

Key = tuple[int, bytes, bool]
"""(key id, material, whether it may be used)."""


def keyset_json(algorithm: Algorithm, primary: int, keys: Iterable[Key]) -> dict[str, Any]:
    """A cleartext keyset as Tink's JSON writer gives it. It holds key material."""
    return {"primaryKeyId": primary, "key": [_key_json(algorithm, *key) for key in keys]}


def read_keyset(algorithm: Algorithm, written: Mapping[str, Any]) -> tuple[int, list[Key]]:
    """(primary, keys) of Tink's JSON; raises ``InvalidKeyset``."""
    try:
        return int(written["primaryKeyId"]), [_read_key(algorithm, key) for key in written["key"]]
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
        raise InvalidKeyset("this is not a keyset in Tink's JSON") from None


def _key_json(algorithm: Algorithm, key_id: int, material: bytes, usable: bool) -> dict[str, Any]:
    return {
        "keyData": {
            "typeUrl": _TYPE_URLS[algorithm],
            "value": b64encode(_FIELDS[algorithm] + material).decode(),
            "keyMaterialType": "SYMMETRIC",
        },
        "status": "ENABLED" if usable else "DISABLED",
        "keyId": key_id,
        "outputPrefixType": "TINK",
    }


def _read_key(algorithm: Algorithm, written: Mapping[str, Any]) -> Key:
    if written["outputPrefixType"] != "TINK":
        raise InvalidKeyset("only keys with Tink's TINK prefix are accepted", hint="make it with that prefix")
    data = written["keyData"]
    if data["typeUrl"] != _TYPE_URLS[algorithm]:
        raise InvalidKeyset(f"a key of this type does not serve {algorithm.value} columns")
    value = b64decode(data["value"], validate=True).removeprefix(_EXPLICIT_VERSION)
    field = _FIELDS[algorithm]
    if not value.startswith(field) or len(value) != len(field) + algorithm.key_size:
        raise InvalidKeyset(f"a key for {algorithm.value} columns has {algorithm.key_size} bytes")
    if written["status"] not in ("ENABLED", "DISABLED"):
        raise InvalidKeyset("a key is ENABLED or DISABLED")
    return int(written["keyId"]), value[len(field) :], written["status"] == "ENABLED"
