"""acceptance/act.py: a change as people sign it."""

import json
from datetime import UTC, datetime

from strongroom.acceptance.act import MAX_LISTED, act_of, section_of, signers_of
from strongroom.config.protection import SIGNED_ACTS
from strongroom.keys.approvals import MAX_REQUEST_BYTES, Request, Requirement
from strongroom.keys.sshsig import parse_public_key
from strongroom.stance.model import Stance, Weakening

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDpG+SRnbtJoHALakABRU9z636Ewxay7QwyEsaP7aH68"
BEFORE, AFTER = Stance({}), Stance({"login": {}})


def test_thousands_of_weakenings() -> None:
    """The request stays within its limit, says how many there are, and is of all of them."""
    many = [Weakening(f"accounts.{number}" + "\\\u00e9" * 100, "may log in now") for number in range(5000)]
    act = act_of(BEFORE, AFTER, many)
    assert act.fields["weakenings"] == "5000"
    assert f"weakens {MAX_LISTED:03}" in act.fields
    request = Request.new(act, "state", "anna@host", datetime(2026, 1, 1, tzinfo=UTC))
    assert len(request.written()) < MAX_REQUEST_BYTES
    assert Request.read(request.written()) == request
    assert act_of(BEFORE, AFTER, many[:-1]).fields["weakenings_sha256"] != act.fields["weakenings_sha256"]


def test_who_signs_comes_out_as_it_went_in() -> None:
    """Also through JSON, where nobody signs, too."""
    requirement = Requirement(1, {"anna": (parse_public_key(KEY),)}, SIGNED_ACTS)
    assert signers_of(json.loads(json.dumps(section_of(requirement)))) == requirement
    assert signers_of(section_of(None)) is None
