"""``strongroom keys tenants destroy``: nothing opens the tenant's values any more, wherever copies are."""

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyrage
import pytest
from tests.cli.conftest import Run
from tests.gateway.tenants import Shop

from strongroom.errors import StrongroomError, TenantDestroyed
from strongroom.gateway import shredding
from strongroom.gateway.kept import publish_kek
from strongroom.gateway.protection import prepare
from strongroom.keys.backups import Backups
from strongroom.keys.generation import note_loss
from strongroom.keys.journal import Journal
from strongroom.keys.kek import WrappedKek
from strongroom.keys.store import KeyStore, kept_keks
from strongroom.keys.tenants import destroyed
from strongroom.keys.uses import Reservations
from strongroom.protect.canonical import Sent
from strongroom.protect.plan import ColumnCodec
from strongroom.protect.scheme import Scheme
from strongroom.protect.style import TextStyle
from strongroom.testing.servers import PostgresServer

STYLE = TextStyle()


@pytest.fixture
def shop(tmp_path: Path, postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A shop of two tenants with a value each, in both columns; keys are destroyed without a delay."""
    monkeypatch.setenv("PASSWORD", postgres.password)
    made = Shop.make(tmp_path, postgres)
    made.more["destroy_delay_days"] = 0
    made.add("acme", "globex")
    for number, tenant in enumerate(("acme", "globex")):
        with postgres.connect(made.database) as direct:
            sealed = codec(made, tenant).seal(tenant.encode(), Sent(STYLE))
            direct.execute("INSERT INTO people VALUES (%s, %s, %s, NULL)", [number, tenant, sealed])
    return made


Command = Callable[..., Run]


@pytest.fixture
def command(shop: Shop, strongroom: Command) -> Command:
    """Runs `strongroom keys tenants ...` on it."""

    def run(*words: str) -> Run:
        shop.settings()
        return strongroom("keys", "tenants", *words, "--config", str(shop.folder / "strongroom.yaml"))

    return run


def codec(shop: Shop, tenant: str) -> ColumnCodec:
    """What seals and opens the tenant's IBANs; raises a ``KeyError`` where there is no key."""
    with shop.state() as state:
        keks = asyncio.run(prepare(shop.settings(), state, [shop.place], to_seal=True)).keks
        store = KeyStore(state.engine, keks)
        scheme = Scheme.parse(shop.database, "public.people.iban", type="text", encryption="randomized")
        one = scheme.of_tenant(tenant)
        return ColumnCodec(one, store.load()[one.keyset], Reservations(store.reserve))


def opens(shop: Shop, tenant: str) -> bool:
    """Whether the tenant's value, as it stands in the database, opens with what is here."""
    with shop.server.connect(shop.database) as direct:
        found = direct.execute("SELECT iban FROM people WHERE tenant = %s", [tenant]).fetchone()
    assert found is not None
    try:
        return codec(shop, tenant).open(found[0], format_code=0, style=STYLE) == tenant.encode()
    except (KeyError, StrongroomError):
        return False


def destroy(command: Command, shop: Shop, *more: str) -> dict[str, Any]:
    """Both steps."""
    assert command("destroy", shop.database, "acme").status == 0
    run = command("destroy", shop.database, "acme", "--json", *more)
    assert run.status == 0, run.stderr
    done: dict[str, Any] = json.loads(run.stdout)
    return done


def test_what_is_lost_and_what_is_not(shop: Shop, command: Command) -> None:
    """The tenant's values open no more; the others' do, before and after the next start."""
    assert opens(shop, "acme")
    done = destroy(command, shop)
    assert (done["outcome"], done["values"]) == (
        "destroyed",
        {"public.people.iban": 1, "public.people.phone": 0},
    )
    assert not opens(shop, "acme")
    assert opens(shop, "globex")


def test_two_steps_with_days_between(shop: Shop, command: Command) -> None:
    """The first call says what will be lost, and from when on; till then it can be taken back."""
    shop.more["destroy_delay_days"] = 5
    run = command("destroy", shop.database, "acme")
    assert (run.status, "is scheduled" in run.stdout) == (0, True)
    assert "public.people.iban: 1 values" in run.stderr
    assert command("destroy", shop.database, "acme").status == 1
    assert opens(shop, "acme")
    assert command("destroy", shop.database, "acme", "--cancel").status == 0
    assert command("destroy", shop.database, "acme", "--cancel").status == 2


@pytest.mark.parametrize("held", ["{0}@acme", "kek {0}@acme", "{0}@acme/public.people.iban"])
def test_a_legal_hold(shop: Shop, command: Command, strongroom: Command, held: str) -> None:
    """On the tenant, its key or one of its keysets: nothing is destroyed."""
    config = ("--config", str(shop.folder / "strongroom.yaml"))
    laid = strongroom("keys", "hold", held.format(shop.database), "--reason", "case 7", *config)
    assert laid.status == 0, laid.stderr
    for _ in range(2):
        run = command("destroy", shop.database, "acme")
        assert (run.status, "case 7" in run.stdout) == (1, True)
    assert opens(shop, "acme")


def test_a_state_that_was_lost(shop: Shop, command: Command, strongroom: Command) -> None:
    """Holds on the tenant may have been in it: nothing is destroyed until somebody has seen to that."""
    config = ("--config", str(shop.folder / "strongroom.yaml"))
    with shop.state() as state:
        note_loss(state.engine)
    run = command("destroy", shop.database, "acme")
    assert (run.status, "the state was lost" in run.stdout) == (1, True)
    assert opens(shop, "acme")
    assert strongroom("keys", "rollbacks", "--acknowledge", *config).status == 0
    assert command("destroy", shop.database, "acme").status == 0


def test_copies_from_before(shop: Shop, command: Command) -> None:
    """Tables of before, with state, root and folder as they are now, open nothing of the tenant."""
    with shop.server.connect(shop.database) as direct:
        for table in ("keks", "keysets"):
            direct.execute(f"CREATE TABLE {table}_before AS TABLE strongroom_keys.{table}".encode())
        direct.commit()
    destroy(command, shop)
    with shop.server.connect(shop.database) as direct:
        for table in ("keks", "keysets"):
            direct.execute(f"DELETE FROM strongroom_keys.{table}".encode())
            direct.execute(f"INSERT INTO strongroom_keys.{table} TABLE {table}_before".encode())
        direct.commit()
    assert not opens(shop, "acme")
    assert opens(shop, "globex")
    shop.lose_state()
    assert not opens(shop, "acme")
    assert opens(shop, "globex")


def test_no_file_holds_what_was_wrapped(shop: Shop, command: Command) -> None:
    """Not the state's, with its write-ahead log, and none in the folder of copies."""
    with shop.state() as state:
        (wrap,) = kept_keks(state.engine)[f"kek {shop.database}@acme"].wraps.values()
        kept = [one.wrapped for one in shop.beside().keysets if "@acme/" in one.name]
    destroy(command, shop)
    files = [*(shop.folder / "state").iterdir(), *(shop.folder / "copies").iterdir()]
    content = b"".join(file.read_bytes() for file in files)
    assert all(one not in content for one in (wrap, *kept))
    assert len(list((shop.folder / "copies").iterdir())) == 1


def test_a_state_that_was_copied_back(shop: Shop, command: Command) -> None:
    """It learns from beside the data that the key is destroyed, and destroys what it has of it."""
    shutil.copytree(shop.folder / "state", shop.folder / "state-before")
    shutil.copytree(shop.folder / "copies", shop.folder / "copies-before")
    destroy(command, shop)
    for name in ("state", "copies"):
        shutil.rmtree(shop.folder / name)
        (shop.folder / f"{name}-before").rename(shop.folder / name)
    assert not opens(shop, "acme")
    assert opens(shop, "globex")
    with shop.state() as state:
        assert kept_keks(state.engine)[f"kek {shop.database}@acme"].is_destroyed
    assert len(list((shop.folder / "copies").iterdir())) == 1


def test_a_tenant_who_holds_its_own_key(shop: Shop, command: Command) -> None:
    """What stands beside the data is replaced, so that the provider's key opens nothing either."""
    shop.hold("initech")
    shop.add("initech")
    assert command("destroy", shop.database, "initech").status == 0
    assert command("destroy", shop.database, "initech").status == 0
    row = shop.beside().tenants[f"kek {shop.database}@initech"]
    assert row.is_destroyed
    assert not [one for one in shop.beside().keysets if "@initech/" in one.name]


def test_a_name_is_not_taken_again_unseen(shop: Shop, command: Command) -> None:
    """A new key for a destroyed name is made when that is said, and opens nothing of the old."""
    destroy(command, shop)
    with pytest.raises(TenantDestroyed):
        shop.add("acme")
    assert command("add", shop.database, "acme", "--again").status == 0
    assert codec(shop, "acme") is not None
    assert not opens(shop, "acme")
    assert destroy(command, shop)["outcome"] == "destroyed"


def test_what_is_written_down(shop: Shop, command: Command, tmp_path: Path) -> None:
    """In the journal and, where asked for, in a file: whose, when, which keys, how many values."""
    (tmp_path / "records").mkdir()
    record = tmp_path / "records" / "acme.json"
    done = destroy(command, shop, "--record", str(record))
    assert json.loads(record.read_text()) == done
    assert len(done["key_ids"]) == len(shop.columns)
    with shop.state() as state:
        event = Journal(state.engine).events()[-1]
    assert (event.what, event.subject) == ("tenant destroyed", f"{shop.database}@acme")
    listed = json.loads(command("list", shop.database, "--json").stdout)
    assert {one["tenant"]: one["state"] for one in listed} == {"acme": "destroyed", "globex": "here"}
    assert command("destroy", shop.database, "acme").status == 2


STEPS = ["publish_kek", "_end_beside", "end_backups", "adopt_keks", "forget_keysets"]


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step(shop: Shop, command: Command, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    """Run again, it completes, and says how many values were lost; others' open all the time."""

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    assert command("destroy", shop.database, "acme").status == 0
    with monkeypatch.context() as patched:
        patched.setattr(shredding, step, killed)
        assert command("destroy", shop.database, "acme").status not in {0, 1, 2}
    assert opens(shop, "globex")
    run = command("destroy", shop.database, "acme", "--json")
    assert json.loads(run.stdout)["values"]["public.people.iban"] == 1
    assert not opens(shop, "acme")
    assert opens(shop, "globex")


def test_the_root_is_needed_to_say_so_to_others(shop: Shop, command: Command) -> None:
    """Without it nothing is destroyed: what stands beside the data would be taken for a forgery."""
    assert command("destroy", shop.database, "acme").status == 0
    key = shop.folder / "root" / "root.key"
    key.rename(key.with_suffix(".away"))
    assert command("destroy", shop.database, "acme").status == 2
    key.with_suffix(".away").rename(key)
    assert opens(shop, "acme")


def test_a_second_state_forgets_too(shop: Shop, command: Command, tmp_path: Path) -> None:
    """A gateway with a state of its own destroys what it has at its next start, backups included."""
    (tmp_path / "safe").mkdir()
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    assert command("backup", shop.database, str(tmp_path / "safe"), "-r", recipient).status == 0
    (file,) = (tmp_path / "safe").glob("*@acme-*")
    backup = file.read_bytes()
    with shop.state() as state:
        (wrap,) = kept_keks(state.engine)[f"kek {shop.database}@acme"].wraps.values()
    shutil.copytree(shop.folder / "state", tmp_path / "other")
    destroy(command, shop)
    shutil.rmtree(shop.folder / "state")
    (tmp_path / "other").rename(shop.folder / "state")
    file.write_bytes(backup)  # the other gateway has one of its own there
    with shop.state() as state:
        prepared = asyncio.run(prepare(shop.settings(), state, [shop.place], to_seal=True))
        assert f"kek {shop.database}@acme" not in prepared.keks.by_name
        assert kept_keks(state.engine)[f"kek {shop.database}@acme"].is_destroyed
    assert [line for line in prepared.said if "@acme was destroyed elsewhere" in line]
    assert not file.exists()
    assert all(wrap not in one.read_bytes() for one in (shop.folder / "state").iterdir())
    assert not [line for line in shop.prepared().said if "destroyed elsewhere" in line]
    with shop.state() as state:
        events = [
            one for one in Journal(state.engine).events() if one.what == "tenant destruction taken over"
        ]
    ((subject, details),) = [(one.subject, dict(one.details)) for one in events]
    assert subject == f"{shop.database}@acme"
    assert details == {"backups_removed": [str(file)], "backups_left": []}
    listed = json.loads(command("list", shop.database, "--json").stdout)
    assert [one["since"] is not None for one in listed if one["tenant"] == "acme"] == [True]


def test_a_word_that_nothing_here_can_prove_ends_no_backup(
    shop: Shop, command: Command, tmp_path: Path
) -> None:
    """State and copies are lost, and the database alone says that the key was destroyed: its backup stays."""
    (tmp_path / "safe").mkdir()
    recipient = str(pyrage.x25519.Identity.generate().to_public())
    assert command("backup", shop.database, str(tmp_path / "safe"), "-r", recipient).status == 0
    with shop.state() as state:
        registered = Backups(state.engine).all()
    shop.lose_state()
    next((shop.folder / "copies").glob("*@acme*")).unlink()
    forged = destroyed(WrappedKek(f"kek {shop.database}@acme", 7, {}), None)
    asyncio.run(publish_kek(shop.place, forged))
    with shop.state() as state:
        for one in registered:
            Backups(state.engine).register(one)
    shop.prepared()
    assert len(list((tmp_path / "safe").iterdir())) == 2
    with shop.state() as state:
        assert Journal(state.engine).events()[-1].what == "tenant destruction taken over"
