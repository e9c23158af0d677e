"""From a text to what it touches: the entrance of `sql/`."""

from collections.abc import Sequence

from strongroom.errors import Denied
from strongroom.sql.statement import Analysis, Context


def analyse(text: str, declared: Sequence[int], context: Context) -> Analysis:
    """Says what a text means under `context`, with the parameter types that Parse declares (0: none).

    Raises subclasses of `Denied`, which name the construct, the column and the way out.
    """
    raise Denied("not analysed yet")
