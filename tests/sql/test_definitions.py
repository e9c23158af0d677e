"""DDL near a protected table: what survives it passes, the rest is refused by name."""

from dataclasses import replace

import pytest
from tests.sql.world import CONTEXT, PROTECTIONS, SCHEMA, one, shown

from strongroom.errors import ComparisonRefused, DefinitionRefused, Denied, FunctionRefused, ValueMoves
from strongroom.sql.definitions import DEFINITIONS, WAY_OUT
from strongroom.sql.schema import Schema
from strongroom.sql.statement import Barrier, Context, Kind


def test_a_definition_is_a_barrier() -> None:
    """Whatever passes changes the catalog, so that nothing later is analysed by the old one."""
    for text in ("alter table customers add x int", "create view v as select email from customers"):
        resolved = one(text)
        assert (resolved.kind, resolved.barriers) == (Kind.DDL, Barrier.CATALOG)


def test_a_refusal_says_what_and_the_way_out() -> None:
    """The message names the command and the column; the hint is to unprotect first."""
    with pytest.raises(DefinitionRefused) as refused:
        one("alter table customers alter column email type citext")
    assert "ALTER COLUMN ... TYPE about the protected column email" in refused.value.message
    assert refused.value.hint == WAY_OUT


@pytest.mark.parametrize(
    "command",
    [
        "alter email drop default", "alter email set default null", "alter email set not null",
        "alter email set statistics 100", "alter email set storage external", "alter note set default 'a'",
        "alter score drop not null", "drop note", "validate constraint x", "enable row level security",
        "add column y int references plain (id)", "add x text default 'a'", "owner to someone",
        "set (fillfactor = 50)", "replica identity full", "drop constraint customers_email_key",
        "add constraint u unique using index i",
    ],
)  # fmt: skip
def test_commands_that_leave_protected_columns_alone(command: str) -> None:
    """They are sent as they came, and the table is known to be touched."""
    text = f"alter table customers {command}"
    assert shown(text) == text
    assert one(text).touched


@pytest.mark.parametrize(
    "command",
    [
        "drop email", "drop column if exists score", "alter iban type text", "alter email set default 'a'",
        "alter score add generated always as identity", "alter score drop identity",
        "alter email drop expression", "inherit plain", "no inherit plain", "of customers", "not of",
        "add constraint x exclude using btree (note with =)", "add x int, drop email",
        "drop constraint strongroom_email", "drop constraint if exists strongroom_email cascade",
    ],
)  # fmt: skip
def test_commands_that_protected_columns_would_not_survive(command: str) -> None:
    """They are refused, wherever they stand among others."""
    with pytest.raises(DefinitionRefused):
        one(f"alter table customers {command}")


def test_conditions_seal_their_literals() -> None:
    """A CHECK, an index's WHERE and a view hold a hole where a protected column is compared."""
    hole = "⟨public.customers.email⟩"
    assert shown("alter table customers add check (email <> 'a')").endswith(f"check (email <> {hole})")
    assert shown("alter table customers add y int check (email <> 'a')").endswith(f"(email <> {hole})")
    assert shown("create index on customers (id) where email = 'a'").endswith(f"where email = {hole}")
    assert shown("create view v as select id from customers where email = 'a'").endswith(f"= {hole}")


def test_a_condition_may_name_the_column_that_is_added() -> None:
    """ADD COLUMN brings a name of its own into its constraints, and it is no protected one."""
    text = "alter table customers add age int check (age > 17)"
    assert shown(text) == text
    with pytest.raises(FunctionRefused):
        one("alter table customers add size int generated always as (length(email)) stored")


def test_foreign_keys_join_what_shares_a_key() -> None:
    """Both ends are protected by one deterministic key, or neither is."""
    good = "alter table orders add foreign key (email, customer) references customers (email, id)"
    assert shown(good) == good
    for ours, theirs in (
        ("(email)", "customers (name)"), ("(email)", "customers (note)"), ("(total)", "customers (email)"),
        ("(email)", "customers"), ("(email)", "plain (txt)"),
    ):  # fmt: skip
        with pytest.raises(DefinitionRefused):
            one(f"alter table orders add foreign key {ours} references {theirs}")
    with pytest.raises(DefinitionRefused):
        one("alter table plain add foreign key (txt) references customers (email)")


