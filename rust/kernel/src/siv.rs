//! AES-256-SIV with one associated string (RFC 5297), for many short values under one context.
//!
//! It is put together here from RustCrypto's AES, CMAC and CTR, because what is the same for each value of a
//! column can then be done once: the key schedule of CTR, and the part of S2V that hashes the context.
//! RustCrypto's own `aes-siv`, which does both again for each value, is what the tests hold it against.

use aes::Aes256;
use aes::cipher::inout::InOutBuf;
use aes::cipher::{Block, InnerIvInit, KeyInit, StreamCipherCore};
use cmac::{Cmac, Mac};
use ctr::CtrCore;
use ctr::flavors::Ctr128BE;
use dbl::Dbl;
use zeroize::Zeroize;

use crate::Refusal;

const BLOCK: usize = 16;

/// The synthetic IV, which is also the tag.
pub type Tag = Block<Aes256>;

/// One key and one context. The key schedules are wiped when it is dropped.
pub struct Siv {
    mac: Cmac<Aes256>,
    keystream: Aes256,
    context: Tag,
}

impl Siv {
    /// K1, for S2V, is the first half of the 64 octets, K2, for CTR, the second (section 2.6); None for
    /// another number of octets.
    #[must_use]
    pub fn new(key: &[u8], associated: &[u8]) -> Option<Self> {
        let (k1, k2) = key.split_at_checked(key.len() / 2)?;
        let mut mac = <Cmac<Aes256> as KeyInit>::new_from_slice(k1).ok()?;
        let keystream = Aes256::new_from_slice(k2).ok()?;
        let zero = cmac(&mut mac, &[&[0; BLOCK]]);
        let mut context = zero.dbl();
        xor(&mut context, &cmac(&mut mac, &[associated]));
        Some(Self { mac, keystream, context })
    }

    /// Encrypts in place and gives the tag (section 2.6).
    #[must_use]
    pub fn seal(&mut self, text: &mut [u8]) -> Tag {
        let tag = self.s2v(text);
        self.apply_keystream(tag, text);
        tag
    }

    /// Decrypts in place; a text whose tag is another is wiped (section 2.7).
    pub fn open(&mut self, tag: &Tag, text: &mut [u8]) -> Result<(), Refusal> {
        self.apply_keystream(*tag, text);
        if same(&self.s2v(text), tag) {
            return Ok(());
        }
        text.zeroize();
        Err(Refusal::Value)
    }

    /// S2V of the context, which is hashed already, and the text (section 2.4).
    fn s2v(&mut self, text: &[u8]) -> Tag {
        let Some(start) = text.len().checked_sub(BLOCK) else {
            let mut last = self.context.dbl();
            xor(&mut last, text);
            last[text.len()] ^= 0x80;
            return cmac(&mut self.mac, &[&last]);
        };
        let mut last = self.context;
        xor(&mut last, &text[start..]);
        cmac(&mut self.mac, &[&text[..start], &last])
    }

    /// CTR from the tag on, with the top bits of its last two words cleared (section 2.5).
    fn apply_keystream(&self, mut tag: Tag, text: &mut [u8]) {
        tag[8] &= 0x7f;
        tag[12] &= 0x7f;
        CtrCore::<&Aes256, Ctr128BE>::inner_iv_init(&self.keystream, &tag)
            .apply_keystream_partial(InOutBuf::from(text));
    }
}

fn cmac(mac: &mut Cmac<Aes256>, parts: &[&[u8]]) -> Tag {
    for part in parts {
        mac.update(part);
    }
    mac.finalize_reset().into_bytes()
}

fn xor(block: &mut Tag, with: &[u8]) {
    for (octet, other) in block.iter_mut().zip(with) {
        *octet ^= other;
    }
}

/// Whether two tags are equal, in a time that does not tell where they differ.
fn same(one: &Tag, other: &Tag) -> bool {
    cmac::digest::CtOutput::<Cmac<Aes256>>::new(*one) == cmac::digest::CtOutput::new(*other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aes_siv::siv::Aes256Siv;

    const KEY: &[u8; 64] = b"one half is for the MAC.........and the other is for the stream.";

    #[test]
    fn it_gives_what_another_implementation_gives() {
        let long: Vec<u8> = (0..=255).cycle().take(1100).collect();
        for associated in [0, 1, 15, 16, 17, 75] {
            let mut siv = Siv::new(KEY, &long[..associated]).unwrap();
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
        let mut siv = Siv::new(KEY, b"context").unwrap();
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
}
