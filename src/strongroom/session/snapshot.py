"""What is protected in one database, and by which keys: shared by its sessions, immutable, swapped whole.

Made by the shell from catalog, configuration and keysets; each session looks at it through its `guard`. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from strongroom.audit.records.keyed import KeyedColumn
from strongroom.protect.plan import ColumnCodec
from strongroom.protect.scheme import Scheme, split_column
from strongroom.protect.tenants import TenantCodecs
from strongroom.session.analyses import Analyses
from strongroom.session.hashing import Hashed, Names, hashed_in
from strongroom.sql.schema import LOOKED_UP_BY, SESSION, ColumnId, Protection, Schema
from strongroom.wire.postgres import types

Protections = Mapping[ColumnId, Protection]


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """What is protected in one database, and by which keys; ``codecs`` goes by the columns' names.

    ``sealed`` names the configured columns that were sealed once and count as protected whatever the catalog
    says; the others count from the moment at which their type says that they are. Those that do not yet are
    ``awaiting``: their tables are watched for that moment. Comparable columns whose key was rotated since the
    codecs were made are ``outdated``: nothing is looked up in them until a newer snapshot comes.
    """

    schema: Schema
    schemes: Mapping[str, Scheme]
    protections: Protections
    codecs: Mapping[str, ColumnCodec | TenantCodecs] = field(repr=False)
    functions: Mapping[str, str] = field(default_factory=dict)
    sealed: frozenset[str] = frozenset()
    awaiting: frozenset[int] = frozenset()
    lost: frozenset[ColumnId] = frozenset()
    outdated: frozenset[ColumnId] = frozenset()
    logins: frozenset[str] = frozenset()
    makes_tenants: bool = False
    """Whether keys are made for a tenant when something is first written for it."""
    keyed: Mapping[Names, KeyedColumn] = field(default_factory=dict, repr=False)
    """Columns of whose values records have keyed hashes, as configured."""
    hashed: Mapping[ColumnId, Hashed] = field(default_factory=dict, repr=False)
    """Where the catalog has them."""
    analyses: Analyses = field(default_factory=Analyses, repr=False)

    def with_schema(self, schema: Schema) -> "Snapshot":
        """The same protection over another catalog; a protected column that was renamed stays protected."""
        places = places_of(schema, self.schemes.values(), self.protections)
        there = schema.looked_up_by
        holding = self.sealed | {
            name for name, place in places.items() if column_type(schema, place) == types.BYTEA
        }
        protections = {
            place: self._protection(there, name) for name, place in places.items() if name in holding
        }
        return replace(
            self,
            schema=schema,
            protections=protections,
            hashed=hashed_in(schema, protections, self.keyed),
            outdated=frozenset(
                place
                for name, place in places.items()
                if name in holding and self._is_outdated(schema, there, name, place)
            ),
            awaiting=frozenset(place[0] for name, place in places.items() if name not in holding),
            lost=frozenset(
                place
                for name, place in places.items()
                if name in holding and column_type(schema, place) != types.BYTEA
            ),
            analyses=Analyses(),
        )

    @property
    def asks_session(self) -> bool:
        """Whether sessions say to which tenant values belong."""
        return any(scheme.tenant == SESSION for scheme in self.schemes.values())

    def withdrawn(self, newer: "Snapshot") -> frozenset[str]:
        """The columns of both of which a key opens here, and not under the newer one."""
        both = self.codecs.keys() & newer.codecs.keys()
        return frozenset(name for name in both if self.codecs[name].opens - newer.codecs[name].opens)

    def _protection(self, there: frozenset[str], name: str) -> Protection:
        protection, by = _protection(self.schemes[name]), self._looked_up_by(name)
        return replace(protection, looked_up_by=by) if by in there else protection

    def _is_outdated(self, schema: Schema, there: frozenset[str], name: str, place: ColumnId) -> bool:
        """Whether the catalog says that values of the column are not of the key that we look up by."""
        by = self._looked_up_by(name)
        if not by:
            return False
        allowed = schema.relations[place[0]].keys.get(place[1])
        codec = self.codecs[name]
        if allowed and isinstance(codec, ColumnCodec) and codec.primary not in allowed:
            return True
        return bool(there) and by not in there

    def _looked_up_by(self, name: str) -> str:
        """The type that is named after a comparable column's key; empty for others."""
        codec = self.codecs.get(name) if self.schemes[name].comparable else None
        return f"{LOOKED_UP_BY}{codec.primary:08x}" if isinstance(codec, ColumnCodec) else ""


def places_of(
    schema: Schema, schemes: Iterable[Scheme], before: Protections | None = None
) -> dict[str, ColumnId]:
    """Where the catalog has the configured columns: where they were sealed before, or by name.

    What is known comes first, since another column may have taken the name: a rename must not leave sealed
    values open to plaintext. A swap drops the column that it replaces. A column that is in neither place is
    left out; whether that may be is decided at start (rule 7).
    """
    known = {protection.column: place for place, protection in (before or {}).items()}
    found: dict[str, ColumnId] = {}
    for scheme in schemes:
        place = _still_there(schema, known.get(scheme.column)) or _by_name(schema, scheme.column)
        if place is not None:
            found[scheme.column] = place
    return found


def protections_in(schema: Schema, schemes: Iterable[Scheme]) -> dict[ColumnId, Protection]:
    """The configured columns as if all of them were sealed."""
    schemes = list(schemes)
    places = places_of(schema, schemes)
    return {places[scheme.column]: _protection(scheme) for scheme in schemes if scheme.column in places}


def column_type(schema: Schema, place: ColumnId) -> int:
    """The type that a column has in the database."""
    columns = schema.relations[place[0]].columns
    return next(column.type_oid for column in columns if column.attnum == place[1])


def _protection(scheme: Scheme) -> Protection:
    return Protection(
        scheme.column,
        scheme.keyset,
        scheme.type.oid,
        scheme.type.typmod,
        scheme.comparable,
        tenant=scheme.tenant or "",
    )


def _by_name(schema: Schema, column: str) -> ColumnId | None:
    schema_name, table, name = split_column(column)
    relation = schema.names.get((schema_name, table))
    if relation is None:
        return None
    return next(((relation.oid, one.attnum) for one in relation.columns if one.name == name), None)


def _still_there(schema: Schema, place: ColumnId | None) -> ColumnId | None:
    relation = None if place is None else schema.relations.get(place[0])
    if relation is None or place is None:
        return None
    return place if any(one.attnum == place[1] for one in relation.columns) else None
