"""What one session knows of protection: the catalog and keys, its search path, its settings.

A `Snapshot` (`snapshot.py`) is shared by all sessions of a database. A session looks at it
through its own `Guard`: under its search path, with what it prepared and declared itself, and, inside a
transaction that changes the catalog, at a catalog of its own. The guard says what a statement touches
(`analyse`), seals what goes upstream, and knows when what it knows has grown old (`stale`).

Used by `guarded`; pure.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

from strongroom.errors import (
    BarrierInBatch,
    Bug,
    Denied,
    FormLost,
    KeysRotated,
    PreparedStatementOutdated,
    TenantUnclear,
    TransactionFailed,
    UndefinedColumn,
    UndefinedTable,
)
from strongroom.protect.batch import RowPlan
from strongroom.protect.canonical import BINARY_FORMAT, TEXT_FORMAT, Sent, Use
from strongroom.protect.copy.fields import RowTenant
from strongroom.protect.copy.stream import CopyOpener, CopySealer
from strongroom.protect.forms import arrays
from strongroom.protect.plan import ColumnCodec, ColumnOpening
from strongroom.protect.sealing import column_sealer
from strongroom.protect.style import TextStyle
from strongroom.protect.tenants import TenantCodecs, TenantNames
from strongroom.session import rows
from strongroom.session.analyses import (
    ANALYSES_KEPT,
    LENGTH_KEPT,
    LongText,
    Question,
)
from strongroom.session.snapshot import Snapshot
from strongroom.session.statements import Names, Portal, Run, Statement
from strongroom.sql.resolve import analyse
from strongroom.sql.schema import SESSION, ColumnId, Protection, Schema
from strongroom.sql.statement import (
    Analysis,
    Barrier,
    Context,
    Copy,
    CopyColumn,
    Kind,
    Output,
    Parameter,
    Piece,
    Resolved,
    SealedLiteral,
    Tenant,
)
from strongroom.wire.postgres import messages as m
from strongroom.wire.postgres import types

PLANS_KEPT = 500
"""Plans for rows that a session remembers, before it forgets them all."""


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


class _Cursors(Mapping[str, tuple[Output, ...] | None]):
    """The session's cursors as analysis wants them: those of DECLARE and those of Bind share their names."""

    def __init__(self, portals: Names[Portal]) -> None:
        self._portals = portals
        self.declared: dict[str, tuple[Output, ...] | None] = {}

    def __getitem__(self, name: str) -> tuple[Output, ...] | None:
        portal = self._portals.find(name) if name else None
        if portal is None:
            return self.declared[name]
        return portal.run.statements[0].outputs if portal.run is not None and portal.run.statements else None

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


class OutOfDate(Exception):
    """A statement names what the catalog, as it was last read, does not know."""


