//! AES-256-SIV with one associated string (RFC 5297), for many short values under one context.
//!
//! It is put together here from RustCrypto's AES, because what is the same for each value of a column can then
//! be done once: the key schedule of CTR, the subkeys of CMAC, and the part of S2V that hashes the context.
//! RustCrypto's own `aes-siv`, which does all of it again for each value, and its `cmac` are what the tests hold
//! it against.

use aes::Aes256;
use aes::cipher::{Block, BlockCipherEncrypt, KeyInit};
use ctutils::CtEq;
use zeroize::Zeroize;

use crate::Refusal;
use crate::ctr::{BLOCK, apply_keystream, xor};

/// The synthetic IV, which is also the tag.
pub type Tag = Block<Aes256>;

/// One key and one context. What is derived from the key is wiped when it is dropped.
pub struct Siv {
    mac: Cmac,
    keystream: Aes256,
    context: Tag,
}

impl Siv {
    /// K1, for S2V, is the first half of the 64 octets, K2, for CTR, the second (section 2.6); None for
    /// another number of octets.
    #[must_use]
    pub fn new(key: &[u8], associated: &[u8]) -> Option<Self> {
        let (k1, k2) = key.split_at_checked(key.len() / 2)?;
        let mac = Cmac::new(Aes256::new_from_slice(k1).ok()?);
        let keystream = Aes256::new_from_slice(k2).ok()?;
        let mut context = dbl(&mac.of(&[], &[0; BLOCK]));
        xor(&mut context, &mac.of(&[], associated));
        Some(Self { mac, keystream, context })
    }

    /// Encrypts in place and gives the tag (section 2.6).
    #[must_use]
    pub fn seal(&self, text: &mut [u8]) -> Tag {
        let tag = self.s2v(text);
        self.apply_keystream(tag, text);
        tag
    }

    /// Decrypts in place; a text whose tag is another is wiped (section 2.7).
    pub fn open(&self, tag: &Tag, text: &mut [u8]) -> Result<(), Refusal> {
        self.apply_keystream(*tag, text);
        if self.s2v(text).as_slice().ct_eq(tag.as_slice()).into() {
            return Ok(());
        }
        text.zeroize();
        Err(Refusal::Value)
    }

    /// S2V of the context, which is hashed already, and the text (section 2.4).
    fn s2v(&self, text: &[u8]) -> Tag {
        let Some(start) = text.len().checked_sub(BLOCK) else {
            let mut last = dbl(&self.context);
            xor(&mut last, text);
            last[text.len()] ^= 0x80;
            return self.mac.of(&[], &last);
        };
        let mut last = self.context;
        xor(&mut last, &text[start..]);
        self.mac.of(&text[..start], &last)
    }

    /// CTR from the tag on, with the top bits of its last two words cleared (section 2.5).
    fn apply_keystream(&self, mut tag: Tag, text: &mut [u8]) {
        tag[8] &= 0x7f;
        tag[12] &= 0x7f;
        let first = u128::from_be_bytes(tag.into());
        let counter = |number| first.wrapping_add(number as u128).to_be_bytes().into();
        apply_keystream(&self.keystream, counter, text);
    }
}

impl Drop for Siv {
    fn drop(&mut self) {
        self.context.zeroize();
    }
}

/// AES-CMAC (RFC 4493, NIST SP 800-38B): the cipher, and the subkeys for a last block that is whole or not.
struct Cmac {
    aes: Aes256,
    whole: Tag,
    filled: Tag,
}

impl Cmac {
    fn new(aes: Aes256) -> Self {
        let mut zero = Tag::default();
        aes.encrypt_block(&mut zero);
        let whole = dbl(&zero);
        Self { aes, whole, filled: dbl(&whole) }
    }

    /// The MAC of two parts in a row.
    fn of(&self, head: &[u8], tail: &[u8]) -> Tag {
        let (mut state, mut there) = (Tag::default(), 0);
        for part in [head, tail] {
            let mut rest = part;
            while !rest.is_empty() {
                if there == BLOCK {
                    self.aes.encrypt_block(&mut state);
                    there = 0;
                }
                let (now, later) = rest.split_at(rest.len().min(BLOCK - there));
                xor(&mut state[there..], now);
                there += now.len();
                rest = later;
            }
        }
        if there == BLOCK {
            xor(&mut state, &self.whole);
        } else {
            state[there] ^= 0x80;
            xor(&mut state, &self.filled);
        }
        self.aes.encrypt_block(&mut state);
        state
    }
}

impl Drop for Cmac {
    fn drop(&mut self) {
        self.whole.zeroize();
        self.filled.zeroize();
    }
}

/// Doubles in GF(2^128) (RFC 5297, section 2.3), in a time that does not tell what.
fn dbl(block: &Tag) -> Tag {
    let number = u128::from_be_bytes((*block).into());
    ((number << 1) ^ ((number >> 127) * 0x87)).to_be_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use aes_siv::siv::Aes256Siv;
    use cmac::Mac;

    const KEY: &[u8; 64] = b"one half is for the MAC.........and the other is for the stream.";

    #[test]
    fn it_gives_what_another_implementation_gives() {
        let long: Vec<u8> = (0..=255).cycle().take(1100).collect();
        for associated in [0, 1, 15, 16, 17, 75] {
            let siv = Siv::new(KEY, &long[..associated]).unwrap();
            let mut other = Aes256Siv::new_from_slice(KEY).unwrap();
            for length in (0..70).chain([1024, 1100]) {
                let (mut ours, mut theirs) = (long[..length].to_vec(), long[..length].to_vec());
                let tag = siv.seal(&mut ours);
                let header = [&long[..associated]];
                let wanted = other
                    .encrypt_inout_detached(header, aes_siv::aead::inout::InOutBuf::from(&mut theirs[..]))
                    .unwrap();
                assert_eq!((tag.as_slice(), &ours), (wanted.as_slice(), &theirs));
                assert_eq!(siv.open(&tag, &mut ours), Ok(()));
                assert_eq!(ours, long[..length]);
            }
        }
    }

    #[test]
    fn what_does_not_open_is_wiped() {
        let siv = Siv::new(KEY, b"context").unwrap();
        let mut text = b"a value".to_vec();
        let mut tag = siv.seal(&mut text);
        tag[3] ^= 1;
        assert_eq!(siv.open(&tag, &mut text), Err(Refusal::Value));
        assert_eq!(text, [0; 7]);
    }

    #[test]
    fn a_key_of_another_size_is_none() {
        for size in [0, 16, 32, 63, 65, 128] {
            assert!(Siv::new(&vec![0; size], b"").is_none());
        }
    }

    #[test]
    fn the_mac_is_another_implementations() {
        let long: Vec<u8> = (0..=255).collect();
        let mac = Cmac::new(Aes256::new_from_slice(&KEY[..32]).unwrap());
        for length in 0..70 {
            for middle in 0..=length {
                let other = <cmac::Cmac<Aes256> as KeyInit>::new_from_slice(&KEY[..32]).unwrap();
                let wanted = other.chain_update(&long[..length]).finalize().into_bytes();
                assert_eq!(mac.of(&long[..middle], &long[middle..length]), wanted);
            }
        }
    }
}
