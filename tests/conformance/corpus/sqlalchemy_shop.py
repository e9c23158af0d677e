"""What applications do with SQLAlchemy's ORM, on the shop's protected tables."""

from collections.abc import Sequence

from sqlalchemy import (
    create_engine,
)
from sqlalchemy.engine import URL
from sqlalchemy.orm import (
    Session,
)
from tests.conformance.corpus import sqlalchemy_changing, sqlalchemy_everyday, sqlalchemy_reading
from tests.conformance.corpus.sqlalchemy_models import STEPS
from tests.conformance.corpus.steps import Results, run

MODULES = (sqlalchemy_reading, sqlalchemy_everyday, sqlalchemy_changing)
"""Their steps are registered by importing them, and run in this order."""

REFUSED = {
    "like": "comparison-refused",
    "order_by_value": "order-refused",
    "lower": "function-refused",
    "greatest": "function-refused",
    "range_of_dates": "comparison-refused",
    "json_path": "comparison-refused",
    "server_side_change": "comparison-refused",
    "concatenates": "comparison-refused",
    "lists_as_json": "function-refused",
}


def scenario(parameters: dict[str, str]) -> Results:
    """Every step, each in a session of its own."""
    query: dict[str, str | Sequence[str]] = {
        key: value for key, value in parameters.items() if key in {"sslmode", "sslrootcert"}
    }
    address = (parameters["user"], parameters["password"], parameters["host"], int(parameters["port"]))
    engine = create_engine(URL.create("postgresql+psycopg", *address, parameters["dbname"], query=query))
    steps = [one for module in MODULES for one in STEPS[module.__name__]]
    try:
        with Session(engine) as session:
            return run(steps, session, Session.rollback)
    finally:
        engine.dispose()
