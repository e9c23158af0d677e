"""Where a command works that changes a database: its configuration, the state, and the owner's connection.

Called by ``protect`` and the key commands.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from strongroom.changeover.model import Progress as Step
from strongroom.changeover.model import Stage, Tell
from strongroom.config import Settings
from strongroom.errors import ColumnUnknown, UpstreamUnreachable
from strongroom.gateway.gate import owner_of, upstream_of
from strongroom.gateway.kept import Place
from strongroom.gateway.protection import schemes_of
from strongroom.gateway.tunnel import tunnel
from strongroom.protect.scheme import Scheme
from strongroom.state import State, look_at_state, open_state


@dataclass(frozen=True, slots=True)
class Worksite:
    """One database with configured columns."""

    settings: Settings
    state: State
    place: Place
    schemes: Mapping[str, Scheme]
    """All its configured columns, by name."""
    connection: psycopg.Connection[tuple[object, ...]]
    """The owner's, in autocommit."""


@contextmanager
def worksite(
    settings: Settings, database: str | None, application: str, *, only_look: bool = False
) -> Iterator[Worksite]:
    """Opens what a command needs; ``only_look`` makes no state where there is none.

    Raises ``ColumnUnknown`` where it is not clear which database is meant, and ``UpstreamUnreachable``.
    """
    name = chosen_database(settings, database)
    upstream = upstream_of(name, settings)
    place = Place(name, upstream, owner_of(name, settings) or upstream)
    state = (look_at_state if only_look else open_state)(settings.state)
    try:
        with tunnel(place.owner) as way, _closed(way.connect(application)) as connection:
            yield Worksite(settings, state, place, schemes_of(settings, name), connection)
    except psycopg.OperationalError as error:
        code = error.sqlstate or "none"
        raise UpstreamUnreachable(
            f"the connection to the database failed (SQLSTATE {code})",
            hint="Run it again: it goes on where it stopped.",
        ) from None
    finally:
        state.close()


@contextmanager
def _closed(
    connection: psycopg.Connection[tuple[object, ...]],
) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    try:
        yield connection
    finally:
        connection.close()


def chosen_database(settings: Settings, wanted: str | None) -> str:
    """The database that is meant; raises ``ColumnUnknown``."""
    protected = [name for name, one in settings.databases.items() if one.columns]
    if wanted is None and len(protected) == 1:
        return protected[0]
    if wanted in protected:
        return str(wanted)
    raise ColumnUnknown(
        "several databases have configured columns, or none"
        if wanted is None
        else f"there is no database {wanted} with configured columns",
        hint=f"Name one of those that have: {', '.join(protected) or 'none is there'}.",
    )


def scheme_named(schemes: Mapping[str, Scheme], column: str) -> Scheme:
    """The scheme of a configured column, or of its values of one tenant (`COLUMN@TENANT`).

    Raises ``ColumnUnknown``.
    """
    of, sign, tenant = column.rpartition("@")
    if column not in schemes and sign and of in schemes and schemes[of].tenant is not None:
        return schemes[of].of_tenant(tenant)
    if column not in schemes:
        raise ColumnUnknown(
            f"{column} is not a configured column",
            hint=f"Add it under `columns:`; configured are: {', '.join(schemes) or 'none'}.",
        )
    return schemes[column]


@contextmanager
def bar(advice: str) -> Iterator[Tell]:
    """Shows each step as a bar on standard error, and the advice when values begin to change."""
    shown = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[rows]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    tasks: dict[tuple[str, str], TaskID] = {}

    def tell(step: Step) -> None:
        nonlocal advice
        key = (step.stage.value, step.what)
        if advice and step.stage is Stage.FILL:
            shown.console.print(advice, markup=False, highlight=False)
            advice = ""
        if key not in tasks:
            tasks[key] = shown.add_task(f"{step.stage.value} {step.what}", total=step.total, rows="")
        rows = f"{step.rows:,} rows" if step.rows else ""
        shown.update(tasks[key], completed=step.done, total=max(step.total, 1), rows=rows)

    with shown:
        yield tell
