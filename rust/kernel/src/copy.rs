//! COPY on its way to the database: blocks of lines (manual, COPY, "Text Format" and "CSV Format") and of
//! tuples ("Binary Format"), the fields of protected columns sealed, all else copied.

use crate::form::write_hex;
use crate::{Refusal, be16, be32};

/// What happens to the values of one column.
pub trait Seal {
    type Error: From<Refusal>;

    /// Appends the sealed value.
    fn seal(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Self::Error>;

    /// Whether an error says that the long way is to be gone, and no more.
    fn is_refusal(error: &Self::Error) -> bool;
}

/// The columns of a stream: how many, and the place and seal of each that is protected, in order.
pub struct Columns<'a, S> {
    pub width: usize,
    pub seals: &'a mut [(usize, S)],
}

/// What came of a block: where it ended, its rows, and how many values each protected column sealed.
#[derive(Debug, PartialEq, Eq)]
pub struct Sealed {
    pub end: usize,
    pub rows: usize,
    pub counts: Vec<usize>,
}

/// How lines are written. There is a quote in csv and none in text.
pub struct Syntax {
    delimiter: u8,
    quote: Option<u8>,
    null: Vec<u8>,
    stops: Box<[bool; 256]>,
}

/// A field as it stands in a line: whether anything is to be taken off, and where it ends.
struct Field {
    plain: bool,
    end: usize,
}

impl Syntax {
    #[must_use]
    pub fn new(delimiter: u8, quote: Option<u8>, null: &[u8]) -> Self {
        let mut stops = Box::new([false; 256]);
        for byte in [delimiter, quote.unwrap_or(b'\\'), b'\r', b'\n'] {
            stops[usize::from(byte)] = true;
        }
        Self { delimiter, quote, null: null.to_vec(), stops }
    }

    /// Appends a block of whole lines, each ended by `end`. What may be an end of data, or a line end that
    /// is data in text, is refused.
    pub fn seal<S: Seal>(
        &self,
        columns: &mut Columns<'_, S>,
        block: &[u8],
        end: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Sealed, S::Error> {
        let mut work = Work { out, copied: 0, value: Vec::new(), sealed: Vec::new() };
        let mut counts = vec![0; columns.seals.len()];
        let (mut at, mut rows) = (0, 0);
        while at < block.len() {
            if self.quote.is_some() && block[at..].starts_with(b"\\.") {
                return Err(Refusal::Framing.into());
            }
            at = self.line(columns, block, at, end, &mut work, &mut counts)?;
            rows += 1;
        }
        work.out.extend_from_slice(&block[work.copied..]);
        Ok(Sealed { end: at, rows, counts })
    }

    fn line<S: Seal>(
        &self,
        columns: &mut Columns<'_, S>,
        block: &[u8],
        mut at: usize,
        end: &[u8],
        work: &mut Work<'_>,
        counts: &mut [usize],
    ) -> Result<usize, S::Error> {
        let mut due = 0; // which of the protected columns comes next
        for place in 0..columns.width {
            let field = self.field(block, at)?;
            if let Some((_, seal)) = columns.seals.get_mut(due).filter(|(own, _)| *own == place) {
                if block[at..field.end] != self.null {
                    self.sealed(seal, block, at, &field, work)?;
                    counts[due] += 1;
                }
                due += 1;
            }
            at = field.end;
            if place + 1 < columns.width {
                if block.get(at) != Some(&self.delimiter) {
                    return Err(Refusal::Framing.into());
                }
                at += 1;
            }
        }
        if block[at..].starts_with(end) { Ok(at + end.len()) } else { Err(Refusal::Framing.into()) }
    }

    fn sealed<S: Seal>(
        &self,
        seal: &mut S,
        block: &[u8],
        start: usize,
        field: &Field,
        work: &mut Work<'_>,
    ) -> Result<(), S::Error> {
        work.out.extend_from_slice(&block[work.copied..start]);
        work.copied = field.end;
        let written = &block[start..field.end];
        work.sealed.clear();
        if field.plain {
            seal.seal(written, &mut work.sealed)?;
        } else {
            work.value.clear();
            match self.quote {
                None => unescape(written, &mut work.value),
                Some(quote) => unquote(written, quote, &mut work.value),
            }
            seal.seal(&work.value, &mut work.sealed)?;
        }
        work.out.extend_from_slice(if self.quote.is_some() { b"\\x" } else { b"\\\\x" });
        Ok(write_hex(&work.sealed, work.out)?)
    }

    /// The field that begins at `at`.
    fn field(&self, block: &[u8], mut at: usize) -> Result<Field, Refusal> {
        let mut plain = true;
        loop {
            at +=
                block[at..].iter().position(|&byte| self.stops[usize::from(byte)]).ok_or(Refusal::Framing)?;
            match (block[at], self.quote) {
                (b'\\', None) => match block.get(at + 1) {
                    None | Some(b'\r' | b'\n' | b'.') => return Err(Refusal::Framing),
                    Some(_) => at += 2,
                },
                (byte, Some(quote)) if byte == quote => {
                    // A doubled quote closes and opens at once.
                    let inside = &block[at + 1..];
                    at += 2 + inside.iter().position(|&byte| byte == quote).ok_or(Refusal::Framing)?;
                }
                _ => return Ok(Field { plain, end: at }),
            }
            plain = false;
        }
    }
}

/// What a block is put together in.
struct Work<'a> {
    out: &'a mut Vec<u8>,
    copied: usize,
    value: Vec<u8>,
    sealed: Vec<u8>,
}

