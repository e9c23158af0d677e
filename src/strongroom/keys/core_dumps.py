"""A process that holds keys leaves no core dump, and no other process of its user reads its memory.

A dump would put keys and plaintext on a disk, or hand them to whatever the system sends dumps to. Of two
settings each has a hole: a limit of no octets (setrlimit(2), RLIMIT_CORE) does not hold where dumps go to a
program, such as systemd-coredump (core(5), "Piping core dumps"); and that a process is not dumpable
(PR_SET_DUMPABLE of prctl(2)) is a setting of Linux alone, which execve(2) takes back. The latter also keeps
the user's other processes from attaching to it, and from reading /proc/PID/mem.

Called first of all by the command line and by each process of the gateway.
STRONGROOM_CORE_DUMPS=allowed (`config`) is for developers, who want debuggers.
"""

import contextlib
import ctypes
import resource

_PR_SET_DUMPABLE = 4  # linux/prctl.h


def forbid_core_dumps() -> None:
    """No core dump of this process from now on, nor, on the limit's side, of what it starts."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with contextlib.suppress(AttributeError):  # other systems than Linux
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def follow_parent() -> None:
    """As the process that started this one has it: limits are inherited, what may be dumped is not."""
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        forbid_core_dumps()
