"""What `strongroom explain` prints."""

from tests.sql.world import CONTEXT

from strongroom.sql.explain import Row, rows
from strongroom.sql.resolve import analyse


def test_rows() -> None:
    """A statement is told by its kind, the text sent, parameters and columns; values are not shown."""
    analysis = analyse(
        "begin; select email from customers where email = 'geheim' and note = $1 or email = $1", (), CONTEXT
    )
    found = rows(analysis)
    assert found[0] == Row(1, "kind", "TRANSACTION: sent as it came")
    assert Row(2, "parameter $1", "sealed for public.customers.email") not in found
    assert Row(2, "parameter $1", "plain") in found
    assert Row(2, "parameter $2", "takes the value of $1; sealed for public.customers.email") in found
    assert Row(2, "column email", "opened by the key of public.customers.email") in found
    assert not any("geheim" in row.meaning for row in found)


def test_arrays_of_parameters() -> None:
    """An array of parameters is told by these, and they by it."""
    found = rows(analyse("insert into listed (tags) values (array[$1, $2])", (), CONTEXT))
    assert Row(1, "parameter $2", "withheld: it goes in an array") in found
    assert Row(1, "parameter $3", "an array of $1, $2; sealed for public.listed.tags") in found


def test_barriers_and_unknown_names() -> None:
    """Barriers and names that the catalog lacks are told."""
    found = rows(analyse("set search_path to x; select * from nowhere", (), CONTEXT))
    assert Row(1, "barrier", "nothing later is analysed before it is answered: search_path") in found
    assert Row(2, "not in the catalog", "nowhere") in found


def test_streams() -> None:
    """The columns of a COPY are told."""
    found = rows(analyse("copy customers (id, email) to stdout", (), CONTEXT))
    assert Row(1, "stream column email", "of public.customers.email") in found
