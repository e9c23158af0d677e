"""The program ``age``, and somebody who has an identity of it."""

import shutil
import subprocess
from pathlib import Path

from tests.conftest import missing


def program(name: str) -> str:
    """The path of a program of the system's."""
    return shutil.which(name) or missing(name)


def an_identity(folder: Path) -> tuple[Path, str]:
    """A file of age-keygen's, and its recipient."""
    file = folder / "identity.txt"
    subprocess.run([program("age-keygen"), "-o", str(file)], check=True, capture_output=True)
    made = subprocess.run(
        [program("age-keygen"), "-y", str(file)], check=True, capture_output=True, text=True
    )
    return file, made.stdout.strip()
