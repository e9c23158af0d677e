"""``strongroom keys tenants backup`` and ``restore``: apart from all other keys, and back again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage
import pytest
from tests.cli.conftest import Run
from tests.gateway.tenants import Shop
from tests.keys.people import Signer

from strongroom.testing.servers import PostgresServer

BOTH = ["acme iban", "acme phone", "globex iban", "globex phone"]


class Desk:
    """The commands, on a shop of two tenants, with a safe for backups and an identity that opens them."""

    def __init__(self, shop: Shop, run: Callable[..., Run]) -> None:
        self.shop, self._run = shop, run
        self.safe = shop.folder / "safe"
        self.safe.mkdir()
        identity = pyrage.x25519.Identity.generate()
        (shop.folder / "identity").write_text(f"{identity}\n")
        self.recipient = str(identity.to_public())

    def __call__(self, *words: str) -> Run:
        self.shop.settings()
        return self._run("keys", *words, "--config", str(self.shop.folder / "strongroom.yaml"))

    def backup(self) -> list[dict[str, Any]]:
        """What was written."""
        run = self("tenants", "backup", self.shop.database, str(self.safe), "-r", self.recipient, "--json")
        assert run.status == 0, run.stderr
        rows: list[dict[str, Any]] = json.loads(run.stdout)
        return rows

    def restore(self) -> dict[str, str]:
        """What came of each tenant."""
        identity = str(self.shop.folder / "identity")
        run = self("tenants", "restore", self.shop.database, str(self.safe), "--identity", identity, "--json")
        assert run.status == 0, run.stderr
        return {row["tenant"]: row["outcome"] for row in json.loads(run.stdout)}

    def backup_of_all(self) -> Path:
        """The backup of all other keys."""
        file = self.shop.folder / "keys.age"
        run = self("backup", str(file), "-r", self.recipient, "--json")
        assert run.status == 0, run.stderr
        assert not [name for name in json.loads(run.stdout)["names"] if "@" in name]
        return file


@pytest.fixture
def desk(
    tmp_path: Path,
    postgres: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    strongroom: Callable[..., Run],
) -> Desk:
    """A shop of two tenants whose keys are wrapped by the root."""
    monkeypatch.setenv("PASSWORD", postgres.password)
    shop = Shop.make(tmp_path, postgres)
    shop.more["destroy_delay_days"] = 0
    shop.add("acme", "globex")
    return Desk(shop, strongroom)


def lose_everything(shop: Shop) -> None:
    """The state, the copies, and what stands beside the data."""
    shop.lose_state()
    for copy in (shop.folder / "copies").iterdir():
        copy.unlink()
    shop.server.run("TRUNCATE strongroom_keys.keysets CASCADE", shop.database)


def test_a_file_for_each_tenant(desk: Desk) -> None:
    """For its owner alone, and written again only once the keys have changed."""
    first = desk.backup()
    assert [(row["tenant"], row["written"]) for row in first] == [("acme", True), ("globex", True)]
    files = sorted(desk.safe.iterdir())
    assert sorted(row["file"] for row in first) == [str(file) for file in files]
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    assert [row["written"] for row in desk.backup()] == [False, False]
    desk.shop.columns["public.people.extra"] = desk.shop.columns["public.people.iban"]
    desk.shop.server.run("ALTER TABLE people ADD extra bytea", desk.shop.database)
    desk.shop.prepared()
    assert [row["written"] for row in desk.backup()] == [True, True]
    assert len(list(desk.safe.iterdir())) == 2  # the older ones are gone


def test_tenants_who_hold_their_keys_are_not_in_it(desk: Desk) -> None:
    """A copy that opens without their provider would take the withdrawal from them."""
    desk.shop.hold("initech")
    desk.shop.add("initech")
    assert [row["tenant"] for row in desk.backup()] == ["acme", "globex"]
    assert desk.restore() == {"acme": "was there", "globex": "was there"}
    assert desk("list").status == 0


def test_back_from_the_loss_of_everything(desk: Desk) -> None:
    """State, copies and what stood beside the data: the files alone bring the tenants back."""
    desk.backup()
    before = {one.name: one.primary for one in desk.shop.prepared().keks.by_name.values()}
    lose_everything(desk.shop)
    assert desk.restore() == {"acme": "brought back", "globex": "brought back"}
    prepared = desk.shop.prepared()
    assert desk.shop.keysets(prepared) == BOTH
    for tenant in ("acme", "globex"):
        name = f"kek {desk.shop.database}@{tenant}"
        assert prepared.keks.by_name[name].primary == before[name]
    assert desk.restore() == {"acme": "was there", "globex": "was there"}


def test_beside_the_backup_of_all_other_keys(desk: Desk) -> None:
    """That holds nothing of tenants; restored first, it needs no more than the copies or these files."""
    file = desk.backup_of_all()
    desk.backup()
    lose_everything(desk.shop)
    identity = ("--identity", str(desk.shop.folder / "identity"))
    assert desk("restore", str(next(desk.safe.iterdir())), *identity).status == 2
    run = desk("restore", str(file), *identity)
    assert run.status == 0, run.stderr
    assert desk.shop.keysets(desk.shop.prepared()) == []
    assert desk.restore() == {"acme": "brought back", "globex": "brought back"}
    assert desk.shop.keysets(desk.shop.prepared()) == BOTH


def test_a_destroyed_tenants_backup_is_destroyed(desk: Desk) -> None:
    """Where it was written; a copy of it from elsewhere brings nothing back."""
    desk.backup()
    elsewhere = {file.name: file.read_bytes() for file in desk.safe.iterdir()}
    for _ in range(2):
        done = desk("tenants", "destroy", desk.shop.database, "acme", "--json")
        assert done.status == 0, done.stderr
    assert len(json.loads(done.stdout)["backups_removed"]) == 1
    assert len(list(desk.safe.iterdir())) == 1
    for name, content in elsewhere.items():
        (desk.safe / name).write_bytes(content)
    assert desk.restore() == {"acme": "was destroyed", "globex": "was there"}
    assert desk.shop.keysets(desk.shop.prepared()) == ["globex iban", "globex phone"]


def test_a_tenant_that_was_made_again_comes_back(desk: Desk) -> None:
    """Its backup holds the key that came after the destroyed one; that of the former brings nothing."""
    desk.backup()
    former = {file.name: file.read_bytes() for file in desk.safe.iterdir()}
    for _ in range(2):
        assert desk("tenants", "destroy", desk.shop.database, "acme").status == 0
    assert desk("tenants", "add", desk.shop.database, "acme", "--again").status == 0
    kek = f"kek {desk.shop.database}@acme"
    newer = desk.shop.prepared().keks.by_name[kek].primary
    desk.backup()
    lose_everything(desk.shop)
    assert desk.restore() == {"acme": "brought back", "globex": "brought back"}
    assert desk.shop.prepared().keks.by_name[kek].primary == newer
    for file in desk.safe.iterdir():
        file.unlink()
    for name, content in former.items():
        (desk.safe / name).write_bytes(content)
    lose_everything(desk.shop)
    assert desk.restore()["acme"] == "was destroyed"


def test_a_damaged_copy_stops_nobody(desk: Desk) -> None:
    """It is said, and written anew from the state."""
    copy = next((desk.shop.folder / "copies").glob("*acme*"))
    copy.write_bytes(b"garbage")
    said = desk.shop.prepared().said
    assert [line for line in said if str(copy) in line]
    assert desk.shop.keysets(desk.shop.prepared()) == BOTH
    assert b"strongroom tenant key" in copy.read_bytes()


def test_places_that_are_refused(desk: Desk) -> None:
    """A folder that is not there, or that of the state."""
    for folder in (desk.shop.folder / "nowhere", desk.shop.folder / "state"):
        assert desk("tenants", "backup", desk.shop.database, str(folder), "-r", "age1").status == 2
    assert desk("tenants", "restore", desk.shop.database, str(desk.safe)).status == 2


class Signatures:
    """Two people who approve, and the request that they sign."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._folder = desk, desk.shop.folder / "requests"
        self._folder.mkdir()
        self._people = [Signer.make(desk.shop.folder, name) for name in ("anna", "ben")]
        by = {one.name: one.public for one in self._people}
        desk.shop.approvals = {"needed": 2, "by": by, "for": ["destroy", "restore", "backup"]}

    def refuse_then_do(self, *words: str) -> Run:
        """Refused without them, and with one of them; the run that both have signed."""
        request = self._folder / f"{words[1]}.json"
        words = (*words, "--approval", str(request))
        for signer, code in zip(self._people, ("approval-needed", "approval-incomplete"), strict=True):
            run = self._desk(*words)
            assert (run.status, code in run.stderr) == (2, True)
            signer.sign(request)
        return self._desk(*words)


