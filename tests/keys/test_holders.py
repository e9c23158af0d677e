"""What holds keys, passphrases or shares never prints them, nor does what holds that."""

import base64
import copy
import io
import pickle
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from types import MappingProxyType

import pytest
from tests.kit.reachable import reachable
from tests.protect.samples import Counted
from tests.session.conversation import LIMITS

from strongroom._kernel import python as readable
from strongroom._kernel import sealing as readable_sealing
from strongroom.config.roots import PassphraseAddress
from strongroom.errors import StrongroomError
from strongroom.gateway.protection import Prepared
from strongroom.keys import age
from strongroom.keys.backup import Contents
from strongroom.keys.hierarchy import Roots, Settled
from strongroom.keys.imported import ImportToken
from strongroom.keys.kek import Keks, WrappedKek, new_kek
from strongroom.keys.keyring import KeyRing
from strongroom.keys.model import Algorithm, Dek, Keyset, KeyState, KeyVersion
from strongroom.keys.root.entering import Entered
from strongroom.keys.root.file import FileRoot
from strongroom.keys.root.passphrase import Parameters, PassphraseRoot
from strongroom.keys.root.pkcs11_errand import Errand
from strongroom.keys.root.shamir import ShamirRoot
from strongroom.keys.root.ttlv import Item, Kind
from strongroom.keys.root.vault_client import Answer
from strongroom.keys.shares import combine, split
from strongroom.protect.canonical import BINARY_FORMAT, Sent
from strongroom.protect.plan import ColumnCodec
from strongroom.protect.scheme import Scheme
from strongroom.protect.sealing import KernelSeals, column_sealer
from strongroom.protect.style import TextStyle
from strongroom.secret import Secret
from strongroom.session.guarded import GuardedRelay
from strongroom.session.snapshot import Snapshot
from strongroom.sql.schema import Schema

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WORD = b"geheim"
MATERIAL = {one: (WORD * 11)[: one.key_size] for one in Algorithm}


def schemes() -> list[Scheme]:
    return [
        Scheme.parse("shop", f"public.t.{one.value}", type="text", encryption=one.value) for one in Algorithm
    ]


def keyset(scheme: Scheme) -> Keyset:
    dek = Dek(MATERIAL[scheme.algorithm], scheme.algorithm, 7)
    version = KeyVersion(7, KeyState.ACTIVE, NOW, dek)
    return Keyset(scheme.keyset, scheme.algorithm, scheme.context, scheme.form, 0, (version,), 7)


def kek() -> Keyset:
    made = new_kek("shop", NOW)
    version = KeyVersion(7, KeyState.ACTIVE, NOW, Dek(MATERIAL[made.algorithm], made.algorithm, 7))
    return Keyset(made.name, made.algorithm, made.context, made.form, 0, (version,), 7)


def hierarchy() -> object:
    keks, row = Keks.of([kek()]), WrappedKek("kek shop", 1, MappingProxyType({"file 1": b"wrapped"}))
    roots = Roots((FileRoot(MATERIAL[Algorithm.AES256_GCM], 7),))
    return Prepared(keks, roots), Settled(kek(), row), [keks.wrap(keyset(one)) for one in schemes()]


def ciphers() -> object:
    """As a worker has them, with those of both kernels."""
    codecs = {one.column: ColumnCodec(one, keyset(one), Counted()) for one in schemes()}
    seals = KernelSeals([column_sealer(one, Sent(TextStyle())) for one in codecs.values()])
    openers = [one.native_opener(BINARY_FORMAT, is_hexed=False) for one in codecs.values()]
    snapshot = Snapshot(Schema({}), {one.column: one for one in schemes()}, {}, codecs)
    ring = KeyRing.of([keyset(one) for one in schemes()])
    return ring, snapshot, GuardedRelay(LIMITS, snapshot), seals, openers


