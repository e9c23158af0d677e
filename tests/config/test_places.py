"""config/places.py: in which line a rule stands, whatever way its name is written."""

from pathlib import Path

import pytest

from strongroom.config import load_policy
from strongroom.config.places import lines_of
from strongroom.policy.roles import Policy

TEXT = """\
state: sqlite:state.db
databases:
  shop: {upstream: "postgresql://db.example/shop", listen: 127.0.0.1:6432}
roles:
  support:
    databases: [shop]
    tables:
      Public.Customers: [select]
      "\\"public\\".orders": [select]
    columns:
      public.customers.email: {show: {mask: email}}
      "class:secret": nothing
      "*": reveal
    functions:
    - public.slug
    - "Public.*"
classes:
  public.CUSTOMERS.iban: secret
people:
  anna: {databases: [shop], roles: [support]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "roles.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def places(policy: Policy) -> list[str]:
    (role,) = policy.roles.values()
    found = [one.place for one in role.tables] + [one.place for one in role.columns]
    return found + [one.place for one in role.functions]


def test_every_rule_has_its_line(file: Path) -> None:
    """By the very name that the policy calls it."""
    lines = lines_of(file, environment={})
    assert [lines[one] for one in places(load_policy(file, {})[1])] == [8, 9, 11, 12, 13, 15, 16]
    assert lines["classes.public.customers.iban"] == 18
    assert lines["roles.support"] == 5
    assert lines["people.anna"] == 20


def test_of_what_was_read_before(file: Path) -> None:
    """The file may be another by now."""
    content = file.read_text(encoding="utf-8")
    file.write_text("")
    assert lines_of(file, content, {})["roles.support"] == 5


def test_what_is_no_rule_has_only_its_key(file: Path) -> None:
    """Nothing is raised for what the model will complain about, or already has."""
    file.write_text("roles:\n  r:\n    tables: {a.b.c: [select]}\n    functions: {x: y}\nclasses: {a: b}\n")
    assert lines_of(file, environment={})["roles.r.tables.a.b.c"] == 3
