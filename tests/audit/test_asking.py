"""Who asked for one value, by keyed hashes."""

from pathlib import Path

import pytest
from tests.audit.recorded import IBAN, client, permitted, plan, written

from strongroom.audit.asking import about, hashed_columns, perhaps_about
from strongroom.audit.index import Index, index_of
from strongroom.audit.records.keyed import KeyedColumn
from strongroom.audit.records.statements import MORE, UNKNOWN, Keyed
from strongroom.protect.canonical import Sent, encode
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres import types
from strongroom.wire.postgres.types import DeclaredType

SECRET = bytes(range(32))
STYLE = Sent(TextStyle())


@pytest.mark.parametrize("oid", [types.INT2, types.INT4, types.INT8, types.TEXT, types.VARCHAR])
def test_a_value_is_found_whatever_its_type(tmp_path: Path, oid: int) -> None:
    """In its own column and table, under its own secret."""

    def keyed(value: bytes, *names: str) -> Keyed:
        column = KeyedColumn(SECRET, "shop", "public", *names)
        return column.of(encode(DeclaredType(oid), value, STYLE))

    log = written(
        tmp_path / "audit",
        [
            permitted(0, keyed=(keyed(b"4711", "customers", "id"),)),
            permitted(1, keyed=(keyed(b"4712", "customers", "id"),)),
            permitted(2, keyed=(keyed(b"4711", "orders", "id"),)),
            permitted(3, client("anna"), plan(IBAN)),
            permitted(4, client("anna"), keyed=(keyed(b"4711", "customers", "id"),)),
        ],
    )
    index = Index.open(index_of(log.folder), log, print)
    index.follow(log)
    columns = hashed_columns(index, "customers")
    assert columns == ["public.customers.id"]
    assert about(index, columns, "4711", [SECRET]) == [4, 0]
    assert about(index, columns, "4713", [SECRET]) == []
    assert about(index, columns, "4711", [SECRET[::-1]]) == []
    assert hashed_columns(index, "public") == []
    index.close()


def test_records_that_do_not_have_all_hashes(tmp_path: Path) -> None:
    """Those with more values than a record has, and with values that were not known, by column."""
    column = "public.customers.id"
    log = written(
        tmp_path / "audit",
        [
            permitted(0, keyed=(Keyed(column, MORE),)),
            permitted(1, keyed=(Keyed(column, "00" * 16),)),
            permitted(2, keyed=(Keyed(column, UNKNOWN), Keyed(column, "00" * 16))),
            permitted(3, keyed=(Keyed("public.orders.id", UNKNOWN),)),
        ],
    )
    index = Index.open(index_of(log.folder), log, print)
    index.follow(log)
    assert perhaps_about(index, [column]) == [2, 0]
    assert perhaps_about(index, []) == []
    index.close()
