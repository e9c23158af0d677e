"""What key-encryption keys say of protection: held against what is known, and written into them.

An empty state and a deleted row beside the data know of nothing; the keys still say that there was something
(``acceptance/reminder.py``), and open for nobody who does not know it, unless the people who signed then sign
that it may be forgotten. Called by `protection` once keys are open, and by `supervisor` after anything was
accepted.
"""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from strongroom.acceptance.reminder import FORGOTTEN, NOTHING, Reminder, newest
from strongroom.acceptance.store import Acceptance
from strongroom.config import Settings
from strongroom.errors import ProtectionForgotten, RootError
from strongroom.gateway.kept import Place, kept_beside, publish_kek
from strongroom.gateway.stances import stance_of
from strongroom.gateway.wraps import refuse_other
from strongroom.keys.hierarchy import Roots, open_kek, rewrapped
from strongroom.keys.kek import WrappedKek, kek_name, tenant_of
from strongroom.keys.model import Keyset
from strongroom.keys.store import adopt_keks, kept_keks
from strongroom.state import State


def refuse_forgotten(settings: Settings, state: State, keks: Iterable[Keyset]) -> None:
    """Raises ``ProtectionForgotten`` where the keys say that more was accepted than is known."""
    reminder = newest(kek for kek in keks if tenant_of(kek.name) is None)
    if reminder is None:
        return
    acceptance = Acceptance(state.engine)
    known = acceptance.accepted()
    if known is None and _begin_anew(settings, acceptance, reminder):
        return
    if known is None or known.number < reminder.number:
        raise ProtectionForgotten(
            f"the keys say that configuration {reminder.number} was accepted under `protection:`, and neither"
            " the state nor strongroom_keys.protection knows of it",
            hint="Put the state or the row back. If both are lost, start with an empty state and have that"
            " signed: strongroom protection request strongroom.yaml",
        )


def _begin_anew(settings: Settings, acceptance: Acceptance, reminder: Reminder) -> bool:
    """Whether those who signed before have signed that this counts, whatever ran; then it does."""
    stance = stance_of(settings)
    signed = acceptance.signed(NOTHING, stance, [FORGOTTEN], datetime.now(UTC))
    if signed is None or Reminder.of(reminder.number, stance) != reminder:
        return False
    acceptance.accept(reminder.number + 1, stance, signed)
    return True


async def remind(state: State, places: Sequence[Place], keks: Iterable[Keyset], roots: Roots) -> list[str]:
    """The keys say from now on what counts; what is to be said of it.

    A KEK is wrapped anew by all roots or by none: one that is left out would open it without the reminder.
    What roots wrapped that are not configured stays, since it may be all that a lost machine left.
    """
    known = Acceptance(state.engine).accepted()
    if known is None:
        return []
    wanted = str(Reminder.of(known.number, known.stance) or "")
    behind = {kek.name for kek in keks if kek.reminder != wanted and tenant_of(kek.name) is None}
    said = []
    for place in places:
        row = kept_keks(state.engine).get(kek_name(place.name))
        if row is None or row.name not in behind:
            continue
        try:
            fresh = await asyncio.to_thread(_reminding, row, wanted, roots)
        except RootError as error:
            said.append(
                f"{row.name} cannot be made to say what counts; the next start tries again: {error.message}"
            )
            continue
        await publish_kek(place, fresh)
        refuse_other(fresh, (await kept_beside(place.connector)).kek, "beside the data")
        adopt_keks(state.engine, [fresh])
    return said


def _reminding(row: WrappedKek, wanted: str, roots: Roots) -> WrappedKek:
    return rewrapped(row, open_kek(row, roots).reminding(wanted), roots)
