//! Rows on their way to the client (manual, "Message Formats", DataRow): Byte1('D'), Int32 length, Int16
//! columns, then Int32 length and bytes of each, -1 for NULL.

use crate::mask::Given;
use crate::{Refusal, be16, be32};

const DATA_ROW: u8 = b'D';
const HEADER: usize = 7;

/// What happens to the values of one column.
pub trait Column {
    type Error: From<Refusal>;

    /// Appends the value for the client, or says that it gets NULL.
    fn open(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<Given, Self::Error>;
}

/// Appends the client's rows. `columns` are (number of values to copy before it, column) in order, `count`
/// the number of values in each row. Nothing of a refused chunk may go out.
pub fn open_rows<C: Column>(
    columns: &mut [(usize, C)],
    count: usize,
    chunk: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), C::Error> {
    out.reserve(chunk.len());
    let mut at = 0;
    while at < chunk.len() {
        let length = be32(chunk, at + 1).ok_or(Refusal::Framing)? as usize;
        let after = at.checked_add(1).and_then(|body| body.checked_add(length)).ok_or(Refusal::Framing)?;
        let row = chunk.get(at..after).ok_or(Refusal::Framing)?;
        let given = be16(row, 5).ok_or(Refusal::Framing)?;
        if row[0] != DATA_ROW || usize::from(given) != count {
            return Err(Refusal::Framing.into());
        }
        open_row(columns, row, out)?;
        at = after;
    }
    Ok(())
}

fn open_row<C: Column>(columns: &mut [(usize, C)], row: &[u8], out: &mut Vec<u8>) -> Result<(), C::Error> {
    let start = out.len();
    let (mut at, mut copied) = (HEADER, 0);
    for (skipped, column) in columns {
        for _ in 0..*skipped {
            at = value_at(row, at)?.1;
        }
        let (value, after) = value_at(row, at)?;
        if let Some(value) = value {
            out.extend_from_slice(&row[copied..at + 4]); // its length is put in below
            let opened = out.len();
            match column.open(value, out)? {
                Given::Value => {
                    let length = out.len() - opened;
                    put_length(out, opened - 4, length)?;
                }
                Given::Null => {
                    out.truncate(opened);
                    out[opened - 4..].fill(0xff); // -1
                }
            }
            copied = after;
        }
        at = after;
    }
    out.extend_from_slice(&row[copied..]);
    let length = out.len() - start - 1;
    Ok(put_length(out, start + 1, length)?)
}

/// The value whose length stands at `at` (None: NULL), and where it ends. Any negative length counts as
/// NULL, as in the twin.
fn value_at(row: &[u8], at: usize) -> Result<(Option<&[u8]>, usize), Refusal> {
    let length = be32(row, at).ok_or(Refusal::Framing)?;
    let from = at + 4;
    if length > i32::MAX.cast_unsigned() {
        return Ok((None, from));
    }
    let to = from.checked_add(length as usize).ok_or(Refusal::Framing)?;
    Ok((Some(row.get(from..to).ok_or(Refusal::Framing)?), to))
}

fn put_length(out: &mut [u8], at: usize, length: usize) -> Result<(), Refusal> {
    let length = i32::try_from(length).map_err(|_| Refusal::Value)?;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shout;

    impl Column for Shout {
        type Error = Refusal;

        fn open(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<Given, Refusal> {
            if value == b"null" {
                out.push(b'?');
                return Ok(Given::Null);
            }
            out.extend(value.to_ascii_uppercase());
            out.push(b'!');
            Ok(Given::Value)
        }
    }

    fn row(values: &[Option<&[u8]>]) -> Vec<u8> {
        let mut body = u16::try_from(values.len()).unwrap().to_be_bytes().to_vec();
        for value in values {
            let length = value.map_or(-1, |value| i32::try_from(value.len()).unwrap());
            body.extend(length.to_be_bytes());
            body.extend(value.unwrap_or_default());
        }
        let length = u32::try_from(body.len() + 4).unwrap();
        [b"D", &length.to_be_bytes()[..], &body].concat()
    }

    #[test]
    fn values_change_and_the_framing_follows() {
        let chunk = [row(&[Some(b"a"), Some(b"bc"), Some(b"")]), row(&[None, None, Some(b"d")])].concat();
        let mut out = Vec::new();
        assert_eq!(open_rows(&mut [(1, Shout)], 3, &chunk, &mut out), Ok(()));
        let expected = [row(&[Some(b"a"), Some(b"BC!"), Some(b"")]), row(&[None, None, Some(b"d")])];
        assert_eq!(out, expected.concat());
    }

    #[test]
    fn a_value_may_become_null() {
        let mut out = Vec::new();
        let chunk = row(&[Some(b"a"), Some(b"null"), Some(b"b")]);
        assert_eq!(open_rows(&mut [(1, Shout)], 3, &chunk, &mut out), Ok(()));
        assert_eq!(out, row(&[Some(b"a"), None, Some(b"b")]));
    }

    #[test]
    fn every_prefix_of_a_row_is_refused() {
        let chunk = row(&[Some(b"a"), Some(b"bc")]);
        for end in 1..chunk.len() {
            let refused = open_rows(&mut [(1, Shout)], 2, &chunk[..end], &mut Vec::new());
            assert_eq!(refused, Err(Refusal::Framing));
        }
    }
}
