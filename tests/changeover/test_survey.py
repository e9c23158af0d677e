"""changeover/survey.py: what stands in the way is refused by name, and only that."""

import pytest
from tests.changeover.shop import EMAIL, IBAN, ORDER_EMAIL, Shop, target

from strongroom.changeover import job
from strongroom.changeover.model import Direction
from strongroom.protect.scheme import Scheme

TRIGGER = """\
CREATE TRIGGER t BEFORE UPDATE ON customers
FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"""


def scheme(column: str, type_: str = "text", encryption: str = "randomized") -> Scheme:
    """A column of the shop."""
    return Scheme.parse("shop", f"public.{column}", type=type_, encryption=encryption)


def test_a_shop_as_it_is_can_be_protected(shop: Shop) -> None:
    """Nothing is refused; what changes for indexes and size is noted."""
    plan = shop.plan(EMAIL, ORDER_EMAIL, IBAN)
    assert plan.refusals == ()
    assert [table.name for table in plan.tables] == ["customers", "orders"]
    assert [key.name for key in plan.foreign_keys] == ["orders_email_fkey"]
    assert any("index customers_email_key is built anew" in note for note in plan.notes)
    assert any("customers has about" in note for note in plan.notes)


@pytest.mark.parametrize(
    ("statement", "named"),
    [
        ("CREATE VIEW v AS SELECT iban FROM customers", "view public.v"),
        ("CREATE MATERIALIZED VIEW v AS SELECT upper(iban) FROM customers", "materialized view public.v"),
        ("ALTER TABLE customers ALTER iban SET DEFAULT 'none'", "default value"),
        ("ALTER TABLE customers ADD CONSTRAINT long CHECK (length(iban) > 1)", "constraint long"),
        ("ALTER TABLE customers ADD bank text GENERATED ALWAYS AS (left(iban, 2)) STORED", "column bank"),
        ("CREATE INDEX i ON customers (lower(iban))", "index public.i has an expression"),
        ("CREATE INDEX i ON customers (id) WHERE iban > 'DE'", "index public.i has an expression"),
        ("CREATE UNIQUE INDEX i ON customers (iban)", "index public.i is unique"),
        ("CREATE INDEX i ON customers (born, iban)", "index public.i has other columns"),
        ("CREATE INDEX i ON customers USING brin (iban)", "index public.i is of the kind brin"),
        ("ALTER TABLE customers ADD EXCLUDE USING btree (iban WITH =)", "EXCLUDE"),
        ("CREATE POLICY p ON customers USING (iban = current_user)", "policy p"),
        ("CREATE STATISTICS s ON iban, name FROM customers", "statistics object public.s"),
        ("CREATE PUBLICATION p FOR TABLE customers", "publication p carries public.customers.iban"),
        ("CREATE PUBLICATION p FOR ALL TABLES", "publication p carries public.customers.iban"),
        ("CREATE RULE r AS ON UPDATE TO customers WHERE old.iban = 'x' DO ALSO NOTHING", "rule r"),
        (TRIGGER, "trigger t"),
        ("CREATE TABLE special () INHERITS (customers)", "inherits"),
        ("ALTER TABLE customers FORCE ROW LEVEL SECURITY", "forces row security"),
        ("ALTER TABLE customers REPLICA IDENTITY USING INDEX customers_email_key", "replica identity"),
        ("CREATE FUNCTION f() RETURNS text RETURN (SELECT max(iban) FROM customers)", "function public.f()"),
        ("ALTER TABLE customers ALTER iban TYPE varchar(41)", "not of the type"),
    ],
)  # fmt: skip
def test_what_stands_in_the_way_is_refused_by_name(shop: Shop, statement: str, named: str) -> None:
    """One reason each, with a way out."""
    shop.run(statement)
    refusals = shop.plan(IBAN).refusals
    assert any(named in refusal for refusal in refusals), refusals
    assert all(": " in refusal for refusal in refusals)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE VIEW v AS SELECT id, email FROM customers",
        "ALTER TABLE customers ADD CHECK (length(name) > 1)",
        "CREATE INDEX i ON customers (iban)",
        "CREATE INDEX i ON customers (id) WHERE iban IS NOT NULL",
        "CREATE INDEX i ON customers (id) INCLUDE (iban)",
        "CREATE INDEX i ON customers (lower(name)) WHERE name > 'iban2'",
        "CREATE PUBLICATION p FOR TABLE customers (id, email)",
        "CREATE TABLE notes (id int REFERENCES customers)",
        "GRANT SELECT (iban) ON customers TO PUBLIC",
    ],
)
def test_what_does_not_mind_is_no_obstacle(shop: Shop, statement: str) -> None:
    """Refusing everything is not safety."""
    shop.run(statement)
    assert shop.plan(IBAN).refusals == ()


