"""changeover/statements.py: SQL as text, here for what real runs elsewhere do not show."""

from tests.changeover.shop import IBAN, target

from strongroom.changeover import statements
from strongroom.changeover.model import Column, Direction, Plan, Table, shadow_name
from strongroom.sql.schema import ORDER_COMMENT, read_order

COLUMN = Column(target(IBAN), 2, 'i"ban', not_null=True, comment="it's here", grants=(("r", "SELECT", True),))
TABLE = Table(42, "public", 'cust"omers', (COLUMN,), (), ((1, "id"), (2, 'i"ban'), (3, "name")), ())
PLAN = Plan(Direction.PROTECT, (TABLE,), (), (), ())


def test_names_are_quoted() -> None:
    """In every statement."""
    texts = [*statements.prepare(TABLE, Direction.PROTECT), *statements.swap(PLAN)]
    texts += [step.sql for step in statements.after(PLAN)]
    for text in texts:
        assert 'i"ban' not in text.replace('i""ban', "")
        assert 'cust"omers' not in text.replace('cust""omers', "")


def test_comments_and_grants_are_made_again() -> None:
    """As constants, whatever they hold."""
    swap = list(statements.swap(PLAN))
    assert """COMMENT ON COLUMN "public"."cust""omers"."i""ban" IS 'it''s here'""" in swap
    assert 'GRANT SELECT ("i""ban") ON "public"."cust""omers" TO r WITH GRANT OPTION' in swap


def test_a_scan_holds_no_exclusive_lock() -> None:
    """What validates needs none; what needs one does not scan."""
    steps = list(statements.after(PLAN))
    assert [step.locks is not None for step in steps] == [False, False, True, False]
    assert all(("VALIDATE" in step.sql or "ANALYZE" in step.sql) == (step.locks is None) for step in steps)


def test_long_names_are_cut() -> None:
    """And stay apart by a hash."""
    first, second = shadow_name("x" * 60 + "a"), shadow_name("x" * 60 + "b")
    assert first != second
    assert max(len(first), len(second)) <= 63
    assert first.startswith("strongroom_shadow_")


def test_the_order_of_columns_is_read_as_written() -> None:
    """By attnum in this table, by name in a restored one."""
    comment = statements.order_comment(TABLE, {"id": 1, "name": 3, 'i"ban': 7})
    assert comment.startswith(ORDER_COMMENT)
    assert read_order(comment, 42, {}) == (1, 7, 3)
    assert read_order(comment, 43, {"id": 1, "name": 2, 'i"ban': 3}) == (1, 3, 2)


def test_our_trigger_fires_last() -> None:
    """No name of printable ASCII sorts after it but those that begin like it."""
    assert statements.TRIGGER > "~~~"
    assert all(chr(code) * 3 < statements.TRIGGER for code in range(32, 127))
