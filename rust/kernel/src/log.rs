//! The audit log's hashes, and the octets of its records: what each record pays for.
//!
//! Trees are those of RFC 6962, section 2.1; an entry is a commitment as `audit/leaf.py` says.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

pub const HASH: usize = 32;
/// Of a number in JSON that every reader has exactly (RFC 8259, section 6).
const GREATEST: u64 = (1 << 53) - 1;
const VERSION: u8 = 1;
const LEAF: [u8; 1] = [0];
const NODE: [u8; 1] = [1];

pub type Hash = [u8; HASH];

/// The entry of a record, and its line in the file of contents: salt, blank, content and newline. None for a content
/// of more than `most` octets, or of two lines.
#[must_use]
pub fn commit(salt: &[u8], content: &[u8], most: usize) -> Option<([u8; 1 + HASH], Vec<u8>)> {
    if content.len() > most || content.contains(&b'\n') {
        return None;
    }
    let mut entry = [VERSION; 1 + HASH];
    entry[1..].copy_from_slice(&hash(&[salt, content]));
    let mut line = vec![0; salt.len().div_ceil(3) * 4];
    let encoded = STANDARD.encode_slice(salt, &mut line).unwrap_or_default();
    line.truncate(encoded);
    line.reserve_exact(content.len() + 2);
    line.push(b' ');
    line.extend_from_slice(content);
    line.push(b'\n');
    Some((entry, line))
}

/// An entry behind its length, as a bundle has it; false where its length cannot say so much.
#[must_use]
pub fn pack_entry(entry: &[u8], packed: &mut Vec<u8>) -> bool {
    let Ok(length) = u16::try_from(entry.len()) else { return false };
    packed.extend_from_slice(&length.to_be_bytes());
    packed.extend_from_slice(entry);
    true
}

#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    hash(&[&LEAF, entry])
}

#[must_use]
pub fn node_hash(left: &[u8], right: &[u8]) -> Hash {
    hash(&[&NODE, left, right])
}

fn hash(parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

const LENGTH: usize = 4;
/// Of a length: somebody waits for this record.
const URGENT: u32 = 1 << 31;

/// The records in `data` that are whole, each behind its length, and where the rest begins; and whether somebody
/// waits for one of them.
#[must_use]
pub fn cut_records(data: &[u8]) -> (Vec<&[u8]>, usize, bool) {
    let (mut records, mut at, mut urgent) = (Vec::new(), 0, false);
    while let Some(length) = crate::be32(data, at) {
        let start = at + LENGTH;
        let Some(record) = data.get(start..start + (length & !URGENT) as usize) else { break };
        records.push(record);
        urgent |= length & URGENT != 0;
        at = start + record.len();
    }
    (records, at, urgent)
}

/// An ordinary round that was answered: its statement's number in its session, the end of its answer, and in seconds
/// when that came and when the round was sent.
pub struct Round<'a> {
    pub number: u64,
    pub tail: &'a [u8],
    pub at: f64,
    pub begun: f64,
}

const MILLISECONDS: f64 = 1000.0;
const SUCCESSFUL: &[u8] = b"\"00000\"";
const SUCCESS: u64 = 1;
/// Octets of a ReadyForQuery, and of a message's type and length (manual, "Message Formats").
const READY: usize = 6;
const HEADER: usize = 5;

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clocks of this age are in range
fn whole(milliseconds: f64) -> u64 {
    milliseconds as u64
}

/// The rows of the CommandComplete before the ReadyForQuery that ends a chunk. It is the last message that begins so:
/// neither tags nor ReadyForQuery have three zeros behind a C.
#[must_use]
pub fn rows_at_end(chunk: &[u8]) -> u64 {
    let before = &chunk[..chunk.len().saturating_sub(READY)];
    let found = before.windows(4).rposition(|window| window == b"C\0\0\0");
    let tag = found.and_then(|at| before.get(at + HEADER..before.len().saturating_sub(1)));
    tag.map_or(0, rows_of)
}

fn rows_of(tag: &[u8]) -> u64 {
    let mut words = tag.split(|octet| *octet == b' ');
    let (first, last) = (words.next().unwrap_or_default(), words.next_back().unwrap_or_default());
    let with_rows: [&[u8]; 7] = [b"SELECT", b"INSERT", b"UPDATE", b"DELETE", b"MERGE", b"FETCH", b"COPY"];
    if !with_rows.contains(&first) || last.is_empty() || !last.iter().all(u8::is_ascii_digit) {
        return 0;
    }
    if last.len() >= DIGITS {
        GREATEST
    } else {
        last.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'))
    }
}

/// Of `GREATEST`.
const DIGITS: usize = 16;

/// What stands in a hole: a number, or octets that are JSON already.
pub enum Filling<'a> {
    Number(u64),
    Ready(&'a [u8]),
}

