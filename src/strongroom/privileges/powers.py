"""What makes a role dangerous to be, or to be a member of: more than privileges on tables. Called by `own`
and `around`.
"""

from collections.abc import Collection, Iterator

from strongroom.privileges.facts import Facts, Role, Thing

_PREDEFINED = {
    "pg_read_all_data": "reads every table",
    "pg_write_all_data": "writes every table",
    "pg_read_server_files": "reads the server's files",
    "pg_write_server_files": "writes the server's files",
    "pg_execute_server_program": "runs programs on the server",
    "pg_monitor": "sees the texts of others' statements",
    "pg_read_all_stats": "sees the texts of others' statements",
    "pg_read_all_settings": "sees all settings",
    "pg_maintain": "maintains every table",
    "pg_signal_backend": "ends others' sessions",
    "pg_create_subscription": "connects to elsewhere from the server",
    "pg_checkpoint": "forces checkpoints",
    "pg_database_owner": "owns the database",
}
"""Manual, "Predefined Roles", PostgreSQL 15 to 18; what is new is called by its name alone."""


def attributes(role: Role, *, all_of_them: bool = False) -> list[str]:
    """Those that reach beyond privileges; CREATEDB, which leads into no database that is there, if asked."""
    found = {
        "CREATEROLE": role.createrole,
        "REPLICATION": role.replication,
        "BYPASSRLS": role.bypassrls,
        "CREATEDB": all_of_them and role.createdb,
    }
    return [name for name, has in found.items() if has]


def owned(facts: Facts, role: int) -> list[Thing]:
    """What a role owns here; sequences of columns go with their tables."""
    things = (
        facts.database,
        *facts.schemas,
        *(one for one in facts.relations if one.table is None),
        *(one for one in facts.functions if not one.extension),  # not those of extensions, nor PostgreSQL's
    )
    return [one for one in things if one.owner == role]


def powers(facts: Facts, role: int, others: Collection[str] = ()) -> Iterator[str]:
    """What being a member of a role gives, in words; ``others`` are users of the gateway's."""
    one = facts.roles[role]
    if one.superuser:
        yield f"all that the superuser {one.name} may"
    for attribute in attributes(one):
        yield f"{attribute} by {one.name}"
    if one.predefined:
        yield f"{one.name} ({_PREDEFINED[one.name]})" if one.name in _PREDEFINED else one.name
    if not one.superuser and (things := owned(facts, role)):
        yield f"what {one.name} owns ({things[0].words}{' and more' if len(things) > 1 else ''})"
    if one.name in others:
        yield f"all that the gateway's own user {one.name} may"
