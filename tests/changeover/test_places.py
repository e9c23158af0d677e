"""changeover/places.py: rows are found again by what was read of them."""

from tests.changeover.shop import HASTY, Shop

from strongroom.changeover import places
from strongroom.changeover.database import Database


def test_rows_are_found_again(shop: Shop) -> None:
    """PostgreSQL reads the arrays as it wrote their elements, in order; an empty one too."""
    with shop.connect() as connection:
        database = Database(connection, HASTY)
        database.settle_session()
        rows = database.raw(f"SELECT {places.READ}, t.id FROM public.customers t ORDER BY id", binary=True)
        found = database.rows(
            f"SELECT c.id FROM unnest({places.UNNESTED}) WITH ORDINALITY u(id, x, n)"
            " JOIN public.customers c ON c.ctid = u.id AND c.xmin = u.x ORDER BY u.n",
            *places.of(rows),
        )
        assert found == [(number,) for number in range(1, 501)]
        assert database.rows(f"SELECT * FROM unnest({places.UNNESTED}) u", *places.of([])) == []
