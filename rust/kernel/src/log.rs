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

/// The entry of a record, and its line in the file of contents: salt, blank, content and newline.
#[must_use]
pub fn commit(salt: &[u8], content: &[u8]) -> ([u8; 1 + HASH], Vec<u8>) {
    let mut entry = [VERSION; 1 + HASH];
    entry[1..].copy_from_slice(&hash(&[salt, content]));
    let mut line = vec![0; salt.len().div_ceil(3) * 4];
    let encoded = STANDARD.encode_slice(salt, &mut line).unwrap_or_default();
    line.truncate(encoded);
    line.reserve_exact(content.len() + 2);
    line.push(b' ');
    line.extend_from_slice(content);
    line.push(b'\n');
    (entry, line)
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
        let (entry, line) = commit(&[7; 32], b"{}");
        assert_eq!(entry[0], VERSION);
        assert_eq!(entry[1..], *Sha256::digest([&[7u8; 32][..], b"{}"].concat()));
        assert_eq!(line, b"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc= {}\n");
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
