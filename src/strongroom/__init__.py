"""Strongroom: a data security layer for SQL databases that live in somebody else's cloud.

The way of a byte, room by room, is told in docs/architecture.md.
"""

__version__ = "0.1.0.dev0"
