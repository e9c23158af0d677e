"""One errand to a PKCS#11 token, in a process of its own: ``python -m strongroom.keys.root.pkcs11_token``.

A module is somebody else's shared library: it can hang, crash, print, keep a login for the whole process and
break when the process forks. So it is never loaded into the gateway. The ``Errand`` comes in on standard
input, pickled; the answer, octets or an error of ours, goes out on standard output, and the process ends, and
with it every session and login. Sections are those of PKCS#11 (OASIS, Cryptographic Token Interface Base
Specification 3.0), names too.

Started by ``pkcs11_errand`` alone.
"""

import contextlib
import os
import pickle
import secrets
import sys
from collections.abc import Iterator
from typing import Protocol, cast

import pkcs11
from pkcs11 import Attribute, KeyType, MechanismFlag, ObjectClass

from strongroom.errors import (
    PinRefused,
    RootError,
    RootKeyMissing,
    RootKeyUnsafe,
    RootRefused,
    RootUnreachable,
    WrongRoot,
)
from strongroom.keys.core_dumps import follow_parent
from strongroom.keys.root.pkcs11_errand import Errand

NONCE_SIZE = 12  # octets; NIST SP 800-38D, section 8.2.2: drawn at random, one for each wrapping
TAG_SIZE = 16
KEY_SIZE = 32
IDENTIFIER_SIZE = 16

# Return values (section 5.1) that say that the token, or the way to it, is gone or ill.
GONE = frozenset(
    {
        *("DeviceError", "DeviceMemory", "DeviceRemoved", "FunctionFailed", "GeneralError", "HostMemory"),
        *("SessionClosed", "SessionCount", "SessionHandleInvalid", "SlotIDInvalid"),
        *("TokenNotPresent", "TokenNotRecognised"),
    }
)
# Those with which tokens answer a tag that is wrong; SoftHSM's is the last.
NOT_OPENED = frozenset({"EncryptedDataInvalid", "EncryptedDataLenRange", "FunctionFailed", "GeneralError"})


class _Key(Protocol):
    """A secret key in a token; the library puts together what each can do when it finds it."""

    def encrypt(self, data: bytes, **mechanism: object) -> bytes: ...
    def decrypt(self, data: bytes, **mechanism: object) -> bytes: ...
    def __getitem__(self, attribute: Attribute) -> object: ...


def perform(errand: Errand) -> bytes:
    """The answer of the token; raises a ``RootError``."""
    try:
        with _session(errand) as session:
            if errand.what == "make":
                return _make(session, errand)
            return _use(_key(session, errand), errand)
    except pkcs11.PKCS11Error as error:
        raise told(error) from None


def _use(key: _Key, errand: Errand) -> bytes:
    match errand.what:
        case "wrap":
            return _wrap(key, errand.data, errand.associated_data)
        case "unwrap":
            return _unwrap(key, errand.data, errand.associated_data)
    return b""


def _wrap(key: _Key, plaintext: bytes, associated_data: bytes) -> bytes:
    """Nonce, ciphertext and tag; what the token could not open again is not given out."""
    nonce = secrets.token_bytes(NONCE_SIZE)
    sealed = bytes(key.encrypt(plaintext, **_gcm(nonce, associated_data)))
    if key.decrypt(sealed, **_gcm(nonce, associated_data)) != plaintext:
        raise RootRefused(
            "the PKCS#11 token does not open what it has just encrypted",
            hint="the token must take the nonce of CKM_AES_GCM from its caller; see docs/guides/roots-hsm.md",
        )
    return nonce + sealed


def _unwrap(key: _Key, wrapped: bytes, associated_data: bytes) -> bytes:
    nonce, sealed = wrapped[:NONCE_SIZE], wrapped[NONCE_SIZE:]
    try:
        return bytes(key.decrypt(sealed, **_gcm(nonce, associated_data)))
    except pkcs11.PKCS11Error as error:
        if type(error).__name__ not in NOT_OPENED:
            raise
        _wrap(key, b"probe", b"")  # a token that is ill fails here, too, and is then reported as such
        raise WrongRoot(
            "a wrapped key does not open under the key in the PKCS#11 token: "
            "it was changed, or wrapped by another",
            hint="name the token and key that were in use, or restore what was wrapped from a backup",
        ) from None


def _gcm(nonce: bytes, associated_data: bytes) -> dict[str, object]:
    """CKM_AES_GCM (Current Mechanisms Specification, section 2.12.1), with a whole tag."""
    parameters = pkcs11.GCMParams(nonce, associated_data, TAG_SIZE * 8)
    return {"mechanism": pkcs11.Mechanism.AES_GCM, "mechanism_param": parameters}


@contextlib.contextmanager
def _session(errand: Errand) -> Iterator[pkcs11.Session]:
    """A session, logged in; the PIN is given once."""
    token = _token(errand)
    refuse_pin_at_risk(token.flags)
    try:
        session = token.open(rw=errand.what == "make", user_pin=errand.pin.danger_reveal())
    except (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange):
        raise PinRefused("the PKCS#11 token refuses the PIN") from None
    try:
        yield session
    finally:
        with contextlib.suppress(pkcs11.PKCS11Error):  # the answer is there; the process ends anyway
            session.close()


