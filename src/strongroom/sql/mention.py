"""Which words a text of code could mean: for code that analysis does not read, but need not fear.

A function's body, a DO block or a text newer than the parser is harmless if none of the words in it,
comments and strings included, is the name of something near a protected table or can run SQL made at run
time. That is coarse and errs towards refusal. Called by `ground.py`, `caution.py` and
`utility.py`.
"""

import re
from collections.abc import Set

# Words by which code runs SQL that is not written in it, or changes what names mean: PL/pgSQL's EXECUTE, and
# those of PostgreSQL's own and contributed functions that take a query or a table by text.
RUNS_TEXT = frozenset(
    [
        "query_to_xml",
        "query_to_xmlschema",
        "query_to_xml_and_xmlschema",
        "cursor_to_xml",
        "cursor_to_xmlschema",
        "table_to_xml",
        "table_to_xmlschema",
        "table_to_xml_and_xmlschema",
        "schema_to_xml",
        "schema_to_xmlschema",
        "schema_to_xml_and_xmlschema",
        "database_to_xml",
        "database_to_xmlschema",
        "database_to_xml_and_xmlschema",
        "ts_stat",
        "ts_rewrite",
        "crosstab",
        "crosstab2",
        "crosstab3",
        "crosstab4",
        "crosstabn",
        "connectby",
        "xpath_table",
        "dblink",
        "dblink_exec",
        "dblink_open",
        "dblink_send_query",
        "pg_get_object_address",
    ]
)
# Settings are named where code changes them far more often than where it reads them.
_CHANGES_MEANING = frozenset(
    [
        "execute",
        "set_config",
        "search_path",
        "bytea_output",
        "client_encoding",
        "standard_conforming_strings",
        "extra_float_digits",
    ]
)
# SET and RESET of what has a word of its own (manual, "SET", "SET ROLE", "RESET"), at the start of a
# statement: `UPDATE ... SET role = 'x'` sets a column.
_STATEMENT_START = r"(?:^|[;>]|\b(?:begin|then|else|loop))\s*"
_SETS = re.compile(
    _STATEMENT_START
    + r"(?:re)?set\s+(?:(?:session|local)\s+)?"
    + r"\"?(?:schema|role|all|authorization|session\s+authorization|strongroom)\b",
    re.IGNORECASE,
)
_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_SETTINGS_CHANGED = {"update", "pg_settings"}  # the view has a rule that calls set_config
_WORD = re.compile(r"[^\W\d][\w$]*")
_LITERAL = re.compile(r"'[^']|(?<![\w$])(?![01]\b)\d")
_UNICODE_ESCAPE = re.compile(r"[uU]&['\"]")


def harmless(text: str, hot: Set[str]) -> bool:
    """Whether no word of a text is hot, or runs text; `hot` is in lower case."""
    words = _words(text)
    if mentions(text, hot) or words & RUNS_TEXT or words & _CHANGES_MEANING or words >= _SETTINGS_CHANGED:
        return False
    return not (_SETS.search(text) or _SETS.search(_COMMENT.sub(" ", text)))


def mentions(text: str, names: Set[str]) -> bool:
    """Whether a word of a text is one of the names, which are in lower case, or may be."""
    if _UNICODE_ESCAPE.search(text) or _words(text) & names:
        return True
    lowered = text.lower()
    return any(name in lowered for name in names if not _WORD.fullmatch(name))


def has_literal(text: str) -> bool:
    """Whether a text of code may hold a value: a string that is not empty, or a number but 0 and 1."""
    return _LITERAL.search(text) is not None


def _words(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(text)}
