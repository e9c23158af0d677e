//! Seals the values of one column: Tink's AES256_GCM and AES256_SIV (docs/spec/ciphertext.md), in the same
//! bytes as `protect/randomized.py` and `protect/deterministic.py`.
//!
//! Key schedules, hash keys and MAC keys are wiped when a sealer is dropped.

use crate::gcm::{Gcm, NONCE, TAG};
use crate::opener::Algorithm;
use crate::siv::Siv;
use crate::{Form, Refusal};

const PREFIX: usize = 5;
const MARK: u8 = 0x80;
/// Nonces that are drawn from the operating system at once, at most.
const DRAWN: usize = 64;

enum Cipher {
    Gcm(Box<Gcm>),
    Siv(Box<Siv>),
}

/// Everything about a column but its values. `limit` is the most characters that it takes and `pad` the
/// block of the padding, each 0 for none.
pub struct Sealer {
    cipher: Cipher,
    prefix: [u8; PREFIX],
    form: Form,
    limit: usize,
    pad: usize,
}

impl Sealer {
    /// `key` is the five bytes before each value and the key's material; None for a key of another size, or
    /// for bytes that are no prefix.
    #[must_use]
    pub fn new(
        algorithm: Algorithm,
        key: (&[u8], &[u8]),
        associated: &[u8],
        form: Form,
        limit: usize,
        pad: usize,
    ) -> Option<Self> {
        let (prefix, material) = (key.0.try_into().ok()?, key.1);
        let cipher = match algorithm {
            Algorithm::Randomized => Cipher::Gcm(Box::new(Gcm::new(material, associated)?)),
            Algorithm::Deterministic => Cipher::Siv(Box::new(Siv::new(material, associated)?)),
        };
        Some(Self { cipher, prefix, form, limit, pad })
    }

    /// Appends the sealed value; where it refuses, `out` holds what is to be thrown away.
    pub fn seal(&self, value: &[u8], nonces: &mut Nonces, out: &mut Vec<u8>) -> Result<(), Refusal> {
        out.extend_from_slice(&self.prefix);
        match &self.cipher {
            Cipher::Gcm(gcm) => {
                let nonce = nonces.next()?;
                out.extend_from_slice(&nonce);
                let at = out.len();
                read(self.form, self.limit, self.pad, value, out)?;
                let tag = gcm.seal(nonce, &mut out[at..]).ok_or(Refusal::Value)?;
                out.extend_from_slice(&tag);
            }
            Cipher::Siv(siv) => {
                let at = out.len();
                out.extend_from_slice(&[0; TAG]);
                read(self.form, self.limit, self.pad, value, out)?;
                let tag = siv.seal(&mut out[at + TAG..]);
                out[at..at + TAG].copy_from_slice(&tag);
            }
        }
        Ok(())
    }
}

/// Appends the canonical plaintext, padded.
fn read(form: Form, limit: usize, pad: usize, value: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let at = out.len();
    form.read(value, out)?;
    let length = out.len() - at;
    // In UTF-8 each character has one byte that does not go on with another.
    let characters = |text: &[u8]| text.iter().filter(|&&byte| byte & 0xc0 != 0x80).count();
    if limit != 0 && length > limit && characters(&out[at..]) > limit {
        return Err(Refusal::Value);
    }
    if pad != 0 {
        out.push(MARK);
        out.resize(at + (length + 1).next_multiple_of(pad), 0);
    }
    Ok(())
}

/// The nonces of one call, drawn here from the operating system and from nowhere else. INVARIANT: none is
/// given out twice, and none is left over for another call, so that no copy of the process can give it out.
pub struct Nonces {
    pool: [[u8; NONCE]; DRAWN],
    next: usize,
    drawn: usize,
}

impl Nonces {
    /// None are drawn yet.
    #[must_use]
    pub fn new() -> Self {
        Self { pool: [[0; NONCE]; DRAWN], next: 0, drawn: 0 }
    }

    fn next(&mut self) -> Result<[u8; NONCE], Refusal> {
        if self.next == self.drawn {
            self.drawn = (self.drawn * 4).clamp(1, DRAWN);
            self.next = 0;
            // Python says it where the operating system gives no randomness.
            getrandom::fill(self.pool[..self.drawn].as_flattened_mut()).map_err(|_| Refusal::Value)?;
        }
        let nonce = self.pool[self.next];
        self.next += 1;
        Ok(nonce)
    }
}

impl Default for Nonces {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::Opener;

    const PREFIX: &[u8] = b"\x01\0\0\0\x09";

    fn both_ways(
        algorithm: Algorithm,
        material: &[u8],
        value: &[u8],
        limit: usize,
        pad: usize,
    ) -> Option<Vec<u8>> {
        let sealer =
            Sealer::new(algorithm, (PREFIX, material), b"context", Form::Verbatim, limit, pad).unwrap();
        let mut stored = Vec::new();
        sealer.seal(value, &mut Nonces::new(), &mut stored).ok()?;
        let keys = [(PREFIX, material, &b"context"[..])];
        let mut opener = Opener::new(algorithm, &keys, Form::Verbatim, pad, false).unwrap();
        let mut out = Vec::new();
        opener.open(&stored, &mut out).unwrap();
        Some(out)
    }

    #[test]
    fn what_is_sealed_opens() {
        for pad in [0, 1, 16] {
            for value in [&b""[..], b"a value", &[b'x'; 100]] {
                let gcm = both_ways(Algorithm::Randomized, &[7; 32], value, 0, pad);
                let siv = both_ways(Algorithm::Deterministic, &[7; 64], value, 0, pad);
                assert_eq!((gcm.as_deref(), siv.as_deref()), (Some(value), Some(value)));
            }
        }
    }

    #[test]
    fn the_limit_counts_characters() {
        let sealed = |value: &str| both_ways(Algorithm::Randomized, &[7; 32], value.as_bytes(), 3, 0);
        assert!(sealed("Zoë").is_some());
        assert!(sealed("Zoés").is_none());
    }

    #[test]
    fn no_nonce_comes_twice() {
        let mut nonces = Nonces::new();
        let seen: HashSet<_> = (0..1000).map(|_| nonces.next().unwrap()).collect();
        assert_eq!(seen.len(), 1000);
    }
}
