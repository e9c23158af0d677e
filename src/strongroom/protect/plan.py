"""What the session calls: one ``ColumnCodec`` per protected column, sealing values and opening them again.

A codec is a ``Scheme`` and the column's ``Keyset``; it holds ciphers and is made once per snapshot of the
keys. ``seal`` takes a client's value as it stood in Bind, in a literal or in COPY; ``open`` gives the bytes
that PostgreSQL would have sent on a plaintext table. ``opener`` settles everything but the value, for
``batch.py``. Called by ``session/``; nothing here waits.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from strongroom import _kernel as kernel
from strongroom.errors import Bug, KeysetMismatch
from strongroom.keys.model import Algorithm, ExportCapability, Keyset, KeyVersion
from strongroom.protect import canonical, padding
from strongroom.protect.canonical import BINARY_FORMAT, TEXT_FORMAT, Sent, Use
from strongroom.protect.deterministic import Deterministic
from strongroom.protect.envelope import associated_data, prefix
from strongroom.protect.forms import arrays
from strongroom.protect.masking import ColumnMask, Masking
from strongroom.protect.randomized import Randomized
from strongroom.protect.scheme import Scheme
from strongroom.protect.style import TextStyle
from strongroom.wire.postgres import types

__all__ = ["BINARY_FORMAT", "TEXT_FORMAT", "ColumnCodec", "ColumnOpening", "Sent", "Use", "Uses"]

Opener = Callable[[bytes], bytes]


NATIVE_FORMS = {
    types.TEXT: "verbatim",
    types.VARCHAR: "verbatim",
    types.INT2: "int2",
    types.INT4: "int4",
    types.INT8: "int8",
    types.BOOL: "bool",
    types.UUID: "uuid",
    types.BYTEA: "bytea",
}
"""The kernel's names for the types whose forms depend on no setting and no typmod."""


class Uses(Protocol):
    """Where each use of a key is counted before it happens (``keys/uses.py``)."""

    def take(self, keyset: Keyset, count: int) -> None:
        """Counts ``count`` more values under the primary key; raises ``KeyUsesSpent``."""


class ColumnOpening:
    """Opens the values of one column, by the keys of one keyset or, where each tenant has one, of several."""

    __slots__ = ("_aead", "_keysets", "_native", "scheme")

    def __init__(self, scheme: Scheme, keysets: Sequence[Keyset]) -> None:
        for keyset in keysets:
            if mismatch := scheme.mismatch(keyset):
                raise KeysetMismatch(f"{scheme.database}: column {scheme.column}: {mismatch}")
        randomized = scheme.algorithm is Algorithm.AES256_GCM
        self._aead: Randomized | Deterministic = (
            Randomized(*keysets, name=scheme.keyset, of_tenants=scheme.is_of_tenants)
            if randomized
            else Deterministic(keysets[0])
        )
        self._keysets = keysets
        self._native: dict[tuple[int, bool, ColumnMask | None], kernel.Opener] = {}
        self.scheme = scheme

    @property
    def opens(self) -> frozenset[int]:
        """The ids of the keys that open."""
        return frozenset(key_id for keyset in self._keysets for key_id in keyset.key_ids)

    def open_all(
        self, values: Sequence[bytes | None], *, format_code: int, style: TextStyle
    ) -> list[bytes | None]:
        """``open`` for a batch of values of one column."""
        one = self.opener(format_code, style)
        native = self.native_opener(format_code, is_hexed=False) or one
        return [None if value is None else _either(native, one, value) for value in values]

    def open(self, sealed: bytes | None, *, format_code: int, style: TextStyle) -> bytes | None:
        """The value as PostgreSQL would send it; raises ``InvalidCiphertext``. NULL stays NULL."""
        return None if sealed is None else self.opener(format_code, style)(sealed)

    def opener(self, format_code: int, style: TextStyle) -> Opener:
        """``open`` for a column of many rows: a function of the sealed bytes alone."""
        plaintext = self._plaintext_opener()
        if canonical.is_verbatim(self.scheme.type):
            return plaintext
        decode = canonical.decoder(self.scheme.type, format_code, style)
        return lambda sealed: decode(plaintext(sealed))

    def masked_opener(self, mask: ColumnMask, format_code: int, style: TextStyle) -> Masking:
        """``opener`` for who may see a mask; a value that does not open is an error all the same."""
        self._check(mask)
        plaintext, masked = self._plaintext_opener(), mask.of_plaintext(format_code, style)
        return lambda sealed: masked(plaintext(sealed))

    def native_opener(
        self, format_code: int, *, is_hexed: bool, mask: ColumnMask | None = None
    ) -> kernel.Opener | None:
        """The kernel's ``opener``, where it knows the type; ``is_hexed`` says that bytea comes as text."""
        form = None if self.scheme.type.is_array else NATIVE_FORMS.get(self.scheme.type.oid)
        if form is None:
            return None
        known = self._native.get((format_code, is_hexed, mask))
        if known is None:
            native_mask = None
            if mask is not None:
                self._check(mask)
                native_mask = mask.native(format_code, TextStyle())  # such types know no settings
                if native_mask is None:
                    return None
            known = self._native[format_code, is_hexed, mask] = kernel.Opener(
                self.scheme.algorithm.value,
                [one for keyset in self._keysets for one in keys_of(keyset, keyset.opening)],
                form=form,
                is_text=format_code == TEXT_FORMAT,
                is_hexed=is_hexed,
                pad=self.scheme.pad,
                mask=native_mask,
            )
        return known

    def _plaintext_opener(self) -> Opener:
        open_one, block = self._aead.open, self.scheme.pad
        return (lambda sealed: padding.unpadded(open_one(sealed), block)) if block else open_one

    def _check(self, mask: ColumnMask) -> None:
        if mask.type != self.scheme.type:
            raise Bug(f"a mask of {mask.type} stands on a column of {self.scheme.type}")

    def open_each(self, value: bytes | None, *, format_code: int, style: TextStyle) -> bytes | None:
        """A binary bytea[] of sealed values, as array_agg gives, as an array of the declared type."""
        if value is None:
            return None
        opened = arrays.receive(value, types.BYTEA).mapped(self.opener(format_code, style))
        if format_code == BINARY_FORMAT:
            return arrays.send(opened, self.scheme.type.oid)
        return arrays.output(opened)


