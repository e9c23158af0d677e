"""The programs ``age`` and ``ssh-keygen``, and people who have keys of them."""

import shutil
import subprocess
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Signer:
    """Somebody with an SSH key."""

    name: str
    file: Path

    @classmethod
    def make(cls, folder: Path, name: str, *options: str) -> "Signer":
        """With a new key of ssh-keygen's, of ed25519 where the options name no kind."""
        file = folder / f"{name}.key"
        options = options or ("-t", "ed25519")
        command = [
            program("ssh-keygen"),
            "-q",
            "-N",
            "",
            "-C",
            f"{name}@example.org",
            "-f",
            str(file),
            *options,
        ]
        subprocess.run(command, check=True, capture_output=True)
        return cls(name, file)

    @property
    def public(self) -> str:
        """The line of the public key, with its comment."""
        return self.file.with_suffix(".key.pub").read_text().strip()

    def signature(self, message: bytes, *options: str, namespace: str = "strongroom-approval") -> bytes:
        """What ``ssh-keygen -Y sign`` says of a message."""
        command = [program("ssh-keygen"), "-Y", "sign", "-n", namespace, "-f", str(self.file), *options]
        return subprocess.run(command, input=message, check=True, capture_output=True).stdout

    def sign(self, request: Path) -> Path:
        """Puts a signature beside a request."""
        beside = request.with_name(f"{request.name}.{self.name}.sig")
        beside.write_bytes(self.signature(request.read_bytes()))
        return beside
