"""``strongroom keys import`` and ``export``: with openssl on one side, and stock Tink on the other."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import tink
from tests.cli.keys.conftest import EVERYONE, House
from tests.conftest import missing
from tink import aead, cleartext_keyset_handle, daead

from strongroom.cli.keys import transfer
from strongroom.cli.keys.work import KeyWork
from strongroom.cli.worksite import worksite
from strongroom.config import load
from strongroom.errors import KeyImportRefused
from strongroom.keys.model import Keyset

NOTE, EMAIL = "public.people.note", "public.people.email"
GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "importing-keys.md"


def wrapped(folder: Path, public: str, size: int) -> Path:
    """A key that openssl made and wrapped, by the commands that the guide shows."""
    if shutil.which("openssl") is None:
        missing("openssl")
    (folder / "public.pem").write_text(public)
    (folder / "material").write_bytes(os.urandom(size))
    recipe = re.search(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert recipe is not None
    subprocess.run(["sh", "-ec", recipe[1]], cwd=folder, check=True, capture_output=True)
    return folder / "blob"


def export(house: House, column: str, file: Path) -> bytes:
    run = house(
        "keys", "export", column, "--tink", "--danger-key-material-in-the-clear", "--output", str(file)
    )
    assert run.status == 0, run.stderr
    return file.read_bytes()


def opened_by_tink(exported: bytes, value: bytes) -> str:
    written = json.loads(exported)
    aead.register()
    handle = cleartext_keyset_handle.read(tink.JsonKeysetReader(json.dumps(written["keyset"])))
    opened = handle.primitive(aead.Aead).decrypt(value, bytes.fromhex(written["associatedData"]))
    return str(opened, "utf-8")


def matched_by_tink(exported: bytes, value: bytes) -> str:
    """The same for a deterministic column; sealed again by Tink it is the same value."""
    written = json.loads(exported)
    daead.register()
    handle = cleartext_keyset_handle.read(tink.JsonKeysetReader(json.dumps(written["keyset"])))
    primitive, context = handle.primitive(daead.DeterministicAead), bytes.fromhex(written["associatedData"])
    opened = primitive.decrypt_deterministically(value, context)
    if int.from_bytes(value[1:5]) == written["keyset"]["primaryKeyId"]:
        assert primitive.encrypt_deterministically(opened, context) == value
    return str(opened, "utf-8")


def test_stock_tink_opens_old_and_new_versions(house: House, tmp_path: Path) -> None:
    """By one export after the rotations: what an old dump holds, and what is stored now."""
    read = "SELECT email, note FROM people WHERE id = 7"
    before = house.rows(read)
    assert house("keys", "rotate", NOTE, EMAIL, "--reencrypt", "--no-wait").status == 0
    between = house.rows(read)
    assert house("keys", "rotate", NOTE, EMAIL, "--reencrypt", "--no-wait").status == 0
    after = house.rows(read)
    emails = export(house, EMAIL, tmp_path / "safe" / "email.json")
    notes = export(house, NOTE, tmp_path / "safe" / "note.json")
    ids = {(email[1:5], note[1:5]) for [(email, note)] in (before, between, after)}
    assert len(ids) == 3
    for [(email, note)] in (before, between, after):
        assert matched_by_tink(emails, email) == "person7@example.org"
        assert opened_by_tink(notes, note) == "note 7"


def test_a_key_of_ones_own(house: House, tmp_path: Path) -> None:
    """It comes wrapped, waits, and then seals; the values from before open still, and it is all on record."""
    begun = house("keys", "import", NOTE, "--begin")
    assert begun.status == 0, begun.stderr
    assert begun.stdout.startswith("-----BEGIN PUBLIC KEY-----")
    blob = wrapped(tmp_path / "safe", begun.stdout, 32)
    taken = house("keys", "import", NOTE, "--key-file", str(blob))
    assert taken.status == 0, taken.stderr
    assert "version 2" in taken.stdout
    assert "has begun" in house("keys", "import", NOTE, "--key-file", str(blob)).stderr
    assert "waits to be used" in house("keys", "import", NOTE, "--begin").stderr
    rotated = house("keys", "rotate", NOTE, "--reencrypt", "--no-wait", "--json")
    assert rotated.status == 0, rotated.stderr
    assert house.served() == EVERYONE
    [(value,)] = house.rows("SELECT note FROM people WHERE id = 7")
    exported = export(house, NOTE, tmp_path / "safe" / "note.json")
    assert opened_by_tink(exported, value) == "note 7"
    # Tink's JSON has the material in a protobuf field: the imported one is the key that seals.
    document = json.loads(exported)
    assert value[1:5].hex() == f"{document['keyset']['primaryKeyId']:08x}"
    assert len(document["keyset"]["key"]) == 2
    events = [one["what"] for one in json.loads(house("keys", "events", "--json").stdout)]
    assert events == ["import begun", "imported", "rotated", "exported"]


def test_a_key_for_a_deterministic_column(house: House, tmp_path: Path) -> None:
    """64 octets; one of 32 is refused, and the import goes on."""
    public = house("keys", "import", EMAIL, "--begin").stdout
    short = wrapped(tmp_path / "safe", public, 32)
    assert "has 64 octets" in house("keys", "import", EMAIL, "--key-file", str(short)).stderr
    right = wrapped(tmp_path / "safe", public, 64)
    assert house("keys", "import", EMAIL, "--key-file", str(right)).status == 0
    rotated = house("keys", "rotate", EMAIL, "--reencrypt", "--no-wait", "--json")
    assert rotated.status == 0, rotated.stderr
    assert house.served() == EVERYONE


def test_an_export_is_for_its_owner_and_never_over_a_file(house: House, tmp_path: Path) -> None:
    """Nor beside the state, whose backup would carry it along; without the flag nothing happens."""
    file = tmp_path / "safe" / "note.json"
    assert house("keys", "export", NOTE, "--tink", "--output", str(file)).status == 2
    assert not file.exists()
    first = export(house, NOTE, file)
    assert file.stat().st_mode & 0o777 == 0o600
    danger = ("--tink", "--danger-key-material-in-the-clear", "--output")
    for place in (file, tmp_path / "state" / "note.json"):
        refused = house("keys", "export", NOTE, *danger, str(place))
        assert "backup-place" in refused.stderr
    assert file.read_bytes() == first
    [(value,)] = house.rows("SELECT note FROM people WHERE id = 7")
    assert opened_by_tink(first, value) == "note 7"


def test_what_was_wrapped_for_another_import(house: House, tmp_path: Path) -> None:
    """A new beginning voids the one before."""
    blob = wrapped(tmp_path / "safe", house("keys", "import", NOTE, "--begin").stdout, 32)
    assert house("keys", "import", NOTE, "--begin").status == 0
    assert "key-import-refused" in house("keys", "import", NOTE, "--key-file", str(blob)).stderr


def test_what_was_wrapped_before_a_leak(house: House, tmp_path: Path) -> None:
    """Its key pair may be known with the key: the import is void, which is said; another may begin."""
    blob = wrapped(tmp_path / "safe", house("keys", "import", NOTE, "--begin").stdout, 32)
    leak = house("keys", "compromise", NOTE, "--no-wait")
    assert leak.status == 0
    assert "that had begun is void" in leak.stderr
    late = house("keys", "import", NOTE, "--key-file", str(blob))
    assert late.status == 2
    assert "ends where the column's key is compromised" in " ".join(late.stderr.split())
    assert len(versions(house)) == 2
    blob = wrapped(tmp_path / "safe", house("keys", "import", NOTE, "--begin").stdout, 32)
    assert house("keys", "import", NOTE, "--key-file", str(blob)).status == 0


def test_a_leak_while_the_key_comes(house: House, tmp_path: Path) -> None:
    """It is written down between the unwrapping and the keyset: what was unwrapped is not taken."""
    blob = wrapped(tmp_path / "safe", house("keys", "import", NOTE, "--begin").stdout, 32)

    class Late(KeyWork):
        def change(self, name: str, after: Callable[[Keyset], Keyset]) -> Keyset:
            assert house("keys", "compromise", NOTE, "--no-wait").status == 0
            return super().change(name, after)

    with worksite(load(house.folder / "strongroom.yaml"), None, "test") as site:
        work = Late(site, wait=False)
        with pytest.raises(KeyImportRefused):
            transfer._take(work, work.keyset_name(NOTE), NOTE, blob.read_bytes(), as_json=False)
    assert [one["state"] for one in versions(house)] == ["compromised", "active"]


def versions(house: House) -> list[dict[str, object]]:
    """As `keys show` has them."""
    shown: list[dict[str, object]] = json.loads(house("keys", "show", NOTE, "--json").stdout)
    return shown


@pytest.mark.parametrize("words", [(), ("--begin", "--key-file", "x")])
def test_wrong_use(house: House, words: tuple[str, ...]) -> None:
    """One of both."""
    assert house("keys", "import", NOTE, *words).status == 2
