"""What is wrong with a configuration, in words."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from strongroom.config.model import Settings
from strongroom.config.problems import MAX_PROBLEMS, invalid_configuration
from strongroom.config.source import Source, read_source
from strongroom.errors import InvalidConfiguration

SHOP = """\
state: sqlite:state.db
databases:
  shop:
    upstream: postgresql://db.example/shop
    listen: 127.0.0.1:6432
"""


def complaint(tmp_path: Path, text: str, **environment: str) -> InvalidConfiguration:
    """What is said of a configuration that Pydantic does not take."""
    file = tmp_path / "strongroom.yaml"
    file.write_text(text, encoding="utf-8")
    source = read_source(file, environment)
    return invalid_configuration(source, refused(source))


def refused(source: Source) -> ValidationError:
    """Pydantic's own error."""
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(source.data, context=source.path)
    return caught.value


def lines(tmp_path: Path, text: str) -> list[str]:
    """Each problem, without the folder of the file."""
    return complaint(tmp_path, text).message.replace(f"{tmp_path}/", "").splitlines()


def test_every_problem_has_its_own_line(tmp_path: Path) -> None:
    """File, line and key of each, in one error that says where all keys are described."""
    text = SHOP.replace("state:", "stat:").replace("listen: 127.0.0.1:6432", "listen: nowhere")
    assert [line.split(" ")[:2] for line in lines(tmp_path, text + "workers: none\n")] == [
        ["strongroom.yaml:1:", "state:"],
        ["strongroom.yaml:5:", "databases.shop.listen:"],
        ["strongroom.yaml:6:", "workers:"],
        ["strongroom.yaml:1:", "stat:"],
    ]
    assert "docs/guides/configuration.md" in complaint(tmp_path, text).hint


def test_what_is_missing_stands_where_it_should(tmp_path: Path) -> None:
    """At the line of what should hold it, for there is no other."""
    assert lines(tmp_path, SHOP.replace("    listen: 127.0.0.1:6432\n", "")) == [
        "strongroom.yaml:3: databases.shop.listen: is missing"
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("worker: 2\n", "yaml:6: worker: is not a key that Strongroom knows; did you mean workers?"),
        ("limits: {login_secs: 2}\n", "did you mean login_seconds?"),
        ("accounts: {app: {database: [shop]}}\n", "accounts.app.database: is not a key"),
        ("keys: {zzz: 1, root: file:/k}\n", "keys.zzz: is not a key that Strongroom knows; known here: "),
    ],
)  # fmt: skip
def test_an_unknown_key_has_a_likely_meaning(tmp_path: Path, more: str, said: str) -> None:
    """One that is written nearly so, at its own depth; or else all that stand there."""
    assert any(said in line for line in lines(tmp_path, SHOP + more))


def test_pydantic_speaks_as_one_of_us(tmp_path: Path) -> None:
    """Its sentences begin small and say what should be, not what an input is."""
    (said,) = lines(tmp_path, SHOP + "workers: many\n")
    assert (
        said == "strongroom.yaml:6: workers: should be a valid integer, unable to parse string as an integer"
    )


def test_no_value_is_repeated(tmp_path: Path) -> None:
    """It may have come from the environment."""
    text = SHOP.replace("127.0.0.1:6432", "${LISTEN}") + "workers: ${WORKERS}\n"
    said = complaint(tmp_path, text, LISTEN="geheim", WORKERS="geheim")
    assert "geheim" not in said.message + said.hint
    assert len(said.message.splitlines()) == 2


def test_an_inherited_limit_is_told_once(tmp_path: Path) -> None:
    """Where it is written, and not again for each database that takes it over."""
    assert lines(tmp_path, SHOP + "limits: {idle_seconds: -1}\n") == [
        "strongroom.yaml:6: limits.idle_seconds: should be greater than or equal to 0"
    ]


def test_a_long_list_is_cut(tmp_path: Path) -> None:
    """Whoever has so many has made one mistake; the rest is counted."""
    said = lines(tmp_path, SHOP + "".join(f"x{number}: 1\n" for number in range(MAX_PROBLEMS + 3)))
    assert len(said) == MAX_PROBLEMS + 1
    assert said[-1] == "and 3 more"
