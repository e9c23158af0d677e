//! The answer to an ordinary round (`round`) of a statement whose description is known: what stands around
//! the rows.

use crate::frame::expect;

/// BindComplete, which such an answer begins with.
pub const BOUND: &[u8] = b"2\0\0\0\x04";

/// Where the rows stand in an answer, and the transaction status at its end.
pub type Answer = (std::ops::Range<usize>, u8);

/// The answer that the chunk is, if it is exactly one: BindComplete, `described` (NoData, or one
/// RowDescription, or nothing), rows, CommandComplete or EmptyQueryResponse, ReadyForQuery.
#[must_use]
pub fn answer(chunk: &[u8], described: &[u8]) -> Option<Answer> {
    let rest = chunk.strip_prefix(BOUND)?.strip_prefix(described)?;
    let from = chunk.len() - rest.len();
    let mut to = from;
    while let Some((_, after)) = expect(chunk, to, b'D') {
        to = after;
    }
    let (_, at) = expect(chunk, to, b'C').or_else(|| expect(chunk, to, b'I'))?;
    match expect(chunk, at, b'Z')? {
        (&[status @ (b'I' | b'T' | b'E')], after) if after == chunk.len() => Some((from..to, status)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_apart() {
        let whole = b"2\0\0\0\x04n\0\0\0\x04D\0\0\0\x06\0\0C\0\0\0\x06X\0Z\0\0\0\x05T";
        assert_eq!(answer(whole, b"n\0\0\0\x04"), Some((10..17, b'T')));
        assert_eq!(answer(whole, b"n\0\0\0\x05"), None);
        assert_eq!(answer(whole, b""), None);
        for end in 0..whole.len() {
            assert_eq!(answer(&whole[..end], b"n\0\0\0\x04"), None);
        }
    }
}
