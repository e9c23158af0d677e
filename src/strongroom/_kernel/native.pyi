from collections.abc import Callable, Sequence
from typing import final

__all__ = [
    "Answer", "Lines", "Mask", "Opener", "Refused", "Rows", "Sealer", "Series", "Template", "Tuples",
    "commit_records", "cut", "cut_records", "hash_leaves", "hash_nodes", "pack_entries",
    "plain_answers", "plain_reply", "plain_round", "rows_at_end", "split_bind",
]  # fmt: skip

class Refused(Exception): ...

@final
class Mask:
    def __new__(
        cls, kind: str, *, text: bytes = b"", shown: int = 0, limit: int = 0, key: bytes = b""
    ) -> Mask: ...
    @property
    def reads(self) -> bool: ...
    def __call__(self, value: bytes) -> bytes | None: ...

@final
class Opener:
    def __new__(
        cls,
        algorithm: str,
        keys: Sequence[tuple[bytes, bytes, bytes]],
        *,
        form: str,
        is_text: bool,
        is_hexed: bool,
        pad: int = 0,
        mask: Mask | None = None,
    ) -> Opener: ...
    def __call__(self, value: bytes) -> bytes | None: ...

@final
class Rows:
    def __new__(cls, columns: Sequence[Callable[[bytes], bytes | None] | None]) -> Rows: ...
    def open(self, chunk: bytes) -> bytes: ...

@final
class Answer:
    def __new__(cls, rows: Rows | None, described: bytes, shown: bytes) -> Answer: ...
    def open(self, chunk: bytes) -> tuple[int, bytes] | None: ...

@final
class Sealer:
    def __new__(
        cls,
        algorithm: str,
        key: tuple[bytes, bytes],
        associated: bytes,
        *,
        form: str,
        is_text: bool,
        limit: int = 0,
        pad: int = 0,
    ) -> Sealer: ...
    def __call__(self, value: bytes) -> bytes: ...

@final
class Lines:
    def __new__(
        cls,
        columns: Sequence[Callable[[bytes], bytes] | None],
        *,
        delimiter: bytes,
        null: bytes,
        quote: bytes,
    ) -> Lines: ...
    def seal(self, block: bytes, end: bytes) -> tuple[bytes, int, list[int]]: ...

@final
class Tuples:
    def __new__(cls, columns: Sequence[Callable[[bytes], bytes] | None]) -> Tuples: ...
    def seal(self, data: bytes, start: int) -> tuple[bytes, int, int, list[int]]: ...

@final
class Series:
    def __new__(
        cls,
        client: tuple[bytes, bytes],
        upstream: tuple[bytes, bytes],
        *,
        after: bytes,
        count: int,
        columns: Sequence[tuple[int, Callable[[bytes], bytes] | None]],
    ) -> Series: ...
    def seal(self, data: bytes, start: int) -> tuple[bytes, int, int, list[int]]: ...

@final
class Template:
    def __new__(cls, pieces: Sequence[bytes]) -> Template: ...
    def answers(
        self, rounds: list[tuple[int, bytes, float, float]], sequence: int, ahead: float, each: int
    ) -> tuple[list[bytes], int]: ...
    def fill(self, fillings: tuple[int | bytes, ...]) -> bytes: ...

def commit_records(contents: list[bytes], salts: bytes, most: int) -> tuple[list[bytes], list[bytes]]: ...
def cut_records(data: bytes) -> tuple[list[bytes], int, bool]: ...
def hash_leaves(entries: list[bytes]) -> list[bytes]: ...
def hash_nodes(nodes: list[bytes]) -> list[bytes]: ...
def pack_entries(entries: list[bytes]) -> bytes: ...
def rows_at_end(chunk: bytes) -> int: ...
def plain_answers(data: bytes, start: int, described: bool, most: int) -> tuple[int, int]: ...
def cut(data: bytes, start: int, limit: int, runs: bytes) -> tuple[list[tuple[int, int, int]], int]: ...
def plain_round(chunk: bytes) -> tuple[bytes, bool] | None: ...
def plain_reply(chunk: bytes, described: bool) -> int: ...
def split_bind(
    body: bytes,
) -> tuple[bytes, bytes, tuple[int, ...], tuple[bytes | None, ...], tuple[int, ...]] | None: ...
