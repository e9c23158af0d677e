"""Key-encryption keys: under the root, above the keysets of columns; one for each database and each tenant.

A KEK is itself a keyset (``model.py``): versions with states, the newest of which wraps. What its values hold
are keysets, so that is its form. Its document (``document.py``) is wrapped by each configured root, and it
wraps the documents of the column keysets; both as Tink AEAD ciphertexts with the name as associated data, so
that nothing wrapped opens under another name. Called by ``hierarchy.py`` and ``store.py``.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from strongroom.errors import InvalidKeyset, KekMissing, WrongKek, WrongRoot
from strongroom.keys import document, wrapping
from strongroom.keys.generate import new_version
from strongroom.keys.model import Algorithm, Context, ExportCapability, Keyset, KeyState, KeyVersion
from strongroom.keys.root import RootKey, wrapping_context
from strongroom.protect.envelope import key_id_of, length_prefixed

FORM = "keyset"
DESTROYED = "destroyed"
"""Where a root's name would stand; those of roots begin with their provider's."""
_LABEL = "strongroom.keyset.v1"


@dataclass(frozen=True, slots=True)
class WrappedKeyset:
    """A column's keyset as it is kept, in the state and beside the data."""

    name: str
    revision: int
    wrapped: bytes


@dataclass(frozen=True, slots=True)
class WrappedKek:
    """A KEK as it is kept, in the state and beside the data: once for each root, under that root's name.

    ``revision`` grows with each change, be it of the key or of the roots that wrap it.
    """

    name: str
    revision: int
    wraps: Mapping[str, bytes]

    @property
    def is_destroyed(self) -> bool:
        """Whether this only says that a tenant's KEK was here, and was destroyed (``tenants.py``)."""
        return DESTROYED in self.wraps


def kek_name(database: str) -> str:
    """The name of the KEK of a database, or of `DATABASE@TENANT`; no keyset of a column can have it."""
    return f"kek {database}"


def database_of(keyset_name: str) -> str:
    """The logical database of a column's keyset, or `DATABASE@TENANT`; neither has a slash (``config``)."""
    return keyset_name.partition("/")[0]


def scope_of(name: str) -> str:
    """The same for the name of a keyset or of a KEK."""
    return database_of(name) if "/" in name else name.removeprefix("kek ")


def tenant_of(name: str, database: str | None = None) -> str | None:
    """Whose a keyset or a KEK is, by its name; None where it is no tenant's, or another ``database``'s."""
    of, sign, tenant = scope_of(name).partition("@")
    return tenant if sign and database in (None, of) else None


def family_of(keyset_name: str) -> str:
    """The name that the keysets of a column's tenants have in common (``Scheme.keyset``)."""
    database, slash, column = keyset_name.partition("/")
    return f"{database.partition('@')[0]}{slash}{column}"


def belongs_to(name: str, database: str) -> bool:
    """Whether a keyset or a KEK is this database's, or one of its tenants'."""
    return scope_of(name).partition("@")[0] == database


def new_kek(database: str, created: datetime) -> Keyset:
    """A KEK of one active version."""
    first = new_version(Algorithm.AES256_GCM, (), KeyState.ACTIVE, created)
    context = Context(database, "", "", "")
    return Keyset(kek_name(database), Algorithm.AES256_GCM, context, FORM, 0, (first,), first.key_id)


def wraps_text(wraps: Mapping[str, bytes]) -> str:
    """What roots wrapped, as it is kept: a JSON object of root names and base64."""
    return json.dumps({root: b64encode(one).decode() for root, one in sorted(wraps.items())})


def wraps_of(text: str) -> Mapping[str, bytes]:
    """The same read again; raises ``InvalidKeyset``."""
    try:
        written = json.loads(text)
        return MappingProxyType({str(root): b64decode(one, validate=True) for root, one in written.items()})
    except (ValueError, TypeError, AttributeError, RecursionError):
        raise InvalidKeyset("what the roots wrapped is not in its form") from None


def wrap_kek(kek: Keyset, root: RootKey) -> bytes:
    """The KEK under a root; raises a ``RootError``."""
    written = document.danger_written(kek, ExportCapability("to be wrapped by a root key"))
    return root.wrap(written, wrapping_context(kek.name))


def unwrap_kek(name: str, wrapped: bytes, root: RootKey) -> Keyset:
    """The KEK again; raises a ``RootError`` or ``InvalidKeyset``."""
    kek = document.read(root.unwrap(wrapped, wrapping_context(name)))
    if (kek.name, kek.form) != (name, FORM):
        raise WrongRoot(f"the copy of {name!r} holds another key", hint="restore it from a backup")
    return kek


