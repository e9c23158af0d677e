"""By what records are found."""

import pytest
from hypothesis import given, settings
from tests.audit.recorded import IBAN, PHONE, client, head, opened, permitted, plan
from tests.audit.records.world import ANY

from strongroom.audit.records.changes import RoleChanged, RoleDeed
from strongroom.audit.records.codes import Record, code_of
from strongroom.audit.records.running import ClockTurnedBack, Job, JobTurned
from strongroom.audit.records.shared import Doer, Holder, Result
from strongroom.audit.records.statements import Keyed
from strongroom.audit.records.traits import Role, traits_of

ANNA = Doer("anna", Holder.ADMINISTRATOR)
JOB = JobTurned(head(), ANNA, Job.PROTECT_ENDED, "shop", "public.t", IBAN, Result.SUCCESS, 1, 2, ())
ROLE = RoleChanged(head(), ANNA, RoleDeed.GRANTED, "bob", ("support",), 1, "ticket 7", ("carl",))
SESSION = {(Role.WHO, "support-1"), (Role.ADDRESS, "192.0.2.7"), (Role.DATABASE, "shop")}
STATEMENT = {
    *SESSION,
    (Role.EVENT, "statement.permitted"),
    (Role.TABLE, "public.customers"),
    (Role.REVEALED, IBAN),
    (Role.MASKED, PHONE),
    (Role.FILTERED, "public.customers.id"),
    (Role.KEYED, "public.customers.id"),
}


@pytest.mark.parametrize(
    ("record", "traits"),
    [
        (
            permitted(
                what=plan(IBAN, masked=[PHONE], filtered=["public.customers.id"]),
                keyed=(Keyed("public.customers.id", "ab"),),
            ),
            STATEMENT,
        ),
        (opened(), {*SESSION, (Role.EVENT, "session.opened")}),
        (ROLE, {(Role.EVENT, "role.granted"), (Role.WHO, "anna"), (Role.WHO, "bob")}),
        (
            JOB,
            {
                (Role.EVENT, "protect.ended"),
                (Role.WHO, "anna"),
                (Role.DATABASE, "shop"),
                (Role.TABLE, "public.t"),
                (Role.COLUMN, IBAN),
            },
        ),
        (ClockTurnedBack(head(), 1), {(Role.EVENT, "clock.turned_back")}),
        (
            opened(0, client(address=None)),
            {(Role.EVENT, "session.opened"), *SESSION} - {(Role.ADDRESS, "192.0.2.7")},
        ),
    ],
)
def test_traits_of_a_record(record: Record, traits: set[tuple[Role, str]]) -> None:
    """Who, where, what and to which columns; nothing else."""
    assert traits_of(record) == traits


@settings(max_examples=100)
@given(ANY)
def test_each_record_has_its_code_and_names(record: Record) -> None:
    """Whatever it is."""
    traits = traits_of(record)
    assert (Role.EVENT, code_of(record).name) in traits
    assert all(isinstance(name, str) for _, name in traits)
