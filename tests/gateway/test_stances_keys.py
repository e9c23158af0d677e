"""Each key that a configuration can have is compared in its stance, or stands here with why it is not.

Who adds a key to the configuration thinks of it here: `KEYS` has every field of every model below `Settings`,
`KEYWORDS` every parameter of an upstream, `ROOTS` every part of a root's address. A change stands beside what
is compared: it must show in the stance's text, and count as weaker in one direction or the other.
"""

import dataclasses
import typing
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel
from tests.config.test_approvals import A, B

from strongroom.config import RootAddress, Settings, load
from strongroom.gateway.stances import stance_of
from strongroom.gateway.upstream_address import _KEPT
from strongroom.stance.model import Stance
from strongroom.stance.sections import weakenings

Change = Callable[[Any], object]
VERIFIER = "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$" + "A" * 43 + "=:" + "B" * 43 + "="
UPSTREAM = "postgresql://strongroom@db.example/shop?sslrootcert=ca.pem"
BASE: dict[str, Any] = {
    "state": "sqlite:state.db",
    "keys": {
        "root": "file:/etc/root.key",
        "tenants": {"own": {"shop@acme": "file:/etc/acme.key"}},
        "approvals": {"needed": 1, "by": {"anna": A}, "for": ["export"]},
    },
    "protection": {"approvals": 1, "by": {"anna": A}},
    "databases": {
        "shop": {
            "upstream": UPSTREAM,
            "listen": "10.0.0.1:6432",
            "tls": {"certificate": "server.crt", "key": "server.key", "client_ca": "clients.pem"},
            "columns": {
                "public.people.note": {"type": "text", "encryption": "randomized"},
                "public.people.email": {"type": "text", "encryption": "deterministic"},
                "public.people.mail": {"type": "text", "encryption": "deterministic"},
            },
        },
        "other": {"upstream": UPSTREAM.replace("/shop", "/other"), "listen": "127.0.0.1:6433"},
    },
    "accounts": {"app": {"databases": ["shop"], "password": VERIFIER, "roles": ["all"]}},
    "people": {
        "anna": {"databases": ["shop"], "roles": ["all"], "groups": ["desk"]},
        "berta": {"databases": ["shop"]},
        "carl": {"databases": ["shop"]},
    },
    "groups": {"desk": ["all"]},
    "classes": {"public.people.note": "secret"},
    "roles": {
        "all": {
            "databases": ["shop"],
            "tables": {"public.people": ["select"]},
            "columns": {"public.people.note": "reveal", "class:secret": "nothing"},
            "limits": {"rows_per_hour": 10, "reveals_per_hour": 10},
            "temporary": {"to": ["berta"], "by": ["anna"], "longest": "1h"},
            "break_glass": {"to": ["berta"], "longest": "1h"},
        },
        "further": {"databases": ["shop"], "tables": {"public.further": ["select"]}},
    },
    "policies": ["one.cedar"],
    "audit": {
        "log": "audit",
        "origin": "gateway.example/audit",
        "durability": "sync",
        "keyed_hashes": ["public.people.id"],
        "to": {
            "vault": {"s3": {"bucket": "audit", "region": "eu-central-1", "retain_days": 400}},
            "siem": {"lines": {"file": "audit.jsonl"}},
            "desk": {"syslog": {"server": "desk.example:6514"}},
        },
    },
}
"""With something of everything, so that a change of one key is a configuration that can be loaded."""


def put(path: str, value: object) -> Change:
    """Puts a value in place of the one at the end of the path."""

    def change(found: Any) -> None:
        *outer, last = path.split("/")
        for name in outer:
            found = found.setdefault(name, {})
        found[last] = value

    return change