@dataclass(frozen=True, slots=True)
class Keks:
    """The KEKs in use, by name: one immutable snapshot, which wraps and unwraps the keysets of columns."""

    by_name: Mapping[str, Keyset]

    @classmethod
    def of(cls, keks: Iterable[Keyset]) -> "Keks":
        """A snapshot of these."""
        return cls(MappingProxyType({kek.name: kek for kek in keks}))

    def changed(self, came: Iterable[Keyset], gone: Iterable[str]) -> "Keks":
        """A snapshot after some came, in place of others of their names, and those of other names went."""
        now = {**self.by_name, **{kek.name: kek for kek in came}}
        for name in gone:
            now.pop(name, None)
        return Keks.of(now.values())

    def has(self, keyset_name: str) -> bool:
        """Whether the KEK of this keyset's database is here."""
        return kek_name(database_of(keyset_name)) in self.by_name

    def wrap(self, keyset: Keyset) -> WrappedKeyset:
        """The keyset under the newest version of its database's KEK; raises ``KekMissing``."""
        kek = self._of(keyset.name)
        primary = kek.version(kek.primary)
        assert primary.dek is not None  # model: the primary is active
        written = document.danger_written(keyset, ExportCapability("to be wrapped by its KEK"))
        sealed = wrapping.wrap(primary.dek.aead(), kek.primary, written, _context(keyset.name))
        return WrappedKeyset(keyset.name, keyset.revision, sealed)

    def unwrap(self, kept: WrappedKeyset) -> Keyset:
        """The keyset again; raises ``KekMissing``, ``WrongKek`` or ``InvalidKeyset``."""
        version = self._version(kept)
        assert version.dek is not None  # it is in OPENING
        try:
            written = wrapping.unwrap(version.dek.aead(), version.key_id, kept.wrapped, _context(kept.name))
        except wrapping.DoesNotOpen:
            raise WrongKek(
                f"the wrapped keyset {kept.name!r} does not open: it was changed, or is another's"
            ) from None
        keyset = document.read(written)
        if keyset.name != kept.name or keyset.revision != kept.revision:
            raise WrongKek(f"the copy of keyset {kept.name!r} holds another")
        return keyset

    def unwrap_all(self, kept: Iterable[WrappedKeyset]) -> dict[str, Keyset]:
        """The keysets by name; raises as ``unwrap``, but leaves out a tenant's that does not open here.

        That is the tenant's affair, or of who damaged it, and must not keep others from their values.
        """
        opened = {}
        for one in kept:
            try:
                if tenant_of(one.name) is None or self.has(one.name):
                    opened[one.name] = self.unwrap(one)
            except (KekMissing, WrongKek, InvalidKeyset):
                if tenant_of(one.name) is None:
                    raise
        return opened

    def wrap_private(self, keyset_name: str, plaintext: bytes, context: bytes) -> bytes:
        """Something else that belongs to a keyset, wrapped by its KEK; raises ``KekMissing``."""
        kek = self._of(keyset_name)
        primary = kek.version(kek.primary)
        assert primary.dek is not None  # model: the primary is active
        return wrapping.wrap(primary.dek.aead(), kek.primary, plaintext, context)

    def unwrap_private(self, keyset_name: str, wrapped: bytes, context: bytes) -> bytes:
        """The same again; raises ``KekMissing`` or ``WrongKek``."""
        version = self._version(WrappedKeyset(keyset_name, 0, wrapped))
        assert version.dek is not None  # it is in OPENING
        try:
            return wrapping.unwrap(version.dek.aead(), version.key_id, wrapped, context)
        except wrapping.DoesNotOpen:
            raise WrongKek(f"what is kept for keyset {keyset_name!r} does not open: it was changed") from None

    def is_current(self, kept: WrappedKeyset) -> bool:
        """Whether the newest version of the KEK wrapped this."""
        return key_id_of(kept.wrapped) == self._of(kept.name).primary

    def _of(self, keyset_name: str) -> Keyset:
        name = kek_name(database_of(keyset_name))
        try:
            return self.by_name[name]
        except KeyError:
            raise KekMissing(f"there is no key-encryption key {name!r} for keyset {keyset_name!r}") from None

    def _version(self, kept: WrappedKeyset) -> KeyVersion:
        kek = self._of(kept.name)
        try:
            version = kek.version(key_id_of(kept.wrapped))
        except InvalidKeyset:
            raise KekMissing(
                f"keyset {kept.name!r} is wrapped by a version of {kek.name!r} that is not here"
            ) from None
        if version not in kek.opening:
            raise WrongKek(
                f"keyset {kept.name!r} is wrapped by version {version.key_id:08x} of {kek.name!r},"
                f" which is {version.state.value}"
            )
        return version


def _context(keyset_name: str) -> bytes:
    """The associated data under which a keyset is wrapped."""
    return length_prefixed(_LABEL, keyset_name)


def danger_written(keks: Keks) -> list[str]:
    """KEKs in the clear, for the line to a worker of the same gateway and for nothing else."""
    capability = ExportCapability("for a worker, over a socket pair")
    return [document.danger_written(kek, capability).decode() for kek in keks.by_name.values()]


def danger_read(written: Iterable[str]) -> Keks:
    """The KEKs that the supervisor sent."""
    return Keks.of(document.read(one.encode()) for one in written)
