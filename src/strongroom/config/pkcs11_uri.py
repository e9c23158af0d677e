"""``pkcs11:`` addresses of a root key: the URIs of RFC 7512, so that tools and people share one form.

    pkcs11:token=strongroom;object=root?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-source=file:pin

Before the question mark: which token (``token``, ``serial``, ``manufacturer``, ``model``) and which key in it
(``object``, ``id``). Behind it: the module, and the PIN as ``pin-source`` or ``pin-value``. Values are
percent-encoded. An attribute that would be ignored is refused, since it was written to be obeyed.

Called by ``roots``; ``keys/root/pkcs11.py`` opens what it names.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote_to_bytes

from pydantic_core import PydanticCustomError

from strongroom.config.values import invalid
from strongroom.secret import Secret

TOKEN_ATTRIBUTES = ("token", "serial", "manufacturer", "model")
OBJECT_ATTRIBUTES = ("object", "id", "type")
QUERY_ATTRIBUTES = ("module-path", "pin-source", "pin-value")
EXAMPLE = (
    "write pkcs11:token=NAME;object=NAME?module-path=/path/of/module.so&pin-source=file:/path/of/pin "
    "(RFC 7512)"
)


@dataclass(frozen=True, slots=True)
class Pkcs11Address:
    """A secret key in a token. ``pin`` is the PIN itself, or the file that holds it."""

    module: Path
    token: tuple[tuple[str, str], ...]
    """What the token must say of itself: pairs of an attribute of TOKEN_ATTRIBUTES and its value."""
    label: str | None
    identifier: bytes | None
    pin: Secret | Path

    @property
    def name(self) -> str:
        """The token and the key, for people: ``pkcs11 token=strongroom object=root``."""
        parts = [f"{attribute}={value}" for attribute, value in self.token]
        if self.label is not None:
            parts.append(f"object={self.label}")
        if self.identifier is not None:
            parts.append(f"id={self.identifier.hex()}")
        return " ".join(("pkcs11", *parts))


def parse_pkcs11(rest: str, folder: Path) -> Pkcs11Address:
    """What stands behind ``pkcs11:``; relative paths are relative to ``folder``."""
    path, _, query = rest.partition("?")
    where = _attributes(path, ";", (*TOKEN_ATTRIBUTES, *OBJECT_ATTRIBUTES))
    how = _attributes(query, "&", QUERY_ATTRIBUTES)
    if where.get("type", b"secret-key") != b"secret-key":
        raise invalid("names an object that is no secret key", instead="leave type= out")
    token = tuple((name, _text(where[name])) for name in TOKEN_ATTRIBUTES if name in where)
    if not {"token", "serial"} & where.keys():
        raise invalid("does not say which token", instead=EXAMPLE)
    if not {"object", "id"} & where.keys():
        raise invalid("does not say which key in the token", instead=EXAMPLE)
    return Pkcs11Address(
        module=_module(how, folder),
        token=token,
        label=_text(where["object"]) if "object" in where else None,
        identifier=where.get("id"),
        pin=_pin(how, folder),
    )


def _attributes(text: str, separator: str, known: tuple[str, ...]) -> Mapping[str, bytes]:
    """The attributes by name; each once, each known (RFC 7512, section 2.3)."""
    found: dict[str, bytes] = {}
    for name, value in _pairs(text, separator):
        if name not in known:
            raise invalid("has an attribute that Strongroom does not use", instead=f"of {', '.join(known)}")
        if name in found:
            raise invalid(f"has {name} twice", instead="write it once")
        found[name] = value
    return found


def _pairs(text: str, separator: str) -> Iterator[tuple[str, bytes]]:
    for part in text.split(separator) if text else ():
        name, equals, value = part.partition("=")
        if not (equals and value):
            raise invalid("is not a pkcs11: URI", instead=EXAMPLE)
        if re.search(r"%(?![0-9A-Fa-f]{2})", value):
            raise _not_encoded()
        yield name, unquote_to_bytes(value)


def _text(octets: bytes) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise _not_encoded() from None


def _not_encoded() -> PydanticCustomError:
    return invalid("is not percent-encoded as URIs are", instead="write a percent sign in a value as %25")


def _module(how: Mapping[str, bytes], folder: Path) -> Path:
    if "module-path" not in how:
        raise invalid("does not say which module", instead=EXAMPLE)
    return folder / _text(how["module-path"])


def _pin(how: Mapping[str, bytes], folder: Path) -> Secret | Path:
    """RFC 7512, section 2.4: one of both; a pin-source may be a command, which is not run."""
    match how.get("pin-value"), how.get("pin-source"):
        case bytes() as value, None:
            return Secret(_text(value))
        case None, bytes() as source:
            place = re.sub(r"^file:(//(?=/))?", "", _text(source))
            if not place or place.startswith("|"):
                raise invalid("has a PIN from a command", instead="write pin-source=file: and a path")
            return folder / place
    raise invalid("needs the PIN once", instead="write pin-source=file:PATH or pin-value=${NAME}")
