"""``strongroom keys drill --tenants``: the backups of tenants' keys are proved, each for itself."""

import asyncio
import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage
import pytest
from tests.cli.conftest import Run
from tests.cli.keys.conftest import Memory
from tests.cli.keys.test_tenant_backup import Desk
from tests.gateway.tenants import Shop

from strongroom.gateway.protection import prepare
from strongroom.keys.store import KeyStore
from strongroom.keys.uses import Reservations
from strongroom.protect.canonical import Sent
from strongroom.protect.plan import ColumnCodec
from strongroom.protect.scheme import Scheme
from strongroom.protect.style import TextStyle
from strongroom.testing.servers import PostgresServer

IBAN = "public.people.iban"


@pytest.fixture
def desk(
    tmp_path: Path,
    postgres: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    strongroom: Callable[..., Run],
) -> Desk:
    """A shop of two tenants with three IBANs each, and backups of everything."""
    monkeypatch.setenv("PASSWORD", postgres.password)
    shop = Shop.make(tmp_path, postgres)
    shop.more["destroy_delay_days"] = 0
    shop.add("acme", "globex")
    made = Desk(shop, strongroom)
    for number, tenant in enumerate(["acme", "globex"] * 3):
        store(shop, number, tenant)
    made.backup_of_all()
    made.backup()
    return made


def store(shop: Shop, number: int, tenant: str) -> None:
    """A row of the tenant's."""
    with shop.state() as state:
        keks = asyncio.run(prepare(shop.settings(), state, [shop.place], to_seal=True)).keks
        kept = KeyStore(state.engine, keks)
        scheme = Scheme.parse(shop.database, IBAN, type="text", encryption="randomized").of_tenant(tenant)
        codec = ColumnCodec(scheme, kept.load()[scheme.keyset], Reservations(kept.reserve))
        sealed = codec.seal(tenant.encode(), Sent(TextStyle()))
    with shop.server.connect(shop.database) as direct:
        direct.execute("INSERT INTO people VALUES (%s, %s, %s, NULL)", [number, tenant, sealed])


def drill(desk: Desk, *paths: Path) -> tuple[int, dict[str, tuple[bool, str]]]:
    """Exit status; what was proved of the tenants, by `WHAT TENANT/COLUMN` or file."""
    tenants = [word for path in paths for word in ("--tenants", str(path))]
    identity = ("--identity", str(desk.shop.folder / "identity"))
    run = desk("drill", str(desk.shop.folder / "keys.age"), *tenants, *identity, "--json")
    assert run.status in {0, 1}, run.stderr
    report: dict[str, Any] = json.loads(run.stdout)
    assert report["whole"] == (run.status == 0)
    lines = {
        f"{line['what']} {line['name'].rpartition('@')[2]}": (line["holds"], line["remark"])
        for line in report["lines"]
        if "@" in line["name"]
    }
    return run.status, lines


def of(desk: Desk, tenant: str) -> Path:
    """The file of a tenant."""
    (file,) = desk.safe.glob(f"*@{tenant}-*")
    return file


def everything(shop: Shop) -> tuple[object, ...]:
    """What a drill must leave as it is."""
    with shop.server.connect(shop.database) as direct:
        tables = [
            direct.execute(f"SELECT * FROM strongroom_keys.{name} ORDER BY 1".encode()).fetchall()
            for name in ("keks", "keysets")
        ]
    files = sorted([*(shop.folder / "copies").iterdir(), *(shop.folder / "safe").iterdir()])
    return tables, [(file, hashlib.sha256(file.read_bytes()).digest()) for file in files]


def test_backups_that_are_whole(desk: Desk, memory: Memory) -> None:
    """Every key is compared, the tenant's own values opened, and the date noted; nothing live is touched."""
    before = everything(desk.shop)
    status, lines = drill(desk, desk.safe)
    assert status == 0
    for tenant in ("acme", "globex"):
        assert lines[f"key {tenant}"] == lines[f"key {tenant}/{IBAN}"] == (True, "1 of 1 versions")
        assert lines[f"values {tenant}/{IBAN}"] == (True, "3 values opened")
        assert lines[f"values {tenant}/public.people.phone"] == (True, "no values")
    assert everything(desk.shop) == before
    assert memory.was_used_and_left_empty()
    listed = json.loads(desk("backups", "--json").stdout)
    assert len(listed) == 3
    assert all(one["drilled"] is not None for one in listed)


