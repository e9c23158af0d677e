//! Series of Bind, perhaps Describe, and Execute for one prepared statement, as pipelines have them, and the
//! answers to them.

use crate::copy::Seal;
use crate::frame::expect;
use crate::{Refusal, be16, be32};

/// What changes between the client's Bind and the one that goes upstream; the twin says what each part is.
pub struct Series {
    pub client: (Vec<u8>, Vec<u8>),
    pub upstream: (Vec<u8>, Vec<u8>),
    pub after: Vec<u8>,
    pub count: usize,
}

/// How far a series went: where it ended, how often it bound, and how many values each column sealed
/// that seals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    pub end: usize,
    pub rounds: usize,
    pub counts: Vec<usize>,
}

/// One of upstream's values: the place of the client's, and what seals it.
pub type Taken<S> = (usize, Option<S>);

impl Series {
    /// Appends the messages that go upstream, up to what is not of the series or is refused.
    pub fn seal<S: Seal>(
        &self,
        columns: &mut [Taken<S>],
        data: &[u8],
        start: usize,
        out: &mut Vec<u8>,
    ) -> Result<Bound, S::Error> {
        let mut bound = Bound { end: start, rounds: 0, counts: vec![0; columns.len()] };
        let mut values = Vec::with_capacity(self.count);
        while let Some(after) = self.values(data, bound.end, &mut values) {
            let begun = out.len();
            if let Err(error) = self.bind(columns, &values, out) {
                out.truncate(begun);
                if S::is_refusal(&error) {
                    break;
                }
                return Err(error);
            }
            for (count, (place, seal)) in bound.counts.iter_mut().zip(columns.iter()) {
                *count += usize::from(seal.is_some() && values[*place].is_some());
            }
            bound.end = after;
            bound.rounds += 1;
        }
        let mut seals = columns.iter().map(|(_, seal)| seal.is_some());
        bound.counts.retain(|_| seals.next().unwrap_or(false));
        Ok(bound)
    }

    fn bind<S: Seal>(
        &self,
        columns: &mut [Taken<S>],
        values: &[Option<&[u8]>],
        out: &mut Vec<u8>,
    ) -> Result<(), S::Error> {
        let begun = out.len();
        out.extend_from_slice(b"B\0\0\0\0");
        out.extend_from_slice(&self.upstream.0);
        out.extend_from_slice(&u16::try_from(columns.len()).map_err(|_| Refusal::Framing)?.to_be_bytes());
        for (place, seal) in columns {
            let at = out.len();
            out.extend_from_slice(&[0xff; 4]);
            let Some(value) = values[*place] else { continue };
            match seal {
                None => out.extend_from_slice(value),
                Some(seal) => seal.seal(value, out)?,
            }
            let length = out.len() - at - 4;
            put_length(out, at, length)?;
        }
        out.extend_from_slice(&self.upstream.1);
        let length = out.len() - begun - 1;
        put_length(out, begun + 1, length)?;
        out.extend_from_slice(&self.after);
        Ok(())
    }

    /// The values of the Bind at `at`, if what begins there is of the series; and where that ends.
    fn values<'a>(&self, data: &'a [u8], at: usize, values: &mut Vec<Option<&'a [u8]>>) -> Option<usize> {
        values.clear();
        let (body, after) = expect(data, at, b'B')?;
        let given = body.strip_prefix(&self.client.0[..])?.strip_suffix(&self.client.1[..])?;
        if usize::from(be16(given, 0)?) != self.count || !data[after..].starts_with(&self.after) {
            return None;
        }
        let mut at = 2;
        for _ in 0..self.count {
            let length = be32(given, at)?;
            at += 4;
            if length == u32::MAX {
                values.push(None);
                continue;
            }
            let length = usize::try_from(i32::try_from(length).ok()?).ok()?;
            values.push(Some(given.get(at..at.checked_add(length)?)?));
            at += length;
        }
        (at == given.len()).then_some(after + self.after.len())
    }
}

