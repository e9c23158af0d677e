"""keys/root/shamir.py: a root key in shares."""

import json

import pytest
import tink
from tink import aead, cleartext_keyset_handle

from strongroom.errors import ForeignShare, ImpossibleShares, SharesMissing, WrongRoot
from strongroom.keys import tink as tink_json
from strongroom.keys.model import Algorithm
from strongroom.keys.root.shamir import ShamirRoot
from strongroom.keys.shares import combine, split

aead.register()


def test_shares_bring_the_root_back() -> None:
    """Any two of three; fewer do not."""
    root, shares = ShamirRoot.make(count=3, threshold=2)
    lines = [share.danger_text() for share in shares]
    wrapped = root.wrap(b"keys", b"context")
    for some in (lines[:2], lines[1:], lines[::2], lines):
        opened = ShamirRoot.open(some)
        assert opened.unwrap(wrapped, b"context") == b"keys"
        assert opened.name == root.name == f"shamir {shares[0].set_id:08x}"
    with pytest.raises(SharesMissing):
        ShamirRoot.open(lines[:1])
    assert repr(root) == f"<{root.name}>"


def test_each_root_is_new() -> None:
    """Another secret and another set; impossible numbers make none."""
    one, other = (ShamirRoot.make(count=2, threshold=2)[1] for _ in range(2))
    assert one[0].set_id != other[0].set_id
    secrets = {combine([share.danger_text() for share in shares]).secret for shares in (one, other)}
    assert len(secrets) == 2
    with pytest.raises(ImpossibleShares):
        ShamirRoot.make(count=1, threshold=1)


def test_another_set_than_the_configured_one_is_refused() -> None:
    """Before anything is opened."""
    _, shares = ShamirRoot.make(count=2, threshold=2)
    lines = [share.danger_text() for share in shares]
    assert ShamirRoot.open(lines, shares[0].set_id)
    for some in (lines, lines[:1]):
        with pytest.raises(ForeignShare, match="00000001 is wanted"):
            ShamirRoot.open(some, 1)


def test_shares_are_asked_for_until_there_are_enough() -> None:
    """A mistyped, a doubled and a foreign one are told at once, and cost no other."""
    root, shares = ShamirRoot.make(count=3, threshold=3)
    _, others = ShamirRoot.make(count=2, threshold=2)
    lines = [share.danger_text() for share in shares]
    entered = ["", lines[0], lines[1][:-1], lines[0], others[0].danger_text(), "  ", lines[1], lines[2]]
    prompts: list[str] = []
    said: list[str] = []

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return entered.pop(0)

    opened = ShamirRoot.gather(ask, said.append, shares[0].set_id)
    assert opened.unwrap(root.wrap(b"keys", b""), b"") == b"keys"
    assert [prompt[6] for prompt in prompts] == list("11222223")
    assert [text.split(".")[0][:7] for text in said] == ["share 2", "shares ", "share 2"]
    assert not entered


def test_a_share_of_another_set_is_told_at_once() -> None:
    """Where the configuration names the set, the first share counts already."""
    _, shares = ShamirRoot.make(count=2, threshold=2)
    _, others = ShamirRoot.make(count=2, threshold=2)
    entered = [others[0].danger_text(), *(share.danger_text() for share in shares)]
    said: list[str] = []
    assert ShamirRoot.gather(lambda _: entered.pop(0), said.append, shares[0].set_id)
    assert f"{shares[0].set_id:08x} is wanted" in said[0]


def test_what_was_changed_or_moved_does_not_open() -> None:
    """Each octet counts, and the associated data does; so does the secret behind the set's id."""
    root, shares = ShamirRoot.make(count=2, threshold=2)
    wrapped = root.wrap(b"keys", b"context")
    changed = [wrapped[:at] + bytes([wrapped[at] ^ 1]) + wrapped[at + 1 :] for at in range(len(wrapped))]
    for text in (*changed, wrapped[:-1], b""):
        with pytest.raises(WrongRoot):
            root.unwrap(text, b"context")
    with pytest.raises(WrongRoot):
        root.unwrap(wrapped, b"other")
    forged = split(bytes(32), shares[0].set_id, count=2, threshold=2)
    with pytest.raises(WrongRoot, match="shares of set"):
        ShamirRoot.open([share.danger_text() for share in forged]).unwrap(wrapped, b"context")


def test_stock_tink_opens_what_it_wrapped() -> None:
    """The secret and the set's id are a Tink key."""
    root, shares = ShamirRoot.make(count=2, threshold=2)
    combined = combine([share.danger_text() for share in shares])
    written = tink_json.keyset_json(
        Algorithm.AES256_GCM, combined.set_id, [(combined.set_id, combined.secret, True)]
    )
    theirs = cleartext_keyset_handle.read(tink.JsonKeysetReader(json.dumps(written))).primitive(aead.Aead)
    assert theirs.decrypt(root.wrap(b"keys", b"context"), b"context") == b"keys"
