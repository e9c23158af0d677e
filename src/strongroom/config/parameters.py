"""The ``?name=value&name=value`` behind an address of a root key: each known, each once.

Called by the parsers of ``vault_address`` and ``awskms_address``. No message repeats what was written, names
included: what stands there may be a secret whose ``token=`` was forgotten.
"""

from collections.abc import Collection, Mapping
from urllib.parse import parse_qs

from strongroom.config.values import invalid


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
