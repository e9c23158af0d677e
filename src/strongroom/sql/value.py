"""What is known of one expression: protected, plain, or still open.

A literal, a parameter and a cast of these are `Open`: they become sealed or stay plain by what they meet
(`email = $1` seals, `id = $1` does not). An `Open` decides once; one that meets both is refused, because it
has one place in the text. Each is remembered with the place where it stands, so that `rewrite.py` can write
the decision.
"""

from dataclasses import dataclass, field

from strongroom.errors import TypeMismatch, TypeRefused, ValueMoves
from strongroom.sql.schema import ColumnId, Protection, Row
from strongroom.sql.typenames import (
    ARRAYS,
    BYTEA,
    BYTEA_ARRAY,
    ELEMENTS,
    TEXT,
    TEXTUAL,
    are_textual,
    compared_type,
    is_assigned,
    keeps_value,
    widens,
)

NO_TYPE = -1
"""A type that is not one of ours, so that nothing sealed can have it."""


@dataclass(slots=True, eq=False)
class Open:
    """A literal, parameter or cast whose form is not decided yet; `start` and `end` are bytes of the text."""

    start: int
    end: int
    type_oid: int = 0  # by a cast of its own, or as Parse declared it; 0: by context
    typmod: int = -1  # of its own cast
    cut: int = 0  # characters that casts to varchar(n) leave of it; 0: all
    stored: bool = False  # in a definition that the database stores: what is sealed there has bytes already
    plain: bool = False
    protection: Protection | None = None
    is_array: bool = False
    compared: bool = True
    natural_oid: int = 0  # the type that its context gave it first; NO_TYPE: one that is not known
    recast: bool = False  # it was text where it stands, and another type only by a cast further out
    label: str = ""  # as an output without an alias, its name, which would change with it
    label_at: int = 0
    links: "list[Value]" = field(default_factory=list)  # values that are sealed whole if this is

    def keep_plain(self, type_oid: int = 0) -> None:
        """It was met by something unprotected."""
        if self.protection is not None:
            raise _both(self.protection)
        self.plain = True
        self.natural_oid = self.natural_oid or type_oid

    def seal(self, protection: Protection, *, is_array: bool, compared: bool) -> None:
        """It was met by a protected column."""
        if self.plain:
            raise _both(protection)
        if not self._accepts(protection, is_array=is_array, compared=compared):
            if not (compared or is_array or self.stored or is_assigned(self.type_oid, protection.type_oid)):
                raise mismatch(protection)
            raise TypeRefused(
                f"a value of another type meets the protected column {protection.column}",
                hint="leave the cast out, or cast to the column's declared type",
            )
        if self.protection is not None and compared != self.compared and not self._is_kept(protection):
            raise TypeRefused(
                f"a value of another type is compared with the column {protection.column}, and stored in it",
                hint="cast it to the column's declared type",
            )
        if self.protection is None:
            self.protection, self.is_array = protection, is_array
            natural = compared_type(protection.type_oid) if compared else protection.type_oid
            by_default = self.natural_oid == TEXT and natural not in TEXTUAL  # text that is cast further out
            self.recast = by_default
            if not self.natural_oid or by_default:
                self.natural_oid = ARRAYS.get(natural, 0) if is_array else natural
        self.compared = self.compared and compared and self.typmod == -1

    def _is_kept(self, protection: Protection) -> bool:
        """Whether every value of its own type is one of the column's, so that all uses agree."""
        element = ELEMENTS.get(self.type_oid, NO_TYPE) if self.is_array else self.type_oid
        return self.stored or element == 0 or widens(element, protection.type_oid)

    def _accepts(self, protection: Protection, *, is_array: bool, compared: bool) -> bool:
        """Whether its own type leaves the value as it is."""
        if self.stored:
            return self.type_oid == (BYTEA_ARRAY if is_array else BYTEA)
        if self.type_oid == 0:
            return True
        if self.typmod not in {-1, protection.typmod}:
            return False
        element = ELEMENTS.get(self.type_oid, NO_TYPE) if is_array else self.type_oid
        return keeps_value(element, protection, compared=compared)


@dataclass(slots=True, eq=False)
class Literal(Open):
    """A constant of the text."""

    value: str = field(default="", repr=False)
    number_oid: int = 0  # of a number, which is written without quotes
    bound: bool = False  # it goes upstream as a parameter more


@dataclass(slots=True, eq=False)
class ArrayText(Literal):
    """`ARRAY['a', 'b']` as one constant: for a column whose values are arrays, each sealed as a whole.

    Beside it the constants in it are open, too, which are sealed one by one for a column of elements.
    """

    elements: "tuple[Open, ...]" = ()

    def seal(self, protection: Protection, *, is_array: bool, compared: bool) -> None:
        """Takes the place of its elements."""
        for node in self.elements:
            node.keep_plain()
        Open.seal(self, protection, is_array=is_array, compared=compared)


