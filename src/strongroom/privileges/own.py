"""The gateway's own upstream users: what they could do in the database, and the policy lets nobody do.

Whoever finds a hole in the gateway, or its password, has what they have. Called by `compare`.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from strongroom.onboarding.finding import Finding, fails, holds, mind, some
from strongroom.privileges.facts import BOOTSTRAP, PUBLIC, Facts, Grant, Role, Thing
from strongroom.privileges.powers import attributes, owned, powers
from strongroom.privileges.statements import (
    Statements,
    granted,
    handed_over,
    left,
    quoted,
    revoked,
    undefaulted,
)
from strongroom.privileges.wanted import User, Wanted, excess_by_default


@dataclass(frozen=True, slots=True)
class Standing:
    """One upstream user in one database."""

    facts: Facts
    user: User
    role: Role
    owner: str
    """Who is to own what the user must not."""
    policed: bool
    """There is a policy to compare with."""
    others: frozenset[str] = frozenset()
    """The gateway's other users."""


def own_findings(one: Standing) -> Iterator[Finding]:
    """All gaps of one upstream user; then the rights that it needs as its own, once they are closed."""
    found = list(_gaps(one))
    yield from found
    needed = needs(one.facts, one.role, one.user.wanted, _kept(one))
    if needed and (one.policed or found):
        yield mind(
            one.user.place,
            f"{one.role.name} has no right of its own to some of what its accounts' roles give",
            "Once the gaps above are closed, it needs these.",
            sql=needed,
        )
    elif not found:
        yield holds(one.user.place, f"{one.role.name} may do no more than its accounts may")


def _gaps(one: Standing) -> Iterator[Finding]:
    yield from _superuser(one)
    yield from _attributes(one)
    yield from _owner(one)
    yield from _memberships(one)
    if one.policed:
        yield from _tables(one)
        yield from _places(one)
        yield from _functions(one)
        yield from _defaults(one)
        yield from _shared(one)


def _superuser(one: Standing) -> Iterator[Finding]:
    if not one.role.superuser:
        return
    if one.role.oid != BOOTSTRAP:
        remark = f"{one.role.name} is a superuser: nothing in the database binds it"
        yield fails(one.user.place, remark, _RUN, sql=(f"ALTER ROLE {quoted(one.role.name)} NOSUPERUSER;",))
        return
    name = _free(one.facts, f"strongroom_{one.facts.database.name[0]}")
    yield fails(
        one.user.place,
        f"{one.role.name} is the superuser of the whole cluster, which cannot be made another",
        f"Make the gateway a user of its own, give it a password, and name it in {one.user.place}.",
        sql=new_user(one.facts, name, one.user.wanted),
    )


_RUN = "Run this as a superuser, in one transaction with what follows."


def _attributes(one: Standing) -> Iterator[Finding]:
    found = attributes(one.role, all_of_them=True)
    if found and one.role.oid != BOOTSTRAP:
        words = " ".join(f"NO{name}" for name in found)
        yield fails(
            one.user.place,
            f"{one.role.name} has {', '.join(found)}",
            _RUN,
            sql=(f"ALTER ROLE {quoted(one.role.name)} {words};",),
        )


def _owner(one: Standing) -> Iterator[Finding]:
    things = owned(one.facts, one.role.oid)
    if things and one.role.oid != BOOTSTRAP:
        yield fails(
            one.user.place,
            f"{one.role.name} owns {some([thing.words for thing in things])}, and may alter and drop it",
            f"Let another role own it, such as {one.owner}.",
            sql=handed_over(one.facts, things, one.owner),
        )


def _memberships(one: Standing) -> Iterator[Finding]:
    """Each direct one that leads to more than the policy gives; what is needed of it is granted directly."""
    for of in _direct(one):
        if found := _too_much(one, of):
            name = one.facts.name_of(of)
            yield fails(
                one.user.place,
                f"{one.role.name} is a member of {name}, and so has {some(found)}",
                "What it needs of that is granted to it directly, below.",
                sql=left(one.facts, one.role.oid, of),
            )


def _direct(one: Standing) -> list[int]:
    return sorted({member.of for member in one.facts.members if member.member == one.role.oid})


def _kept(one: Standing) -> set[int]:
    """The roles of which it may remain a member, and that those lead to."""
    kept = [of for of in _direct(one) if not _too_much(one, of)]
    return {role for of in kept for role in (of, *one.facts.reached(of))}


def _too_much(one: Standing, of: int) -> list[str]:
    """What membership in a role leads to, and the policy does not give."""
    reached = {of, *one.facts.reached(of)}
    found = [power for role in sorted(reached) for power in powers(one.facts, role, one.others)]
    if one.policed:
        more = {thing.words for thing, _ in _excess(one, reached)}
        found += [f"more than the policy gives on {some(more)}"] if more else []
    return found


def _excess(one: Standing, holders: set[int]) -> list[tuple[Thing, Grant]]:
    """Privileges of these roles on tables that nobody has by the policy."""
    return [
        (thing, grant)
        for thing in one.facts.tables
        for grant in thing.grants
        if grant.grantee in holders
        and grant.grantee != thing.owner
        and grant.privilege not in one.user.wanted.tables.get(thing.name, ())
    ]


