"""config/approvals.py: who must sign, as the configuration says it."""

from pathlib import Path

import pytest
from tests.config.test_model import SMALL, parse, refusal

A = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDpG+SRnbtJoHALakABRU9z636Ewxay7QwyEsaP7aH68"
B = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP3wbzX4rLyUBGGlN4PmmEZ+ECqw6v1QX8ngRXqPzbZ8"


def section(text: str) -> str:
    return f"{SMALL}keys:\n  root: file:/etc/strongroom/root.key\n  approvals:\n{text}"


def test_people_and_acts(tmp_path: Path) -> None:
    """A key each, or several; the four acts where nothing is said."""
    both = f"    needed: 2\n    by:\n      anna: {A} anna@laptop\n      ben: [{B}]\n"
    requirement = parse(tmp_path, section(both)).approvals
    assert requirement is not None
    assert requirement.needed == 2
    assert {name: [str(key) for key in keys] for name, keys in requirement.by.items()} == {
        "anna": [A],
        "ben": [B],
    }
    assert requirement.acts == {"export", "destroy", "restore", "root"}
    fewer = parse(tmp_path, section(both + "    for: [export, backup]\n")).approvals
    assert fewer is not None
    assert fewer.acts == {"export", "backup"}
    assert parse(tmp_path, SMALL).approvals is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (f"    needed: 2\n    by: {{anna: {A}}}\n", "needs 2 people to sign, and names 1"),
        (f"    needed: 0\n    by: {{anna: {A}}}\n", "greater than or equal to 1"),
        (f"    needed: 1\n    by: {{anna: {A}, ben: {A}}}\n", "has a key twice"),
        ("    needed: 1\n    by: {anna: []}\n", "a person without one"),
        ("    needed: 1\n    by: {}\n", "must name people"),
        ("    needed: 1\n    by: {anna: AAAA}\n", "anna: this is not a public key"),
        ("    needed: 1\n    by: {anna: 7}\n", "must be a public key, as text"),
        (f"    needed: 1\n    by: {{'an na': {A}}}\n", "has a name that is none"),
        (f"    needed: 1\n    by: {{anna: {A}}}\n    for: [all]\n", "choose from export, destroy"),
        (f"    needed: 1\n    by: {{anna: {A}}}\n    for: []\n", "must be a list of acts"),
        (f"    needed: 1\n    by: {{anna: {A}}}\n    if: [x]\n", "known here: by, for, needed"),
    ],
)
def test_what_is_wrong_is_said(text: str, complaint: str, tmp_path: Path) -> None:
    """Too few people, keys that are none or two people's, names and acts that are not known."""
    assert complaint in refusal(tmp_path, section(text))
