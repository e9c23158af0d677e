"""The copy of the keysets beside the data; whether state, database and configuration agree (design, rule 7).

The protected database keeps its wrapped KEK in ``strongroom_keys.keks``, each wrapped keyset in
``strongroom_keys.keysets`` and the keyset of each column in ``strongroom_keys.columns``, so that a dump of it
and a root bring everything back. Here are the statements, which the shell executes, and the decision, which
is pure: from what is configured and what was found, what is to be made, taken over and copied, or why nothing
may start. After publishing, the shell reads and agrees once more, and only then takes a new keyset into its
state: of two gateways with a state each that start together, the second finds the first one's there.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from strongroom.errors import InvalidScheme, KeysetMismatch, KeysetMissing, KeysetOrphaned
from strongroom.keys.model import Algorithm, Keyset
from strongroom.protect.scheme import Scheme
from strongroom.sql.schema import LOOKED_UP_BY, OWN_SCHEMA

ALONE = "SELECT pg_catalog.pg_advisory_xact_lock(1400135535, 1801812339)"
"""Goes before what is written beside the data: two that make the tables at once would break each other.

The numbers are the letters of "Stro" and "keys"; the pair is not that of ``changeover``."""

CREATE_TABLES = """\
CREATE SCHEMA IF NOT EXISTS strongroom_keys;
CREATE TABLE IF NOT EXISTS strongroom_keys.keks (
    name text PRIMARY KEY,
    revision integer NOT NULL,
    wraps text NOT NULL,
    written timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS strongroom_keys.keysets (
    name text PRIMARY KEY,
    revision integer NOT NULL,
    key_ids bigint[] NOT NULL,
    wrapped bytea NOT NULL,
    written timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS strongroom_keys.columns (
    name text PRIMARY KEY,
    keyset text NOT NULL REFERENCES strongroom_keys.keysets,
    since timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE IF NOT EXISTS strongroom_keys.generations (
    state text PRIMARY KEY,
    number bigint NOT NULL,
    mark text NOT NULL,
    proof text NOT NULL,
    written timestamptz NOT NULL DEFAULT now()
);
COMMENT ON SCHEMA strongroom_keys IS
    'Keys of the columns that Strongroom protects, wrapped by a root key. Belongs into every backup.';
"""
"""Run by the owner of the database, in a transaction."""

TABLES = """\
SELECT pg_catalog.to_regclass('strongroom_keys.' || t) IS NOT NULL
FROM pg_catalog.unnest('{keks,keysets}'::pg_catalog.text[]) t"""
"""Whether they are there, a row each."""

READ_KEKS = "SELECT name, revision, wraps FROM strongroom_keys.keks"
"""Rows are the fields of ``WrappedKek``, the wraps as the text that ``kek.wraps_of`` reads."""

READ_KEYSETS = "SELECT name, revision, wrapped FROM strongroom_keys.keysets ORDER BY name"
"""Rows are the fields of ``WrappedKeyset``; the bytea must be read in binary or unhexed."""

READ_REVISIONS = "SELECT name, revision FROM strongroom_keys.keysets"
"""With thousands of tenants: to know which of the keysets to read."""

READ_SOME_KEYSETS = """\
SELECT name, revision, wrapped FROM strongroom_keys.keysets
WHERE name IN (SELECT pg_catalog.json_array_elements_text($1::pg_catalog.json)) ORDER BY name"""
"""As READ_KEYSETS, of the names in a JSON list."""

READ_KEY_IDS = "SELECT name, pg_catalog.array_to_string(key_ids, ' ') FROM strongroom_keys.keysets"
"""The ids of the keys in each, apart by blanks."""

HAS_RETIRED = "SELECT pg_catalog.to_regclass('strongroom_keys.retired_keysets') IS NOT NULL"

READ_RETIRED = "SELECT name, revision, wrapped FROM strongroom_keys.retired_keysets ORDER BY name, written"
"""As READ_KEYSETS."""

READ_COLUMNS = "SELECT name, keyset FROM strongroom_keys.columns ORDER BY name"

WRITE_KEK = """\
INSERT INTO strongroom_keys.keks (name, revision, wraps) VALUES ($1, $2, $3)
ON CONFLICT (name) DO UPDATE SET revision = excluded.revision, wraps = excluded.wraps, written = now()
WHERE keks.revision < excluded.revision"""
"""Parameters: name, revision, wraps. An older revision never replaces a newer one."""

WRITE_KEYSET = """\
INSERT INTO strongroom_keys.keysets (name, revision, key_ids, wrapped)
SELECT $1, $2, $3, $4 WHERE EXISTS (SELECT FROM strongroom_keys.keks k WHERE k.name = $5 AND k.wraps = $6)
ON CONFLICT (name) DO UPDATE
SET revision = excluded.revision, key_ids = excluded.key_ids, wrapped = excluded.wrapped, written = now()
WHERE keysets.revision < excluded.revision"""
"""Parameters: name, revision, key ids, wrapped keyset; name and wraps of the KEK that wrapped it.

An older revision never replaces a newer one. Nothing is written under a KEK that is not the one that stands
there: the version that wrapped it may have been destroyed a moment before."""

WRITE_TENANTS_KEYSET = """\
INSERT INTO strongroom_keys.keysets (name, revision, key_ids, wrapped) VALUES ($1, $2, $3, $4)
ON CONFLICT (name) DO UPDATE
SET revision = excluded.revision, key_ids = excluded.key_ids, wrapped = excluded.wrapped, written = now()
WHERE keysets.revision < excluded.revision"""
"""The same where the KEK stands elsewhere."""

HAS_GENERATIONS = "SELECT pg_catalog.to_regclass('strongroom_keys.generations') IS NOT NULL"

READ_GENERATIONS = "SELECT state, number, mark, proof FROM strongroom_keys.generations"
"""Rows are the fields of ``generation.Generation``."""

WRITE_GENERATION = """\
INSERT INTO strongroom_keys.generations (state, number, mark, proof) VALUES ($1, $2, $3, $4)
ON CONFLICT (state) DO UPDATE
SET number = excluded.number, mark = excluded.mark, proof = excluded.proof, written = now()"""
"""Parameters: the fields of ``generation.Generation``. Of two processes of one state that write at once the
one before may come last: too low a number says nothing."""

DELETE_OF_SCOPE = "DELETE FROM strongroom_keys.keysets WHERE pg_catalog.starts_with(name, $1)"
"""Parameter: `DATABASE@TENANT/`, whose KEK was destroyed."""

DELETE_RETIRED_OF_SCOPE = "DELETE FROM strongroom_keys.retired_keysets WHERE pg_catalog.starts_with(name, $1)"
"""As DELETE_OF_SCOPE, where there is the table."""

READ_TYPES = """\
SELECT t.typname FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname = 'strongroom_keys' AND t.typtype = 'd'"""

WRITE_COLUMN = """\
INSERT INTO strongroom_keys.columns (name, keyset) VALUES ($1, $2)
ON CONFLICT (name) DO UPDATE SET keyset = excluded.keyset"""
"""Parameters: the column's configured name, the name of its keyset."""


RETIRE = """\
CREATE TABLE IF NOT EXISTS strongroom_keys.retired_keysets (LIKE strongroom_keys.keysets);
WITH gone AS (DELETE FROM strongroom_keys.columns WHERE keyset = $1)
INSERT INTO strongroom_keys.retired_keysets SELECT * FROM strongroom_keys.keysets WHERE name = $1;
DELETE FROM strongroom_keys.keysets WHERE name = $1"""
"""Parameter: the name of a keyset whose columns are plaintext again."""


def look_up_type(keyset: Keyset) -> str:
    """The type whose presence says that look-ups by the primary key find what there is (``guards.py``)."""
    return f"{OWN_SCHEMA}.{LOOKED_UP_BY}{keyset.primary:08x}"


def missing_types(keysets: Iterable[Keyset], there: Collection[str]) -> list[str]:
    """The types of keysets whose values are compared that are not there."""
    compared = (one for one in keysets if one.algorithm is Algorithm.AES256_SIV)
    wanted = (look_up_type(one) for one in compared)
    return sorted(one for one in wanted if one.removeprefix(f"{OWN_SCHEMA}.") not in there)


def create_type(name: str) -> str:
    """The statement that makes such a type, if it is not there."""
    return (
        f"DO $$ BEGIN CREATE DOMAIN {name} AS pg_catalog.bytea;"
        " EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )


def drop_types(keyset: Keyset) -> str:
    """The statement that drops the types of all its versions; one that a definition still names stays."""
    names = (f"{OWN_SCHEMA}.{LOOKED_UP_BY}{version.key_id:08x}" for version in keyset.versions)
    each = (
        f"BEGIN DROP DOMAIN IF EXISTS {name}; EXCEPTION WHEN dependent_objects_still_exist THEN NULL; END;"
        for name in names
    )
    return f"DO $$ BEGIN {' '.join(each)} END $$"


@dataclass(frozen=True, slots=True)
class Agreement:
    """What is to be done before values are sealed, in this order."""

    adopt: tuple[Keyset, ...]
    """Keysets that the database has and the state has not, or not so new: into the state."""

    create: tuple[Scheme, ...]
    """One scheme for each keyset that has never been: to be made, beside the data first. Those of tenants are
    of the database `DATABASE@TENANT`."""

    publish: tuple[Keyset, ...]
    """Keysets that the database has not, or not so new: beside the data."""


def agree(
    schemes: Collection[Scheme],
    state: Mapping[str, Keyset],
    beside: Mapping[str, Keyset],
    seen: Mapping[str, Collection[int]],
    *,
    tenants: Collection[str] = (),
    shut: Collection[str] = (),
) -> Agreement:
    """What brings one database, its columns and the state together; raises a ``KeysetError`` if nothing may.

    ``state`` and ``beside`` are the keysets of this database, by name; ``seen`` has the key ids that were
    found on protected columns, in their CHECKs or values, by configured name. ``tenants`` are those whose
    KEKs are here; ``shut`` are the names of tenants' keysets that do not open here, which is no disagreement.
    """
    by_tenant = [scheme for scheme in schemes if scheme.tenant is not None]
    whole = [scheme for scheme in schemes if scheme.tenant is None]
    known = _newest(state, beside)
    named = {*known, *shut}
    theirs = [one.of_tenant(tenant) for one in by_tenant for tenant in _tenants(one, named, tenants)]
    by_keyset = _by_keyset([*whole, *theirs])
    _refuse_orphans(by_keyset, named)
    for scheme in theirs:
        _refuse_mismatch(scheme, known.get(scheme.keyset))
    for scheme in whole:
        keyset = known.get(scheme.keyset)
        _refuse_unknown_ids(scheme, keyset, seen.get(scheme.column, ()))
        _refuse_mismatch(scheme, keyset)
    return Agreement(
        adopt=tuple(k for name, k in sorted(known.items()) if _older(state.get(name), k)),
        create=tuple(group[0] for name, group in sorted(by_keyset.items()) if name not in named),
        publish=tuple(k for name, k in sorted(known.items()) if _older(beside.get(name), k)),
    )


def _tenants(scheme: Scheme, names: Collection[str], here: Collection[str]) -> set[str]:
    """Who has a keyset for a column, or is to have one."""
    before, after = f"{scheme.database}@", f"/{scheme.key}"
    there = {
        name.removeprefix(before).removesuffix(after)
        for name in names
        if name.startswith(before) and name.endswith(after)
    }
    return there | set(here)


def _by_keyset(schemes: Iterable[Scheme]) -> dict[str, list[Scheme]]:
    """The schemes of each keyset, which must be of one kind."""
    groups: dict[str, list[Scheme]] = {}
    for scheme in schemes:
        group = groups.setdefault(scheme.keyset, [])
        group.append(scheme)
        if scheme.kind != group[0].kind:
            raise InvalidScheme(
                f"{scheme.database}: columns {group[0].column} and {scheme.column} share a key"
                " but not their type, encryption and pad",
                hint="give them the same, or leave out `key:`",
            )
    return groups


def _newest(state: Mapping[str, Keyset], beside: Mapping[str, Keyset]) -> dict[str, Keyset]:
    """Of two copies the newer; those of one revision must hold the same keys."""
    newest = dict(state)
    for name, copy in beside.items():
        ours = state.get(name)
        if ours is None or ours.revision < copy.revision:
            newest[name] = copy
        elif ours.revision == copy.revision and _identity(ours) != _identity(copy):
            raise KeysetMismatch(
                f"keyset {name!r} in the state and beside the data are two different ones",
                hint="this state belongs to another database: restore the right one, or start with an empty"
                " state to take over the keysets that are beside the data",
            )
    return newest


def _identity(keyset: Keyset) -> tuple[object, ...]:
    states = frozenset((version.key_id, version.state) for version in keyset.versions)
    floors = keyset.opening_floor, keyset.sealing_floor
    return keyset.primary, states, floors, keyset.context, keyset.algorithm, keyset.form, keyset.pad


def _older(copy: Keyset | None, newest: Keyset) -> bool:
    return copy is None or copy.revision < newest.revision


def _refuse_mismatch(scheme: Scheme, keyset: Keyset | None) -> None:
    if keyset is not None and (mismatch := scheme.mismatch(keyset)):
        raise KeysetMismatch(
            f"{scheme.database}: column {scheme.column}: {mismatch}",
            hint="put the configuration back; to change it, unprotect the column and protect it anew",
        )


def _refuse_orphans(configured: Mapping[str, object], known: Collection[str]) -> None:
    """A line of configuration that went away must not end protection unnoticed."""
    orphans = sorted(set(known) - configured.keys())
    if orphans:
        raise KeysetOrphaned(
            f"there are keysets without a configured column: {', '.join(orphans)}",
            hint="put the lines back under columns:, or end their protection with `strongroom unprotect`",
        )


def _refuse_unknown_ids(scheme: Scheme, keyset: Keyset | None, ids: Collection[int]) -> None:
    """Values sealed by keys that are lost: new keys would hide the loss."""
    if keyset is None and ids:
        raise KeysetMissing(
            f"{scheme.database}: column {scheme.column} holds sealed values, but its keyset is in neither"
            " the state nor the database",
            hint="restore the state, or the table strongroom_keys.keysets, from a backup; no new key is made",
        )
    unknown = sorted(set(ids) - {version.key_id for version in keyset.versions}) if keyset else []
    if unknown:
        raise KeysetMissing(
            f"{scheme.database}: column {scheme.column} names key {unknown[0]:08x}, which its keyset has not",
            hint="the state is older than the data: restore a newer one, or strongroom_keys.keysets",
        )
