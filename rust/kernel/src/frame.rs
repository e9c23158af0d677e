//! Where messages begin and end (manual, "Message Formats"): a type byte, then an Int32 that counts itself
//! and the body.

use crate::be32;

const HEADER: usize = 5;
const SMALLEST_LENGTH: usize = 4;

/// `data[start..end]` is a message of type `tag`, or a run of such messages.
pub type Span = (u8, usize, usize);

/// The whole messages from `start` on, and where the rest begins: at a message that is cut off, or whose
/// length cannot be. Messages that follow each other and are of the same type, one of `runs`, are one span.
#[must_use]
pub fn cut(data: &[u8], start: usize, limit: usize, runs: &[u8]) -> (Vec<Span>, usize) {
    let mut spans: Vec<Span> = Vec::with_capacity(8);
    let mut at = start;
    while let Some((tag, after)) = next(data, at, limit) {
        match spans.last_mut() {
            Some(last) if last.0 == tag && runs.contains(&tag) => last.2 = after,
            _ => spans.push((tag, at, after)),
        }
        at = after;
    }
    (spans, at)
}

/// The type of the message at `at` and where it ends, if all of it is there.
pub(crate) fn next(data: &[u8], at: usize, limit: usize) -> Option<(u8, usize)> {
    let length = be32(data, at.checked_add(1)?)? as usize;
    if !(SMALLEST_LENGTH..=limit).contains(&length) {
        return None;
    }
    let after = at.checked_add(1)?.checked_add(length)?;
    (after <= data.len()).then(|| (data[at], after))
}

/// The body of the message of type `tag` at `at`, and where it ends.
pub(crate) fn expect(data: &[u8], at: usize, tag: u8) -> Option<(&[u8], usize)> {
    let (found, after) = next(data, at, data.len())?;
    (found == tag).then(|| (&data[at + HEADER..after], after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_one_span_and_the_rest_is_told() {
        let data = b"D\0\0\0\x05aD\0\0\0\x05bZ\0\0\0\x05ID\0\0";
        assert_eq!(cut(data, 0, 100, b"D"), (vec![(b'D', 0, 12), (b'Z', 12, 18)], 18));
        assert_eq!(cut(data, 0, 100, b"").0.len(), 3);
    }

    #[test]
    fn a_length_that_cannot_be_stops_the_cut() {
        for bad in [0u32, 3, 101, u32::MAX] {
            let mut data = b"Z\0\0\0\x05ID".to_vec();
            data.extend(bad.to_be_bytes());
            data.extend([0; 200]);
            assert_eq!(cut(&data, 0, 100, b"D"), (vec![(b'Z', 0, 6)], 6));
        }
    }
}
