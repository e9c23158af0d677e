"""``strongroom policy explain``: what the policy says of a statement, access by access, and by which rule.

The statement is analysed against the catalog of the live database, as a session's would be, and the policy
decides about it under the circumstances that the options say.
"""

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console

from strongroom.cli.explain import chosen, context_of, print_refusal, refusal
from strongroom.cli.options import Config, Json
from strongroom.cli.output import print_json, print_table
from strongroom.cli.policy.words import access_words
from strongroom.config import DEFAULT_FILE, Account, Person, Settings, load_policy
from strongroom.config.expectations import parse_moment
from strongroom.errors import Denied, InvalidConfiguration
from strongroom.gateway.connector import Connector
from strongroom.gateway.gate import upstream_of
from strongroom.policy.authorizer import Authorizer
from strongroom.policy.model import PERMIT, Action, Circumstances, Decision, Mask, Reason, Subject
from strongroom.policy.residual import UNLIMITED, Limits
from strongroom.session.assuming import wish_of
from strongroom.session.policing import Questions, needs_nothing, questions, revealed
from strongroom.session.veils import misfit, type_of
from strongroom.sql.resolve import analyse
from strongroom.sql.schema import Schema
from strongroom.sql.statement import Context, Resolved

DENIED = 1

Sql = Annotated[str, typer.Argument(metavar="SQL", help="The statement; - reads it from standard input.")]
Who = Annotated[str, typer.Option("--as", metavar="NAME", help="An account or a person.")]
Chosen = Annotated[
    str | None, typer.Option("--database", metavar="NAME", help="Which, if there are several.")
]
Path = Annotated[
    str | None, typer.Option("--search-path", metavar="SCHEMAS", help="As a session has set it: app,public")
]
At = Annotated[
    str | None, typer.Option("--at", metavar="MOMENT", help="2026-11-23 10:00 Europe/Berlin; else now.")
]
Address = Annotated[str | None, typer.Option("--address", metavar="ADDRESS", help="Of the client.")]
Factor = Annotated[
    str | None, typer.Option("--second-factor", metavar="AGE", help="How long ago it was shown: 5m")
]
Application = Annotated[
    str | None, typer.Option("--application", metavar="NAME", help="As the client calls itself.")
]
Certificate = Annotated[bool, typer.Option("--certificate", help="The client has shown a certificate.")]
Assumed = Annotated[str | None, typer.Option("--assumed", metavar="ROLE", help="That the session assumed.")]
Tenant = Annotated[str | None, typer.Option("--tenant", metavar="NAME", help="The session's tenant.")]


def explain(
    sql: Sql,
    *,
    who: Who,
    database: Chosen = None,
    search_path: Path = None,
    at: At = None,
    address: Address = None,
    second_factor: Factor = None,
    application: Application = None,
    certificate: Certificate = False,
    tenant: Tenant = None,
    assumed: Assumed = None,
    config: Config = DEFAULT_FILE,
    json: Json = False,
) -> None:
    """Show what the policy says of a statement, column by column, and by which rule; nothing is executed.

    Circumstances that no option says are not known, and no condition on them holds. The exit status is 1 if
    the statement would be refused.

    Example: strongroom policy explain --as anna --second-factor 5m "SELECT email FROM customers"

    Example: strongroom policy explain --as app --json - < query.sql
    """
    settings, policy = load_policy(config)
    authorizer = Authorizer(policy)
    subject = next((one for one in policy.subjects if one.name == who), None)
    if subject is None:
        raise InvalidConfiguration(f"--as: {who} is neither an account nor a person of the configuration")
    said = {
        "at": at,
        "address": address,
        "second_factor": second_factor,
        "application": application,
        "certificate": certificate,
        "tenant": tenant,
        "assumed": assumed,
    }
    here = parse_moment(said).circumstances(datetime.now(UTC))
    holder = _holder(settings, subject)
    name = chosen(settings, database or _only(holder.databases))
    text = sys.stdin.read() if sql == "-" else sql
    context = asyncio.run(_context(settings, name, holder, search_path))
    ask = _Asking(authorizer, subject, name, here, context.schema)
    try:
        statements = analyse(text, (), context).statements
        found = [row for number, one in enumerate(statements, 1) for row in ask.rows(number, one)]
    except Denied as error:
        _print(ask, [], (), json=json, refused=error)
        raise typer.Exit(DENIED) from None
    # What PREPARE and DECLARE define is asked about with them: the same, and what it shows.
    rows = list({(row["statement"], row["access"]): row for row in found}.values())
    if name not in holder.databases:
        rows.insert(0, _row(0, f"log in to {name}", permitted=False, by=f"{who}: databases"))
    _print(ask, rows, statements, json=json)
    if not all(row["permitted"] for row in rows):
        raise typer.Exit(DENIED)


def _holder(settings: Settings, subject: Subject) -> Account | Person:
    return (settings.people if subject.kind == "person" else settings.accounts)[subject.name]


def _only(names: Sequence[str]) -> str | None:
    return names[0] if len(names) == 1 else None


async def _context(
    settings: Settings, name: str, holder: Account | Person, search_path: str | None
) -> Context:
    """As a session of this account or person has it."""
    connector: Connector = upstream_of(name, settings)
    logins = {connector.upstream.credentials.user, holder.upstream_user or ""} - {""}
    if holder.upstream_user is not None:
        connector = connector.as_user(holder.upstream_user, holder.upstream_password)
    context = await context_of(settings, name, connector, search_path)
    return replace(context, policed=True, logins=frozenset(logins))


