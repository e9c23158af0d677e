"""People who approve, one who does not, and a request that goes from one to the other."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.cli.conftest import Run
from tests.keys.people import Signer

if TYPE_CHECKING:  # which imports this module
    from tests.cli.keys.conftest import House

EXPORT = ("keys", "export", "public.people.note", "--tink", "--danger-key-material-in-the-clear")


class People:
    """Anna, Ben and Carla, who approve; and Mallory, who does not."""

    def __init__(self, house: "House", folder: Path) -> None:
        self.house = house
        self.anna, self.ben, self.carla, self.mallory = (
            Signer.make(folder, name) for name in ("anna", "ben", "carla", "mallory")
        )
        self.request = house.safe / "request.json"

    def require(self, needed: int = 2, **changes: Any) -> None:
        """Writes the requirement into the configuration."""
        by = {one.name: one.public for one in (self.anna, self.ben, self.carla)}
        self.house.configure(keys=self.keys(needed=needed, by=by) | changes)

    def keys(self, **approvals: Any) -> dict[str, Any]:
        """The section ``keys:`` with these approvals, or none."""
        return {"root": "file:keys/root.key"} | ({"approvals": approvals} if approvals else {})

    def ask(self, *words: str) -> Run:
        """Runs a command that makes a request, in a new file, or takes the one that is there."""
        return self.house(*words, "--approval", str(self.request))

    def asked_anew(self, *words: str) -> None:
        """A request without any signature, whatever was there before."""
        for one in self.house.safe.glob("request.json*"):
            one.unlink()
        run = self.ask(*words)
        assert run.status == 2
        assert "approval-needed" in run.stderr

    def sign(self, *signers: Signer) -> None:
        """Each puts a signature beside the request."""
        for one in signers:
            one.sign(self.request)


def events(house: "House") -> list[Mapping[str, Any]]:
    """What was done to keys."""
    found: list[Mapping[str, Any]] = json.loads(house("keys", "events", "--json").stdout)
    return found
