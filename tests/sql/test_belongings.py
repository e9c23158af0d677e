"""What Strongroom keeps in the database is out of clients' reach."""

from dataclasses import replace

import pytest
from tests.sql.world import CONTEXT, SCHEMA, table

from strongroom.errors import DefinitionRefused
from strongroom.sql.resolve import analyse
from strongroom.sql.schema import OWN_SCHEMA, OWN_TRIGGER
from strongroom.sql.typenames import TEXT

KEYSETS = table(900, "keysets", ("name", TEXT), schema=OWN_SCHEMA)
UNDER_WAY = replace(SCHEMA.names["public", "plain"], triggers=((OWN_TRIGGER, 1),))
OURS = replace(
    CONTEXT,
    schema=replace(SCHEMA, relations={**SCHEMA.relations, KEYSETS.oid: KEYSETS, UNDER_WAY.oid: UNDER_WAY}),
)


@pytest.mark.parametrize(
    "text",
    [
        "delete from strongroom_keys.keysets",
        "with gone as (delete from strongroom_keys.keysets returning 1) select * from gone",
        "explain analyze update strongroom_keys.keysets set name = 'x'",
        "truncate strongroom_keys.keysets",
        "copy strongroom_keys.keysets from stdin",
        "alter table strongroom_keys.keysets rename to gone",
        "grant all on strongroom_keys.keysets to public",
        "grant all on all tables in schema strongroom_keys to public",
        "drop table customers, strongroom_keys.keysets",
        "drop schema strongroom_keys cascade",
        "drop function strongroom_keys.empty_shadows_100()",
        "create function strongroom_keys.empty_shadows_1() returns trigger language plpgsql as ''",
        "alter schema strongroom_keys rename to gone",
        "alter schema strongroom_keys owner to app",
        "alter table customers rename constraint strongroom_email to gone",
        "alter table customers rename column strongroom_shadow_email to gone",
        "comment on constraint strongroom_email on customers is ''",
        "alter table customers drop constraint strongroom_email",
        'drop trigger "~~~~strongroom_shadow" on plain',
        'alter trigger "~~~~strongroom_shadow" on plain rename to gone',
        'alter table plain disable trigger "~~~~strongroom_shadow"',
        'alter table plain enable replica trigger "~~~~strongroom_shadow"',
        "alter table plain disable trigger user",
        "alter table plain disable trigger all",
    ],
)
def test_ours_is_refused(text: str) -> None:
    """No statement takes away, renames or writes what protection rests on."""
    with pytest.raises(DefinitionRefused):
        analyse(text, (), OURS)


def test_ours_is_found_by_the_search_path() -> None:
    """The schema need not be named."""
    inside = replace(OURS, search_path=("pg_catalog", OWN_SCHEMA, "public"))
    for text in ("drop table keysets", "delete from keysets"):
        with pytest.raises(DefinitionRefused):
            analyse(text, (), inside)
        analyse(text, (), OURS)


@pytest.mark.parametrize(
    "text",
    [
        "select * from strongroom_keys.keysets",
        "drop table customers",
        "comment on table customers is 'strongroom_'",
        "comment on database strongroom_demo is 'x'",
        "comment on role strongroom_app is 'x'",
        "grant all on database strongroom_demo to app",
        "alter table customers validate constraint strongroom_email",
        "alter table plain enable trigger all",
        "alter table plain disable trigger other",
        "alter table customers disable trigger user",
        "alter table plain rename column a to strongroom",
    ],
)
def test_the_rest_passes(text: str) -> None:
    """What only reads ours, or only resembles it, is sent."""
    assert analyse(text, (), OURS).statements
