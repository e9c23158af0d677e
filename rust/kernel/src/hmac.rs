//! HMAC-SHA-256 (RFC 2104) for many short values under one key.
//!
//! It is put together here around RustCrypto's compression function: the two blocks that depend on the key are
//! done once, and a value takes no copy that would be wiped octet by octet, which costs ten times what all the rest
//! does. RustCrypto's own `hmac` is what the tests hold it against.

use sha2::block_api::compress256;
use zeroize::Zeroize;

pub const KEY: usize = 32;
pub const DIGEST: usize = 32;
const BLOCK: usize = 64;
const INNER: u8 = 0x36;
const OUTER: u8 = 0x5c;

/// The initial hash value (FIPS 180-4, section 5.3.3).
const INITIAL: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// The states of both hashes after the block with the key. They are wiped when it is dropped.
pub struct Hmac {
    inner: [u32; 8],
    outer: [u32; 8],
}

impl Hmac {
    #[must_use]
    pub fn new(key: &[u8; KEY]) -> Self {
        Self { inner: keyed(key, INNER), outer: keyed(key, OUTER) }
    }

    #[must_use]
    pub fn digest(&self, value: &[u8]) -> [u8; DIGEST] {
        let inner = finished(self.inner, value);
        finished(self.outer, &inner)
    }
}

impl Drop for Hmac {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

fn keyed(key: &[u8; KEY], pad: u8) -> [u32; 8] {
    let mut block = [pad; BLOCK];
    for (octet, of_key) in block.iter_mut().zip(key) {
        *octet ^= of_key;
    }
    let mut state = INITIAL;
    compress256(&mut state, &[block]);
    block.zeroize();
    state
}

/// The hash of one block, which the state has seen, and the text: a 1, zeros, and the length in bits at the end
/// of a block (FIPS 180-4, section 5.1.1).
fn finished(mut state: [u32; 8], text: &[u8]) -> [u8; DIGEST] {
    let (whole, rest) = text.as_chunks::<BLOCK>();
    compress256(&mut state, whole);
    let mut tail = [[0; BLOCK]; 2];
    let tail = if rest.len() < BLOCK - 8 { &mut tail[..1] } else { &mut tail[..] };
    tail[0][..rest.len()].copy_from_slice(rest);
    tail[0][rest.len()] = 0x80;
    let bits = (BLOCK + text.len()) as u64 * 8;
    let last = tail.len() - 1;
    tail[last][BLOCK - 8..].copy_from_slice(&bits.to_be_bytes());
    compress256(&mut state, tail);
    let mut digest = [0; DIGEST];
    for (octets, word) in digest.chunks_exact_mut(4).zip(state) {
        octets.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use hmac::{KeyInit, Mac};
    use sha2::Sha256;

    #[test]
    fn it_is_rustcryptos() {
        let text: Vec<u8> = (0..300u16).map(|n| n.to_be_bytes()[1]).collect();
        for octet in [0, 0x36, 0xff] {
            let key = [octet; KEY];
            for end in 0..text.len() {
                let mut expected = hmac::Hmac::<Sha256>::new_from_slice(&key).unwrap();
                expected.update(&text[..end]);
                assert_eq!(
                    Hmac::new(&key).digest(&text[..end]),
                    <[u8; DIGEST]>::from(expected.finalize().into_bytes())
                );
            }
        }
    }
}
