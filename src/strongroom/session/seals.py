"""What one session's values are sealed and opened with: by column, by the tenant they belong to, by format.

The half of a `Guard` (`guard.py`) that deals with values; the other says which of them a statement touches.
Plans for rows and openers of COPY are remembered, and forgotten when keys change. Pure.
"""

from collections.abc import Callable, Sequence

from strongroom.errors import Bug, TenantUnclear
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
from strongroom.session.analyses import LongText
from strongroom.session.metering import Meter
from strongroom.session.policing import Policing
from strongroom.session.snapshot import Snapshot
from strongroom.session.veils import veils
from strongroom.sql.schema import SESSION, Protection
from strongroom.sql.statement import (
    Copy,
    CopyColumn,
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


class Seals:
    """What seals and opens under one snapshot, one style and one tenant, each of which may change."""

    def __init__(self, snapshot: Snapshot, meter: Meter) -> None:
        self._snapshot = snapshot
        self.meter = meter
        self.long = LongText()
        self.style = TextStyle()
        self.tenant = ""
        """Whose values the session says that it reads and writes (`tenant: session`)."""
        self.policing: Policing | None = None
        """Whom a policy has asked about each statement; None without a policy."""
        self._plans: dict[tuple[object, ...], tuple[object, RowPlan | None]] = {}
        self._copying: list[_Current] = []

    def text(self, pieces: tuple[Piece, ...], *, may_wait: bool = False) -> str:
        """The text to send, its holes filled with sealed literals.

        Where they are many, and ``may_wait``, raises `Unfinished` until all are.
        """
        began = self.meter.clock()
        try:
            return self._filled(pieces, may_wait=may_wait)
        finally:
            self.meter.protect.note(self.meter.clock() - began)

    def _filled(self, pieces: tuple[Piece, ...], *, may_wait: bool) -> str:
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

    @property
    def makes_tenants(self) -> bool:
        """Whether keys are made for a tenant when something is first written for it."""
        return self._snapshot.makes_tenants

    def check_copy(self, statement: Resolved) -> None:
        """Raises as `codec` does where the stream of COPY could not be sealed; before it is asked for."""
        for column in statement.copy.columns if statement.copy is not None else ():
            of_session = column.tenant is not None and not column.tenant.column_oid
            if of_session and column.protection is not None:
                self.codec(column.protection, self._tenant(column.tenant))

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
        names, naming = TenantNames(types.declared(tenant.column_oid)), Sent(self.style, 0, code)
        last: tuple[ColumnCodec | None, Callable[[bytes], bytes]] = (None, bytes)

        def of_row(value: bytes) -> bytes:
            nonlocal last
            codec = self.codec(protection, names.of(row.value, naming))
            if codec is not last[0]:  # another tenant's, or of other keys than before
                last = codec, codec.sealer(sent)
            return last[1](value)

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
        if known is not None:
            self.meter.plans.hits += 1
        else:
            self.meter.plans.misses += 1
            if len(self._plans) >= PLANS_KEPT:
                self._plans.clear()
            # The outputs are kept beside their plan, so that no others can have their identity.
            known = outputs, self.fresh_plan(outputs, came, wanted)
            self._plans[key] = known
        return known[1]

    def fresh_plan(
        self, outputs: Sequence[Output], came: Sequence[int], wanted: Sequence[int]
    ) -> RowPlan | None:
        """The same for rows that come once."""
        masks = veils(outputs, self._snapshot.schema, None if self.policing is None else self.policing.key)
        return rows.plan(outputs, came, wanted, self.opening, self.style, masks=masks)

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


class _Current:
    """Opens a column's values in COPY by the keys that there are when each comes."""

    __slots__ = ("_format", "_guard", "_open", "_protection", "_style")

    def __init__(self, guard: Seals, protection: Protection, format_code: int) -> None:
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
