"""One analysis under way: what it stands on, what it found, and what it will change in the text.

A `Run` is made for each statement by `resolve.py` and passed through `queries.py`, `changes.py` and
`expressions.py`; `rewrite.py` reads it when all is decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from strongroom.errors import ConstructRefused
from strongroom.sql.access import Uses
from strongroom.sql.ground import Ground
from strongroom.sql.lexer import Lexed
from strongroom.sql.parse import Node
from strongroom.sql.schema import ColumnId, Row
from strongroom.sql.scope import Named
from strongroom.sql.statement import Context, Piece
from strongroom.sql.value import Literal, Open, ParameterUse, Value

MAX_PARAMETERS = 65535  # Bind counts them in an Int16 (manual, "Message Formats")


@dataclass(frozen=True, slots=True)
class Edit:
    """A replacement in the text."""

    start: int
    end: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """Something open meets a keyed column (`keyed.py`); None: something that is not known here."""

    column: ColumnId
    node: Open | None
    is_array: bool = False
    is_stored: bool = False


@dataclass(slots=True)
class Run:
    """The state of one analysis."""

    lexed: Lexed
    ground: Ground
    context: Context
    path: tuple[str, ...]
    declared: Sequence[int] = ()
    stored: bool = False  # the text is a definition in the database, not one that is sent
    kept: bool = False  # the text becomes a definition: errors of its conditions will be told to others
    opens: list[Open] = field(default_factory=list)
    edits: list[Edit] = field(default_factory=list)
    touches: set[ColumnId] = field(default_factory=set)
    relations: set[int] = field(default_factory=set)
    asked: list[Value] = field(default_factory=list)  # parameters of which IS NULL asks
    pairs: list[tuple[Value, Value, str]] = field(default_factory=list)  # open values that are compared
    moves: list[tuple[Row | None, Row | None, str]] = field(default_factory=list)  # of tenants' values
    views: dict[int, list[Named]] = field(default_factory=dict)
    uses: Uses = field(default_factory=Uses)
    held: dict[tuple[ColumnId, object, bool], Held] = field(default_factory=dict)
    top: int = 0  # the highest parameter used
    _by_place: dict[int, Literal | ParameterUse] = field(default_factory=dict)
    _by_number: dict[int, list[ParameterUse]] = field(default_factory=dict)
    _indexed: int = 0  # of `opens`: in a list of thousands nothing is to be looked for

    def add(self, node: Open, type_oid: int = 0) -> Value:
        """Something open, as a value; of its own type, where no other is said."""
        node.stored = self.stored
        self.opens.append(node)
        return Value(open=((node, 0),), type_oid=type_oid or node.type_oid)

    def placed(self, start: int) -> Literal | ParameterUse | None:
        """The parameter or literal that begins at a byte."""
        self._index()
        return self._by_place.get(start)

    def uses_of(self, number: int) -> list[ParameterUse]:
        """All uses of a parameter."""
        self._index()
        return self._by_number.get(number, [])

    def _index(self) -> None:
        for node in self.opens[self._indexed :]:
            if isinstance(node, Literal | ParameterUse):
                self._by_place.setdefault(node.start, node)
            if isinstance(node, ParameterUse):
                self._by_number.setdefault(node.number, []).append(node)
        self._indexed = len(self.opens)

    def edit(self, start: int, end: int, *pieces: Piece) -> None:
        """Replaces bytes of the text."""
        self.edits.append(Edit(start, end, pieces))

    def computed(self, value: Value) -> None:
        """What a SELECT or RETURNING list computes is told by errors and by numbers of rows, read or not.

        Of a view, whoever made it has computed it.
        """
        if value.as_is is None and not self.stored:
            self.uses.reveal(value)

    def name_end(self, location: int) -> int:
        """The end of a dotted name that begins at a byte."""
        index = self.lexed.at(location)
        while self.lexed.text(index + 1) == b"." and self.lexed.text(index + 2) != b"*":
            index += 2
        return self.lexed.ends[index]

    def bracket_after(self, location: int) -> tuple[int, int]:
        """Where the list of names in brackets begins and ends that follows a name and its alias."""
        opening = self.lexed.at(location)
        while self.lexed.text(opening) not in {b"(", b""}:
            opening += 1
        return self.lexed.starts[opening], self.lexed.ends[self._bracketed(opening, b"(", b")") - 1]

    def literal_end(self, location: int) -> int:
        """The end of a constant, its sign included."""
        index = self.lexed.at(location)
        while self.lexed.text(index) in {b"-", b"+"}:
            index += 1
        return self.lexed.ends[index]

    def array_end(self, location: int) -> int:
        """The end of ARRAY[...], or of the [...] in one."""
        index, depth = self._skip(self.lexed.at(location), b"array"), 0
        while (text := self.lexed.text(index)) != b"]" or depth > 1:
            depth += (text == b"[") - (text == b"]")
            index += 1
        return self.lexed.ends[index]

    def type_end(self, location: int) -> int:
        """The end of a type's name with its modifiers and array bounds (gram.y: Typename)."""
        index = self.lexed.at(location)
        first = self.lexed.word(index)
        index += 1
        while self.lexed.text(index) == b".":
            index += 2
        if first in {b"national", b"double"}:
            index += 1
        index = self._skip(index, b"varying")
        index = self._bracketed(index, b"(", b")")
        if first in {b"time", b"timestamp"} and self.lexed.word(index) in {b"with", b"without"}:
            index += 3
        index = self._skip(index, b"array")
        while (after := self._bracketed(index, b"[", b"]")) != index:
            index = after
        return self.lexed.ends[index - 1]

    def _skip(self, index: int, word: bytes) -> int:
        return index + 1 if self.lexed.word(index) == word else index

    def _bracketed(self, index: int, opening: bytes, closing: bytes) -> int:
        if self.lexed.text(index) != opening:
            return index
        while self.lexed.text(index) not in {closing, b""}:
            index += 1
        return index + 1


def only(construct: str, body: Node, *known: str) -> None:
    """Refuses a node with a field that the caller does not treat: what may pass is listed."""
    for key in body:
        if key not in known:
            raise ConstructRefused(f"{construct} with {key} cannot be analysed beside a protected table")
