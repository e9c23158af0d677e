"""The whole table, by section."""

from tests.conformance.statements import comparing, leaks, reading, sessions, updating, writing

SECTIONS = {
    "reading": reading.CASES,
    "comparing": comparing.CASES,
    "writing": (*writing.CASES, *updating.CASES),
    "sessions": sessions.CASES,
    "leaks of others": leaks.CASES,
}
