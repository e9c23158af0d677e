//! The ordinary round of the extended protocol: what most chunks of most applications are.
//!
//! A client sends Bind, perhaps Describe, Execute and Sync for the unnamed portal in one chunk, and the
//! answer comes in one chunk too. Both are recognised whole, or not at all.

use crate::frame::expect;

/// What a round says: the bound statement's name, and whether it describes its portal.
pub type Round<'a> = (&'a [u8], bool);

/// The round that the chunk is, if it is exactly one.
#[must_use]
pub fn plain_round(chunk: &[u8]) -> Option<Round<'_>> {
    let (bind, at) = expect(chunk, 0, b'B')?;
    let name = bind.strip_prefix(b"\0")?; // the unnamed portal
    let name = &name[..name.iter().position(|&byte| byte == 0)?];
    let (described, at) = match expect(chunk, at, b'D') {
        Some((b"P\0", after)) => (true, after),
        Some(_) => return None,
        None => (false, at),
    };
    let (execute, at) = expect(chunk, at, b'E')?;
    let (sync, at) = expect(chunk, at, b'S')?;
    let ordinary = execute.len() == 5 && execute[0] == 0 && sync.is_empty() && at == chunk.len();
    ordinary.then_some((name, described))
}

/// The transaction status at the end of a chunk that is exactly the answer to a round, 0 otherwise.
#[must_use]
pub fn plain_reply(chunk: &[u8], described: bool) -> u8 {
    reply(chunk, described).unwrap_or(0)
}

fn reply(chunk: &[u8], described: bool) -> Option<u8> {
    let (bound, mut at) = expect(chunk, 0, b'2')?;
    if !bound.is_empty() {
        return None;
    }
    if described {
        at = expect(chunk, at, b'T').or_else(|| expect(chunk, at, b'n'))?.1;
    }
    while let Some((_, after)) = expect(chunk, at, b'D') {
        at = after;
    }
    at = expect(chunk, at, b'C').or_else(|| expect(chunk, at, b'I'))?.1;
    match expect(chunk, at, b'Z')? {
        (&[status @ (b'I' | b'T' | b'E')], after) if after == chunk.len() => Some(status),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BIND: &[u8] = b"B\0\0\0\x0e\0one\0\0\0\0\0\0";
    const DESCRIBE: &[u8] = b"D\0\0\0\x06P\0";
    const EXECUTE: &[u8] = b"E\0\0\0\x09\0\0\0\0\0";
    const SYNC: &[u8] = b"S\0\0\0\x04";

    #[test]
    fn a_round_is_recognised() {
        let whole = [BIND, DESCRIBE, EXECUTE, SYNC].concat();
        assert_eq!(plain_round(&whole), Some((&b"one"[..], true)));
        assert_eq!(plain_round(&[BIND, EXECUTE, SYNC].concat()), Some((&b"one"[..], false)));
        assert_eq!(plain_round(&whole[..whole.len() - 1]), None);
        assert_eq!(plain_round(&[&whole[..], SYNC].concat()), None);
        assert_eq!(plain_round(&[BIND, SYNC].concat()), None);
    }

    #[test]
    fn an_answer_is_recognised() {
        let whole = b"2\0\0\0\x04T\0\0\0\x06\0\0D\0\0\0\x06\0\0C\0\0\0\x06X\0Z\0\0\0\x05I";
        assert_eq!(plain_reply(whole, true), b'I');
        assert_eq!(plain_reply(whole, false), 0);
        assert_eq!(plain_reply(&whole[..whole.len() - 1], true), 0);
    }
}
