"""keys/generate.py: new keys."""

from datetime import UTC, datetime

from tests.protect.samples import scheme

from strongroom.keys.generate import new_key_id, new_keyset
from strongroom.keys.model import ExportCapability, KeyState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_new_keyset_has_one_active_key_for_its_scheme() -> None:
    """Form, padding and context are the scheme's; two keysets have nothing in common."""
    wanted = scheme("varchar(9)", "deterministic", pad=8)
    one, other = new_keyset(wanted, NOW), new_keyset(wanted, NOW)
    assert wanted.mismatch(one) is None
    assert (one.name, one.context, one.revision) == (wanted.keyset, wanted.context, 1)
    (version,) = one.versions
    assert (version.key_id, version.state, version.created) == (one.primary, KeyState.ACTIVE, NOW)
    capability = ExportCapability("a test")
    materials = {v.dek.danger_material(capability) for k in (one, other) for v in k.versions if v.dek}
    assert len(materials) == 2


def test_key_ids_are_not_drawn_twice() -> None:
    """Nor is 0 among them."""
    taken = {new_key_id() for _ in range(1000)}
    assert len(taken) > 990
    assert min(taken) > 0
    assert max(taken) < 2**32
    assert new_key_id(taken) not in taken
