"""``strongroom policy``: check, test, diff and who; and that nothing else takes roles yet."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Run

ROLES = """
state: sqlite:state.db
databases:
  shop: {upstream: "postgresql://db.example/shop", listen: 127.0.0.1:6432}
roles:
  application:
    databases: [shop]
    tables: {"public.*": [select, insert, update, delete]}
    columns: {"*": reveal}
  support:
    databases: [shop]
    tables: {public.customers: [select]}
    columns:
      public.customers.email: {show: {mask: email}, filter: yes}
      "class:secret": nothing
    when: {second_factor: 15m, hours: Mon-Fri 08:00-18:00 Europe/Berlin}
    limits: {rows_per_hour: 1000}
classes: {public.customers.iban: secret}
accounts:
  app: {databases: [shop], roles: [application]}
people:
  anna: {databases: [shop], roles: [support]}
"""
TESTS = """
tests:
- as: app
  expect: {select public.customers: yes, show public.customers.iban: reveal, truncate public.customers: no}
- as: anna
  in: shop
  when: {at: 2026-11-23 10:00 Europe/Berlin, second_factor: 5m}
  expect:
    show public.customers.email: {mask: email}
    show public.customers.iban: no
    filter public.customers.email: yes
- as: anna
  when: {at: 2026-11-22 10:00 Europe/Berlin, second_factor: 5m}
  expect: {select public.customers: no}
"""


@pytest.fixture
def roles(tmp_path: Path) -> Path:
    """A configuration with roles."""
    return written(tmp_path / "roles.yaml", ROLES)


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_check(strongroom: Callable[..., Run], roles: Path) -> None:
    """A policy that means what it says is well; a rule that never counts is found."""
    assert strongroom("policy", "check", "--config", str(roles)).status == 0
    written(roles, ROLES.replace("filter: yes}", "write: yes}").replace("{show: {mask: email}, ", "{"))
    run = strongroom("policy", "check", "--config", str(roles), "--json")
    assert run.status == 1
    (_, found) = json.loads(run.stdout)
    assert (found["verdict"], found["subject"]) == ("fails", "roles.support.columns.public.customers.email")


def test_check_of_what_is_misspelt(strongroom: Callable[..., Run], roles: Path) -> None:
    """Is wrong configuration: status 2, with the line."""
    written(roles, ROLES.replace("[select]", "[selct]"))
    run = strongroom("policy", "check", "--config", str(roles))
    assert run.status == 2
    assert "roles.yaml:12: roles.support.tables.public.customers: must be a list of actions" in run.stderr


def test_expectations_that_hold(strongroom: Callable[..., Run], roles: Path) -> None:
    """Status 0, and the rule that decided beside each."""
    tests = written(roles.parent / "tests.yaml", TESTS)
    run = strongroom("policy", "test", str(tests), "--config", str(roles), "--json")
    assert run.status == 0
    rows = json.loads(run.stdout)
    assert len(rows) == 7
    assert rows[3]["answer"] == "mask email"
    assert rows[4]["by"] == "roles.support.columns.class:secret"


def test_expectations_that_do_not(strongroom: Callable[..., Run], roles: Path) -> None:
    """Status 1, with what was expected and what came."""
    tests = written(roles.parent / "tests.yaml", TESTS.replace("{mask: email}", "reveal"))
    run = strongroom("policy", "test", str(tests), "--config", str(roles), "--json")
    assert run.status == 1
    (wrong,) = (row for row in json.loads(run.stdout) if not row["holds"])
    assert (wrong["test"], wrong["expected"], wrong["answer"]) == (2, "reveal", "mask email")


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("as: app", "as: apple", "apple is neither an account nor a person"),
        ("in: shop", "in: shp", "in: names no database"),
        ("at: 2026-11-22 10:00 Europe/Berlin, ", "", "at: is missing"),
        ("truncate", "truncat", "begins with no action"),
        ("show public.customers.iban: no", "show public.*.iban: no", "is about more than one name"),
        ("{mask: email}", "{mask: mail}", "names no mask"),
        ("2026-11-22", "2026-13-22", "is not a moment"),
        ("second_factor", "secondfactor", "did you mean second_factor?"),
    ],
)
def test_expectations_that_make_no_sense(
    strongroom: Callable[..., Run], roles: Path, before: str, after: str, complaint: str
) -> None:
    """Status 2: a test that asks nothing must not pass."""
    assert before in TESTS
    tests = written(roles.parent / "tests.yaml", TESTS.replace(before, after))
    run = strongroom("policy", "test", str(tests), "--config", str(roles))
    assert run.status == 2
    assert complaint in run.stderr


def test_diff(strongroom: Callable[..., Run], roles: Path) -> None:
    """Whose access changes, and nothing where nothing does."""
    assert strongroom("policy", "diff", str(roles), str(roles)).status == 0
    changed = written(
        roles.parent / "new.yaml", ROLES.replace("{mask: email}", "reveal").replace("1000", "2000")
    )
    run = strongroom("policy", "diff", str(roles), str(changed), "--json")
    assert run.status == 1
    conditions = "second factor within 15m; Mon-Fri 08:00-18:00 Europe/Berlin"
    assert json.loads(run.stdout) == [
        {
            "who": "anna",
            "database": "shop",
            "access": "show public.customers.email",
            "before": f"mask email ({conditions})",
            "after": f"reveal ({conditions})",
        },
        {
            "who": "anna",
            "database": "",
            "access": "limits",
            "before": "1000 rows an hour",
            "after": "2000 rows an hour",
        },
    ]


def test_who(strongroom: Callable[..., Run], roles: Path) -> None:
    """Everyone who sees the column, how, under which conditions, and by which rule."""
    run = strongroom("policy", "who", "--column", "public.customers.email", "--config", str(roles), "--json")
    assert run.status == 0
    app, anna = json.loads(run.stdout)
    assert (app["who"], app["sees"], app["filters"], app["conditions"]) == ("app", "reveal", True, "")
    assert (anna["who"], anna["sees"]) == ("anna", "mask email")
    assert "15m" in anna["conditions"]
    secret = strongroom(
        "policy", "who", "--column", "public.customers.iban", "--config", str(roles), "--json"
    )
    assert [row["who"] for row in json.loads(secret.stdout)] == ["app"]


def test_roles_for_a_time_and_dangerous_ones(strongroom: Callable[..., Run], roles: Path) -> None:
    """`who` names those who may have a role for a time; `test` says which is assumed."""
    more = """
  repair:
    databases: [shop]
    tables: {public.customers: [select]}
    columns: {public.customers.email: reveal}
    when: {assumed: yes, second_factor: 5m}
    temporary: {to: [anna], by: [berta], longest: 1h}
