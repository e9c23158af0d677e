"""keys/sshsig.py, held against ssh-keygen; and signatures of tokens, made here as the document has it."""

import base64
import hashlib
import struct
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from tests.keys.people import Signer, program

from strongroom.errors import SignatureInvalid
from strongroom.keys.sshsig import (
    MAX_SIGNATURE_BYTES,
    parse_public_key,
    parse_signature,
    verify,
)

MESSAGE = b"export the keys of shop/public.people.iban\n"
SPACE = "strongroom-approval"
KINDS = {
    "ed25519": ("-t", "ed25519"),
    "ecdsa 256": ("-t", "ecdsa", "-b", "256"),
    "ecdsa 384": ("-t", "ecdsa", "-b", "384"),
    "ecdsa 521": ("-t", "ecdsa", "-b", "521"),
    "rsa": ("-t", "rsa", "-b", "2048"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hashed", ["sha256", "sha512"])
def test_what_ssh_keygen_signs_is_verified(kind: str, hashed: str, tmp_path: Path) -> None:
    """Each kind of key, over each hash; over another message, or for another purpose, it is no signature."""
    signer = Signer.make(tmp_path, "anna", *KINDS[kind])
    signature = parse_signature(signer.signature(MESSAGE, "-O", f"hashalg={hashed}"))
    assert signature.key == parse_public_key(signer.public)
    verify(signature, MESSAGE, SPACE)
    with pytest.raises(SignatureInvalid, match="not made over this file"):
        verify(signature, MESSAGE + b" ", SPACE)
    with pytest.raises(SignatureInvalid, match="another purpose"):
        verify(signature, MESSAGE, "git")


def test_a_signature_for_git_is_none_here(tmp_path: Path) -> None:
    """The namespace is in what is signed: to write another one over it helps nothing."""
    signer = Signer.make(tmp_path, "anna")
    armoured = signer.signature(MESSAGE, namespace="strongroom-approvaX")
    with pytest.raises(SignatureInvalid, match="another purpose"):
        verify(parse_signature(armoured), MESSAGE, SPACE)
    forged = _armoured(_blob(armoured).replace(b"approvaX", b"approval"))
    with pytest.raises(SignatureInvalid, match="not made over"):
        verify(parse_signature(forged), MESSAGE, SPACE)


def test_the_same_key_and_fingerprint(tmp_path: Path) -> None:
    """As ssh-keygen -l shows it; the comment is no part of the key."""
    signer = Signer.make(tmp_path, "anna")
    shown = subprocess.run(
        [program("ssh-keygen"), "-l", "-f", f"{signer.file}.pub"], check=True, capture_output=True, text=True
    ).stdout
    key = parse_public_key(signer.public)
    assert key.fingerprint in shown
    assert parse_public_key(str(key)) == key
    assert parse_public_key(f"{key} somebody else") == key


def test_ssh_keygen_takes_what_is_parsed_and_written_again(tmp_path: Path) -> None:
    """The other way round: ssh-keygen verifies with the line that we print of a key."""
    signer = Signer.make(tmp_path, "anna")
    (tmp_path / "sig").write_bytes(signer.signature(MESSAGE))
    (tmp_path / "allowed").write_text(f"anna {parse_public_key(signer.public)}\n")
    command = ["-Y", "verify", "-f", str(tmp_path / "allowed"), "-I", "anna", "-n", SPACE]
    subprocess.run(
        [program("ssh-keygen"), *command, "-s", str(tmp_path / "sig")],
        input=MESSAGE,
        check=True,
        capture_output=True,
    )


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa 256", "rsa"])
def test_damage(kind: str, tmp_path: Path) -> None:
    """Each octet of the signature changed, or the rest cut off: none verifies, and none fails otherwise."""
    signer = Signer.make(tmp_path, "anna", *KINDS[kind])
    key = parse_public_key(signer.public)
    blob = _blob(signer.signature(MESSAGE))
    for place in range(0, len(blob), 1 if kind == "ed25519" else 7):
        changed = blob[:place] + bytes([blob[place] ^ 1]) + blob[place + 1 :]
        for bad in (changed, blob[:place]):
            assert not _is_by(bad, key, MESSAGE)
    assert not _is_by(blob + b"\0", key, MESSAGE)
    assert _is_by(blob, key, MESSAGE)


def _is_by(blob: bytes, key: object, message: bytes) -> bool:
    """Whether it counts as this key's: one with another reserved field may, as the document has it."""
    try:
        signature = parse_signature(_armoured(blob))
        verify(signature, message, SPACE)
    except SignatureInvalid:
        return False
    return signature.key == key


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n",
        b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n",
        b"-----BEGIN SSH SIGNATURE-----\nU1NI=U0l\n-----END SSH SIGNATURE-----\n",
        b"-----BEGIN SSH SIGNATURE-----\n" + b"A" * MAX_SIGNATURE_BYTES + b"\n-----END SSH SIGNATURE-----\n",
        b"-----BEGIN SSH SIGNATURE-----" + b" " * 16_000 + b"-----END SSH SIGNATURE-----",
        b"-----BEGIN SSH SIGNATURE-----END SSH SIGNATURE-----",
        b"-----BEGIN PGP SIGNATURE-----\nU1NIU0lH\n-----END PGP SIGNATURE-----\n",
    ],
)
def test_what_is_no_signature(text: bytes) -> None:
    """Empty, cut, too long, of another program."""
    with pytest.raises(SignatureInvalid):
        parse_signature(text)


