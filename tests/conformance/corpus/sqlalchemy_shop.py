"""What applications do with SQLAlchemy's ORM, on the shop's protected tables."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    ForeignKey,
    Integer,
    Numeric,
    String,
    Text,
    and_,
    case,
    create_engine,
    delete,
    exists,
    func,
    insert,
    literal,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import URL
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    aliased,
    joinedload,
    mapped_column,
    relationship,
    selectinload,
    subqueryload,
)
from tests.conformance.corpus.steps import Results, run

ADA, BOB, NEW = "ada.xq7mark@example.org", "bob.xq7mark@example.org", "new.xq7mark@example.org"
STEPS: list[Callable[[Session], object]] = []
REFUSED = {
    "like": "comparison-refused",
    "order_by_value": "order-refused",
    "lower": "function-refused",
    "greatest": "function-refused",
    "range_of_dates": "comparison-refused",
    "json_path": "comparison-refused",
    "server_side_change": "comparison-refused",
}


class Base(DeclarativeBase):
    """The models."""


class Customer(Base):
    """Someone who orders."""

    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(Text, unique=True)
    iban: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(String(20))
    born: Mapped[date | None]
    visits: Mapped[int | None] = mapped_column(Integer)
    credit: Mapped[Decimal | None] = mapped_column(Numeric(14, 2))
    profile: Mapped[object | None] = mapped_column(JSONB)
    tags: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    ref: Mapped[UUID | None]
    seen: Mapped[datetime | None] = mapped_column(TIMESTAMP(timezone=True))
    name: Mapped[str] = mapped_column(Text, server_default="nobody")
    city: Mapped[str | None] = mapped_column(Text)
    age: Mapped[int | None] = mapped_column(Integer)
    orders: Mapped[list["Order"]] = relationship(back_populates="customer", order_by="Order.id")


class Order(Base):
    """What was ordered."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customers.id"))
    email: Mapped[str | None] = mapped_column(Text)
    card: Mapped[str | None] = mapped_column(Text)
    total: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    note: Mapped[str | None] = mapped_column(Text)
    customer: Mapped[Customer | None] = relationship(back_populates="orders")


def scenario(parameters: dict[str, str]) -> Results:
    """Every step, each in a session of its own."""
    query: dict[str, str | Sequence[str]] = {
        key: value for key, value in parameters.items() if key in {"sslmode", "sslrootcert"}
    }
    address = (parameters["user"], parameters["password"], parameters["host"], int(parameters["port"]))
    engine = create_engine(URL.create("postgresql+psycopg", *address, parameters["dbname"], query=query))
    try:
        with Session(engine) as session:
            return run(STEPS, session, Session.rollback)
    finally:
        engine.dispose()


def step(made: Callable[[Session], object]) -> Callable[[Session], object]:
    """Registers a step."""
    STEPS.append(made)
    return made


def everything(customer: Customer) -> list[object]:
    """All that a customer is."""
    return [getattr(customer, column.key) for column in Customer.__table__.columns]


@contextmanager
def undone(session: Session) -> Iterator[None]:
    """Whatever happens in it is rolled back."""
    session.commit()
    try:
        yield
    finally:
        session.rollback()


@step
def get(session: Session) -> object:
    return everything(session.get_one(Customer, 1))


@step
def all_rows(session: Session) -> object:
    return [everything(one) for one in session.scalars(select(Customer).order_by(Customer.id))]


@step
def filter_equal(session: Session) -> object:
    return session.scalars(select(Customer.id).where(Customer.email == ADA)).all()


@step
def filter_by(session: Session) -> object:
    return session.scalars(select(Customer).filter_by(email=BOB)).one().name


@step
def filter_not_equal(session: Session) -> object:
    return session.scalars(select(Customer.id).where(Customer.email != ADA).order_by(Customer.id)).all()


@step
def filter_in(session: Session) -> object:
    chosen = Customer.email.in_([ADA, BOB, NEW])
    return session.scalars(select(Customer.id).where(chosen).order_by(Customer.id)).all()


@step
def filter_in_nothing(session: Session) -> object:
    return session.scalars(select(Customer.id).where(Customer.email.in_([]))).all()


@step
def filter_not_in(session: Session) -> object:
    chosen = Customer.email.not_in([ADA, BOB])
    return session.scalars(select(Customer.id).where(chosen).order_by(Customer.id)).all()


@step
def filter_any(session: Session) -> object:
    chosen = Customer.email == func.any([ADA, BOB])
    return session.scalars(select(Customer.id).where(chosen).order_by(Customer.id)).all()


@step
def filter_null(session: Session) -> object:
    return session.scalars(select(Customer.id).where(Customer.iban.is_(None))).all()


