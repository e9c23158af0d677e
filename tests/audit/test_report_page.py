"""The page of a month."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.audit.recorded import (
    IBAN,
    client,
    denied,
    head,
    numbered,
    opened,
    permitted,
    plan,
    turned_away,
    written,
)

from strongroom.audit.contents import Contents
from strongroom.audit.records.changes import RoleChanged, RoleDeed
from strongroom.audit.records.running import Gap, Loss
from strongroom.audit.records.shared import Doer, Holder
from strongroom.audit.report import Month, Part, report_of
from strongroom.audit.report_page import page, plain

NOON = head().time


def made(log: Contents, month: str = "2026-11") -> str:
    return page(report_of(log.all(), Month.parse(month)), log.checkpoint, "right: all of it")


def test_a_page(tmp_path: Path) -> None:
    """Each part has its rows, and the page says which log it is of."""
    doer = Doer("anna", Holder.ADMINISTRATOR)
    log = written(
        tmp_path / "audit",
        [
            opened(0),
            numbered(permitted(1, rows=3), 4),
            denied(2),
            turned_away(3),
            RoleChanged(head(4), doer, RoleDeed.GRANTED, "bob", ("support",), 1, "ticket 7", ("carl",), NOON),
            Gap(head(5), Loss.UNWRITABLE, 5, NOON, NOON),
        ],
    )
    text = made(log)
    assert log.checkpoint.root.hex() in text
    assert "| support-1 | person | shop | public.customers.iban | revealed | 1 | 3 | 3 |" in text
    assert "| support-1 | access-denied | public.customers | 1 | 2026-11-02 12:02:00Z |" in text
    assert "| support-1 | 198.51.100.9 | proof | 1 |" in text
    assert "by carl, until 2026-11-02 12:00:00Z, “ticket 7”" in text
    assert "5 records since 2026-11-02 12:00:00Z: unwritable" in text
    assert "worker 1, process 7, run 0a1b2c3d: 2 not there" in text
    assert "Verification: right: all of it" in text


def test_it_is_the_same_for_the_same_log(tmp_path: Path) -> None:
    """Octet by octet, in whatever order things happened to be met."""
    log = written(tmp_path / "audit", [permitted(one, client(f"p{one % 7}")) for one in range(300)])
    assert made(log) == made(Contents(log.folder, log.checkpoint))
    assert re.findall(r"\| (p\d) \|", made(log)) == [f"p{one}" for one in range(7)]


def test_an_empty_month(tmp_path: Path) -> None:
    """Says of each part that there is nothing."""
    text = made(written(tmp_path / "audit", [permitted(0)]), "2026-10")
    assert text.count("None.") == 4 + len(Part)
    assert "Records of this month: 0" in text


def test_names_are_no_markup(tmp_path: Path) -> None:
    """Neither a pipe, nor a line's end, nor a link or tag that somebody wrote."""
    column = 'public.t."x|y\n# <b>[a](b)"'
    text = made(written(tmp_path / "audit", [permitted(0, what=plan(column)), permitted(1, what=plan(IBAN))]))
    (row,) = [line for line in text.splitlines() if "public.t" in line]
    assert r"x\|y" in row
    assert r"\<b\>\[a\]" in row
    assert len(re.findall(r"(?<!\\)\|", row)) == 11


@given(st.text())
def test_plain_text_is_one_line(text: str) -> None:
    """Without control characters, whatever it was."""
    assert len(plain(text).splitlines()) <= 1
    assert plain(text).isprintable()


@pytest.mark.parametrize("text", ["support-1", "public.customers.iban", "10.0.0.1"])
def test_ordinary_names_stay(text: str) -> None:
    """As they are."""
    assert plain(text) == text
