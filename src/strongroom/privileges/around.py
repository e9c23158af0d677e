"""Who reaches the database around the gateway: roles that log in by themselves, and what they may do there.

The gateway's own users are left to `own`; what pg_hba.conf lets in cannot be asked. Called by `compare`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from strongroom.onboarding.finding import Finding, fails, holds, mind, some
from strongroom.privileges.facts import BOOTSTRAP, OWN, PUBLIC, Facts, Grant, Role, Thing
from strongroom.privileges.powers import attributes, owned, powers
from strongroom.privileges.statements import (
    granted,
    handed_over,
    left,
    literal,
    quoted,
    revoked,
    to,
    undefaulted,
)
from strongroom.privileges.wanted import User


@dataclass(frozen=True, slots=True)
class Surroundings:
    """One database, and the users of the gateway's in it."""

    place: str
    facts: Facts
    users: tuple[User, ...]
    owner: str
    """The role that `protect` and `check` use, or one that is to own things."""
    administrators: frozenset[str] = frozenset()
    """Roles that whoever asks has named as such."""

    @property
    def own(self) -> frozenset[str]:
        """The gateway's users, and the owner."""
        return frozenset({self.owner, *(one.name for one in self.users)})

    @property
    def expected(self) -> frozenset[str]:
        """Who is no gap."""
        return self.own | self.administrators

    @property
    def strangers(self) -> list[Role]:
        """Roles that may log in, and are neither ours nor superusers."""
        return [
            one
            for one in self.facts.roles.values()
            if one.login and not one.superuser and one.name not in self.expected
        ]


def around_findings(one: Surroundings) -> Iterator[Finding]:
    """All ways around the gateway that the catalog shows."""
    found = [
        *_superusers(one),
        *_attributes(one),
        *_owners(one),
        *_memberships(one),
        *_connects(one),
        *_public(one),
        *_functions(one),
        *_defaults(one),
        *_servers(one),
        *_slots(one),
    ]
    yield from found or [holds(one.place, "nobody reaches it around the gateway, but for its superuser")]
    for role in one.facts.roles.values():
        if role.name in one.administrators:
            remark = (
                f"{role.name} administers it: what is not sealed, neither grants nor the policy hide from it"
            )
            yield mind(one.place, remark, "Keep its password where the root key is kept: with few people.")


def _superusers(one: Surroundings) -> Iterator[Finding]:
    for role in one.facts.roles.values():
        if role.superuser and role.oid != BOOTSTRAP and role.name not in one.expected:
            remark = f"{role.name} is a superuser, whom nothing binds: neither grants nor the policy"
            sql = (f"ALTER ROLE {quoted(role.name)} NOSUPERUSER;",)
            yield fails(
                one.place, remark, "Leave the cluster one superuser, whom nobody uses daily.", sql=sql
            )


def _attributes(one: Surroundings) -> Iterator[Finding]:
    for role in one.facts.roles.values():
        found = attributes(role)
        if found and not (role.superuser or role.predefined or role.name in one.expected):
            words = " ".join(f"NO{name}" for name in found)
            reach = {
                "REPLICATION": "streams all changes of all tables",
                "BYPASSRLS": "passes row-level security",
                "CREATEROLE": "makes roles and gives them rights",
            }
            remark = f"{role.name} has {', '.join(found)}: it {' and '.join(reach[name] for name in found)}"
            sql = (f"ALTER ROLE {quoted(role.name)} {words};",)
            yield fails(one.place, remark, "Take it away from all that do not need it.", sql=sql)


def _owners(one: Surroundings) -> Iterator[Finding]:
    for role in one.strangers:
        if things := owned(one.facts, role.oid):
            yield fails(
                one.place,
                f"{role.name}, which may log in, owns {some([thing.words for thing in things])}",
                "Let a role own it that nobody logs in as.",
                sql=handed_over(one.facts, things, one.owner),
            )


def _memberships(one: Surroundings) -> Iterator[Finding]:
    """Chains that lead somebody who logs in to more than privileges on tables."""
    for role in one.strangers:
        for of in sorted({member.of for member in one.facts.members if member.member == role.oid}):
            reached = sorted({of, *one.facts.reached(of)})
            found = [power for other in reached for power in powers(one.facts, other, one.own)]
            if found:
                yield fails(
                    one.place,
                    f"{role.name}, which may log in, is a member of {one.facts.name_of(of)},"
                    f" and so has {some(found)}",
                    "End the membership.",
                    sql=left(one.facts, role.oid, of),
                )


