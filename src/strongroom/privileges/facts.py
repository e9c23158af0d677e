"""Roles, memberships, owners and grants of one database, as its catalog has them.

One question in one read-only transaction; every role may ask it. Privileges are spelt as in the manual
("Privileges"). What is granted on a column counts as granted on its table. Called by `compare`.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

from strongroom.errors import CatalogUnreadable
from strongroom.gateway.connector import Connector
from strongroom.gateway.inquiry import ask

PUBLIC = 0
BOOTSTRAP = 10
"""The superuser of initdb (BOOTSTRAP_SUPERUSERID), which cannot be made another."""
OWN = "pg_catalog"
"""In place of an extension, of functions that are PostgreSQL's own."""
FIRST_OWN = 16384
"""What PostgreSQL itself made has smaller OIDs (FirstNormalObjectId)."""

QUERY = resources.files("strongroom.privileges").joinpath("facts.sql").read_text(encoding="utf-8")
# Under this search path types of arguments come with their schemas, so that the SQL means the same elsewhere.
_READ = (
    "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;\n"
    "SET LOCAL search_path TO pg_catalog;\n{};\nCOMMIT"
)
_SEQUENCE = "S"


@dataclass(frozen=True, slots=True)
class Role:
    """A role, and the attributes that give power (manual, "Role Attributes")."""

    oid: int
    name: str
    login: bool = False
    superuser: bool = False
    createrole: bool = False
    createdb: bool = False
    replication: bool = False
    bypassrls: bool = False

    @property
    def predefined(self) -> bool:
        """One of PostgreSQL's own, such as pg_read_all_data."""
        return self.oid < FIRST_OWN and self.name.startswith("pg_")


@dataclass(frozen=True, slots=True)
class Member:
    """A role's membership in another."""

    of: int
    member: int
    grantor: int


@dataclass(frozen=True, slots=True)
class Grant:
    """One privilege of a role, by OID, on something; PUBLIC is all roles."""

    grantee: int
    privilege: str
    grantor: int


@dataclass(frozen=True, slots=True)
class Thing:
    """What privileges are on; ``kind`` as GRANT has it."""

    kind: str
    name: tuple[str, ...]
    owner: int
    grants: tuple[Grant, ...] = ()
    arguments: str = ""
    """Of a function, as its identity is written."""
    relkind: str = ""
    table: tuple[str, ...] | None = None
    """Of the sequence of a column."""
    extension: str = ""

    @property
    def words(self) -> str:
        """Its name for people."""
        return ".".join(self.name) + (f"({self.arguments})" if self.kind == "ROUTINE" else "")


@dataclass(frozen=True, slots=True)
class Default:
    """Privileges that what a role makes from now on will have (ALTER DEFAULT PRIVILEGES)."""

    role: int
    schema: str | None
    kind: str
    grants: tuple[Grant, ...]


@dataclass(frozen=True, slots=True)
class Facts:
    """One database."""

    version: int
    roles: Mapping[int, Role]
    members: tuple[Member, ...]
    database: Thing
    schemas: tuple[Thing, ...] = ()
    relations: tuple[Thing, ...] = ()
    functions: tuple[Thing, ...] = ()
    """That run with their owner's rights; dblink's; PostgreSQL's own that not everybody may call."""
    defaults: tuple[Default, ...] = ()
    servers: tuple[Thing, ...] = ()
    mappings: Mapping[tuple[str, ...], tuple[int, ...]] = field(default_factory=dict)
    """By foreign server, for whom there is a login on the other side."""
    slots: tuple[tuple[str, str], ...] = ()

    @property
    def tables(self) -> tuple[Thing, ...]:
        """The relations but for sequences."""
        return tuple(one for one in self.relations if one.kind == "TABLE")

    def named(self, name: str) -> Role | None:
        """The role of this name."""
        return next((one for one in self.roles.values() if one.name == name), None)

    def name_of(self, oid: int) -> str:
        """A role's name; PUBLIC is none."""
        return "PUBLIC" if oid == PUBLIC else self.roles[oid].name if oid in self.roles else str(oid)

    def reached(self, role: int) -> frozenset[int]:
        """The roles of which one is a member, through others too; not itself.

        Whether their rights are inherited or taken by SET ROLE makes no difference here. The owner of a
        database is a member of pg_database_owner.
        """
        found: set[int] = set()
        ahead = [role]
        while ahead:
            one = ahead.pop()
            more = {member.of for member in self.members if member.member == one}
            if one == self.database.owner:
                more |= {other.oid for other in self.roles.values() if other.name == "pg_database_owner"}
            ahead += more - found
            found |= more
        return frozenset(found - {role})


async def read_facts(connector: Connector) -> Facts:
    """What the catalog says now; raises ``UpstreamError``."""
    rows = await ask(connector, _READ.format(QUERY))
    if len(rows) != 1 or rows[0][0] is None:
        raise CatalogUnreadable("the database's answer about its roles is empty")
    return facts_of(json.loads(rows[0][0]))


def facts_of(answer: Mapping[str, Any]) -> Facts:
    """From the answer to the question."""
    name, owner, grants = answer["database"]
    return Facts(
        version=answer["version"],
        roles={one[0]: Role(*one) for one in answer["roles"]},
        members=tuple(Member(*one) for one in answer["members"]),
        database=Thing("DATABASE", (name,), owner, _grants(grants)),
        schemas=tuple(Thing("SCHEMA", (one,), by, _grants(acl)) for one, by, acl in answer["schemas"]),
        relations=tuple(_relation(one) for one in answer["relations"]),
        functions=tuple(
            Thing("ROUTINE", (schema, called), by, _grants(acl), arguments, extension=extension)
            for schema, called, arguments, by, acl, extension in (*answer["functions"], *answer["reaching"])
        ),
        defaults=tuple(
            Default(role, schema, kind, _grants(acl)) for role, schema, kind, acl in answer["defaults"]
        ),
        servers=tuple(
            Thing("FOREIGN SERVER", (one,), by, _grants(acl)) for one, by, acl, _ in answer["servers"]
        ),
        mappings={(one,): tuple(users) for one, _, _, users in answer["servers"]},
        slots=tuple((one, kind) for one, kind in answer["slots"]),
    )


def _relation(item: Sequence[Any]) -> Thing:
    schema, name, relkind, owner, grants, table = item
    kind = "SEQUENCE" if relkind == _SEQUENCE else "TABLE"
    of = None if table is None else tuple(table)
    return Thing(kind, (schema, name), owner, _grants(grants), relkind=relkind, table=of)


def _grants(entries: Iterable[Sequence[Any]] | None) -> tuple[Grant, ...]:
    """An empty ACL, of which everything was revoked, comes as nothing."""
    return tuple(Grant(*one) for one in entries or ())