def test_a_file_alone(desk: Desk) -> None:
    """Of one tenant: of the others nothing is said."""
    status, lines = drill(desk, of(desk, "acme"))
    assert status == 0
    assert not [name for name in lines if "globex" in name]


def test_a_key_that_is_newer_than_the_backup(desk: Desk) -> None:
    """The tenant is named, whose values do not all open; the other tenant's file is good."""
    assert desk("rotate", f"{IBAN}@acme", "--no-wait").status == 0
    store(desk.shop, 10, "acme")
    status, lines = drill(desk, desk.safe)
    assert status == 1
    assert lines[f"key acme/{IBAN}"][0] is False
    assert "not in the backup" in lines[f"key acme/{IBAN}"][1]
    assert lines[f"values acme/{IBAN}"] == (False, "a value does not open: ciphertext-key")
    assert lines[f"values globex/{IBAN}"] == (True, "3 values opened")
    drilled = {one["place"]: one["drilled"] for one in json.loads(desk("backups", "--json").stdout)}
    assert drilled[str(of(desk, "acme"))] is None
    assert drilled[str(of(desk, "globex"))] is not None


def test_a_tenant_without_a_file(desk: Desk) -> None:
    """A folder is to hold all whose keys we hold; who holds its own is in none."""
    desk.shop.hold("umbra")
    desk.shop.add("initech", "umbra")
    status, lines = drill(desk, desk.safe)
    assert status == 1
    assert lines["key initech"] == (False, "in none of these files")
    assert not [name for name in lines if "umbra" in name]
    assert drill(desk, of(desk, "acme"))[0] == 0
    words = ("--tenants", str(desk.safe), "--identity", str(desk.shop.folder / "identity"))
    shown = desk("drill", str(desk.shop.folder / "keys.age"), *words).stdout.splitlines()
    assert "would bring" in shown[-2]
    assert "tenants' keys would NOT" in shown[-1]


def test_a_tenant_whose_key_was_destroyed(desk: Desk) -> None:
    """A file that was kept elsewhere has it still: that is said, for it opens what was to be lost."""
    kept = desk.shop.folder / of(desk, "acme").name
    shutil.copy(of(desk, "acme"), kept)
    for _ in range(2):
        assert desk("tenants", "destroy", desk.shop.database, "acme").status == 0
    assert drill(desk, desk.safe)[0] == 0
    for again in (False, True):
        if again:
            assert desk("tenants", "add", desk.shop.database, "acme", "--again").status == 0
        status, lines = drill(desk, kept)
        assert status == 1
        ((holds, remark),) = lines.values()
        assert not holds
        assert "destroy every copy" in remark


def test_files_that_hold_nothing_of_a_tenant(desk: Desk) -> None:
    """A damaged one, one to somebody else, the backup of all: said, and the others are proved."""
    garbage, strange = desk.safe / "a@damaged.age", desk.safe / "b@strange.age"
    content = of(desk, "acme").read_bytes()
    garbage.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    recipient = pyrage.x25519.Identity.generate().to_public()
    strange.write_bytes(pyrage.encrypt(b"{}", [recipient]))
    shutil.copy(desk.shop.folder / "keys.age", desk.safe / "c@all.age")
    status, lines = drill(desk, desk.safe)
    assert status == 1
    refused = ("file damaged.age", "file strange.age", "file all.age")
    assert all(not lines[name][0] and lines[name][1] for name in refused)
    assert all(holds for name, (holds, _) in lines.items() if name not in refused)


def test_a_file_that_was_said_to_be_destroyed(desk: Desk) -> None:
    """It is there, and that is said."""
    entries = json.loads(desk("backups", "--json").stdout)
    (id_,) = (one["id"] for one in entries if one["place"] == str(of(desk, "acme")))
    assert desk("backups", "--forget", id_).status == 0
    status, lines = drill(desk, of(desk, "acme"))
    assert status == 1
    assert [remark for holds, remark in lines.values() if not holds and "--forget" in remark]


def test_an_empty_folder(desk: Desk) -> None:
    """It proves nothing, and is refused."""
    empty = desk.shop.folder / "empty"
    empty.mkdir()
    words = ("--identity", str(desk.shop.folder / "identity"), "--tenants", str(empty))
    assert desk("drill", str(desk.shop.folder / "keys.age"), *words).status == 2
