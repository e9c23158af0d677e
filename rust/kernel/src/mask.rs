//! What stands of a value where a client may not see it (docs/spec/masks.md). The twin is `_kernel/masking.py`.

use crate::Refusal;
use crate::form::write_hex;
use crate::hmac::{DIGEST, Hmac};

const DIGITS: usize = 2 * DIGEST;
/// Octets before the @, and behind it (RFC 5321, sections 4.5.3.1.1 and 4.5.3.1.2).
const LOCAL: usize = 64;
const DOMAIN: usize = 255;
/// ISO/IEC 7812 has at most 19; 12 are the fewest that are in use.
const CARD_DIGITS: std::ops::RangeInclusive<usize> = 12..=19;
const CARD_SHOWN: usize = 4;

/// What the client gets in place of a value: the octets that were appended, or NULL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    Value,
    Null,
}

enum Kind {
    Null,
    Fixed,
    First(usize),
    Last(usize),
    Email { limit: usize },
    Card,
    Hash { mac: Hmac, digits: usize },
}

/// A mask of one column. `text` is the fixed value, or what stands for what is hidden. The state that was
/// derived from a key is wiped when it is dropped.
pub struct Mask {
    kind: Kind,
    text: Vec<u8>,
}

impl Mask {
    /// `shown` are characters, or digits of a hash; `limit` those that an address may have, 0 for any number. None
    /// where there is no such mask.
    #[must_use]
    pub fn new(kind: &str, text: &[u8], shown: usize, limit: usize, key: &[u8]) -> Option<Self> {
        let kind = match kind {
            "null" => Kind::Null,
            "fixed" => Kind::Fixed,
            "first" if shown > 0 => Kind::First(shown),
            "last" if shown > 0 => Kind::Last(shown),
            "email" => Kind::Email { limit },
            "card" => Kind::Card,
            "hash" if (1..=DIGITS).contains(&shown) => {
                Kind::Hash { mac: Hmac::new(key.try_into().ok()?), digits: shown }
            }
            _ => return None,
        };
        Some(Self { kind, text: text.to_vec() })
    }

    /// Whether it depends on the value.
    #[must_use]
    pub fn reads(&self) -> bool {
        !matches!(self.kind, Kind::Null | Kind::Fixed)
    }

    /// Appends what stands in place of the value; refuses one that is no UTF-8 where it is to be text.
    pub fn write(&self, value: &[u8], out: &mut Vec<u8>) -> Result<Given, Refusal> {
        match &self.kind {
            Kind::Null => return Ok(Given::Null),
            Kind::Fixed => out.extend_from_slice(&self.text),
            Kind::First(shown) => self.first(text(value)?, *shown, out),
            Kind::Last(shown) => self.last(text(value)?, *shown, out),
            Kind::Email { limit } => self.email(text(value)?, *limit, out),
            Kind::Card => self.card(text(value)?, out),
            Kind::Hash { mac, digits } => {
                let at = out.len();
                write_hex(&mac.digest(value), out)?;
                out.truncate(at + digits);
            }
        }
        Ok(Given::Value)
    }

    /// At least as many characters are hidden as shown, or none is shown: a short value would stand there whole.
    fn first(&self, value: &str, shown: usize, out: &mut Vec<u8>) {
        if let Some(end) = boundary(value, shown)
            && has_more(&value[end..], shown)
        {
            out.extend_from_slice(&value.as_bytes()[..end]);
        }
        out.extend_from_slice(&self.text);
    }

    fn last(&self, value: &str, shown: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.text);
        if let Some((start, _)) = value.char_indices().nth_back(shown - 1)
            && has_more(&value[..start], shown)
        {
            out.extend_from_slice(&value.as_bytes()[start..]);
        }
    }

    /// The first character and the domain, of what is an address beyond doubt; else nothing.
    fn email(&self, value: &str, limit: usize, out: &mut Vec<u8>) {
        let run = &self.text[..];
        let Some((local, domain)) = value.rsplit_once('@').filter(|(local, domain)| {
            (1..=LOCAL).contains(&local.len())
                && !local.bytes().any(|octet| octet <= b' ' || octet == 0x7f)
                && is_domain(domain.as_bytes())
        }) else {
            return out.extend_from_slice(run);
        };
        let first = boundary(local, 1).filter(|&end| end < local.len()).map_or("", |end| &local[..end]);
        let mut hidden = run.len();
        if limit > 0 {
            let left = limit.saturating_sub(usize::from(!first.is_empty()) + 1 + domain.len());
            if left == 0 {
                return out.extend_from_slice(run);
            }
            hidden = hidden.min(left);
        }
        out.extend_from_slice(first.as_bytes());
        out.extend_from_slice(&run[..hidden]);
        out.push(b'@');
        out.extend_from_slice(domain.as_bytes());
    }

    /// The last four digits of what can be the number of a card, however it is grouped; else nothing.
    fn card(&self, value: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.text);
        let digits = value.bytes().filter(u8::is_ascii_digit).count();
        let others = value.bytes().filter(|octet| matches!(octet, b' ' | b'-')).count();
        if CARD_DIGITS.contains(&digits) && digits + others == value.len() {
            let shown = value.bytes().filter(u8::is_ascii_digit).skip(digits - CARD_SHOWN);
            out.extend(shown);
        }
    }
}

