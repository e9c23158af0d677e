"""keys/root/file.py: the root key in a file."""

import io
import json
import os
from pathlib import Path

import pytest
import tink
from tink import aead, cleartext_keyset_handle

from strongroom.errors import RootKeyInvalid, RootKeyMissing, RootKeyUnsafe, WrongRoot
from strongroom.keys.root.file import FileRoot

aead.register()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where a root key may lie."""
    folder = tmp_path / "etc"
    folder.mkdir(mode=0o700)
    return folder / "root.key"


def test_a_root_that_was_made_is_opened(place: Path, tmp_path: Path) -> None:
    """The file is private, and what one wraps the other unwraps."""
    made = FileRoot.create(place, tmp_path / "state")
    assert place.stat().st_mode & 0o777 == 0o600
    opened = FileRoot.open(place, tmp_path / "state")
    assert opened.unwrap(made.wrap(b"keys", b"context"), b"context") == b"keys"
    assert repr(made) == f"<FileRoot {opened.key_id:08x}>"


def test_a_umask_changes_nothing(place: Path) -> None:
    """The mode is that of the file's making."""
    before = os.umask(0)
    try:
        FileRoot.create(place, None)
    finally:
        os.umask(before)
    assert place.stat().st_mode & 0o777 == 0o600


def test_stock_tink_opens_what_it_wrapped(place: Path) -> None:
    """The file is a Tink keyset, and the wrapped bytes are a Tink ciphertext."""
    root = FileRoot.create(place, None)
    theirs = cleartext_keyset_handle.read(tink.JsonKeysetReader(place.read_text())).primitive(aead.Aead)
    assert theirs.decrypt(root.wrap(b"keys", b"context"), b"context") == b"keys"
    assert root.unwrap(theirs.encrypt(b"keys", b"context"), b"context") == b"keys"


def test_a_root_that_tink_made_is_opened(place: Path) -> None:
    """A keyset of stock Tink serves as root."""
    handle = tink.new_keyset_handle(aead.aead_key_templates.AES256_GCM)
    out = io.StringIO()
    cleartext_keyset_handle.write(tink.JsonKeysetWriter(out), handle)
    place.write_text(out.getvalue())
    place.chmod(0o600)
    sealed = handle.primitive(aead.Aead).encrypt(b"keys", b"c")
    assert FileRoot.open(place, None).unwrap(sealed, b"c") == b"keys"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_can_read_is_refused(place: Path, mode: int) -> None:
    """The hint is the command that mends it."""
    FileRoot.create(place, None)
    place.chmod(mode)
    with pytest.raises(RootKeyUnsafe) as caught:
        FileRoot.open(place, None)
    assert "chmod 0600" in caught.value.hint


def test_what_is_no_file_is_refused(place: Path) -> None:
    """Nobody waits for a FIFO to be written to."""
    os.mkfifo(place, 0o600)
    with pytest.raises(RootKeyUnsafe, match="not a regular file"):
        FileRoot.open(place, None)


def test_a_file_of_another_user_is_refused(place: Path) -> None:
    """Its owner could change it."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    FileRoot.create(place, None)
    os.chown(place, 12345, 12345)
    with pytest.raises(RootKeyUnsafe):
        FileRoot.open(place, None)


def test_a_place_that_is_copied_along_is_refused(tmp_path: Path) -> None:
    """In or under the state's folder, or in a git work tree, by whatever path it is named."""
    state, tree = tmp_path / "state", tmp_path / "tree"
    (state / "deep").mkdir(parents=True)
    (tree / "deep").mkdir(parents=True)
    (tree / ".git").write_text("gitdir: elsewhere")
    link = tmp_path / "link"
    link.symlink_to(state)
    for folder in (state, state / "deep", link, tree, tree / "deep"):
        with pytest.raises(RootKeyUnsafe):
            FileRoot.create(folder / "root.key", state)
        assert not (folder / "root.key").exists()
        FileRoot.create(folder / "root.key", state, accept_unsafe_place=True)
        with pytest.raises(RootKeyUnsafe):
            FileRoot.open(folder / "root.key", state)
        FileRoot.open(folder / "root.key", state, accept_unsafe_place=True)
        (folder / "root.key").unlink()


def test_a_link_into_the_state_is_refused(place: Path, tmp_path: Path) -> None:
    """What counts is where the key lies, not where its name does."""
    state = tmp_path / "state"
    state.mkdir()
    FileRoot.create(state / "root.key", None)
    place.symlink_to(state / "root.key")
    with pytest.raises(RootKeyUnsafe):
        FileRoot.open(place, state)


def test_a_root_key_is_never_overwritten(place: Path) -> None:
    """The second making fails and the first key stays."""
    FileRoot.create(place, None)
    before = place.read_bytes()
    with pytest.raises(RootKeyUnsafe):
        FileRoot.create(place, None)
    assert place.read_bytes() == before


def test_a_missing_file_or_folder_is_named(place: Path) -> None:
    """Each with what to do."""
    with pytest.raises(RootKeyMissing):
        FileRoot.open(place, None)
    with pytest.raises(RootKeyUnsafe) as caught:
        FileRoot.create(place.parent / "missing" / "root.key", None)
    assert "install -d" in caught.value.hint
    with pytest.raises(RootKeyUnsafe):
        FileRoot.open(place.parent, None)


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '{"primaryKeyId": 1, "key": []}', "\xff"])
def test_a_file_that_holds_no_key_is_refused(place: Path, content: str) -> None:
    """Whatever it holds instead is not shown."""
    place.write_bytes(content.encode("latin-1"))
    place.chmod(0o600)
    with pytest.raises(RootKeyInvalid) as caught:
        FileRoot.open(place, None)
    assert content == "" or content not in caught.value.message


def test_a_disabled_root_key_is_refused(place: Path) -> None:
    """Tink would not use it either."""
    FileRoot.create(place, None)
    written = json.loads(place.read_text())
    written["key"][0]["status"] = "DISABLED"
    place.write_text(json.dumps(written))
    with pytest.raises(RootKeyInvalid):
        FileRoot.open(place, None)


def test_what_was_changed_or_cut_does_not_unwrap(place: Path) -> None:
    """Every byte counts, and the context does."""
    root = FileRoot.create(place, None)
    wrapped = root.wrap(b"keys", b"context")
    for position in range(len(wrapped)):
        with pytest.raises(WrongRoot):
            root.unwrap(wrapped[:position], b"context")
        changed = bytearray(wrapped)
        changed[position] ^= 1
        with pytest.raises(WrongRoot):
            root.unwrap(bytes(changed), b"context")
    with pytest.raises(WrongRoot):
        root.unwrap(wrapped, b"other")