@step
def filter_not_null(session: Session) -> object:
    chosen = Customer.credit.is_not(None)
    return session.scalars(select(Customer.id).where(chosen).order_by(Customer.id)).all()


@step
def filter_distinct_from(session: Session) -> object:
    chosen = Customer.phone.is_distinct_from("+98765432 2")
    return session.scalars(select(Customer.id).where(chosen).order_by(Customer.id)).all()


@step
def filter_types(session: Session) -> object:
    chosen = and_(
        Customer.visits == 731100001,
        Customer.ref == UUID("98765432-0000-4000-8000-000000000001"),
        Customer.seen == datetime(1847, 1, 1, 10, tzinfo=UTC),
    )
    return session.scalars(select(Customer.id).where(chosen)).all()


@step
def filter_or(session: Session) -> object:
    chosen = or_(Customer.email == ADA, and_(Customer.phone == "+98765432 2", Customer.age > 30))
    return session.scalars(select(Customer.id).where(chosen).order_by(Customer.id)).all()


@step
def filter_tuple(session: Session) -> object:
    chosen = tuple_(Customer.email, Customer.name).in_([(ADA, "Ada"), (BOB, "Ada")])
    return session.scalars(select(Customer.id).where(chosen)).all()


@step
def scalar_missing(session: Session) -> object:
    return session.scalar(select(Customer).where(Customer.email == NEW))


@step
def values(session: Session) -> object:
    chosen = select(Customer.email, Customer.born, Customer.credit).order_by(Customer.id).limit(2)
    return [tuple(row) for row in session.execute(chosen)]


@step
def label(session: Session) -> object:
    row = session.execute(select(Customer.email.label("mail")).where(Customer.id == 1)).one()
    return row.mail


@step
def count(session: Session) -> object:
    return session.scalar(select(func.count()).select_from(Customer).where(Customer.email == ADA))


@step
def count_values(session: Session) -> object:
    return (
        session.execute(select(func.count(Customer.iban), func.count(Customer.phone.distinct())))
        .one()
        ._tuple()
    )


@step
def is_there(session: Session) -> object:
    return session.scalar(select(exists().where(Customer.email == ADA)))


@step
def exists_correlated(session: Session) -> object:
    chosen = exists().where(Order.email == Customer.email)
    return session.scalars(select(Customer.id).where(chosen).order_by(Customer.id)).all()


@step
def group_by(session: Session) -> object:
    grouped = select(Order.email, func.count(Order.id), func.sum(Order.total)).group_by(Order.email)
    return sorted([str(one) for one in row] for row in session.execute(grouped))


@step
def group_by_having(session: Session) -> object:
    grouped = select(Customer.phone).group_by(Customer.phone).having(func.count() > 1)
    return session.scalars(grouped).all()


@step
def distinct(session: Session) -> object:
    return sorted(map(str, session.scalars(select(Customer.phone).distinct())))


@step
def join(session: Session) -> object:
    joined = select(Customer.email, Order.card).join(Customer.orders).order_by(Order.id)
    return [tuple(row) for row in session.execute(joined)]


@step
def join_by_value(session: Session) -> object:
    joined = select(Customer.name, Order.total).join(Order, Order.email == Customer.email).order_by(Order.id)
    return [tuple(row) for row in session.execute(joined)]


@step
def outer_join(session: Session) -> object:
    joined = select(Customer, Order).outerjoin(Order).order_by(Customer.id, Order.id)
    return [(one.email, other and other.card) for one, other in session.execute(joined)]


@step
def join_aliased(session: Session) -> object:
    other = aliased(Customer)
    joined = select(Customer.id, other.id).join(
        other, and_(Customer.phone == other.phone, Customer.id < other.id)
    )
    return [tuple(row) for row in session.execute(joined)]


@step
def load_joined(session: Session) -> object:
    loaded = select(Customer).options(joinedload(Customer.orders)).order_by(Customer.id)
    return [(one.email, [order.card for order in one.orders]) for one in session.scalars(loaded).unique()]


@step
def load_selectin(session: Session) -> object:
    session.expire_all()
    loaded = select(Customer).options(selectinload(Customer.orders)).order_by(Customer.id)
    return [(one.email, [order.card for order in one.orders]) for one in session.scalars(loaded)]


@step
def load_subquery(session: Session) -> object:
    session.expire_all()
    loaded = select(Customer).options(subqueryload(Customer.orders)).order_by(Customer.id)
    return [(one.email, [order.card for order in one.orders]) for one in session.scalars(loaded)]


@step
def load_lazily(session: Session) -> object:
    session.expire_all()
    return [
        order.customer and order.customer.email for order in session.scalars(select(Order).order_by(Order.id))
    ]