@pytest.mark.parametrize("first", [EMAIL, ORDER_EMAIL])
def test_a_foreign_key_is_changed_at_both_ends(shop: Shop, first: Scheme) -> None:
    """Or not at all."""
    (refusal,) = shop.plan(first).refusals
    assert "orders_email_fkey" in refusal


def test_a_foreign_key_needs_one_key(shop: Shop) -> None:
    """Two columns with keys of their own cannot be compared."""
    (refusal,) = shop.plan(EMAIL, scheme("orders.email", encryption="deterministic")).refusals
    assert "orders_email_fkey" in refusal


@pytest.mark.parametrize(
    ("column", "statement", "named"),
    [
        ("missing.email", "SELECT", "no table public.missing"),
        ("customers.missing", "SELECT", "no column public.customers.missing"),
        ("v.name", "CREATE VIEW v AS SELECT name FROM customers", "no ordinary table"),
        ("p.name", "CREATE TABLE p (id int, name text) PARTITION BY LIST (id)", "no ordinary table"),
        ("g.name", "CREATE TABLE g (id int, name text GENERATED ALWAYS AS ('x') STORED)", "computed"),
    ],
)
def test_a_column_must_be_one_of_an_ordinary_table(
    shop: Shop, column: str, statement: str, named: str
) -> None:
    """Whatever else is configured is refused by name."""
    shop.run(statement)
    assert any(named in refusal for refusal in shop.plan(scheme(column)).refusals)


@pytest.mark.parametrize("shop", ["15"], indirect=True)
def test_a_nondeterministic_collation_cannot_be_deterministic(shop: Shop) -> None:
    """Equal values would have other bytes."""
    shop.run(
        "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)",
        "CREATE TABLE people (name text COLLATE ci)",
    )
    assert "nondeterministic" in shop.plan(scheme("people.name", encryption="deterministic")).refusals[0]
    assert shop.plan(scheme("people.name")).refusals == ()


def test_triggers_may_be_accepted_if_they_fire_before_ours(shop: Shop) -> None:
    """By the name of their function."""
    shop.run(TRIGGER)
    accepted = ["pg_catalog.suppress_redundant_updates_trigger"]
    assert shop.plan(IBAN, accepted=accepted).refusals == ()
    shop.run('ALTER TRIGGER t ON customers RENAME TO "~~~~t"')
    assert "fires after ours" in shop.plan(IBAN, accepted=accepted).refusals[0]


def test_only_the_owner_can_change_a_table(shop: Shop) -> None:
    """Said before anything is tried."""
    shop.run("DROP ROLE IF EXISTS stranger", "CREATE ROLE stranger", "GRANT SELECT ON customers TO stranger")
    with shop.connect() as connection:
        connection.execute("SET ROLE stranger")
        refusals = job.plan_of(connection, [target(IBAN)], Direction.PROTECT).refusals
    assert any("belongs to another role" in refusal for refusal in refusals)
    shop.run("DROP OWNED BY stranger")


def test_what_is_not_protected_cannot_be_unprotected(shop: Shop) -> None:
    """There is nothing to do."""
    refusals = shop.plan(IBAN, direction=Direction.UNPROTECT).refusals
    assert refusals == ("public.customers.iban is not protected: there is nothing to do",)