fn put_length(out: &mut [u8], at: usize, length: usize) -> Result<(), Refusal> {
    let length = i32::try_from(length).map_err(|_| Refusal::Value)?;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
    Ok(())
}

/// How many rounds of a series are answered from `start` on without rows, `most` at most; and the end.
#[must_use]
pub fn plain_answers(data: &[u8], start: usize, described: bool, most: usize) -> (usize, usize) {
    let (mut rounds, mut at) = (0, start);
    while rounds < most {
        let Some(after) = answer(data, at, described) else { break };
        at = after;
        rounds += 1;
    }
    (rounds, at)
}

fn answer(data: &[u8], at: usize, described: bool) -> Option<usize> {
    let mut at = empty(data, at, b'2')?;
    if described {
        at = empty(data, at, b'n')?;
    }
    Some(expect(data, at, b'C')?.1)
}

fn empty(data: &[u8], at: usize, tag: u8) -> Option<usize> {
    let (body, after) = expect(data, at, tag)?;
    body.is_empty().then_some(after)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Shout;

    impl Seal for Shout {
        type Error = Refusal;

        fn seal(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
            if value == b"no" {
                return Err(Refusal::Value);
            }
            out.extend(value.to_ascii_uppercase());
            Ok(())
        }

        fn is_refusal(_: &Refusal) -> bool {
            true
        }
    }

    const AFTER: &[u8] = b"E\0\0\0\x09\0\0\0\0\0";

    fn message(before: &[u8], values: &[Option<&[u8]>], behind: &[u8]) -> Vec<u8> {
        let mut body = before.to_vec();
        body.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
        for value in values {
            body.extend(value.map_or(-1, |value| i32::try_from(value.len()).unwrap()).to_be_bytes());
            body.extend(value.unwrap_or_default());
        }
        body.extend(behind);
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [b"B", &length[..], &body, AFTER].concat()
    }

    fn sealed(data: &[u8]) -> (Vec<u8>, Bound) {
        let pair = |before: &[u8], behind: &[u8]| (before.to_vec(), behind.to_vec());
        let (client, upstream) = (pair(b"c", b"d"), pair(b"up", b""));
        let series = Series { client, upstream, after: AFTER.to_vec(), count: 2 };
        let mut out = Vec::new();
        let mut columns = [(1, Some(Shout)), (0, None), (1, None)];
        let bound = series.seal(&mut columns, data, 0, &mut out).unwrap();
        (out, bound)
    }

    #[test]
    fn a_series_is_sealed_up_to_what_is_not_of_it() {
        let one = message(b"c", &[Some(b"a"), Some(b"b")], b"d");
        let two = message(b"c", &[None, None], b"d");
        let there =
            [message(b"up", &[Some(b"B"), Some(b"a"), Some(b"b")], b""), message(b"up", &[None; 3], b"")];
        let whole = [&one[..], &two].concat();
        let bound = Bound { end: whole.len(), rounds: 2, counts: vec![1] };
        for other in [&b""[..], b"S\0\0\0\x04", &one[..one.len() - 1], &message(b"x", &[None; 2], b"d")] {
            assert_eq!(sealed(&[&whole, other].concat()), (there.concat(), bound.clone()));
        }
        let refused = message(b"c", &[None, Some(b"no")], b"d");
        assert_eq!(sealed(&[&whole[..], &refused].concat()), (there.concat(), bound));
    }

    #[test]
    fn answers_are_counted() {
        let one = b"2\0\0\0\x04n\0\0\0\x04C\0\0\0\x06X\0";
        let data = [&one[..], one, one].concat();
        assert_eq!(plain_answers(&data, 0, true, 9), (3, 51));
        assert_eq!(plain_answers(&data, 17, true, 1), (1, 34));
        assert_eq!(plain_answers(&data, 0, false, 9), (0, 0));
        assert_eq!(plain_answers(&data[..50], 0, true, 9), (2, 34));
    }
}