@dataclass(slots=True, eq=False)
class ParameterUse(Open):
    """One use of a parameter."""

    number: int = 0
    gathered: bool = False  # its value goes upstream in a sealed array, and nowhere else


@dataclass(slots=True, eq=False)
class Gathered(Open):
    """`ARRAY[$1, $2]` as one value more, beside its parameters, as `ArrayText` is of constants."""

    uses: "tuple[ParameterUse, ...]" = ()
    elements: "tuple[Open, ...]" = ()  # the casts of the parameters, too

    def seal(self, protection: Protection, *, is_array: bool, compared: bool) -> None:
        """Takes the place of its elements."""
        for node in self.elements:
            node.keep_plain()
        for use in self.uses:
            use.gathered = True
        Open.seal(self, protection, is_array=is_array, compared=compared)


WholeArray = ArrayText | Gathered
"""What stands beside the elements of which it is made."""


@dataclass(slots=True, eq=False)
class Cast(Open):
    """A cast of something open; its place is that of the type's name."""

    inner_oid: int = 0  # the type of what is cast; 0: it has none yet
    cuts: bool = False  # its length is kept by what it cuts

    def _accepts(self, protection: Protection, *, is_array: bool, compared: bool) -> bool:
        """Whether the cast does nothing to a value that goes on to this column."""
        if self.stored or not (self.cuts or self.typmod in {-1, protection.typmod}):
            return Open._accepts(self, protection, is_array=is_array, compared=compared)
        element = ELEMENTS.get(self.type_oid, NO_TYPE) if is_array else self.type_oid
        inner = ELEMENTS.get(self.inner_oid, self.inner_oid) if is_array else self.inner_oid
        if inner == 0:
            return element == protection.type_oid or are_textual(element, protection.type_oid)
        return widens(inner, element)


def mismatch(protection: Protection) -> TypeMismatch:
    """What PostgreSQL says where no assignment cast leads to a column's type."""
    return TypeMismatch(
        f"a value of another type would be stored in the protected column {protection.column}",
        hint="cast it to the column's declared type",
    )


def _both(protection: Protection) -> ValueMoves:
    return ValueMoves(
        f"one value is used for the protected column {protection.column} and elsewhere, unprotected",
        hint="write the value, or its subquery, once for each use",
    )


@dataclass(frozen=True, slots=True)
class Value:
    """What an expression gives."""

    protection: Protection | None = None  # sealed as values of this column
    is_array: bool = False  # an array of such
    open: tuple[
        tuple[Open, int], ...
    ] = ()  # what is still open in it; +1: it is an element of that, -1: an array
    null: bool = False  # the constant NULL
    type_oid: int = 0  # the type that the client sees, of the element if `is_array`; 0: not known
    typmod: int = -1
    origin: tuple[int, int] = (0, 0)  # table and attribute in RowDescription; (-1, 0): not known
    fields: "tuple[tuple[str, Value], ...] | None" = None  # of a row
    shown_oid: int = (
        0  # the type of strings to which a protected value, its one field, is cast for the client
    )
    cast: bool = False  # to the type that it has, after it was sealed
    void: bool = False  # NULL that is text already, unless a cast says otherwise
    names: Row | None = None  # it is the column that names the tenant of this row
    columns: frozenset[ColumnId] = frozenset()  # of which it was made, those of `fields` apart
    as_is: ColumnId | None = None  # the one of them whose value it is, and nothing was done to it

    @property
    def undecided(self) -> bool:
        """Whether it may yet become sealed or plain."""
        return self.protection is None and bool(self.open)

    @property
    def is_text(self) -> bool:
        """Whether it is text of which a cast elsewhere makes another type, as which it is sealed."""
        nodes = [node for node, _ in self.open]
        cast = self.cast or any(isinstance(node, Cast) for node in nodes)
        return not cast and any(node.recast for node in nodes)

    def touches(self) -> bool:
        """Whether anything in it is protected."""
        return self.protection is not None or any(value.touches() for _, value in self.fields or ())


PLAIN = Value(origin=(-1, 0))
"""Something unprotected of which no more is known."""

COMPUTED = Value()
"""An unprotected expression that is not a bare column: RowDescription shows no table."""

NULL = Value(null=True)

TEXT_NULL = Value(type_oid=TEXT, void=True)
"""What PostgreSQL makes of NULLs alone in CASE, COALESCE, UNION and the like (select_common_type)."""
