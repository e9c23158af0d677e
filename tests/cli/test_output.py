"""What commands print, where no terminal reads it."""

import pytest

from strongroom.cli.output import print_table


def test_a_row_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A name or sentence longer than a terminal is wide is not broken where a program reads it."""
    name, remark = "public." + "customers" * 12, "it holds plaintext still " * 12
    print_table(["subject", "remark"], [{"subject": name, "remark": remark}], as_json=False)
    heading, line = capsys.readouterr().out.splitlines()
    assert heading.split() == ["subject", "remark"]
    assert line.split() == [name, *remark.split()]
