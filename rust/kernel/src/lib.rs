//! The byte loops of Strongroom that must be fast: where messages begin and end, whether a chunk is an
//! ordinary round of the extended protocol, the values in rows, opened, and those in COPY, sealed, and what the
//! audit log hashes.
//!
//! What each function means is written down in its readable twin, `src/strongroom/_kernel/python.py`; both
//! run under the same tests. A chunk that is not what it should be is refused whole (`Refusal`), and Python
//! says what is wrong with it. Called by `kernel-py` alone.
#![forbid(unsafe_code)]

mod answer;
mod bind;
mod copy;
mod ctr;
mod form;
mod frame;
mod gcm;
mod hmac;
mod input;
mod log;
mod mask;
mod opener;
mod round;
mod rows;
mod sealer;
mod series;
mod siv;

pub use answer::{Answer, BOUND, answer};
pub use bind::{BindFields, split_bind};
pub use copy::{Columns, Seal, Sealed, Syntax, seal_tuples};
pub use form::Form;
pub use frame::{Span, cut};
pub use log::{
    Filling, Hash, Round as Answered, Template, commit, cut_records, leaf_hash, node_hash, pack_entry,
    rows_at_end,
};
pub use mask::{Given, Mask};
pub use opener::{Algorithm, Opener};
pub use round::{Round, plain_reply, plain_round};
pub use rows::{Column, open_rows};
pub use sealer::{Nonces, Sealer};
pub use series::{Bound, Series, Taken, plain_answers};

/// What was refused. Python, which has the words, tells the user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The bytes are not framed as described.
    Framing,
    /// A value does not open, or holds no value of its type.
    Value,
}

/// Reads a big-endian number at a place that may lie outside.
pub(crate) fn be32(data: &[u8], at: usize) -> Option<u32> {
    let bytes = data.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?))
}

pub(crate) fn be16(data: &[u8], at: usize) -> Option<u16> {
    let bytes = data.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}
