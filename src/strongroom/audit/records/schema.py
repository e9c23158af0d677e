"""The JSON Schema of all records, made of their fields; `records.schema.json` is what this writes.

It says what the layout says: each field of its kind and nothing else, and with each code the constants that
belong to it. ``strongroom audit schema`` prints it, and a test holds the file in the package to it.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from enum import Enum
from itertools import groupby
from typing import Any

from strongroom.audit.records.codes import CODE, CODES, FORMAT, OCSF_VERSION, Code, Record, type_uid
from strongroom.audit.records.encoding import GREATEST
from strongroom.audit.records.layout import Leaf, Path, leaves

Schema = dict[str, Any]
"""Or False, which nothing is valid against."""

_ACTIVITY = ("activity_id",)
_TYPE = ("type_uid",)


def schema() -> Schema:
    """The whole."""
    kinds = {kind: tuple(codes) for kind, codes in groupby(CODES.values(), key=lambda one: one.record)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:strongroom:audit-records:{FORMAT}",
        "title": f"Records of Strongroom's audit log, version {FORMAT}: events of OCSF {OCSF_VERSION}",
        "oneOf": [{"$ref": f"#/$defs/{kind.__name__}"} for kind in kinds],
        "$defs": {kind.__name__: _of(kind, codes) for kind, codes in kinds.items()},
    }


def written() -> str:
    """As it stands in the file."""
    return json.dumps(schema(), indent=1, sort_keys=True) + "\n"


@dataclass(frozen=True, slots=True)
class _Property:
    place: Path
    schema: Schema | bool
    is_required: bool = True


def _of(kind: type[Record], codes: Sequence[Code]) -> Schema:
    """One record: its fields, and what each of its codes fixes."""
    variants = [one for code in codes for one in _variants(code)]
    fixed = sorted({place for one in variants for place in one})
    own = [_field(one) for one in leaves(kind) if one.place not in fixed]
    whole = _object([*own, *(_fixed(place, variants) for place in fixed)], closed=True)
    if len(variants) > 1:
        varying = [place for place in fixed if len({repr(one.get(place)) for one in variants}) > 1]
        whole["oneOf"] = [_object(_chosen(one, varying), closed=False) for one in variants]
    return whole


def _chosen(variant: Mapping[Path, Any], varying: Sequence[Path]) -> Iterator[_Property]:
    """What one variant has where others have something else, or nothing."""
    for place in varying:
        there = place in variant
        yield _Property(place, {"const": variant[place]} if there else False, there)


def _variants(code: Code) -> Iterator[dict[Path, Any]]:
    """What a code fixes, for each activity that there may be under it."""
    said = [one.kind for one in leaves(code.record) if one.place == _ACTIVITY]
    activities = [code.activity] if code.activity is not None else [one.value for one in _members(said[0])]
    for activity in activities:
        yield {**code.constants, CODE: code.name, _ACTIVITY: activity, _TYPE: type_uid(code, activity)}


def _members(kind: type) -> list[Enum]:
    assert issubclass(kind, Enum)
    return list(kind)


def _fixed(place: Path, variants: Sequence[Mapping[Path, Any]]) -> _Property:
    """What stands at a place, in one variant or another."""
    values = [one[place] for one in variants if place in one]
    unique = [one for index, one in enumerate(values) if one not in values[:index]]
    found = {"const": unique[0]} if len(unique) == 1 else {"enum": unique}
    return _Property(place, found, len(values) == len(variants))


def _field(leaf: Leaf) -> _Property:
    item = _kind(leaf)
    return _Property(
        leaf.place, {"type": "array", "items": item} if leaf.is_list else item, not leaf.is_optional
    )


def _kind(leaf: Leaf) -> Schema:
    if is_dataclass(leaf.kind):
        return _object([_field(one) for one in leaves(leaf.kind)], closed=True)
    if issubclass(leaf.kind, Enum):
        return {"enum": [one.value for one in leaf.kind]}
    if leaf.kind is bool:
        return {"type": "boolean"}
    if leaf.kind is int:
        return {"type": "integer", "minimum": 0, "maximum": GREATEST}
    return {"type": "string", "maxLength": leaf.limit}


def _object(properties: Iterable[_Property], *, closed: bool) -> Schema:
    """An object with these somewhere within; objects on the way are required where something in them is."""
    found: Schema = {"type": "object", "properties": {}, "required": []}
    below: dict[str, list[_Property]] = {}
    for one in properties:
        name, *rest = one.place
        if rest:
            below.setdefault(name, []).append(_Property(tuple(rest), one.schema, one.is_required))
        else:
            found["properties"][name] = one.schema
            found["required"] += [name] if one.is_required else []
    for name, inner in below.items():
        found["properties"][name] = _object(inner, closed=closed)
        found["required"] += [name] if any(one.is_required for one in inner) else []
    found["required"].sort()
    return {**found, "additionalProperties": False} if closed else found
