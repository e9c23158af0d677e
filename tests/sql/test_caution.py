"""What a statement names: whether it comes near, and which code it would run."""

from dataclasses import replace

import pytest
from tests.sql.world import CONTEXT, PATH, PROTECTIONS, SCHEMA

from strongroom.errors import SettingPinned, UserCodeRefused
from strongroom.sql.caution import Survey, check_triggers, survey, text_is_harmless
from strongroom.sql.ground import ground_of
from strongroom.sql.parse import parse
from strongroom.sql.schema import Function, Schema, UserType
from strongroom.sql.statement import Barrier, Context


def found(text: str, context: Context = CONTEXT) -> Survey:
    """What is found in one statement."""
    (statement,) = parse(text).statements
    ground = ground_of(context.schema, context.protections)
    return survey(statement.tag, statement.body, ground, context)


def with_function(source: str, name: str = "made", language: str = "plpgsql", **schema: object) -> Context:
    """A world with one function more, and what else a snapshot can have."""
    function = Function(700, "public", name, "f", language, source)
    fields = {one: getattr(SCHEMA, one) for one in Schema.__dataclass_fields__ if one != "names"}
    made = Schema(**{**fields, "functions": {**SCHEMA.functions, 700: function}, **schema})
    return Context(made, PROTECTIONS, PATH)


@pytest.mark.parametrize(
    "text",
    [
        "select 1 from customers", "select 1 from mails", "select 1 from public.events_a", "table customers",
        "with x as (delete from customers returning id) select 1", "select (select count(*) from customers)",
        "insert into plain select 1 from orders",
        ("merge into plain p using customers c on true when matched then"
        " delete"), "copy customers from stdin", "lock table plain, customers", "truncate customers",
        "create view v as select 1 from customers", "alter table customers add x int", "vacuum customers",
        "explain select 1 from customers", "prepare p as select 1 from customers",
        "declare c cursor for select 1 from customers", "create index on customers (id)",
        "grant select on customers to x", "select null::customers", "create table t (x customers)",
        "select 1 from plain where exists (select from customers)",
        "with customers as (select 1) table customers",
        "create table t (x int references customers)", "select 1 from lowered",
    ],
)  # fmt: skip
def test_near(text: str) -> None:
    """A protected table, or what is read through to one, named anywhere in the tree."""
    assert found(text).near


@pytest.mark.parametrize(
    "text",
    [
        "select 1 from plain", "select 'customers'", "select customers from plain", "select 1 as customers",
        "table other.customers", "select 1 from nowhere", "select 1 from pg_class", "begin",
        "select null::plain",
        "listen customers", "savepoint customers", "create type customers as enum ('a')",
    ],
)  # fmt: skip
def test_not_near(text: str) -> None:
    """Another schema's table, a column, an alias, a string or any other name is not one."""
    assert not found(text).near


def test_the_search_path_says_which_table() -> None:
    """The same name under another path is another table."""
    assert not found("table customers", replace(CONTEXT, search_path=("pg_catalog", "other"))).near
    assert found("table customers", replace(CONTEXT, search_path=("pg_catalog", "public", "other"))).near


def test_names_that_are_not_known_are_told() -> None:
    """So that the catalog is read again; names of WITH are known, but for one with a schema."""
    assert found("select 1 from brand_new, plain").unknown == {"brand_new"}
    assert found("with w as (select 1) select 1 from w").unknown == set()
    assert found("with w as (select 1) select 1 from public.w").unknown == {"w"}
    assert found("select 1 from plain, pg_class").relations == {102}


@pytest.mark.parametrize(
    "text",
    [
        "select sneak()", "select public.sneak()", "select other.sneak()",
        "insert into plain select 1, sneak()",
        "select p.sneak from plain p", "select (p).sneak from plain p", "select 1 order by sneak()",
        "select id ~~~ 5 from plain", "select 5 operator(public.~~~) id from plain", "select caller()",
        "select 1 from sneak()", "call sneak()", "select max(id) over (order by sneak()) from plain",
        "update plain set id = sneak() where id = 1", "select 1 where 'a' ~~~ any (array['b'])",
        "select query_to_xml('select 1', true, true, '')", "select dblink('x', 'y')",
        "select pg_catalog.table_to_xml('customers', true, true, '')",
        "select id from plain order by id using ~~~",
    ],
)  # fmt: skip
def test_opaque_code_is_refused_anywhere(text: str) -> None:
    """Near a protected table or not: by call, field notation, operator, or as a function that runs text."""
    with pytest.raises(UserCodeRefused):
        found(text)


def test_code_that_is_listed_passes() -> None:
    """By schema and name; another schema's function of the name is not meant by it."""
    context = replace(CONTEXT, functions={"public.sneak": "reviewed"})
    assert found("select sneak()", context).functions == {("sneak",)}
    with pytest.raises(UserCodeRefused):
        found("select sneak()", replace(CONTEXT, functions={"other.sneak": "reviewed"}))


