"""The SQL that closes gaps, every name quoted; the manual's pages GRANT, REVOKE, ALTER ROLE and so on.

It is written for whoever administers the database, and never sent by Strongroom. A superuser's REVOKE takes
back what the owner has granted; what another role has passed on is taken back as that role, by SET ROLE.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby

from psycopg import sql

from strongroom.privileges.facts import PUBLIC, Default, Facts, Grant, Thing

Statements = tuple[str, ...]

_ALTER = {
    "r": "TABLE",
    "p": "TABLE",
    "v": "VIEW",
    "m": "MATERIALIZED VIEW",
    "f": "FOREIGN TABLE",
    "S": "SEQUENCE",
}
_DEFAULT = {"r": "TABLES", "S": "SEQUENCES", "f": "FUNCTIONS", "n": "SCHEMAS"}


def quoted(*names: str) -> str:
    """A name, with its schema where it has one."""
    return sql.Identifier(*names).as_string()


def literal(text: str) -> str:
    """A text as a constant."""
    return sql.Literal(text).as_string()


def to(facts: Facts, role: int) -> str:
    """A role as GRANT and REVOKE name it."""
    return "PUBLIC" if role == PUBLIC else quoted(facts.name_of(role))


def target(thing: Thing) -> str:
    """What GRANT and REVOKE are ON, without the word for its kind."""
    arguments = f"({thing.arguments})" if thing.kind == "ROUTINE" else ""
    return quoted(*thing.name) + arguments


def revoked(facts: Facts, taken: Iterable[tuple[Thing, Grant]]) -> Statements:
    """Takes privileges back; things of one kind that lose the same together."""
    by_thing: dict[tuple[Thing, int, int], set[str]] = {}
    for thing, grant in taken:
        by_thing.setdefault((thing, grant.grantee, grant.grantor), set()).add(grant.privilege)
    alike: dict[tuple[str, str, int, str, bool], list[str]] = {}
    for (thing, grantee, grantor), privileges in by_thing.items():
        passed_on = any(one.grantor == grantee for one in thing.grants) and grantee != thing.owner
        by = "" if grantor == thing.owner else facts.name_of(grantor)
        key = thing.kind, ", ".join(sorted(privileges)), grantee, by, passed_on
        alike.setdefault(key, []).append(target(thing))
    return tuple(_revokes(facts, alike))


def _revokes(facts: Facts, alike: dict[tuple[str, str, int, str, bool], list[str]]) -> Iterator[str]:
    for (kind, privileges, grantee, by, passed_on), targets in alike.items():
        text = f"REVOKE {privileges} ON {kind} {', '.join(targets)} FROM {to(facts, grantee)}"
        text += " CASCADE;" if passed_on else ";"
        yield from (f"SET ROLE {quoted(by)};", text, "RESET ROLE;") if by else (text,)


def granted(wanted: Iterable[tuple[Thing, Collection[str]]], role: str) -> Statements:
    """Gives a role privileges; things of one kind that get the same together."""
    keyed = sorted(
        (
            (thing.kind, ", ".join(sorted(privileges)), target(thing))
            for thing, privileges in wanted
            if privileges
        )
    )
    return tuple(
        f"GRANT {privileges} ON {kind} {', '.join(one for _, _, one in things)} TO {quoted(role)};"
        for (kind, privileges), things in groupby(keyed, key=lambda one: one[:2])
    )


def left(facts: Facts, member: int, of: int) -> Statements:
    """Ends a direct membership; from PostgreSQL 16 on there is one for each grantor ("GRANT on Roles")."""
    found = [one for one in facts.members if (one.member, one.of) == (member, of)]
    text = f"REVOKE {quoted(facts.name_of(of))} FROM {quoted(facts.name_of(member))}"
    if facts.version < 160000:
        return (f"{text};",)
    passed_on = any(one.of == of and one.grantor == member for one in facts.members)
    cascade = " CASCADE" if passed_on else ""
    return tuple(f"{text} GRANTED BY {quoted(facts.name_of(one.grantor))}{cascade};" for one in found)


def handed_over(facts: Facts, things: Sequence[Thing], role: str) -> Statements:
    """Gives things another owner, who is made where there is none, and may come to them."""
    known = facts.named(role)
    making = () if known is not None else (f"CREATE ROLE {quoted(role)} NOLOGIN;",)
    holders = {PUBLIC} if known is None else {PUBLIC, known.oid, *facts.reached(known.oid)}
    around = {one.name[0] for one in things if one.kind not in {"SCHEMA", "DATABASE"}}
    closed = [
        (schema, {"USAGE"})
        for schema in facts.schemas
        if schema.name[0] in around
        and schema not in things
        and not any(one.privilege == "USAGE" and one.grantee in holders for one in schema.grants)
    ]
    altered = (
        f"ALTER {_ALTER.get(one.relkind, one.kind)} {target(one)} OWNER TO {quoted(role)};" for one in things
    )
    return (*making, *altered, *granted(closed, role))


def undefaulted(facts: Facts, default: Default, grant: Grant) -> str:
    """What a role makes from now on no longer comes with a privilege."""
    within = f" IN SCHEMA {quoted(default.schema)}" if default.schema is not None else ""
    return (
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {quoted(facts.name_of(default.role))}{within}"
        f" REVOKE {grant.privilege} ON {_DEFAULT[default.kind]} FROM {to(facts, grant.grantee)};"
    )
