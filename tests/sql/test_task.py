"""One statement, and the record made of it."""

from dataclasses import replace

import pytest
from tests.sql.world import CONTEXT, EMAIL, NAME, TEXT

from strongroom.errors import ConstructRefused, FunctionRefused, TypeRefused
from strongroom.sql.caution import Survey
from strongroom.sql.ground import ground_of
from strongroom.sql.parse import parse
from strongroom.sql.scope import Named
from strongroom.sql.statement import Barrier, Kind, Output
from strongroom.sql.task import Task, outputs, query
from strongroom.sql.value import PLAIN, Literal, Value


def task(text: str, number: int = 0, found: Survey | None = None) -> Task:
    """A statement of a text."""
    parsed = parse(text)
    item = parsed.statements[number]
    ground = ground_of(CONTEXT.schema, CONTEXT.protections)
    return Task(parsed, item.tag, item.body, item.start, item.end, (), ground, CONTEXT, found or Survey())


def test_the_text_of_a_statement_is_its_own() -> None:
    """Of several in one text, without the semicolon, and in bytes that are not ASCII."""
    text = "select 'ü'; select 2 ; select 3 -- x"
    texts = [task(text, number).text.strip() for number in range(3)]
    assert texts == ["select 'ü'", "select 2", "select 3 -- x"]


def test_what_is_sent_as_it_came_still_says_what_it_names() -> None:
    """Relations, names that are not known, and the barriers of what it calls."""
    found = Survey(relations={102}, unknown={"new"}, barriers=Barrier.ROLE)
    resolved = task("select 1", found=found).untouched(Kind.SELECT, Barrier.STYLE, name="x")
    assert (resolved.pieces, resolved.touched, resolved.parameters) == (("select 1",), False, None)
    assert (resolved.relations, resolved.unknown, resolved.name) == (
        frozenset({102}),
        frozenset({"new"}),
        "x",
    )
    assert resolved.barriers == Barrier.ROLE | Barrier.STYLE


def test_what_is_resolved_says_it_too() -> None:
    """With what was found on the way."""
    found = Survey(relations={102}, barriers=Barrier.ROLE)
    made = task("select 1", found=found)
    run = made.run()
    run.relations, run.touches = {100}, {(100, 2)}
    resolved = made.resolved(run, Kind.SELECT, outputs=())
    assert (resolved.touched, resolved.parameters, resolved.outputs) == (True, (), ())
    assert (resolved.relations, resolved.touches) == (frozenset({100, 102}), frozenset({(100, 2)}))
    assert resolved.barriers is Barrier.ROLE


def test_only_queries_and_changes_are_queries() -> None:
    """Anything else inside another statement is refused by its name."""
    made = task("select 1")
    with pytest.raises(ConstructRefused, match="CreateStmt cannot be analysed here"):
        query(made.run(), {"CreateStmt": {}})


def test_outputs_of_plain_columns_are_postgresqls_business() -> None:
    """But for the place that RowDescription must show."""
    made = outputs(
        task("select 1").run(), [Named("a", Value(type_oid=23, origin=(100, 1))), Named("b", PLAIN)]
    )
    assert made == (Output("a", 100, 1), Output("b", -1, 0))


def test_outputs_of_protected_columns_have_the_type_of_the_expression() -> None:
    """Text where a varchar was cast to it, and the length that all in it agree on; arrays have it, too."""
    node = Literal(0, 1)
    node.seal(NAME, is_array=False, compared=True)
    values = [
        Value(NAME, type_oid=1043, typmod=24, origin=(100, 4)), Value(NAME, type_oid=TEXT, typmod=-1),
        Value(NAME, type_oid=1043, typmod=24, open=((node, 0),)), Value(NAME, type_oid=1043, is_array=True),
        Value(NAME, type_oid=1043, typmod=24, is_array=True),
    ]  # fmt: skip
    made = outputs(task("select 1").run(), [Named("x", value) for value in values])
    assert [(output.type_oid, output.typmod, output.is_array) for output in made] == [
        (1043, 24, False), (TEXT, -1, False), (1043, 24, False), (1015, -1, True),
        (1015, 24, True),
    ]  # fmt: skip


def test_what_was_sealed_meanwhile_is_shown_so() -> None:
    """A literal of the select list that WHERE compared with a column is that column's."""
    node = Literal(0, 1)
    column = Named("x", Value(open=((node, 0),)))
    node.seal(EMAIL, is_array=False, compared=True)
    assert outputs(task("select 1").run(), [column])[0].protection == EMAIL


def test_outputs_that_cannot_be_shown_are_refused() -> None:
    """Rows with a protected field, and values of another type than their column's."""
    with pytest.raises(FunctionRefused):
        outputs(task("select 1").run(), [Named("x", Value(fields=(("a", Value(EMAIL)),)))])
    with pytest.raises(TypeRefused):
        outputs(task("select 1").run(), [Named("x", Value(EMAIL, type_oid=23))])
    assert outputs(task("select 1").run(), [Named("x", Value(fields=(("a", PLAIN),)))])[0].protection is None


def test_each_run_begins_anew() -> None:
    """With the types that Parse declares and the session's path, and nothing found."""
    made = replace(task("select 1"), declared=(25,))
    made.run().edit(0, 1, "x")
    run = made.run()
    assert (run.declared, run.path, run.edits, run.opens) == ((25,), CONTEXT.search_path, [], [])
