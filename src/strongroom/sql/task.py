"""One statement to be understood, and the record made of it: what every kind of statement shares.

Called by `resolve.py` and by the modules that treat one kind of statement each.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from strongroom.errors import ConstructRefused, TypeRefused
from strongroom.sql.access import Access, made
from strongroom.sql.caution import Survey, calls
from strongroom.sql.ground import Ground
from strongroom.sql.guards import guard_look_ups
from strongroom.sql.keyed import values
from strongroom.sql.meeting import plain, settled
from strongroom.sql.parse import Node, Parsed, unpack
from strongroom.sql.queries import QUERIES
from strongroom.sql.rewrite import parameters, pieces, settle
from strongroom.sql.run import Run
from strongroom.sql.scope import Named
from strongroom.sql.statement import Barrier, Context, KeyedValue, Kind, Output, Parameter, Resolved
from strongroom.sql.tenants import bare
from strongroom.sql.typenames import ARRAYS, TEXTUAL


@dataclass(frozen=True, slots=True)
class Task:
    """A statement with all that it is understood by."""

    parsed: Parsed
    tag: str
    body: Node
    start: int
    end: int
    declared: Sequence[int]
    ground: Ground
    context: Context
    found: Survey

    def run(self) -> Run:
        """A new analysis of this statement."""
        return Run(self.parsed.lexed, self.ground, self.context, self.context.search_path, self.declared)

    @property
    def near(self) -> bool:
        """Whether it is followed to the last column: beside protected tables, and where a policy asks."""
        return self.found.near or self.context.policed

    def accesses(self, run: Run) -> frozenset[Access]:
        """What it does to what, as far as it was followed; nothing where nobody asks."""
        if not self.context.policed:
            return frozenset()
        return made(run.uses, self.ground.schema) | calls(self.found, self.ground, self.context.search_path)

    @property
    def text(self) -> str:
        """The statement as the client sent it."""
        return self.parsed.lexed.source[self.start : self.end].decode()

    def untouched(self, kind: Kind, barriers: Barrier = Barrier.NONE, **more: Any) -> Resolved:
        """The record of a statement that is sent as it came."""
        return Resolved(
            kind,
            (self.text,),
            relations=frozenset(self.found.relations),
            unknown=frozenset(self.found.unknown),
            barriers=barriers | self.found.barriers,
            **more,
        )

    def resolved(
        self,
        run: Run,
        kind: Kind,
        barriers: Barrier = Barrier.NONE,
        *,
        sent: tuple[Parameter, ...] | None = None,
        accesses: frozenset[Access] = frozenset(),
        keyed: tuple[KeyedValue, ...] = (),
        **more: Any,
    ) -> Resolved:
        """The record of a statement that was resolved, with what changed in its text."""
        if sent is None:
            settle(run)
            sent = parameters(run)
        guard_look_ups(run, self.tag, self.start, self.end, self.found.relations)
        return Resolved(
            kind,
            pieces(run, self.start, self.end),
            touched=True,
            parameters=sent,
            touches=frozenset(run.touches),
            relations=frozenset(run.relations | self.found.relations),
            unknown=frozenset(self.found.unknown),
            barriers=barriers | self.found.barriers,
            accesses=self.accesses(run) | accesses,
            keyed=() if kind is Kind.PREPARE else (*values(run), *keyed),
            **more,
        )


def query(run: Run, node: Node) -> list[Named]:
    """The output columns of a query inside another statement."""
    tag, body = unpack(node)
    if tag not in QUERIES:
        raise ConstructRefused(f"{tag} cannot be analysed here beside a protected table")
    columns = QUERIES[tag](run, None, body)
    settle(run)
    return [replace(column, value=settled(column.value)) for column in columns]


def outputs(run: Run, columns: list[Named]) -> tuple[Output, ...]:
    """What the client gets, column by column; one that is a column as it stands says which."""
    for column in columns:
        if column.value.as_is is None:
            run.uses.reveal(column.value)
    return tuple(_output(column) for column in columns)


def _output(column: Named) -> Output:
    value = settled(column.value)
    if value.shown_oid and value.fields is not None:
        inner = settled(value.fields[0][1])
        protection = None if inner.protection is None else bare(inner.protection)
        return Output(column.name, *inner.origin, protection, type_oid=value.shown_oid)
    if value.fields is not None:
        plain(value, "a whole row as an output column")
    table_oid, attnum = value.origin
    if value.protection is None:
        return Output(column.name, table_oid, attnum, column=value.as_is)
    protected = value.protection.type_oid
    other = value.type_oid != protected and not {value.type_oid, protected} <= TEXTUAL
    if value.is_text or (other and not value.is_array):
        raise TypeRefused(
            f'the output "{column.name}" is compared with {value.protection.column}, but of another type',
            hint="cast it to the column's declared type",
        )
    return Output(
        name=column.name,
        table_oid=table_oid,
        attnum=attnum,
        protection=bare(value.protection),
        is_array=value.is_array,
        type_oid=ARRAYS.get(value.type_oid, 0) if value.is_array else value.type_oid,
        typmod=value.typmod,
        column=value.as_is,
    )
