"""The documents: links lead somewhere, configurations parse, and the reference has every key."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel

from strongroom.cli import main
from strongroom.config import Account, Column, Database, Keys, Limits, Login, Person, Settings, Tls, load

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
CONFIGURATION = re.compile(r"^( *)```yaml config\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
POLICY = re.compile(r"^```yaml policy\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXPECTATIONS = re.compile(r"^```yaml tests\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FENCED = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
REFERENCE = ROOT / "docs" / "guides" / "configuration.md"
VERIFIER = "SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$" + "A" * 43 + "=:" + "B" * 43 + "="


def name(path: object) -> str:
    return str(path.relative_to(ROOT)) if isinstance(path, Path) else str(path)


def anchors(document: Path) -> set[str]:
    """The anchors of its headings, as the usual renderers make them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", document.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link leads to a file that is there, and to a heading in it."""
    for link in LINK.findall(FENCED.sub("", document.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        assert target.exists(), f"{link} leads nowhere"
        assert not anchor or anchor in anchors(target), f"{link} names no heading of {target.name}"


def configurations() -> Iterator[tuple[str, str]]:
    for document in DOCUMENTS:
        for indent, found in CONFIGURATION.findall(document.read_text(encoding="utf-8")):
            yield name(document), found.replace("\n" + indent, "\n").removeprefix(indent)


@pytest.mark.parametrize(("document", "text"), list(configurations()), ids=name)
def test_configurations_parse(document: str, text: str, tmp_path: Path) -> None:
    """Every configuration that a document shows is one that Strongroom takes."""
    assert document
    file = tmp_path / "strongroom.yaml"
    file.write_text(text, encoding="utf-8")
    environment = dict.fromkeys(re.findall(r"\$\{(\w+)\}", text), VERIFIER)
    assert load(file, environment).databases


def test_the_guide_to_roles_holds(tmp_path: Path) -> None:
    """Its roles are taken, mean what they say, and do what its file of tests expects of them."""
    text = (ROOT / "docs" / "guides" / "access.md").read_text(encoding="utf-8")
    roles, tests = tmp_path / "roles.yaml", tmp_path / "tests.yaml"
    (shown,), (expected,) = POLICY.findall(text), EXPECTATIONS.findall(text)
    roles.write_text(shown, encoding="utf-8")
    tests.write_text(expected, encoding="utf-8")
    for command in ["check"], ["test", str(tests)]:
        with pytest.raises(SystemExit) as exited:
            main(["policy", *command, "--config", str(roles)])
        assert not exited.value.code


def test_there_are_configurations() -> None:
    """The documents that show a configuration mark it, so that it is tested."""
    assert {document for document, _ in configurations()} >= {"README.md", "docs/guides/configuration.md"}
    assert "```yaml\n" not in "".join(document.read_text(encoding="utf-8") for document in DOCUMENTS)


@pytest.mark.parametrize("model", [Settings, Keys, Database, Tls, Column, Account, Limits, Login, Person])
def test_the_reference_has_every_key(model: type[BaseModel]) -> None:
    """docs/guides/configuration.md names every key, and the default of every limit."""
    text = REFERENCE.read_text(encoding="utf-8")
    for key, field in model.model_fields.items():
        if model in {Limits, Login}:
            assert f"| `{key}` | {field.default} |" in text
        else:
            assert re.search(rf"`(\w+\.)?{key}[`.]", text), key


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_one_title(document: Path) -> None:
    """A document begins with its title."""
    assert document.read_text(encoding="utf-8").startswith("# ")


def test_the_essentials_are_there() -> None:
    """What anyone looks for first is there."""
    for path in ("README.md", "LICENSE", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "docs/roadmap.md"):
        assert (ROOT / path).stat().st_size > 200, path
