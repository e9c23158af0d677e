"""How records write names: tables and columns as the policy names them, in one spelling each.

``public.customers.iban``; a part that PostgreSQL would not read so is quoted as PostgreSQL quotes it, so that
no two columns are written alike. Used by whoever fills a `statements.Plan`, and by who looks for one.
"""

import re
from string import ascii_lowercase, ascii_uppercase

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")
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
    """Whether a recorded name is what was asked for: the same, or the end of it, as without the schema."""
    return bool(asked) and parts(name)[-len(asked) :] == asked