def test_without_anything_protected_all_code_passes() -> None:
    """It is the client's own."""
    assert found("select sneak()", Context(SCHEMA, {}, PATH)).functions == {("sneak",)}


def test_casts_of_users_run_code() -> None:
    """A type whose cast is a function that is opaque is refused where it is written."""
    types = (*SCHEMA.types, UserType(800, "public", "token", "b", 0))
    context = with_function("delete from customers", types=types, casts=((25, 800, 700),))
    with pytest.raises(UserCodeRefused, match=r"public\.made"):
        found("select 'a'::token", context)
    harmless = with_function("begin return $1; end", types=types, casts=((25, 800, 700),))
    assert found("select 'a'::token", harmless).types == {("token",)}


def test_code_behind_a_relation_is_refused() -> None:
    """Triggers where something is written; what views, defaults and policies call in any case."""
    assert not found("select 1 from audited").near
    for text in ("delete from audited", "with x as (delete from audited returning 1) select 1 from x"):
        with pytest.raises(UserCodeRefused, match='used by "audited"'):
            found(text)
    policed = replace(SCHEMA.relations[102], calls=(502,))
    context = with_function("x", relations={**SCHEMA.relations, 102: policed})
    with pytest.raises(UserCodeRefused, match='used by "plain"'):
        found("select 1 from plain", context)


def test_set_config_is_a_barrier() -> None:
    """By the setting that it names; a pinned one, or one that is not a literal, is refused."""
    assert found("select set_config('search_path', 'x', false)").barriers is Barrier.SEARCH_PATH
    assert found("select set_config('lock_timeout', 'x', false)").barriers is Barrier.NONE
    for call in ("set_config($1, 'x', false)", "pg_catalog.set_config('bytea_output', 'escape', true)"):
        with pytest.raises(SettingPinned):
            found(f"select {call}")


def test_pg_settings_is_not_updated() -> None:
    """Its rule calls set_config with whatever name is in the row; reading it is harmless."""
    for text in (
        "update pg_settings set setting = 'a'", "update pg_catalog.pg_settings s set setting = 'a'",
        "with x as (update pg_settings set setting = 'a' returning 1) select 1 from x",
        "explain analyze update pg_settings set setting = 'a'",
    ):  # fmt: skip
        with pytest.raises(SettingPinned):
            found(text)
    assert not found("select setting from pg_settings").near
    assert not found("update plain set txt = (select setting from pg_settings limit 1)").near


@pytest.mark.parametrize(
    ("source", "blind"),
    [
        ("begin new.at := now(); return new; end", True), ("begin return old; end", True),
        ("begin if new.at is null then return null; end if; return NEW; end", True),
        ("begin new.email := 'x'; return new; end",
        False), ('begin new."email" := 1; return new; end', False),
        ("begin perform f(new.*); return new; end", False), ("begin perform f(new); return new; end", False),
        ("begin x := old; return x; end", False), ("begin new . EMAIL := null; return new; end", False),
        ("begin new.at := hash_record(old); return new; end", False),
    ],
)  # fmt: skip
def test_triggers_must_be_blind(source: str, blind: bool) -> None:
    """A trigger of a protected table names unprotected columns of its rows only, or returns them whole."""
    functions = {**SCHEMA.functions, 500: replace(SCHEMA.functions[500], source=source)}
    context = with_function("x", functions=functions)
    relation, ground = SCHEMA.relations[109], ground_of(context.schema, PROTECTIONS)
    if blind:
        check_triggers(relation, ground, context)
        return
    with pytest.raises(UserCodeRefused, match='the trigger "stamp" of "stamped"'):
        check_triggers(relation, ground, context)
    check_triggers(relation, ground, replace(context, functions={"public.stamp": "reviewed"}))


def test_a_trigger_in_another_language_is_not_blind() -> None:
    """Nobody reads it; neither one whose function the snapshot does not know; ours is known."""
    relation, original = SCHEMA.relations[109], SCHEMA.functions[500]
    for changed in (replace(original, language="plpython3u"), None):
        functions = {**SCHEMA.functions, 500: changed} if changed else {}
        context = with_function("x", functions=functions)
        with pytest.raises(UserCodeRefused):
            check_triggers(relation, ground_of(context.schema, PROTECTIONS), context)
    ours = replace(original, schema="strongroom_keys", name="empty_shadows_109", source="new.email")
    context = with_function("x", functions={**SCHEMA.functions, 500: ours})
    check_triggers(relation, ground_of(context.schema, PROTECTIONS), context)


def test_triggers_of_tables_without_protection_are_not_asked() -> None:
    """What is not protected may be used by anything."""
    check_triggers(SCHEMA.relations[110], ground_of(SCHEMA, PROTECTIONS), CONTEXT)


def test_text_is_harmless_by_its_words() -> None:
    """Names of near relations and of opaque functions are hot, in any case."""
    ground = ground_of(SCHEMA, PROTECTIONS)
    assert text_is_harmless("select id from plain", ground)
    for word in ("Customers", "mails", "SNEAK", "caller", "execute"):
        assert not text_is_harmless(f"select {word} from plain", ground)
