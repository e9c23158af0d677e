"""gateway/stances.py: the stance of a configuration, and what of the machine is in it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.config.test_approvals import A, B

from strongroom.config import load
from strongroom.errors import UnreadableConfiguration
from strongroom.gateway.stances import stance_of
from strongroom.stance.model import Stance
from strongroom.stance.sections import SECTIONS, weakenings

VERIFIER = "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$" + "A" * 43 + "=:" + "B" * 43 + "="
OTHER = VERIFIER.replace("AAA", "CCC")
Make = Callable[..., Stance]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """``make(lambda found: ...)`` changes the configuration and gives its stance."""
    for name in ("ca.pem", "clients.pem"):
        (tmp_path / name).write_text(name)
    (tmp_path / "one.cedar").write_text("permit (principal, action, resource);")
    base: dict[str, Any] = {
        "state": "sqlite:state.db",
        "keys": {"root": "file:/etc/root.key", "tenants": {"own": {"shop@acme": "file:/etc/acme.key"}}},
        "protection": {"approvals": 2, "by": {"anna": A, "ben": B}},
        "databases": {
            "shop": {
                "upstream": "postgresql://strongroom@db.example/shop?sslrootcert=ca.pem",
                "listen": "10.0.0.1:6432",
                "tls": {"certificate": "server.crt", "key": "server.key", "client_ca": "clients.pem"},
                "columns": {"public.people.note": {"type": "text", "encryption": "randomized"}},
            }
        },
        "accounts": {"app": {"databases": ["shop"], "password": "${PW}", "roles": ["all"]}},
        "people": {"anna": {"databases": ["shop"], "roles": ["all"]}},
        "roles": {"all": {"databases": ["shop"], "tables": {"*": ["select"]}, "columns": {"*": "reveal"}}},
        "policies": ["one.cedar"],
    }

    def made(change: Callable[[dict[str, Any]], object] = lambda _: None, password: str = VERIFIER) -> Stance:
        found = yaml.safe_load(yaml.safe_dump(base))
        change(found)
        file = tmp_path / "strongroom.yaml"
        file.write_text(yaml.safe_dump(found))
        return stance_of(load(file, {"PW": password}))

    return made


def shop(**changes: Any) -> Callable[[dict[str, Any]], object]:
    return lambda found: found["databases"]["shop"].update(changes)


def test_every_section_is_made(make: Make) -> None:
    """Each that is compared, and it comes out of its text as it went in."""
    stance = make()
    assert set(stance.sections) == set(SECTIONS)
    assert Stance.read(stance.written()) == stance
    assert VERIFIER not in stance.written()
    assert make().digest == stance.digest


UPSTREAM = "postgresql://strongroom@db.example/shop?sslrootcert=ca.pem"
CHANGES = {
    "another server": (shop(upstream=UPSTREAM.replace("db.", "evil.")), "upstream leads to another server"),
    "an address": (shop(upstream=f"{UPSTREAM}&hostaddr=192.0.2.1"), "upstream leads to another server"),
    "another database": (shop(upstream=UPSTREAM.replace("/shop", "/other")), "another database there"),
    "another user": (shop(upstream=UPSTREAM.replace("strongroom@", "postgres@")), "another user"),
    "options": (shop(upstream=f"{UPSTREAM}&options=-crole%3Dx"), "options"),
    "sslmode": (shop(upstream=UPSTREAM.replace("sslrootcert=ca.pem", "sslmode=require")), "is looser"),
    "the system's authorities": (shop(upstream=UPSTREAM.partition("?")[0]), "other authorities"),
    "everywhere": (shop(listen="0.0.0.0:6432"), "from elsewhere"),
    "plaintext": (shop(plaintext="accepted"), "takes clients without TLS"),
    "no column": (shop(columns={}), "is no longer protected"),
    "a function": (shop(functions={"public.f": "why"}), "more functions"),
    "no verifier": (lambda found: found["accounts"]["app"].pop("password"), "another password"),
    "no roles": (lambda found: [found.pop("roles"), found.pop("policies"), [one.pop("roles") for one in (
        found["accounts"]["app"], found["people"]["anna"])]], "no role restricts"),
    "nobody signs": (lambda found: found.pop("protection"), "nobody is asked"),
    "a second root": (lambda found: found["keys"].update(second_root="file:/home/eve"), "another root"),
    "a tenant's root": (lambda found: found["keys"]["tenants"]["own"].clear(), "another provider"),
    "days": (lambda found: found["keys"].update(rotate={"days": 900}), "keys serve longer"),
    "the lock-out": (lambda found: found.update(login={"lock_minutes": 1}), "a lock ends earlier"),
    "a person": (lambda found: found["people"].update(eve={"databases": ["shop"]}), "people.eve: may log in"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "words"), CHANGES.values(), ids=CHANGES)
def test_what_is_configured_counts(
    make: Make, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    """Each line that weakens something shows in the stance."""
    assert words in " ".join(map(str, weakenings(make(), make(change))))


@pytest.mark.parametrize(
    "change",
    [
        shop(listen="127.0.0.1:6432"),
        shop(listen="10.0.0.1:7000"),
        shop(owner="postgresql://owner@db.example/shop"),
        lambda found: found.update(workers=4),
        lambda found: found.update(health="127.0.0.1:8080"),
        lambda found: found.update(state="sqlite:elsewhere.db"),
        lambda found: found["people"].clear(),
        lambda found: found.update(limits={"connections": 9}),
    ],
    ids=range(8),
)
def test_what_does_not_weaken(make: Make, change: Callable[[dict[str, Any]], object]) -> None:
    """Loopback, another port, an owner, workers, the place of the state, fewer people, limits."""
    assert weakenings(make(), make(change)) == []


def test_files_and_environment_count(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By what is in them, under the same name."""
    before = make()
    assert "another password" in str(weakenings(before, make(password=OTHER)))
    for file, words in (
        ("ca.pem", "vouch for the upstream"),
        ("clients.pem", "vouch for clients"),
        ("one.cedar", "policies"),
    ):
        was = (tmp_path / file).read_text()
        (tmp_path / file).write_text(was + "// ")
        assert words in str(weakenings(before, make()))
        (tmp_path / file).write_text(was)
    monkeypatch.setenv("STRONGROOM_CORE_DUMPS", "allowed")
    assert "STRONGROOM_CORE_DUMPS" in str(weakenings(before, make()))


def test_a_file_that_is_not_there(make: Make, tmp_path: Path) -> None:
    """It cannot be compared, so nothing is taken."""
    (tmp_path / "clients.pem").unlink()
    with pytest.raises(UnreadableConfiguration):
        make()
