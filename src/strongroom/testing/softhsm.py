"""SoftHSM, a PKCS#11 module that keeps its tokens in files: tokens in a temporary folder.

It has no server: the module reads the tokens of the folder that ``SOFTHSM2_CONF`` in the environment of the
process leads to. Needs the package softhsm2 of the system.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from strongroom.errors import ServerFailed

MODULES = ("/usr/lib/softhsm", "/usr/lib64/softhsm", "/usr/lib64/pkcs11", "/opt/homebrew/lib/softhsm")
PIN = "1234"
_OFFICER_PIN = "12345678"
_ADD_KEY = """
import json, sys
import pkcs11
from pkcs11 import Attribute, KeyType, MechanismFlag
asked = json.load(sys.stdin)
flags = [MechanismFlag[name] for name in asked["may"]]
token = pkcs11.lib(asked["module"]).get_token(token_label=asked["token"])
with token.open(rw=True, user_pin=asked["pin"]) as session:
    session.generate_key(
        KeyType.AES, asked["bits"], label=asked["name"], id=bytes.fromhex(asked["identifier"]), store=True,
        capabilities=MechanismFlag(sum(flags)),
        template={Attribute.EXTRACTABLE: asked["extractable"], Attribute.SENSITIVE: asked["sensitive"]},
    )
"""


@dataclass(frozen=True, slots=True)
class SoftHsm:
    """Tokens in ``folder``."""

    folder: Path
    module: Path
    _tool: str

    @classmethod
    def make(cls, folder: Path) -> "SoftHsm":
        """No tokens yet, in a folder that is there; raises ``ServerFailed`` where SoftHSM is missing."""
        tool = shutil.which("softhsm2-util")
        module = next(filter(Path.exists, (Path(place) / "libsofthsm2.so" for place in MODULES)), None)
        if tool is None or module is None:
            raise ServerFailed("SoftHSM is not installed", hint="Install the package softhsm2.")
        (folder / "tokens").mkdir()
        (folder / "softhsm2.conf").write_text(
            f"directories.tokendir = {folder / 'tokens'}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        return cls(folder, module, tool)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a process that loads the module must have in its environment."""
        return {"SOFTHSM2_CONF": str(self.folder / "softhsm2.conf")}

    def add_token(self, label: str, pin: str = PIN) -> Path:
        """A new token without keys; its folder, with which it goes."""
        tokens = self.folder / "tokens"
        before = set(tokens.iterdir())
        self._run(
            self._tool, "--init-token", "--free", "--label", label, "--pin", pin, "--so-pin", _OFFICER_PIN
        )
        (made,) = set(tokens.iterdir()) - before
        return made

    def add_key(
        self,
        token: str,
        name: str,
        identifier: str = "01",
        *,
        bits: int = 256,
        extractable: bool = False,
        sensitive: bool = True,
        may: Sequence[str] = ("ENCRYPT", "DECRYPT"),
    ) -> None:
        """A new AES key of any kind in a token, also of those that no root key may be."""
        asked = {
            "module": str(self.module),
            "pin": PIN,
            "token": token,
            "name": name,
            "identifier": identifier,
            "bits": bits,
            "extractable": extractable,
            "sensitive": sensitive,
            "may": list(may),
        }
        self._run(sys.executable, "-c", _ADD_KEY, stdin=json.dumps(asked))

    def uri(self, token: str, key: str, pin: str = PIN) -> str:
        """What stands behind ``pkcs11:`` for a key of a token."""
        where = f"token={quote(token)};object={quote(key)}"
        return f"{where}?module-path={quote(str(self.module))}&pin-value={quote(pin)}"

    def _run(self, *command: str, stdin: str = "") -> None:
        done = subprocess.run(  # noqa: S603  # the program that was found, or this Python
            command,
            input=stdin,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ServerFailed(f"{Path(command[0]).name} failed", detail=done.stderr + done.stdout)
