"""Cedar, asked: subjects and resources become entities, accesses requests, and answers name the rules.

An `Engine` holds the parsed policies of some roles and files. A policy that fails to evaluate is left out by
Cedar, and named in its diagnostics; here that makes the answer no. Called by `authorizer`.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cedarpy

from strongroom.errors import Bug
from strongroom.policy.cedar import Compiled, Json, schema
from strongroom.policy.model import Action, Circumstances, DataClass, Mask, Resource, Subject
from strongroom.policy.pattern import exact

__all__ = ["UNASKED", "Answer", "Asker", "Context", "Engine", "context_of"]

Context = tuple[tuple[str, str | bool], ...]
"""Of the circumstances, what policies written by hand may ask for."""
UNASKED: Context = (("certificate", False),)
"""Where there are none: roles are compiled to policies that ask for nothing of it."""


@dataclass(frozen=True, slots=True)
class Asker:
    """A subject, the roles that it holds, and those that count now."""

    subject: Subject
    held: frozenset[str]
    active: frozenset[str]
    context: Context = UNASKED


@dataclass(frozen=True, slots=True)
class Answer:
    """What Cedar says to one action on one resource."""

    allowed: bool
    rules: tuple[str, ...]
    """Which decided: permits where it is allowed, forbids where they made it a no."""
    masks: tuple[Mask, ...]
    """That the permits among them give."""
    failed: bool
    """Some policy could not be evaluated; then nothing is allowed."""


class Engine:
    """The policies of some roles and files, parsed once."""

    def __init__(self, compiled: Iterable[Compiled]) -> None:
        self._sources: dict[str, Json] = {}
        self._places: dict[str, str] = {}
        self._masks: dict[str, Mask] = {}
        self._parsed: dict[Action, cedarpy.PolicySet] = {}
        for one in compiled:
            if self._sources.keys() & one.policies.keys():
                raise Bug("two policies have one id, and one of them would be lost")
            self._sources |= one.policies
            self._places |= one.places
            self._masks |= one.masks

    def ask(self, asker: Asker, questions: Sequence[tuple[Action, Resource]]) -> list[Answer]:
        """An answer for each question, in order; each resource comes with its classes."""
        if not questions:
            return []
        principal, known = _principal(asker)
        resources = {resource: _resource(resource, number) for number, (_, resource) in enumerate(questions)}
        try:
            entities = json.dumps([*known, *resources.values()])
            known_entities = cedarpy.Entities.from_json_str(entities, schema())
        except ValueError as error:
            raise Bug("Cedar does not take a subject or resource of ours") from error
        shared = {
            "principal": principal,
            "context": json.dumps({name: _extended(name, value) for name, value in asker.context}),
        }
        answers: dict[tuple[Action, Resource], Answer] = {}
        for action in dict.fromkeys(action for action, _ in questions):
            those = [question for question in questions if question[0] is action]
            requests = [
                shared
                | {"action": {"type": "Action", "id": action.value}, "resource": resources[resource]["uid"]}
                for _, resource in those
            ]
            results = self._results(action, requests, known_entities)
            answers |= zip(those, map(self._answer, results), strict=True)
        return [answers[one] for one in questions]

    def _results(
        self, action: Action, requests: list[dict[str, Any]], known: cedarpy.Entities
    ) -> list[cedarpy.AuthzResult]:
        try:
            return cedarpy.is_authorized_batch(requests, self._policies(action), known, schema())
        except ValueError as error:
            raise Bug("Cedar does not take a question of ours") from error

    def _policies(self, action: Action) -> cedarpy.PolicySet:
        """Those that may have to do with the action: Cedar goes through all that it is given."""
        parsed = self._parsed.get(action)
        if parsed is None:
            named = {key: one for key, one in self._sources.items() if _is_about(one, action)}
            whole = {"staticPolicies": named, "templates": {}, "templateLinks": []}
            try:
                parsed = self._parsed[action] = cedarpy.PolicySet.from_json_str(json.dumps(whole))
            except ValueError as error:
                raise Bug("Cedar does not take what roles were compiled to") from error
        return parsed

    def _answer(self, result: cedarpy.AuthzResult) -> Answer:
        reasons = result.diagnostics.reasons
        failed = bool(result.diagnostics.errors)
        if result.decision is cedarpy.Decision.NoDecision:
            raise Bug("Cedar does not take a question of ours")
        return Answer(
            result.decision is cedarpy.Decision.Allow and not failed,
            tuple(sorted({self._places[one] for one in reasons})),
            tuple(self._masks[one] for one in reasons if one in self._masks),
            failed,
        )


def context_of(circumstances: Circumstances) -> Context:
    """What does not change by itself; time and the age of a second factor are for roles to ask for."""
    found: list[tuple[str, str | bool]] = [("certificate", circumstances.certificate)]
    if circumstances.address is not None:
        mapped = getattr(circumstances.address, "ipv4_mapped", None) or circumstances.address
        found.append(("address", str(mapped).partition("%")[0]))  # Cedar knows no zones of addresses
    if circumstances.application is not None:
        found.append(("application", circumstances.application))
    if circumstances.tenant is not None:
        found.append(("tenant", circumstances.tenant))
    return tuple(found)


def _extended(name: str, value: str | bool) -> object:
    return {"__extn": {"fn": "ip", "arg": value}} if name == "address" else value


def _is_about(policy: Json, action: Action) -> bool:
    """Compiled policies list their actions; one written by hand is about any."""
    named = policy["action"].get("entities") if policy["action"]["op"] == "in" else None
    return named is None or any(one["id"] == action.value for one in named)


def _principal(asker: Asker) -> tuple[Json, list[Json]]:
    """The subject as an entity, with its parents."""
    uid = {"type": asker.subject.kind.capitalize(), "id": asker.subject.name}
    parents = [
        *({"type": "Role", "id": name} for name in sorted(asker.active)),
        *({"type": "Held", "id": name} for name in sorted(asker.held)),
        *({"type": "Group", "id": name} for name in sorted(asker.subject.groups)),
    ]
    entities = [{"uid": one, "attrs": {}, "parents": []} for one in parents]
    return uid, [{"uid": uid, "attrs": {}, "parents": parents}, *entities]


def _resource(resource: Resource, number: int) -> Json:
    """An entity is known by a number of its own: its names are attributes, and need no escaping."""
    schema_name, table = resource.schema or "", resource.table or ""
    names = {"database": resource.database, "schema": schema_name}
    if resource.function is not None:
        return _entity("Function", number, names | {"function": resource.function})
    relation = names | {"table": table, "relation": str(exact(schema_name, table))}
    if resource.column is not None:
        name = str(exact(schema_name, table, resource.column))
        column = {"column": resource.column, "name": name, "classes": _sorted(resource.classes)}
        return _entity("Column", number, relation | column)
    kind = "Table" if resource.table is not None else "Database" if resource.schema is None else "Schema"
    return _entity(kind, number, relation)


def _sorted(classes: Iterable[DataClass]) -> list[str]:
    return sorted(one.value for one in classes)


def _entity(kind: str, number: int, attributes: dict[str, Any]) -> Json:
    return {"uid": {"type": kind, "id": str(number)}, "attrs": attributes, "parents": []}
