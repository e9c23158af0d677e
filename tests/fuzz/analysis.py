"""An atheris target: analysis of statements that are put together from words, and from octets as they come.

It may raise nothing but its own errors, and a query or change that names a protected table is never called
untouched. Run by `test_fuzz.py`, or by hand: `python -m tests.fuzz.analysis -max_total_time=60`.
"""

import json
import sys

import atheris

with atheris.instrument_imports(include=["strongroom"]):
    from tests.sql.world import CONTEXT

    from strongroom.errors import Denied
    from strongroom.sql.parse import parse
    from strongroom.sql.resolve import analyse
    from strongroom.sql.statement import Analysis, Kind

NAMES = ("customers", "orders", "mails", "events_a")
CHANGES = frozenset({Kind.SELECT, Kind.INSERT, Kind.UPDATE, Kind.DELETE, Kind.MERGE})
WORDS = """
select insert update delete merge with recursive as from where into values set on using natural left
full join lateral union all intersect except group by order having distinct limit returning default
conflict do nothing exists in any array row case when then else end is null not and or between like
cast coalesce nullif unnest count array_agg lag over partition table create view temp prepare
execute declare cursor for fetch copy to stdin stdout explain begin commit rollback alter add column
check rename inherits of text int bytea customers orders mails lowered events events_a plain other
public c o id email iban name score note txt excluded x y ( ( ) ) , , . . * ; = <> < || :: [ ] + -
$1 $2 $3 1 2.5 'a' '{a,b}' E'\\n' U&'\\0061' $$q$$ null true
""".split()  # noqa: SIM905  # a list of words reads as text


def analysed(data: bytes) -> None:
    """One input."""
    provider = atheris.FuzzedDataProvider(data)
    if provider.ConsumeProbability() < 0.1:
        text = provider.ConsumeUnicodeNoSurrogates(400)
    else:
        count = provider.ConsumeIntInRange(1, 40)
        text = " ".join(WORDS[provider.ConsumeIntInRange(0, len(WORDS) - 1)] for _ in range(count))
        text = ("", "select ", "select * from customers where ", "update customers set ", "with x as (")[
            provider.ConsumeIntInRange(0, 4)
        ] + text
    try:
        analysis = analyse(text, (), CONTEXT)
    except Denied:
        return
    check(text, analysis)


def check(text: str, analysis: Analysis) -> None:
    """No query or change that names a protected table is untouched."""
    try:
        trees = parse(text).statements
    except Denied:
        return
    for tree, resolved in zip(trees, analysis.statements, strict=True):
        shown = json.dumps(tree.body)
        named = any(
            f'"relname": "{name}"' in shown
            and f'"ctename": "{name}"' not in shown
            and '"schemaname"' not in shown
            for name in NAMES
        )
        if named and resolved.kind in CHANGES and not resolved.touched:
            raise AssertionError("a statement near a protected table is called untouched")


if __name__ == "__main__":
    atheris.Setup(sys.argv, analysed)
    atheris.Fuzz()
