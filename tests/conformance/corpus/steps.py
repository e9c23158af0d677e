"""What an application does, as steps with names: each gives a result or an error, and the next goes on.

A scenario is run once against either twin; what the steps gave is compared by ``test_corpus``.
"""

import json
import re
from collections.abc import Callable, Mapping
from typing import TypeVar

_CODE = re.compile(r"strongroom: .*? \[([a-z-]+)\]", re.DOTALL)

Client = TypeVar("Client")
Step = Callable[[Client], object]
Results = Mapping[str, object]


def run(steps: list[Step[Client]], client: Client, recover: Callable[[Client], None]) -> Results:
    """What each step gave, by its name."""
    found: dict[str, object] = {}
    for step in steps:
        try:
            found[step.__name__] = settled(step(client))
        except Exception as error:  # noqa: BLE001  # whatever a driver makes of an error is compared
            found[step.__name__] = failure(error)
            recover(client)
    return found


def settled(result: object) -> object:
    """A result as JSON has it, so that those of other processes compare."""
    return json.loads(json.dumps(result, default=str))


def failure(error: BaseException) -> object:
    """An error by its SQLSTATE, or its class where the driver found it, and by the code of a refusal."""
    cause: BaseException | None = error
    while cause is not None:
        sqlstate = getattr(cause, "sqlstate", None)
        if sqlstate:
            said = _CODE.search(str(cause))
            return {"error": sqlstate} | ({"refused": said[1]} if said else {})
        cause = getattr(cause, "orig", None) or cause.__cause__
    return {"error": type(error).__name__, "said": str(error)}
