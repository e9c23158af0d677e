"""Conditions of roles in a stance, and whether some imply others.

Called by `access`.
"""

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from strongroom.policy.conditions import Conditions
from strongroom.stance.model import Section

When = Section
"""A role's conditions; a field that is None does not matter."""


def when_of(conditions: Conditions) -> When:
    """The conditions as they are kept."""
    seconds = None if conditions.second_factor is None else int(conditions.second_factor.total_seconds())
    return {
        "addresses": None if conditions.addresses is None else sorted(map(str, conditions.addresses)),
        "second_factor": seconds,
        "hours": None if conditions.hours is None else sorted(map(str, conditions.hours)),
        "applications": None if conditions.applications is None else sorted(conditions.applications),
        "certificate": True if conditions.certificate else None,
        "tenants": None if conditions.tenants is None else sorted(conditions.tenants),
        "assumed": conditions.assumed,
    }


def implied(before: Sequence[When], after: Sequence[When]) -> bool:
    """Whether all of the former hold whenever all of the latter do; False where it cannot be told."""
    return all(
        any(other.get(name) is not None and _NARROWER[name](other[name], value) for other in after)
        for one in before
        for name, value in one.items()
        if value is not None
    )


def _inside(networks: Sequence[str], others: Sequence[str]) -> bool:
    wide = [ipaddress.ip_network(one) for one in others]
    return all(any(_is_within(ipaddress.ip_network(one), other) for other in wide) for one in networks)


def _is_within(network: Any, other: Any) -> bool:
    return network.version == other.version and bool(network.subnet_of(other))


def _among(values: Sequence[str], others: Sequence[str]) -> bool:
    return set(values) <= set(others)


_NARROWER: Mapping[str, Callable[[Any, Any], bool]] = MappingProxyType(
    {
        "addresses": _inside,
        "second_factor": lambda after, before: after <= before,
        "hours": _among,
        "applications": _among,
        "certificate": lambda after, before: after == before,
        "tenants": _among,
        "assumed": lambda after, before: after == before,
    }
)
