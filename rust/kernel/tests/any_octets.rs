//! Nothing panics, whatever the octets are: each function of the kernel on noise, and on what is nearly
//! right. `PROPTEST_CASES` says how many of each are tried; `make test-full` tries many.

use proptest::collection::vec;
use proptest::prelude::*;
use strongroom_kernel_core as kernel;
use strongroom_kernel_core::{
    Algorithm, Column, Columns, Form, Given, Mask, Nonces, Opener, Refusal, Seal, Sealer,
};

const PREFIX: &[u8] = b"\x01\0\0\0\x09";
const GCM: &[u8] = &[7; 32];
const SIV: &[u8] = &[7; 64];
const AFTER: &[u8] = b"E\0\0\0\x09\0\0\0\0\0";

/// A real sealer, or opener, of one column.
struct Real<T>(T);

impl Seal for Real<Sealer> {
    type Error = Refusal;

    fn seal(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        self.0.seal(value, &mut Nonces::new(), out)
    }

    fn is_refusal(_: &Refusal) -> bool {
        true
    }
}

impl Column for Real<Opener> {
    type Error = Refusal;

    fn open(&mut self, value: &[u8], out: &mut Vec<u8>) -> Result<Given, Refusal> {
        self.0.open(value, out)
    }
}

fn algorithm() -> impl Strategy<Value = (Algorithm, &'static [u8])> {
    prop_oneof![Just((Algorithm::Randomized, GCM)), Just((Algorithm::Deterministic, SIV))]
}

fn form() -> impl Strategy<Value = Form> {
    (0..5usize, any::<bool>()).prop_map(|(kind, text)| match kind {
        0 => Form::Verbatim,
        1 => Form::Integer { size: if text { 2 } else { 8 }, text },
        2 => Form::Bool { text },
        3 => Form::Uuid { text },
        _ => Form::Bytea { text },
    })
}

/// Noise, and noise of the octets that mean something.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let special = prop::sample::select(&b"\0\x01\x02\x04\x08\xffBDEPSTCZ2n\\.\r\n\",|x0f9a"[..]);
    prop_oneof![vec(any::<u8>(), 0..200), vec(special, 0..200)]
}

fn field() -> impl Strategy<Value = Vec<u8>> {
    let value = vec(any::<u8>(), 0..60).prop_map(|value| framed(Some(&value)));
    prop_oneof![4 => value, 1 => Just(framed(None)), 1 => vec(any::<u8>(), 0..9)]
}

fn framed(value: Option<&[u8]>) -> Vec<u8> {
    let length = value.map_or(-1, |value| i32::try_from(value.len()).unwrap());
    [&length.to_be_bytes()[..], value.unwrap_or_default()].concat()
}

fn tuple() -> impl Strategy<Value = Vec<u8>> {
    vec(field(), 2).prop_map(|fields| [&b"\0\x02"[..], &fields.concat()].concat())
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[tag][..], &length, body].concat()
}

/// A well-formed message sequence with some octets changed or cut off.
fn damaged(whole: impl Strategy<Value = Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    (
        whole,
        vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        any::<prop::sample::Index>(),
        any::<bool>(),
    )
        .prop_map(|(mut whole, changes, end, cut)| {
            for (place, octet) in changes {
                if !whole.is_empty() {
                    let place = place.index(whole.len());
                    whole[place] = octet;
                }
            }
            if cut && !whole.is_empty() {
                whole.truncate(end.index(whole.len()));
            }
            whole
        })
}

