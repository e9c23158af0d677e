"""config/protection.py: who signs what weakens protection."""

from pathlib import Path

import pytest
from tests.config.test_approvals import A, B
from tests.config.test_model import SMALL, parse, refusal

KEYS = "keys: {root: file:/etc/strongroom/root.key}\n"


def test_people_and_how_many(tmp_path: Path) -> None:
    """They sign a weaker configuration, `unprotect` and an export; without the section nobody does."""
    text = f"{SMALL}{KEYS}protection:\n  approvals: 2\n  by: {{anna: {A}, ben: {B}}}\n"
    found = parse(tmp_path, text).protection
    assert found is not None
    assert found.requirement.needed == 2
    assert sorted(found.requirement.by) == ["anna", "ben"]
    assert found.requirement.acts == {"weakening", "unprotect", "export"}
    assert parse(tmp_path, SMALL).protection is None


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (
            f"{KEYS}protection: {{approvals: 3, by: {{anna: {A}, ben: {B}}}}}\n",
            "needs 3 people to sign, and names 2",
        ),
        (f"{KEYS}protection: {{approvals: 0, by: {{anna: {A}}}}}\n", "greater than or equal to 1"),
        (f"{KEYS}protection: {{approvals: 1, by: [anna]}}\n", "must name people"),
        (f"{KEYS}protection: {{approvals: 1, by: {{anna: {A}, ben: {A}}}}}\n", "has a key twice"),
        (f"protection: {{approvals: 1, by: {{anna: {A}}}}}\n", "there is no keys.root"),
    ],
    ids=range(5),
)
def test_what_does_not_do(tmp_path: Path, text: str, complaint: str) -> None:
    """More people than there are, nobody, no keys, one key for two, no root to keep it under."""
    assert complaint in refusal(tmp_path, SMALL + text)
