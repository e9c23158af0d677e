//! Counter mode for texts of a few blocks (NIST SP 800-38A, section 6.5), which GCM and SIV share: they differ
//! in how the counter goes on.
//!
//! Most values have one to four blocks, which are encrypted at once; RustCrypto's `ctr` is made for long
//! streams, and takes twice as long for these.

use aes::Aes256;
use aes::cipher::{Block, BlockCipherEncrypt};

/// The octets of a block.
pub const BLOCK: usize = 16;
/// Blocks that are encrypted at once.
const AT_ONCE: usize = 4;

/// Encrypts or decrypts in place; `counter` gives the counter block of each number, from 0 on.
pub fn apply_keystream(aes: &Aes256, counter: impl Fn(usize) -> Block<Aes256>, text: &mut [u8]) {
    for (k, part) in text.chunks_mut(AT_ONCE * BLOCK).enumerate() {
        let mut stream = [Block::<Aes256>::default(); AT_ONCE];
        let stream = &mut stream[..part.len().div_ceil(BLOCK)];
        for (i, block) in stream.iter_mut().enumerate() {
            *block = counter(k * AT_ONCE + i);
        }
        aes.encrypt_blocks(stream);
        for (octets, block) in part.chunks_mut(BLOCK).zip(stream) {
            xor(octets, block);
        }
    }
}

/// Adds, in GF(2), as many octets as the shorter one has.
pub fn xor(octets: &mut [u8], with: &[u8]) {
    for (octet, other) in octets.iter_mut().zip(with) {
        *octet ^= other;
    }
}