@step
def load_with_limit(session: Session) -> object:
    loaded = select(Customer).options(joinedload(Customer.orders)).order_by(Customer.id).limit(2)
    return [(one.email, len(one.orders)) for one in session.scalars(loaded).unique()]


@step
def page(session: Session) -> object:
    return session.scalars(select(Customer.email).order_by(Customer.id).limit(2).offset(2)).all()


@step
def subquery(session: Session) -> object:
    inner = select(Customer.id, Customer.email).where(Customer.city == "London").subquery()
    return session.execute(select(inner.c.email).order_by(inner.c.id)).scalars().all()


@step
def cte(session: Session) -> object:
    inner = select(Order.email, func.count().label("n")).group_by(Order.email).cte()
    joined = (
        select(Customer.name, inner.c.n).join(inner, inner.c.email == Customer.email).order_by(Customer.id)
    )
    return [tuple(row) for row in session.execute(joined)]


@step
def union(session: Session) -> object:
    both = select(Customer.email).union_all(select(Order.email))
    return sorted(map(str, session.scalars(both)))


@step
def window(session: Session) -> object:
    ranked = select(Customer.email, func.row_number().over(partition_by=Customer.phone, order_by=Customer.id))
    return sorted(map(str, session.execute(ranked)))


@step
def in_subquery(session: Session) -> object:
    chosen = Customer.email.in_(select(Order.email).where(Order.total > 10))
    return session.scalars(select(Customer.id).where(chosen).order_by(Customer.id)).all()


@step
def scalar_subquery(session: Session) -> object:
    inner = select(Customer.email).where(Customer.id == Order.customer_id).scalar_subquery()
    return [tuple(row) for row in session.execute(select(Order.id, inner).order_by(Order.id))]


@step
def case_expression(session: Session) -> object:
    chosen = case((Customer.email == ADA, "her"), else_="other")
    return session.scalars(select(chosen).order_by(Customer.id)).all()


@step
def coalesce(session: Session) -> object:
    return session.scalars(select(func.coalesce(Order.email, literal(NEW))).order_by(Order.id)).all()


@step
def lock(session: Session) -> object:
    return session.scalars(select(Customer).where(Customer.email == ADA).with_for_update()).one().iban


@step
def stream(session: Session) -> object:
    rows = session.execute(select(Customer.email).order_by(Customer.id).execution_options(yield_per=2))
    return [row.email for row in rows]


@step
def refresh(session: Session) -> object:
    customer = session.get_one(Customer, 2)
    session.refresh(customer)
    return customer.email


@step
def add(session: Session) -> object:
    customer = Customer(email=NEW, iban="xq7mark", born=date(1847, 5, 5), credit=Decimal("98765432.99"))
    session.add(customer)
    session.commit()
    return everything(customer)


@step
def add_many(session: Session) -> object:
    made = [
        Customer(
            email=f"{n}.xq7mark", tags=["xq7mark", str(n)], profile={"n": "xq7mark"}, visits=731100000 + n
        )
        for n in range(30)
    ]
    session.add_all(made)
    session.commit()
    return [(one.id, one.email, one.tags, one.profile) for one in made]


@step
def add_with_relation(session: Session) -> object:
    customer = Customer(email="with.xq7mark", orders=[Order(card="xq7mark", total=1, email="with.xq7mark")])
    session.add(customer)
    session.commit()
    return [customer.id, customer.orders[0].card]


@step
def bulk_insert(session: Session) -> object:
    session.execute(insert(Customer), [{"email": f"b{n}.xq7mark", "iban": "xq7mark"} for n in range(30)])
    session.commit()
    return session.scalar(select(func.count()).select_from(Customer).where(Customer.iban.is_not(None)))


@step
def bulk_insert_returning(session: Session) -> object:
    rows = [{"email": f"r{n}.xq7mark", "visits": 731100000} for n in range(3)]
    found = session.scalars(insert(Customer).returning(Customer, sort_by_parameter_order=True), rows)
    made = [(one.id, one.email, one.visits) for one in found]
    session.commit()
    return made


@step
def insert_from_select(session: Session) -> object:
    source = select(Customer.id + 5000, Customer.email, literal(1)).where(Customer.id < 3)
    session.execute(insert(Order).from_select(["id", "email", "total"], source))
    session.commit()
    return session.scalars(select(Order.email).where(Order.id > 5000).order_by(Order.id)).all()


@step
def change(session: Session) -> object:
    customer = session.get_one(Customer, 2)
    customer.iban, customer.born, customer.tags = "changed xq7mark", None, ["xq7mark"]
    session.commit()
    return everything(customer)


@step
def change_json(session: Session) -> object:
    customer = session.get_one(Customer, 1)
    customer.profile = {"list": ["xq7mark", 98765432, None, True], "zahl": 98765432.5}
    session.commit()
    return customer.profile


