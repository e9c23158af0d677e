"""A small database for the tests of analysis, as a snapshot written by hand."""

from dataclasses import replace

from strongroom.sql.explain import sent
from strongroom.sql.resolve import analyse
from strongroom.sql.schema import Column, Function, Operator, Protection, Relation, Schema, UserType
from strongroom.sql.statement import Context, Resolved

PATH = ("pg_temp_3", "pg_catalog", "public")
INT, TEXT, VARCHAR, DATE, NUMERIC, BOOL = 23, 25, 1043, 1082, 1700, 16
INT_ARRAY, TEXT_ARRAY = 1007, 1009


def table(
    oid: int, name: str, *columns: tuple[str, int], schema: str = "public", kind: str = "r"
) -> Relation:
    """A table whose columns have no modifiers."""
    made = tuple(Column(number, column, type_oid, -1) for number, (column, type_oid) in enumerate(columns, 1))
    return Relation(oid, schema, name, kind, made)


def _with(relation: Relation, **more: object) -> Relation:
    return replace(relation, **more)  # type: ignore[arg-type]  # mypy cannot see into **


CUSTOMERS = _with(
    table(
        100,
        "customers",
        ("id", INT),
        ("email", TEXT),
        ("iban", TEXT),
        ("name", VARCHAR),
        ("note", TEXT),
        ("score", INT),
    ),
    key=(1,),
)
ORDERS = _with(
    table(101, "orders", ("id", INT), ("customer", INT), ("email", TEXT), ("total", NUMERIC)),
    references=(100,),
)
PLAIN = _with(
    table(102, "plain", ("id", INT), ("txt", TEXT)),
    unique={"plain_txt": (2,), "plain_computed": (1, 0)},
    references=(101,),
)
MAILS = _with(
    table(103, "mails", ("id", INT), ("mail", TEXT), kind="v"),
    definition=" SELECT id, email AS mail FROM customers WHERE note IS NOT NULL;",
    depends=(100,),
)
LOWERED = _with(
    table(104, "lowered", ("mail", TEXT), kind="v"),
    definition=" SELECT lower(email) AS mail FROM customers;",
    depends=(100,),
)
EVENTS = table(105, "events", ("id", INT), ("email", TEXT), ("kind", TEXT), kind="p")
EVENTS_A = _with(table(106, "events_a", ("kind", TEXT), ("email", TEXT), ("id", INT)), parents=(105,))
OTHER = table(107, "customers", ("id", INT), ("email", TEXT), schema="other")
LOGGED = _with(
    table(108, "logged", ("id", INT), ("email", TEXT), ("at", TEXT)),
    triggers=(("stamp", 500), ("mirror", 501)),
    calls=(500, 501),
)
STAMPED = _with(
    table(109, "stamped", ("email", TEXT), ("at", TEXT)), triggers=(("stamp", 500),), calls=(500,)
)
AUDITED = _with(table(110, "audited", ("id", INT)), triggers=(("sneak", 502),), calls=(502,))
OLDER = _with(table(111, "older", ("id", INT), ("email", TEXT), ("rest", TEXT)), column_order=(1, 3, 2))
DIVERTED = _with(MAILS, oid=112, name="diverted", triggers=(("stamp", 500),), calls=(500,))
LOGGED_VIEW = _with(
    table(113, "logged_view", ("email", TEXT), kind="v"),
    definition=" SELECT email FROM logged;",
    depends=(108,),
)
LISTED = _with(
    table(114, "listed", ("id", INT), ("tags", TEXT_ARRAY), ("marks", INT_ARRAY)), references=(106,)
)
AGED = _with(
    table(115, "aged", ("m", TEXT), ("r", TEXT), kind="v"),
    definition=" SELECT m, r FROM older a(i, m, r);",
    depends=(111,),
)
RELATIONS = (
    CUSTOMERS, ORDERS, PLAIN, MAILS, LOWERED, EVENTS, EVENTS_A, OTHER, LOGGED, STAMPED, AUDITED, OLDER,
    DIVERTED, LOGGED_VIEW, LISTED, AGED,
)  # fmt: skip
FUNCTIONS = (
    Function(500, "public", "stamp", "f", "plpgsql", "begin new.at := now(); return new; end"),
    Function(
        501, "public", "mirror", "f", "plpgsql", "begin insert into plain select new.*; return new; end"
    ),
    Function(502, "public", "sneak", "f", "plpgsql", "begin delete from customers; return null; end"),
    Function(503, "public", "harmless", "f", "sql", "select 1 + $1"),
    Function(504, "public", "dynamic", "f", "plpgsql", "begin execute 'sel' || $1; end"),
    Function(505, "public", "caller", "f", "sql", "select sneak()"),
    Function(506, "public", "native", "f", "c", "native"),
    Function(507, "public", "listed", "f", "plpython3u", "plpy.execute()"),
    Function(508, "public", "matches", "f", "sql", "select exists (select from customers)"),
)

EMAIL = Protection("public.customers.email", "k1", TEXT, -1, True)
ORDER_EMAIL = Protection("public.orders.email", "k1", TEXT, -1, True)
IBAN = Protection("public.customers.iban", "k2", TEXT, -1, False)
NAME = Protection("public.customers.name", "k3", VARCHAR, 24, True)
SCORE = Protection("public.customers.score", "k5", INT, -1, True)
EVENT_EMAIL = Protection("public.events.email", "k6", TEXT, -1, True)
LOGGED_EMAIL = Protection("public.logged.email", "k7", TEXT, -1, True)
STAMPED_EMAIL = Protection("public.stamped.email", "k8", TEXT, -1, True)
OLDER_EMAIL = Protection("public.older.email", "k9", TEXT, -1, True)
TAGS = Protection("public.listed.tags", "k10", TEXT_ARRAY, -1, False)
MARKS = Protection("public.listed.marks", "k11", INT_ARRAY, -1, True)
PROTECTIONS = {
    (100, 2): EMAIL, (100, 3): IBAN, (100, 4): NAME, (100, 6): SCORE, (101, 3): ORDER_EMAIL,
    (105, 2): EVENT_EMAIL, (108, 2): LOGGED_EMAIL, (109, 1): STAMPED_EMAIL, (111, 2): OLDER_EMAIL,
    (114, 2): TAGS, (114, 3): MARKS,
}  # fmt: skip

SCHEMA = Schema(
    relations={relation.oid: relation for relation in RELATIONS},
    path=("pg_catalog", "public"),
    system=frozenset(
        {("pg_catalog", "pg_class"), ("pg_catalog", "pg_authid"), ("information_schema", "tables")}
    ),
    types=(UserType(600, "public", "customers", "c", 100), UserType(601, "public", "plain", "c", 102)),
    functions={function.oid: function for function in FUNCTIONS},
    operators=(Operator("public", "~~~", TEXT, TEXT, 508),),
)
CONTEXT = Context(SCHEMA, PROTECTIONS, PATH, functions={"public.listed": "reviewed"})


def one(text: str, *declared: int, context: Context = CONTEXT) -> Resolved:
    """The record of a text of one statement."""
    (resolved,) = analyse(text, declared, context).statements
    return resolved


def shown(text: str, *declared: int, context: Context = CONTEXT) -> str:
    """The text that would be sent, holes named by their columns."""
    return sent(analyse(text, declared, context).pieces)
