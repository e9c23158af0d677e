r"""COPY with protected columns: what the session feeds the data of CopyData messages through.

``CopySealer`` takes the client's stream of COPY FROM STDIN to what the database stores; ``CopyOpener`` takes
the database's stream of COPY TO STDOUT to the bytes that PostgreSQL would have sent on a plaintext table.
The borders of CopyData messages mean nothing (manual, "COPY Operations"): chunks come in any sizes, and rows
go out as soon as they are whole. Errors say the row and the column in their detail, never a value.

``copy`` must be resolved to the last option, and each element of ``seals`` or ``opens`` stands for the column
at its place: a function of one value, or None for a column that passes byte for byte. A value is the text
of the field after unescaping, or the binary form in binary format; a sealed value is its raw bytes, which
stand in the stream as bytea (``\x`` and hex in text and csv; bytea_output is pinned). NULL never gets here;
what opens or masks may give it.
"""

from collections.abc import Sequence
from typing import TypeVar

from strongroom.errors import Bug, ConstructRefused, MalformedCopy, UpstreamCopyMalformed
from strongroom.protect.copy.binary_format import BinaryRows
from strongroom.protect.copy.csv_format import CsvFormat
from strongroom.protect.copy.fields import Convert, LineFormat, Open, RowTenant
from strongroom.protect.copy.lines import LineCutter
from strongroom.protect.copy.rows import OpenedRows, SealedRows
from strongroom.protect.copy.text_format import TextFormat
from strongroom.protect.sealing import KernelLines, KernelSeals, KernelTuples
from strongroom.sql.statement import Copy

_Function = TypeVar("_Function", Convert, Open)

NULL_OF_TEXT = "\\N"
"""What no value is written as in text format, where a backslash is always two."""

# A row of COPY is held until it is whole: as long as the default of limits.message_bytes, which bounds the
# rows of all other statements. PostgreSQL's own limit is 1 GB (stringinfo.c, MaxAllocSize).
MAX_ROW_BYTES = 64 * 1024 * 1024


class CopySealer:
    """COPY FROM STDIN: ``feed`` each chunk of the client's, then ``finish`` at CopyDone."""

    def __init__(
        self,
        copy: Copy,
        seals: Sequence[Convert | None],
        *,
        row_bytes: int = MAX_ROW_BYTES,
        tenant: RowTenant | None = None,
    ) -> None:
        """``tenant`` is told of each row whose it is, before its values go to ``seals`` one by one."""
        functions = _by_place(copy, seals)
        self._rows: SealedRows | BinaryRows
        if copy.format == "binary":
            tuples = KernelTuples(KernelSeals(seals)) if tenant is None else None
            self._rows = BinaryRows(copy, functions, row_bytes, MalformedCopy, tuples, tenant=tenant)
            return
        form = _line_format(copy)
        sealing = {place: form.sealing(place, seal) for place, seal in functions.items()}
        lines = _kernel_lines(form, seals) if tenant is None else None
        self._rows = SealedRows(copy, form, sealing, LineCutter(form.syntax, row_bytes), lines, tenant=tenant)

    def feed(self, chunk: bytes) -> bytes:
        """What to send upstream now, perhaps nothing.

        Raises ``ClientError`` for rows that are not well-formed, and what the ``seals`` raise.
        """
        return self._rows.feed(chunk)

    def finish(self) -> bytes:
        """What to send upstream before CopyDone; raises ``ClientError`` where the stream breaks off."""
        return self._rows.finish()


class CopyOpener:
    """COPY TO STDOUT: ``feed`` each chunk of the database's, then ``finish`` at CopyDone."""

    def __init__(
        self,
        copy: Copy,
        opens: Sequence[Open | None],
        *,
        masks: Sequence[Open | None] = (),
        row_bytes: int = MAX_ROW_BYTES,
    ) -> None:
        """``masks``, if there are any, stand at the places of columns that are not sealed.

        Raises ``ConstructRefused`` where NULL is written as a value of such a column could be.
        """
        opening, masking = _by_place(copy, opens), _by_place(copy, masks) if masks else {}
        if opening.keys() & masking.keys():
            raise Bug("a column of COPY is masked as if it were not sealed")
        self._rows: OpenedRows | BinaryRows
        if copy.format == "binary":
            functions = dict(sorted((opening | masking).items()))
            self._rows = BinaryRows(copy, functions, row_bytes, UpstreamCopyMalformed)
            return
        if masking and copy.format == "text" and copy.null != NULL_OF_TEXT:
            raise ConstructRefused(
                "COPY of a masked column in text format writes NULL as a value could be written",
                hint="Leave NULL at its default, or use csv: what looks like NULL would pass unmasked.",
            )
        form = _line_format(copy)
        fields = {place: form.opening(place, opener) for place, opener in opening.items()}
        fields |= {place: form.masking(place, mask) for place, mask in masking.items()}
        self._rows = OpenedRows(copy, form, fields, LineCutter(form.syntax, row_bytes, end=b"\n"))

    def feed(self, chunk: bytes) -> bytes:
        """What to send to the client now, perhaps nothing; raises ``UpstreamError``."""
        return self._rows.feed(chunk)

    def finish(self) -> bytes:
        """Nothing more; raises ``UpstreamError`` where the stream broke off in a row."""
        return self._rows.finish()


def _by_place(copy: Copy, converts: Sequence[_Function | None]) -> dict[int, _Function]:
    if len(converts) != len(copy.columns):
        raise Bug("COPY has another number of columns than functions for them")
    return {place: convert for place, convert in enumerate(converts) if convert is not None}


def _kernel_lines(form: LineFormat, seals: Sequence[Convert | None]) -> KernelLines | None:
    in_kernel = KernelSeals(seals)
    lines = form.kernel_lines(in_kernel.columns)
    return None if lines is None else KernelLines(in_kernel, lines)


def _line_format(copy: Copy) -> LineFormat:
    return CsvFormat(copy) if copy.format == "csv" else TextFormat(copy)
