"""What around the protected tables copies, logs or runs code on what is in them. Pure; called by ``examine``.

Most of it is nothing wrong, and worth knowing: a replica gets sealed values, and a log of statements sees
plaintext only of what goes around the gateway.
"""

from collections.abc import Collection, Iterator

from strongroom.errors import UserCodeRefused
from strongroom.gateway.tls import SslMode
from strongroom.gateway.upstream_address import Upstream, is_loopback
from strongroom.onboarding.facts import Facts, Role
from strongroom.onboarding.finding import Finding, fails, holds, mind, some
from strongroom.sql.caution import check_triggers
from strongroom.sql.ground import Ground, ground_of
from strongroom.sql.statement import Context

MIN_VERSION, MAX_VERSION = 150000, 190000

_TEXT_KEEPERS = (
    "pg_stat_statements",
    "auto_explain",
    "pgaudit",
    "pg_stat_monitor",
    "pg_qualstats",
    "pg_hint_plan",
)
_AROUND = (
    "Statements through the gateway are kept with sealed values; those around it in plaintext: "
    "let no application role log in to the database itself (pg_hba.conf)."
)


def way_findings(subject: str, upstream: Upstream) -> Iterator[Finding]:
    """Is the way to the database encrypted, and does it lead to the right one?"""
    tls = upstream.tls
    if tls.mode is SslMode.DISABLE:
        if upstream.unix_socket is not None or is_loopback(upstream.address or upstream.host):
            yield holds(subject, "the way to the database does not leave this machine")
        else:
            yield fails(
                subject,
                "the way to the database is not encrypted: other columns cross the network in plaintext",
                "Use sslmode=verify-full, with sslrootcert for an authority of your own.",
            )
    elif not tls.verifies:
        yield fails(
            subject,
            "sslmode=require does not check who answers: whoever stands between can be the database",
            "Use sslmode=verify-full, or add upstream_pin.",
        )
    else:
        yield holds(subject, f"TLS, {tls.mode.value}" + (", pinned" if tls.pins else ""))


def role_findings(subject: str, role: Role, tables: Collection[tuple[str, str]]) -> Iterator[Finding]:
    """Has the upstream user more rights than it needs?"""
    if not MIN_VERSION <= role.version_number < MAX_VERSION:
        remedy = "Upgrade it; the versions 15 to 18 are tested."
        yield fails(subject, f"PostgreSQL {role.version} is not a version that is supported", remedy)
    own = sorted(f"{schema}.{table}" for schema, table in role.owns.intersection(tables))
    remedy = "Give the gateway a role of its own with SELECT, INSERT, UPDATE and DELETE, and set `owner`."
    if role.superuser:
        yield mind(subject, f"the upstream user {role.name} is a superuser", remedy)
    elif own:
        yield mind(
            subject,
            f"the upstream user {role.name} owns {some(own)}, and so can take their CHECKs away",
            remedy,
        )
    else:
        yield holds(subject, f"PostgreSQL {role.version}, as {role.name}")


def copy_findings(subject: str, facts: Facts, tables: Collection[tuple[str, str]]) -> Iterator[Finding]:
    """Publications and slots that carry sealed values away."""
    for publication in sorted(
        {name for name, schema, table in facts.publications if (schema, table) in tables}
    ):
        yield mind(
            subject,
            f"publication {publication} carries sealed values to its subscribers",
            "Subscribers get bytea: give the column that type there, and read it through a gateway.",
        )
    for slot, plugin in facts.slots:
        yield mind(
            subject,
            f"replication slot {slot} ({plugin}) carries sealed values to whoever reads it",
            "Change data capture sees bytea; what must read values connects through the gateway.",
        )


def log_findings(subject: str, facts: Facts) -> Iterator[Finding]:
    """Logs and extensions that keep the texts of statements."""
    preloaded = ",".join(facts.settings.get(f"{one}_preload_libraries", "") for one in ("shared", "session"))
    loaded = {name.strip() for name in preloaded.split(",")} | set(facts.extensions)
    for name in _TEXT_KEEPERS:
        if name in loaded:
            yield mind(subject, f"{name} keeps the texts of statements", _AROUND)
    settings = facts.settings
    quiet = {"log_statement": "none", "log_min_duration_statement": "-1", "log_min_duration_sample": "-1"}
    loud = [name for name, off in quiet.items() if settings.get(name, off) != off]
    if settings.get("log_transaction_sample_rate", "0") != "0":
        loud.append("log_transaction_sample_rate")
    if settings.get("log_parameter_max_length_on_error", "0") != "0":
        loud.append("log_parameter_max_length_on_error")
    if loud:
        yield mind(subject, f"the server's log keeps statements or parameters: {', '.join(loud)}", _AROUND)


def code_findings(subject: str, facts: Facts, context: Context) -> Iterator[Finding]:
    """Functions, triggers and event triggers that see sealed values, or are refused."""
    ground = ground_of(context.schema, context.protections)
    for relation in context.schema.relations.values():
        if not ground.protected(relation):
            continue
        try:
            check_triggers(relation, ground, context)
        except UserCodeRefused as error:
            remark = f"every change of {relation.schema}.{relation.name} is refused: {error.message}"
            yield fails(subject, remark, error.hint)
    if unseen := _unseen(ground, context):
        yield mind(
            subject,
            f"calls of functions that might touch a protected table are refused: {some(unseen)}",
            "List those that may be called under `functions:`, each with a reason.",
        )
    if facts.event_triggers:
        yield mind(
            subject,
            f"event triggers run when `protect` changes tables: {some(facts.event_triggers)}",
            "See that they let the changes through: `strongroom protect --dry-run` names them.",
        )


def _unseen(ground: Ground, context: Context) -> list[str]:
    triggers = {oid for relation in context.schema.relations.values() for _, oid in relation.triggers}
    functions = (context.schema.functions[oid] for oid in ground.opaque - triggers)
    names = {f"{one.schema}.{one.name}" for one in functions}
    return sorted(names.difference(context.functions))
