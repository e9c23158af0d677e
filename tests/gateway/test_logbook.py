"""gateway/logbook.py and records.py: what a supervisor records, and what commands leave for it."""

import signal
from typing import Any

import pytest
from tests.audit.test_log import contents
from tests.gateway.serving import configuration, logged
from tests.gateway.test_chronicle import gateway  # noqa: F401 - the fixture that is asked for below
from tests.gateway.test_recorder import stopped

from strongroom.audit.records.changes import ConfigurationChanged, ConfigurationDeed, KeyChanged, KeyDeed
from strongroom.audit.records.reading import read
from strongroom.audit.records.running import ProcessTurned, Turn
from strongroom.errors import ServerFailed
from strongroom.testing.gateway import Gateway
from strongroom.testing.waiting import wait_until


def found(gateway: Gateway, kind: type) -> list[Any]:  # noqa: F811 - as pytest wants it
    """All records of a kind in the log of a gateway that was stopped."""
    records = (read(one) for one in contents(gateway.folder / "audit"))
    return [one for one in records if isinstance(one, kind)]


def test_starts_configurations_and_stops(gateway: Gateway) -> None:  # noqa: F811 - as pytest wants it
    """Which file, by its hash, whether it was taken, and why not."""
    before = configuration(gateway)
    gateway.configure(before | {"login": {"failures": 7}})
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: logged(gateway, "configuration accepted"), "it is taken")
    gateway.configure(before | {"workers": 0})
    gateway.signal(signal.SIGHUP)
    wait_until(lambda: logged(gateway, "configuration refused, the old one stays"), "it is refused")
    stopped(gateway)
    turns = found(gateway, ProcessTurned)
    assert [one.turn for one in turns] == [Turn.STARTED, Turn.STOPPED]
    assert turns[0].audit == "batch, block"
    taken, refused = found(gateway, ConfigurationChanged)
    assert (taken.deed, taken.code) == (ConfigurationDeed.ACCEPTED, None)
    assert (refused.deed, refused.code) == (ConfigurationDeed.REFUSED, "configuration-invalid")
    assert len({turns[0].sha256, taken.sha256, refused.sha256}) == 3


def test_what_was_done_to_keys(gateway: Gateway) -> None:  # noqa: F811 - as pytest wants it
    """While the gateway runs and while it does not; each once, though it is started again."""
    gateway.command("keys", "rotate", "public.people.note", "--no-wait")
    stopped(gateway)
    with pytest.raises(ServerFailed):
        gateway.command("keys", "rotate")
    gateway.command("keys", "rotate", "--kek")
    gateway.launch()
    wait_until(lambda: len(logged(gateway, "audit log open")) == 2, "it is open again")
    stopped(gateway)
    gateway.launch()
    stopped(gateway)
    changes = [one for one in found(gateway, KeyChanged) if one.deed is KeyDeed.ROTATED]
    assert [one.subject for one in changes] == ["audited/public.people.note", "kek audited"]
