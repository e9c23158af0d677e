"""Whether a role gives no more than another: rule by rule, without asking at single names.

Of the rules that match a name the closest count, and of equally close ones what all of them give
(docs/spec/policy.md). So a rule that comes or goes can uncover others. What is said here is *safe*: where
nothing is found, no name is given more, whichever it is; where something is found, some name may be. The
argument is in docs/spec/weakening.md; ``tests/stance/test_rules.py`` holds it against who reads rules one by
one, at random names. Called by `access`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from strongroom.policy.model import DataClass, Mask
from strongroom.policy.pattern import ANY, Part, Pattern, part_matches
from strongroom.policy.roles import (
    REVEAL,
    ColumnRule,
    FunctionRule,
    Role,
    TableRule,
    closeness,
    column_rules,
    looseness,
)

__all__ = ["Found", "tells_no_more", "wider"]

_BLANK = ("null", "constant", "fixed")
"""Masks that tell nothing of the value."""

About = Pattern | DataClass
Found = tuple[str, str]
"""Where, below the role, and what."""

_Rule = TypeVar("_Rule", TableRule, ColumnRule)


def wider(before: Role, after: Role, *, mask_before: bool, mask_after: bool) -> Iterator[Found]:
    """What the later role may give, or no more refuse; ``mask_by_default`` was and is as ``mask_...`` say."""
    were = column_rules(before, mask_by_default=mask_before)
    are = column_rules(after, mask_by_default=mask_after)
    if more := sorted(after.databases - before.databases):
        yield "databases", f"counts for {', '.join(more)} now"
    refuses = any(rule.nothing for rule in before.tables) or any(rule.nothing for rule in were)
    if refuses and (fewer := sorted(before.databases - after.databases)):
        yield "databases", f"refuses nothing in {', '.join(fewer)} any more"
    yield from (("tables", f"{about}: {words}") for about, words in _compared(before.tables, after.tables))
    yield from (("columns", f"{about}: {words}") for about, words in _compared(were, are))
    yield from _functions(before.functions, after.functions)


def _functions(before: Sequence[FunctionRule], after: Sequence[FunctionRule]) -> Iterator[Found]:
    for rule in after:
        if not any(_covers(one.about, rule.about) for one in before):
            yield "functions", f"{rule.about} may be called now"


def _compared(before: Sequence[_Rule], after: Sequence[_Rule]) -> Iterator[Found]:
    were, are = _by_about(before), _by_about(after)
    for key, rule in are.items():
        if key in were:
            if not _gives_no_more(rule, were[key]):
                yield _spelt(rule), _more(were[key], rule)
        elif not _may_come(rule, before):
            yield _spelt(rule), "the rule is new, and gives something or stands before one that refuses"
    for key, rule in were.items():
        if key not in are and not _may_go(rule, after):
            yield _spelt(rule), "the rule is gone, and uncovers others that give more or refuse less"


def _may_come(rule: _Rule, before: Sequence[_Rule]) -> bool:
    """A new rule: whatever it may stand before gives as much, and where nothing stood, it gives nothing."""
    near = [one for one in before if _meet(one.about, rule.about) and closeness(one) <= closeness(rule)]
    covered = any(_covers(one.about, rule.about) for one in before)
    return all(_gives_no_more(rule, one) for one in near) and (covered or not _gives(rule))


def _may_go(rule: _Rule, after: Sequence[_Rule]) -> bool:
    """A rule that goes: whatever may count in its place gives no more, and what it refused stays refused."""
    near = [one for one in after if _meet(one.about, rule.about) and closeness(one) <= closeness(rule)]
    covered = any(_covers(one.about, rule.about) for one in after)
    return all(_gives_no_more(one, rule) for one in near) and (covered or not rule.nothing)


def _gives_no_more(rule: _Rule, other: _Rule) -> bool:
    """`nothing` is less than giving nothing: it refuses what other roles give."""
    if rule.nothing or other.nothing:
        return rule.nothing
    if isinstance(rule, TableRule) and isinstance(other, TableRule):
        return rule.actions <= other.actions
    assert isinstance(rule, ColumnRule), "two rules of one kind"
    assert isinstance(other, ColumnRule), "two rules of one kind"
    return tells_no_more(rule.show, other.show) and rule.filter <= other.filter and rule.write <= other.write


def tells_no_more(show: Mask | None, other: Mask | None) -> bool:
    """Whether one showing can be had from the other: `first 3` from `first 4`, and not from `last 9`."""
    if show is None or other in (show, REVEAL):
        return True
    if other is None:
        return False
    if show.name in _BLANK:
        return looseness(show)[0] <= looseness(other)[0]
    if show.name != other.name:
        return False
    if show.name == "number":  # ranges of 10 do not tell those of 15
        return int(show.argument or 0) % int(other.argument or 1) == 0
    return looseness(show) <= looseness(other)


def _gives(rule: TableRule | ColumnRule) -> bool:
    if isinstance(rule, TableRule):
        return bool(rule.actions)
    return rule.show is not None or rule.filter or rule.write


def _by_about(rules: Sequence[_Rule]) -> Mapping[tuple[About, bool], _Rule]:
    """What ``mask_by_default`` says is another rule than one for `*`."""
    return {(rule.about, isinstance(rule, ColumnRule) and rule.default): rule for rule in rules}


def _meet(one: About, other: About) -> bool:
    """Whether a name may be meant by both; a column of any name may be of any class."""
    if isinstance(one, DataClass) or isinstance(other, DataClass):
        return True
    return one.meets(other)


def _covers(one: About, other: About) -> bool:
    """Whether every name of the other is surely one of this."""
    if isinstance(one, DataClass) or isinstance(other, DataClass):
        return one == other
    return all(map(_part_covers, one.parts, other.parts))


def _part_covers(one: Part, other: Part) -> bool:
    return one in (ANY, other) or (len(other) == 1 and part_matches(one, other[0]))


def _spelt(rule: TableRule | ColumnRule) -> str:
    if isinstance(rule, ColumnRule) and rule.default:
        return "mask_by_default"
    return f"class:{rule.about}" if isinstance(rule.about, DataClass) else str(rule.about)


def _more(before: TableRule | ColumnRule, after: TableRule | ColumnRule) -> str:
    if before.nothing:
        return "is not refused any more"
    if isinstance(before, TableRule) and isinstance(after, TableRule):
        return f"gives {', '.join(sorted(after.actions - before.actions))} now"
    assert isinstance(before, ColumnRule), "two rules of one kind"
    assert isinstance(after, ColumnRule), "two rules of one kind"
    gives = [name for name in ("filter", "write") if getattr(after, name) and not getattr(before, name)]
    if not tells_no_more(after.show, before.show):
        gives.insert(0, f"{_shown(after.show)} where it gave {_shown(before.show)}")
    return f"gives {', '.join(gives)} now"


def _shown(show: Mask | None) -> str:
    return "no showing" if show is None else str(show) if show == REVEAL else f"mask {show.name}"