fn text(value: &[u8]) -> Result<&str, Refusal> {
    std::str::from_utf8(value).map_err(|_| Refusal::Value)
}

/// Where the first `count` characters end, if there are as many.
fn boundary(value: &str, count: usize) -> Option<usize> {
    value.char_indices().nth(count - 1).map(|(at, character)| at + character.len_utf8())
}

fn has_more(rest: &str, count: usize) -> bool {
    rest.chars().nth(count - 1).is_some()
}

/// Labels of letters, digits and hyphens, two at least.
fn is_domain(domain: &[u8]) -> bool {
    let (mut dots, mut label) = (0, 0);
    for octet in domain {
        match octet {
            b'.' if label == 0 => return false,
            b'.' => (dots, label) = (dots + 1, 0),
            b'-' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => label += 1,
            _ => return false,
        }
    }
    dots > 0 && label > 0 && domain.len() <= DOMAIN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(mask: &Mask, value: &str) -> String {
        let mut out = Vec::new();
        assert_eq!(mask.write(value.as_bytes(), &mut out), Ok(Given::Value));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn as_much_is_hidden_as_shown() {
        let (first, last) =
            (Mask::new("first", b"**", 2, 0, b"").unwrap(), Mask::new("last", b"**", 2, 0, b"").unwrap());
        assert_eq!([masked(&first, "äöüß"), masked(&first, "abc")], ["äö**", "**"]);
        assert_eq!([masked(&last, "äöüß"), masked(&last, "abc"), masked(&last, "")], ["**üß", "**", "**"]);
    }

    #[test]
    fn addresses_keep_their_domain() {
        let mask = |limit| Mask::new("email", b"***", 0, limit, b"").unwrap();
        assert_eq!(masked(&mask(0), "anna@example.com"), "a***@example.com");
        assert_eq!(masked(&mask(0), "a@example.com"), "***@example.com");
        assert_eq!(masked(&mask(7), "an@b.de"), "a*@b.de");
        for other in ["", "anna", "an na@b.de", "@b.de", "anna@b", "anna@b..de", "anna@b.de ", "a@b@ü.de"] {
            assert_eq!(masked(&mask(0), other), "***");
        }
    }

    #[test]
    fn cards_keep_four_digits() {
        let mask = Mask::new("card", b"*", 0, 0, b"").unwrap();
        assert_eq!(masked(&mask, "4111 1111-1111 1234"), "*1234");
        for other in ["", "12345678901", "12345678901234567890", "4111111111111111x"] {
            assert_eq!(masked(&mask, other), "*");
        }
    }

    #[test]
    fn a_hash_is_rfc_4231s() {
        // RFC 4231 has no key of 32 octets: this value is Python's hmac of it.
        let mask = Mask::new("hash", b"", 8, 0, &[0x0b; 32]).unwrap();
        assert_eq!(masked(&mask, "Hi There"), "198a607e");
    }

    #[test]
    fn what_is_no_mask_or_no_text_is_refused() {
        assert!(Mask::new("hash", b"", 8, 0, b"short").is_none());
        assert!(Mask::new("hash", b"", 65, 0, &[0; 32]).is_none());
        assert!(Mask::new("first", b"", 0, 0, b"").is_none());
        assert!(Mask::new("other", b"", 0, 0, b"").is_none());
        for kind in ["first", "last", "email", "card"] {
            let mask = Mask::new(kind, b"*", 1, 0, b"").unwrap();
            assert_eq!(mask.write(b"\xff", &mut Vec::new()), Err(Refusal::Value));
        }
    }
}