def test_keys_that_may_not_sign(tmp_path: Path) -> None:
    """Short RSA, other kinds, certificates, damaged lines, two lines."""
    line = Signer.make(tmp_path, "anna").public
    short = Signer.make(tmp_path, "short", "-t", "rsa", "-b", "1024").public
    with pytest.raises(SignatureInvalid, match="2048 bits"):
        parse_public_key(short)
    kind, body, _ = line.split()
    for bad in ("", kind, f"ssh-dss {body}", f"{kind} {body[:-4]}", f"{kind} {body}AAAA", f"{kind} !", body):
        with pytest.raises(SignatureInvalid):
            parse_public_key(bad)


def test_a_key_in_a_signature_that_no_library_reads(tmp_path: Path) -> None:
    """A compressed point, which cryptography does not implement, is a damaged key like any other."""
    blob = _blob(Signer.make(tmp_path, "anna", "-t", "ecdsa", "-b", "256").signature(MESSAGE))
    start = blob.index(b"nistp256\0\0\0\x41\x04") + 12
    with pytest.raises(SignatureInvalid, match="public key"):
        verify(parse_signature(_armoured(blob[:start] + b"\x02" + blob[start + 1 :])), MESSAGE, SPACE)


def test_rsa_over_sha1_is_not_taken(tmp_path: Path) -> None:
    """Though its key is: an algorithm of its own, `ssh-rsa`, in the place of rsa-sha2."""
    signer = Signer.make(tmp_path, "anna", "-t", "rsa", "-b", "2048")
    blob = _blob(signer.signature(MESSAGE))
    inner = b"\0\0\0\x0crsa-sha2-512"
    assert inner in blob
    start = blob.index(inner)
    outer = start - 4
    signature = b"\0\0\0\x07ssh-rsa" + blob[start + len(inner) :]
    forged = blob[:outer] + struct.pack(">I", len(signature)) + signature
    with pytest.raises(SignatureInvalid, match="may not sign so"):
        verify(parse_signature(_armoured(forged)), MESSAGE, SPACE)


# ------------------------------------------------------------------------------------------ security tokens


def _string(*parts: bytes) -> bytes:
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def _preimage(message: bytes) -> bytes:
    return b"SSHSIG" + _string(SPACE.encode(), b"", b"sha512", hashlib.sha512(message).digest())


def _of_a_token(kind: str, flags: int) -> bytes:
    """The signature that a security token makes (OpenSSH, PROTOCOL.u2f), by a key made here."""
    application, rest = b"ssh:", struct.pack(">BI", flags, 7)
    signed = hashlib.sha256(application).digest() + rest + hashlib.sha256(_preimage(MESSAGE)).digest()
    if kind == "sk-ssh-ed25519@openssh.com":
        made = Ed25519PrivateKey.generate()
        public = _string(made.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))
        octets = made.sign(signed)
    else:
        key = ec.generate_private_key(ec.SECP256R1())
        point = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        public = _string(b"nistp256", point)
        numbers = decode_dss_signature(key.sign(signed, ec.ECDSA(hashes.SHA256())))
        octets = _string(*(one.to_bytes(33, "big") for one in numbers))
    blob = _string(kind.encode()) + public + _string(application)
    signature = _string(kind.encode(), octets) + rest
    return _armoured(b"SSHSIG\0\0\0\x01" + _string(blob, SPACE.encode(), b"", b"sha512", signature))


@pytest.mark.parametrize("kind", ["sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"])
def test_a_security_token(kind: str) -> None:
    """It signs a preimage of its own; one that nobody touched does not count."""
    signature = parse_signature(_of_a_token(kind, flags=1))
    assert parse_public_key(str(signature.key)) == signature.key
    verify(signature, MESSAGE, SPACE)
    with pytest.raises(SignatureInvalid, match="not made over"):
        verify(signature, b"something else", SPACE)
    with pytest.raises(SignatureInvalid, match="nobody touched"):
        verify(parse_signature(_of_a_token(kind, flags=4)), MESSAGE, SPACE)


def _blob(armoured: bytes) -> bytes:
    return base64.b64decode(b"".join(armoured.splitlines()[1:-1]))


def _armoured(blob: bytes) -> bytes:
    return b"\n".join(
        [b"-----BEGIN SSH SIGNATURE-----", base64.b64encode(blob), b"-----END SSH SIGNATURE-----", b""]
    )
