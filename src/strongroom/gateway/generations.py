"""How far the state has come, beside the data: read, judged, and written anew (``keys/generation.py``).

At each start, reload and key command by `protection`, and every hour by the supervisor. That it cannot be
written stops nothing, and is said: it is a watch, and not a lock.
"""

import contextlib
from collections.abc import Callable, Iterable, Mapping

from strongroom.errors import StrongroomError, UpstreamError
from strongroom.gateway.inquiry import Row, ask
from strongroom.gateway.kept import Kept, Place, filled, publish_generation
from strongroom.keys import beside, generation
from strongroom.keys.generation import Generation, Verdict
from strongroom.keys.kek import Keks
from strongroom.keys.model import Keyset
from strongroom.keys.store import KeyStore, kept_keks
from strongroom.state import State

ANEW = (
    "legal holds, the register of backups and custody stand in another state, or stood in one that was lost:"
    " until somebody has seen to that, and has run `strongroom keys rollbacks --acknowledge`, nothing is"
    " destroyed and no root taken off; `strongroom keys rollbacks` says what to do"
)

LOST = (
    "how often keys were used since then is not known, and 2^30 uses more are assumed of each; keys that were"
    " rotated since were taken over from beside the data; custody, the register of backups, holds, approvals"
    " and passwords may be those of former days: go through them, then run `strongroom keys rollbacks"
    " --acknowledge`"
)

NOT_BROUGHT_BACK = (
    "legal holds, the register of backups, custody, scheduled destructions, imports that had begun, the"
    " approvals on record, events, counts of uses and passwords of accounts stood in the lost state alone,"
    " and are not brought back: lay holds again (`strongroom keys hold`), enter custody (`strongroom keys"
    " custody`), and make a new backup (`strongroom keys backup`); older ones hold their keys until you"
    " destroy the files: register those that there are (`strongroom keys backups --register FILE`), so that"
    " this is known; or, where a backup of keys is at hand, begin with an empty state and `strongroom keys"
    " restore`, which brings back holds, register and custody of its day."
    " Nothing is destroyed until `strongroom keys rollbacks --acknowledge`"
)
"""What `keys recover` says, and `keys rollbacks` until somebody has seen to it.

Where another state is in use, another gateway's, it is what that one knows and this one does not."""


def begin_anew(state: State, found: Mapping[str, Kept], others: Mapping[str, list[Generation]]) -> list[str]:
    """Notes that this state takes over keys of which it knows nothing, before it does; what to say.

    A KEK alone, with no keyset and no number of another state, is what a first start leaves that was killed.
    """
    here, this = kept_keks(state.engine), generation.state_id(state.engine)
    names = sorted(
        name
        for name, kept in found.items()
        if kept.kek is not None
        and kept.kek.name not in here
        and (kept.keysets or any(one.state != this for one in others[name]))
    )
    if not names or not generation.note_loss(state.engine, generation.BEGUN_ANEW, ", ".join(names)):
        return []
    return [f"state-begun-anew: {generation.BEGUN_ANEW} ({', '.join(names)}); {ANEW}"]


async def generations_beside(place: Place) -> list[Generation]:
    """What the states that use this database wrote there; nothing, where there is no such table yet."""
    there = await ask(place.connector, beside.HAS_GENERATIONS)
    if there != [(b"t",)]:
        return []
    rows = await ask(place.connector, beside.READ_GENERATIONS)
    return [one for row in rows for one in _generation(row)]


def _generation(row: Row) -> Iterable[Generation]:
    """A row that is not whole is nobody's."""
    state, number, mark, proof = ((value or b"").decode(errors="replace") for value in row)
    if number.isascii() and number.isdigit():
        yield Generation(state, int(number), mark, proof)


def watch(
    state: State, found: Mapping[str, list[Generation]], keysets: Callable[[], Iterable[Keyset]]
) -> list[str]:
    """Sees whether the state is a copy of a former one, by what was found in each database; what to say.

    ``keysets`` gives those of the state as it is now, with what was taken over.
    """
    judged = [(name, *worst) for name, one in found.items() if (worst := generation.judge(state, one))]
    for name, verdict, one in judged:
        if verdict in (Verdict.BEHIND, Verdict.FORKED):
            what = f"{verdict.value}: generation {one.number} of it stands beside the data of {name}"
            now = generation.become_another(state, one.state, what, keysets())
            return [f"state-rolled-back: {what}; it is now the state {now}. {LOST}"]
    return [
        f"databases.{name}: somebody else changed what stands of this state in strongroom_keys.generations;"
        " it is written anew"
        for name, _, _ in judged
    ]


async def look_again(state: State, places: Iterable[Place], keks: Keks) -> list[str]:
    """What a gateway that runs does now and then: looks, and writes the next number; what is to be said."""
    places, found = list(places), {}
    for place in places:
        with contextlib.suppress(UpstreamError):  # to write there will say why
            found[place.name] = await generations_beside(place)
    said = watch(state, found, lambda: KeyStore(state.engine, keks).load().values())
    return said + await write_beside(state, places)


async def write_beside(state: State, places: Iterable[Place]) -> list[str]:
    """The next number, into the state and then beside the data of each; what could not be done, in words."""
    newest = generation.advance(state)
    said = []
    for place in places:
        try:
            await _write(place, newest)
        except StrongroomError as error:
            said.append(
                f"databases.{place.name}: a state that is copied back would not be noticed: {error.message}"
            )
    return said


async def _write(place: Place, newest: Generation) -> None:
    """By the upstream user, who may; by the owner, where the table is not there, or not for that user yet."""
    values = (newest.state, newest.number, newest.mark, newest.proof)
    statement = filled(beside.WRITE_GENERATION, *values)
    try:
        await ask(place.connector, statement)
    except UpstreamError:
        await publish_generation(place, statement)
