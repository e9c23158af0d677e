"""How records write names: tables and columns as the policy names them, in one spelling each.

``public.customers.iban``; a part that PostgreSQL would not read so is quoted as PostgreSQL quotes it, so that
no two columns are written alike. Used by whoever fills a `statements.Plan`.
"""

import re

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*")


def qualified(*names: str) -> str:
    """Schema, table and column, or fewer, with dots between them."""
    return ".".join(one if _PLAIN.fullmatch(one) else '"{}"'.format(one.replace('"', '""')) for one in names)
