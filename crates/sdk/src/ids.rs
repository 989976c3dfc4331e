//! Random names of traces, spans and processes. They need be different, not secret.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::rand::{GetRandomFlags, getrandom};

thread_local! {
    static RANDOM: Cell<(u64, u64)> = const { Cell::new((0, 0)) };
}

/// Changes when a child was forked, which must not draw the numbers that its parent draws.
static SEEDS: AtomicU64 = AtomicU64::new(1);

/// Has every thread seed its numbers anew.
pub(crate) fn forget_seeds() {
    SEEDS.fetch_add(1, Ordering::AcqRel);
}

/// A random number; the weyl sequence of splitmix64 from a seed of the system.
#[inline]
#[must_use]
pub fn random() -> u64 {
    let now = SEEDS.load(Ordering::Acquire);
    RANDOM.with(|it| {
        let (of, state) = it.get();
        let state = if of == now { state } else { seed() };
        let state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        it.set((now, state));
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    })
}

fn seed() -> u64 {
    let mut bytes = [0; 8];
    match getrandom(&mut bytes, GetRandomFlags::empty()) {
        Ok(8) => u64::from_le_bytes(bytes),
        _ => crate::clock::now_nanos() ^ u64::from(std::process::id()) << 32,
    }
}

/// The id of a trace; never zero.
#[must_use]
pub fn new_trace_id() -> u128 {
    u128::from(random()) << 64 | u128::from(random() | 1)
}

/// The id of a span; never zero.
#[must_use]
pub fn new_span_id() -> u64 {
    random().max(1)
}

/// Appends the last `N` digits of a number in hexadecimal, without what `format!` costs.
pub fn push_hex<const N: usize>(number: u128, out: &mut String) {
    let mut digits = [0; N];
    for (place, digit) in digits.iter_mut().rev().enumerate() {
        let value = (number >> (4 * place)) as u8 & 15;
        *digit = if value < 10 {
            b'0' + value
        } else {
            b'a' - 10 + value
        };
    }
    out.push_str(std::str::from_utf8(&digits).unwrap_or_default());
}

/// A name for this process, as a UUID of version 4.
pub(crate) fn new_instance_id() -> String {
    forget_seeds();
    let (a, b) = (random(), random());
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a >> 32,
        a >> 16 & 0xffff,
        a & 0xfff,
        b >> 48 & 0x3fff | 0x8000,
        b & 0xffff_ffff_ffff
    )
}
