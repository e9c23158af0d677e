"""The stance of a configuration: everything in it on which protection hangs (``stance/model.py``).

Files that count are read (authorities of clients and of the upstream, policies written by hand) and stand in
it by their SHA-256; of an account's verifier stands a SHA-256, too, and no password. `limits` of buffers and
connections, workers, health and the addresses of listeners on this machine are not in it: they protect
availability, which this is not about. Called by `standing`, `worker` and ``strongroom protection``.
"""

import hashlib
from pathlib import Path

from strongroom.acceptance.act import section_of
from strongroom.config import (
    Account,
    Column,
    Database,
    Keys,
    Person,
    RootAddress,
    Settings,
    core_dumps_allowed,
)
from strongroom.config.access import declared, policy_of
from strongroom.config.audit import Audit
from strongroom.config.awskms_address import AwsKmsAddress
from strongroom.config.destinations import Destination
from strongroom.config.kmip_address import KmipAddress
from strongroom.config.pkcs11_uri import Pkcs11Address
from strongroom.config.roots import FileAddress
from strongroom.config.vault_address import VaultAddress
from strongroom.errors import UnreadableConfiguration
from strongroom.gateway.certificate import parse_pin
from strongroom.gateway.tls import SslMode
from strongroom.gateway.upstream_address import Upstream, parse_upstream
from strongroom.keys.root.opening import name_of, provider_of
from strongroom.policy.roles import Policy
from strongroom.stance.access import UNENFORCED, written
from strongroom.stance.model import Section, Stance

NEVER_SECONDS = 10**9
"""In the place of 0, which is never."""


def stance_of(settings: Settings, policy: Policy | None = None) -> Stance:
    """What the configuration protects; raises a ``ConfigError``.

    ``policy`` is what was made of the settings already, where its files must not be read again.
    """
    if policy is None and declared(settings):
        policy = policy_of(settings)
    requirement = None if settings.protection is None else settings.protection.requirement
    return Stance(
        {
            "protection": section_of(requirement),
            "databases": {name: _database(name, settings) for name in settings.databases},
            "holders": _holders(settings),
            "login": settings.login.model_dump(),
            "access": UNENFORCED if policy is None else written(policy),
            "keys": _keys(settings.keys),
            "machine": {"core_dumps": core_dumps_allowed()},
            "audit": _audit(settings.audit),
        }
    )


def _audit(audit: Audit | None) -> Section:
    if audit is None:
        return {}
    return {
        "origin": audit.origin,
        "log": str(audit.log),
        "durability": audit.durability,
        "batch_milliseconds": audit.batch_milliseconds,
        "unwritable": audit.unwritable,
        "keyed_hashes": sorted(map(str, audit.keyed_hashes)),
        "keep_seconds": NEVER_SECONDS if audit.keep is None else int(audit.keep.total_seconds()),
        "to": {name: _destination(one, audit.origin) for name, one in audit.to.items()},
    }


def _destination(one: Destination, origin: str) -> Section:
    if one.lines is not None:
        return {"place": f"lines {one.lines.file}"}
    if one.syslog is not None:
        ca = one.syslog.ca
        return {
            "place": f"syslog {one.syslog.server}",
            "authorities": "system" if ca is None else _digest(ca),
        }
    assert one.s3 is not None  # there is no fourth kind
    address = one.s3.address(origin)
    return {
        "place": f"{address} at {address.endpoint or address.region or 'the usual region'}",
        "authorities": "system" if address.ca is None else _digest(address.ca),
        "retain_days": one.s3.retain_days,
        "contents": one.s3.contents,
        "seconds": one.s3.seconds,
    }


def _database(name: str, settings: Settings) -> Section:
    database = settings.databases[name]
    pins = tuple(parse_pin(pin) for pin in database.upstream_pin)
    return {
        **_upstream(parse_upstream(database.upstream, base=settings.file.parent, pins=pins), database),
        **_listener(database),
        "functions": sorted(database.functions),
        "columns": {str(column): _column(one) for column, one in database.columns.items()},
    }


