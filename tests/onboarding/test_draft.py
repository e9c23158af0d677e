"""onboarding/draft.py: the text of a first configuration is what the configuration reads."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from strongroom.config import ColumnName, Settings, load
from strongroom.config.roots import FileAddress
from strongroom.onboarding.draft import Draft
from strongroom.onboarding.suggest import Suggestion

EMAIL = ColumnName("public", "customers", "email")
PIN = "spki-sha256:" + "ab" * 32


def draft(suggestions: Sequence[Suggestion] = (), **more: object) -> Draft:
    """A draft of no surprises."""
    settings = {
        "database": "shop",
        "upstream": "postgresql://strongroom@127.0.0.1/shop",
        "password_variable": "SHOP_DB_PASSWORD",
        "pins": (),
        "seen_pin": None,
        "listen": "127.0.0.1:6432",
        "account": "app",
        "state": "/state/state.db",
        "root": "/root/root.key",
        "log": "/state/audit",
        "origin": "strongroom-0123abcd/audit",
        "suggestions": suggestions,
    }
    return Draft(**(settings | more))  # type: ignore[arg-type]  # the fields are spelled out above


def read(one: Draft, folder: Path) -> Settings:
    """The settings that the text holds."""
    file = folder / "strongroom.yaml"
    file.write_text(one.text(), encoding="utf-8")
    return load(file, {"SHOP_DB_PASSWORD": "x"})


def test_it_is_read_back(tmp_path: Path) -> None:
    """Everything in the draft is in the settings."""
    chosen = Suggestion(EMAIL, "character varying(20)", "deterministic", "e-mail", "unique")
    other = Suggestion(ColumnName("public", "o", "Buyer"), "text", "deterministic", "e-mail", "x", key=EMAIL)
    settings = read(draft([chosen, other], pins=(PIN,)), tmp_path)
    shop = settings.databases["shop"]
    assert shop.columns[EMAIL].type == "character varying(20)"
    assert shop.columns[other.column].key == EMAIL
    assert shop.upstream_password is not None
    assert list(shop.upstream_pin) == [PIN]
    assert list(settings.accounts) == ["app"]
    assert settings.keys is not None
    assert settings.keys.root == FileAddress(Path("/root/root.key"))
    assert settings.audit is not None
    assert (settings.audit.log, settings.audit.origin) == (Path("/state/audit"), "strongroom-0123abcd/audit")


def test_what_is_not_chosen_is_a_comment(tmp_path: Path) -> None:
    """A column left to the operator is in the text and not in the settings; so is the pin that was seen."""
    left = Suggestion(EMAIL, "text", "randomized", "e-mail", "has a default", chosen=False)
    one = draft([left], seen_pin=PIN, password_variable=None)
    shop = read(one, tmp_path).databases["shop"]
    assert not shop.columns
    assert not shop.upstream_pin
    assert shop.upstream_password is None
    assert "# public.customers.email: {type: text, encryption: randomized}" in one.text()
    assert f"# upstream_pin: ['{PIN}']" in one.text()
    uncommented = one.text().replace("# upstream_pin", "upstream_pin")
    (tmp_path / "strongroom.yaml").write_text(uncommented, encoding="utf-8")
    assert list(load(tmp_path / "strongroom.yaml").databases["shop"].upstream_pin) == [PIN]


def test_nothing_was_found(tmp_path: Path) -> None:
    """Without a suggestion there is an empty list to write into."""
    assert not read(draft(), tmp_path).databases["shop"].columns


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs", "Co"]),
    min_size=1,
    max_size=12,
)


@given(st.lists(NAMES, min_size=4, max_size=4), st.booleans())
def test_any_name(names: list[str], chosen: bool) -> None:
    """Whatever the catalog calls its columns, and the database, the text is read back as it was meant."""
    database, *parts = names
    database = database.replace("/", "-").replace("@", "-")
    column = ColumnName(*parts)
    one = Suggestion(column, "text", "randomized", "x", f"the CHECK {parts[0]}", chosen=chosen)
    with tempfile.TemporaryDirectory() as folder:
        settings = read(draft([one], database=database), Path(folder))
    assert list(settings.databases) == [database]
    assert list(settings.databases[database].columns) == ([column] if chosen else [])
