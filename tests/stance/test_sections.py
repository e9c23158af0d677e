"""What a configuration protects less than another: each kind, its opposite, and chains of changes."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strongroom.stance.access import UNENFORCED
from strongroom.stance.model import Stance
from strongroom.stance.sections import COLUMN as COLUMN_FIELDS
from strongroom.stance.sections import DATABASE as DATABASE_FIELDS
from strongroom.stance.sections import HOLDER, KEYS, LOGIN, MACHINE, SECTIONS, weakenings

COLUMN = {
    "type": "text",
    "encryption": "randomized",
    "key": None,
    "tenant": "tenant_id",
    "pad": 16,
    "accept_leakage": False,
}
DATABASE: dict[str, Any] = {
    "server": "db.example:5432/shop",
    "user": "strongroom",
    "parameters": [],
    "sslmode": "verify-full",
    "authorities": "system",
    "pins": ["spki-sha256:1"],
    "minimum_tls": "TLSv1_3",
    "channel_binding": "require",
    "login_methods": ["scram-sha-256"],
    "listen": "10.0.0.1",
    "tls": True,
    "plaintext": False,
    "client_ca": "one",
    "functions": ["public.f"],
    "idle_seconds": 60,
    "columns": {"public.people.note": COLUMN},
}
BASE: dict[str, Any] = {
    "protection": {"needed": 2, "by": {"anna": ["A"], "ben": ["B"], "carla": ["C"]}},
    "databases": {"shop": DATABASE},
    "holders": {
        "accounts.app": {
            "databases": ["shop"],
            "password": "digest",
            "certificate": "app",
            "upstream_user": None,
        }
    },
    "login": {"credential_minutes": 10, "session_hours": 8, "failures": 10, "lock_minutes": 15},
    "access": UNENFORCED,
    "keys": {
        "roots": ["file /etc/root.key"],
        "reached": {"file /etc/root.key": []},
        "rotate_days": 730,
        "rotate_share": 0.5,
        "rotate_by_itself": True,
        "destroy_delay_days": 7,
        "tenants_cache_seconds": 300,
        "tenants_add": "by_hand",
        "tenants_destroy_delay_days": 7,
        "tenants_own": {"shop@acme": "vault"},
        "approvals": {"needed": 2, "by": {"anna": ["A"], "ben": ["B"]}, "for": ["export", "root"]},
    },
    "machine": {"core_dumps": False},
    "audit": {
        "origin": "a/b",
        "log": "/log",
        "durability": "sync",
        "batch_milliseconds": 20,
        "unwritable": "block",
        "keyed_hashes": ["public.people.id"],
        "to": {
            "vault": {
                "place": "s3://a/b",
                "authorities": "system",
                "retain_days": 400,
                "contents": True,
                "seconds": 60,
            },
        },
    },
}


def changed(path: str, value: object, base: Mapping[str, Any] = BASE) -> Stance:
    """The stance with one place changed; None takes it out."""
    sections: Any = deepcopy(dict(base))
    *outer, last = path.split("/")
    at = sections
    for name in outer:
        at = at[name]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return Stance(sections)


DB, APP = "databases/shop", "holders/accounts.app"
NOTE = f"{DB}/columns/public.people.note"
WEAKER: list[tuple[str, object, str]] = [
    (NOTE, None, "databases.shop.columns.public.people.note: is no longer protected"),
    (f"{NOTE}/encryption", "deterministic", "equal values show"),
    (f"{NOTE}/pad", 0, "padding"),
    (f"{NOTE}/accept_leakage", True, "leakage"),
    (f"{NOTE}/key", "public.people.iban", "another column"),
    (f"{NOTE}/type", "bytea", "its type"),
    (f"{NOTE}/tenant", "session", "those keys of tenants"),
    ("databases/other", DATABASE, "databases.other: can be reached now"),
    (f"{DB}/server", "elsewhere:5432/shop", "another server"),
    (f"{DB}/user", "postgres", "another user"),
    (f"{DB}/parameters", ["options=-crole=x"], "options"),
    (f"{DB}/sslmode", "require", "sslmode is looser"),
    (f"{DB}/authorities", "other", "other authorities vouch for the upstream"),
    (f"{DB}/pins", [], "upstream_pin"),
    (f"{DB}/pins", ["spki-sha256:1", "spki-sha256:2"], "upstream_pin"),
    (f"{DB}/minimum_tls", "TLSv1_2", "older TLS"),
    (f"{DB}/channel_binding", "disable", "channel_binding"),
    (f"{DB}/login_methods", ["md5", "scram-sha-256"], "more methods"),
    (f"{DB}/listen", "0.0.0.0", "from elsewhere"),  # noqa: S104 - nothing listens
    (f"{DB}/tls", False, "no TLS any more"),
    (f"{DB}/plaintext", True, "without TLS"),
    (f"{DB}/client_ca", "two", "other authorities vouch for clients"),
    (f"{DB}/functions", ["public.f", "public.g"], "more functions"),
    (f"{DB}/idle_seconds", 10**9, "silent sessions"),
    (f"{APP}/databases", ["other", "shop"], "accounts.app: may use more databases"),
    (f"{APP}/password", "other", "another password"),
    (f"{APP}/certificate", "other", "another certificate"),
    (f"{APP}/upstream_user", "postgres", "another user in the database"),
    ("holders/people.eve", BASE["holders"]["accounts.app"], "people.eve: may log in now"),
    ("login/failures", 100, "more wrong tries"),
    ("login/lock_minutes", 1, "a lock ends earlier"),
    ("login/credential_minutes", 60, "for longer"),
    ("login/session_hours", 24, "sessions last longer"),
    ("keys/roots", ["file /etc/root.key", "file /home/eve"], "another root"),
    ("keys/rotate_days", 1000, "keys serve longer"),
    ("keys/rotate_by_itself", False, "not rotated"),
    ("keys/destroy_delay_days", 1, "destroyed sooner"),
    ("keys/tenants_cache_seconds", 86_400, "after it was withdrawn"),
    ("keys/tenants_add", "automatic", "clients have keys"),
    ("keys/tenants_own", {}, "keys.tenants.own.shop@acme"),
    ("keys/rotate_share", 0.9, "keys are used more often"),
    ("audit", {}, "nothing is recorded"),
    ("audit/origin", "a/c", "another log"),
    ("audit/log", "/elsewhere", "another place"),
    ("audit/durability", "batch", "before they are recorded"),
    ("audit/batch_milliseconds", 21, "wait longer"),
    ("audit/unwritable", "allow", "cannot be recorded"),
    ("audit/keyed_hashes", ["public.people.name"], "who asked for a value"),
    ("audit/to", {}, "does not go there any more"),
    ("audit/to/vault/place", "s3://a/c", "another place"),
    ("audit/to/vault/authorities", "d", "other authorities"),
    ("audit/to/vault/retain_days", 399, "deleted sooner"),
    ("audit/to/vault/contents", False, "not sent any more"),
    ("audit/to/vault/seconds", 61, "sent later"),
    ("keys/tenants_destroy_delay_days", 1, "keys of tenants are destroyed sooner"),
    ("keys/reached", {"file /etc/root.key": ["evil"]}, "stands before it"),
    ("keys/approvals", False, "keys.approvals"),
    ("keys/approvals/for", ["export"], "keys.approvals"),
    ("machine/core_dumps", True, "STRONGROOM_CORE_DUMPS"),
    ("protection", {}, "nobody is asked any more"),
    ("protection/needed", 1, "fewer people sign"),
    ("protection/by/mallory", ["M"], "others"),
    ("protection/by/anna", ["M"], "other keys"),
    ("protection/by/anna", ["A", "M"], "other keys"),
]
STRONGER: list[tuple[str, object]] = [
    (f"{DB}/columns/public.people.iban", COLUMN),
    (f"{NOTE}/pad", 64),
    (f"{DB}/listen", "loopback"),
    (f"{DB}/client_ca", False),
    (f"{DB}/functions", []),
    (f"{DB}/idle_seconds", 30),
    (DB, None),
    (f"{APP}/databases", []),
    (APP, None),
    ("login/failures", 5),
    ("login/lock_minutes", 60),
    ("keys/roots", []),
    ("keys/rotate_days", 30),
    ("keys/tenants_own", {"shop@acme": "vault", "shop@umbrella": "kmip"}),
    ("keys/approvals/needed", 3),
    ("protection/needed", 3),
    ("protection/by/carla", None),
]


@pytest.mark.parametrize(("path", "value", "words"), WEAKER, ids=str)
def test_what_protects_less_is_named(path: str, value: object, words: str) -> None:
    """Each kind by itself, with the place in the configuration."""
    (found,) = weakenings(Stance(BASE), changed(path, value))
    assert words in str(found)


@pytest.mark.parametrize(("path", "value"), STRONGER, ids=str)
def test_what_protects_more_is_not(path: str, value: object) -> None:
    """Nothing is asked of anybody for it; but to take it back is a weakening."""
    base = BASE if path != f"{DB}/client_ca" else changed(path, "one").sections
    after = changed(path, None if path.endswith("client_ca") else value, base)
    if path.endswith("client_ca"):
        after.sections["databases"]["shop"]["client_ca"] = None
    assert weakenings(Stance(base), after) == []
    assert weakenings(after, Stance(base)) != []


def test_from_nobody_asked_to_somebody() -> None:
    """People who are asked from now on weaken nothing, and a requirement of fewer is none of more."""
    before = changed("protection", {})
    assert weakenings(before, Stance(BASE)) == []


def test_a_room_that_is_to_come() -> None:
    """What a former program did not know is not compared; what this one does not know counts as weaker."""
    more = Stance(BASE | {"firewall": {"on": True}})
    assert weakenings(Stance(BASE), more) == []
    assert [one.what for one in weakenings(more, more)] == ["firewall"]
    assert [one.what for one in weakenings(more, Stance(BASE))] == ["firewall"]
    assert set(SECTIONS) == set(BASE)


def test_a_field_that_is_gone() -> None:
    """A field that a former program wrote down and this one does not counts as weaker."""
    assert weakenings(Stance(BASE), changed("machine/core_dumps", None)) != []
    assert weakenings(changed("machine/core_dumps", None), Stance(BASE)) == []


@pytest.mark.parametrize("path", ["protection", "keys", "keys/approvals", "login", "machine", DB, NOTE, APP])
def test_a_field_that_is_not_known(path: str) -> None:
    """One that another program wrote down counts, whatever it may have been for."""
    more = changed(f"{path}/quota", 1)
    assert "does not know" in str(weakenings(more, Stance(BASE)))
    assert "does not know" in str(weakenings(more, more))
    assert weakenings(Stance(BASE), more) == []


def test_every_field_is_tried() -> None:
    """Each that is compared has a line above that weakens it."""
    tried = {path.split("/")[-1] for path, _, _ in WEAKER}
    assert {
        name for fields in (DATABASE_FIELDS, COLUMN_FIELDS, HOLDER, LOGIN, KEYS, MACHINE) for name in fields
    } <= {*tried, "columns"}


# ---------------------------------------------------------------------------------- whatever the values are

numbers = st.integers(0, 3)
some = st.lists(st.sampled_from("abc"), unique=True).map(sorted)
word = st.sampled_from("xyz")
either = st.booleans()
nobody: dict[str, Any] = {}
signers = st.just(nobody) | st.fixed_dictionaries(
    {"needed": st.integers(1, 2), "by": st.dictionaries(st.sampled_from(["anna", "ben"]), some, max_size=2)}
)
column = st.fixed_dictionaries(
    {
        "type": word,
        "encryption": st.sampled_from(["deterministic", "randomized"]),
        "key": st.none() | word,
        "tenant": st.none() | word,
        "pad": numbers,
        "accept_leakage": either,
    }
)
database = st.fixed_dictionaries(
    {
        "server": word,
        "user": word,
        "parameters": some,
        "sslmode": st.sampled_from(["disable", "require", "verify-ca", "verify-full"]),
        "authorities": st.sampled_from(["any", "system", "x"]),
        "pins": some,
        "minimum_tls": st.sampled_from(["TLSv1_2", "TLSv1_3"]),
        "channel_binding": st.sampled_from(["disable", "prefer", "require"]),
        "login_methods": some,
        "listen": st.sampled_from(["loopback", "a", "b"]),
        "tls": either,
        "plaintext": either,
        "client_ca": st.none() | word,
        "functions": some,
        "idle_seconds": numbers,
        "columns": st.dictionaries(word, column, max_size=2),
    }
)
holder = st.fixed_dictionaries(
    {"databases": some, "password": word, "certificate": st.none() | word, "upstream_user": st.none() | word}
)
sections: dict[str, st.SearchStrategy[Any]] = {
    "protection": signers,
    "databases": st.dictionaries(word, database, max_size=2),
    "holders": st.dictionaries(word, holder, max_size=2),
    "login": st.fixed_dictionaries(dict.fromkeys(BASE["login"], numbers)),
    "machine": st.fixed_dictionaries({"core_dumps": either}),
}


def one_section(name: str) -> st.SearchStrategy[Stance]:
    return sections[name].map(lambda value: Stance({name: value}))


@pytest.mark.parametrize("name", sections)
@given(data=st.data())
def test_a_stance_weakens_nothing_of_itself(name: str, data: st.DataObject) -> None:
    """Nothing is found where nothing changed, and its text gives it again."""
    one = data.draw(one_section(name))
    assert weakenings(one, one) == []
    assert Stance.read(one.written()) == one


def single_changes(section: str, one: Stance, data: st.DataObject) -> Stance:
    """The stance with one field somewhere in it drawn anew."""
    value: Any = deepcopy(one.sections[section])
    other = data.draw(sections[section])
    names = sorted({*value, *other})
    if names:
        name = data.draw(st.sampled_from(names))
        value.pop(name, None)
        if name in other:
            value[name] = other[name]
    return Stance({section: value})


@pytest.mark.parametrize("name", sections)
@given(data=st.data())
def test_no_chain_sneaks_past(name: str, data: st.DataObject) -> None:
    """However many changes that weaken nothing follow one another, the last weakens nothing of the first."""
    first = at = data.draw(one_section(name))
    for _ in range(6):
        following = single_changes(name, at, data)
        if not weakenings(at, following):
            at = following
    assert weakenings(first, at) == []
