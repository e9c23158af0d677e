"""How a statement is understood, as rows for people: what `strongroom explain` prints.

Literals that are sealed show as `⟨column⟩`, never as their values. Called by `cli/`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from strongroom.sql.statement import Analysis, Barrier, Output, Parameter, Piece, Resolved


@dataclass(frozen=True, slots=True)
class Row:
    """One line: of which statement (from 1), about what, and what is known of it."""

    statement: int
    about: str
    meaning: str


def rows(analysis: Analysis) -> tuple[Row, ...]:
    """All that is known of a text, statement by statement."""
    return tuple(
        Row(number, about, meaning)
        for number, resolved in enumerate(analysis.statements, 1)
        for about, meaning in _lines(resolved)
    )


def sent(pieces: Sequence[Piece]) -> str:
    """The text that is sent, with its holes named."""
    return "".join(
        piece if isinstance(piece, str) else f"⟨{piece.protection.column}{'[]' if piece.is_array else ''}⟩"
        for piece in pieces
    )


def _lines(resolved: Resolved) -> Iterator[tuple[str, str]]:
    treatment = "understood, near protected columns" if resolved.touched else "sent as it came"
    yield "kind", f"{resolved.kind.value}: {treatment}"
    yield "sent", sent(resolved.pieces).strip()
    for number, parameter in enumerate(resolved.parameters or (), 1):
        yield f"parameter ${number}", _parameter(number, parameter)
    for output in resolved.outputs or ():
        yield f"column {output.name}", _output(output)
    for column in resolved.copy.columns if resolved.copy is not None else ():
        sealed = f"of {column.protection.column}" if column.protection is not None else "plain"
        yield f"stream column {column.name}", sealed
    if resolved.unknown:
        yield "not in the catalog", ", ".join(sorted(resolved.unknown))
    if resolved.barriers is not Barrier.NONE:
        names = [str(one.name) for one in Barrier if one & resolved.barriers]
        yield "barrier", "nothing later is analysed before it is answered: " + ", ".join(names).lower()


def _parameter(number: int, parameter: Parameter) -> str:
    if parameter.withheld:
        return "withheld: it goes in an array"
    if parameter.literal is not None and parameter.protection is not None:
        return f"a literal of the text; sealed for {parameter.protection.column}"
    taken = "" if parameter.client == number else f"takes the value of ${parameter.client}; "
    if parameter.members:
        taken = f"an array of {', '.join(f'${member}' for member in parameter.members)}; "
    if parameter.protection is None:
        return taken + "plain"
    each = "each element " if parameter.is_array else ""
    return f"{taken}{each}sealed for {parameter.protection.column}"


def _output(output: Output) -> str:
    if output.protection is None:
        return "plain"
    each = "each element " if output.is_array else ""
    return f"{each}opened by the key of {output.protection.column}"
