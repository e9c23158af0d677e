"""Runs the statements and the corpus, and writes the count to docs/conformance.md.

``python -m tests.conformance.count`` from the top of the tree. It ends with pytest's status, or with 1 where
the goal is missed: nothing wrong, and of 100 statements that sealed values can carry out 97 with the twin's
result.
"""

import sys
from pathlib import Path

import pytest
from tests.conformance.tally import Outcome, Tally, add_up, share

GOAL = 0.97
ROOT = Path(__file__).parent.parent.parent
PAGE = ROOT / "docs" / "conformance.md"
TESTS = [str(Path(__file__).with_name(name)) for name in ("test_statements.py", "test_corpus.py")]
HEAD = """\
# Conformance: what statements on protected tables give

Written by `python -m tests.conformance.count`. Each statement runs on two real databases with the same rows:
one in plaintext, reached directly, and one protected, reached through the gateway. *The twin's result* means
the same rows, types, command tag and SQLSTATE; *refused* means an error of the gateway's with its code and a
way out, and nothing of the statement done; all else is *wrong*. After the run the protected server's log, in
which it keeps every statement and parameter it is sent, and all of its files are searched for the plaintexts.

The table of statements (`tests/conformance/statements/`) holds on purpose what sealed values cannot do, and
what leaked through other gateways; each statement runs in four ways: simple, extended with text, extended
with binary, prepared. The corpus (`tests/conformance/corpus/`) is what applications say through ORMs and
drivers; some of its steps are there to be refused. Both run on PostgreSQL 18 and, with TLS, on PostgreSQL 15.

*Beyond sealed values* is what the database could do only with the plaintext: order, ranges, LIKE, functions,
comparing randomized columns, copying into columns that are not protected alike. The last column leaves these
out: of what can be done with sealed values, how much gives the twin's result. *Refused otherwise* is the rest
of the refusals, whose number is a defect to drive down.

"""


class Collector:
    """Keeps what the reports of a run carry."""

    def __init__(self) -> None:
        self.properties: list[tuple[str, object]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called by pytest for each phase of each test; properties stand in the last."""
        if report.when == "teardown":
            self.properties += report.user_properties


def main() -> int:
    """Runs, writes, and says whether the goal is met."""
    collector = Collector()
    status = pytest.main(["-q", *TESTS], plugins=[collector])
    tally = add_up(collector.properties)
    PAGE.write_text(page(tally))
    print(f"written to {PAGE.relative_to(ROOT)}")
    return int(status) or int(not reached(tally))


def page(tally: Tally) -> str:
    """The page of the documentation."""
    refusals = [f"| `{code}` | {number} |" for code, number in tally.refusals.most_common()]
    lines = [
        *tally.lines(),
        "",
        "## Refusals by code",
        "",
        "| code | statements |",
        "|---|---:|",
        *refusals,
        "",
    ]
    return HEAD + "\n".join(lines)


def reached(tally: Tally) -> bool:
    """Nothing is wrong, and enough gives the twin's result, in the table and in the corpus."""
    whole = tally.count()
    return not whole[Outcome.WRONG] and min(share(whole), share(tally.count(tally.corpus))) >= GOAL


if __name__ == "__main__":
    sys.exit(main())
