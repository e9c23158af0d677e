"""keys/root/passphrase.py: a root made of a passphrase, held against argon2's own library and Tink."""

from base64 import b64decode

import argon2.low_level
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from strongroom.errors import RootKeyUnsafe, WrongRoot
from strongroom.keys.kek import WrappedKek
from strongroom.keys.root import wrapping_context
from strongroom.keys.root.passphrase import SALT_SIZE, Parameters, PassphraseRoot, parameters_of
from strongroom.secret import Secret

WORDS = Secret("correct horse battery staple")
QUICK = Parameters(bytes(range(SALT_SIZE)), memory_kib=128, passes=1, lanes=2)


def test_round_trip() -> None:
    """What it wraps it unwraps, under the same associated data only."""
    root = PassphraseRoot(WORDS, QUICK)
    wrapped = root.wrap(b"keys", b"context")
    assert root.unwrap(wrapped, b"context") == b"keys"
    assert root.wrap(b"keys", b"context") != wrapped
    with pytest.raises(WrongRoot):
        root.unwrap(wrapped, b"other")
    assert repr(root) == "<PassphraseRoot 00010203>"
    assert root.name == "passphrase 00010203"


def test_it_opens_without_strongroom() -> None:
    """The header is a PHC string without its hash; Argon2id and AES-GCM are all that is needed."""
    wrapped = PassphraseRoot(WORDS, QUICK).wrap(b"keys", b"context")
    header, _, sealed = wrapped.partition(b"\n")
    assert header.startswith(b"$argon2id$v=19$m=128,t=1,p=2$")
    key = argon2.low_level.hash_secret_raw(
        WORDS.danger_reveal().encode(),
        b64decode(header.rpartition(b"$")[2] + b"=="),
        time_cost=1,
        memory_cost=128,
        parallelism=2,
        hash_len=32,
        type=argon2.low_level.Type.ID,
    )
    assert AESGCM(key).decrypt(sealed[5:17], sealed[17:], b"context") == b"keys"


def test_the_same_words_and_salt_are_the_same_root() -> None:
    """On another machine, after years."""
    wrapped = PassphraseRoot(WORDS, QUICK).wrap(b"keys", wrapping_context("kek shop"))
    row = WrappedKek("kek shop", 1, {"passphrase 00010203": wrapped, "file 1": b"?"})
    again = PassphraseRoot.open(WORDS, [row])
    assert again.unwrap(wrapped, wrapping_context("kek shop")) == b"keys"
    with pytest.raises(WrongRoot, match="passphrase of the root key is wrong"):
        PassphraseRoot.open(Secret("correct horse battery stable"), [row])


def test_a_new_root_has_a_salt_of_its_own() -> None:
    """Two installations with one passphrase have two keys."""
    first, second = PassphraseRoot.open(WORDS, ()), PassphraseRoot.open(WORDS, ())
    assert first.name != second.name
    with pytest.raises(WrongRoot):
        second.unwrap(first.wrap(b"keys", b""), b"")


def test_a_short_passphrase_is_refused() -> None:
    """What can be guessed in an afternoon protects nothing."""
    with pytest.raises(RootKeyUnsafe, match="fewer than 12"):
        PassphraseRoot.new(Secret("eleven char"))


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"$argon2i$v=19$m=128,t=1,p=2$AAECAwQFBgcICQoLDA0ODw\n",
        b"$argon2id$v=19$m=9999999,t=1,p=2$AAECAwQFBgcICQoLDA0ODw\n",
        b"$argon2id$v=19$m=1,t=1,p=2$AAECAwQFBgcICQoLDA0ODw\n",
        b"$argon2id$v=19$m=128,t=0,p=2$AAECAwQFBgcICQoLDA0ODw\n",
        b"$argon2id$v=19$m=128,t=99,p=2$AAECAwQFBgcICQoLDA0ODw\n",
        b"$argon2id$v=19$m=128,t=1,p=17$AAECAwQFBgcICQoLDA0ODw\n",
        b"$argon2id$v=19$m=128,t=1,p=2$AAECAwQFBgcICQoLDA0O\n",
    ],
)
def test_parameters_out_of_bounds(header: bytes) -> None:
    """A changed row of the database makes neither another algorithm nor a gigabyte of work."""
    with pytest.raises(WrongRoot):
        parameters_of(header + b"\x01")


def test_changed_or_cut() -> None:
    """Each bit of the header and the ciphertext counts."""
    root = PassphraseRoot(WORDS, QUICK)
    wrapped = root.wrap(b"keys", b"context")
    for position in range(len(wrapped)):
        changed = bytearray(wrapped)
        changed[position] ^= 1
        for bad in (bytes(changed), wrapped[:position]):
            with pytest.raises(WrongRoot):
                root.unwrap(bad, b"context")