class ColumnCodec(ColumnOpening):
    """Seals and opens the values of one column."""

    __slots__ = ("_keyset", "_native_sealers", "_uses")

    def __init__(self, scheme: Scheme, keyset: Keyset, uses: Uses) -> None:
        super().__init__(scheme, (keyset,))
        self._keyset = keyset
        self._uses = uses
        self._native_sealers: dict[tuple[int, int], kernel.Sealer] = {}

    @property
    def primary(self) -> int:
        """The id of the key that seals."""
        return self._keyset.primary

    def seal(self, value: bytes | None, sent: Sent) -> bytes | None:
        """The sealed bytes of a client's value; NULL stays NULL.

        Raises ``InvalidValue`` or ``UnsupportedInput`` where the value is not one of the declared type, and
        ``KeyUsesSpent`` where its key has sealed as many as it may.
        """
        return None if value is None else self.sealer(sent)(value)

    def sealer(self, sent: Sent) -> Callable[[bytes], bytes]:
        """``seal`` for a column of many rows: a function of the value alone."""
        encode, seal, take = canonical.encoder(self.scheme.type, sent), self._aead.seal, self._uses.take
        keyset, block = self._keyset, self.scheme.pad

        def sealed(value: bytes) -> bytes:
            plaintext = encode(value)
            take(keyset, 1)
            return seal(padding.padded(plaintext, block) if block else plaintext)

        return sealed

    def native_sealer(self, sent: Sent) -> kernel.Sealer | None:
        """The kernel's ``sealer``, where it knows the type. What it seals must be counted by ``count``."""
        declared = self.scheme.type
        if sent.cut or declared.is_array or not _same_bytes(declared.oid, sent.client_oid):
            return None
        stored = declared.oid == types.VARCHAR and sent.use is Use.STORE
        limit = (stored and types.character_length(declared.typmod)) or 0
        known = self._native_sealers.get((sent.format_code, limit))
        if known is None:
            primary = self._keyset.version(self._keyset.primary)
            ((before, material, associated),) = keys_of(self._keyset, [primary])
            known = self._native_sealers[sent.format_code, limit] = kernel.Sealer(
                self._keyset.algorithm.value,
                (before, material),
                associated,
                form=NATIVE_FORMS[declared.oid],
                is_text=sent.format_code == TEXT_FORMAT,
                limit=limit,
                pad=self.scheme.pad,
            )
        return known

    def count(self, values: int) -> None:
        """Counts values that the kernel sealed, before they leave; raises ``KeyUsesSpent``."""
        self._uses.take(self._keyset, values)

    def seal_all(self, values: Sequence[bytes | None], sent: Sent) -> list[bytes | None]:
        """``seal`` for a batch of values of one column."""
        one, native = self.sealer(sent), self.native_sealer(sent)
        if native is None:
            return [None if value is None else one(value) for value in values]
        self.count(sum(value is not None for value in values))
        return [None if value is None else _either(native, one, value) for value in values]

    def seal_each(self, value: bytes | None, sent: Sent) -> bytes | None:
        """An array of values, as in ``= ANY($1)`` and ``unnest($1)``: a binary bytea[] of sealed ones.

        ``sent.client_oid`` is that of the array, 0 where the client left it open; dimensions and NULLs stay.
        """
        if value is None:
            return None
        left_open = sent.client_oid in (0, types.UNKNOWN)
        array_oid = self.scheme.type.array_oid if left_open else sent.client_oid
        element_oid = types.declared(array_oid).base_oid
        array = arrays.parse(value, element_oid, sent.format_code)
        return arrays.send(array.mapped(self.sealer(replace(sent, client_oid=element_oid))), types.BYTEA)


def keys_of(keyset: Keyset, versions: Iterable[KeyVersion]) -> list[tuple[bytes, bytes, bytes]]:
    """(the octets before a value, material, associated data) of these versions, for the kernel's ciphers."""
    capability, associated = ExportCapability("the kernel's ciphers"), associated_data(keyset.context)
    return [
        (prefix(version.key_id), version.dek.danger_material(capability), associated)
        for version in versions
        if version.dek is not None
    ]


def _either(native: Masking, one: Opener, value: bytes) -> bytes | None:
    """The kernel's answer, or where it refuses, that of Python, which has words for what is wrong."""
    try:
        return native(value)
    except kernel.Refused:
        return one(value)


def _same_bytes(declared_oid: int, client_oid: int) -> bool:
    """Whether the kernel reads a value that the client declared so as one of the column's type."""
    if declared_oid not in NATIVE_FORMS:
        return False
    strings = (types.TEXT, types.VARCHAR)
    return client_oid in (0, types.UNKNOWN, declared_oid) or (
        client_oid in strings and declared_oid in strings
    )
