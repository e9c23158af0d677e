"""Every statement of the table, on a plaintext twin and on a protected one, gives the same or is refused.

The last test searches whatever the protected database wrote for what it was never to see; it looks at what
the tests before it have done.
"""

from collections.abc import Callable

import pytest
from tests.conformance.asking import Outcome, Refusal, Way
from tests.conformance.shop import MARKERS
from tests.conformance.statements.model import Case
from tests.conformance.statements.table import SECTIONS
from tests.conformance.tally import KEY, TABLE
from tests.conformance.twins import Twins, refusal, same, search

SERVERS = ("embedded", "15")
CASES = [
    pytest.param(
        section,
        case,
        id=case.name,
        marks=[pytest.mark.xfail(strict=True, reason=case.wrong)] if case.wrong else [],
    )
    for section, cases in SECTIONS.items()
    for case in cases
]
Record = Callable[[str, object], None]


@pytest.mark.parametrize("twins", SERVERS, indirect=True)
@pytest.mark.parametrize(("section", "case"), CASES)
def test_statement(twins: Twins, section: str, case: Case, record_property: Record) -> None:
    """The answers are the twin's in every way of asking, or the refusal is the expected one."""
    problems = []
    for way in case.ways:
        problem, code = _compare(twins, case, way)
        outcome = "wrong" if problem else "refused" if code else "same"
        record_property(KEY, (TABLE + section, outcome, code))
        problems += [f"{way.value}: {problem}"] if problem else []
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("twins", SERVERS, indirect=True)
def test_the_search_finds_plaintext(twins: Twins) -> None:
    """In the files of the plaintext twin the same search finds text, digits and dates."""
    with twins.plain.server.connect("shop") as connection:
        connection.execute("CHECKPOINT")
    found = [leak.around for leak in search(twins.plain.server.data)]
    assert all(any(marker in around for around in found) for marker in (b"xq7mark", b"98765432"))


@pytest.mark.parametrize("twins", SERVERS, indirect=True)
def test_no_plaintext_in_the_database(twins: Twins) -> None:
    """Neither the server's log nor any of its files, nor what the gateway wrote, holds a marker."""
    leaks = twins.leaks()
    assert not leaks, f"{len(leaks)} leaks, the first ones: {leaks[:5]}"


def _compare(twins: Twins, case: Case, way: Way) -> tuple[str, str]:
    """What is wrong, and the code of a refusal."""
    twins.begin()
    for step in case.steps:
        plain = twins.plain.ask(way, step.sql, step.parameters)
        protected = twins.protected.ask(way, step.sql, step.parameters)
        if same(plain, protected, ordered="order by" in step.sql.lower()):
            continue
        refused = refusal(protected)
        if refused is None:
            return _difference(step.sql, plain, protected), ""
        return _judge(case, refused, plain), refused.code
    return (f"not refused, though {case.refused} was expected" if case.refused else ""), ""


def _judge(case: Case, refused: Refusal, plain: list[Outcome]) -> str:
    if any(marker.decode() in refused.said for marker in MARKERS):
        return f"the refusal quotes a value: {refused}"
    if not refused.hint and not refused.code.startswith("value-"):
        return f"the refusal names no way out: {refused}"
    if refused.code != case.refused:
        return f"{refused}\n  twin {' | '.join(map(str, plain))}"
    return ""


def _difference(sql: str, plain: list[Outcome], protected: list[Outcome]) -> str:
    """What differs, as short as can be."""
    if len(plain) != len(protected):
        return f"{sql}\n  twin {' | '.join(map(str, plain))}\n  here {' | '.join(map(str, protected))}"
    differ = [(one, other) for one, other in zip(plain, protected, strict=True) if str(one) != str(other)]
    one, other = differ[0] if differ else (plain[0], protected[0])
    return f"{sql}\n  twin {one}\n  here {other}"