@dataclass(frozen=True, slots=True)
class _Asking:
    """Who asks about what, and under which circumstances."""

    authorizer: Authorizer
    subject: Subject
    database: str
    here: Circumstances
    schema: Schema

    def rows(self, number: int, statement: Resolved) -> Iterator[dict[str, object]]:
        """The answer to each access of one statement; those of what it defines are its own."""
        if needs_nothing(statement):
            yield _row(number, "any statement", permitted=True, by="needs no role")
            return
        if statement.assumes is not None:
            yield self._assumption(number, wish_of(statement.assumes).role)
            return
        _, decision = self._decided(statement)
        names = self._names(statement)
        for reason in decision.reasons:
            yield self._answer(number, reason, names)
        if not decision.reasons:
            counting = [role for role, counts, _ in self.roles() if counts]
            by = ", ".join(f"roles.{role}" for role in counting) or "none of the roles counts"
            yield _row(number, "any statement", permitted=decision.effect is PERMIT, by=by)
        if statement.defines is not None:
            yield from self.rows(number, statement.defines)

    def limits(self, statements: Sequence[Resolved]) -> Iterator[dict[str, int | None]]:
        """What binds each statement that uses a limit up, and what each of its rows costs."""
        for number, statement in enumerate(statements, 1):
            asked, decision = self._decided(statement)
            limits = decision.residual.limits
            if limits != UNLIMITED:
                yield {
                    "statement": number,
                    "rows_per_hour": limits.rows_per_hour,
                    "reveals_per_hour": limits.reveals_per_hour,
                    "reveals_per_row": revealed(statement, asked, decision, self.authorizer.counts),
                }

    def _decided(self, statement: Resolved) -> tuple[Questions, Decision]:
        asked = questions(statement, self.schema, self.database)
        accesses = (*asked.accesses, *asked.shown.values())
        return asked, self.authorizer.decide(self.subject, accesses, self.here)

    def _assumption(self, number: int, role: str) -> dict[str, object]:
        found = self.authorizer.policy.roles.get(role)
        there = replace(self.here, assumed=role)
        permitted = found is not None and found.conditions.assumed == role
        permitted = permitted and role in self.authorizer.counting(self.subject, there)
        return _row(number, f"assume {role}", permitted=permitted, by=f"roles.{role}.when")

    def roles(self) -> Iterator[tuple[str, bool, str]]:
        """Each way in which the subject holds a role, whether it counts now, and on which conditions."""
        for grant in self.authorizer.policy.grants(self.subject):
            counts = all(one.hold(self.here) for one in grant.conditions)
            yield grant.role, counts, " and ".join(filter(None, map(str, grant.conditions)))

    def _names(self, statement: Resolved) -> Mapping[str, list[tuple[str, int, int]]]:
        """By column, the outputs that show it, with the type that the client sees."""
        found: dict[str, list[tuple[str, int, int]]] = {}
        shown = questions(statement, self.schema, self.database).shown
        for output in statement.outputs or ():
            if output.column is not None:
                seen = (output.name, *type_of(output, self.schema, output.column))
                found.setdefault(access_words(shown[output.column]), []).append(seen)
        return found

    def _answer(
        self, number: int, reason: Reason, names: Mapping[str, list[tuple[str, int, int]]]
    ) -> dict[str, object]:
        words, by = access_words(reason.access), ", ".join(reason.rules) or reason.remark
        outputs = names.get(words, []) if reason.access.action is Action.MASK else []
        wrong = _misfits(reason.mask, outputs)
        return _row(
            number,
            words,
            permitted=reason.effect is PERMIT and not wrong,
            by=f"{by}: {wrong}" if wrong else by,
            mask=reason.mask,
            shows=reason.access.action is Action.MASK,
            outputs=tuple(name for name, _, _ in outputs),
        )


def _misfits(mask: Mask | None, outputs: Sequence[tuple[str, int, int]]) -> str:
    if mask is None:
        return ""
    return next(filter(None, (misfit(mask, oid, typmod) for _, oid, typmod in outputs)), "")


def _row(
    number: int,
    access: str,
    *,
    permitted: bool,
    by: str,
    mask: Mask | None = None,
    shows: bool = False,
    outputs: Sequence[str] = (),
) -> dict[str, object]:
    answer = "no" if not permitted else f"mask {mask}" if mask else "reveal" if shows else "yes"
    return {
        "statement": number,
        "access": access,
        "output": ", ".join(outputs),
        "answer": answer,
        "permitted": permitted,
        "by": by,
    }


def _print(
    ask: _Asking,
    rows: Sequence[dict[str, object]],
    statements: Sequence[Resolved],
    *,
    json: bool,
    refused: Denied | None = None,
) -> None:
    roles, limits = list(ask.roles()), list(ask.limits(statements))
    permitted = refused is None and all(row["permitted"] for row in rows)
    if json:
        held = [{"role": role, "counts": counts, "conditions": when} for role, counts, when in roles]
        told = None if refused is None else refusal(refused)
        print_json(
            {"permitted": permitted, "refused": told, "roles": held, "accesses": rows, "limits": limits}
        )
        return
    if refused is not None:
        print_refusal(refused)
        return
    several = any(row["statement"] != 1 for row in rows)
    columns = [*(["statement"] if several else []), "access", "output", "answer", "by"]
    print_table(columns, rows, as_json=False)
    console = Console(markup=False, highlight=False, soft_wrap=True)
    for role, counts, when in roles:
        if not counts:
            console.print(f"the role {role} does not count now: {when}")
    for one in limits:
        console.print(_limited(one, several=several))
    console.print("permitted" if permitted else "refused")


def _limited(one: Mapping[str, int | None], *, several: bool) -> str:
    limits = Limits(one["rows_per_hour"], one["reveals_per_hour"])
    which = f"statement {one['statement']}: " if several else ""
    costs = "" if limits.reveals_per_hour is None else f"; each row reveals {one['reveals_per_row']}"
    return f"{which}at most {limits}{costs}"