class Guard:
    """One session's view."""

    def __init__(self, snapshot: Snapshot, statements: Names[Statement], portals: Names[Portal]) -> None:
        self._shared = snapshot
        self._snapshot = snapshot
        self._prepared = _Prepared(self, statements)
        self._path: tuple[str, ...] | None = None
        self._copying: list[_Current] = []
        self._looked: set[str] = set()  # texts that named something unknown, since the snapshot was shared
        self._changed = Barrier.NONE  # in the transaction under way
        self.cursors = _Cursors(portals)
        self.long = LongText()
        self.style = TextStyle()
        self._plans: dict[tuple[object, ...], tuple[object, RowPlan | None]] = {}
        self.tenant = ""
        """Whose values the session says that it reads and writes (`tenant: session`)."""
        self.stale = Barrier.SEARCH_PATH
        """What must be read anew before anything is analysed."""

    @property
    def outlook(self) -> object:
        """Compares unequal when statements must be analysed anew."""
        return self._snapshot.analyses.mark, self._path, self.tenant

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
        return analysis

    def _out_of_date(self, text: str) -> "OutOfDate":
        if len(self._looked) >= ANALYSES_KEPT:
            self._looked.clear()
        self._looked.add(text)
        self.stale |= Barrier.CATALOG
        return OutOfDate()

    def _understood(
        self, text: str, declared: Sequence[int], path: tuple[str, ...], *, may_wait: bool
    ) -> Analysis:
        snapshot = self._snapshot
        is_long = may_wait and len(text) > LENGTH_KEPT
        if is_long:
            elsewhere = self.long.analysis(Question(text, tuple(declared), path, snapshot))
            if elsewhere is not None:
                return elsewhere
        key = (text, tuple(declared), path)
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
                "the prepared statement was made before a table, the search path or the tenant changed",
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

    def completed(self, statement: Resolved) -> None:
        """Upstream has carried out a statement."""
        lasting = statement.barriers & ~(Barrier.PREPARED | Barrier.CURSORS)
        self.stale |= lasting
        self._changed |= lasting
        if statement.kind is Kind.DECLARE and statement.name is not None and statement.defines is not None:
            self.cursors.declared[statement.name] = statement.defines.outputs
        elif statement.kind in (Kind.CLOSE, Kind.DISCARD) and Barrier.CURSORS in statement.barriers:
            self.cursors.close(statement.name)
        elif statement.takes_back:
            self.stale |= self._changed

    def cursor(self, name: str) -> Portal | None:
        """The portal that DECLARE made, as Describe wants it; its rows come by FETCH alone."""
        if name not in self.cursors:
            return None
        outputs = self.cursors[name]
        return Portal(
            name, None, Run((Resolved(Kind.FETCH, (), touched=outputs is not None, outputs=outputs),))
        )

    def transaction_ended(self) -> bool:
        """Upstream is idle: say whether the catalog may have changed for everyone."""
        changed, self._changed = self._changed, Barrier.NONE
        self.stale |= changed
        return bool(changed & Barrier.CATALOG)

    # ---------------------------------------------------------------- sealing

    def text(self, pieces: tuple[Piece, ...], *, may_wait: bool = False) -> str:
        """The text to send, its holes filled with sealed literals.

        Where they are many, and ``may_wait``, raises `Unfinished` until all are.
        """
        if may_wait and self.long.holds(pieces):
            return self.long.sealed(pieces, self._literal)
        return "".join(piece if isinstance(piece, str) else self._literal(piece) for piece in pieces)

    def seal(self, parameter: Parameter, value: bytes | None, format_code: int, bind: m.Bind) -> bytes | None:
        """A parameter's value as it goes upstream, in binary; ``bind`` may name its tenant."""
        if value is None:
            return None
        seal = self.sealer(parameter, format_code, self._tenant(parameter.tenant, bind))
        return None if seal is None else seal(value)

    def sealer(
        self, parameter: Parameter, format_code: int, tenant: str | None = None
    ) -> Callable[[bytes], bytes] | None:
        """What seals a parameter's values that come in one format; None where they pass as they are."""
        if parameter.protection is None:
            return None
        use = Use.COMPARE if parameter.compared else Use.STORE
        codec = self.codec(parameter.protection, self._tenant(parameter.tenant) if tenant is None else tenant)
        sent = Sent(self.style, parameter.type_oid, format_code, use, parameter.cut)
        if parameter.is_array:
            return lambda value: codec.seal_each(value, sent) or b""
        return column_sealer(codec, sent)

    def copy_sealer(self, copy: Copy, row_bytes: int) -> CopySealer:
        """What the client's COPY data goes through; raises as `codec` does."""
        named = next((one.tenant for one in copy.columns if one.tenant and one.tenant.column_oid), None)
        row = None if named is None else RowTenant(named.client - 1)
        seals = [self._copy_seal(copy, one, row) for one in copy.columns]
        return CopySealer(copy, seals, row_bytes=row_bytes, tenant=row)

    def copy_opener(self, copy: Copy, row_bytes: int) -> CopyOpener:
        """What upstream's COPY data goes through."""
        opens = [
            None if one.protection is None else _Current(self, one.protection, _copy_format(copy))
            for one in copy.columns
        ]
        self._copying = [one for one in opens if one is not None]
        return CopyOpener(copy, opens, row_bytes=row_bytes)

    def _copy_seal(
        self, copy: Copy, column: CopyColumn, row: RowTenant | None
    ) -> Callable[[bytes], bytes] | None:
        protection, tenant, code = column.protection, column.tenant, _copy_format(copy)
        if protection is None:
            return None
        sent = Sent(self.style, protection.type_oid if copy.format == "binary" else 0, code)
        if tenant is None or not tenant.column_oid or row is None:
            return column_sealer(self.codec(protection, self._tenant(tenant)), sent)
        names = TenantNames(types.declared(tenant.column_oid))

        def of_row(value: bytes) -> bytes:
            tenant_of_row = names.of(row.value, Sent(self.style, 0, code))
            return self.codec(protection, tenant_of_row).sealer(sent)(value)

        return of_row

    def codec(self, protection: Protection, tenant: str = "") -> ColumnCodec:
        """What seals the column's values, those of a tenant where it has tenants; raises `TenantUnknown`."""
        codec = self._snapshot.codecs[protection.column]
        return codec if isinstance(codec, ColumnCodec) else codec.of(tenant)

    def opening(self, protection: Protection) -> ColumnOpening:
        """What opens the column's values: where the session says whose it reads, no others."""
        codec = self._snapshot.codecs[protection.column]
        if protection.tenant == SESSION and isinstance(codec, TenantCodecs):
            return codec.only(self.tenant)
        return codec

    def _tenant(self, tenant: Tenant | None, bind: m.Bind | None = None) -> str:
        """The tenant by whose key something is sealed; empty where it has none."""
        if tenant is None:
            return ""
        if not tenant.column_oid:
            if not self.tenant:
                raise TenantUnclear(
                    "the session does not say whose values it writes",
                    hint="Say it: SET strongroom.tenant = '...'.",
                )
            return self.tenant
        names = TenantNames(types.declared(tenant.column_oid))
        if not tenant.client:
            return names.of(tenant.literal.encode(), Sent(self.style, 0, TEXT_FORMAT))
        if bind is None:
            raise Bug("a parameter names the tenant, and there is no Bind")
        place = tenant.client - 1
        return names.of(bind.values[place], Sent(self.style, tenant.type_oid, bind.format(place)))

    def plan(
        self, outputs: tuple[Output, ...], came: tuple[int, ...], wanted: tuple[int, ...]
    ) -> RowPlan | None:
        """The plan for rows that come in these formats and go out in those; remembered, statements repeat."""
        key = (id(outputs), came, wanted, self.style, self.tenant)
        known = self._plans.get(key)
        if known is None:
            if len(self._plans) >= PLANS_KEPT:
                self._plans.clear()
            # The outputs are kept beside their plan, so that no others can have their identity.
            known = outputs, rows.plan(outputs, came, wanted, self.opening, self.style)
            self._plans[key] = known
        return known[1]

    def _literal(self, piece: SealedLiteral) -> str:
        codec = self.codec(piece.protection, self._tenant(piece.tenant))
        use = Use.COMPARE if piece.compared else Use.STORE
        sent = Sent(self.style, piece.type_oid, TEXT_FORMAT, use, piece.cut)
        if not piece.is_array:
            sealed = codec.seal(piece.value.encode(), sent)
            return f"'\\x{(sealed or b'').hex()}'::pg_catalog.bytea"
        sealed = codec.seal_each(piece.value.encode(), sent)
        each = arrays.receive(sealed or b"", types.BYTEA).mapped(lambda one: b"\\x" + one.hex().encode())
        return f"'{arrays.output(each).decode()}'::pg_catalog.bytea[]"


