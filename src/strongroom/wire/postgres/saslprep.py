"""SASLprep (RFC 4013) with PostgreSQL's two deviations: how a password becomes bytes before it is hashed.

Used by ``scram`` alone. Both ends must agree to the bit, so this follows src/common/saslprep.c and its
callers, not the RFC, where they differ: ASCII is taken as it is, control characters included; and a
password that SASLprep refuses is used unprepared rather than rejected (``scram_build_secret``,
``pg_fe_scram_init``). The tables of RFC 3454 come from the standard library.
"""

import stringprep
import unicodedata
from collections.abc import Callable

# RFC 4013, section 2.3, in its order; C.1.2 is mapped to a space before the check.
_PROHIBITED: tuple[Callable[[str], bool], ...] = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,  # unassigned in Unicode 3.2: RFC 4013, section 2.5, stored strings
)


def prepared_password(password: str) -> bytes:
    """The bytes that are hashed for ``password``: prepared where SASLprep allows it, else as they are."""
    if password.isascii():
        return password.encode("ascii")
    mapped = "".join(map(_mapped, password))
    # PostgreSQL checks the mapped text, before normalization; so must we.
    if not mapped or any(_is_prohibited(c) for c in mapped) or not _bidi_holds(mapped):
        return password.encode("utf-8", "surrogatepass")
    return unicodedata.normalize("NFKC", mapped).encode()


def _mapped(c: str) -> str:
    """RFC 4013, section 2.1: other spaces become a space, some characters nothing."""
    if stringprep.in_table_c12(c):
        return " "
    return "" if stringprep.in_table_b1(c) else c


def _is_prohibited(c: str) -> bool:
    return any(in_table(c) for in_table in _PROHIBITED)


def _bidi_holds(text: str) -> bool:
    """RFC 3454, section 6: right-to-left text has no left-to-right letters, and begins and ends as it is."""
    if not any(map(stringprep.in_table_d1, text)):
        return True
    ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
    return ends and not any(map(stringprep.in_table_d2, text))
