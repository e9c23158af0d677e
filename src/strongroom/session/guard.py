"""What one session knows of protection: the catalog and keys, its search path, its settings.

A `Snapshot` (`snapshot.py`) is shared by all sessions of a database. A session looks at it
through its own `Guard`: under its search path, with what it prepared and declared itself, and, inside a
transaction that changes the catalog, at a catalog of its own. The guard says what a statement touches
(`analyse`), seals what goes upstream (`seals.py`), and knows when what it knows has grown old (`stale`).

Used by `guarded`; pure.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from strongroom.audit.records.statements import Plan
from strongroom.errors import (
    BarrierInBatch,
    Bug,
    Denied,
    FormLost,
    KeysRotated,
    PreparedStatementOutdated,
    StatementTooComplex,
    TransactionFailed,
    UndefinedColumn,
    UndefinedTable,
)
from strongroom.session.analyses import (
    ANALYSES_KEPT,
    LENGTH_KEPT,
    Question,
)
from strongroom.session.policing import questions
from strongroom.session.recorded import Recorded, is_recordable, is_wide, plan_of
from strongroom.session.seals import Seals
from strongroom.session.snapshot import Snapshot
from strongroom.session.statements import Names, Portal, Run, Statement
from strongroom.sql.normalized import Normalized, normalized
from strongroom.sql.resolve import analyse
from strongroom.sql.schema import SESSION, ColumnId, Schema
from strongroom.sql.statement import (
    Analysis,
    Barrier,
    Context,
    Kind,
    Resolved,
    SealedLiteral,
)


class _Prepared(Mapping[str, Resolved]):
    """The session's prepared statements as analysis wants them."""

    def __init__(self, guard: "Guard", statements: Names[Statement]) -> None:
        self._guard = guard
        self._statements = statements

    def __getitem__(self, name: str) -> Resolved:
        resolved = self._meaning(name)
        if resolved is None:
            raise KeyError(name)
        return resolved

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._statements.names() if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        try:
            return isinstance(name, str) and self._meaning(name) is not None
        except Denied:
            return False

    def _meaning(self, name: str) -> Resolved | None:
        statement = self._statements.find(name) if name else None
        if statement is None or statement.outlook == self._guard.outlook:
            return None if statement is None else statement.resolved
        return self._guard.anew(statement)  # PostgreSQL resolves it anew too


class _Cursors(Mapping[str, Resolved | None]):
    """The session's cursors as analysis wants them: those of DECLARE and those of Bind share their names."""

    def __init__(self, portals: Names[Portal]) -> None:
        self._portals = portals
        self.declared: dict[str, Resolved | None] = {}

    def __getitem__(self, name: str) -> Resolved | None:
        portal = self._portals.find(name) if name else None
        if portal is None:
            return self.declared[name]
        return portal.run.statements[0] if portal.run is not None and portal.run.statements else None

    def __iter__(self) -> Iterator[str]:
        bound = self._portals.names()
        return iter({*filter(None, bound), *self.declared})

    def __len__(self) -> int:
        return len(list(iter(self)))

    def close(self, name: str | None) -> None:
        """Forget a cursor of DECLARE, or all of them."""
        if name is None:
            self.declared.clear()
        else:
            self.declared.pop(name, None)


REFUSED_AT_MOST = 100
"""Statements of one text that are recorded where it is refused unread: a text may hold a million."""

TOO_LONG = Normalized("", "")


class OutOfDate(Exception):
    """A statement names what the catalog, as it was last read, does not know."""