/// As CopyReadAttributesText reads a field.
fn unescape(field: &[u8], out: &mut Vec<u8>) {
    let mut rest = field.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some(escaped) = rest.next() else { return };
        out.push(match escaped {
            b'0'..=b'7' => digits(u32::from(escaped - b'0'), 8, 2, &mut rest),
            b'x' if rest.peek().is_some_and(u8::is_ascii_hexdigit) => digits(0, 16, 2, &mut rest),
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            other => other,
        });
    }
}

/// The octet of a number that goes on for `most` more digits at most; what does not fit is cut off.
fn digits(
    first: u32,
    base: u32,
    most: usize,
    rest: &mut std::iter::Peekable<impl Iterator<Item = u8>>,
) -> u8 {
    let mut number = first;
    for _ in 0..most {
        let Some(digit) = rest.peek().and_then(|&byte| char::from(byte).to_digit(base)) else { break };
        number = number * base + digit;
        rest.next();
    }
    (number & 0xff) as u8
}

/// As CopyReadAttributesCSV reads a field.
fn unquote(field: &[u8], quote: u8, out: &mut Vec<u8>) {
    let (mut at, mut inside) = (0, false);
    while let Some(&byte) = field.get(at) {
        at += 1;
        if byte != quote {
            out.push(byte);
        } else if inside && field.get(at) == Some(&quote) {
            out.push(quote);
            at += 1;
        } else {
            inside = !inside;
        }
    }
}

/// Appends the whole tuples from `start` on, up to one that is cut off or to the trailer.
pub fn seal_tuples<S: Seal>(
    columns: &mut Columns<'_, S>,
    data: &[u8],
    start: usize,
    out: &mut Vec<u8>,
) -> Result<Sealed, S::Error> {
    const TRAILER: u16 = u16::MAX;
    let mut counts = vec![0; columns.seals.len()];
    let (mut at, mut rows) = (start, 0);
    while let Some(count) = be16(data, at).filter(|&count| count != TRAILER) {
        if usize::from(count) != columns.width {
            return Err(Refusal::Framing.into());
        }
        let Some(end) = tuple_end(data, at + 2, columns.width)? else { break };
        tuple(columns, &data[at..end], out, &mut counts)?;
        at = end;
        rows += 1;
    }
    Ok(Sealed { end: at, rows, counts })
}

/// Where a tuple's fields end; None if they are not all there.
fn tuple_end(data: &[u8], mut at: usize, width: usize) -> Result<Option<usize>, Refusal> {
    for _ in 0..width {
        let Some(length) = be32(data, at) else { return Ok(None) };
        at = after_field(at, length)?;
    }
    Ok((at <= data.len()).then_some(at))
}

/// Where a field of this length ends, whose length stands at `at`; -1 is NULL.
fn after_field(at: usize, length: u32) -> Result<usize, Refusal> {
    let length = if length == u32::MAX { 0 } else { i32::try_from(length).map_err(|_| Refusal::Framing)? };
    at.checked_add(4 + length.cast_unsigned() as usize).ok_or(Refusal::Framing)
}

