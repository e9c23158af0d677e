//! The body of a Bind, taken apart (manual, "Message Formats", Bind).

use crate::{be16, be32};

/// Portal, statement, parameter formats, values (None is NULL), result formats.
#[derive(Debug, PartialEq, Eq)]
pub struct BindFields<'a> {
    pub portal: &'a [u8],
    pub statement: &'a [u8],
    pub formats: Vec<u16>,
    pub values: Vec<Option<&'a [u8]>>,
    pub result_formats: Vec<u16>,
}

/// The fields, if the body is well formed to its last byte; what is wrong with it otherwise, Python says.
#[must_use]
pub fn split_bind(body: &[u8]) -> Option<BindFields<'_>> {
    let mut at = 0;
    let portal = cstring(body, &mut at)?;
    let statement = cstring(body, &mut at)?;
    let formats = format_codes(body, &mut at)?;
    let count = count(body, &mut at)?;
    let values = (0..count).map(|_| value(body, &mut at)).collect::<Option<Vec<_>>>()?;
    let result_formats = format_codes(body, &mut at)?;
    let whole = at == body.len() && (formats.len() <= 1 || formats.len() == values.len());
    whole.then_some(BindFields { portal, statement, formats, values, result_formats })
}

fn cstring<'a>(body: &'a [u8], at: &mut usize) -> Option<&'a [u8]> {
    let rest = body.get(*at..)?;
    let length = rest.iter().position(|&byte| byte == 0)?;
    *at += length + 1;
    Some(&rest[..length])
}

fn count(body: &[u8], at: &mut usize) -> Option<u16> {
    let number = be16(body, *at)?;
    *at += 2;
    Some(number)
}

fn format_codes(body: &[u8], at: &mut usize) -> Option<Vec<u16>> {
    let number = count(body, at)?;
    (0..number).map(|_| count(body, at).filter(|&code| code <= 1)).collect()
}

/// A length and that many octets; -1 is NULL, and no other negative length is.
#[allow(clippy::option_option)] // the outer says whether the body goes on as it must, the inner is NULL
fn value<'a>(body: &'a [u8], at: &mut usize) -> Option<Option<&'a [u8]>> {
    let length = be32(body, *at)?;
    *at += 4;
    if length == u32::MAX {
        return Some(None);
    }
    let octets = body.get(*at..at.checked_add(length as usize)?)?;
    *at += octets.len();
    Some(Some(octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = b"p\0s\0\0\x01\0\x01\0\x02\0\0\0\x02ab\xff\xff\xff\xff\0\x01\0\0";

    #[test]
    fn a_bind_comes_apart() {
        let fields = split_bind(BODY).unwrap();
        assert_eq!((fields.portal, fields.statement), (&b"p"[..], &b"s"[..]));
        assert_eq!(fields.values, [Some(&b"ab"[..]), None]);
        assert_eq!((fields.formats, fields.result_formats), (vec![1], vec![0]));
    }

    #[test]
    fn every_prefix_is_refused() {
        for end in 0..BODY.len() {
            assert_eq!(split_bind(&BODY[..end]), None);
        }
        assert_eq!(split_bind(&[BODY, b"x"].concat()), None);
    }
}
