"""What an object keeps alive: all that is reached from it, but for modules, classes and globals."""

import gc
from collections.abc import Iterator
from types import BuiltinFunctionType, FrameType, FunctionType, ModuleType


def reachable(*roots: object) -> Iterator[object]:
    """Each object once; a function counts with its closure and defaults, not with its module."""
    seen: set[int] = set()
    waiting: list[object] = list(roots)
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type | ModuleType | BuiltinFunctionType | FrameType):
            continue
        seen.add(id(one))
        yield one
        if isinstance(one, FunctionType):
            waiting += [cell.cell_contents for cell in one.__closure__ or () if _filled(cell)]
            waiting += one.__defaults__ or ()
        else:
            waiting += gc.get_referents(one)


def _filled(cell: object) -> bool:
    return bool(gc.get_referents(cell))