def _upstream(upstream: Upstream, database: Database) -> Section:
    credentials, tls = upstream.credentials, upstream.tls
    address = "" if upstream.address is None else f" at {upstream.address}"
    return {
        "server": f"{upstream.host}:{upstream.port}/{credentials.database}{address}",
        "user": credentials.user,
        "parameters": sorted(f"{name}={value}" for name, value in upstream.parameters),
        "sslmode": tls.mode.value,
        "authorities": _authorities(tls.mode, tls.root),
        "pins": sorted(database.upstream_pin),
        "minimum_tls": tls.minimum.name,
        "channel_binding": upstream.rules.channel_binding.value,
        "login_methods": sorted(method.value for method in upstream.rules.methods),
    }


def _authorities(mode: SslMode, root: Path | None) -> str:
    if mode in (SslMode.DISABLE, SslMode.REQUIRE):
        return "any"
    return "system" if root is None else _digest(root)


def _listener(database: Database) -> Section:
    tls = database.tls
    return {
        "listen": "loopback" if database.listen.is_loopback else database.listen.host,
        "tls": tls is not None,
        "plaintext": tls is None or database.plaintext is not None,
        "client_ca": None if tls is None or tls.client_ca is None else _digest(tls.client_ca),
        "idle_seconds": database.limits.idle_seconds or NEVER_SECONDS,
    }


def _column(column: Column) -> Section:
    return {
        "type": column.type,
        "encryption": column.encryption,
        "key": None if column.key is None else str(column.key),
        "tenant": column.tenant,
        "pad": column.pad or 0,
        "accept_leakage": column.accept_leakage is not None,
    }


def _holders(settings: Settings) -> Section:
    accounts = {f"accounts.{name}": _account(one) for name, one in settings.accounts.items()}
    people = {f"people.{name}": _person(one) for name, one in settings.people.items()}
    return {**accounts, **people}


def _account(account: Account) -> Section:
    verifier = account.password
    return {
        "databases": sorted(account.databases),
        "password": "state" if verifier is None else _sha256(verifier.danger_reveal().encode()),
        "certificate": account.certificate,
        "upstream_user": account.upstream_user,
    }


def _person(person: Person) -> Section:
    return {
        "databases": sorted(person.databases),
        "password": "sign-in",
        "certificate": None,
        "upstream_user": person.upstream_user,
    }


def _keys(keys: Keys | None) -> Section:
    if keys is None:
        return {"roots": [], "reached": {}, "tenants_own": {}, "approvals": {}}
    approvals, tenants = keys.approvals, keys.tenants
    delay = tenants.destroy_delay_days
    return {
        "roots": sorted(map(_root, keys.roots)),
        "reached": {_root(one): _way(one) for one in (*keys.roots, *tenants.own.values())},
        "rotate_days": keys.rotate.days,
        "rotate_share": keys.rotate.share,
        "rotate_by_itself": keys.rotate.by_itself,
        "destroy_delay_days": keys.destroy_delay_days,
        "tenants_cache_seconds": tenants.cache_seconds,
        "tenants_add": tenants.add,
        "tenants_destroy_delay_days": keys.destroy_delay_days if delay is None else delay,
        "tenants_own": {name: _root(address) for name, address in tenants.own.items()},
        "approvals": {}
        if approvals is None
        else {**section_of(approvals.requirement), "for": sorted(approvals.acts)},
    }


def _root(address: RootAddress) -> str:
    """Where the root is; of a passphrase, that it is one."""
    if isinstance(address, FileAddress):
        return f"file {address.path}"
    return name_of(address) or provider_of(address)


def _way(address: RootAddress) -> list[str]:
    """Who else would see what a root opens: the program that is loaded, the server, who vouches for it."""
    if isinstance(address, Pkcs11Address):
        return [f"module {address.module}"]
    if isinstance(address, AwsKmsAddress):
        return [f"endpoint {address.endpoint or address.region}", _vouching(address.ca)]
    if isinstance(address, VaultAddress | KmipAddress):
        return [_vouching(address.ca)]
    return []


def _vouching(ca: Path | None) -> str:
    return "system" if ca is None else _digest(ca)


def _digest(path: Path) -> str:
    try:
        return _sha256(path.read_bytes())
    except OSError as error:
        raise UnreadableConfiguration(f"{path}: {error.strerror}") from None


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
