//! Opens the sealed values of one column: Tink's AES256_GCM and AES256_SIV (docs/spec/ciphertext.md).
//!
//! GCM is RustCrypto's, SIV is put together in `siv`. Key schedules, hash keys and MAC keys are wiped when an opener is dropped.

use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce, Tag};

use crate::Refusal;
use crate::form::{Form, read_hex};
use crate::siv::{self, Siv};

const PREFIX: usize = 5;
const NONCE: usize = 12;
const TAG: usize = 16;
const MARK: u8 = 0x80;

/// The two kinds of keyset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Randomized,
    Deterministic,
}

enum Cipher {
    Gcm(Box<Aes256Gcm>),
    Siv(Box<Siv>),
}

/// Everything about a column but its values. `pad` is the block of the padding, 0 for none; `hexed` says
/// that upstream sends bytea as text.
pub struct Opener {
    ciphers: Vec<([u8; PREFIX], Cipher)>,
    associated: Vec<u8>,
    form: Form,
    pad: usize,
    hexed: bool,
    scratch: Vec<u8>,
}

impl Opener {
    /// `keys` are pairs of the five bytes before each value and the key's material; None for a key of
    /// another size, or for bytes that are no prefix.
    #[must_use]
    pub fn new(
        algorithm: Algorithm,
        keys: &[(&[u8], &[u8])],
        associated: &[u8],
        form: Form,
        pad: usize,
        hexed: bool,
    ) -> Option<Self> {
        let ciphers = keys
            .iter()
            .map(|(prefix, material)| {
                Some(((*prefix).try_into().ok()?, cipher(algorithm, material, associated)?))
            })
            .collect::<Option<Vec<_>>>()?;
        let (associated, scratch) = (associated.to_vec(), Vec::new());
        Some(Self { ciphers, associated, form, pad, hexed, scratch })
    }

    /// Appends the value as the client awaits it.
    pub fn open(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        self.scratch.clear();
        if self.hexed {
            read_hex(value, &mut self.scratch)?;
        } else {
            self.scratch.extend_from_slice(value);
        }
        let (from, to) = self.decrypted()?;
        self.form.write(&self.scratch[from..to], out)
    }

    /// Decrypts `scratch` in place, and says where in it the plaintext stands.
    fn decrypted(&mut self) -> Result<(usize, usize), Refusal> {
        let (prefix, rest) = self.scratch.split_at_mut_checked(PREFIX).ok_or(Refusal::Value)?;
        let (_, cipher) = self.ciphers.iter_mut().find(|(known, _)| known == prefix).ok_or(Refusal::Value)?;
        let (from, to) = match cipher {
            Cipher::Gcm(gcm) => open_gcm(gcm, &self.associated, rest)?,
            Cipher::Siv(siv) => open_siv(siv, rest)?,
        };
        let length = unpadded(&rest[from..to], self.pad)?;
        Ok((PREFIX + from, PREFIX + from + length))
    }
}

fn cipher(algorithm: Algorithm, material: &[u8], associated: &[u8]) -> Option<Cipher> {
    Some(match algorithm {
        Algorithm::Randomized => Cipher::Gcm(Box::new(Aes256Gcm::new_from_slice(material).ok()?)),
        Algorithm::Deterministic => Cipher::Siv(Box::new(Siv::new(material, associated)?)),
    })
}

fn open_gcm(gcm: &Aes256Gcm, associated: &[u8], sealed: &mut [u8]) -> Result<(usize, usize), Refusal> {
    let end = sealed.len().checked_sub(TAG).filter(|&end| end >= NONCE).ok_or(Refusal::Value)?;
    let (body, tag) = sealed.split_at_mut(end);
    let (nonce, text) = body.split_at_mut(NONCE);
    let nonce = Nonce::try_from(&*nonce).map_err(|_| Refusal::Value)?;
    let tag = Tag::try_from(&*tag).map_err(|_| Refusal::Value)?;
    gcm.decrypt_inout_detached(&nonce, associated, InOutBuf::from(text), &tag).map_err(|_| Refusal::Value)?;
    Ok((NONCE, end))
}

fn open_siv(siv: &mut Siv, sealed: &mut [u8]) -> Result<(usize, usize), Refusal> {
    let length = sealed.len();
    let (tag, text) = sealed.split_at_mut_checked(TAG).ok_or(Refusal::Value)?;
    let tag = siv::Tag::try_from(&*tag).map_err(|_| Refusal::Value)?;
    siv.open(&tag, text)?;
    Ok((TAG, length))
}

/// How long the plaintext is without its padding: one 0x80, then zeros (ISO/IEC 7816-4).
fn unpadded(filled: &[u8], block: usize) -> Result<usize, Refusal> {
    if block == 0 {
        return Ok(filled.len());
    }
    let mark = filled.iter().rposition(|&byte| byte != 0).ok_or(Refusal::Value)?;
    let sound = filled.len().is_multiple_of(block) && filled[mark] == MARK && filled.len() - mark <= block;
    if sound { Ok(mark) } else { Err(Refusal::Value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = &[7; 32];
    const KEY_PREFIX: &[u8] = b"\x01\0\0\0\x09";

    fn opener(hexed: bool) -> Opener {
        let keys = [(KEY_PREFIX, KEY)];
        Opener::new(Algorithm::Randomized, &keys, b"context", Form::Verbatim, 0, hexed).unwrap()
    }

    fn sealed(text: &[u8]) -> Vec<u8> {
        let mut body = text.to_vec();
        let gcm = Aes256Gcm::new_from_slice(KEY).unwrap();
        let nonce = Nonce::from([3; NONCE]);
        let tag = gcm.encrypt_inout_detached(&nonce, b"context", InOutBuf::from(&mut body[..])).unwrap();
        [KEY_PREFIX, &[3; NONCE], &body, &tag].concat()
    }

    #[test]
    fn what_was_sealed_opens() {
        let mut out = b"before ".to_vec();
        assert_eq!(opener(false).open(&sealed(b"a value"), &mut out), Ok(()));
        assert_eq!(out, b"before a value");
    }

    #[test]
    fn every_change_and_every_prefix_is_refused() {
        let value = sealed(b"a value");
        for i in 0..value.len() {
            let mut changed = value.clone();
            changed[i] ^= 1;
            assert_eq!(opener(false).open(&changed, &mut Vec::new()), Err(Refusal::Value));
            assert_eq!(opener(false).open(&value[..i], &mut Vec::new()), Err(Refusal::Value));
        }
    }

    #[test]
    fn padding_is_taken_off_or_refused() {
        assert_eq!(unpadded(b"ab\x80\0", 4), Ok(2));
        assert_eq!(unpadded(b"\x80\0\0\0", 4), Ok(0));
        for bad in [&b""[..], b"\0\0\0\0", b"ab\x80", b"abcd", b"\x80\0\0\0\0\0\0\0"] {
            assert_eq!(unpadded(bad, 4), Err(Refusal::Value));
        }
    }
}