@step
def change_to_none(session: Session) -> object:
    customer = session.get_one(Customer, 3)
    customer.phone = None
    session.commit()
    return customer.phone


@step
def update_where(session: Session) -> object:
    done = session.execute(update(Customer).where(Customer.email == BOB).values(city="Rome"))
    session.commit()
    return [done.rowcount, session.scalar(select(Customer.city).where(Customer.id == 2))]  # type: ignore[attr-defined]  # of a CursorResult


@step
def update_returning(session: Session) -> object:
    changed = update(Customer).where(Customer.id == 4).values(phone="+98765432 4").returning(Customer.phone)
    found = session.scalars(changed).all()
    session.commit()
    return found


@step
def bulk_update(session: Session) -> object:
    session.execute(update(Customer), [{"id": 1, "iban": "one xq7mark"}, {"id": 2, "iban": "two xq7mark"}])
    session.commit()
    return session.scalars(select(Customer.iban).where(Customer.id < 3).order_by(Customer.id)).all()


@step
def update_from_other(session: Session) -> object:
    session.execute(
        update(Order).where(Order.customer_id == Customer.id, Order.id < 4).values(email=Customer.email)
    )
    session.commit()
    return session.scalars(select(Order.email).where(Order.id < 4).order_by(Order.id)).all()


@step
def upsert_nothing(session: Session) -> object:
    session.execute(upsert(Customer).values(email=ADA, name="Other").on_conflict_do_nothing())
    session.commit()
    return session.scalar(select(Customer.name).where(Customer.email == ADA))


@step
def upsert_update(session: Session) -> object:
    made = upsert(Customer).values(
        [{"email": ADA, "iban": "up xq7mark"}, {"email": "u.xq7mark", "iban": "xq7mark"}]
    )
    changed = made.on_conflict_do_update(index_elements=["email"], set_={"iban": made.excluded.iban})
    found = sorted(session.execute(changed.returning(Customer.email, Customer.iban)).tuples())
    session.commit()
    return found


@step
def duplicate(session: Session) -> object:
    session.add(Customer(email=ADA))
    session.commit()
    return None


@step
def savepoint(session: Session) -> object:
    with undone(session):
        try:
            with session.begin_nested():
                session.execute(insert(Customer).values(email=ADA))
        except Exception as error:  # noqa: BLE001  # its class is the result
            return [type(error).__name__, session.scalar(select(Customer.email).where(Customer.id == 1))]
        return None


@step
def rollback(session: Session) -> object:
    with undone(session):
        session.execute(update(Customer).values(iban="lost xq7mark"))
    return session.scalar(select(func.count()).where(Customer.iban.is_not(None)))


@step
def remove(session: Session) -> object:
    session.delete(session.scalars(select(Order).where(Order.email == "dee.xq7mark@example.org")).one())
    session.commit()
    return session.scalar(select(func.count()).select_from(Order).where(Order.id < 1000))


@step
def delete_where(session: Session) -> object:
    found = session.scalars(delete(Order).where(Order.card == "card xq7mark 2").returning(Order.id)).all()
    session.commit()
    return found


@step
def raw(session: Session) -> object:
    query = text("SELECT id, email FROM customers WHERE email = :email")
    return [tuple(row) for row in session.execute(query, {"email": ADA})]


@step
def raw_insert(session: Session) -> object:
    session.execute(
        text("INSERT INTO customers (email, born) VALUES (:e, :b)"),
        {"e": "raw.xq7mark", "b": date(1847, 1, 9)},
    )
    session.commit()
    return session.scalar(text("SELECT born FROM customers WHERE email = :e"), {"e": "raw.xq7mark"})


@step
def like(session: Session) -> object:
    return session.scalars(select(Customer.id).where(Customer.email.like("ada.xq7mark%"))).all()


@step
def order_by_value(session: Session) -> object:
    return session.scalars(select(Customer.id).order_by(Customer.email)).all()


@step
def lower(session: Session) -> object:
    return session.scalars(select(Customer.id).where(func.lower(Customer.email) == ADA)).all()


@step
def greatest(session: Session) -> object:
    return session.scalar(select(func.max(Customer.visits)))


@step
def range_of_dates(session: Session) -> object:
    return session.scalars(select(Customer.id).where(Customer.born > date(1847, 5, 1))).all()


@step
def json_path(session: Session) -> object:
    return session.scalars(select(Customer.profile["likes"].astext)).all()


@step
def server_side_change(session: Session) -> object:
    session.execute(update(Customer).values(visits=Customer.visits + 1))
    return None


@step
def after_refusals(session: Session) -> object:
    return session.scalars(select(Customer.email).where(Customer.id == 1)).one()