VAULTED = "audit/to/vault/s3"
SHOP, NOTE, ALL = "databases/shop", "databases/shop/columns/public.people.note", "roles/all"
OFFICE = ["10.0.0.0/8"]
AVAILABILITY = "protects availability: what is refused, or waits, tells nobody anything"
SECRET = "lets the gateway in; whom as, and where, is compared"
CREDENTIAL = "lets the gateway in at the provider; which key, and how it is reached, is compared"
WIDE = put(f"{ALL}/when", {"second_factor": "5m"})
KEYS: dict[str, Change | str] = {
    "Settings.state": "holds what is compared, and another state takes over what stands beside the data",
    "Settings.keys": put("keys/root", "file:/etc/other.key"),
    "Settings.databases": lambda found: found["databases"].pop("other"),
    "Settings.accounts": lambda found: found["accounts"].clear(),
    "Settings.people": lambda found: found["people"].update(eve={"databases": ["shop"]}),
    "Settings.login": put("login/failures", 11),
    "Settings.protection": lambda found: found.pop("protection"),
    "Settings.audit": lambda found: found.pop("audit"),
    "Settings.groups": put("groups/desk", ["all", "further"]),
    "Settings.roles": put(f"{ALL}/tables/public.people", ["select", "delete"]),
    "Settings.classes": put("classes", {}),
    "Settings.mask_by_default": put("mask_by_default", True),
    "Settings.policies": put("policies", []),
    "Settings.limits": put("limits/idle_seconds", 60),
    "Settings.workers": AVAILABILITY,
    "Settings.health": "says that the gateway runs, and how much is done there; not by whom or with what",
    "Account.databases": put("accounts/app/databases", ["shop", "other"]),
    "Account.password": lambda found: found["accounts"]["app"].pop("password"),
    "Account.certificate": put("accounts/app/certificate", "app"),
    "Account.upstream_user": put("accounts/app/upstream_user", "postgres"),
    "Account.upstream_password": SECRET,
    "Account.roles": put("accounts/app/roles", ["all", "further"]),
    "Person.databases": put("people/anna/databases", ["shop", "other"]),
    "Person.roles": put("people/anna/roles", ["all", "further"]),
    "Person.groups": put("people/berta/groups", ["desk"]),
    "Person.upstream_user": put("people/anna/upstream_user", "postgres"),
    "Person.upstream_password": SECRET,
    "Audit.log": put("audit/log", "elsewhere"),
    "Audit.origin": put("audit/origin", "gateway.example/other"),
    "Audit.durability": put("audit/durability", "batch"),
    "Audit.batch_milliseconds": put("audit/batch_milliseconds", 21),
    "Audit.unwritable": put("audit/unwritable", "allow"),
    "Audit.waiting_bytes": AVAILABILITY,
    "Audit.keyed_hashes": put("audit/keyed_hashes", []),
    "Audit.keep": put("audit/keep", "400d"),
    "Audit.to": put("audit/to", {}),
    "Destination.s3": put(f"{VAULTED}/bucket", "other"),
    "Destination.lines": put("audit/to/siem/lines/file", "other"),
    "Lines.file": put("audit/to/siem/lines/file", "other"),
    "Lines.megabytes": "what is rotated away is in the log",
    "Lines.keep": "the same",
    "Destination.syslog": put("audit/to/desk/syslog/server", "other.example:6514"),
    "Syslog.server": put("audit/to/desk/syslog/server", "other.example:6514"),
    "Syslog.ca": put("audit/to/desk/syslog/ca", "ca.pem"),
    "Syslog.certificate": "lets the gateway in there; which server that is, is compared",
    "Syslog.key": "as its certificate",
    "S3.bucket": put(f"{VAULTED}/bucket", "other"),
    "S3.prefix": put(f"{VAULTED}/prefix", "other"),
    "S3.region": put(f"{VAULTED}/region", "eu-west-1"),
    "S3.endpoint": put(f"{VAULTED}/endpoint", "https://other.example"),
    "S3.ca": put(f"{VAULTED}/ca", "ca.pem"),
    "S3.retain_days": put(f"{VAULTED}/retain_days", 399),
    "S3.contents": put(f"{VAULTED}/contents", False),
    "S3.seconds": put(f"{VAULTED}/seconds", 61),
    "Login.credential_minutes": put("login/credential_minutes", 11),
    "Login.session_hours": put("login/session_hours", 9),
    "Login.failures": put("login/failures", 11),
    "Login.lock_minutes": put("login/lock_minutes", 14),
    "Protection.approvals": put("protection", {"approvals": 2, "by": {"anna": A, "berta": B}}),
    "Protection.by": put("protection/by", {"berta": B}),
    "Keys.root": put("keys/root", "file:/etc/other.key"),
    "Keys.second_root": put("keys/second_root", "file:/etc/other.key"),
    "Keys.rotate": put("keys/rotate/days", 900),
    "Keys.tenants": put("keys/tenants/add", "automatic"),
    "Keys.destroy_delay_days": put("keys/destroy_delay_days", 1),
    "Keys.approvals": lambda found: found["keys"].pop("approvals"),
    "Rotate.days": put("keys/rotate/days", 900),
    "Rotate.share": put("keys/rotate/share", 0.9),
    "Rotate.by_itself": put("keys/rotate/by_itself", False),
    "Tenants.copies": "holds copies that are wrapped; without them keys are lost sooner, not shown",
    "Tenants.cache_seconds": put("keys/tenants/cache_seconds", 900),
    "Tenants.own": put("keys/tenants/own", {}),
    "Tenants.add": put("keys/tenants/add", "automatic"),
    "Tenants.limit": AVAILABILITY,
    "Tenants.destroy_delay_days": put("keys/tenants/destroy_delay_days", 1),
    "Approvals.needed": put("keys/approvals", {"needed": 2, "by": {"anna": A, "berta": B}}),
    "Approvals.by": put("keys/approvals/by", {"berta": B}),
    "Approvals.acts": put("keys/approvals/for", ["destroy"]),
    "Database.upstream": put(f"{SHOP}/upstream", UPSTREAM.replace("db.", "evil.")),
    "Database.upstream_password": SECRET,
    "Database.upstream_pin": put(f"{SHOP}/upstream_pin", ["spki-sha256:" + "a" * 64]),
    "Database.owner": "what it may do, whoever runs `protect` with its password may do",
    "Database.owner_password": SECRET,
    "Database.listen": put(f"{SHOP}/listen", "0.0.0.0:6432"),
    "Database.tls": lambda found: found["databases"]["shop"].pop("tls")
    and put(f"{SHOP}/plaintext", "accepted")(found),
    "Database.plaintext": put(f"{SHOP}/plaintext", "accepted"),
    "Database.columns": lambda found: found["databases"]["shop"]["columns"].pop("public.people.note"),
    "Database.functions": put(f"{SHOP}/functions", {"public.f": "why"}),
    "Database.limits": put(f"{SHOP}/limits/idle_seconds", 60),
    "Tls.certificate": "shows clients who the gateway is; whom it lets in hangs on client_ca",
    "Tls.key": "as its certificate",
    "Tls.client_ca": put(f"{SHOP}/tls/client_ca", "other.pem"),
    "Column.type": put(f"{NOTE}/type", "varchar(9)"),
    "Column.encryption": put(f"{NOTE}/encryption", "deterministic"),
    "Column.key": put(f"{SHOP}/columns/public.people.mail/key", "public.people.email"),
    "Column.accept_leakage": put(f"{NOTE}/accept_leakage", "frequency"),
    "Column.pad": put(f"{NOTE}/pad", 16),
    "Column.tenant": put(f"{NOTE}/tenant", "session"),
    "Role.databases": put(f"{ALL}/databases", ["shop", "other"]),
    "Role.includes": put(f"{ALL}/includes", ["further"]),
    "Role.tables": put(f"{ALL}/tables/public.people", ["select", "delete"]),
    "Role.columns": put(f"{ALL}/columns/public.people.note", {"show": {"mask": "email"}}),
    "Role.functions": put(f"{ALL}/functions", ["public.f"]),
    "Role.when": WIDE,
    "Role.limits": put(f"{ALL}/limits", {}),
    "Role.temporary": lambda found: found["roles"]["all"].pop("temporary"),
    "Role.break_glass": lambda found: found["roles"]["all"].pop("break_glass"),
    "When.address": put(f"{ALL}/when", {"address": OFFICE}),
    "When.second_factor": WIDE,
    "When.hours": put(f"{ALL}/when", {"hours": "Mon-Fri 08:00-18:00 Europe/Berlin"}),
    "When.application": put(f"{ALL}/when", {"application": ["desk"]}),
    "When.certificate": put(f"{ALL}/when", {"certificate": True}),
    "When.tenant": put(f"{ALL}/when", {"tenant": ["acme"]}),
    "When.assumed": put(f"{ALL}/when", {"assumed": True, "second_factor": "5m"}),
    "RoleLimits.rows_per_hour": put(f"{ALL}/limits/rows_per_hour", 11),
    "RoleLimits.reveals_per_hour": put(f"{ALL}/limits/reveals_per_hour", 11),
    "Temporary.to": put(f"{ALL}/temporary/to", ["berta", "carl"]),
    "Temporary.by": put(f"{ALL}/temporary/by", ["carl"]),
    "Temporary.longest": put(f"{ALL}/temporary/longest", "2h"),
    "Temporary.approvals": put(f"{ALL}/temporary", {
        "to": ["berta"], "by": ["anna", "carl"], "longest": "1h", "approvals": 2}),
    "BreakGlass.to": put(f"{ALL}/break_glass/to", ["berta", "carl"]),
    "BreakGlass.longest": put(f"{ALL}/break_glass/longest", "2h"),
    "SessionLimits.startup_packet_bytes": AVAILABILITY,
    "SessionLimits.message_bytes": AVAILABILITY,
    "SessionLimits.login_seconds": AVAILABILITY,
    "SessionLimits.idle_seconds": put(f"{SHOP}/limits/idle_seconds", 60),
    "SessionLimits.statements_per_session": AVAILABILITY,
    "SessionLimits.buffer_bytes": AVAILABILITY,
    "Limits.connections": AVAILABILITY,
    "Limits.connections_per_account": AVAILABILITY,
    "Limits.drain_seconds": AVAILABILITY,
}  # fmt: skip
KEYWORDS: dict[str, str] = {
    "host": UPSTREAM.replace("db.", "evil."),
    "hostaddr": f"{UPSTREAM}&hostaddr=192.0.2.1",
    "port": UPSTREAM.replace("/shop", ":6000/shop"),
    "user": UPSTREAM.replace("strongroom@", "postgres@"),
    "password": "",  # refused in the configuration
    "dbname": UPSTREAM.replace("/shop", "/other"),
    "options": f"{UPSTREAM}&options=-crole%3Dx",
    "application_name": f"{UPSTREAM}&application_name=x",
    "sslmode": UPSTREAM.replace("?", "?sslmode=verify-ca&"),
    "sslrootcert": UPSTREAM.replace("ca.pem", "other.pem"),
    "sslcert": "",  # lets the gateway in
    "sslkey": "",
    "sslnegotiation": "",  # which of two ways to TLS is taken first; both end in it
    "ssl_min_protocol_version": f"{UPSTREAM}&ssl_min_protocol_version=TLSv1.3",
    "require_auth": f"{UPSTREAM}&require_auth=scram-sha-256",
    "channel_binding": f"{UPSTREAM}&channel_binding=require",
    "connect_timeout": "",  # for how long, and not to whom
    "max_protocol_version": "",  # both are read alike
}
"""An upstream that differs in it; none where it protects nothing."""
VAULT = "vault:https://v.example/transit/root?token=x&ca=ca.pem"
KMIP = "kmip:v.example/1?ca=ca.pem&certificate=c.pem&key=k.pem"
AWSKMS = "awskms:arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
PKCS11 = "pkcs11:token=t;object=root?module-path=/usr/lib/p11.so&pin-value=1234"
ROOTS: dict[str, tuple[str, str] | str] = {
    "FileAddress.path": ("file:/etc/root.key", "file:/etc/other.key"),
    "PassphraseAddress.passphrase": "another opens nothing of what is there",
    "ShamirAddress.set_id": ("shamir:0000abcd", "shamir:0000abce"),
    "VaultAddress.url": (VAULT, VAULT.replace("v.", "w.")),
    "VaultAddress.mount": (VAULT, VAULT.replace("transit", "other")),
    "VaultAddress.key": (VAULT, VAULT.replace("root", "other")),
    "VaultAddress.login": CREDENTIAL,
    "VaultAddress.namespace": (VAULT, f"{VAULT}&namespace=team"),
    "VaultAddress.ca": (VAULT, VAULT.replace("ca.pem", "other.pem")),
    "AwsKmsAddress.arn": (AWSKMS, AWSKMS.replace("1234abcd", "1234abce")),
    "AwsKmsAddress.region": (AWSKMS, f"{AWSKMS}?region=eu-west-1"),
    "AwsKmsAddress.endpoint": (AWSKMS, f"{AWSKMS}?endpoint=https://evil.example"),
    "AwsKmsAddress.ca": (AWSKMS, f"{AWSKMS}?ca=ca.pem"),
    "Pkcs11Address.module": (PKCS11, PKCS11.replace("/p11.so", "/evil.so")),
    "Pkcs11Address.token": (PKCS11, PKCS11.replace("token=t", "token=u")),
    "Pkcs11Address.label": (PKCS11, PKCS11.replace("object=root", "object=other")),
    "Pkcs11Address.identifier": (PKCS11, PKCS11.replace("object=root", "object=root;id=%01")),
    "Pkcs11Address.pin": CREDENTIAL,
    "KmipAddress.server": (KMIP, KMIP.replace("v.", "w.")),
    "KmipAddress.identifier": (KMIP, KMIP.replace("/1?", "/2?")),
    "KmipAddress.ca": (KMIP, KMIP.replace("ca.pem", "other.pem")),
    "KmipAddress.certificate": CREDENTIAL,
    "KmipAddress.key": CREDENTIAL,
}  # fmt: skip


