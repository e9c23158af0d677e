"""What a configuration protects less than another: the sections of a stance, each compared by its own.

A section is what one room adds: its name here with what compares it, and in ``gateway/stances.py`` with what
makes it. A room that is to come (a firewall) adds a line in both. What a former program did not
write down is not compared, since nothing is known of it; what this program does not know, and the former
did, counts as weaker. Called by ``gateway/standing.py`` and ``strongroom protection``.
"""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from strongroom.stance import access
from strongroom.stance.model import Section, Stance, Weakening
from strongroom.stance.orders import (
    UNKNOWN,
    Fields,
    all_of,
    compared,
    elsewhere,
    no_less,
    no_more,
    pinned,
    ranked,
    same,
    same_or,
    same_or_to,
    within,
)

__all__ = ["weakenings"]

Compare = Callable[[Section, Section], Iterator[Weakening]]


def weakenings(before: Stance, after: Stance) -> list[Weakening]:
    """Everything that protects less; empty where nothing does."""
    found: list[Weakening] = []
    for name, section in before.sections.items():
        compare = SECTIONS.get(name)
        if compare is None or name not in after.sections:
            found.append(Weakening(name, UNKNOWN.format(name)))
        else:
            found += compare(section, after.sections[name])
    return sorted(set(found))


# ------------------------------------------------------------------------------------------------ who signs


def _protection(before: Section, after: Section) -> Iterator[Weakening]:
    if not before:
        return
    if not after:
        yield Weakening("protection", "nobody is asked any more before something protects less")
    elif not _asks_no_less(before, after):
        yield Weakening("protection", "fewer people sign, or others, or with other keys")
    for name in sorted(before.keys() - {"needed", "by"}):
        yield Weakening("protection", UNKNOWN.format(name))


def _asks_no_less(before: Section, after: Section) -> bool:
    """As many, and of the former people and keys alone."""
    by, former = after.get("by", {}), before.get("by", {})
    return bool(after.get("needed", 0) >= before.get("needed", 0)) and all(
        set(keys) <= set(former.get(name, ())) for name, keys in by.items()
    )


def _approvals(before: Section, after: Section) -> Iterator[Weakening]:
    former = before["approvals"]
    if former and not (
        after["approvals"]
        and _asks_no_less(former, after["approvals"])
        and set(after["approvals"]["for"]) >= set(former["for"])
    ):
        yield Weakening("keys.approvals", "fewer people sign what is done to keys, or others, or fewer acts")
    for name in sorted(former.keys() - {"needed", "by", "for"}):
        yield Weakening("keys.approvals", UNKNOWN.format(name))


# ------------------------------------------------------------------------------------------------ databases

DATABASE: Fields = {
    "server": (same, "upstream leads to another server, or another database there"),
    "user": (same, "upstream is reached as another user"),
    "parameters": (same, "upstream's options or application_name are others"),
    "sslmode": (ranked("disable", "require", "verify-ca", "verify-full"), "sslmode is looser"),
    "authorities": (same_or("any"), "other authorities vouch for the upstream"),
    "pins": (pinned, "upstream_pin names other certificates, or none"),
    "minimum_tls": (ranked("TLSv1_2", "TLSv1_3"), "upstream may speak an older TLS"),
    "channel_binding": (ranked("disable", "prefer", "require"), "channel_binding is looser"),
    "login_methods": (within, "the gateway may log in upstream by more methods"),
    "listen": (same_or_to("loopback"), "the listener can be reached from elsewhere"),
    "tls": (no_less, "the listener has no TLS any more"),
    "plaintext": (no_more, "the listener takes clients without TLS"),
    "client_ca": (same_or_to(None), "other authorities vouch for clients"),
    "functions": (within, "more functions may be called near protected columns"),
    "idle_seconds": (no_more, "silent sessions last longer"),
    "columns": (elsewhere, "its columns are written down no more"),
}

COLUMN: Fields = {
    "type": (same, "its type is another"),
    "encryption": (ranked("deterministic", "randomized"), "equal values show that they are equal"),
    "key": (same_or_to(None), "its values are sealed by the keys of another column"),
    "tenant": (same_or(None), "its values are no longer sealed by those keys of tenants"),
    "pad": (no_less, "padding hides less of the lengths"),
    "accept_leakage": (no_more, "leakage of frequencies is accepted"),
}


def _databases(before: Section, after: Section) -> Iterator[Weakening]:
    for name, database in sorted(after.items()):
        place = f"databases.{name}"
        if name not in before:
            yield Weakening(place, "can be reached now")
            continue
        yield from compared(place, DATABASE, before[name], database)
        yield from _columns(f"{place}.columns", before[name]["columns"], database["columns"])