fn tuple<S: Seal>(
    columns: &mut Columns<'_, S>,
    tuple: &[u8],
    out: &mut Vec<u8>,
    counts: &mut [usize],
) -> Result<(), S::Error> {
    let (mut at, mut copied, mut place) = (2, 0, 0);
    for ((own, seal), sealed) in columns.seals.iter_mut().zip(counts) {
        while place < *own {
            at = after_field(at, be32(tuple, at).ok_or(Refusal::Framing)?)?;
            place += 1;
        }
        let length = be32(tuple, at).ok_or(Refusal::Framing)?;
        let end = after_field(at, length)?;
        if length != u32::MAX {
            out.extend_from_slice(&tuple[copied..at + 4]); // its length is put in below
            let begun = out.len();
            seal.seal(&tuple[at + 4..end], out)?;
            let length = i32::try_from(out.len() - begun).map_err(|_| Refusal::Value)?;
            out[begun - 4..begun].copy_from_slice(&length.to_be_bytes());
            *sealed += 1;
            copied = end;
        }
        at = end;
        place += 1;
    }
    out.extend_from_slice(&tuple[copied..]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shout;

    impl Seal for Shout {
        type Error = Refusal;

        fn seal(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
            out.extend(value.to_ascii_uppercase());
            Ok(())
        }

        fn is_refusal(_: &Refusal) -> bool {
            true
        }
    }

    fn lines(quote: Option<u8>, block: &[u8], end: &[u8]) -> Result<(String, usize, usize), Refusal> {
        let syntax = Syntax::new(b',', quote, b"nil");
        let mut out = Vec::new();
        let mut columns = Columns { width: 2, seals: &mut [(1, Shout)] };
        let sealed = syntax.seal(&mut columns, block, end, &mut out)?;
        Ok((String::from_utf8(out).unwrap(), sealed.rows, sealed.counts[0]))
    }

    #[test]
    fn text_is_unescaped_and_sealed_in_hex() {
        let text = lines(None, b"\\,1,a\\tb\\x62\\101\\q\n2,nil\n", b"\n");
        assert_eq!(text, Ok(("\\,1,\\\\x410942424151\n2,nil\n".into(), 2, 1)));
    }

    #[test]
    fn csv_is_unquoted_and_sealed_in_hex() {
        let csv = lines(Some(b'"'), b"\"1\r\n\",a\"\"\"b\"\r\n2,\"nil\"\r\n3,nil\r\n", b"\r\n");
        assert_eq!(csv, Ok(("\"1\r\n\",\\x412242\r\n2,\\x4e494c\r\n3,nil\r\n".into(), 3, 2)));
    }

    #[test]
    fn what_needs_thought_is_refused() {
        for block in [&b"1,2"[..], b"1\n", b"1,2,3\n", b"1,2\r\n", b"1,2\r", b"\\.\n", b"1,\\.\n", b"1,2\\\n"]
        {
            assert_eq!(lines(None, block, b"\n"), Err(Refusal::Framing), "{block:?}");
        }
        for block in [&b"\\.\n"[..], b"1,\"2\n", b"1,2\r\n", b"1,2\r2,3\n", b"1,\n2"] {
            assert_eq!(lines(Some(b'"'), block, b"\n"), Err(Refusal::Framing), "{block:?}");
        }
    }

    #[test]
    fn tuples_are_sealed_up_to_the_one_that_is_cut_off() {
        let tuple = b"\0\x02\0\0\0\x01a\0\0\0\x02bc";
        let null = b"\0\x02\0\0\0\0\xff\xff\xff\xff";
        let data = [&tuple[..], null, b"\xff\xff"].concat();
        let mut out = Vec::new();
        let mut columns = Columns { width: 2, seals: &mut [(1, Shout)] };
        let sealed = seal_tuples(&mut columns, &data, 0, &mut out);
        assert_eq!(sealed, Ok(Sealed { end: data.len() - 2, rows: 2, counts: vec![1] }));
        assert_eq!(out, [&b"\0\x02\0\0\0\x01a\0\0\0\x02BC"[..], null].concat());
        for end in 0..tuple.len() {
            let sealed = seal_tuples(&mut columns, &tuple[..end], 0, &mut Vec::new());
            assert_eq!(sealed, Ok(Sealed { end: 0, rows: 0, counts: vec![0] }));
        }
    }
}
