"""How records write names: tables and columns as the policy names them, in one spelling each.

``public.customers.iban``; a part that PostgreSQL would not read so is quoted as PostgreSQL quotes it, so that
no two columns are written alike. Used by whoever fills a `statements.Plan`, and by who looks for one.
"""

import re
from string import ascii_lowercase, ascii_uppercase

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")
EVERY = "*"
"""Where a column's name would stand: any of them; a column of this name has double quotes."""
_PART = re.compile(r'"(?:[^"]|"")*"|[^."]+')
_FOLDED = str.maketrans(ascii_uppercase, ascii_lowercase)  # scansup.c: in UTF-8 ASCII alone is folded


def qualified(*names: str) -> str:
    """Schema, table and column, or fewer, with dots between them."""
    return ".".join(one if _PLAIN.fullmatch(one) else '"{}"'.format(one.replace('"', '""')) for one in names)


def parts(name: str) -> tuple[str, ...]:
    """A qualified name's parts as PostgreSQL reads them: without quotes, or folded where there are none."""
    return tuple(
        one[1:-1].replace('""', '"') if one.startswith('"') else one.translate(_FOLDED)
        for one in _PART.findall(name)
    )


def means(asked: tuple[str, ...], name: str) -> bool:
    """Whether a recorded name is what was asked for: the same, or the end of it, as without the schema.

    ``public.customers.*`` is each column of the table, and ``*`` each that there is.
    """
    if not asked:
        return False
    if name == EVERY or name.endswith(f".{EVERY}"):
        own, table = parts(name)[:-1], asked[:-1]
        length = min(len(own), len(table))
        return not length or own[-length:] == table[-length:]
    return parts(name)[-len(asked) :] == asked
