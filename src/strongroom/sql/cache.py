"""Analyses kept by text, so that in steady state no statement is parsed or resolved twice.

A cache belongs to one session or worker; it is bounded, and keyed by all that an analysis depends on: the text,
the declared types, the snapshot, the configuration and the search path. What depends on the names of prepared
statements or cursors is not kept. Called by `session/`.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

from strongroom.sql.resolve import analyse
from strongroom.sql.statement import Analysis, Context

KEPT = 1024  # analyses
KEPT_LENGTH = 1 << 14  # characters of a text; longer ones, bulk inserts of literals, hardly come twice

Key = tuple[str, tuple[int, ...], int, int, tuple[str, ...], int]


@dataclass(slots=True)
class Cache:
    """Analyses, the least recently used one forgotten first."""

    kept: OrderedDict[Key, tuple[Analysis, Context]] = field(default_factory=OrderedDict)

    def analyse(self, text: str, declared: Sequence[int], context: Context) -> Analysis:
        """What `resolve.analyse` says, kept if it may be."""
        if len(text) > KEPT_LENGTH:
            return analyse(text, declared, context)
        key = (
            text,
            tuple(declared),
            id(context.schema),
            id(context.protections),
            context.search_path,
            id(context.functions),
        )
        found = self.kept.get(key)
        if found is not None:  # the context is kept beside it, so no id can have been given out again
            self.kept.move_to_end(key)
            return found[0]
        analysis = analyse(text, declared, context)
        if all(resolved.context_free for resolved in analysis.statements):
            self.kept[key] = (analysis, context)
            if len(self.kept) > KEPT:
                self.kept.popitem(last=False)
        return analysis
