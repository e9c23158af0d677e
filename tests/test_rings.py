"""The rings: imports go inward only, and the pure core touches neither socket, clock nor environment."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "strongroom"
FILES = sorted(SOURCE.rglob("*.py"))

# A module belongs to the first entry that is its name or its package.
PURE_AUDIT = tuple(f"audit.{name}" for name in ("records", "leaf", "tree", "tiles", "checkpoint", "proof"))
PURE = ("wire", "sql", "policy", "protect", "session", "stance", "_kernel", "keys.model", *PURE_AUDIT)
SERVICE = (
    "changeover", "config", "deeds", "keys", "lending", "people", "acceptance", "audit", "state", "posture",
)  # fmt: skip
BASE = ("errors", "secret", "")  # what every room may import; "" is the package itself
RINGS = {
    "base": BASE,
    "pure": PURE,
    "service": SERVICE,
    "shell": ("gateway", "cli", "demo", "onboarding", "privileges", "testing", "__main__"),
}
INWARD = {
    "base": {"base"},
    "pure": {"base", "pure"},
    "service": {"base", "pure", "service"},
    "shell": {"base", "pure", "service", "shell"},
}

# What pure code may import: nothing here reads a socket, a file, the clock, the environment or randomness.
PURE_STANDARD = {
    "abc", "array", "ast", "base64", "binascii", "bisect", "collections", "contextlib", "copy", "dataclasses",
    "datetime", "decimal", "difflib", "enum", "fractions", "functools", "hashlib", "heapq", "hmac", "inspect",
    "ipaddress", "itertools", "json", "keyword", "math", "numbers", "operator", "re", "string", "stringprep",
    "struct", "textwrap", "types", "typing", "unicodedata", "urllib.parse", "uuid", "zlib",
}  # fmt: skip
PURE_LIBRARIES = {"cryptography", "pgparse", "sqlglot", "cedarpy"}
# The exceptions, each with its reason.
PURE_EXCEPTIONS = {
    ("sql", "importlib"): "catalog.sql is a part of the program, in a file of its own to read as SQL",
    ("protect", "secrets"): "nonces are drawn inside protect/ and never taken from a caller",
    ("protect", "os"): "nonces are drawn inside protect/ and never taken from a caller",
    ("audit", "secrets"): "salts are drawn in audit/leaf.py and never taken from a caller",
    ("_kernel", "os"): "nonces are drawn in here; and which twin runs is decided when names are bound",
    ("_kernel", "strongroom_kernel"): "the native twin",
    ("policy", "zoneinfo"): "the rules of time zones are constants, which happen to be kept in files",
    ("protect", "zoneinfo"): "the rules of time zones are constants, which happen to be kept in files",
}
IMPURE_CALLS = {"now", "utcnow", "today", "getenv", "open", "print", "input", "uuid1", "uuid4"}


def module_name(file: Path) -> str:
    """``wire.postgres.codec`` for src/strongroom/wire/postgres/codec.py; "" for the package itself."""
    parts = file.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def ring_of(module: str) -> str:
    for ring, rooms in RINGS.items():
        for room in rooms:
            if module == room or (room and module.startswith(room + ".")):
                return ring
    raise AssertionError(f"strongroom.{module} belongs to no ring: add its room to tests/test_rings.py")


def imports(tree: ast.AST) -> Iterator[str]:
    """The dotted names that a module imports, also inside its functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room_of(name: str) -> str:
    """The module of ours that ``strongroom.a.b.Name`` stands in."""
    parts = name.split(".")[1:]
    while parts and not (
        SOURCE.joinpath(*parts).with_suffix(".py").exists() or SOURCE.joinpath(*parts).is_dir()
    ):
        parts.pop()
    return ".".join(parts)


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_imports_go_inward(file: Path) -> None:
    """A module imports only from its own ring and the rings inside it."""
    ring = ring_of(module_name(file))
    ours = {name for name in imports(ast.parse(file.read_text())) if name.split(".")[0] == "strongroom"}
    outward = {name for name in ours if ring_of(room_of(name)) not in INWARD[ring]}
    assert not outward


PURE_FILES = [file for file in FILES if ring_of(module_name(file)) == "pure"]


@pytest.mark.parametrize("file", PURE_FILES, ids=module_name)
def test_the_core_is_pure(file: Path) -> None:
    """Pure rooms import no way out, define nothing async, and call nothing that reads clock or files."""
    module = module_name(file)
    tree = ast.parse(file.read_text())
    for name in imports(tree):
        top = name.split(".")[0]
        allowed = (
            top in {"strongroom", "__future__"} | PURE_LIBRARIES
            or top in PURE_STANDARD
            or any(name.startswith(f"{standard}.") for standard in PURE_STANDARD)
            or (module.split(".")[0], top) in PURE_EXCEPTIONS
        )
        assert allowed, f"{module} is pure and may not import {name}"
    for node in ast.walk(tree):
        assert not isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncWith | ast.AsyncFor)
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if isinstance(node.func, ast.Attribute) and called in {"open", "print", "input"}:
                continue  # a method of one of our own objects
            assert called not in IMPURE_CALLS, f"{module}:{node.lineno} calls {called}()"


def test_the_environment_is_read_in_one_place() -> None:
    """Only the configuration reads the environment, and the kernel the variable that chooses it."""
    readers = {
        module_name(file)
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}
    }
    assert {name for name in readers if name.split(".")[0] not in {"config", "testing", "_kernel"}} == set()
