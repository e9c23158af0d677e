"""A backup's document, and the file around it."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import tink
from tests.keys.people import an_identity, program
from tests.keys.state_of_keys import EMAIL, MADE, a_filled_state, a_root
from tink import aead, cleartext_keyset_handle, daead

from strongroom.errors import (
    BackupDamaged,
    BackupFormatUnknown,
    BackupKeyWrong,
    BackupPlaceRefused,
    KekMissing,
)
from strongroom.keys import age, backup, document
from strongroom.keys.backup import Contents
from strongroom.keys.backups import Backups
from strongroom.keys.kek import Keks
from strongroom.keys.model import ExportCapability, Keyset
from strongroom.protect.deterministic import Deterministic
from strongroom.secret import Secret

NOW = datetime(2026, 11, 22, 12, 30, tzinfo=UTC)
CAPABILITY = ExportCapability("a test")
PASSPHRASE = Secret("correct horse battery staple")


def documents(keysets: tuple[Keyset, ...]) -> list[bytes]:
    return [document.danger_written(keyset, CAPABILITY) for keyset in keysets]


def same(one: Contents, other: Contents) -> bool:
    """Whether two hold the same, key material included."""
    kinds = ("keks", "keysets", "retired")
    rest = ("id", "made", "uses", "sealed", "custody", "backups", "events", "legal_holds")
    return all(documents(getattr(one, kind)) == documents(getattr(other, kind)) for kind in kinds) and all(
        getattr(one, field) == getattr(other, field) for field in rest
    )


@pytest.fixture
def filled(tmp_path: Path) -> tuple[Any, Contents]:
    """The engine of a state with all sorts of keys, and what a backup of it holds."""
    state, keks = a_filled_state(tmp_path, a_root(tmp_path))
    return state.engine, backup.contents(state.engine, keks, NOW)


def written(what: Contents) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(backup.danger_written(what, CAPABILITY))
    return read


def test_everything_is_in_it(filled: tuple[Any, Contents]) -> None:
    """All KEKs, keysets and versions, retired ones too; uses, sealed columns, custody."""
    _, what = filled
    assert [kek.name for kek in what.keks] == ["kek shop"]
    assert len(what.keks[0].versions) == 2
    assert {keyset.name: len(keyset.versions) for keyset in what.keysets} == {
        EMAIL: 2,
        "shop/public.t.iban": 3,
    }
    assert [keyset.name for keyset in what.retired] == ["shop/public.t.phone"]
    assert list(what.uses.values()) == [1024]
    assert [(one.name, one.released) for one in what.sealed] == [
        ("public.t.email", False),
        ("public.t.iban", True),
    ]
    assert len(what.custody) == 2
    assert [(one.what, one.subject) for one in what.events] == [("rotated", EMAIL)]
    assert [(one.name, one.version) for one in what.legal_holds] == [(EMAIL, 1), ("kek shop", None)]
    assert what.kek("shop") is what.keks[0]
    assert what.kek("other") is None


def test_the_document_reads_as_it_was(filled: tuple[Any, Contents]) -> None:
    """Written and read again it is the same."""
    _, what = filled
    assert same(backup.read(backup.danger_written(what, CAPABILITY)), what)


def test_one_that_was_made_before_there_were_holds(filled: tuple[Any, Contents]) -> None:
    """It is read, and holds none."""
    document = written(filled[1])
    del document["legalHolds"]
    assert backup.read(json.dumps(document).encode()).legal_holds == ()


def test_stock_age_and_tink_open_values_with_it(filled: tuple[Any, Contents], tmp_path: Path) -> None:
    """age decrypts the file; a keyset of its JSON opens, by Tink, what Strongroom sealed, and Tink's ours."""
    engine, what = filled
    identity, recipient = an_identity(tmp_path)
    backup.make(engine, what, tmp_path / "keys.age", age.ToRecipients((recipient,)))
    opened = subprocess.run(
        [program("age"), "-d", "-i", str(identity), str(tmp_path / "keys.age")],
        capture_output=True,
        check=True,
    )
    found = json.loads(opened.stdout)
    assert found["format"] == backup.FORMAT
    keysets = {one["name"]: one for one in found["keysets"]}
    daead.register()
    aead.register()
    reader = tink.JsonKeysetReader(json.dumps(keysets[EMAIL]["keyset"]))
    theirs = cleartext_keyset_handle.read(reader).primitive(daead.DeterministicAead)
    context = bytes.fromhex(keysets[EMAIL]["associatedData"])
    ours = next(one for one in what.keysets if one.name == EMAIL)
    sealed = Deterministic(ours).seal(b"ada@example.org")
    assert theirs.decrypt_deterministically(sealed, context) == b"ada@example.org"
    kek = tink.JsonKeysetReader(json.dumps(found["keks"][0]["keyset"]))
    assert cleartext_keyset_handle.read(kek).primitive(aead.Aead)


