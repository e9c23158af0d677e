"""Tables whose values belong to tenants, for the tests of `sql/tenants.py` and `sql/listed.py`."""

from dataclasses import replace

from tests.sql.world import CONTEXT, INT, TEXT, one, table

from strongroom.sql.schema import SESSION, Protection, Relation, Schema
from strongroom.sql.statement import Context, SealedLiteral, Tenant

RENTED = table(200, "rented", ("id", INT), ("tenant_id", INT), ("iban", TEXT), ("note", TEXT), ("name", TEXT))
IBAN = Protection("public.rented.iban", "shop/public.rented.iban", TEXT, -1, False, tenant="tenant_id")
NOTE = Protection("public.rented.note", "shop/public.rented.note", TEXT, -1, False, tenant="tenant_id")
VIEW = replace(
    table(201, "rented_view", ("tenant_id", INT), ("iban", TEXT), kind="v"),
    definition=" SELECT tenant_id, iban FROM rented;",
    depends=(200,),
)


def context(*relations: Relation, tenant: str = "tenant_id") -> Context:
    """A database of this table, whose values belong to tenants."""
    protections = {(200, 3): replace(IBAN, tenant=tenant), (200, 4): replace(NOTE, tenant=tenant)}
    return replace(CONTEXT, schema=Schema({r.oid: r for r in (RENTED, *relations)}), protections=protections)


ROWS, SESSIONS = context(VIEW), context(tenant=SESSION)


def sealed(text: str, *declared: int, by: Context = ROWS) -> list[Tenant | None]:
    """Of each parameter that is sealed, whose key seals it."""
    found = one(text, *declared, context=by).parameters or ()
    return [parameter.tenant for parameter in found if parameter.protection is not None]


def written(text: str, by: Context = ROWS) -> list[Tenant | None]:
    """The same of literals."""
    pieces = one(text, context=by).pieces
    return [piece.tenant for piece in pieces if isinstance(piece, SealedLiteral)]


def by(number: int, oid: int = 0) -> Tenant:
    """The tenant that a parameter names."""
    return Tenant(INT, number, oid)


def changed(relation: Relation, **more: object) -> Context:
    """The database with its table, or what else is named, changed."""
    made = {200: RENTED, 202: TEXTUAL, relation.oid: relation}
    naming = {(200, 3): IBAN, (202, 3): replace(IBAN, column="public.textual.iban", tenant="tenant")}
    return replace(CONTEXT, schema=Schema(made, **more), protections=naming)  # type: ignore[arg-type]  # passed on


TEXTUAL = table(202, "textual", ("id", INT), ("tenant", TEXT), ("iban", TEXT))
