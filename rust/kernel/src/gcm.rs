//! AES-256-GCM with nonces of 96 bits and one associated string (NIST SP 800-38D), for many short values under
//! one context.
//!
//! It is put together here from RustCrypto's AES and GHASH, because the hash of the context, more than half of
//! all that is hashed for a short value, can then be done once per column. RustCrypto's own `aes-gcm` is what
//! the tests hold it against.

use std::hint::black_box;

use aes::Aes256;
use aes::cipher::{Block, BlockCipherEncrypt, KeyInit};
use ctutils::CtEq;
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use zeroize::Zeroize;

use crate::Refusal;
use crate::ctr::{apply_keystream, xor};

pub const NONCE: usize = 12;
pub const TAG: usize = 16;

/// An authentication tag.
pub type Tag = Block<Aes256>;

/// One key and one context. Key schedule and hash key are wiped when it is dropped.
///
/// Each tag takes a copy of the hash key's powers, on the stack. With the feature `zeroize` each copy would be
/// wiped octet by octet, which takes as long as all the rest of the tag; without it a copy stays until the next
/// one takes its place, beside the key itself, which stays for as long as it is used.
pub struct Gcm {
    aes: Aes256,
    context: GHash,
    context_bits: u64,
}

impl Gcm {
    /// None for a key that has not 32 octets.
    #[must_use]
    pub fn new(key: &[u8], associated: &[u8]) -> Option<Self> {
        let aes = Aes256::new_from_slice(key).ok()?;
        let mut hash_key = Block::<Aes256>::default();
        aes.encrypt_block(&mut hash_key);
        let mut context = GHash::new(&hash_key);
        hash_key.zeroize();
        context.update_padded(associated);
        Some(Self { aes, context, context_bits: bits(associated)? })
    }

    /// Encrypts in place and gives the tag (section 7.1); None for a text that is too long. A nonce must not
    /// come twice.
    #[must_use]
    pub fn seal(&self, nonce: [u8; NONCE], text: &mut [u8]) -> Option<Tag> {
        self.apply_keystream(nonce, text);
        self.tag(nonce, text)
    }

    /// Decrypts in place what has this tag (section 7.2); anything else is left as it is.
    pub fn open(&self, nonce: [u8; NONCE], tag: &[u8; TAG], text: &mut [u8]) -> Result<(), Refusal> {
        let found = self.tag(nonce, text).ok_or(Refusal::Value)?;
        if !bool::from(found.as_slice().ct_eq(tag)) {
            return Err(Refusal::Value);
        }
        self.apply_keystream(nonce, text);
        Ok(())
    }

    fn apply_keystream(&self, nonce: [u8; NONCE], text: &mut [u8]) {
        // A text that `bits` takes ends before the counter does, which begins again at 0 (inc32).
        #[allow(clippy::cast_possible_truncation)]
        apply_keystream(&self.aes, |number| counter(nonce, (number as u32).wrapping_add(2)), text);
    }

    fn tag(&self, nonce: [u8; NONCE], sealed: &[u8]) -> Option<Tag> {
        let mut hash = self.context.clone();
        hash.update_padded(sealed);
        let lengths = u128::from(self.context_bits) << 64 | u128::from(bits(sealed)?);
        hash.update(&[lengths.to_be_bytes().into()]);
        let mut tag = counter(nonce, 1);
        self.aes.encrypt_block(&mut tag);
        xor(&mut tag, &hash.finalize());
        Some(tag)
    }
}

impl Drop for Gcm {
    fn drop(&mut self) {
        self.context = GHash::new(&Block::<Aes256>::default());
        black_box(&self.context); // so that it is written, though nobody reads it
    }
}

/// The block J0, or one after it.
fn counter(nonce: [u8; NONCE], number: u32) -> Block<Aes256> {
    let mut block = Block::<Aes256>::default();
    block[..NONCE].copy_from_slice(&nonce);
    block[NONCE..].copy_from_slice(&number.to_be_bytes());
    block
}

/// The length in bits; None for more than a text may have (section 5.2.1.1).
fn bits(octets: &[u8]) -> Option<u64> {
    let bits = u64::try_from(octets.len()).ok()?.checked_mul(8)?;
    (bits <= (1 << 39) - 256).then_some(bits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aes_gcm::aead::AeadInOut;
    use aes_gcm::aead::inout::InOutBuf;
    use aes_gcm::{Aes256Gcm, Nonce};

    const KEY: &[u8; 32] = b"a key that has thirty-two octets";

    #[test]
    fn it_gives_what_another_implementation_gives() {
        let long: Vec<u8> = (0..=255).cycle().take(1100).collect();
        let other = Aes256Gcm::new_from_slice(KEY).unwrap();
        for associated in [0, 1, 15, 16, 17, 75] {
            let gcm = Gcm::new(KEY, &long[..associated]).unwrap();
            for length in (0..70).chain([1024, 1100]) {
                let nonce = [u8::try_from(length % 251).unwrap(); NONCE];
                let (mut ours, mut theirs) = (long[..length].to_vec(), long[..length].to_vec());
                let tag = gcm.seal(nonce, &mut ours).unwrap();
                let wanted = other
                    .encrypt_inout_detached(
                        &Nonce::from(nonce),
                        &long[..associated],
                        InOutBuf::from(&mut theirs[..]),
                    )
                    .unwrap();
                assert_eq!((tag.as_slice(), &ours), (wanted.as_slice(), &theirs));
                assert_eq!(gcm.open(nonce, &tag.into(), &mut ours), Ok(()));
                assert_eq!(ours, long[..length]);
            }
        }
    }

    #[test]
    fn what_does_not_open_stays_sealed() {
        let gcm = Gcm::new(KEY, b"context").unwrap();
        let mut text = b"a value".to_vec();
        let mut tag: [u8; TAG] = gcm.seal([3; NONCE], &mut text).unwrap().into();
        let sealed = text.clone();
        tag[3] ^= 1;
        assert_eq!(gcm.open([3; NONCE], &tag, &mut text), Err(Refusal::Value));
        assert_eq!(text, sealed);
    }

    #[test]
    fn a_key_of_another_size_is_none() {
        for size in [0, 16, 31, 33, 64] {
            assert!(Gcm::new(&vec![0; size], b"").is_none());
        }
    }
}