/// A record with holes, between pieces that stay.
pub struct Template {
    octets: Vec<u8>,
    /// Where in `octets` the holes are, in order.
    holes: Vec<usize>,
}

impl Template {
    /// There is a hole between two pieces each.
    #[must_use]
    pub fn new(pieces: &[&[u8]]) -> Self {
        let octets = pieces.concat();
        let ends = pieces.iter().scan(0, |end, piece| {
            *end += piece.len();
            Some(*end)
        });
        let holes = ends.take(pieces.len().saturating_sub(1)).collect();
        Self { octets, holes }
    }

    /// The record of each round, numbered from `sequence` on, and the rows of all of them. `ahead` is how many
    /// milliseconds the wall's clock is ahead of the rounds'; each row has `each` values. None as from `fill`.
    #[must_use]
    pub fn answers(
        &self,
        rounds: &[Round],
        sequence: u64,
        ahead: f64,
        each: u64,
    ) -> Option<(Vec<Vec<u8>>, u64)> {
        let (mut records, mut total) = (Vec::with_capacity(rounds.len()), 0u64);
        for (round, sequence) in rounds.iter().zip(sequence..) {
            let rows = rows_at_end(round.tail);
            total = total.checked_add(rows)?;
            records.push(self.fill(&[
                Filling::Number(whole((round.at - round.begun).max(0.0) * MILLISECONDS)),
                Filling::Number(sequence),
                Filling::Ready(SUCCESSFUL),
                Filling::Number(SUCCESS),
                Filling::Number(whole(round.at * MILLISECONDS + ahead)),
                Filling::Number(rows),
                Filling::Number(round.number),
                Filling::Number(rows.checked_mul(each)?),
            ])?);
        }
        Some((records, total))
    }

    /// None where there are more fillings than holes, or fewer, or a number is too large.
    #[must_use]
    pub fn fill(&self, fillings: &[Filling]) -> Option<Vec<u8>> {
        if fillings.len() != self.holes.len() {
            return None;
        }
        let mut filled = Vec::with_capacity(self.octets.len() + 16 * fillings.len());
        let mut from = 0;
        for (&hole, filling) in self.holes.iter().zip(fillings) {
            filled.extend_from_slice(&self.octets[from..hole]);
            from = hole;
            match filling {
                Filling::Number(number) if *number > GREATEST => return None,
                Filling::Number(number) => {
                    filled.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes());
                }
                Filling::Ready(octets) => filled.extend_from_slice(octets),
            }
        }
        filled.extend_from_slice(&self.octets[from..]);
        Some(filled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commitment_is_over_salt_and_content() {
        let (entry, line) = commit(&[7; 32], b"{}", 2).unwrap();
        assert_eq!(commit(&[7; 32], b"{}", 1), None);
        assert_eq!(commit(&[7; 32], b"\n", 2), None);
        assert_eq!(entry[0], VERSION);
        assert_eq!(entry[1..], *Sha256::digest([&[7u8; 32][..], b"{}"].concat()));
        assert_eq!(line, b"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc= {}\n");
    }

    #[test]
    fn rows_are_counted() {
        let answer = |tag: &str| [b"C\0\0\0\x0f", tag.as_bytes(), b"\0Z\0\0\0\x05I"].concat();
        for (tag, rows) in
            [("SELECT 17", 17), ("INSERT 0 3", 3), ("MOVE 9", 0), ("BEGIN", 0), ("SELECT x", 0)]
        {
            assert_eq!(rows_at_end(&answer(tag)), rows, "{tag}");
        }
        assert_eq!(rows_at_end(&answer("COPY 9999999999999999")), GREATEST);
        assert_eq!(rows_at_end(b""), 0);
        assert_eq!(rows_at_end(b"Z\0\0\0\x05I"), 0);
    }

    #[test]
    fn records_are_cut() {
        let data = b"\0\0\0\x02ab\x80\0\0\x01c\0\0\0\x09de";
        assert_eq!(cut_records(data), (vec![&b"ab"[..], &b"c"[..]], 11, true));
        assert_eq!(cut_records(&data[..10]), (vec![&b"ab"[..]], 6, false));
        assert_eq!(cut_records(b"\xff\xff\xff\xff"), (vec![], 0, false));
    }

    #[test]
    fn holes_are_filled_in_order() {
        let template = Template::new(&[b"{\"a\":", b",\"b\":", b"}"]);
        let filled = template.fill(&[Filling::Number(17), Filling::Ready(b"[]")]);
        assert_eq!(filled.as_deref(), Some(&b"{\"a\":17,\"b\":[]}"[..]));
        assert_eq!(template.fill(&[Filling::Number(17)]), None);
        assert_eq!(template.fill(&[Filling::Number(GREATEST + 1), Filling::Number(0)]), None);
        assert_eq!(Template::new(&[b"x"]).fill(&[]).as_deref(), Some(&b"x"[..]));
    }
}