def _token(errand: Errand) -> pkcs11.Token:
    try:
        module = pkcs11.lib(str(errand.module))
        tokens = [token for token in module.get_tokens() if _fits(token, errand)]
    except pkcs11.PKCS11Error as error:
        raise RootUnreachable(
            f"the PKCS#11 module {errand.module} cannot be used ({type(error).__name__})",
            hint="install it, or name it in module-path=; its own settings must be in the environment",
        ) from None
    match tokens:
        case [token]:
            return token
        case []:
            raise RootUnreachable(
                f"there is no such token: {errand.name}",
                hint="insert it, or start its service; the module's own tool lists what it sees",
            )
    raise RootRefused(f"{len(tokens)} tokens answer to {errand.name}", hint="add serial= to the address")


def _fits(token: pkcs11.Token, errand: Errand) -> bool:
    """Whether the token says all of itself that the address asks for (RFC 7512, section 2.3)."""
    said = {
        "token": token.label,
        "serial": token.serial.decode(errors="replace"),
        "manufacturer": token.manufacturer_id,
        "model": token.model,
    }
    return all(said[attribute] == value for attribute, value in errand.token)


def refuse_pin_at_risk(flags: pkcs11.TokenFlag) -> None:
    """The last try is left to a person, and a locked token is not asked (section 3.2, CK_TOKEN_INFO)."""
    if flags & pkcs11.TokenFlag.USER_PIN_LOCKED:
        raise RootRefused(
            "the PIN of the PKCS#11 token is locked", hint="let the token's security officer set it anew"
        )
    if flags & pkcs11.TokenFlag.USER_PIN_FINAL_TRY:
        raise RootRefused(
            "one try is left before the PIN of the PKCS#11 token is locked, and is not spent on this",
            hint="log in once with the right PIN by the token's own tool, set it right here, and start again",
        )


def _key(session: pkcs11.Session, errand: Errand) -> _Key:
    """The one key that the address names, if it may serve; raises otherwise."""
    match _keys(session, errand):
        case [key]:
            _refuse_unfit(key)
            return key
        case []:
            raise RootKeyMissing(
                f"there is no such key in the token: {errand.name}",
                hint="make it as docs/guides/roots-hsm.md shows, or name the one that is there",
            )
        case keys:
            raise RootRefused(
                f"{len(keys)} keys in the token answer to {errand.name}",
                hint="add id= to the address; the token's own tool lists the identifiers",
            )


def _keys(session: pkcs11.Session, errand: Errand) -> list[_Key]:
    sought: dict[Attribute, object] = {Attribute.CLASS: ObjectClass.SECRET_KEY}
    if errand.label is not None:
        sought[Attribute.LABEL] = errand.label
    if errand.identifier is not None:
        sought[Attribute.ID] = errand.identifier
    return [cast(_Key, found) for found in session.get_objects(sought)]  # by CKA_CLASS, they are keys


def _refuse_unfit(key: _Key) -> None:
    if key[Attribute.EXTRACTABLE] or not key[Attribute.SENSITIVE]:
        raise RootKeyUnsafe(
            "the key can be taken out of its token",
            hint="make another, with CKA_SENSITIVE and without CKA_EXTRACTABLE (docs/guides/roots-hsm.md)",
        )
    if key[Attribute.KEY_TYPE] != KeyType.AES or key[Attribute.VALUE_LEN] != KEY_SIZE:
        raise RootRefused("the key in the token is no AES key of 256 bits", hint="make one, and name that")
    if not (key[Attribute.ENCRYPT] and key[Attribute.DECRYPT]):
        raise RootRefused(
            "the key in the token may not encrypt and decrypt", hint="it needs CKA_ENCRYPT and CKA_DECRYPT"
        )


def _make(session: pkcs11.Session, errand: Errand) -> bytes:
    """A new key that never leaves the token; its identifier is the answer."""
    if _keys(session, errand):
        raise RootRefused(
            f"there is a key already: {errand.name}", hint="it is never overwritten; name another"
        )
    identifier = errand.identifier or secrets.token_bytes(IDENTIFIER_SIZE)
    session.generate_key(
        KeyType.AES,
        KEY_SIZE * 8,
        label=errand.label,
        id=identifier,
        store=True,
        capabilities=MechanismFlag.ENCRYPT | MechanismFlag.DECRYPT,
        template={Attribute.PRIVATE: True, Attribute.SENSITIVE: True, Attribute.EXTRACTABLE: False},
    )
    return identifier


def told(error: pkcs11.PKCS11Error) -> RootError:
    """The return value by name: the classes of the library have the names of the manual."""
    name = type(error).__name__
    if name in GONE:
        return RootUnreachable(f"the PKCS#11 token does not work ({name})")
    return RootRefused(f"the PKCS#11 token refuses ({name})")


def main() -> None:
    """Serve one errand; what the module prints goes nowhere."""
    follow_parent()
    answer_to = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    answer: bytes | RootError
    try:
        answer = perform(pickle.load(sys.stdin.buffer))  # noqa: S301  # from the process that started this one
    except RootError as error:
        answer = error
    with os.fdopen(answer_to, "wb") as pipe:
        pickle.dump(answer, pipe)


if __name__ == "__main__":
    main()
