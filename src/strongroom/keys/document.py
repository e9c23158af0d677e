"""A keyset as a document: Tink's JSON with what belongs to it. This is what is wrapped, and exported.

With the document and stock Tink, values open without Strongroom: ``keyset`` is for Tink's JSON reader, and
``associatedData`` (hexadecimal) is what its decryption takes. Called by ``store.py`` and for export.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from strongroom.errors import InvalidKeyset
from strongroom.keys import tink
from strongroom.keys.model import (
    Algorithm,
    Context,
    Dek,
    ExportCapability,
    Keyset,
    KeyState,
    KeyVersion,
)
from strongroom.protect.envelope import associated_data

FORMAT = "strongroom keyset 1"


def danger_written(keyset: Keyset, capability: ExportCapability) -> bytes:
    """The document of a keyset, with its key material in the clear."""
    keys = [
        (v.key_id, v.dek.danger_material(capability), v.key_id in keyset.key_ids)
        for v in keyset.versions
        if v.dek is not None
    ]
    context = keyset.context
    document = {
        "format": FORMAT,
        "name": keyset.name,
        "revision": keyset.revision,
        "encryption": keyset.algorithm.value,
        "form": keyset.form,
        "pad": keyset.pad,
        "openingFloor": keyset.opening_floor,
        "sealingFloor": keyset.sealing_floor,
        "context": {
            "database": context.database,
            "schema": context.schema,
            "table": context.table,
            "column": context.column,
            "tenant": context.tenant,
        },
        "associatedData": associated_data(context).hex(),
        "keyset": tink.keyset_json(keyset.algorithm, keyset.primary, keys),
        "versions": [
            {"keyId": v.key_id, "state": v.state.value, "created": v.created.isoformat()}
            for v in keyset.versions
        ],
    }
    if keyset.reminder:
        document["reminder"] = keyset.reminder
    return json.dumps(document, indent=1, ensure_ascii=False).encode()


def read(document: bytes) -> Keyset:
    """The keyset of a document; raises ``InvalidKeyset``."""
    try:
        return _read(json.loads(document))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise InvalidKeyset("this is not a keyset that Strongroom wrote") from None


def _read(written: Mapping[str, Any]) -> Keyset:
    if written["format"] != FORMAT:
        raise InvalidKeyset("this keyset is in a format of another version", hint=f"expected: {FORMAT}")
    algorithm = Algorithm(written["encryption"])
    context = Context(**written["context"])
    if written["associatedData"] != associated_data(context).hex():
        raise InvalidKeyset("the associated data of this keyset is not that of its context")
    primary, keys = tink.read_keyset(algorithm, written["keyset"])
    material = {key_id: material for key_id, material, _ in keys}
    versions = tuple(_version(algorithm, version, material) for version in written["versions"])
    if set(material) != {v.key_id for v in versions if v.dek is not None}:
        raise InvalidKeyset("the keys of this keyset and its list of versions differ")
    return Keyset(
        name=str(written["name"]),
        algorithm=algorithm,
        context=context,
        form=str(written["form"]),
        pad=int(written["pad"]),
        versions=versions,
        primary=primary,
        revision=int(written["revision"]),
        opening_floor=int(written["openingFloor"]),
        sealing_floor=int(written["sealingFloor"]),
        reminder=str(written.get("reminder", "")),
    )


def _version(algorithm: Algorithm, written: Mapping[str, Any], material: Mapping[int, bytes]) -> KeyVersion:
    key_id = int(written["keyId"])
    dek = Dek(material[key_id], algorithm, key_id) if key_id in material else None
    return KeyVersion(key_id, KeyState(written["state"]), datetime.fromisoformat(written["created"]), dek)
