//! Nothing that was derived from a key is left in memory that a dropped cipher gives back.
//!
//! The allocator of this test keeps what was in each block when it is freed. What depends on the key is found by
//! making the same cipher of two keys: octets that differ while they live must be gone when they are freed.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::RefCell;

use strongroom_kernel_core::{Algorithm, Form, Mask, Opener, Sealer};

const PREFIX: &[u8] = b"\x01\0\0\0\x09";
const SPAN: usize = 8;
/// Blocks that hold no cipher are smaller.
const SMALLEST: usize = 256;

thread_local! {
    static BLOCKS: RefCell<Option<Blocks>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Blocks {
    living: Vec<(usize, usize)>,
    freed: Vec<(usize, Vec<u8>)>,
}

struct Watching;

/// Does something to the blocks of this thread, if they are watched; what it allocates itself is not.
fn watched(work: impl FnOnce(&mut Blocks)) {
    let _ = BLOCKS.try_with(|blocks| {
        if let Ok(mut blocks) = blocks.try_borrow_mut()
            && let Some(blocks) = blocks.as_mut()
        {
            work(blocks);
        }
    });
}

// SAFETY: blocks come from the system's allocator and go back to it as they are.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // Zeroed, so that every octet has a value.
        let block = unsafe { System.alloc_zeroed(layout) };
        if layout.size() >= SMALLEST {
            watched(|blocks| blocks.living.push((block as usize, layout.size())));
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.size() >= SMALLEST {
            watched(|blocks| {
                blocks.freed.push((block as usize, unsafe { octets(block as usize, layout.size()) }));
            });
        }
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;

/// What is in a block, also in its padding: each octet is read by itself, whatever wrote it.
///
/// SAFETY: the block is allocated.
unsafe fn octets(block: usize, size: usize) -> Vec<u8> {
    (0..size).map(|at| unsafe { std::ptr::read_volatile((block as *const u8).add(at)) }).collect()
}

/// What each large block of a cipher held while it lived, and when it was freed.
fn lives<T>(make: impl FnOnce() -> T) -> Vec<(Vec<u8>, Vec<u8>)> {
    BLOCKS.set(Some(Blocks::default()));
    let cipher = make();
    let living = BLOCKS.take().unwrap().living;
    let held: Vec<_> = living.iter().map(|&(block, size)| (block, unsafe { octets(block, size) })).collect();
    BLOCKS.set(Some(Blocks::default()));
    drop(cipher);
    let freed = BLOCKS.take().unwrap().freed;
    held.into_iter()
        .filter_map(|(block, before)| {
            let (_, after) =
                freed.iter().find(|(other, after)| *other == block && after.len() == before.len())?;
            Some((before, after.clone()))
        })
        .collect()
}

/// Asserts that what differs between two keys is gone from what is freed.
fn assert_wiped<T>(fewest: usize, make: impl Fn(u8) -> T) {
    let (one, other) = (lives(|| make(0x5a)), lives(|| make(0xc3)));
    assert!(!one.is_empty() && one.len() == other.len(), "no block of a cipher was seen");
    let (mut secret, mut left) = (0, 0);
    for ((before, after), (before_other, _)) in one.iter().zip(&other) {
        for at in (0..before.len() - SPAN).step_by(SPAN) {
            let span = at..at + SPAN;
            if before[span.clone()] != before_other[span.clone()] {
                secret += 1;
                left += usize::from(after[span.clone()] == before[span]);
            }
        }
    }
    assert!(
        secret * SPAN >= fewest,
        "{} octets depend on the key: fewer than its schedule has",
        secret * SPAN
    );
    assert_eq!(left, 0, "of {secret} spans that depend on the key so many are left");
}

/// Octets of AES-256's key schedule.
const SCHEDULE: usize = 240;

fn key(algorithm: Algorithm, octet: u8) -> Vec<u8> {
    vec![octet; if algorithm == Algorithm::Randomized { 32 } else { 64 }]
}

#[test]
fn a_dropped_sealer_leaves_nothing() {
    for algorithm in [Algorithm::Randomized, Algorithm::Deterministic] {
        assert_wiped(SCHEDULE, |octet| {
            Sealer::new(algorithm, (PREFIX, &key(algorithm, octet)), b"context", Form::Verbatim, 0, 0)
                .unwrap()
        });
    }
}

#[test]
fn a_dropped_opener_leaves_nothing() {
    for algorithm in [Algorithm::Randomized, Algorithm::Deterministic] {
        assert_wiped(SCHEDULE, |octet| {
            let keys = [(PREFIX, &key(algorithm, octet)[..], &b"context"[..])];
            Opener::new(algorithm, &keys, Form::Verbatim, 0, false).unwrap()
        });
    }
}

#[test]
fn a_dropped_mask_leaves_nothing() {
    // Two states of SHA-256, of 32 octets each; in a block that is watched.
    assert_wiped(64, |octet| {
        Box::new((Mask::new("hash", b"", 32, 0, &[octet; 32]).unwrap(), [0u8; SMALLEST]))
    });
}