@pytest.fixture
def made(tmp_path: Path) -> Callable[[Change], Stance]:
    """The stance of the configuration after a change."""
    for name in ("ca.pem", "clients.pem", "other.pem"):
        (tmp_path / name).write_text(name)
    (tmp_path / "one.cedar").write_text("permit (principal, action, resource);")

    def make(change: Change) -> Stance:
        found = yaml.safe_load(yaml.safe_dump(BASE))
        change(found)
        file = tmp_path / "strongroom.yaml"
        file.write_text(yaml.safe_dump(found))
        return stance_of(load(file, {}))

    return make


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The model and all below it."""
    yield model
    for field in model.model_fields.values():
        for one in inner(field.annotation):
            if isinstance(one, type) and issubclass(one, BaseModel):
                yield from models(one)


def inner(annotation: object) -> Iterator[object]:
    """Every type that an annotation is made of."""
    yield annotation
    for one in typing.get_args(annotation):
        yield from inner(one)


def test_every_key_is_thought_of() -> None:
    """Of every model below the settings, of every upstream, and of every provider of roots."""
    fields = {
        f"{model.__name__}.{name}"
        for model in models(Settings)
        for name in model.model_fields
        if f"{model.__name__}.{name}" in KEYS or name not in inherited(model)
    }
    assert fields == set(KEYS)
    assert set(KEYWORDS) == _KEPT
    roots = typing.get_args(RootAddress)
    assert {f"{one.__name__}.{part.name}" for one in roots for part in dataclasses.fields(one)} == set(ROOTS)


def inherited(model: type[BaseModel]) -> set[str]:
    """Fields of the models that this one is one of, which stand there."""
    return {name for base in model.__mro__[1:] for name in getattr(base, "model_fields", {})}


@pytest.mark.parametrize("key", [name for name, change in KEYS.items() if not isinstance(change, str)])
def test_a_key_counts(made: Callable[[Change], Stance], key: str) -> None:
    """Changed, it shows in the stance, and one of the two is weaker than the other."""
    change = KEYS[key]
    assert not isinstance(change, str)
    differs(made(lambda _: None), made(change))


@pytest.mark.parametrize("keyword", [name for name, other in KEYWORDS.items() if other])
def test_a_parameter_of_the_upstream_counts(made: Callable[[Change], Stance], keyword: str) -> None:
    """Each that says to whom the gateway speaks, as whom and how surely."""
    differs(made(lambda _: None), made(put(f"{SHOP}/upstream", KEYWORDS[keyword])))


PLACES = [
    (part, place)
    for part, addresses in ROOTS.items()
    for place in ("keys/root", "keys/tenants/own/shop@acme")
    if not isinstance(addresses, str) and not (part.startswith("Shamir") and "tenants" in place)
]
"""Shares ask people, so they are no tenant's."""


@pytest.mark.parametrize(("part", "place"), PLACES)
def test_a_part_of_a_root_s_address_counts(made: Callable[[Change], Stance], part: str, place: str) -> None:
    """Of the gateway's own root and of a tenant's: who stands before a provider sees what it opens."""
    one, other = (addresses for addresses in ROOTS[part])
    before, after = made(put(place, one)), made(put(place, other))
    differs(before, after)
    assert weakenings(before, after) != []


def differs(one: Stance, other: Stance) -> None:
    assert one.written() != other.written()
    assert weakenings(one, other) + weakenings(other, one) != []
