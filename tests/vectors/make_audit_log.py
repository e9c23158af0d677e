"""Makes audit-log.json: a small log with all its files, all that went into them, and files that are wrong.

Run as ``python -m tests.vectors.make_audit_log`` when the format gains something; vectors that are there
already must come out the same. Each failure is one file changed, which a verifier must name.
"""

import json
from base64 import b64encode
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.audit import leaf, proof
from strongroom.audit.checkpoint import Checkpoint, Kind, Signer, cosign, sign
from strongroom.audit.tiles import Edge, Tile
from strongroom.audit.tree import leaf_hash

FILE = Path(__file__).parent / "audit-log.json"
ORIGIN, WITNESS = "gateway.example/audit", "witness.example/w1"
LOG_SEED, WITNESS_SEED = bytes(range(32)), bytes(range(32, 64))
TIME = 1_795_435_200
CONTENTS = ['{"record":0}', '{"record":1,"text":"Größe"}', ""]
SALTS = [bytes([number]) * 32 for number in (1, 2, 3)]

FAILURES = {
    "a content of another record's": ("content/000", "swap lines 0 and 1"),
    "a salt cut by an octet": ("content/000", "move an octet of salt 0 into its content"),
    "a salt in another spelling": ("content/000", "set a bit of salt 0's base64 that stands for nothing"),
    "a line missing": ("content/000", "cut the last line"),
    "an entry changed": ("tile/entries/000.p/3", "change the last octet"),
    "something behind the last entry": ("tile/entries/000.p/3", "add two octets 0"),
    "a hash changed": ("tile/0/000.p/3", "change the last octet"),
    "a checkpoint of another size": ("checkpoint", "write 2 in the place of 3"),
    "a signature of another time": ("checkpoint", "change the witness's time"),
}


def signers() -> tuple[Signer, Signer]:
    """The log's and the witness's."""
    log = Signer(ORIGIN, Ed25519PrivateKey.from_private_bytes(LOG_SEED))
    return log, Signer(WITNESS, Ed25519PrivateKey.from_private_bytes(WITNESS_SEED), Kind.WITNESS)


def vector() -> dict[str, Any]:
    """The log."""
    committed = leaf._commit([text.encode() for text in CONTENTS], b"".join(SALTS))
    log, witness = signers()
    edge = Edge().append([one.entry for one in committed]).edge
    note = cosign(sign(Checkpoint(ORIGIN, edge.size, edge.root), [log]), witness, TIME)
    files = {file.path: file.octets for file in edge.partial()}
    files |= {"checkpoint": note, "content/000": b"".join(one.line for one in committed)}
    records = [
        {
            "content": text,
            "salt": salt.hex(),
            "entry": one.entry.hex(),
            "leaf": leaf_hash(one.entry).hex(),
        }
        for text, salt, one in zip(CONTENTS, SALTS, committed, strict=True)
    ]
    hashes = proof.prove(path := proof.inclusion(1, 3), 3, {Tile(0, 0, 3): files["tile/0/000.p/3"]})
    assert len(hashes) == len(path)
    shown = proof.write_proof(1, hashes, note, committed[1].entry, committed[1].line[:-1])
    return {
        "origin": ORIGIN,
        "log": {"seed": LOG_SEED.hex(), "key": str(log.key)},
        "witness": {"seed": WITNESS_SEED.hex(), "key": str(witness.key), "time": TIME},
        "records": records,
        "root": edge.root.hex(),
        "files": {path: b64encode(octets).decode() for path, octets in sorted(files.items())},
        "proof": {"index": 1, "file": b64encode(shown).decode()},
        "failures": [
            {"failure": name, "place": place, "how": how, "file": b64encode(damaged(name, files)).decode()}
            for name, (place, how) in FAILURES.items()
        ],
    }


def damaged(failure: str, files: dict[str, bytes]) -> bytes:
    """The one file, as this failure has it."""
    content, entries, tile = files["content/000"], files["tile/entries/000.p/3"], files["tile/0/000.p/3"]
    one, two, three = content.splitlines(keepends=True)
    note = files["checkpoint"]
    time = note.rindex(b" ") + 1 + 8  # the line's base64: four octets of the key's id, eight of the time
    return {
        "a content of another record's": two + one + three,
        "a salt cut by an octet": b64encode(SALTS[0][:31]) + b" " + SALTS[0][31:] + one[45:] + two + three,
        "a salt in another spelling": one[:42] + bytes([one[42] + 1]) + one[43:] + two + three,
        "a line missing": one + two,
        "an entry changed": entries[:-1] + bytes([entries[-1] ^ 1]),
        "something behind the last entry": entries + b"\x00\x00",
        "a hash changed": tile[:-1] + bytes([tile[-1] ^ 1]),
        "a checkpoint of another size": note.replace(b"\n3\n", b"\n2\n"),
        "a signature of another time": note[:time] + b"B" + note[time + 1 :],
    }[failure]


if __name__ == "__main__":
    FILE.write_text(json.dumps(vector(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
