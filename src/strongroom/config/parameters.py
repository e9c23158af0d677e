"""Parts of the addresses of root keys and buckets: a server, and the ``?name=value&name=value`` behind it.

Called by the parsers of ``vault_address``, ``awskms_address`` and ``destinations``. No message repeats what
was written, names included: what stands there may be a secret whose ``token=`` was forgotten.
"""

import re
from collections.abc import Collection, Mapping
from urllib.parse import parse_qs

from strongroom.config.values import Address, invalid

_SERVER = re.compile(r"(?:\[([0-9a-f:.]+)\]|([a-z0-9](?:[a-z0-9._-]*[a-z0-9])?))(?::([0-9]{1,5}))?")


def parse_server(scheme: str, netloc: str, instead: str, *, what: str = "keys") -> str:
    """``https://HOST:PORT`` of the parts that ``urlsplit`` gives; http to this machine alone."""
    found = _SERVER.fullmatch(netloc.lower())
    if scheme not in ("https", "http") or not found or not 1 <= int(found[3] or 443) <= 65535:
        raise invalid("does not name a server", instead=instead)
    if scheme == "http" and not Address(found[1] or found[2], int(found[3] or 80)).is_loopback:
        raise invalid(f"would send {what} over plain http", instead="write https://")
    return f"{scheme}://{netloc.lower()}"


def parse_parameters(query: str, known: Collection[str]) -> Mapping[str, str]:
    """The parameters; what is not known may be a misspelt one that matters, and is refused."""
    there_are = f"there are {', '.join(sorted(known))}"
    if not query:
        return {}
    try:
        given = parse_qs(query, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise invalid(
            "has something behind its ? that is not name=value&name=value", instead=there_are
        ) from None
    if given.keys() - set(known):
        raise invalid("has a parameter that there is not", instead=there_are)
    if any(len(values) > 1 for values in given.values()):
        raise invalid("has a parameter twice", instead="write each once")
    if not all(values[0] for values in given.values()):
        raise invalid("has a parameter without a value", instead="leave it out, or give the variable a value")
    return {name: values[0] for name, values in given.items()}
