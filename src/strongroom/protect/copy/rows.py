r"""The rows of a COPY in text or csv format: chunks in, lines out, only protected fields changed.

The kernel seals whole blocks. What it leaves to us goes through one loop for both formats and both
directions, which has words for what is wrong with a row; it splits lines at their delimiters, and takes a
slower, exact way only where a quote, an escaped delimiter or a stray line break stands. Called by
``stream.py``.
"""

from collections.abc import Mapping

from strongroom._kernel import Refused
from strongroom.errors import MalformedCopy, StrongroomError, UpstreamCopyMalformed
from strongroom.protect.copy.fields import FieldFunction, LineFormat, RowTenant
from strongroom.protect.copy.lines import OUTSIDE, LineCutter
from strongroom.protect.sealing import KernelLines
from strongroom.sql.statement import Copy

END_MARKER = b"\\."
BREAK_HINT = "write a line break that is data as an escape in text format, and inside quotes in csv"
WIDTH_HINT = "each row has one field a column; check DELIMITER, QUOTE and the column list"


class LineRows:
    """The rows of one stream; ``functions`` holds those of the protected columns by place."""

    malformed: type[StrongroomError]

    def __init__(
        self, copy: Copy, form: LineFormat, functions: Mapping[int, FieldFunction], cutter: LineCutter
    ) -> None:
        self._names = [column.name for column in copy.columns]
        self._form = form
        self._cutter = cutter
        self._work = [(place, form.null(place), function) for place, function in sorted(functions.items())]
        self._header = copy.header
        self._before = 0  # lines of earlier chunks, for errors
        self._column: int | None = None  # the one being worked on, for errors
        self._tenant: RowTenant | None = None

    def feed(self, chunk: bytes) -> bytes:
        """The rows that this chunk completes."""
        block = self._cutter.feed(chunk)
        return self._block(block) if block else b""

    def _block(self, block: bytes) -> bytes:
        return self._written(self._cutter.split(block))

    def _written(self, lines: list[bytes]) -> bytes:
        assert self._cutter.end is not None
        done = self._changed(lines)
        done.append(b"")
        return self._cutter.end.join(done)

    def _changed(self, lines: list[bytes]) -> list[bytes]:
        """The lines with their protected fields changed; an error says in its detail where it happened."""
        done: list[bytes] = []
        try:
            self._change(lines, done)
        except StrongroomError as error:
            if not error.detail:
                column = "" if self._column is None else f", column {self._names[self._column]}"
                error.detail = f"row {self._before + len(done) + 1} of COPY{column}"
            raise
        self._before += len(lines)
        return done

    def _change(self, lines: list[bytes], done: list[bytes]) -> None:
        if self._header:
            self._header = False
            done.append(lines[0])
            lines = lines[1:]
        form, work, width = self._form, self._work, len(self._names)
        delimiter = form.delimiter
        careful = form.split if form.needs_care(lines) else None
        for line in lines:
            fields = careful(line) if careful else line.split(delimiter)
            if len(fields) != width:
                raise self._wrong_width(len(fields))
            if self._tenant is not None:
                self._tenant.value = form.value(self._tenant.place, fields[self._tenant.place])
            for place, null, function in work:
                field = fields[place]
                if field != null:
                    self._column = place
                    fields[place] = function(field)
            done.append(delimiter.join(fields))

    def _wrong_width(self, found: int) -> StrongroomError:
        width = len(self._names)
        self._column = None if found > width else found
        what = "extra data after last expected column" if found > width else "missing data for a column"
        return self.malformed(what, hint=WIDTH_HINT)


class SealedRows(LineRows):
    """The rows of COPY FROM: line ends of three kinds, and an end-of-data marker."""

    malformed = MalformedCopy
    _ended = False

    def __init__(
        self,
        copy: Copy,
        form: LineFormat,
        functions: Mapping[int, FieldFunction],
        cutter: LineCutter,
        kernel: KernelLines | None = None,
        *,
        tenant: RowTenant | None = None,
    ) -> None:
        super().__init__(copy, form, functions, cutter)
        self._kernel = kernel
        self._tenant = tenant

    def feed(self, chunk: bytes) -> bytes:
        """What follows the marker is dropped, as PostgreSQL does."""
        return b"" if self._ended else super().feed(chunk)

    def _block(self, block: bytes) -> bytes:
        end = self._cutter.end
        if self._kernel is None or self._header or end is None or end == b"\r":
            return super()._block(block)
        try:
            out, rows = self._kernel.seal(block, end)
        except (Refused, StrongroomError):  # the long way finds it too, and says where
            return super()._block(block)
        self._before += rows
        return out

    def finish(self) -> bytes:
        """The last row, where its line did not end."""
        rest = self._cutter.finish()
        if self._ended or rest is None:
            return b""
        if self._header:
            return rest.line
        if rest.state != OUTSIDE and not self._form.ends_anywhere:
            raise MalformedCopy("unterminated CSV quoted field", hint=BREAK_HINT)
        return self._written([rest.line]) if rest.ended else self._last(rest.line)

    def _last(self, line: bytes) -> bytes:
        self._refuse_breaks(line)
        if self._is_marker(line):
            return line
        return self._changed([line])[0]

    def _written(self, lines: list[bytes]) -> bytes:
        end = self._cutter.end
        assert end is not None
        marker = next((place for place, line in enumerate(lines) if self._is_marker(line)), None)
        if marker is not None:
            self._ended = True
            del lines[marker:]
        written = super()._written(self._bare(lines, end)) if lines else b""
        return written + (END_MARKER + end if self._ended else b"")

    def _is_marker(self, line: bytes) -> bool:
        """PostgreSQL 18 takes ``\\.`` in csv as data; a row of several columns is then refused by it."""
        if line[:2] != END_MARKER or line.removesuffix(b"\r") != END_MARKER:
            return False
        if not self._form.ends_anywhere and len(self._names) == 1:
            raise MalformedCopy("a row is the end-of-data marker of older clients", hint="write it in quotes")
        return True

    def _bare(self, lines: list[bytes], end: bytes) -> list[bytes]:
        r"""The lines without the ``\r`` of ``\r\n``; raises for line breaks that PostgreSQL does not take."""
        if end == b"\r\n":
            if not all(self._ends_in_carriage_return(line) for line in lines):
                raise MalformedCopy("a line of COPY ends unlike the first one", hint=BREAK_HINT)
            lines = [line[:-1] for line in lines]
        for line in lines:
            if b"\r" in line or b"\n" in line:
                self._refuse_breaks(line)
        return lines

    def _ends_in_carriage_return(self, line: bytes) -> bool:
        r"""And that one is no data: in text a backslash before it would make it so."""
        if line[-2:] == b"\\\r":
            line = self._form.without_data_breaks(line)
        return line.endswith(b"\r")

    def _refuse_breaks(self, line: bytes) -> None:
        bare = self._form.without_data_breaks(line)
        if b"\r" in bare or b"\n" in bare:
            raise MalformedCopy("a line break that is not data stands within a row of COPY", hint=BREAK_HINT)


class OpenedRows(LineRows):
    """The rows of COPY TO, as the server writes them."""

    malformed = UpstreamCopyMalformed

    def finish(self) -> bytes:
        """Nothing: each row of the server ends."""
        if self._cutter.finish() is not None:
            raise UpstreamCopyMalformed("the last row of COPY is not whole", hint="read it again")
        return b""
