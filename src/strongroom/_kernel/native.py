"""The Rust twin, from the distribution strongroom-kernel (rust/kernel-py); `native.pyi` has its types."""

from strongroom_kernel import (
    Answer,
    Lines,
    Mask,
    Opener,
    Refused,
    Rows,
    Sealer,
    Series,
    Template,
    Tuples,
    commit_records,
    cut,
    cut_records,
    hash_leaves,
    hash_nodes,
    pack_entries,
    plain_answers,
    plain_reply,
    plain_round,
    rows_at_end,
    split_bind,
)

__all__ = [
    "Answer", "Lines", "Mask", "Opener", "Refused", "Rows", "Sealer", "Series", "Template", "Tuples",
    "commit_records", "cut", "cut_records", "hash_leaves", "hash_nodes", "pack_entries",
    "plain_answers", "plain_reply", "plain_round", "rows_at_end", "split_bind",
]  # fmt: skip
