"""``people`` and ``login``: names, what must fit, and limits."""

from datetime import timedelta
from pathlib import Path

import pytest

from strongroom.config import Settings, load
from strongroom.errors import InvalidConfiguration
from strongroom.people.throttle import Rules

CONFIGURATION = """
state: sqlite:state.db
databases:
  shop: {upstream: 'postgresql://db.example/shop', listen: '127.0.0.1:6432'}
accounts:
  app: {databases: [shop]}
"""


def loaded(folder: Path, more: str) -> Settings:
    """The settings with these lines more."""
    file = folder / "strongroom.yaml"
    file.write_text(CONFIGURATION + more, encoding="utf-8")
    return load(file)


def test_people_and_what_holds_for_them(tmp_path: Path) -> None:
    """Minutes and hours as times, and the rules of a throttle."""
    more = (
        "people:\n  anna: {databases: [shop]}\n  b.c@shop-1_2: {databases: [shop], upstream_user: support}\n"
    )
    settings = loaded(tmp_path, more + "login: {failures: 7, lock_minutes: 2, credential_minutes: 0.5}")
    assert list(settings.people) == ["anna", "b.c@shop-1_2"]
    assert settings.people["b.c@shop-1_2"].upstream_user == "support"
    assert settings.login.rules == Rules(failures=7, lock_seconds=120)
    assert settings.login.credential_time == timedelta(seconds=30)
    assert settings.login.session_time == timedelta(hours=8)


def test_nobody_need_be_there(tmp_path: Path) -> None:
    """Without people nothing changes."""
    assert loaded(tmp_path, "").people == {}


@pytest.mark.parametrize(
    "name", ["Anna", "аnna", "ａnna", "an na", "anna\\u200b", ".anna", "", "a" * 64, "anna/x", "1: 2"]
)
def test_names_have_one_spelling(tmp_path: Path, name: str) -> None:
    """No capitals, no letters that look like others, nothing that is not seen."""
    with pytest.raises(InvalidConfiguration, match="is no person's name"):
        loaded(tmp_path, f'people: {{"{name}": {{databases: [shop]}}}}')


@pytest.mark.parametrize(
    ("more", "complaint"),
    [
        ("people: {app: {databases: [shop]}}", "has the name of an account"),
        ("people: {anna: {databases: [other]}}", "names other, which is not under databases"),
        ("people: {anna: {databases: []}}", "people.anna.databases"),
        ("people: {anna: {databases: [shop], password: x}}", "not a key that Strongroom knows"),
        ("login: {credential_minutes: 61}", "login.credential_minutes"),
        ("login: {credential_minutes: 0}", "login.credential_minutes"),
        ("login: {session_hours: 25}", "login.session_hours"),
        ("login: {failures: 4}", "login.failures"),
        ("login: {lock_minutes: 0}", "login.lock_minutes"),
    ],
)
def test_what_does_not_fit(tmp_path: Path, more: str, complaint: str) -> None:
    """Each is said with its place."""
    with pytest.raises(InvalidConfiguration, match=complaint):
        loaded(tmp_path, more)
