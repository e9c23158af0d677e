"""Policies written by hand in Cedar: parsed, validated strictly against the schema, and put beside the roles.

An annotation ``@mask("last 4")`` on a permit says which mask it gives, ``@id("...")`` what it is called in
reasons. Called by `authorizer`.
"""

import json

import cedarpy

from strongroom.errors import InvalidPolicy
from strongroom.policy.cedar import Compiled, schema
from strongroom.policy.model import Mask
from strongroom.policy.roles import CONSTANT, REVEAL, CedarFile, looseness

__all__ = ["compile_file"]

_ARGUMENTS = {"first": int, "last": int, "number": int, "date": str, "fixed": str}


def compile_file(file: CedarFile) -> Compiled:
    """Policies written by hand; raises ``InvalidPolicy`` with what Cedar says of them."""
    try:
        found = json.loads(cedarpy.policies_to_json_str(file.text))
    except ValueError as error:
        raise InvalidPolicy(f"{file.name}: {_first_line(error)}") from None
    if found.get("templates"):
        raise InvalidPolicy(f"{file.name}: holds a template, and nothing fills its slots")
    checked = cedarpy.validate_policies(file.text, schema())
    if not checked.validation_passed:
        raise InvalidPolicy("\n".join(f"{file.name}: {error.error}" for error in checked.errors))
    policies, places, masks = {}, {}, {}
    for number, policy in enumerate(found["staticPolicies"].values(), start=1):
        notes = policy.get("annotations", {})
        place = f"{file.name}: {notes.get('id') or f'policy {number}'}"
        key = f"policies/{file.name}/{number}"
        policies[key], places[key] = policy, place
        masks[key] = _annotated(notes.get("mask"), place)
    return Compiled(policies, places, masks)


def _annotated(text: str | None, place: str) -> Mask:
    """``@mask("last 4")``; the constant where nothing is said."""
    if text is None:
        return CONSTANT
    name, _, argument = text.partition(" ")
    mask = Mask(name, int(argument) if argument.isdecimal() and name != "fixed" else argument or None)
    expected = _ARGUMENTS.get(name, type(None))
    try:
        looseness(mask)
    except ValueError:
        expected = Mask  # no such mask: no argument is one
    if not isinstance(mask.argument, expected) or mask == REVEAL:
        raise InvalidPolicy(f"{place}: its annotation @mask names no mask")
    return mask


def _first_line(error: ValueError) -> str:
    return next(iter(str(error).splitlines()), "cannot be parsed")
