"""A stance: everything in a configuration on which protection hangs, and nothing else, in one canonical form.

It is what is remembered of a configuration that ran, so that another can be held against it. It is made of
sections, one for each room that protects something; `sections` compares them. Its text is JSON with sorted
keys, so that equal stances have equal octets and one SHA-256. Made by ``gateway/stances.py``.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from strongroom.errors import StanceUnreadable

FORMAT = "strongroom stance 1"
MAX_OCTETS = 16 << 20
"""Of the text: 200 roles with 2,000 rules take half a megabyte."""

Section = Mapping[str, Any]
"""What JSON can hold."""


@dataclass(frozen=True, slots=True)
class Stance:
    """What one configuration protects."""

    sections: Mapping[str, Section]

    def written(self) -> str:
        """Its one text: ASCII, with sorted keys."""
        document = {"format": FORMAT, "sections": self.sections}
        return json.dumps(document, sort_keys=True, separators=(",", ":"))

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hexadecimal."""
        return hashlib.sha256(self.written().encode()).hexdigest()

    @property
    def signers(self) -> Section:
        """``needed`` people of ``by`` sign what weakens it; empty where nobody is asked."""
        return self.sections.get("protection", {})

    @classmethod
    def read(cls, text: str) -> "Stance":
        """The stance of a text; raises ``StanceUnreadable``."""
        try:
            if len(text) > MAX_OCTETS:
                raise ValueError
            found = json.loads(text)
            stance = cls({str(name): dict(section) for name, section in found["sections"].items()})
            if found["format"] != FORMAT or stance.written() != text:
                raise ValueError
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise StanceUnreadable("what was kept of the configuration before is not in its form") from None
        return stance


@dataclass(frozen=True, slots=True, order=True)
class Weakening:
    """One thing that protects less after a change."""

    what: str
    """The place in the configuration."""
    words: str

    def __str__(self) -> str:
        return f"{self.what}: {self.words}"
