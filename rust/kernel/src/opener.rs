//! Opens the sealed values of one column: Tink's AES256_GCM and AES256_SIV (docs/spec/ciphertext.md).
//!
//! Key schedules, hash keys and MAC keys are wiped when an opener is dropped.

use std::collections::HashMap;
use std::sync::Arc;

use crate::Refusal;
use crate::form::{Form, read_hex};
use crate::gcm::{Gcm, NONCE, TAG};
use crate::mask::{Given, Mask};
use crate::siv::{self, Siv};

const PREFIX: usize = 5;
const MARK: u8 = 0x80;

/// The two kinds of keyset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Randomized,
    Deterministic,
}

enum Cipher {
    Gcm(Box<Gcm>),
    Siv(Box<Siv>),
}

/// Everything about a column but its values. `pad` is the block of the padding, 0 for none; `hexed` says
/// that upstream sends bytea as text. What a mask makes of the plaintext stands in its place.
pub struct Opener {
    ciphers: HashMap<[u8; PREFIX], Cipher>,
    form: Form,
    pad: usize,
    hexed: bool,
    mask: Option<Arc<Mask>>,
    digits: Vec<u8>,
    plaintext: Vec<u8>,
}

impl Opener {
    /// `keys` are the five bytes before each value, the key's material and the context bound into it; None
    /// for a key of another size, or for bytes that are no prefix.
    #[must_use]
    pub fn new(
        algorithm: Algorithm,
        keys: &[(&[u8], &[u8], &[u8])],
        form: Form,
        pad: usize,
        hexed: bool,
    ) -> Option<Self> {
        let ciphers = keys
            .iter()
            .map(|(prefix, material, associated)| {
                Some(((*prefix).try_into().ok()?, cipher(algorithm, material, associated)?))
            })
            .collect::<Option<HashMap<_, _>>>()?;
        Some(Self { ciphers, form, pad, hexed, mask: None, digits: Vec::new(), plaintext: Vec::new() })
    }

    /// The same with a mask; None for one that would read another form than `Verbatim`.
    #[must_use]
    pub fn masked(mut self, mask: Arc<Mask>) -> Option<Self> {
        let fits = self.form == Form::Verbatim || !mask.reads();
        self.mask = Some(mask);
        fits.then_some(self)
    }

    /// Appends the value as the client awaits it; where it refuses, `out` holds what is to be thrown away.
    pub fn open(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<Given, Refusal> {
        let value = if self.hexed {
            self.digits.clear();
            read_hex(value, &mut self.digits)?;
            &self.digits
        } else {
            value
        };
        let (prefix, sealed) = value.split_first_chunk::<PREFIX>().ok_or(Refusal::Value)?;
        let cipher = self.ciphers.get(prefix).ok_or(Refusal::Value)?;
        let at = out.len();
        match cipher {
            Cipher::Gcm(gcm) => open_gcm(gcm, sealed, out)?,
            Cipher::Siv(siv) => open_siv(siv, sealed, out)?,
        }
        out.truncate(at + unpadded(&out[at..], self.pad)?);
        if self.form == Form::Verbatim && self.mask.is_none() {
            return Ok(Given::Value);
        }
        self.plaintext.clear();
        self.plaintext.extend_from_slice(&out[at..]);
        out.truncate(at);
        match &self.mask {
            Some(mask) => mask.write(&self.plaintext, out),
            None => self.form.write(&self.plaintext, out).map(|()| Given::Value),
        }
    }
}

fn cipher(algorithm: Algorithm, material: &[u8], associated: &[u8]) -> Option<Cipher> {
    Some(match algorithm {
        Algorithm::Randomized => Cipher::Gcm(Box::new(Gcm::new(material, associated)?)),
        Algorithm::Deterministic => Cipher::Siv(Box::new(Siv::new(material, associated)?)),
    })
}

/// Nonce, text, tag.
fn open_gcm(gcm: &Gcm, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let (&nonce, rest) = sealed.split_first_chunk::<NONCE>().ok_or(Refusal::Value)?;
    let (text, tag) = rest.split_last_chunk::<TAG>().ok_or(Refusal::Value)?;
    let at = out.len();
    out.extend_from_slice(text);
    gcm.open(nonce, tag, &mut out[at..])
}

/// Tag, text.
fn open_siv(siv: &Siv, sealed: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let (&tag, text) = sealed.split_first_chunk::<TAG>().ok_or(Refusal::Value)?;
    let at = out.len();
    out.extend_from_slice(text);
    siv.open(&siv::Tag::from(tag), &mut out[at..])
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
        let keys = [(KEY_PREFIX, KEY, &b"context"[..])];
        Opener::new(Algorithm::Randomized, &keys, Form::Verbatim, 0, hexed).unwrap()
    }

    fn sealed(text: &[u8]) -> Vec<u8> {
        let mut body = text.to_vec();
        let tag = Gcm::new(KEY, b"context").unwrap().seal([3; NONCE], &mut body).unwrap();
        [KEY_PREFIX, &[3; NONCE], &body, &tag].concat()
    }

    #[test]
    fn what_was_sealed_opens() {
        let mut out = b"before ".to_vec();
        assert_eq!(opener(false).open(&sealed(b"a value"), &mut out), Ok(Given::Value));
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
