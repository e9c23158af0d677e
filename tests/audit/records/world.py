"""Records of all kinds, drawn at random from what their fields may be."""

import dataclasses
from enum import Enum
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from strongroom.audit.records.codes import CODES, Record
from strongroom.audit.records.encoding import GREATEST
from strongroom.audit.records.layout import leaves
from strongroom.audit.records.statements import Permitted

KINDS: list[type[Record]] = sorted({one.record for one in CODES.values()}, key=lambda kind: kind.__name__)
ADDRESSES = st.one_of(st.ip_addresses(v=4).map(str), st.just("2001:db8::17"))
SQLSTATES = st.text("0123456789ABCDEFXYZ", min_size=5, max_size=5)


def records(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Any record, or part of one, of this kind."""
    hints = get_type_hints(kind)
    places = {one.name[0]: one for one in leaves(kind)}
    fields = {}
    for field in dataclasses.fields(kind):
        limit = places[field.name].limit if field.name in places else 0
        fields[field.name] = _values(hints[field.name], limit, field.name)
    return st.builds(kind, **fields)


def _values(hint: Any, limit: int, name: str) -> st.SearchStrategy[Any]:
    if get_origin(hint) is UnionType:
        (inner,) = (one for one in get_args(hint) if one is not type(None))
        return st.none() | _values(inner, limit, name)
    if get_origin(hint) is tuple:
        return st.lists(_values(get_args(hint)[0], limit, name), max_size=3).map(tuple)
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        return records(hint)
    if issubclass(hint, Enum):
        return st.sampled_from(hint)
    if hint is bool:
        return st.booleans()
    if hint is int:
        return st.integers(0, 100) | st.integers(0, GREATEST)
    if name == "address":
        return ADDRESSES
    return SQLSTATES if name == "sqlstate" else st.text(max_size=min(limit, 12))


ANY: st.SearchStrategy[Record] = st.one_of(*(records(kind) for kind in KINDS))
PERMITTED: st.SearchStrategy[Permitted] = records(Permitted)
