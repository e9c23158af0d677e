"""Which of the configured roots wrapped something here before: where a change of root needs approval.

Without approvals a start wraps every KEK by each configured root. With them, a line of configuration must not
be enough: whoever has a root and a dump of the database has every key. So a root that opens nothing that was
wrapped here is set aside, until `keys root rewrap` was approved. Called by ``gateway/protection.py``.
"""

from collections.abc import Iterable, Sequence

from strongroom.errors import RootError, RootNotApproved
from strongroom.keys.hierarchy import Roots, open_wrap
from strongroom.keys.kek import WrappedKek
from strongroom.keys.model import ExportCapability, Keyset
from strongroom.keys.root import RootKey


def only_known(roots: Roots, kept: Iterable[WrappedKek]) -> Roots:
    """The roots that open a KEK of these, the others among the failures; all, where there is no KEK yet.

    Where none does, they are left as they are: to open the KEKs will say what is wrong.
    """
    rows = list(kept)
    opened = [(root, _opened(root, rows)) for root in roots.usable]
    first = next((keks for _, keks in opened if keks), None)
    if first is None:
        return roots
    known = [root for root, keks in opened if keks and _are_the_same(first, keks)]
    strange = [root for root, keks in opened if not keks or not _are_the_same(first, keks)]
    failures = [
        RootNotApproved(f"the root {root.name!r} has wrapped nothing here, and is not put to use by itself")
        for root in strange
    ]
    return Roots(tuple(known), (*roots.failures, *failures))


def _opened(root: RootKey, rows: Sequence[WrappedKek]) -> dict[str, Keyset]:
    """The KEKs that a root opens by itself."""
    opened = {}
    for row in rows:
        try:
            opened[row.name] = open_wrap(row, Roots((root,))).kek
        except RootError:
            continue
    return opened


def _are_the_same(first: dict[str, Keyset], other: dict[str, Keyset]) -> bool:
    """Whether a KEK that both open is one key: somebody may have put a wrap of another beside the data."""
    both = first.keys() & other.keys()
    return not both or all(_material(first[name]) & _material(other[name]) for name in both)


def _material(kek: Keyset) -> set[tuple[int, bytes]]:
    capability = ExportCapability("to compare what two roots wrapped")
    return {(one.key_id, one.dek.danger_material(capability)) for one in kek.versions if one.dek is not None}
