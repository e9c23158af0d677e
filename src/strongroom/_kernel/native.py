"""The Rust twin, from the distribution strongroom-kernel (rust/kernel-py); `native.pyi` has its types."""

from strongroom_kernel import Answer, Opener, Refused, Rows, cut, plain_reply, plain_round, split_bind

__all__ = ["Answer", "Opener", "Refused", "Rows", "cut", "plain_reply", "plain_round", "split_bind"]