def test_a_file_is_made_verified_and_registered(filled: tuple[Any, Contents], tmp_path: Path) -> None:
    """It opens with its key, and the register says where it is, to whom, and what it holds."""
    engine, what = filled
    made = backup.make(engine, what, tmp_path / "keys.age", age.ToShares(2, 3))
    content = (tmp_path / "keys.age").read_bytes()
    assert same(backup.opened(content, made.key), what)
    (entry,) = Backups(engine).all()
    assert (entry.id, entry.made, entry.place) == (what.id, NOW, str(tmp_path / "keys.age"))
    assert entry.to == f"2 of 3 shares of set {made.shares[0].set_id:08x}"
    assert entry.holds == what.holds
    assert set(entry.holds) == {"kek shop", EMAIL, "shop/public.t.iban", "shop/public.t.phone"}


def test_no_file_no_entry(filled: tuple[Any, Contents], tmp_path: Path) -> None:
    """Where the file cannot have its name, the register does not have it either."""
    engine, what = filled
    (tmp_path / "keys.age").touch()
    with pytest.raises(BackupPlaceRefused):
        backup.make(engine, what, tmp_path / "keys.age", age.ToPassphrase(PASSPHRASE))
    assert Backups(engine).all() == []


def test_the_wrong_passphrase(filled: tuple[Any, Contents], tmp_path: Path) -> None:
    """It opens nothing."""
    engine, what = filled
    backup.make(engine, what, tmp_path / "keys.age", age.ToPassphrase(PASSPHRASE))
    content = (tmp_path / "keys.age").read_bytes()
    assert same(backup.opened(content, PASSPHRASE), what)
    with pytest.raises(BackupKeyWrong):
        backup.opened(content, Secret("correct horse battery stable"))


def test_keys_that_no_root_opens(tmp_path: Path) -> None:
    """A state some of whose keys cannot be opened is not backed up as if they were not there."""
    state, _ = a_filled_state(tmp_path, a_root(tmp_path))
    with pytest.raises(KekMissing, match=EMAIL):
        backup.contents(state.engine, Keks.of(()), NOW)


def test_another_format_version(filled: tuple[Any, Contents]) -> None:
    """A later version is named as such, and so is what was never a backup."""
    _, what = filled
    for format_, words in (("strongroom key backup 2", "another version"), ("restic", "is no backup")):
        with pytest.raises(BackupFormatUnknown, match=words):
            backup.read(json.dumps(written(what) | {"format": format_}).encode())


@pytest.mark.parametrize(
    "field", ["keks", "keysets", "retired", "uses", "sealedColumns", "custody", "backups", "events"]
)
def test_what_is_not_whole(filled: tuple[Any, Contents], field: str) -> None:
    """A missing or malformed part is damage, never an empty part."""
    _, what = filled
    whole = written(what)
    without = {name: value for name, value in whole.items() if name != field}
    for bad in (without, whole | {field: 7}, whole | {field: [{}]}, whole | {field: [None]}):
        with pytest.raises(BackupDamaged):
            backup.read(json.dumps(bad).encode())


@pytest.mark.parametrize("text", [b"", b"[]", b"7", b"{}", b"\xff", b"[" * 100_000])
def test_what_is_no_document(text: bytes) -> None:
    """Anything else is damage."""
    with pytest.raises(BackupDamaged):
        backup.read(text)


def test_earlier_backups_are_in_it(filled: tuple[Any, Contents], tmp_path: Path) -> None:
    """What destroys a key must know of every copy, also after a restore."""
    engine, what = filled
    backup.make(engine, what, tmp_path / "keys.age", age.ToShares(2, 2))
    Backups(engine).note_drilled(what.id, MADE)
    entries = tuple(Backups(engine).all())
    later = Contents(**{**{f: getattr(what, f) for f in what.__slots__}, "backups": entries})
    assert backup.read(backup.danger_written(later, CAPABILITY)).backups == entries
