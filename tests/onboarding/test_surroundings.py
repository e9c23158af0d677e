"""onboarding/surroundings.py: what copies, logs or runs code on protected tables."""

from dataclasses import replace
from pathlib import Path

import pytest

from strongroom.gateway.certificate import parse_pin
from strongroom.gateway.upstream_address import parse_upstream
from strongroom.onboarding.facts import Facts, Role
from strongroom.onboarding.finding import Verdict
from strongroom.onboarding.surroundings import (
    code_findings,
    copy_findings,
    log_findings,
    role_findings,
    way_findings,
)
from strongroom.sql.schema import Column, Function, Protection, Relation, Schema
from strongroom.sql.statement import Context

QUIET = Facts({"log_statement": "none", "log_min_duration_statement": "-1"}, ("plpgsql",), (), (), (), {})
TABLES = {("public", "customers")}
ROLE = Role("app", "18.4", 180004, False, frozenset())


@pytest.mark.parametrize(
    ("uri", "pinned", "verdict", "remark"),
    [
        ("postgresql://u@127.0.0.1/d", False, Verdict.HOLDS, "this machine"),
        ("postgresql://u@/d?host=/tmp", False, Verdict.HOLDS, "this machine"),
        ("postgresql://u@db.example/d?sslmode=disable", False, Verdict.FAILS, "not encrypted"),
        ("postgresql://u@db.example/d?sslmode=require", False, Verdict.FAILS, "who answers"),
        ("postgresql://u@db.example/d?sslmode=require", True, Verdict.HOLDS, "require, pinned"),
        ("postgresql://u@db.example/d", False, Verdict.HOLDS, "verify-full"),
    ],
)
def test_the_way(uri: str, pinned: bool, verdict: Verdict, remark: str) -> None:
    """The way is encrypted and leads to the right database, or it does not hold."""
    pins = (parse_pin("spki-sha256:" + "00" * 32),) if pinned else ()
    (found,) = way_findings("d", parse_upstream(uri, base=Path.cwd(), pins=pins))
    assert found.verdict is verdict
    assert remark in found.remark


@pytest.mark.parametrize(
    ("role", "verdict", "remark"),
    [
        (ROLE, Verdict.HOLDS, "PostgreSQL 18.4, as app"),
        (replace(ROLE, superuser=True), Verdict.MIND, "superuser"),
        (replace(ROLE, owns=frozenset(TABLES)), Verdict.MIND, "owns public.customers"),
        (replace(ROLE, owns=frozenset({("public", "other")})), Verdict.HOLDS, "as app"),
        (replace(ROLE, version="14.9", version_number=140009), Verdict.FAILS, "14.9"),
    ],
)
def test_the_role(role: Role, verdict: Verdict, remark: str) -> None:
    """A role with more rights than it needs is named; a version that was never tested fails."""
    found = next(iter(role_findings("d", role, TABLES)))
    assert found.verdict is verdict
    assert remark in found.remark


def test_copies() -> None:
    """Publications of protected tables and logical slots are named, others not."""
    facts = replace(
        QUIET,
        publications=(("both", "public", "customers"), ("both", "public", "x"), ("other", "public", "x")),
        slots=(("cdc", "wal2json"),),
    )
    remarks = " ".join(one.remark for one in copy_findings("d", facts, TABLES))
    assert "publication both" in remarks
    assert "other" not in remarks
    assert "slot cdc (wal2json)" in remarks
    assert not list(copy_findings("d", QUIET, TABLES))


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        (replace(QUIET, extensions=("pg_stat_statements",)), "pg_stat_statements"),
        (replace(QUIET, settings={"shared_preload_libraries": "a, auto_explain"}), "auto_explain"),
        (replace(QUIET, settings={"log_statement": "all"}), "log_statement"),
        (replace(QUIET, settings={"log_min_duration_statement": "0"}), "log_min_duration_statement"),
        (replace(QUIET, settings={"log_parameter_max_length_on_error": "-1"}), "on_error"),
        (replace(QUIET, settings={"log_transaction_sample_rate": "0.1"}), "sample_rate"),
    ],
)
def test_logs(facts: Facts, named: str) -> None:
    """What keeps the texts of statements is named."""
    (found,) = log_findings("d", facts)
    assert found.verdict is Verdict.MIND
    assert named in found.remark


def test_a_quiet_server() -> None:
    """A server that keeps no texts gives no findings."""
    assert not list(log_findings("d", QUIET))


def context(functions: dict[str, str]) -> Context:
    """A protected table with a trigger that may do anything, and a function that reads the table."""
    touch = Function(20000, "public", "touch", "f", "plpgsql", "begin return foo(new); end")
    mails = Function(20001, "public", "mails", "f", "sql", "SELECT email FROM customers")
    table = Relation(
        16400,
        "public",
        "customers",
        "r",
        (Column(1, "email", 17, -1),),
        triggers=(("t", touch.oid),),
        calls=(touch.oid,),
    )
    schema = Schema({table.oid: table}, functions={touch.oid: touch, mails.oid: mails})
    protection = Protection("public.customers.email", "d/public.customers.email", 25, -1, True)
    return Context(schema, {(table.oid, 1): protection}, ("pg_catalog", "public"), functions)


def test_code() -> None:
    """A trigger by which changes are refused fails; a function that is refused is to be borne in mind."""
    trigger, function = code_findings("d", QUIET, context({}))
    assert trigger.verdict is Verdict.FAILS
    assert "public.customers is refused" in trigger.remark
    assert function.verdict is Verdict.MIND
    assert "public.mails" in function.remark


def test_code_that_is_listed() -> None:
    """What stands under `functions:` is no finding."""
    listed = {"public.touch": "sets a time", "public.mails": "reviewed"}
    assert not list(code_findings("d", QUIET, context(listed)))


def test_event_triggers() -> None:
    """Event triggers are named, since `protect` sets them off."""
    listed = {"public.touch": "sets a time", "public.mails": "reviewed"}
    facts = replace(QUIET, event_triggers=tuple(f"e{number}" for number in range(7)))
    (found,) = code_findings("d", facts, context(listed))
    assert "e0, e1, e2, e3, e4 and 2 more" in found.remark
