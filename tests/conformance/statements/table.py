"""The whole table, by section."""

from tests.conformance.statements import comparing, leaks, reading, sessions, writing

SECTIONS = {
    "reading": reading.CASES,
    "comparing": comparing.CASES,
    "writing": writing.CASES,
    "sessions": sessions.CASES,
    "leaks of others": leaks.CASES,
}
