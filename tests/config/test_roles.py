"""``roles:`` and what goes with it: what is accepted, what is refused and how it is said."""

from pathlib import Path

import pytest

from strongroom.config import load, load_policy
from strongroom.config.access import declared
from strongroom.errors import InvalidConfiguration
from strongroom.policy.model import Action, DataClass, Mask, Subject
from strongroom.policy.pattern import exact
from strongroom.policy.residual import Limits
from strongroom.policy.roles import Policy

SMALL = """
state: sqlite:state.db
databases:
  shop: {upstream: "postgresql://db.example/shop", listen: 127.0.0.1:6432}
"""
WHOLE = (
    SMALL
    + """
roles:
  application:
    databases: [shop]
    tables: {"public.*": [select, insert], public.salaries: nothing}
    columns: {"*": reveal}
    functions: [public.slug]
  support:
    databases: [shop]
    includes: [application]
    tables: {public.customers: [select]}
    columns:
      public.customers.email: {show: {mask: email}, filter: yes}
      public.customers.iban: {show: {mask: last, n: 4}}
      public.customers.note: write_only
      "class:secret": nothing
    when: {address: [10.0.0.0/8, 192.0.2.7], second_factor: 15m, certificate: yes}
    limits: {rows_per_hour: 1000}
mask_by_default: yes
classes: {public.customers.iban: secret, "public.*.email": confidential}
groups: {agents: [support]}
accounts:
  app: {databases: [shop], roles: [application]}
people:
  anna: {databases: [shop], groups: [agents]}
"""
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "strongroom.yaml"


def parse(file: Path, text: str) -> Policy:
    file.write_text(text, encoding="utf-8")
    return load_policy(file)[1]


def test_the_whole(file: Path) -> None:
    """Every key arrives where it belongs, with the place where it stood."""
    policy = parse(file, WHOLE)
    support = policy.roles["support"]
    email, iban, note, secret = support.columns
    assert (email.about, email.show) == (exact("public", "customers", "email"), Mask("email"))
    assert (email.filter, email.write) == (True, False)
    assert iban.show == Mask("last", 4)
    assert (note.show, note.filter, note.write) == (None, False, True)
    assert (secret.about, secret.nothing) == (DataClass.SECRET, True)
    assert secret.place == "roles.support.columns.class:secret"
    assert support.tables[0].actions == {Action.SELECT}
    assert support.limits == Limits(1000)
    assert support.includes == ("application",)
    assert policy.roles["application"].tables[1].nothing
    assert policy.mask_by_default
    assert policy.groups == {"agents": {"support"}}
    assert policy.subjects == (
        Subject("app", "account", roles=frozenset({"application"})),
        Subject("anna", "person", groups=frozenset({"agents"})),
    )


def test_protected_columns_are_of_that_class(file: Path) -> None:
    """A column under ``columns:`` is of the class protected, in its own database."""
    text = SMALL.replace(
        "127.0.0.1:6432}", "127.0.0.1:6432, columns: {public.t.c: {type: text, encryption: randomized}}}"
    )
    (rule,) = parse(file, text + "keys: {root: file:/k}\nroles: {}\n").classes
    assert (rule.database, rule.data_class, str(rule.pattern)) == ("shop", DataClass.PROTECTED, "public.t.c")


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("groups: [agents]", "groups: [agent]", "people.anna.groups names agent"),
        ("roles: [application]", "roles: [aplication]", "accounts.app.roles names aplication"),
        ("agents: [support]", "agents: [suport]", "groups.agents names suport"),
        ("includes: [application]", "includes: [support]", "leads back to itself: support → support"),
        ("functions: [public.slug]", "includes: [support]", "application → support → application"),
        ("[shop]\n    includes", "[shp]\n    includes", "roles.support.databases names shp"),
        ("anna: {databases: [shop]", "anna: {databases: [shp]", "people.anna.databases names shp"),
        ("anna:", "app:", "people.app has the name of an account"),
        ("[select, insert]", "[select, inser]", ".tables.public.*: must be a list of actions"),
        ("[select, insert]", "[select, delete_all]", "has delete_all, which lets delete do without a WHERE"),
        ("class:secret", "class:secrt", "names no class of columns"),
        (".iban: secret", ".iban: secrt", "should be 'secret'"),
        ("mask: email", "mask: mail", "names no mask"),
        ("functions:", "function:", "did you mean functions?"),
        ('"*": reveal', '"*": reveal, "*.*.*": nothing', "names one thing twice"),
        ("public.customers.email:", "Public.Customers.iban:", "names one thing twice"),
        ("support:\n    databases", "suppört:\n    databases", "is not a name for a role or group"),
    ],
)  # fmt: skip
def test_what_is_refused(file: Path, before: str, after: str, complaint: str) -> None:
    """What is unknown, wrong, twice or in a circle is refused, and named."""
    assert before in WHOLE
    with pytest.raises(InvalidConfiguration) as caught:
        parse(file, WHOLE.replace(before, after))
    assert complaint in caught.value.message


def test_too_many_ways(file: Path) -> None:
    """Roles that include roles that include roles end before they are too many to look at."""
    roles = "".join(
        f"  r{number}: {{databases: [shop], includes: [r{number - 1}, s{number - 1}]}}\n"
        f"  s{number}: {{databases: [shop], includes: [r{number - 1}, s{number - 1}]}}\n"
        for number in range(1, 15)
    )
    ends = "  r0: {databases: [shop]}\n  s0: {databases: [shop]}\n"
    with pytest.raises(InvalidConfiguration, match="in more than 1000 ways"):
        parse(file, f"{SMALL}roles:\n{ends}{roles}")


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("roles: {}", ["roles"]),
        ("mask_by_default: no", ["mask_by_default"]),
        ("classes: {}", ["classes"]),
        ("groups: {}", ["groups"]),
        ("policies: []", ["policies"]),
        ("accounts: {app: {databases: [shop], roles: []}}", ["accounts.app.roles"]),
        ("people: {anna: {databases: [shop], groups: []}}", ["people.anna.groups"]),
        ("people: {anna: {databases: [shop]}}", []),
    ],
)
def test_what_makes_a_policy(file: Path, text: str, keys: list[str]) -> None:
    """Whatever says who may do what, an empty mapping too; that there are people says nothing of it."""
    file.write_text(SMALL + text, encoding="utf-8")
    assert declared(load(file)) == keys


def test_nothing_of_it(file: Path) -> None:
    """Without any of these keys a configuration is taken as ever."""
    file.write_text(SMALL + "accounts: {app: {databases: [shop]}}", encoding="utf-8")
    assert load(file).accounts
