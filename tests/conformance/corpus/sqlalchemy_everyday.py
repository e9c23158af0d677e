"""More of what applications write with SQLAlchemy's ORM: merging, bulk work, relations, expressions."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import (
    Integer,
    String,
    Text,
    and_,
    bindparam,
    case,
    cast,
    column,
    delete,
    distinct,
    exists,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    text,
    tuple_,
    update,
    values,
)
from sqlalchemy.dialects.postgresql import aggregate_order_by, array
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session, aliased, contains_eager, load_only
from tests.conformance.corpus.sqlalchemy_models import ADA, BOB, Customer, Order, everything, step, undone

CARD, PHONE = "card xq7mark 1", "+98765432 2"


def changed(session: Session, statement: object, *columns: object) -> object:
    """What some columns are after a change that is then undone."""
    with undone(session):
        session.execute(statement)  # type: ignore[call-overload]  # any statement that changes
        found = session.execute(select(Customer.id, *columns).order_by(Customer.id))
        return [tuple(row) for row in found]


def rows(session: Session, statement: object) -> Sequence[tuple[object, ...]]:
    """All rows, as tuples."""
    return [tuple(row) for row in session.execute(statement)]  # type: ignore[call-overload]  # any statement


@step
def merge(session: Session) -> object:
    with undone(session):
        merged = session.merge(Customer(id=1, email=ADA, iban="merged xq7mark", tags=["xq7mark"]))
        made = session.merge(Customer(id=777, email="merged.xq7mark"))
        session.flush()
        return [everything(merged), everything(made)]


@step
def merge_without_load(session: Session) -> object:
    with undone(session):
        customer = session.get_one(Customer, 2)
        session.expunge(customer)
        customer.phone = "+98765432 22"
        session.merge(customer)
        session.flush()
        return session.scalar(select(Customer.phone).where(Customer.id == 2))


@step
def bulk_save(session: Session) -> object:
    with undone(session):
        session.bulk_save_objects([Customer(email=f"s{n}.xq7mark", born=date(1847, 1, 1)) for n in range(5)])
        session.bulk_update_mappings(Customer.__mapper__, [{"id": 1, "phone": "+98765432 11"}])
        return session.scalar(
            select(func.count()).where(Customer.born == null(), Customer.phone.is_not(None))
        )


@step
def bulk_insert_with_expressions(session: Session) -> object:
    with undone(session):
        made = insert(Customer).values(name=func.upper("abc")).returning(Customer.email, Customer.name)
        return rows(session, made.values(email="e.xq7mark", iban=None))


@step
def insert_values_list(session: Session) -> object:
    with undone(session):
        made = insert(Customer).values([{"email": f"l{n}.xq7mark", "tags": ["xq7mark"]} for n in range(3)])
        return rows(session, made.returning(Customer.email, Customer.tags))


@step
def insert_select_values(session: Session) -> object:
    with undone(session):
        given = values(column("email", Text), column("phone", String(20)), name="given").data(
            [("v1.xq7mark", "+98765432 6"), ("v2.xq7mark", None)]
        )
        session.execute(insert(Customer).from_select(["email", "phone"], select(given)))
        return rows(session, select(Customer.email, Customer.phone).where(Customer.id >= 1000))


@step
def update_many_by_value(session: Session) -> object:
    with undone(session):
        changing = (
            update(Customer.__table__)  # type: ignore[arg-type]  # a Table, though its type says less
            .where(Customer.email == bindparam("whose"))
            .values(iban=bindparam("what"))
        )
        session.connection().execute(
            changing, [{"whose": ADA, "what": "x xq7mark"}, {"whose": BOB, "what": None}]
        )
        return rows(session, select(Customer.id, Customer.iban).order_by(Customer.id))


@step
def update_case(session: Session) -> object:
    iban = case((Customer.email == ADA, "hers xq7mark"), (Customer.id == 2, None), else_=Customer.iban)
    return changed(session, update(Customer).values(iban=iban), Customer.iban)


@step
def update_case_by_value(session: Session) -> object:
    phone = case({1: "+98765432 10", 2: "+98765432 20"}, value=Customer.id, else_=Customer.phone)
    return changed(session, update(Customer).values(phone=phone), Customer.phone)


@step
def update_coalesce(session: Session) -> object:
    given = func.coalesce(literal(None, Text), Customer.iban)
    return changed(session, update(Customer).values(iban=given), Customer.iban)


@step
def update_from_values(session: Session) -> object:
    given = values(column("id", Integer), column("iban", Text), name="given").data(
        [(1, "g xq7mark"), (3, None)]
    )
    change = update(Customer).where(Customer.id == given.c.id).values(iban=given.c.iban)
    return changed(session, change, Customer.iban)


@step
def update_unprotected_expression(session: Session) -> object:
    change = update(Customer).where(Customer.email.in_([ADA, BOB])).values(age=Customer.age + 1)
    return changed(session, change, Customer.age)


@step
def update_subquery(session: Session) -> object:
    theirs = select(Order.email).where(Order.id == 3).scalar_subquery()
    with undone(session):
        session.execute(update(Order).where(Order.id == 4).values(email=theirs))
        return session.scalar(select(Order.email).where(Order.id == 4))


@step
def upsert_with_condition(session: Session) -> object:
    made = upsert(Customer).values(email=ADA, iban="new xq7mark", age=37)
    settled = made.on_conflict_do_update(
        constraint="customers_email_key",
        set_={"iban": made.excluded.iban, "age": made.excluded.age, "city": "Turin"},
        where=and_(Customer.iban.is_not(None), Customer.age < made.excluded.age),
    )
    return changed(session, settled, Customer.iban, Customer.city)


@step
def upsert_coalesce(session: Session) -> object:
    made = upsert(Customer).values(email=ADA, phone=None)
    phone = func.coalesce(made.excluded.phone, Customer.phone)
    settled = made.on_conflict_do_update(index_elements=[Customer.email], set_={"phone": phone})
    return changed(session, settled, Customer.phone)


@step
def delete_exists(session: Session) -> object:
    with undone(session):
        theirs = exists().where(Customer.email == Order.email, Customer.name == "Ada")
        session.execute(delete(Order).where(theirs))
        return session.scalars(select(Order.id).order_by(Order.id)).all()


@step
def any_and_has(session: Session) -> object:
    hers = select(Customer.id).where(Customer.orders.any(Order.card == CARD))
    of_hers = select(Order.id).where(Order.customer.has(Customer.email == ADA)).order_by(Order.id)
    return [session.scalars(hers).all(), session.scalars(of_hers).all()]


@step
def contains(session: Session) -> object:
    order = session.get_one(Order, 1)
    return session.scalars(select(Customer.email).where(Customer.orders.contains(order))).all()


@step
def eager_with_filter(session: Session) -> object:
    query = (
        select(Customer)
        .join(Customer.orders)
        .where(Order.card == CARD)
        .options(contains_eager(Customer.orders), load_only(Customer.email))
        .order_by(Order.id)
        .execution_options(populate_existing=True)
    )
    return [(one.email, [order.card for order in one.orders]) for one in session.scalars(query).unique()]


@step
def lateral(session: Session) -> object:
    last = (
        select(Order.card, Order.total)
        .where(Order.customer_id == Customer.id)
        .order_by(Order.id.desc())
        .limit(1)
        .lateral("last")
    )
    return rows(
        session, select(Customer.email, last.c.card).outerjoin(last, text("true")).order_by(Customer.id)
    )


@step
def order_by_whether(session: Session) -> object:
    first = case((Customer.email == BOB, 0), else_=1)
    return session.scalars(select(Customer.id).order_by(first, Customer.id)).all()


@step
def order_by_null(session: Session) -> object:
    return session.scalars(select(Customer.id).order_by(Customer.iban.is_(None), Customer.id)).all()


@step
def aggregates(session: Session) -> object:
    return rows(
        session,
        select(
            func.count(distinct(Customer.phone)),
            func.count().filter(Customer.email == ADA),
            func.count(Customer.iban),
            func.sum(case((Customer.phone == PHONE, 1), else_=0)),
            func.max(Customer.age),
        ),
    )


@step
def aggregate_to_list(session: Session) -> object:
    listed = func.array_agg(aggregate_order_by(Order.card, Order.id))
    return rows(
        session, select(Order.customer_id, listed).group_by(Order.customer_id).order_by(Order.customer_id)
    )


@step
def most_frequent(session: Session) -> object:
    number = func.count().label("number")
    query = select(Customer.phone, number).group_by(Customer.phone).having(number > 1)
    return rows(session, query.order_by(number.desc()))


@step
def first_of_each(session: Session) -> object:
    place = func.row_number().over(partition_by=Order.email, order_by=Order.id.desc()).label("place")
    ranked = select(Order.id, Order.email, place).subquery()
    return rows(session, select(ranked.c.id, ranked.c.email).where(ranked.c.place == 1).order_by(ranked.c.id))


@step
def nullif(session: Session) -> object:
    return session.scalars(select(func.nullif(Customer.phone, PHONE)).order_by(Customer.id)).all()


@step
def join_values(session: Session) -> object:
    given = values(column("mail", Text), column("place", Integer), name="given").data([(ADA, 1), (BOB, 2)])
    query = select(Customer.id, given.c.place).join(given, given.c.mail == Customer.email)
    return rows(session, query.order_by(given.c.place))


@step
def any_array(session: Session) -> object:
    found = select(Customer.id).where(Customer.email == func.any(array([ADA, BOB]))).order_by(Customer.id)
    return session.scalars(found).all()


@step
def tuples(session: Session) -> object:
    pairs = tuple_(Customer.phone, Customer.city).in_([(PHONE, "Paris"), (PHONE, "London")])
    return session.scalars(select(Customer.id).where(pairs).order_by(Customer.id)).all()


@step
def many_conditions(session: Session) -> object:
    one = and_(
        Customer.email == ADA, Customer.born.is_not(None), or_(Customer.age > 30, Customer.age.is_(None))
    )
    other = and_(Customer.visits.in_([731100002]), ~Customer.phone.is_(None))
    return session.scalars(select(Customer.id).where(or_(one, other)).order_by(Customer.id)).all()


@step
def union_with_order(session: Session) -> object:
    both = select(Customer.id, Customer.email).union_all(select(Order.id + 100, Order.email))
    return rows(session, both.order_by("id").limit(4).offset(1))


@step
def recursive(session: Session) -> object:
    tree = select(Order.id, Order.email).where(Order.id == 1).cte("tree", recursive=True)
    more = aliased(Order)
    tree = tree.union_all(select(more.id, more.email).join(tree, and_(more.id == tree.c.id + 1, more.id < 4)))
    return rows(session, select(tree).order_by(tree.c.id))


@step
def from_function(session: Session) -> object:
    numbers = func.generate_series(1, 3).table_valued("n")
    return rows(session, select(numbers.c.n, Customer.email).join(Customer, Customer.id == numbers.c.n))


@step
def cast_unprotected(session: Session) -> object:
    return rows(session, select(cast(Customer.id, Text), cast(Customer.email, Text)).where(Customer.id == 1))


@step
def lock_some(session: Session) -> object:
    with undone(session):
        found = select(Customer.iban).where(Customer.email == ADA)
        return session.scalars(found.with_for_update(skip_locked=True, of=Customer)).all()


@step
def driver_sql(session: Session) -> object:
    found = session.connection().exec_driver_sql("SELECT email FROM customers WHERE email = %s", (ADA,))
    return [tuple(row) for row in found]


@step
def expanding(session: Session) -> object:
    query = text("SELECT id FROM customers WHERE email IN :mails ORDER BY id")
    found = session.execute(query.bindparams(bindparam("mails", expanding=True)), {"mails": [ADA, BOB]})
    return [tuple(row) for row in found]


@step
def cast_value(session: Session) -> object:
    return rows(session, select(cast(Customer.visits, Text)).order_by(Customer.id))


@step
def concatenates(session: Session) -> object:
    return rows(session, select(Customer.email + "x"))


@step
def lists_as_json(session: Session) -> object:
    return rows(session, select(func.json_agg(Customer.email)))