class Guard(Seals):
    """One session's view."""

    def __init__(self, snapshot: Snapshot, statements: Names[Statement], portals: Names[Portal]) -> None:
        super().__init__(snapshot)
        self._shared = snapshot
        self._prepared = _Prepared(self, statements)
        self._path: tuple[str, ...] | None = None
        self._looked: set[str] = set()  # texts that named something unknown, since the snapshot was shared
        self._changed = Barrier.NONE  # in the transaction under way
        self.cursors = _Cursors(portals)
        self.is_recorded = False
        """Whether statements are recorded."""
        self.stale = Barrier.SEARCH_PATH
        """What must be read anew before anything is analysed."""

    @property
    def outlook(self) -> object:
        """Compares unequal when statements must be analysed anew."""
        return self.outlook_of(self.standing)

    def outlook_of(self, standing: object) -> object:
        """The outlook, where the standing is this."""
        return self._snapshot.analyses.mark, self._path, self.tenant, standing

    @property
    def standing(self) -> object:
        """Compares unequal when a policy must be asked again about what it permitted."""
        return None if self.policing is None else self.policing.standing(self.tenant)

    @property
    def changed(self) -> bool:
        """Whether the transaction under way has changed what its end may take back."""
        return bool(self._changed)

    @property
    def protected(self) -> frozenset[ColumnId]:
        """The protected columns as the catalog numbers them."""
        return frozenset(self._snapshot.protections)

    @property
    def outdated(self) -> bool:
        """Whether the catalog shows keys that are newer than ours."""
        return bool(self._snapshot.outdated)

    def age(self) -> None:
        """Nobody could look at the catalog for a while: look before anything else is analysed."""
        self.stale |= Barrier.CATALOG

    @property
    def awaiting(self) -> frozenset[int]:
        """The tables with a configured column that is plaintext still."""
        return self._snapshot.awaiting

    def share(self, snapshot: Snapshot) -> frozenset[str]:
        """Take a snapshot, the same again or not; returns the columns of which a key opens no more.

        A session whose transaction looks at a catalog of its own, or may have one, takes the keys alone.
        """
        before, self._shared = self._shared, snapshot
        self._looked.clear()
        temporary = any(schema.startswith("pg_temp_") for schema in self._path or ())
        if temporary:
            self.stale |= Barrier.CATALOG  # a temporary table may be younger than it
        if not temporary and not self._changed & Barrier.CATALOG:
            self._snapshot = snapshot
        elif self._snapshot.codecs is not snapshot.codecs:
            self._snapshot = snapshot.with_schema(self._snapshot.schema)
        if before.codecs is snapshot.codecs:
            return frozenset()
        self._plans.clear()
        for one in self._copying:
            one.forget()
        return before.withdrawn(snapshot)

    def analyse(
        self, text: str, declared: Sequence[int], *, may_look: bool = False, may_wait: bool = False
    ) -> Analysis:
        """What the text touches; raises `Denied`.

        Where it names what the catalog does not know, and ``may_look``, raises `OutOfDate` the first time:
        somebody may have made it around the gateway. Where it is long, and ``may_wait``, raises `Unfinished`
        until it is analysed elsewhere.
        """
        if self._path is None:
            raise Bug("a statement was analysed before the search path was known")
        may_look = may_look and text not in self._looked
        try:
            analysis = self._understood(text, declared, self._path, may_wait=may_wait)
        except (UndefinedTable, UndefinedColumn):
            if may_look:
                raise self._out_of_date(text) from None
            raise
        if may_look and any(one.unknown for one in analysis.statements):
            raise self._out_of_date(text)
        if self._snapshot.lost and any(one.touches & self._snapshot.lost for one in analysis.statements):
            raise FormLost(
                "a protected column was made anew in another form, and would take plaintext",
                hint="Protect it: strongroom protect. To have it in plaintext: strongroom unprotect.",
            )
        if self._snapshot.outdated and any(
            one.touches & self._snapshot.outdated for one in analysis.statements
        ):
            raise KeysRotated("the key of a column was rotated while the statement was on its way")
        if any(one.barriers & Barrier.STYLE and self._is_of_session(one) for one in analysis.statements):
            raise BarrierInBatch(
                "a statement changes settings, and reads or writes values whose tenant the session says",
                hint="set strongroom.tenant in a statement of its own, before",
            )
        if self._changed and _goes_on(analysis.statements):
            raise BarrierInBatch(
                "a statement follows the end of a transaction that changed what names or values may mean",
                hint="send them as separate statements",
            )
        if self.stale and any(one.kind is not Kind.TRANSACTION for one in analysis.statements):
            raise TransactionFailed(
                "current transaction is aborted, commands ignored until end of transaction block",
                hint="ROLLBACK first; what follows it in the same query cannot be analysed before.",
            )
        if self.is_recorded:
            self._refuse_unrecordable(analysis)
        if self.policing is None:
            return analysis
        return self.policing.judged(analysis, self._snapshot.schema, self.tenant)

    def _refuse_unrecordable(self, analysis: Analysis) -> None:
        schema = self._snapshot.schema
        for one in analysis.statements:
            asked = questions(one, schema, "") if is_wide(one) else None
            if asked is not None and not is_recordable(one, schema, asked.accesses, asked.shown):
                raise StatementTooComplex("a statement names more columns than its audit record can")

    def recorded(self, statement: Resolved) -> Recorded:
        """What a record says of a statement, whether it passes or not."""
        schema = self._snapshot.schema
        if self.policing is not None:
            return self.policing.recorded(statement, schema, self.tenant)
        asked = questions(statement, schema, "")
        return Recorded(plan_of(statement, schema, asked.accesses, asked.shown), 0)

    def recorded_of(self, text: str, declared: Sequence[int]) -> Iterator[Plan]:
        """What a record says of a text that was refused; of what cannot be analysed, the text alone."""
        analysis = None
        if self._path is not None and len(text) <= LENGTH_KEPT:
            with contextlib.suppress(Denied):
                analysis = self._understood(text, declared, self._path, may_wait=False)
        if analysis is not None:
            yield from (self.recorded(one).plan for one in analysis.statements)
            return
        found = normalized(text) if len(text) <= LENGTH_KEPT else (TOO_LONG,)
        for one in found[:REFUSED_AT_MOST]:
            yield plan_of(Resolved(Kind.OTHER, (), normalized=one), self._snapshot.schema, (), {})

    def _is_of_session(self, statement: Resolved) -> bool:
        """Whether it touches values whose tenant the session says."""
        found = (self._snapshot.protections.get(place) for place in statement.touches)
        return any(one is not None and one.tenant == SESSION for one in found)

    def depends(self, run: Run | None) -> bool:
        """Whether what was bound was bound for the tenant of the session."""
        if run is None or not self._snapshot.asks_session:
            return False
        return any(self._is_of_session(one) for one in run.statements)

    def _out_of_date(self, text: str) -> "OutOfDate":
        if len(self._looked) >= ANALYSES_KEPT:
            self._looked.clear()
        self._looked.add(text)
        self.stale |= Barrier.CATALOG
        return OutOfDate()

    def _understood(
        self, text: str, declared: Sequence[int], path: tuple[str, ...], *, may_wait: bool
    ) -> Analysis:
        snapshot, policed, recorded = self._snapshot, self.policing is not None, self.is_recorded
        is_long = may_wait and len(text) > LENGTH_KEPT
        if is_long:
            question = Question(text, tuple(declared), path, snapshot, policed=policed, recorded=recorded)
            elsewhere = self.long.analysis(question)
            if elsewhere is not None:
                return elsewhere
        key = (text, tuple(declared), path, policed, recorded)
        known = snapshot.analyses.find(key)
        if known is not None:
            return known
        context = Context(
            snapshot.schema,
            snapshot.protections,
            path,
            snapshot.functions,
            self._prepared,
            self.cursors,
            snapshot.logins,
            recorded=recorded,
            policed=policed,
        )
        analysis = analyse(text, declared, context)
        if is_long:
            self.long.keep(analysis)
        elif all(statement.context_free for statement in analysis.statements):
            snapshot.analyses.keep(key, analysis)
        return analysis

    def anew(self, statement: Statement, *, may_wait: bool = False) -> Resolved | None:
        """What a prepared statement means now; raises `Denied`, and `Unfinished` as `analyse` does.

        One that SQL prepared, and that would have to be sent in another form, must be prepared again.
        """
        analysis = self.analyse(statement.text, statement.parameter_types, may_wait=may_wait)
        if len(analysis.statements) != 1:
            return None
        resolved = analysis.statements[0]
        if not statement.by_sql:
            return resolved
        if resolved.defines is None or resolved.defines != statement.resolved or is_of_session(resolved):
            raise PreparedStatementOutdated(
                "the prepared statement is older than a change of tables, search path, tenant or roles",
                hint="DEALLOCATE it and PREPARE it again.",
            )
        return resolved.defines

    # ---------------------------------------------------------------- growing old

    def refreshed(self, path: Sequence[str], schema: Schema | None) -> None:
        """Take what was read anew; ``schema`` is None where only the path was."""
        self._path = tuple(path)
        if schema is not None:
            self._snapshot = self._shared.with_schema(schema)
        self.stale = Barrier.NONE

    def begun(self, statement: Resolved) -> None:
        """Upstream has carried out a part of a statement, with what that changes."""
        lasting = statement.barriers & ~(Barrier.PREPARED | Barrier.CURSORS)
        self.stale |= lasting
        self._changed |= lasting

    def completed(self, statement: Resolved) -> None:
        """Upstream has carried out a statement."""
        self.begun(statement)
        if statement.kind is Kind.DECLARE and statement.name is not None and statement.defines is not None:
            self.cursors.declared[statement.name] = statement.defines
        elif statement.kind in (Kind.CLOSE, Kind.DISCARD) and Barrier.CURSORS in statement.barriers:
            self.cursors.close(statement.name)
        elif statement.takes_back:
            self.stale |= self._changed

    def cursor(self, name: str) -> Portal | None:
        """The portal that DECLARE made, as Describe wants it; its rows come by FETCH alone."""
        if name not in self.cursors:
            return None
        made = self.cursors[name]
        outputs = None if made is None else made.outputs
        return Portal(
            name, None, Run((Resolved(Kind.FETCH, (), touched=outputs is not None, outputs=outputs),))
        )

    def transaction_ended(self) -> bool:
        """Upstream is idle: say whether the catalog may have changed for everyone."""
        changed, self._changed = self._changed, Barrier.NONE
        self.stale |= changed
        return bool(changed & Barrier.CATALOG)


def is_of_session(resolved: Resolved) -> bool:
    """Whether literals in it were sealed for the tenant that the session had named."""
    pieces = (one for one in resolved.pieces if isinstance(one, SealedLiteral))
    return any(one.tenant is not None and not one.tenant.column_oid for one in pieces)


def _goes_on(statements: Sequence[Resolved]) -> bool:
    """Whether something follows what may take the transaction's changes back."""
    ends = [index for index, one in enumerate(statements) if one.takes_back]
    return bool(ends) and any(one.kind is not Kind.TRANSACTION for one in statements[ends[0] :])
