"""A gateway that looks after keys that are due, by itself."""

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
import pytest
from tests.gateway.serving import configuration, logged, workers

from strongroom.config import load
from strongroom.gateway.caretaker import Charge
from strongroom.gateway.snapshots import LEARNT_SECONDS
from strongroom.keys.kek import Keks
from strongroom.testing.gateway import Gateway
from strongroom.testing.servers import PostgresServer
from strongroom.testing.waiting import wait_until

TABLE = "CREATE TABLE people (id int PRIMARY KEY, email bytea, note bytea)"
EMAIL = {"public.people.email": {"type": "text", "encryption": "deterministic"}}
NOTE = {"public.people.note": {"type": "text", "encryption": "randomized"}}

PATIENCE = 4 * LEARNT_SECONDS
"""Of a loaded machine: a rotation takes LEARNT_SECONDS by itself, a worker CATALOG_SECONDS to look again."""


def rotating(**rotate: object) -> Callable[[Gateway], None]:
    """Puts this under `keys.rotate:`."""

    def configure(gateway: Gateway) -> None:
        settings = configuration(gateway)
        settings["keys"]["rotate"] = rotate
        gateway.configure(settings)

    return configure


@contextmanager
def gateway_of(
    postgres: PostgresServer, columns: dict[str, dict[str, str]], **rotate: object
) -> Iterator[Gateway]:
    """A gateway of two workers, its people, and what is due for it."""
    name = postgres.create_database(f"db{secrets.token_hex(4)}")
    postgres.run(TABLE, name)
    first = rotating(**rotate)
    with Gateway.start(postgres, name, more={"columns": columns}, workers=2, first=first) as gateway:
        yield gateway


def write(gateway: Gateway, *columns: str, people: int = 100) -> None:
    """People."""
    names, marks = ", ".join(["id", *columns]), ", ".join(["%s"] * (len(columns) + 1))
    with psycopg.connect(gateway.uri(), autocommit=True) as session:
        session.cursor().executemany(
            f"INSERT INTO people ({names}) VALUES ({marks})",
            [(i, *(f"{column} {i}" for column in columns)) for i in range(people)],
        )


def test_a_look_as_soon_as_a_key_was_used_enough(postgres: PostgresServer) -> None:
    """What people must see to is said, and not again with each look."""
    with gateway_of(postgres, EMAIL, share=1e-12) as gateway:
        write(gateway, "email")
        event = "a key is due for rotation"
        (said,) = wait_until(lambda: logged(gateway, event), "the look has ended")
        assert said["key"] == f"{gateway.database}/public.people.email"
        assert said["remedy"] == "strongroom keys rotate public.people.email --reencrypt"
        assert len(workers(gateway)) <= 3  # and the process that looked is gone, or going


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_randomized_key_is_rotated_while_sessions_write(postgres: PostgresServer) -> None:
    """In a minute, in which all gateways hear of it; no session notices."""
    # Two workers reserve 1,024 uses each at first, and 2,048 more for what is written here.
    with gateway_of(postgres, NOTE, share=2500 / 2**31) as gateway:
        write(gateway, "note", people=1500)
        (former,) = key_ids(postgres, gateway, "true")
        wait_until(lambda: logged(gateway, "key rotated"), "the key is rotated", PATIENCE)

        def newer() -> set[bytes]:
            with psycopg.connect(gateway.uri(), autocommit=True) as session:
                session.execute("UPDATE people SET note = %s WHERE id = 1", ["note 1"])
            return key_ids(postgres, gateway, "id = 1") - {former}

        # A worker is told by the supervisor; one that could not read then looks again by its own clock.
        (newest,) = wait_until(newer, "the new version seals", PATIENCE)
        assert key_ids(postgres, gateway, "true") == {former, newest}
        with psycopg.connect(gateway.uri(), autocommit=True) as session:
            rows = session.execute("SELECT id, note FROM people ORDER BY id").fetchall()
        assert rows == [(i, f"note {i}") for i in range(1500)]
        shown = json.loads(gateway.command("keys", "show", "public.people.note", "--json"))
        assert [row["key_id"] for row in shown] == [former.hex(), newest.hex()]
        assert [row["state"] for row in shown] == ["active", "active"]
        assert shown[1]["uses"] > 0


def key_ids(postgres: PostgresServer, gateway: Gateway, where: str) -> set[bytes]:
    """The keys that the stored notes name."""
    query = f"SELECT DISTINCT substring(note, 2, 4) FROM people WHERE {where}"
    with postgres.connect(gateway.database) as direct:
        return {key_id for (key_id,) in direct.execute(query.encode()).fetchall()}


def test_what_a_gateway_leaves_alone(postgres: PostgresServer) -> None:
    """Where it is told so, or nothing is protected."""
    with gateway_of(postgres, NOTE) as gateway:
        settings = load(gateway.configuration, dict(gateway.environment))
    charge = Charge(settings, gateway.configuration, "", Keks.of(()))
    assert charge.by_itself
    assert settings.keys is not None
    rotate = settings.keys.rotate.model_copy(update={"by_itself": False})
    without = settings.keys.model_copy(update={"rotate": rotate})
    bare = {name: one.model_copy(update={"columns": {}}) for name, one in settings.databases.items()}
    for changed in ({"keys": without}, {"databases": bare}, {"keys": None}):
        other = settings.model_copy(update=changed)
        assert not Charge(other, gateway.configuration, "", Keks.of(())).by_itself