def _connects(one: Surroundings) -> Iterator[Finding]:
    """Who may log in to this database: by PUBLIC, which is the default, or by name."""
    database, facts = one.facts.database, one.facts
    taken = [(database, grant) for grant in database.grants if grant.privilege == "CONNECT"]
    public = [pair for pair in taken if pair[1].grantee == PUBLIC]
    if public and one.strangers:
        names = [role.name for role in one.strangers]
        ours = [name for name in sorted(one.expected) if facts.named(name)]
        needed = [statement for name in ours for statement in granted([(database, {"CONNECT"})], name)]
        yield fails(
            one.place,
            f"whoever may log in to the server may log in to {database.words}: {some(names)}",
            "Let the gateway's own users in, and nobody else.",
            sql=(*needed, *revoked(facts, public)),
        )
    for grantee in sorted({grant.grantee for _, grant in taken} - {PUBLIC}):
        who = [role.name for role in one.strangers if grantee in {role.oid, *facts.reached(role.oid)}]
        role = facts.roles.get(grantee)
        if who and role is not None and role.name not in one.expected and not role.superuser:
            yield fails(
                one.place,
                f"{some(who)} may log in to {database.words} directly, by a right of {role.name}",
                "Take it away: the way leads through the gateway.",
                sql=revoked(facts, [pair for pair in taken if pair[1].grantee == grantee]),
            )


def _public(one: Surroundings) -> Iterator[Finding]:
    """What everybody may do with tables, sequences and schemas."""
    for things, privileges in (
        (one.facts.relations, None),
        (one.facts.schemas, frozenset({"CREATE"})),
        ((one.facts.database,), frozenset({"CREATE"})),
    ):
        taken: list[tuple[Thing, Grant]] = [
            (thing, grant)
            for thing in things
            for grant in thing.grants
            if grant.grantee == PUBLIC and (privileges is None or grant.privilege in privileges)
        ]
        if taken:
            what = ", ".join(sorted({grant.privilege for _, grant in taken}))
            names = {thing.words for thing, _ in taken}
            yield fails(
                one.place,
                f"everybody may {what} on {some(names)} (PUBLIC)",
                "Take it back; the gateway's users have rights of their own.",
                sql=revoked(one.facts, taken),
            )


def _functions(one: Surroundings) -> Iterator[Finding]:
    """Functions with their owner's rights, and dblink's, which everybody may call by default."""
    taken = [
        (thing, grant) for thing in one.facts.functions for grant in thing.grants if grant.grantee == PUBLIC
    ]
    for extension, what in (
        ("", "run with their owner's rights, and everybody may call them"),
        ("dblink", "connect to databases from the server, and everybody may call them"),
        (OWN, "reach what PostgreSQL keeps from everybody, who may call them now"),
    ):
        some_of_them = [pair for pair in taken if pair[0].extension == extension]
        if some_of_them:
            names = {thing.words for thing, _ in some_of_them}
            kept = [
                statement
                for user in one.users
                for statement in granted(
                    [(thing, {"EXECUTE"}) for thing, _ in some_of_them if thing.name in user.wanted.calls],
                    user.name,
                )
            ]
            yield fails(
                one.place,
                f"{some(names)} {what}",
                "Let those call them who need it.",
                sql=(*kept, *revoked(one.facts, some_of_them)),
            )


def _defaults(one: Surroundings) -> Iterator[Finding]:
    """What will be granted on what is made from now on, to PUBLIC and to roles that are not ours."""
    facts = one.facts
    for default in facts.defaults:
        for grant in default.grants:
            name = facts.name_of(grant.grantee)
            usual = default.kind == "f" and grant.grantee == PUBLIC  # as if nothing had been said
            if grant.grantee in {default.role, BOOTSTRAP} or name in one.expected or usual:
                continue
            who = "everybody" if grant.grantee == PUBLIC else name
            yield fails(
                one.place,
                f"{who} will have {grant.privilege} on what {facts.name_of(default.role)} makes"
                f" in {default.schema or 'any schema'}",
                "Take it back; what is there already keeps what it has.",
                sql=(undefaulted(facts, default, grant),),
            )


def _servers(one: Surroundings) -> Iterator[Finding]:
    """Foreign servers: a way from here to another database, or back into this one as somebody else."""
    facts = one.facts
    for server in facts.servers:
        taken = [(server, grant) for grant in server.grants if grant.grantee not in {server.owner, BOOTSTRAP}]
        mapped = [user for user in facts.mappings.get(server.name, ()) if user != BOOTSTRAP]
        if not taken and not mapped:
            continue
        who = {facts.name_of(grant.grantee) for _, grant in taken} | {facts.name_of(user) for user in mapped}
        dropped = (
            f"DROP USER MAPPING FOR {to(facts, user)} SERVER {quoted(*server.name)};" for user in mapped
        )
        say = mind if who <= one.own else fails  # the gateway's users may read foreign tables
        yield say(
            one.place,
            f"the foreign server {server.words} leads to another database, for {some(who)}",
            "Take it away from whoever logs in.",
            sql=(*revoked(facts, taken), *dropped),
        )


def _slots(one: Surroundings) -> Iterator[Finding]:
    """Whoever reads one gets all changes."""
    for name, kind in one.facts.slots:
        yield mind(
            one.place,
            f"the {kind} replication slot {name} gives all changes to whoever reads it",
            "See that somebody does who may; if not, drop it.",
            sql=(f"SELECT pg_catalog.pg_drop_replication_slot({literal(name)});",),
        )
