"""Makes ciphertext.json: sealed values with all that went into them, and values that must not open.

Run as ``python -m tests.vectors.make_ciphertext`` when the format gains something; vectors that are there
already must come out the same. Each failure names its class.
"""

import json
from pathlib import Path
from typing import Any

from tests.protect.samples import keyset_for

from strongroom.keys import tink
from strongroom.keys.model import Algorithm, ExportCapability
from strongroom.protect import padding
from strongroom.protect.canonical import Sent, encode
from strongroom.protect.deterministic import Deterministic
from strongroom.protect.envelope import associated_data
from strongroom.protect.randomized import Randomized
from strongroom.protect.scheme import Scheme
from strongroom.protect.style import TextStyle

FILE = Path(__file__).parent / "ciphertext.json"
NONCE = bytes(range(0x20, 0x2C))
KEY_ID = 0x01020304

# (column, type, encryption, pad, input)
VALUES: list[tuple[str, str, str, int, str]] = [
    ("public.customers.email", "text", "deterministic", 0, "anna@example.org"),
    ("public.customers.email", "text", "randomized", 0, "anna@example.org"),
    ("public.customers.email", "text", "randomized", 32, "anna@example.org"),
    ("public.customers.email", "text", "deterministic", 16, ""),
    ("public.customers.empty", "text", "randomized", 0, ""),
    ('public."Kunden.2".Straße', "varchar(40)", "deterministic", 0, "Zoë 😀"),
    ("public.t.c", "char(5)", "deterministic", 0, "ab "),
    ("public.t.c", "bool", "randomized", 0, "yes"),
    ("public.t.c", "smallint", "deterministic", 0, "-2"),
    ("public.t.c", "integer", "deterministic", 0, "258"),
    ("public.t.c", "bigint", "deterministic", 0, "-9223372036854775808"),
    ("public.t.c", "real", "randomized", 0, "0.1"),
    ("public.t.c", "double precision", "randomized", 0, "-0"),
    ("public.t.c", "numeric", "randomized", 0, "12345.6780"),
    ("public.t.c", "numeric", "randomized", 0, "-Infinity"),
    ("public.t.c", "numeric(12,2)", "deterministic", 0, "1.005"),
    ("public.t.c", "date", "deterministic", 0, "1999-12-31"),
    ("public.t.c", "time", "deterministic", 0, "12:34:56.789"),
    ("public.t.c", "timetz", "deterministic", 0, "12:34:56-03:30"),
    ("public.t.c", "timestamp(3)", "deterministic", 0, "2024-02-29 12:34:56.7895"),
    ("public.t.c", "timestamptz", "deterministic", 0, "2024-02-29 12:34:56+02"),
    ("public.t.c", "timestamptz", "deterministic", 0, "infinity"),
    ("public.t.c", "interval", "randomized", 0, "1 year 2 mons -3 days 04:05:06.7"),
    ("public.t.c", "uuid", "deterministic", 0, "A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"),
    ("public.t.c", "bytea", "randomized", 0, "\\x00ff"),
    ("public.t.c", "json", "randomized", 0, '{"b": 1,  "a":2}'),
    ("public.t.c", "jsonb", "randomized", 0, '{"bb": 1e2, "a":2.50, "a": null}'),
    ("public.t.c", "text[]", "deterministic", 0, '{a,NULL,"b c"}'),
    ("public.t.c", "int[]", "deterministic", 0, "[0:1]={1,2}"),
]


def vector(column: str, type_: str, encryption: str, pad: int, value: str) -> dict[str, Any]:
    """One value, sealed under a key that shows what it is."""
    scheme = Scheme.parse("shop", column, type=type_, encryption=encryption, pad=pad)
    keyset = keyset_for(scheme, KEY_ID)
    canonical = encode(scheme.type, value.encode(), Sent(TextStyle()))
    plaintext = padding.padded(canonical, pad) if pad else canonical
    randomized = scheme.algorithm is Algorithm.AES256_GCM
    if randomized:
        sealed = Randomized(keyset)._seal(NONCE, plaintext)
    else:
        sealed = Deterministic(keyset).seal(plaintext)
    dek = keyset.version(KEY_ID).dek
    assert dek is not None
    material = dek.danger_material(ExportCapability("a published vector"))
    made: dict[str, Any] = {
        "column": column,
        "type": type_,
        "encryption": encryption,
        "pad": pad,
        "input": value,
        "canonical": canonical.hex(),
        "associatedData": associated_data(scheme.context).hex(),
        "keyset": tink.keyset_json(scheme.algorithm, KEY_ID, [(KEY_ID, material, True)]),
        "sealed": sealed.hex(),
    }
    return made | ({"nonce": NONCE.hex()} if randomized else {})


def failures() -> list[dict[str, Any]]:
    """Changed values of the first vectors of either kind; ``class`` is the error's name."""
    made = []
    for base in (vector(*VALUES[0]), vector(*VALUES[1])):
        sealed = bytes.fromhex(base["sealed"])
        shortest = 21 if base["encryption"] == "deterministic" else 33
        changed = {
            "empty": (b"", "TruncatedCiphertext"),
            "prefix cut": (sealed[:4], "TruncatedCiphertext"),
            "one byte short of the shortest": (sealed[: shortest - 1], "TruncatedCiphertext"),
            "version 0": (b"\0" + sealed[1:], "UnknownVersion"),
            "plaintext": (b"anna@example.org", "UnknownVersion"),
            "another key id": (sealed[:4] + b"\5" + sealed[5:], "UnknownKey"),
            "nonce or synthetic IV changed": (sealed[:5] + b"\xff" + sealed[6:], "WrongTag"),
            "last byte changed": (sealed[:-1] + bytes([sealed[-1] ^ 1]), "WrongTag"),
            "last byte cut": (sealed[:-1], "WrongTag"),
            "byte added": (sealed + b"\0", "WrongTag"),
        }
        other = vector("public.customers.name", "text", base["encryption"], 0, "anna@example.org")
        changed["of another column"] = (bytes.fromhex(other["sealed"]), "WrongTag")
        for name, (value, kind) in changed.items():
            made.append(base | {"failure": name, "class": kind, "sealed": value.hex()})
    return made


def main() -> None:
    content = {"values": [vector(*value) for value in VALUES], "failures": failures()}
    FILE.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
