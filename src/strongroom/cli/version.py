"""``strongroom version``: what is running, for a report of a defect."""

import platform
from importlib import metadata

import psycopg
from cryptography.hazmat.backends.openssl import backend

import strongroom
from strongroom._kernel import KERNEL
from strongroom.cli.options import Json
from strongroom.cli.output import print_table


def version(json: Json = False) -> None:
    """Print the versions of Strongroom and of what it stands on.

    Example: strongroom version --json
    """
    versions = {
        "strongroom": strongroom.__version__,
        "kernel": KERNEL,
        "python": platform.python_version(),
        "openssl": backend.openssl_version_text(),
        "libpq": str(psycopg.pq.version()),
        "pgparse": metadata.version("pgparse"),
    }
    rows = [{"part": part, "version": text} for part, text in versions.items()]
    print_table(["part", "version"], rows, as_json=json)
