"""The address of a root that people keep in shares: ``shamir:``, or ``shamir:SET`` for those of that set.

The id of a set stands in each of its lines. Called by ``roots``; ``keys.root.shamir`` is opened with the
lines that people enter.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from strongroom.config.values import invalid

_SET = re.compile(r"[0-9a-fA-F]{8}")


@dataclass(frozen=True, slots=True)
class ShamirAddress:
    """A root in shares; of this set, where one is named."""

    set_id: int | None

    @property
    def name(self) -> str | None:
        """The provider and the set; None where any set will do."""
        return None if self.set_id is None else f"shamir {self.set_id:08x}"


def parse_shamir(rest: str, folder: Path) -> ShamirAddress:
    """What follows ``shamir:``."""
    del folder
    if not rest:
        return ShamirAddress(None)
    if not _SET.fullmatch(rest):
        raise invalid(
            "is not a set of shares",
            instead="write shamir: and the eight digits that follow the first word of a line",
        )
    return ShamirAddress(int(rest, 16))
