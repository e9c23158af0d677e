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
    Tuples,
    cut,
    plain_answers,
    plain_reply,
    plain_round,
    split_bind,
)

__all__ = [
    "Answer", "Lines", "Mask", "Opener", "Refused", "Rows", "Sealer", "Series", "Tuples",
    "cut", "plain_answers", "plain_reply", "plain_round", "split_bind",
]  # fmt: skip
