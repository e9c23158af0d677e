"""Steps that read by SQLAlchemy's ORM."""

from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import (
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    tuple_,
)
from sqlalchemy.orm import (
    Session,
    aliased,
    joinedload,
    selectinload,
    subqueryload,
)
from tests.conformance.corpus.sqlalchemy_models import ADA, BOB, NEW, Customer, Order, everything, step


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
