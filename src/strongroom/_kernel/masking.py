"""Masks in plain Python: what stands of a value where a client may not see it (docs/spec/masks.md).

The native twin has the same names. A mask is made ready for its column by ``protect/masking.py``, which
knows types and lengths; here are octets, and for the kinds that look at them, UTF-8. Used by itself for
columns whose values come as they are, and by ``Opener`` for sealed ones.
"""

import hmac
import re
from collections.abc import Callable
from typing import Final

from strongroom._kernel.refused import Refused

KEY_SIZE: Final = 32
DIGEST_SIZE: Final = 32
MAX_LOCAL: Final = 64
"""Octets before the @ (RFC 5321, section 4.5.3.1.1)."""
MAX_DOMAIN: Final = 255
"""Octets behind it (section 4.5.3.1.2)."""
CARD_DIGITS: Final = range(12, 20)
"""ISO/IEC 7812 has at most 19; 12 are the fewest that are in use."""
CARD_SHOWN: Final = 4

_DOMAIN = re.compile(rb"[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_BLANK = re.compile(rb"[\x00-\x20\x7f]")
_CARD = re.compile(rb"[0-9 -]+")


class Mask:
    """From a value to what stands in its place, None for NULL.

    ``kind`` is ``null``, ``fixed`` (always ``text``), ``first`` or ``last`` (``shown`` characters, and
    ``text`` for the others), ``email`` and ``card`` (``text`` for what is hidden; an address stays within
    ``limit`` characters, 0 for none), or ``hash`` (``shown`` hexadecimal digits of HMAC-SHA-256, by ``key``).
    """

    __slots__ = ("_write", "reads")

    def __init__(
        self, kind: str, *, text: bytes = b"", shown: int = 0, limit: int = 0, key: bytes = b""
    ) -> None:
        self.reads = kind not in ("null", "fixed")
        write = _writer(kind, text, shown, limit, key)
        if write is None:
            raise ValueError("no such mask")
        self._write = write

    def __call__(self, value: bytes) -> bytes | None:
        """What the client gets in place of the value; raises ``Refused`` for one that is no UTF-8."""
        try:
            return self._write(value)
        except UnicodeDecodeError:
            raise Refused("value") from None


_Writer = Callable[[bytes], bytes | None]


def _writer(kind: str, text: bytes, shown: int, limit: int, key: bytes) -> _Writer | None:
    if kind == "null":
        return lambda _value: None
    if kind == "fixed":
        return lambda _value: text
    if kind == "first" and shown > 0:
        return lambda value: _first(value.decode(), shown, text)
    if kind == "last" and shown > 0:
        return lambda value: _last(value.decode(), shown, text)
    if kind == "email":
        return lambda value: _email(value, text, limit)
    if kind == "card":
        return lambda value: _card(value, text)
    if kind == "hash" and 0 < shown <= 2 * DIGEST_SIZE and len(key) == KEY_SIZE:
        return lambda value: hmac.digest(key, value, "sha256").hex()[:shown].encode()
    return None


def _first(value: str, shown: int, run: bytes) -> bytes:
    """At least as many characters are hidden as shown, or none is shown: a short value would stand whole."""
    return run if len(value) < 2 * shown else value[:shown].encode() + run


def _last(value: str, shown: int, run: bytes) -> bytes:
    return run if len(value) < 2 * shown else run + value[-shown:].encode()


def _email(value: bytes, run: bytes, limit: int) -> bytes:
    """The first character and the domain, of what is an address beyond doubt; else nothing."""
    text = value.decode()
    local, _, domain = value.rpartition(b"@")
    if not 0 < len(local) <= MAX_LOCAL or _BLANK.search(local):
        return run
    if len(domain) > MAX_DOMAIN or not _DOMAIN.fullmatch(domain):
        return run
    first = text[:1].encode() if len(local.decode()) > 1 else b""
    if limit:
        hidden = limit - bool(first) - 1 - len(domain)
        if hidden < 1:
            return run
        return first + run[:hidden] + b"@" + domain
    return first + run + b"@" + domain


def _card(value: bytes, run: bytes) -> bytes:
    """The last four digits of what can be the number of a card, however it is grouped; else nothing."""
    if not _CARD.fullmatch(value):
        value.decode()
        return run
    digits = value.replace(b" ", b"").replace(b"-", b"")
    return run + digits[-CARD_SHOWN:] if len(digits) in CARD_DIGITS else run
