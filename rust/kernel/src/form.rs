//! From canonical plaintext to what PostgreSQL would send (docs/spec/ciphertext.md, "Canonical plaintext"),
//! for the types whose forms depend on no setting. The others stay with Python.

use std::io::Write;

use crate::Refusal;

/// What the canonical bytes are, and in which format the client wants them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The same bytes in both formats: text and varchar.
    Verbatim,
    /// smallint, integer, bigint, by their size.
    Integer {
        size: usize,
        text: bool,
    },
    Bool {
        text: bool,
    },
    Uuid {
        text: bool,
    },
    Bytea {
        text: bool,
    },
}

impl Form {
    /// Appends the value; refuses bytes that are no value of the type.
    pub fn write(self, canonical: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        match self {
            Form::Verbatim | Form::Bytea { text: false } => out.extend_from_slice(canonical),
            Form::Integer { size, text } => write_integer(sized(canonical, size)?, text, out)?,
            Form::Bool { text } => {
                let truth = sized(canonical, 1)?[0] != 0;
                out.push(match (truth, text) {
                    (true, true) => b't',
                    (false, true) => b'f',
                    (truth, false) => u8::from(truth),
                });
            }
            Form::Uuid { text } => write_uuid(sized(canonical, 16)?, text, out)?,
            Form::Bytea { text: true } => {
                out.extend_from_slice(b"\\x");
                write_hex(canonical, out)?;
            }
        }
        Ok(())
    }
}

fn sized(canonical: &[u8], size: usize) -> Result<&[u8], Refusal> {
    if canonical.len() == size { Ok(canonical) } else { Err(Refusal::Value) }
}

fn write_integer(canonical: &[u8], text: bool, out: &mut Vec<u8>) -> Result<(), Refusal> {
    if !text {
        out.extend_from_slice(canonical);
        return Ok(());
    }
    let sign = canonical.first().map_or(0, |&byte| i64::from(byte.cast_signed() >> 7)); // 0 or -1
    let number = canonical.iter().fold(sign, |number, &byte| number << 8 | i64::from(byte));
    write!(out, "{number}").map_err(|_| Refusal::Value)
}

fn write_uuid(canonical: &[u8], text: bool, out: &mut Vec<u8>) -> Result<(), Refusal> {
    if !text {
        out.extend_from_slice(canonical);
        return Ok(());
    }
    for (i, part) in [0..4, 4..6, 6..8, 8..10, 10..16].into_iter().enumerate() {
        if i > 0 {
            out.push(b'-');
        }
        write_hex(&canonical[part], out)?;
    }
    Ok(())
}

pub(crate) fn write_hex(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let start = out.len();
    out.resize(start + 2 * bytes.len(), 0);
    faster_hex::hex_encode(bytes, &mut out[start..]).map(drop).map_err(|_| Refusal::Value)
}

/// Appends the bytes of a bytea in its hex form; refuses any other form.
pub(crate) fn read_hex(value: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    let digits = value.strip_prefix(b"\\x").ok_or(Refusal::Value)?;
    let start = out.len();
    out.resize(start + digits.len() / 2, 0);
    faster_hex::hex_decode(digits, &mut out[start..]).map_err(|_| Refusal::Value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(form: Form, canonical: &[u8]) -> Result<Vec<u8>, Refusal> {
        let mut out = Vec::new();
        form.write(canonical, &mut out).map(|()| out)
    }

    #[test]
    fn values_are_written_as_postgresql_writes_them() {
        let text = true;
        assert_eq!(written(Form::Integer { size: 2, text }, b"\x80\0").unwrap(), b"-32768");
        assert_eq!(written(Form::Integer { size: 8, text }, &[0xff; 8]).unwrap(), b"-1");
        assert_eq!(written(Form::Bool { text }, b"\x01").unwrap(), b"t");
        assert_eq!(
            written(Form::Uuid { text }, &[0xab; 16]).unwrap(),
            b"abababab-abab-abab-abab-abababababab"
        );
        assert_eq!(written(Form::Bytea { text }, b"\x01\xfe").unwrap(), b"\\x01fe");
        assert_eq!(written(Form::Integer { size: 4, text }, b"\0"), Err(Refusal::Value));
    }

    #[test]
    fn hex_is_read_or_refused() {
        let mut out = Vec::new();
        assert_eq!(read_hex(b"\\x00fFa9", &mut out), Ok(()));
        assert_eq!(out, [0, 0xff, 0xa9]);
        for bad in [&b"00"[..], b"", b"\\x0", b"\\xzz", b"\\x0g"] {
            assert_eq!(read_hex(bad, &mut Vec::new()), Err(Refusal::Value));
        }
    }
}
