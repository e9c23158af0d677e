"""The few byte loops that must be fast, from the Rust twin where it is installed, else from the readable one.

STRONGROOM_KERNEL chooses: ``native``, ``python``, or unset for the native one if it can be imported. The
choice is made here, once, when the first room is imported, since it binds names. Both twins have the same
names, behave alike, and run under the same tests; `KERNEL` says which one runs. `python.py` says what each
function means.

Called by ``wire/``, ``protect/``, ``session/`` and ``audit/``.
"""

import os
from types import ModuleType
from typing import TYPE_CHECKING

from strongroom._kernel import python
from strongroom.errors import KernelUnavailable

VARIABLE = "STRONGROOM_KERNEL"
NATIVE, PYTHON = "native", "python"


def choose(wanted: str) -> ModuleType:
    """The twin of this name, or the better one for ''; raises ``KernelUnavailable``."""
    if wanted == PYTHON:
        return python
    if wanted not in ("", NATIVE):
        raise KernelUnavailable(
            f"{VARIABLE} names a kernel that does not exist", hint=f"Set it to {NATIVE} or {PYTHON}."
        )
    try:
        from strongroom._kernel import native  # noqa: PLC0415  # it may be missing
    except ImportError:
        if wanted == NATIVE:
            raise KernelUnavailable(
                f"{VARIABLE} is {NATIVE}, but the native kernel is not installed",
                hint=f"Install strongroom-kernel, or unset {VARIABLE}: all works without it, slower.",
            ) from None
        return python
    return native


_twin = choose(os.environ.get(VARIABLE, ""))
KERNEL = PYTHON if _twin is python else NATIVE

if TYPE_CHECKING:
    from strongroom._kernel.python import (
        Answer,
        Lines,
        Mask,
        Opener,
        Refused,
        Rows,
        Sealer,
        Series,
        Template,
        Tuples,
        commit_records,
        cut,
        cut_records,
        hash_leaves,
        hash_nodes,
        pack_entries,
        plain_answers,
        plain_reply,
        plain_round,
        rows_at_end,
        split_bind,
    )
else:
    Answer, Opener, Refused, Rows = _twin.Answer, _twin.Opener, _twin.Refused, _twin.Rows
    Lines, Sealer, Series, Tuples = _twin.Lines, _twin.Sealer, _twin.Series, _twin.Tuples
    Mask, Template = _twin.Mask, _twin.Template
    commit_records, cut_records = _twin.commit_records, _twin.cut_records
    hash_leaves, hash_nodes = _twin.hash_leaves, _twin.hash_nodes
    pack_entries, rows_at_end = _twin.pack_entries, _twin.rows_at_end
    plain_answers = _twin.plain_answers
    cut, split_bind = _twin.cut, _twin.split_bind
    plain_reply, plain_round = _twin.plain_reply, _twin.plain_round

__all__ = [
    "KERNEL", "Answer", "Lines", "Mask", "Opener", "Refused", "Rows", "Sealer", "Series", "Template",
    "Tuples", "choose", "commit_records", "cut", "cut_records", "hash_leaves", "hash_nodes", "pack_entries",
    "plain_answers", "plain_reply", "plain_round", "rows_at_end", "split_bind",
]  # fmt: skip
