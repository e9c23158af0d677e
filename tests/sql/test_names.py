"""The names of output columns."""

from strongroom.sql.names import output_name
from strongroom.sql.parse import parse
from strongroom.testing.servers import PostgresServer

EXPRESSIONS = [
    "1", "'x'", "'x'::text", "cast('x' as varchar(3))", "date '2020-01-01'", "a.b", "a", "(a).b",
    "a::int", "lower(a)", "pg_catalog.lower(a)", "a || 'b'", "-a::int", "nullif(a, 'b')",
    "coalesce(a, 'b')", "greatest(a, 'b')", "least(a, 'b')", "case when true then 1 end",
    "case when true then 'x' else a end", "case when true then 'x' else 'y'::text end", "array[1]",
    "row(1)", "(1, 2)", "exists (select 1)", "(select a)", "(select 1)", "(select a as c)",
    "array(select 1)", "(values (1))", "current_user", "session_user", "current_timestamp", "localtime",
    "current_date", "user", 'a collate "C"', "a is null", "not true", "a = 'b'", "a in ('b')",
    "(array[1])[1]", "a like 'b'", "extract(year from now())",
    "count(*)", "grouping(a)", "true", "interval '1' day", "(select a union select a)",
    "now() at time zone 'utc'", "trim(a)", "json_object()", "current_role", "current_catalog",
    "current_schema",
]  # fmt: skip


def test_names_are_those_of_postgresql(postgres: PostgresServer) -> None:
    """Each expression has the name that a real server gives it."""
    with postgres.connect() as connection:
        for expression in EXPRESSIONS:
            source = (
                "(select '1'::text as b) as a"
                if expression in {"a.b", "(a).b"}
                else "(select '1'::text as a) as t"
            )
            grouped = " group by a" if "grouping" in expression else ""
            text = f"select {expression} from {source}{grouped}"
            cursor = connection.execute(text.encode())
            assert cursor.description is not None
            (statement,) = parse(text).statements
            value = statement.body["targetList"][0]["ResTarget"]["val"]
            assert output_name(value) == cursor.description[0].name, text
