"""The number of the first record that a pruned log still has, as the log's folder says it.

It tells readers of the log what they need not look for. It is no evidence: whoever takes the log's beginning
away can write it. Written by `pruning`.
"""

from pathlib import Path

MINIMUM = "minimum"
"""The file."""


def minimum_of(log: Path) -> int:
    """0 where nothing was pruned."""
    try:
        text = (log / MINIMUM).read_text().strip()
    except FileNotFoundError:
        return 0
    return int(text) if text.isdecimal() else 0
