"""Who runs a command, as the machine knows them.

Linux remembers who logged in (`proc_pid_loginuid(5)`), through sudo and su: so where several administrators
work as the one user that may open the state, each is known by their own name. Where nobody logged in, as in
containers and timers, it is the user that the process belongs to.
"""

import os
import pwd
from pathlib import Path

from strongroom.audit.records.shared import Doer, Holder

_NOBODY_LOGGED_IN = 2**32 - 1

GATEWAY = Doer("strongroom", Holder.GATEWAY)


def administrator(login: Path = Path("/proc/self/loginuid")) -> Doer:
    """Whoever logged in and runs this process."""
    return Doer(name_of(_logged_in(login)), Holder.ADMINISTRATOR)


def running_as() -> str:
    """The user whose rights this process has."""
    return name_of(os.geteuid())


def name_of(user: int) -> str:
    """The name of a user of this machine."""
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:  # one without an entry, as in containers
        return f"user {user}"


def _logged_in(login: Path) -> int:
    try:
        found = int(login.read_text())
    except (OSError, ValueError):  # not every kernel has it
        return os.getuid()
    return os.getuid() if found == _NOBODY_LOGGED_IN else found
