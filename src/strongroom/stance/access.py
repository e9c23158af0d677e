"""The section ``access``: who may do what, by roles and by policies written by hand.

`written` makes the section of a policy, `weaker` compares two. Roles are compared by their rules (`rules`),
and holders by the roles that they come to; policies written by hand by their octets alone, since what a
change of them does is not to be told from their text: any is taken to weaken. Called by `sections`.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence, Set
from datetime import timedelta
from typing import Any

from strongroom.policy.model import Action, DataClass, Mask
from strongroom.policy.offers import Offer
from strongroom.policy.pattern import Pattern
from strongroom.policy.residual import UNLIMITED, Limits
from strongroom.policy.roles import ColumnRule, FunctionRule, Policy, Role, TableRule
from strongroom.stance.model import Section, Weakening
from strongroom.stance.orders import UNKNOWN
from strongroom.stance.rules import wider
from strongroom.stance.when import When, implied, when_of

__all__ = ["UNENFORCED", "digest", "weaker", "written"]

UNENFORCED: Section = {"enforced": False}
"""A configuration that says nothing of who may do what: accounts may do everything."""

FOR_A_TIME, IN_AN_EMERGENCY = " for a time", " in an emergency"
"""Behind the name of a person, which has no blanks."""

_CLASSES_ATTRIBUTE = "classes"
"""By this name a policy written by hand asks for the classes of a column (docs/spec/policy.md)."""


def written(policy: Policy) -> Section:
    """The section of a policy that is enforced."""
    return {
        "enforced": True,
        "mask_by_default": policy.mask_by_default,
        "roles": {name: _role(role) for name, role in policy.roles.items()},
        "holders": {
            f"{'people' if one.kind == 'person' else 'accounts'}.{one.name}": {
                "roles": sorted(one.roles),
                "groups": sorted(one.groups),
            }
            for one in policy.subjects
        }
        | _borrowers(policy),
        "groups": {name: sorted(roles) for name, roles in policy.groups.items()},
        "classes": sorted([_about(rule.pattern), rule.data_class, rule.database] for rule in policy.classes),
        "files": sorted(
            [hashlib.sha256(file.text.encode()).hexdigest(), _CLASSES_ATTRIBUTE in file.text]
            for file in policy.files
        ),
    }


def digest(section: Section) -> str:
    """The SHA-256 by which records name the policy of a section, in hexadecimal."""
    return hashlib.sha256(json.dumps(section, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _borrowers(policy: Policy) -> dict[str, Section]:
    """Who may have roles for a time, as holders of these: what they may come to counts as what they have."""
    found: dict[str, list[str]] = {}
    for name, role in policy.roles.items():
        for offer, way in ((role.temporary, FOR_A_TIME), (role.break_glass, IN_AN_EMERGENCY)):
            for person in offer.to if offer is not None else ():
                found.setdefault(f"people.{person}{way}", []).append(name)
    return {borrower: {"roles": sorted(roles), "groups": []} for borrower, roles in found.items()}


def weaker(before: Section, after: Section) -> Iterator[Weakening]:
    """What the later lets somebody do that the earlier did not."""
    if not before["enforced"]:
        return
    if not after["enforced"]:
        yield Weakening("roles", "no role restricts anybody any more: accounts may do everything")
        return
    yield from _unknown(before)
    yield from _files(before, after)
    yield from _classes(before, after)
    yield from _offers(before, after)
    roles = _Roles(before, after)
    held: set[str] = set()
    for holder in sorted(_holders(after)):
        was, becomes = _held(before, holder), _held(after, holder)
        held |= {one.role for one in becomes}
        yield from roles.widened(holder, was, becomes)
    for name in sorted(held & roles.before.keys()):
        yield from roles.rules(name)


def _unknown(before: Section) -> Iterator[Weakening]:
    """What another program wrote down of roles, and this one cannot read."""
    for name in sorted(before.keys() - written(Policy()).keys()):
        yield Weakening("roles", UNKNOWN.format(name))
    for role, found in sorted(before["roles"].items()):
        for name in sorted({more for known, one in _read_of(found) for more in one.keys() - known}):
            yield Weakening(f"roles.{role}", UNKNOWN.format(name))
        if len(found["limits"]) > len(_ROLE["limits"]):
            yield Weakening(f"roles.{role}", UNKNOWN.format("limits"))


def _read_of(role: Section) -> Iterator[tuple[Set[str], Section]]:
    """Each part of a role, with the names that are known in it."""
    yield _ROLE.keys(), role
    yield _ROLE["when"].keys(), role["when"]
    yield from ((_TABLE.keys(), rule) for rule in role["tables"])
    yield from ((_COLUMN.keys(), rule) for rule in role["columns"])
    yield from ((_OFFER.keys(), role[way]) for way in ("temporary", "break_glass") if role.get(way))


def _files(before: Section, after: Section) -> Iterator[Weakening]:
    if before["files"] != after["files"]:
        words = "those written by hand are others: by their text alone nobody can tell that they give no more"
        yield Weakening("policies", words)


def _classes(before: Section, after: Section) -> Iterator[Weakening]:
    """A class that a column gets or loses changes which rules are about it."""
    asked = any(asks for _, asks in (*before["files"], *after["files"]))
    for about, data_class, database in [one for one in after["classes"] if one not in before["classes"]]:
        gives = any(_speaks_of(role, data_class, giving=True) for role in after["roles"].values())
        gives |= data_class == DataClass.PUBLIC and _counts_reveals(after)
        if gives or asked:
            yield _classed(about, database, f"is {data_class} now, of which roles or policies speak")
    for about, data_class, database in [one for one in before["classes"] if one not in after["classes"]]:
        every = (*before["roles"].values(), *after["roles"].values())
        if asked or any(_speaks_of(role, data_class, giving=False) for role in every):
            yield _classed(about, database, f"is {data_class} no more, of which roles or policies speak")


def _offers(before: Section, after: Section) -> Iterator[Weakening]:
    """Roles that may be had for a time under less than before; who may have them are holders like others."""
    for name, way in ((name, way) for name in after["roles"] for way in ("temporary", "break_glass")):
        was, becomes = (one["roles"].get(name, {}).get(way) for one in (before, after))
        if was is None or becomes is None:
            continue
        if becomes["longest"] > was["longest"]:
            yield Weakening(f"roles.{name}.{way}", "may be had for longer")
        if becomes["approvals"] < was["approvals"]:
            yield Weakening(f"roles.{name}.{way}", "may be had with fewer approvals")
        if not set(becomes["by"]) <= set(was["by"]):
            yield Weakening(f"roles.{name}.{way}", "may be agreed to by people who could not before")


def _classed(about: Sequence[Sequence[str]], database: str | None, words: str) -> Weakening:
    where = "" if database is None else f" of {database}"
    return Weakening("classes", f"{_pattern(about)}{where} {words}")


def _counts_reveals(section: Section) -> bool:
    """Whether values of class public would cost less than others."""
    return any(role["limits"][1] is not None for role in section["roles"].values())


def _speaks_of(role: Section, data_class: str, *, giving: bool) -> bool:
    return any(rule["about"] == data_class and not (giving and rule["nothing"]) for rule in role["columns"])


# --------------------------------------------------------------------------------------------- who holds what


class _Grant:
    """A role that somebody holds, and one way in which: under all of these conditions."""

    def __init__(self, role: str, when: tuple[When, ...]) -> None:
        self.role = role
        self.when = when


def _holders(section: Section) -> list[str]:
    """Also whoever is in a group, since an identity provider may say who that is."""
    return [*section["holders"], *(f"groups.{name}" for name in section["groups"])]


def _held(section: Section, holder: str) -> list[_Grant]:
    kind, _, name = holder.partition(".")
    if kind == "groups":
        names = list(section["groups"].get(name, ()))
    else:
        entry = section["holders"].get(holder, {"roles": [], "groups": []})
        names = [*entry["roles"], *(role for group in entry["groups"] for role in section["groups"][group])]
    return [grant for role in sorted(set(names)) for grant in _within(section["roles"], role, ())]


def _within(roles: Mapping[str, Section], name: str, outer: tuple[When, ...]) -> Iterator[_Grant]:
    when = (*outer, roles[name]["when"])
    yield _Grant(name, when)
    for included in roles[name]["includes"]:
        yield from _within(roles, included, when)


class _Roles:
    """The roles of two policies; what is compared once is remembered."""

    def __init__(self, before: Section, after: Section) -> None:
        self.before: dict[str, Role] = {name: _read(name, one) for name, one in before["roles"].items()}
        self._after: dict[str, Role] = {name: _read(name, one) for name, one in after["roles"].items()}
        self._masks = before["mask_by_default"], after["mask_by_default"]
        self._files = bool(before["files"] or after["files"])
        self._groups = before, after
        self._wider: dict[tuple[str, str], list[tuple[str, str]]] = {}

    def rules(self, name: str) -> Iterator[Weakening]:
        """What a role of one name gives more."""
        for place, words in self._compared(name, name) if name in self._after else ():
            yield Weakening(f"roles.{name}.{place}", words)

    def widened(self, holder: str, was: list[_Grant], becomes: list[_Grant]) -> Iterator[Weakening]:
        """What a holder may do more by the roles alone, and which of them no longer restrict."""
        for name in sorted({one.role for one in becomes}):
            ways = [one.when for one in becomes if one.role == name]
            if not all(self._had(was, name, when) for when in ways):
                held = any(one.role == name for one in was)
                words = (
                    f"holds the role {name} under wider conditions" if held else f"holds the role {name} now"
                )
                yield Weakening(holder, words)
        kept = {one.role for one in becomes}
        borrows = holder.endswith((FOR_A_TIME, IN_AN_EMERGENCY))  # nobody is bound by what they may take
        for name in sorted(set() if borrows else {one.role for one in was} - kept):
            if self._files or _refuses(self.before[name]):
                yield Weakening(holder, f"holds the role {name} no more, by which something is refused")
        if self._files and self._named(holder, 0) != self._named(holder, 1):
            yield Weakening(holder, "is in other groups, of which policies written by hand may speak")
        yield from _limited(holder, self._limits(self.before, was), self._limits(self._after, becomes))

    def _had(self, was: list[_Grant], name: str, when: tuple[When, ...]) -> bool:
        """By the same role, or by another that gave as much; policies written by hand know roles by name."""
        near = [one for one in was if implied(one.when, when)]
        if any(one.role == name for one in near):
            return True
        return not self._files and any(not self._compared(one.role, name) for one in near)

    def _compared(self, before: str, after: str) -> list[tuple[str, str]]:
        if (before, after) not in self._wider:
            masks = {"mask_before": self._masks[0], "mask_after": self._masks[1]}
            self._wider[before, after] = list(wider(self.before[before], self._after[after], **masks))
        return self._wider[before, after]

    def _named(self, holder: str, which: int) -> Sequence[str]:
        found: Sequence[str] = self._groups[which]["holders"].get(holder, {}).get("groups", ())
        return list(found)

    @staticmethod
    def _limits(roles: Mapping[str, Role], held: list[_Grant]) -> Limits | None:
        """None where nobody is limited because nobody holds anything."""
        return Limits.least(roles[one.role].limits for one in held) if held else None


def _limited(holder: str, before: Limits | None, after: Limits | None) -> Iterator[Weakening]:
    if before is None or after is None or before == UNLIMITED:
        return
    for was, is_now, what in (
        (before.rows_per_hour, after.rows_per_hour, "rows"),
        (before.reveals_per_hour, after.reveals_per_hour, "revealed values"),
    ):
        if was is not None and (is_now is None or is_now > was):
            yield Weakening(holder, f"may have more {what} in an hour")


def _refuses(role: Role) -> bool:
    rules: list[TableRule | ColumnRule] = [*role.tables, *role.columns]
    return role.limits != UNLIMITED or any(rule.nothing for rule in rules)


# ------------------------------------------------------------------------------------------- to JSON and back


def _role(role: Role) -> Section:
    return {
        "databases": sorted(role.databases),
        "tables": [_table(rule) for rule in role.tables],
        "columns": [_column(rule) for rule in role.columns],
        "functions": [_about(rule.about) for rule in role.functions],
        "when": when_of(role.conditions),
        "limits": [role.limits.rows_per_hour, role.limits.reveals_per_hour],
        "includes": sorted(role.includes),
        "temporary": _offer(role.temporary),
        "break_glass": _offer(role.break_glass),
    }


def _offer(offer: Offer | None) -> Section | None:
    """But for whom it is to, who are holders."""
    if offer is None:
        return None
    seconds = int(offer.longest.total_seconds())
    return {"longest": seconds, "by": sorted(offer.by), "approvals": offer.approvals}


def _table(rule: TableRule) -> Section:
    return {"about": _about(rule.about), "actions": sorted(rule.actions), "nothing": rule.nothing}


def _column(rule: ColumnRule) -> Section:
    return {
        "about": _about(rule.about) if isinstance(rule.about, Pattern) else rule.about,
        "show": None if rule.show is None else [rule.show.name, rule.show.argument],
        "filter": rule.filter,
        "write": rule.write,
        "nothing": rule.nothing,
    }


def _about(pattern: Pattern) -> list[list[str]]:
    return [list(part) for part in pattern.parts]


def _read(name: str, role: Section) -> Role:
    return Role(
        name,
        frozenset(role["databases"]),
        tuple(
            TableRule(_pattern(one["about"]), frozenset(map(Action, one["actions"])), one["nothing"])
            for one in role["tables"]
        ),
        tuple(_read_column(one) for one in role["columns"]),
        tuple(FunctionRule(_pattern(one)) for one in role["functions"]),
        limits=Limits(*role["limits"]),
    )


def _read_column(rule: Section) -> ColumnRule:
    about: Any = rule["about"]
    return ColumnRule(
        DataClass(about) if isinstance(about, str) else _pattern(about),
        None if rule["show"] is None else Mask(*rule["show"]),
        filter=rule["filter"],
        write=rule["write"],
        nothing=rule["nothing"],
    )


def _pattern(parts: Sequence[Sequence[str]]) -> Pattern:
    return Pattern(tuple(tuple(part) for part in parts))


_ROLE = _role(Role("", frozenset()))
_TABLE, _COLUMN = _table(TableRule(Pattern(()))), _column(ColumnRule(Pattern(())))
_OFFER = _offer(Offer(frozenset(), timedelta())) or {}
"""Empty ones, for the names that are known."""
