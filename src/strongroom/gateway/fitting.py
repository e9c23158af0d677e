"""What is wrong with a policy, here and against the live databases, with the lines where it stands.

The supervisor asks when a policy is loaded, and logs what it hears: nothing of it stops the gateway, since
what a rule does not mean is refused. ``strongroom check`` and ``policy check`` print it.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog

from strongroom.config import Settings
from strongroom.config.places import lines_of
from strongroom.errors import StrongroomError
from strongroom.gateway.gate import upstream_of
from strongroom.gateway.judging import authorizer_of
from strongroom.gateway.protection import read_catalog, schemes_of
from strongroom.policy.authorizer import Authorizer
from strongroom.policy.fitting import Catalog, fitting
from strongroom.policy.review import Remark, review
from strongroom.protect.scheme import Scheme
from strongroom.session.snapshot import protections_in
from strongroom.session.veils import misfit
from strongroom.sql.schema import Schema

_log = structlog.get_logger("strongroom.policy")

LOGGED_AT_MOST = 50
"""Lines about one policy."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found, and the databases that could not be asked."""

    remarks: tuple[Remark, ...]
    unread: Mapping[str, StrongroomError]


def reviewed(settings: Settings, authorizer: Authorizer, content: str | None = None) -> tuple[Remark, ...]:
    """What is wrong with a policy by itself; ``content`` is what its file held, where it was read before."""
    return _placed(settings, tuple(review(authorizer)), content)


async def look(settings: Settings, authorizer: Authorizer, content: str | None = None) -> Looked:
    """What is wrong with it beside the databases that its roles name."""
    policy = authorizer.policy
    catalogs: dict[str, Catalog] = {}
    unread: dict[str, StrongroomError] = {}
    for name in sorted({name for role in policy.roles.values() for name in role.databases}):
        try:
            catalog = await read_catalog(upstream_of(name, settings))
        except StrongroomError as error:
            unread[name] = error
        else:
            schemes = schemes_of(settings, name)
            catalogs[name] = await asyncio.to_thread(_catalog, catalog, schemes)
    remarks = await asyncio.to_thread(lambda: tuple(fitting(policy, catalogs, misfit)))
    return Looked(_placed(settings, remarks, content), unread)


async def say(settings: Settings, content: str) -> None:
    """Log what is wrong with a policy that was just loaded; what goes on without it needs no waiting."""
    authorizer = await asyncio.to_thread(authorizer_of, settings)
    if authorizer is None:
        return
    own = await asyncio.to_thread(reviewed, settings, authorizer, content)
    looked = await look(settings, authorizer, content)
    for name, error in looked.unread.items():
        _log.warning("the policy was not held against a database", database=name, why=error.message)
    wrong = [one for one in (*own, *looked.remarks) if one.serious]
    for one in wrong[:LOGGED_AT_MOST]:
        _log.warning("a rule of the policy is wrong", place=one.place, line=one.line, wrong=one.wrong)
    if len(wrong) > LOGGED_AT_MOST:
        _log.warning("more rules of the policy are wrong", number=len(wrong) - LOGGED_AT_MOST)


def _catalog(answer: bytes, schemes: Mapping[str, Scheme]) -> Catalog:
    """The types of protected columns are those that clients see."""
    schema = Schema.from_catalog(json.loads(answer))
    declared = protections_in(schema, schemes.values())
    columns: dict[tuple[str, ...], tuple[int, int]] = {}
    for relation in schema.relations.values():
        for one in relation.columns:
            protection = declared.get((relation.oid, one.attnum))
            seen = one if protection is None else protection
            columns[relation.schema, relation.name, one.name] = seen.type_oid, seen.typmod
    return Catalog(
        frozenset(schema.names) | schema.system,
        columns,
        frozenset((one.schema, one.name) for one in schema.functions.values()),
    )


def _placed(settings: Settings, remarks: tuple[Remark, ...], content: str | None) -> tuple[Remark, ...]:
    """With file and line."""
    lines = lines_of(settings.file, content)
    return tuple(
        replace(one, line=f"{settings.file.name}:{lines[one.place]}" if one.place in lines else "")
        for one in remarks
    )
