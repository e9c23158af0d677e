"""What a drill proves of keys and of values."""

from dataclasses import replace

from tests.keys.state_of_keys import EMAIL, MADE, rotated, some_keysets
from tests.protect.samples import Counted, scheme

from strongroom.keys.drill import Hasher, Line, compare, open_values
from strongroom.keys.generate import new_keyset
from strongroom.keys.kek import new_kek
from strongroom.keys.model import ExportCapability, Keyset
from strongroom.protect.plan import ColumnCodec, Sent
from strongroom.protect.style import TextStyle

COLUMN = scheme("text", "deterministic", "public.t.email")


def sealed(keyset: Keyset, *values: bytes) -> list[bytes]:
    codec = ColumnCodec(COLUMN, keyset, Counted())
    return [one for one in codec.seal_all(list(values), Sent(TextStyle())) if one is not None]


def test_the_same_keys() -> None:
    """Every version of every key is there, those that are kept but do not open included."""
    live = [*some_keysets(), new_kek("shop", MADE)]
    lines = compare(live, live)
    assert [(line.name, line.holds) for line in lines] == [(one.name, True) for one in live]
    assert [line.remark for line in lines] == ["2 of 2 versions", "2 of 2 versions", "1 of 1 versions"]


def test_a_version_that_is_missing() -> None:
    """A rotation since the backup is named by the key's id."""
    email, _ = some_keysets()
    newer = rotated(email)
    (line,) = compare([newer], [email])
    assert line == Line("key", EMAIL, False, f"not in the backup: {newer.primary:08x}")


def test_a_key_that_is_missing() -> None:
    """A keyset of which the backup knows nothing is missing whole."""
    email, iban = some_keysets()
    lines = compare([email, iban], [email])
    assert [line.holds for line in lines] == [True, False]


def test_another_key_of_the_same_id() -> None:
    """Ids, states and dates agree; the material does not, and that is noticed."""
    email = new_keyset(COLUMN, MADE)
    another = new_keyset(COLUMN, MADE).versions[0]
    (version,) = email.versions
    forged = replace(email, versions=(replace(version, dek=another.dek),))
    assert [line.holds for line in compare([email], [forged])] == [False]


def test_material_under_another_name() -> None:
    """A key counts for its own keyset alone."""
    email = new_keyset(COLUMN, MADE)
    assert [line.holds for line in compare([email], [replace(email, name="shop/public.t.other")])] == [
        False,
        True,
    ]


def test_what_was_retired_or_changed_since() -> None:
    """What only the backup has is said; a change of states alone loses nothing."""
    email, iban = some_keysets()
    lines = compare([email.with_floors(1, 2)], [email, iban])
    assert all(line.holds for line in lines)
    assert "revision" in lines[0].remark
    assert lines[1].remark == "not in use any more"


def test_the_hash_shows_nothing() -> None:
    """Two drills hash one key differently, and neither hash holds the key."""
    email = new_keyset(COLUMN, MADE)
    (version,) = email.versions
    assert version.dek is not None
    one, other = (Hasher().of(email, version) for _ in range(2))
    assert one is not None
    assert one != other
    assert version.dek.danger_material(ExportCapability("a test")) not in one


def test_values_that_open() -> None:
    """By the keys that sealed them; of an empty column nothing is to be proved."""
    keyset = new_keyset(COLUMN, MADE)
    assert open_values(COLUMN, keyset, sealed(keyset, b"a", b"b")) == Line(
        "values", COLUMN.column, True, "2 values opened"
    )
    assert open_values(COLUMN, keyset, []).remark == "no values"


def test_values_that_do_not_open() -> None:
    """Sealed by a key that the backup has not, changed, or of a column whose keys it has not."""
    keyset, other = new_keyset(COLUMN, MADE), new_keyset(COLUMN, MADE)
    (value,) = sealed(keyset, b"a")
    changed = value[:-1] + bytes([value[-1] ^ 1])
    for keys, stored in ((other, value), (keyset, changed), (keyset, b""), (None, value)):
        line = open_values(COLUMN, keys, [stored])
        assert not line.holds
        assert stored.hex() not in line.remark or not stored