def test_randomized_columns_are_neither_unique_nor_indexed() -> None:
    """Equal values have other ciphertexts, so that nothing would be found or refused."""
    for text in (
        "alter table customers add unique (id, iban)",
        "alter table customers add primary key (iban)",
        "create index on customers (id, iban)",
    ):
        with pytest.raises(ComparisonRefused):
            one(text)
    text = "create index on customers (id) include (iban)"
    assert shown(text) == text


@pytest.mark.parametrize(
    "index",
    ["using gist (email)", '(email collate "C")', "(email text_ops)", "using brin (id, score)"],
)
def test_an_index_compares_nothing_but_equality(index: str) -> None:
    """Another method, collation or operator class would look into what is sealed."""
    with pytest.raises(DefinitionRefused):
        one(f"create index on customers {index}")


def test_a_table_made_of_a_query_has_no_protected_column() -> None:
    """CREATE TABLE AS and SELECT INTO refuse one; a materialized view, which stays near, may have it."""
    for text in (
        "create table t as select email e from customers",
        "create temp table t as select array_agg(email) from customers",
        "select coalesce(email, 'a') into t from customers",
        "create table t as table mails",
    ):
        with pytest.raises(ValueMoves):
            one(text)
    assert "⟨public.customers.email⟩" in shown("create table t as select id from customers where email = 'a'")
    assert one("create materialized view v as select email from customers").barriers == Barrier.CATALOG


def test_heirs_take_the_protection_with_them() -> None:
    """A child or partition may constrain a protected column, but not give it a default."""
    text = "create table e partition of events (constraint c check (email <> 'a')) for values in ('a')"
    assert shown(text) == text.replace("'a')) ", "⟨public.events.email⟩)) ")
    for columns in ("email default 'a'", "email text generated always as ('a') stored"):
        with pytest.raises(Denied):
            one(f"create table e ({columns}) inherits (events)")
    own = "create table e (extra text default 'a' check (extra <> 'b')) inherits (customers)"
    assert shown(own) == own


def test_a_copy_of_the_table_or_its_row_type_is_refused() -> None:
    """LIKE and a column of the row type would hold ciphertext that nobody knows."""
    for text in (
        "create table t (like customers including all)",
        "create table t (x int, like mails)",
        "create table t (c customers[])",
        "create table t (c public.customers) inherits (plain)",
    ):
        with pytest.raises(DefinitionRefused):
            one(text)


def test_a_view_has_no_default_for_a_protected_column() -> None:
    """It would be stored as it is written, and stands in no CHECK's way."""
    with pytest.raises(DefinitionRefused):
        one("alter view mails alter mail set default 'a'")
    passing = "alter view mails alter id set default 1"
    assert shown(passing) == passing


def test_renames_pass_but_not_of_our_checks() -> None:
    """Columns are known by number; a CHECK of ours is known by its name, wherever it is dropped later."""
    for rename in ("rename email to mail", "rename to clients", "rename constraint a to b"):
        assert shown(f"alter table customers {rename}") == f"alter table customers {rename}"
    with pytest.raises(DefinitionRefused):
        one("alter table customers rename constraint strongroom_email to a")


def test_away_from_protected_tables_nothing_is_asked() -> None:
    """The same commands about another table are PostgreSQL's business."""
    for text in (
        "alter table plain drop txt", "create index on plain (lower(txt))", "drop table plain",
        "alter table plain rename constraint strongroom_a to b", "create table t (like plain)",
    ):  # fmt: skip
        assert shown(text) == text
        assert not one(text).touched


def test_a_partition_of_another_order_is_known_by_its_names() -> None:
    """Inherited protection follows the column's name, so its index and constraint are refused there, too."""
    with pytest.raises(DefinitionRefused):
        one("alter table events_a drop email")
    swapped = replace(SCHEMA.relations[106], parents=())
    context = Context(Schema({**SCHEMA.relations, 106: swapped}), PROTECTIONS, CONTEXT.search_path)
    text = "alter table events_a drop email"
    assert shown(text, context=context) == text


def test_what_is_not_listed_is_refused() -> None:
    """A definition without a treatment does not pass near a protected table."""
    assert "RuleStmt" not in DEFINITIONS
    with pytest.raises(Denied):
        one("create rule r as on delete to customers do instead nothing")
    with pytest.raises(Denied):
        one("create type pair as (one customers, two int)")
