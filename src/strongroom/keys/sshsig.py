"""Signatures as ``ssh-keygen -Y sign`` makes them, and the public keys that verify them.

The format is SSHSIG (OpenSSH, PROTOCOL.sshsig); keys and signatures inside it are those of RFC 4253, 5656,
8332 and 8709, and of OpenSSH's PROTOCOL.u2f for keys in security tokens. What is signed is never the message
but a preimage that names the namespace, so that a signature made for another purpose (a commit, a login) is
none here. Pure; called by ``approvals.py`` and by ``config`` for the keys of people.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_ssh_public_key

from strongroom.errors import SignatureInvalid

MAX_SIGNATURE_BYTES = 1 << 14
"""An armoured signature; one of RSA with 16,384 bits, OpenSSH's largest key, has about 6 KiB."""
MAX_KEY_CHARACTERS = 1 << 14
MIN_RSA_BITS = 2048
"""NIST SP 800-57 part 1, table 2: 112 bits of security."""

_MAGIC = b"SSHSIG"
_VERSION = b"\x00\x00\x00\x01"
_BEGIN, _END = b"-----BEGIN SSH SIGNATURE-----", b"-----END SSH SIGNATURE-----"
_HASHES: Mapping[bytes, Callable[[bytes], bytes]] = MappingProxyType(
    {
        b"sha256": lambda message: hashlib.sha256(message).digest(),
        b"sha512": lambda message: hashlib.sha512(message).digest(),
    }
)
_USER_PRESENT = 0x01  # PROTOCOL.u2f: the token was touched


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key of OpenSSH's, without its comment."""

    kind: str
    blob: bytes
    """As RFC 4253, section 6.6, has it: the kind and its parts, each after its length."""

    def __str__(self) -> str:
        return f"{self.kind} {base64.b64encode(self.blob).decode()}"

    @property
    def fingerprint(self) -> str:
        """As ``ssh-keygen -l`` shows it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")


def parse_public_key(line: str) -> PublicKey:
    """A line of ``id_ed25519.pub``, its comment left away; raises ``SignatureInvalid``."""
    kind, _, rest = line.strip().partition(" ")
    words = rest.split()
    if kind not in _KINDS or not words or len(line) > MAX_KEY_CHARACTERS:
        raise SignatureInvalid("this is not a public key of OpenSSH's, of a kind that may sign here")
    try:
        blob = base64.b64decode(words[0], validate=True)
    except binascii.Error:
        raise SignatureInvalid("this is not a public key of OpenSSH's: its base64 is damaged") from None
    key = PublicKey(kind, blob)
    _loaded(key)
    return key


@dataclass(frozen=True, slots=True)
class Signature:
    """An SSHSIG, parsed and not verified yet."""

    key: PublicKey
    namespace: str
    hash_name: bytes
    kind: str
    """The signature's algorithm, which is the key's but for RSA."""
    octets: bytes
    rest: bytes
    """What follows it for keys in security tokens: flags and a counter."""


def parse_signature(armoured: bytes) -> Signature:
    """What ``ssh-keygen -Y sign`` wrote; raises ``SignatureInvalid``."""
    text = armoured.strip()
    if len(armoured) > MAX_SIGNATURE_BYTES or not (text.startswith(_BEGIN) and text.endswith(_END)):
        raise SignatureInvalid("this is not a signature of `ssh-keygen -Y sign`")
    try:
        blob = base64.b64decode(b"".join(text[len(_BEGIN) : -len(_END)].split()), validate=True)
    except binascii.Error:
        raise SignatureInvalid("the signature is damaged: it is not base64") from None
    if not blob.startswith(_MAGIC + _VERSION):
        raise SignatureInvalid("the signature is of another format or version than SSHSIG 1")
    key_blob, namespace, _reserved, hash_name, signature = _strings(blob[len(_MAGIC + _VERSION) :], 5)
    kind, octets, rest = _head(signature)
    return Signature(
        PublicKey(_text(_string(key_blob)[0]), key_blob),
        _text(namespace),
        hash_name,
        _text(kind),
        octets,
        rest,
    )


def verify(signature: Signature, message: bytes, namespace: str) -> None:
    """Raises ``SignatureInvalid`` unless the key that it names made it over this message, and for this."""
    if signature.namespace != namespace:
        raise SignatureInvalid(
            f"it was made for another purpose than {namespace!r}", hint=f"sign it with -n {namespace}"
        )
    digest = _HASHES.get(signature.hash_name)
    if digest is None:
        raise SignatureInvalid("it is over a hash that SSHSIG does not know")
    reserved = b""
    # PROTOCOL.sshsig, "Signed Data, of which the signature goes into the blob above".
    preimage = _MAGIC + b"".join(
        len(part).to_bytes(4, "big") + part
        for part in (namespace.encode(), reserved, signature.hash_name, digest(message))
    )
    check = _CHECKS.get((signature.key.kind, signature.kind))
    if check is None:
        raise SignatureInvalid(f"a key of kind {signature.key.kind!r} may not sign so")
    try:
        check(signature, preimage)
    except InvalidSignature:
        raise SignatureInvalid("it was not made over this file, or is damaged") from None


# -------------------------------------------------------------------------------------- one kind of key each


def _ed25519(signature: Signature, preimage: bytes) -> None:
    _no_rest(signature)
    _ed25519_key(signature).verify(signature.octets, preimage)


def _ecdsa(signature: Signature, preimage: bytes) -> None:
    """RFC 5656, section 3.1.2."""
    _no_rest(signature)
    _ecdsa_key(signature).verify(_der(signature.octets), preimage, ec.ECDSA(_CURVES[signature.key.kind]))


def _rsa(signature: Signature, preimage: bytes) -> None:
    """RFC 8332, section 3; ``ssh-rsa``, over SHA-1, is not taken."""
    _no_rest(signature)
    key = _loaded(signature.key)
    assert isinstance(key, rsa.RSAPublicKey)
    digest = hashes.SHA512() if signature.kind == "rsa-sha2-512" else hashes.SHA256()
    key.verify(signature.octets, preimage, padding.PKCS1v15(), digest)


def _sk_ed25519(signature: Signature, preimage: bytes) -> None:
    _ed25519_key(signature).verify(signature.octets, _token_preimage(signature, preimage))


def _sk_ecdsa(signature: Signature, preimage: bytes) -> None:
    signed = _token_preimage(signature, preimage)
    _ecdsa_key(signature).verify(_der(signature.octets), signed, ec.ECDSA(hashes.SHA256()))


def _token_preimage(signature: Signature, preimage: bytes) -> bytes:
    """PROTOCOL.u2f, "SSH U2F Signatures": what a security token signs; somebody must have touched it."""
    if len(signature.rest) != 5 or not signature.rest[0] & _USER_PRESENT:
        raise SignatureInvalid("nobody touched the security token when it was made")
    *_, application = _all_strings(signature.key.blob)
    return hashlib.sha256(application).digest() + signature.rest + hashlib.sha256(preimage).digest()


def _no_rest(signature: Signature) -> None:
    if signature.rest:
        raise SignatureInvalid("something follows the signature")


_CURVES: Mapping[str, hashes.HashAlgorithm] = MappingProxyType(
    {
        "ecdsa-sha2-nistp256": hashes.SHA256(),
        "ecdsa-sha2-nistp384": hashes.SHA384(),
        "ecdsa-sha2-nistp521": hashes.SHA512(),
    }
)
"""RFC 5656, section 6.2.1."""

_SK_ED25519, _SK_ECDSA = "sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com"
_CHECKS: Mapping[tuple[str, str], Callable[[Signature, bytes], None]] = MappingProxyType(
    {
        ("ssh-ed25519", "ssh-ed25519"): _ed25519,
        ("ssh-rsa", "rsa-sha2-256"): _rsa,
        ("ssh-rsa", "rsa-sha2-512"): _rsa,
        (_SK_ED25519, _SK_ED25519): _sk_ed25519,
        (_SK_ECDSA, _SK_ECDSA): _sk_ecdsa,
        **{(curve, curve): _ecdsa for curve in _CURVES},
    }
)
"""(the key's kind, the signature's): what else there is, or may come, is refused."""
_KINDS = frozenset(kind for kind, _ in _CHECKS)


def _loaded(key: PublicKey) -> object:
    try:
        loaded = load_ssh_public_key(str(key).encode())
    except (ValueError, NotImplementedError, UnsupportedAlgorithm):  # the second: a compressed point
        raise SignatureInvalid("the public key is damaged, or of a kind that may not sign here") from None
    if isinstance(loaded, rsa.RSAPublicKey) and loaded.key_size < MIN_RSA_BITS:
        raise SignatureInvalid(f"an RSA key needs {MIN_RSA_BITS} bits or more to sign here")
    return loaded


def _ed25519_key(signature: Signature) -> Ed25519PublicKey:
    key = _loaded(signature.key)
    assert isinstance(key, Ed25519PublicKey)  # _CHECKS: the kind says so, and _loaded read it
    return key


def _ecdsa_key(signature: Signature) -> ec.EllipticCurvePublicKey:
    key = _loaded(signature.key)
    assert isinstance(key, ec.EllipticCurvePublicKey)  # as above
    return key


def _der(octets: bytes) -> bytes:
    """Two mpints (RFC 4251, section 5) as the library takes them."""
    r, s = (int.from_bytes(one, "big", signed=True) for one in _strings(octets, 2))
    if r <= 0 or s <= 0:
        raise SignatureInvalid("the signature is damaged: its numbers cannot be")
    return encode_dss_signature(r, s)


# ------------------------------------------------------------------------------ RFC 4251, section 5: string


def _string(octets: bytes) -> tuple[bytes, bytes]:
    """The first string, and what follows."""
    end = 4 + int.from_bytes(octets[:4], "big")
    if len(octets) < end or len(octets) < 4:
        raise SignatureInvalid("the signature is cut, or damaged")
    return octets[4:end], octets[end:]


def _strings(octets: bytes, count: int) -> list[bytes]:
    """So many strings, and nothing else."""
    found = _all_strings(octets)
    if len(found) != count:
        raise SignatureInvalid("the signature is damaged: its parts are not those of an SSHSIG")
    return found


def _all_strings(octets: bytes) -> list[bytes]:
    found = []
    while octets:
        one, octets = _string(octets)
        found.append(one)
    return found


def _head(octets: bytes) -> tuple[bytes, bytes, bytes]:
    """Two strings, and what follows them."""
    first, rest = _string(octets)
    second, rest = _string(rest)
    return first, second, rest


def _text(octets: bytes) -> str:
    try:
        return octets.decode("ascii")
    except UnicodeDecodeError:
        raise SignatureInvalid("the signature is damaged: a name in it is no text") from None
