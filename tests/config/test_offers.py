"""``temporary``, ``break_glass`` and ``assumed``: what is taken, what is refused, and what comes of it."""

from datetime import timedelta
from pathlib import Path

import pytest

from strongroom.config import load, load_policy
from strongroom.errors import InvalidConfiguration
from strongroom.policy.offers import Offer

CONFIGURATION = """
state: sqlite:state.db
databases:
  shop: {{upstream: "postgresql://db.example/shop", listen: 127.0.0.1:6432}}
groups: {{oncall: [], leads: []}}
roles:
  repair:
    databases: [shop]
    {0}
people:
  anna: {{databases: [shop], groups: [oncall]}}
  berta: {{databases: [shop], groups: [oncall, leads]}}
  carl: {{databases: [shop], groups: [leads]}}
accounts:
  app: {{databases: [shop]}}
"""


DANGEROUS = "when: {assumed: yes, second_factor: 5m}, databases: [shop]"


def test_groups_become_their_people(tmp_path: Path) -> None:
    """And time what it is."""
    file = tmp_path / "strongroom.yaml"
    role = "temporary: {to: ['group:oncall'], by: ['group:leads', anna], longest: 4h}"
    file.write_text(CONFIGURATION.format(role + "\n    break_glass: {to: [carl], longest: 30m}"))
    found = load_policy(file, {})[1].roles["repair"]
    everyone = frozenset({"anna", "berta", "carl"})
    assert found.temporary == Offer(frozenset({"anna", "berta"}), timedelta(hours=4), everyone, 1)
    assert found.break_glass == Offer(frozenset({"carl"}), timedelta(minutes=30))


@pytest.mark.parametrize(
    ("role", "wrong"),
    [
        ("temporary: {to: [dora], by: [anna], longest: 1h}", "to names dora, which is not under people"),
        ("temporary: {to: [app], by: [anna], longest: 1h}", "to names app, which is not under people"),
        ("temporary: {to: [Anna], by: [carl], longest: 1h}", "to names Anna, which is not under people"),
        ("temporary: {to: [anna], by: ['group:dbas'], longest: 1h}", "which is not under groups"),
        ("temporary: {to: [anna], by: [anna], longest: 1h}", "needs 1 to agree"),
        ("temporary: {to: [anna, carl], by: [anna, berta], longest: 1h, approvals: 2}", "needs 2 to agree"),
        ("temporary: {to: [anna], by: [carl], longest: 91d}", "longer than 90 d"),
        ("temporary: {to: [], by: [carl], longest: 1h}", "must be a list of people"),
        ("temporary: {to: [anna], by: [carl], longest: 1h, approvals: 0}", "greater than or equal to 1"),
        ("temporary: {to: [anna], by: [carl]}", "longest: is missing"),
        ("break_glass: {to: [anna], longest: 25h}", "longer than 1 d"),
        ("break_glass: {to: [anna], by: [carl], longest: 1h}", "is not a key"),
        ("when: {assumed: yes}", "assumed: without second_factor:"),
        ("when: {assumed: no, second_factor: 5m}", "must be yes"),
        (
            "{when: {assumed: yes, second_factor: 5m}, databases: [shop], includes: [x]}\n  x: {DANGEROUS}",
            "which must be, too",
        ),
        ("{databases: [shop]}\n  Repair: {databases: [shop]}", "differ in capitals alone"),
    ],
)
def test_what_is_refused(tmp_path: Path, role: str, wrong: str) -> None:
    """Who is nobody, a program, or the only one who could agree to their own; times without an end."""
    file = tmp_path / "strongroom.yaml"
    text = CONFIGURATION.format(role).replace("DANGEROUS", DANGEROUS)
    if role.startswith("{"):
        text = text.replace("repair:\n    databases: [shop]\n    ", "repair: ")
    file.write_text(text)
    with pytest.raises(InvalidConfiguration) as refused:
        load(file, {})
    assert wrong in refused.value.message