proptest! {
    #[test]
    fn framing(data in octets(), start in 0..300usize, limit in any::<usize>(), described in any::<bool>()) {
        let (spans, rest) = kernel::cut(&data, start, limit, b"D");
        prop_assert!(rest >= start && spans.iter().all(|&(_, from, to)| from < to && to <= data.len()));
        let _ = kernel::plain_round(&data);
        let _ = kernel::plain_reply(&data, described);
        let _ = kernel::split_bind(&data);
        let (_, end) = kernel::plain_answers(&data, start, described, limit);
        prop_assert!(end >= start);
    }

    #[test]
    fn rows(
        (algorithm, key) in algorithm(),
        form in form(),
        hexed in any::<bool>(),
        chunk in damaged(vec(tuple().prop_map(|one| message(b'D', &one)), 0..4).prop_map(|rows| rows.concat())),
    ) {
        let opener = Opener::new(algorithm, &[(PREFIX, key, &b"context"[..])], form, 0, hexed).unwrap();
        let _ = kernel::open_rows(&mut [(1, Real(opener))], 2, &chunk, &mut Vec::new());
    }

    #[test]
    fn masks(
        kind in prop::sample::select(vec!["first", "last", "email", "card", "hash", "fixed"]),
        shown in 0..70usize,
        limit in 0..20usize,
        value in octets(),
        run in vec(any::<u8>(), 0..4),
    ) {
        if let Some(mask) = Mask::new(kind, &run, shown, limit, GCM) {
            let _ = mask.write(&value, &mut Vec::new());
        }
    }

    #[test]
    fn what_is_sealed_opens_or_is_refused(
        (algorithm, key) in algorithm(), form in form(), pad in 0..20usize, limit in 0..9usize, value in octets(),
    ) {
        let sealer = Sealer::new(algorithm, (PREFIX, key), b"context", form, limit, pad).unwrap();
        let mut stored = Vec::new();
        if sealer.seal(&value, &mut Nonces::new(), &mut stored).is_ok() {
            let mut opener = Opener::new(algorithm, &[(PREFIX, key, &b"context"[..])], form, pad, false).unwrap();
            prop_assert!(opener.open(&stored, &mut Vec::new()).is_ok());
        }
    }

    #[test]
    fn copy(
        (algorithm, key) in algorithm(),
        form in form(),
        quote in prop::option::of(Just(b'"')),
        block in octets(),
        tuples in damaged(vec(tuple(), 0..4).prop_map(|tuples| tuples.concat())),
        start in 0..20usize,
    ) {
        let sealer = Sealer::new(algorithm, (PREFIX, key), b"context", form, 0, 0).unwrap();
        let mut seals = [(1, Real(sealer))];
        let mut columns = Columns { width: 2, seals: &mut seals };
        let lines = kernel::Syntax::new(b',', quote, b"");
        for end in [&b"\n"[..], b"\r\n"] {
            if let Ok(sealed) = lines.seal(&mut columns, &block, end, &mut Vec::new()) {
                prop_assert_eq!(sealed.end, block.len());
            }
        }
        for data in [&tuples, &block] {
            if let Ok(sealed) = kernel::seal_tuples(&mut columns, data, start, &mut Vec::new()) {
                prop_assert!(sealed.end == start || sealed.end <= data.len());
            }
        }
    }

    #[test]
    fn series(
        (algorithm, key) in algorithm(),
        form in form(),
        noise in octets(),
        rounds in damaged(
            vec(tuple().prop_map(|one| [&message(b'B', &[&b"a"[..], &one, b"z"].concat())[..], AFTER].concat()), 0..4)
                .prop_map(|rounds| rounds.concat())
        ),
        start in 0..20usize,
    ) {
        let pair = (b"a".to_vec(), b"z".to_vec());
        let series = kernel::Series { client: pair.clone(), upstream: pair, after: AFTER.to_vec(), count: 2 };
        let sealer = Sealer::new(algorithm, (PREFIX, key), b"context", form, 0, 0).unwrap();
        let mut columns = [(1, Some(Real(sealer))), (0, None)];
        for (data, start) in [(&rounds, 0), (&rounds, start), (&noise, start)] {
            let bound = series.seal(&mut columns, data, start, &mut Vec::new()).unwrap();
            prop_assert!(bound.end == start || bound.end <= data.len());
        }
    }
}