def is_of_session(resolved: Resolved) -> bool:
    """Whether literals in it were sealed for the tenant that the session had named."""
    pieces = (one for one in resolved.pieces if isinstance(one, SealedLiteral))
    return any(one.tenant is not None and not one.tenant.column_oid for one in pieces)


def _goes_on(statements: Sequence[Resolved]) -> bool:
    """Whether something follows what may take the transaction's changes back."""
    ends = [index for index, one in enumerate(statements) if one.takes_back]
    return bool(ends) and any(one.kind is not Kind.TRANSACTION for one in statements[ends[0] :])


class _Current:
    """Opens a column's values in COPY by the keys that there are when each comes."""

    __slots__ = ("_format", "_guard", "_open", "_protection", "_style")

    def __init__(self, guard: Guard, protection: Protection, format_code: int) -> None:
        self._guard, self._protection, self._format = guard, protection, format_code
        self._style = guard.style
        self._open: Callable[[bytes], bytes] | None = None

    def __call__(self, sealed: bytes) -> bytes:
        if self._open is None:
            self._open = self._guard.opening(self._protection).opener(self._format, self._style)
        return self._open(sealed)

    def forget(self) -> None:
        """Ask for the keys again."""
        self._open = None


def _copy_format(copy: Copy) -> int:
    return BINARY_FORMAT if copy.format == "binary" else TEXT_FORMAT
