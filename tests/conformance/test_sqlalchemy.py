"""SQLAlchemy's ORM over psycopg: models, relations, bulk inserts, upserts, savepoints, reflection."""

from collections.abc import Iterator
from datetime import date

import pytest
from sqlalchemy import Engine, ForeignKey, MetaData, String, create_engine, func, inspect, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.engine import URL
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, selectinload
from tests.conformance.conftest import Endpoint


class Base(DeclarativeBase):
    """The models of these tests."""


class Customer(Base):
    """Someone who orders."""

    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(200), unique=True)
    born: Mapped[date | None]
    tags: Mapped[list[str]] = mapped_column(ARRAY(String), default=list)
    profile: Mapped[dict[str, object]] = mapped_column(JSONB, default=dict)
    orders: Mapped[list["Order"]] = relationship(back_populates="customer", cascade="all, delete-orphan")


class Order(Base):
    """What was ordered."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    total: Mapped[int]
    customer: Mapped[Customer] = relationship(back_populates="orders")


@pytest.fixture
def engine(endpoint: Endpoint) -> Iterator[Engine]:
    """An engine with the tables made."""
    query = (
        {}
        if endpoint.authority is None
        else {"sslmode": "verify-full", "sslrootcert": str(endpoint.authority.certificate)}
    )
    address = (endpoint.user, endpoint.password, endpoint.host, endpoint.port, endpoint.database)
    made = create_engine(URL.create("postgresql+psycopg", *address, query=query))
    Base.metadata.create_all(made)
    yield made
    made.dispose()


def customers(count: int) -> list[Customer]:
    return [
        Customer(
            email=f"{n}@example.com", born=date(1990, 1, 1 + n % 28), tags=["a", str(n)], profile={"n": n},
            orders=[Order(total=n * 10), Order(total=n)],
        )
        for n in range(count)
    ]  # fmt: skip


def test_rows_and_relations(engine: Engine) -> None:
    """Objects with their relations are stored in bulk and found again."""
    with Session(engine) as session:
        session.add_all(customers(250))
        session.commit()
    with Session(engine) as session:
        query = (
            select(Customer).options(selectinload(Customer.orders)).where(Customer.email == "7@example.com")
        )
        found = session.scalars(query).one()
        assert (found.tags, found.profile) == (["a", "7"], {"n": 7})
        assert sorted(order.total for order in found.orders) == [7, 70]


def test_joins_and_groups(engine: Engine) -> None:
    """A join with an aggregate gives its rows."""
    with Session(engine) as session:
        session.add_all(customers(10))
        session.flush()
        query = select(Customer.email, func.sum(Order.total)).join(Order).group_by(Customer.email)
        assert dict(iter(session.execute(query))) == {f"{n}@example.com": n * 11 for n in range(10)}


def test_changes(engine: Engine) -> None:
    """Changed and deleted objects are changed and deleted in the database, with what hangs on them."""
    with Session(engine) as session:
        session.add_all(customers(3))
        session.commit()
        first, second, _ = session.scalars(select(Customer).order_by(Customer.id)).all()
        first.email = "new@example.com"
        session.delete(second)
        session.commit()
        assert session.scalars(select(Customer.email).order_by(Customer.id)).all() == [
            "new@example.com",
            "2@example.com",
        ]
        assert session.scalar(select(func.count()).select_from(Order)) == 4


def test_upserts(engine: Engine) -> None:
    """INSERT ... ON CONFLICT DO UPDATE ... RETURNING gives the row as it is then."""
    with Session(engine) as session:
        for tags in (["one"], ["two"]):
            statement = insert(Customer).values(email="a@example.com", tags=tags, profile={})
            statement = statement.on_conflict_do_update(
                index_elements=["email"], set_={"tags": statement.excluded.tags}
            )
            found = session.scalars(statement.returning(Customer.tags)).one()
            assert found == tags


def test_savepoints(engine: Engine) -> None:
    """An IntegrityError inside a nested transaction leaves the outer one whole."""
    with Session(engine) as session:
        session.add(Customer(email="a@example.com"))
        session.flush()
        nested = session.begin_nested()
        session.add(Customer(email="a@example.com"))
        with pytest.raises(IntegrityError):
            session.flush()
        nested.rollback()
        session.commit()
        assert session.scalar(select(func.count()).select_from(Customer)) == 1


def test_streaming(engine: Engine) -> None:
    """A result can be read in portions."""
    with engine.connect() as connection:
        result = connection.execution_options(yield_per=100).execute(select(func.generate_series(1, 1000)))
        assert sum(len(part) for part in result.partitions()) == 1000


def test_reflection(engine: Engine) -> None:
    """Tables, keys and columns are read back from the catalog."""
    reflected = MetaData()
    reflected.reflect(engine)
    assert set(reflected.tables) == {"customers", "orders"}
    foreign_keys = inspect(engine).get_foreign_keys("orders")
    assert foreign_keys[0]["referred_table"] == "customers"