classes"""
    text = ROLES.replace("support]", "support, repair]").replace("\nclasses", more)
    written(roles, text + "  berta: {databases: [shop]}\n")
    tests = """
tests:
- {as: anna, when: {at: 2026-11-22 10:00 UTC, second_factor: 1m}, expect: {select public.customers: no}}
- as: anna
  when: {at: 2026-11-22 10:00 UTC, second_factor: 1m, assumed: repair}
  expect: {show public.customers.email: reveal}
"""
    file = written(roles.parent / "tests.yaml", tests)
    assert strongroom("policy", "test", str(file), "--config", str(roles)).status == 0
    written(roles, (text + "  berta: {databases: [shop]}\n").replace("support, repair]", "support]"))
    run = strongroom("policy", "who", "--column", "public.customers.email", "--config", str(roles), "--json")
    row = next(one for one in json.loads(run.stdout) if one["who"] == "anna (repair for a time)")
    assert (row["sees"], row["conditions"]) == ("reveal", "second factor within 5m; once repair is assumed")


@pytest.mark.parametrize("wrong", [["--column", "email"], ["--column", "public.a.b", "--database", "shp"]])
def test_who_of_nothing(strongroom: Callable[..., Run], roles: Path, wrong: list[str]) -> None:
    """A column or database that is none is wrong use, not an empty list."""
    assert strongroom("policy", "who", *wrong, "--config", str(roles)).status == 2


def test_policies_written_by_hand(strongroom: Callable[..., Run], roles: Path) -> None:
    """Are read beside the file; what is wrong in them is wrong configuration."""
    written(roles, ROLES + "policies: [extra.cedar]\n")
    assert strongroom("policy", "check", "--config", str(roles)).status == 2
    extra = written(roles.parent / "extra.cedar", 'forbid (principal, action == Action::"reveal", resource);')
    run = strongroom("policy", "who", "--column", "public.customers.email", "--config", str(roles), "--json")
    assert [row["sees"] for row in json.loads(run.stdout)] == ["nothing", "mask email"]
    assert "written by hand" in run.stderr
    written(extra, "forbid (principal")
    broken = strongroom("policy", "check", "--config", str(roles))
    assert broken.status == 2
    assert "extra.cedar" in broken.stderr
