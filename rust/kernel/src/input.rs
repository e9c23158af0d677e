//! From what a client sends to canonical plaintext (docs/spec/ciphertext.md, "Canonical plaintext"): the
//! plainest input form of each type, taken as PostgreSQL takes it. Every other form is refused, and Python
//! reads it, or says what is wrong with it.

use crate::form::read_hex;
use crate::{Form, Refusal};

const UUID_TEXT: usize = 36;
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
/// Digits of the longest number that can be one; so many always fit 64 bits.
const MAX_DIGITS: usize = 19;

impl Form {
    /// Appends the canonical bytes of a client's value.
    pub(crate) fn read(self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        match self {
            Form::Verbatim => out.extend_from_slice(text(value)?.as_bytes()),
            Form::Bytea { text: false } => out.extend_from_slice(value),
            Form::Bytea { text: true } => read_hex(value, out)?,
            Form::Integer { size, text: false } => out.extend_from_slice(sized(value, size)?),
            Form::Integer { size, text: true } => {
                let number = integer(value, size).ok_or(Refusal::Value)?.to_be_bytes();
                out.extend_from_slice(&number[number.len() - size..]);
            }
            Form::Bool { text: false } => out.push(u8::from(sized(value, 1)?[0] != 0)),
            Form::Bool { text: true } => out.push(u8::from(truth(value).ok_or(Refusal::Value)?)),
            Form::Uuid { text: false } => out.extend_from_slice(sized(value, 16)?),
            Form::Uuid { text: true } => uuid(value, out)?,
        }
        Ok(())
    }
}

/// UTF-8 without NUL, as pg_verify_mbstr has it.
fn text(value: &[u8]) -> Result<&str, Refusal> {
    if value.contains(&0) {
        return Err(Refusal::Value);
    }
    str::from_utf8(value).map_err(|_| Refusal::Value)
}

fn sized(value: &[u8], size: usize) -> Result<&[u8], Refusal> {
    if value.len() == size { Ok(value) } else { Err(Refusal::Value) }
}

/// A decimal number of a type of so many octets.
fn integer(value: &[u8], size: usize) -> Option<i64> {
    let (negative, digits) = match value.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, value),
    };
    if !(1..=MAX_DIGITS).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size_of = digits.iter().fold(0i128, |number, &digit| number * 10 + i128::from(digit - b'0'));
    let number = i64::try_from(if negative { -size_of } else { size_of }).ok()?;
    let unused = 64 - 8 * u32::try_from(size).ok()?;
    ((number << unused) >> unused == number).then_some(number)
}

fn truth(value: &[u8]) -> Option<bool> {
    match value {
        b"t" | b"true" | b"y" | b"yes" | b"on" | b"1" => Some(true),
        b"f" | b"false" | b"n" | b"no" | b"off" | b"0" => Some(false),
        _ => None,
    }
}

fn uuid(value: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
    if value.len() != UUID_TEXT || HYPHENS.iter().any(|&place| value[place] != b'-') {
        return Err(Refusal::Value);
    }
    let mut digits = *b"\\x00000000000000000000000000000000";
    let written = value.iter().enumerate().filter(|(place, _)| !HYPHENS.contains(place));
    for (digit, (_, &byte)) in digits[2..].iter_mut().zip(written) {
        *digit = byte;
    }
    read_hex(&digits, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(form: Form, value: &[u8]) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        form.read(value, &mut out).ok().map(|()| out)
    }

    #[test]
    fn numbers_are_read_up_to_their_size() {
        let form = |size| Form::Integer { size, text: true };
        assert_eq!(read(form(2), b"-32768"), Some(vec![0x80, 0]));
        assert_eq!(read(form(2), b"32768"), None);
        assert_eq!(read(form(4), b"0000007"), Some(vec![0, 0, 0, 7]));
        assert_eq!(read(form(8), b"9223372036854775807"), Some(i64::MAX.to_be_bytes().to_vec()));
        for bad in
            [&b"9223372036854775808"[..], b"", b"-", b"+1", b" 1", b"1_0", b"0x1", b"00000000000000000001"]
        {
            assert_eq!(read(form(8), bad), None);
        }
    }

    #[test]
    fn other_types_are_read_in_their_plainest_form() {
        let text = true;
        assert_eq!(read(Form::Bool { text }, b"yes"), Some(vec![1]));
        assert_eq!(read(Form::Bool { text }, b"TRUE"), None);
        assert_eq!(read(Form::Bool { text: false }, b"\x07"), Some(vec![1]));
        let written = b"00010203-0405-0607-0809-0A0b0c0d0e0f";
        assert_eq!(read(Form::Uuid { text }, written), Some((0..16).collect()));
        assert_eq!(read(Form::Uuid { text }, &written[1..]), None);
        assert_eq!(read(Form::Uuid { text }, b"0001020-30405-0607-0809-0a0b0c0d0e0f"), None);
        assert_eq!(read(Form::Bytea { text }, b"\\x00Ff"), Some(vec![0, 255]));
        assert_eq!(read(Form::Bytea { text }, b"\\x0 0"), None);
    }

    #[test]
    fn text_is_utf8_without_nul() {
        assert_eq!(read(Form::Verbatim, "Zoë".as_bytes()), Some("Zoë".into()));
        assert_eq!(read(Form::Verbatim, b"a\0"), None);
        assert_eq!(read(Form::Verbatim, b"\xed\xa0\x80"), None);
    }
}
