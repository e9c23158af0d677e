"""The command line: ``strongroom serve``, ``check``, ``password`` and the rest.

``main`` is the console script. Each command stands in a module of its own and calls one room; ``app`` puts
them together, ``output`` prints tables and errors.
"""

import sys
from collections.abc import Sequence
from typing import NoReturn

from strongroom.cli.output import print_error
from strongroom.config import core_dumps_allowed
from strongroom.errors import ConfigError, StrongroomError
from strongroom.keys.core_dumps import forbid_core_dumps

DOES_NOT_HOLD = 1
WRONG_USE = 2
INTERRUPTED = 128 + 2
"""As a shell counts an end by SIGINT."""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Runs the command line and exits: 0 well, 1 the thing checked does not hold, 2 wrong use.

    Our own errors become a message; anything else is a defect of ours and shows its trace.
    """
    try:
        from strongroom.cli.app import app  # noqa: PLC0415 - choosing the kernel, on import, may fail with our error

        if arguments is None and not core_dumps_allowed():  # the process is ours alone
            forbid_core_dumps()
        app(arguments, prog_name="strongroom")
        sys.exit(0)
    except StrongroomError as error:
        print_error(error)
        sys.exit(WRONG_USE if isinstance(error, ConfigError) else DOES_NOT_HOLD)
    except KeyboardInterrupt:  # before a command has begun to handle it: the imports take a second
        sys.exit(INTERRUPTED)
