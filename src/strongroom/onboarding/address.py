"""A connection string from a command line, made fit for the configuration file.

The file holds a URI without a password, whose certificates are found from the file's folder. Used by ``init``
after ``parse_upstream`` has accepted the string.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlencode

from psycopg.conninfo import conninfo_to_dict

_FILES = ("sslrootcert", "sslcert", "sslkey")
_IN_AUTHORITY = ("user", "password", "host", "port", "dbname")


def written_uri(text: str, folder: Path) -> str:
    """The string as a URI for a file in ``folder``: no password, paths as seen from there."""
    given = {name: str(value) for name, value in conninfo_to_dict(text).items() if value not in (None, "")}
    given.pop("password", None)
    more = {name: value for name, value in given.items() if name not in _IN_AUTHORITY}
    for name in _FILES:
        if name in more and more[name] != "system":
            more[name] = _seen_from(folder, Path(more[name]))
    host = given.get("host", "")
    if host.startswith("/"):  # the folder of a Unix socket stands among the parameters
        more = {"host": host} | more
        host = ""
    query = f"?{urlencode(more, quote_via=quote, safe='/')}" if more else ""
    database = quote(given.get("dbname", given["user"]), safe="")
    return f"postgresql://{quote(given['user'], safe='')}@{_place(host, given)}/{database}{query}"


def password_variable(database: str) -> str:
    """The environment variable that ``init`` names for the password: SHOP_DB_PASSWORD for shop."""
    name = re.sub(r"[^A-Za-z0-9]+", "_", database).strip("_").upper()
    return f"{name if name[:1].isalpha() else f'DB_{name}'.rstrip('_')}_DB_PASSWORD"


def _place(host: str, given: Mapping[str, str]) -> str:
    if ":" in host:
        host = f"[{host}]"
    return f"{host}:{given['port']}" if "port" in given else host


def _seen_from(folder: Path, path: Path) -> str:
    """A relative path stays one where the command and the file look from the same folder."""
    if path.is_absolute() or folder.resolve() == Path.cwd():
        return str(path)
    return str(path.absolute())
