"""Steps that change by SQLAlchemy's ORM, and those that sealed values cannot take."""

from datetime import date
from decimal import Decimal

from sqlalchemy import (
    delete,
    func,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import (
    Session,
)
from tests.conformance.corpus.sqlalchemy_models import (
    ADA,
    BOB,
    NEW,
    Customer,
    Order,
    everything,
    step,
    undone,
)


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
