"""The reading of strongroom.yaml: references, duplicates, lines and limits."""

from pathlib import Path

import pytest

from strongroom.config.source import MAX_DEPTH, MAX_FILE_BYTES, Plain, Source, dotted, read_source
from strongroom.errors import DuplicateKey, MissingVariable, UnreadableConfiguration


def read(tmp_path: Path, text: str, **environment: str) -> Source:
    file = tmp_path / "strongroom.yaml"
    file.write_text(text, encoding="utf-8")
    return read_source(file, environment)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("a: 1", {"a": 1}),
        ("a: [x, 2, true, null, 1.5]", {"a": ["x", 2, True, None, 1.5]}),
        ("a: {b: c}", {"a": {"b": "c"}}),
        ("a: 2026-01-01", {"a": "2026-01-01"}),
        ("1: a", {"1": "a"}),
        ("- a", ["a"]),
    ],
)
def test_plain_data(tmp_path: Path, text: str, expected: Plain) -> None:
    """YAML becomes plain data with text keys, and dates stay text."""
    assert read(tmp_path, text).data == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: ${NAME}", "value"),
        ("{a: ${NAME}}", "value"),
        ("a: 'x${NAME}y${NAME}'", "xvaluey" + "value"),
        ("a: $${NAME}", "${NAME}"),
        ("{a: $${NAME}}", None),
        ("a: $NAME", "$NAME"),
        ("a: '${not a name}'", "${not a name}"),
    ],
)
def test_references(tmp_path: Path, text: str, expected: str | None) -> None:
    """${NAME} is the variable's value, also inside a flow mapping; $${NAME} is the text itself."""
    if expected is None:
        with pytest.raises(UnreadableConfiguration):
            read(tmp_path, text, NAME="value")
    else:
        assert read(tmp_path, text, NAME="value").data == {"a": expected}


@pytest.mark.parametrize("value", ["{b: c}", "*x", "- 1", "a: b\nc: d", "${OTHER}", "'", "", "true"])
def test_variables_are_not_yaml(tmp_path: Path, value: str) -> None:
    """What a variable holds is text, whatever YAML would make of it, and is not looked through again."""
    assert read(tmp_path, "a: ${NAME}", NAME=value).data == {"a": value}


def test_missing_variable(tmp_path: Path) -> None:
    """A variable that is not set is named, with the line that wants it."""
    with pytest.raises(MissingVariable, match=r"strongroom.yaml:2: the environment variable NAME is not set"):
        read(tmp_path, "a: 1\nb: ${NAME}")


def test_missing_variable_in_a_comment(tmp_path: Path) -> None:
    """A reference in a comment wants nothing."""
    assert read(tmp_path, "a: 1  # or ${NAME}").data == {"a": 1}


def test_duplicate_key(tmp_path: Path) -> None:
    """A key that stands twice is refused with both lines."""
    with pytest.raises(DuplicateKey, match=r"strongroom.yaml:4: a.b: stands here and in line 2"):
        read(tmp_path, "a:\n  b: 1\n  c: 1\n  b: 2\n")


@pytest.mark.parametrize("text", ["a: [", "a: b: c", "\ta: 1", "a: *nowhere", "a: 1\n---\nb: 2"])
def test_not_yaml(tmp_path: Path, text: str) -> None:
    """Broken YAML is refused with the line."""
    with pytest.raises(UnreadableConfiguration, match=r"strongroom.yaml:\d+: "):
        read(tmp_path, text)


@pytest.mark.parametrize("content", [b"a: \xff", b"a: \xee\x80\x80", b"#" * (MAX_FILE_BYTES + 1)])
def test_unacceptable_content(tmp_path: Path, content: bytes) -> None:
    """Not UTF-8, a private-use character and too large a file are refused."""
    file = tmp_path / "strongroom.yaml"
    file.write_bytes(content)
    with pytest.raises(UnreadableConfiguration):
        read_source(file, {})


def test_no_such_file(tmp_path: Path) -> None:
    """A missing file is named."""
    with pytest.raises(UnreadableConfiguration, match=r"nowhere\.yaml: there is no such file"):
        read_source(tmp_path / "nowhere.yaml", {})


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    """What cannot be read as a file is refused with the system's reason."""
    with pytest.raises(UnreadableConfiguration, match="cannot be read"):
        read_source(tmp_path, {})


@pytest.mark.parametrize("depth", [MAX_DEPTH + 2, 5000])
def test_nesting_is_bounded(tmp_path: Path, depth: int) -> None:
    """Nesting beyond the limit is refused, not followed, however deep it is."""
    with pytest.raises(UnreadableConfiguration, match="nested or repeated"):
        read(tmp_path, "[" * depth + "]" * depth)


def test_repeating_is_bounded(tmp_path: Path) -> None:
    """Aliases of aliases cannot grow without end."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 8)]
    with pytest.raises(UnreadableConfiguration, match="nested or repeated"):
        read(tmp_path, "\n".join(lines))


def test_an_alias_of_itself(tmp_path: Path) -> None:
    """An alias inside its own anchor is refused, not followed."""
    with pytest.raises(UnreadableConfiguration):
        read(tmp_path, "a: &a [*a]")


def test_places(tmp_path: Path) -> None:
    """A key is found by its line, a missing one by the line of what should hold it."""
    source = read(tmp_path, "a:\n  b:\n    - 1\n    - 2\n")
    assert source.place(("a", "b", 1)).endswith(":4")
    assert source.place(("a", "c")).endswith(":1")
    assert source.place(("a", "b", "c")).endswith(":2")


def test_dotted() -> None:
    """A key path reads as the user would say it."""
    assert dotted(("databases", "shop", "upstream_pin", 0)) == "databases.shop.upstream_pin[0]"
    assert dotted(()) == ""