def twins() -> object:
    made = []
    for one in Algorithm:
        before, material = b"\x01\0\0\0\x07", MATERIAL[one]
        key = [(before, material, b"context")]
        made.append(readable.Opener(one.value, key, form="verbatim", is_text=True, is_hexed=False))
        sealer = readable_sealing.Sealer(
            one.value, (before, material), b"context", form="verbatim", is_text=True
        )
        made.append(sealer)  # type: ignore[arg-type]  # two kinds
    return made


def roots() -> object:
    secret, phrase = MATERIAL[Algorithm.AES256_GCM], Secret((WORD * 3).decode())
    shares = split(secret, 7, count=3, threshold=2)
    entered = Entered()
    entered._passphrases[PassphraseAddress(None)] = phrase
    return (
        *(FileRoot(secret, 7), ShamirRoot(secret, 7), combine(one.danger_text() for one in shares)),
        PassphraseRoot(phrase, Parameters(salt=b"s" * 16, memory_kib=64, passes=1, lanes=1)),
        *(entered, Secret(WORD.decode())),
        Errand("wrap", "module", (), "label", None, phrase, "pkcs11", data=secret),
        Item(1, Kind.OCTETS, secret),
        Answer(200, {"plaintext": base64.b64encode(secret).decode()}, ""),
    )


def backups() -> object:
    keysets = tuple(keyset(one) for one in schemes())
    what = Contents("1", NOW, (kek(),), keysets, keysets, {}, (), (), (), ())
    phrase = Secret((WORD * 3).decode())
    return what, age.ToPassphrase(phrase), age.Encrypted(b"sealed", phrase, "a passphrase")


MAKERS = [hierarchy, ciphers, twins, roots, backups]


def forms(secret: bytes) -> list[str]:
    """How octets would look if they were printed."""
    encoded = [base64.b64encode(secret[at:]).decode().rstrip("=")[:-1] for at in range(3)]
    return [secret.decode(), secret.hex(), repr(list(secret))[1:-1], *encoded]


SHOWN = forms(WORD)


def of_ours(root: object) -> list[object]:
    """What of ours is reached from an object; plain octets and containers print what they hold, of course."""
    return [one for one in reachable(root) if type(one).__module__.startswith(("strongroom", "_kernel"))]


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_nothing_that_holds_a_secret_prints_it(make: Callable[[], object]) -> None:
    """By none of the ways in which a log, an error or a debugger's line would."""
    found = of_ours(make())
    assert len(found) >= 4
    for one in found:
        for text in (repr(one), str(one), f"{one}", "%s" % (one,)):  # noqa: UP031  # it is one of the ways
            assert not any(form in text for form in SHOWN), type(one)


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_a_trace_with_its_local_variables(make: Callable[[], object]) -> None:
    """Such as pytest, rich and error trackers write: holders stand in it by their names."""

    def fails(held: list[object]) -> None:
        for one in held:
            if one is held[-1]:
                raise ValueError

    written = io.StringIO()
    try:
        fails(of_ours(make()))
    except ValueError as error:
        for line in traceback.TracebackException.from_exception(error, capture_locals=True).format():
            written.write(line)
    assert "held = [" in written.getvalue()
    assert not any(form in written.getvalue() for form in SHOWN)


@pytest.mark.parametrize("copied", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_key_is_neither_pickled_nor_copied(copied: Callable[[object], object]) -> None:
    """Nor is it carried along by accident with what holds it."""
    (one, *_) = [keyset(scheme) for scheme in schemes()]
    dek = one.versions[0].dek
    with pytest.raises(StrongroomError, match="never pickled"):
        copied(dek)
    for holder in (one, Keks.of([kek()]), KeyRing.of([one])):
        if copied is not copy.copy:  # which shares what it holds
            with pytest.raises((StrongroomError, TypeError), match="pickle"):
                copied(holder)


def test_the_private_half_of_an_import_does_not_print() -> None:
    """Nor does it compare."""
    token = ImportToken.make(NOW)
    assert "PRIVATE" not in repr(token)
    assert "private" not in repr(token).lower()
