"""Hiding lengths: canonical bytes are filled up to a multiple of the configured ``pad`` before sealing.

The filling is one 0x80 and then zeros (ISO/IEC 7816-4), always at least one byte, so that it can be taken
off without knowing what was there. Called by ``plan.py``.
"""

from strongroom.errors import InvalidPlaintext

_MARK = b"\x80"


def padded(plaintext: bytes, block: int) -> bytes:
    """The plaintext, the mark, and zeros up to the next multiple of ``block`` bytes."""
    return plaintext + _MARK + b"\0" * (-(len(plaintext) + 1) % block)


def unpadded(filled: bytes, block: int) -> bytes:
    """What was there before; raises ``InvalidPlaintext``."""
    bare = filled.rstrip(b"\0")
    if len(filled) % block or not bare.endswith(_MARK) or len(filled) - len(bare) >= block:
        raise InvalidPlaintext(
            "a stored value opened but is not padded as configured", hint="`pad` cannot be changed later"
        )
    return bare[:-1]
