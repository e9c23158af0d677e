"""What the tests of COPY share: columns without meaning, and sealing that anyone can undo."""

from collections.abc import Callable, Iterable, Iterator

from strongroom.protect.forms.form import utf8
from strongroom.sql.statement import Copy, CopyColumn

MARK = b"\x01sealed:"


def copy_of(*names: str, **options: object) -> Copy:
    """COPY of text columns; csv gets csv's defaults."""
    columns = tuple(CopyColumn(name, None, 25, -1) for name in names)
    if options.get("format") == "csv":
        options = {"delimiter": ",", "null": "", **options}
        options.setdefault("escape", options.get("quote", '"'))
    return Copy(columns, **options)  # type: ignore[arg-type]  # options by name


def seal(value: bytes) -> bytes:
    """Sealing without a key; like the real one it takes valid text only."""
    utf8(value)
    return MARK + bytes(byte ^ 0xAA for byte in value)


def open_sealed(sealed: bytes) -> bytes:
    """Undoes ``seal``."""
    assert sealed.startswith(MARK)
    return bytes(byte ^ 0xAA for byte in sealed[len(MARK) :])


def hex_of(value: bytes) -> bytes:
    r"""A sealed value as bytea in hex, without escapes: ``\x...``."""
    return b"\\x" + seal(value).hex().encode()


def through(feed: Callable[[bytes], bytes], chunks: Iterable[bytes], finish: Callable[[], bytes]) -> bytes:
    """A whole stream."""
    return b"".join(feed(chunk) for chunk in chunks) + finish()


def cut(stream: bytes, size: int) -> Iterator[bytes]:
    """A stream in chunks of one size."""
    return (stream[place : place + size] for place in range(0, len(stream), size))