def test_a_backup_that_two_people_sign(desk: Desk) -> None:
    """Where `backup` is under `for`: nothing is written before."""
    people, (database, safe) = Signatures(desk), (desk.shop.database, str(desk.safe))
    words = ("tenants", "backup", database, safe, "-r", desk.recipient)
    assert "approval-needed" in desk(*words, "--approval", str(desk.shop.folder / "another.json")).stderr
    assert list(desk.safe.iterdir()) == []
    assert people.refuse_then_do(*words).status == 0
    assert len(list(desk.safe.iterdir())) == 2


def test_a_restore_that_two_people_sign(desk: Desk) -> None:
    """Nothing is brought back before."""
    desk.backup()
    lose_everything(desk.shop)
    people, identity = Signatures(desk), str(desk.shop.folder / "identity")
    words = ("tenants", "restore", desk.shop.database, str(desk.safe), "--identity", identity)
    assert "approval-needed" in desk(*words, "--approval", str(desk.shop.folder / "another.json")).stderr
    assert desk.shop.keysets(desk.shop.prepared()) == []
    run = people.refuse_then_do(*words, "--json")
    assert run.status == 0, run.stderr
    assert {row["outcome"] for row in json.loads(run.stdout)} == {"brought back"}
    assert desk.shop.keysets(desk.shop.prepared()) == BOTH


def test_a_destruction_that_two_people_sign(desk: Desk) -> None:
    """To schedule it needs nobody; the deed does, and the record names who signed."""
    people, words = Signatures(desk), ("tenants", "destroy", desk.shop.database, "acme")
    assert desk(*words).status == 0
    assert "approval-needed" in desk(*words, "--approval", str(desk.shop.folder / "another.json")).stderr
    assert desk.shop.keysets(desk.shop.prepared()) == BOTH
    run = people.refuse_then_do(*words, "--json")
    assert run.status == 0, run.stderr
    assert json.loads(run.stdout)["approved_by"] == ["anna", "ben"]
    assert desk.shop.keysets(desk.shop.prepared()) == BOTH[2:]