def _columns(place: str, before: Section, after: Section) -> Iterator[Weakening]:
    for name, column in sorted(before.items()):
        if name not in after:
            yield Weakening(f"{place}.{name}", "is no longer protected")
        else:
            yield from compared(f"{place}.{name}", COLUMN, column, after[name])


# ----------------------------------------------------------------------------------------------- who comes in

HOLDER: Fields = {
    "databases": (within, "may use more databases"),
    "password": (same, "is known by another password, or by one that is kept elsewhere"),
    "certificate": (same_or_to(None), "is known by another certificate"),
    "upstream_user": (same, "is another user in the database"),
}

LOGIN: Fields = {
    "credential_minutes": (no_more, "what a sign-in gives opens sessions for longer"),
    "session_hours": (no_more, "sessions last longer after a sign-in"),
    "failures": (no_more, "more wrong tries are allowed"),
    "lock_minutes": (no_less, "a lock ends earlier"),
}


def _holders(before: Section, after: Section) -> Iterator[Weakening]:
    for place, holder in sorted(after.items()):
        if place not in before:
            yield Weakening(place, "may log in now")
        else:
            yield from compared(place, HOLDER, before[place], holder)


def _login(before: Section, after: Section) -> Iterator[Weakening]:
    yield from compared("login", LOGIN, before, after)


# ---------------------------------------------------------------------------------------------- keys, machine

KEYS: Fields = {
    "roots": (within, "another root opens the keys"),
    "rotate_days": (no_more, "keys serve longer"),
    "rotate_share": (no_more, "keys are used more often"),
    "rotate_by_itself": (no_less, "keys that are due are not rotated by the gateway"),
    "destroy_delay_days": (no_less, "keys are destroyed sooner"),
    "tenants_cache_seconds": (no_more, "a tenant's key is used longer after it was withdrawn"),
    "tenants_add": (ranked("automatic", "by_hand"), "clients have keys of tenants made"),
    "tenants_destroy_delay_days": (no_less, "keys of tenants are destroyed sooner"),
    "tenants_own": (elsewhere, "the providers of tenants' keys are written down no more"),
    "reached": (elsewhere, "how roots are reached is written down no more"),
    "approvals": (elsewhere, "who signs what is done to keys is written down no more"),
}

MACHINE: Fields = {"core_dumps": (no_more, "STRONGROOM_CORE_DUMPS lets others look into the memory")}


def _keys(before: Section, after: Section) -> Iterator[Weakening]:
    yield from compared("keys", KEYS, before, after)
    yield from _approvals(before, after)
    for name, address in sorted(before["tenants_own"].items()):
        if after["tenants_own"].get(name) != address:
            yield Weakening(f"keys.tenants.own.{name}", "the tenant's key is held by another provider")
    for name, way in sorted(before.get("reached", {}).items()):
        if after["reached"].get(name, way) != way:
            words = f"{name}: other authorities vouch for it, or another program or server stands before it"
            yield Weakening("keys", words)


# ----------------------------------------------------------------------------------------- what is recorded

AUDIT: Fields = {
    "origin": (same, "records go into another log"),
    "log": (same, "records go to another place"),
    "durability": (ranked("batch", "sync"), "statements run before they are recorded"),
    "batch_milliseconds": (no_more, "records wait longer before they are on the disk"),
    "unwritable": (ranked("allow", "block"), "statements run though they cannot be recorded"),
    "keyed_hashes": (all_of, "who asked for a value of a column cannot be told any more"),
    "keep_seconds": (no_less, "contents of records are erased sooner"),
    "to": (elsewhere, "where the log goes is written down no more"),
}

DESTINATION: Fields = {
    "place": (same, "the log goes to another place"),
    "authorities": (same, "other authorities vouch for where the log goes"),
    "retain_days": (no_less, "what was sent may be deleted sooner"),
    "contents": (no_less, "the contents of records are not sent any more"),
    "seconds": (no_more, "records are sent later"),
}


def _audit(before: Section, after: Section) -> Iterator[Weakening]:
    if before and not after:
        yield Weakening("audit", "nothing is recorded any more")
    elif before:
        yield from compared("audit", AUDIT, before, after)
        yield from _destinations(before.get("to", {}), after.get("to", {}))


def _destinations(before: Section, after: Section) -> Iterator[Weakening]:
    for name, destination in sorted(before.items()):
        place = f"audit.to.{name}"
        if name not in after:
            yield Weakening(place, "the log does not go there any more")
        else:
            yield from compared(place, DESTINATION, destination, after[name])


def _machine(before: Section, after: Section) -> Iterator[Weakening]:
    yield from compared("environment", MACHINE, before, after)


SECTIONS: Mapping[str, Compare] = MappingProxyType(
    {
        "protection": _protection,
        "databases": _databases,
        "holders": _holders,
        "login": _login,
        "access": access.weaker,
        "keys": _keys,
        "machine": _machine,
        "audit": _audit,
    }
)
"""What compares each section."""
