"""The shop's tables as SQLAlchemy's models, and the list that steps are put into."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    ForeignKey,
    Integer,
    Numeric,
    String,
    Text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
)

ADA, BOB, NEW = "ada.xq7mark@example.org", "bob.xq7mark@example.org", "new.xq7mark@example.org"
STEPS: dict[str, list[Callable[[Session], object]]] = {}
"""By the module that has them."""


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


def step(made: Callable[[Session], object]) -> Callable[[Session], object]:
    """Registers a step."""
    STEPS.setdefault(made.__module__, []).append(made)
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