def _tables(one: Standing) -> Iterator[Finding]:
    """What was granted to it directly; PUBLIC is said where others come in."""
    by_privileges: dict[str, list[tuple[Thing, Grant]]] = {}
    excess = _excess(one, {one.role.oid})
    for thing in dict.fromkeys(thing for thing, _ in excess):
        taken = [(thing, grant) for other, grant in excess if other is thing]
        by_privileges.setdefault(", ".join(sorted({grant.privilege for _, grant in taken})), []).extend(taken)
    for privileges, taken in by_privileges.items():
        names = {thing.words for thing, _ in taken}
        yield fails(
            one.user.place,
            f"{one.role.name} may {privileges} on {some(names)}, which no role of its accounts gives",
            "Take it back, or give it to a role.",
            sql=revoked(one.facts, taken),
        )


def _places(one: Standing) -> Iterator[Finding]:
    """CREATE on schemas and the database."""
    for thing in (one.facts.database, *one.facts.schemas):
        name = "" if thing is one.facts.database else thing.name[0]
        taken = [
            (thing, grant)
            for grant in thing.grants
            if grant.privilege == "CREATE" and grant.grantee == one.role.oid and grant.grantee != thing.owner
        ]
        if taken and not one.user.wanted.ddl & {name, ""}:
            remark = (
                f"{one.role.name} may CREATE in {thing.words}, and no role of its accounts gives ddl there"
            )
            yield fails(one.user.place, remark, "Take it back.", sql=revoked(one.facts, taken))


def _functions(one: Standing) -> Iterator[Finding]:
    """Those that run with their owner's rights, granted to it directly."""
    taken = [
        (thing, grant)
        for thing in one.facts.functions
        for grant in thing.grants
        if grant.grantee == one.role.oid != thing.owner and thing.name not in one.user.wanted.calls
    ]
    if taken:
        names = {thing.words for thing, _ in taken}
        remark = f"{one.role.name} may call {some(names)}, which do more than their caller may"
        yield fails(
            one.user.place, remark, "Take it back, or let a role call them.", sql=revoked(one.facts, taken)
        )


def _defaults(one: Standing) -> Iterator[Finding]:
    for default in one.facts.defaults:
        for grant in default.grants:
            mine = grant.grantee == one.role.oid != default.role
            if mine and excess_by_default(default, grant.privilege, one.user.wanted):
                who = one.facts.name_of(default.role)
                yield fails(
                    one.user.place,
                    f"{one.role.name} will have {grant.privilege} on whatever {who} makes"
                    f" in {default.schema or 'any schema'}, which no role of its accounts gives",
                    "Take it back; what is there already keeps what it has.",
                    sql=(undefaulted(one.facts, default, grant),),
                )


def _shared(one: Standing) -> Iterator[Finding]:
    """Accounts that share a user with others who may do more: an own one would bind them in the database."""
    alike: dict[tuple[object, ...], list[str]] = {}
    for place, wanted in one.user.subjects.items():
        if wanted.tables != one.user.wanted.tables:
            alike.setdefault(tuple(sorted(wanted.tables.items())), []).append(place)
    for places in alike.values():
        wanted = one.user.subjects[places[0]]
        more = [
            name
            for name, all_of_it in one.user.wanted.tables.items()
            if all_of_it - wanted.tables.get(name, frozenset())
        ]
        name = _free(one.facts, f"strongroom_{places[0].partition('.')[2]}")
        yield mind(
            places[0],
            f"{some(places)} log in as {one.role.name}, which others share who may do more on"
            f" {some(['.'.join(name) for name in more])}",
            f"Make a user for them, give it a password, and set `upstream_user: {name}`.",
            sql=new_user(one.facts, name, wanted),
        )


def _free(facts: Facts, name: str) -> str:
    """A name for a new role, within PostgreSQL's length, that none has yet."""
    short = name.encode()[:60].decode(errors="ignore")
    return next(one for one in (short, *(f"{short}_{n}" for n in range(2, 100))) if facts.named(one) is None)


def new_user(facts: Facts, name: str, wanted: Wanted) -> Statements:
    """A role that has what is wanted, and no more; its password is for whoever runs this to set."""
    return (f"CREATE ROLE {quoted(name)} LOGIN;", *needs(facts, Role(-1, name), wanted))


def needs(facts: Facts, role: Role, wanted: Wanted, kept: Collection[int] = ()) -> Statements:
    """What a role lacks, if what it has as superuser, owner or member is not counted.

    Of what everybody has, the use of schemas counts, which nobody takes back, and for now the database's.
    """

    def lacking(thing: Thing, privileges: frozenset[str]) -> frozenset[str]:
        public = {PUBLIC} if role.oid > 0 and thing.kind in {"SCHEMA", "DATABASE"} else set()
        own = {
            one.privilege
            for one in thing.grants
            if one.grantee in {role.oid, *kept, *public} and one.grantee != thing.owner
        }
        return privileges - own

    tables = [(thing, lacking(thing, wanted.tables.get(thing.name, frozenset()))) for thing in facts.tables]
    used = {name[0] for name, privileges in wanted.tables.items() if privileges}
    sequences = [one for one in facts.relations if one.kind == "SEQUENCE"]
    return granted(
        [
            (facts.database, lacking(facts.database, frozenset({"CONNECT"}))),
            *((one, lacking(one, frozenset({"USAGE"}))) for one in facts.schemas if one.name[0] in used),
            *tables,
            *((one, lacking(one, wanted.sequence(one))) for one in sequences),
            *(
                (one, lacking(one, frozenset({"EXECUTE"})))
                for one in facts.functions
                if one.name in wanted.calls and not any(grant.grantee == PUBLIC for grant in one.grants)
            ),
        ],
        role.name,
    )
