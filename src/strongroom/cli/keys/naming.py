"""How keys are named on the command line: by the column that they serve, `COLUMN@TENANT` for one tenant's.

Called by the commands that look at keys and note things of them, whatever database they are of.
"""

from strongroom.config import Settings
from strongroom.gateway.protection import schemes_of
from strongroom.protect.scheme import Scheme


def keysets_of(settings: Settings, name: str) -> list[str]:
    """The keysets that a name may mean, be they there or not: one for each database with such a column."""
    of, _, tenant = name.rpartition("@")
    found = []
    for schemes in _schemes(settings):
        if name in schemes:
            found += [] if schemes[name].tenant is not None else [schemes[name].keyset]
        elif of in schemes and schemes[of].tenant is not None:
            found.append(schemes[of].of_tenant(tenant).keyset)
    return found


def of_each_tenant(settings: Settings, name: str) -> str:
    """What to do where a column was named that has a key for each tenant; else nothing."""
    if not any(name in schemes and schemes[name].tenant is not None for schemes in _schemes(settings)):
        return ""
    return f"Each tenant has a key of its own: name {name}@TENANT; `strongroom keys tenants list` shows them."


def _schemes(settings: Settings) -> list[dict[str, Scheme]]:
    return [schemes_of(settings, database) for database in settings.databases]
