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
    hash_leaves,
    hash_nodes,
    plain_answers,
    plain_reply,
    plain_round,
    split_bind,
)

__all__ = [
    "Answer", "Lines", "Mask", "Opener", "Refused", "Rows", "Sealer", "Series", "Template", "Tuples",
    "commit_records", "cut", "hash_leaves", "hash_nodes", "plain_answers", "plain_reply", "plain_round",
    "split_bind",
]  # fmt: skip
