//! Small numbers in as few bits as their distribution allows.
//!
//! Each number is cut: its low bits are written as they are, the rest is one of 32 symbols, coded by
//! rANS after the one of [`N_SHAPES`] fixed distributions that fits best, or an escape. A column of
//! its own fitting table would cost more than it gains: columns are short.
//!
//! Bytes: one with the number of low bits (0x80: there are escapes); the shape; the low bits,
//! packed; when there are escapes their number and for each what it has above 32, as varints; the
//! state (three bytes, little-endian), then bytes in the order of reading.
//!
//! *Invariants*: shapes never change, since files name them by number; they are made by additions,
//! multiplications and divisions alone, which are the same on every machine.
//!
//! *Sources*: Duda 2013 (asymmetric numeral systems); Giesen 2014 (renormalisation by bytes).

use std::sync::LazyLock;

use crate::bytes::{Put, Reader};
use crate::codec::{pack, unpack};

/// Numbers that are to be coded, and how.
pub(crate) struct Coding {
    n_low: u32,
    shape: usize,
    n_escapes: usize,
    /// About how many bytes it will take.
    pub(crate) cost: usize,
}

impl Coding {
    /// The best coding of numbers most of which have up to `width` bits.
    pub(crate) fn of(numbers: &[u64], width: u32) -> Self {
        let n_low = width.saturating_sub(SYMBOL_BITS);
        let mut counts = [0_u32; N_SYMBOLS];
        let mut escape_bytes = 0;
        for &number in numbers {
            let symbol = symbol_of(number >> n_low);
            counts[symbol] += 1;
            if symbol == ESCAPE {
                escape_bytes += 1 + (70 - number.leading_zeros() - n_low) as usize / 7;
            }
        }
        let n_used = counts.iter().rposition(|&n| n > 0).map_or(0, |idx| idx + 1);
        let costs = candidates(n_used).map(|shape| (SHAPES[shape].cost(&counts[..n_used]), shape));
        let best = costs.min_by(|a, b| a.0.total_cmp(&b.0));
        let (bits, shape) = best.unwrap_or((f32::MAX, 0));
        let low_bytes = (numbers.len() * n_low as usize).div_ceil(8);
        Self {
            n_low,
            shape,
            n_escapes: counts[ESCAPE] as usize,
            cost: bits as usize / 8 + HEAD_BYTES + low_bytes + escape_bytes,
        }
    }

    /// Writes the numbers.
    pub(crate) fn put(&self, numbers: &[u64], out: &mut Vec<u8>) {
        let has_escapes = if self.n_escapes > 0 { HAS_ESCAPES } else { 0 };
        out.push(self.n_low as u8 | has_escapes);
        out.push(self.shape as u8);
        pack(numbers, self.n_low, out);
        if self.n_escapes > 0 {
            out.put_varint(self.n_escapes as u64);
            let high = numbers.iter().map(|number| number >> self.n_low);
            high.filter(|&high| symbol_of(high) == ESCAPE)
                .for_each(|high| out.put_varint(high - ESCAPE as u64));
        }
        let shape = &SHAPES[self.shape];
        let mut state = STATE_MIN;
        let mut bytes: Vec<u8> = Vec::with_capacity(numbers.len());
        for number in numbers.iter().rev() {
            let symbol = symbol_of(number >> self.n_low);
            let (start, frequency) = shape.interval(symbol);
            while state >= frequency << (STATE_BITS - SCALE_BITS) {
                bytes.push(state as u8);
                state >>= 8;
            }
            state = ((state / frequency) << SCALE_BITS) + state % frequency + start;
        }
        out.extend_from_slice(&state.to_le_bytes()[..3]);
        out.extend(bytes.iter().rev());
    }
}

/// Reads `n` numbers.
pub(crate) fn read(reader: &mut Reader<'_>, n: usize) -> Option<Vec<u64>> {
    let head = reader.byte()?;
    let n_low = u32::from(head & !HAS_ESCAPES);
    let shape = SHAPES.get(usize::from(reader.byte()?))?;
    if n_low >= 64 {
        return None;
    }
    let mut numbers = unpack(reader, n, n_low)?;
    let n_escapes = if head & HAS_ESCAPES != 0 {
        reader.count()?
    } else {
        0
    };
    let mut escapes = *reader;
    for _ in 0..n_escapes {
        reader.varint()?;
    }
    let [low, middle, high] = *reader.take(3)?.first_chunk::<3>()?;
    let mut state = u32::from_le_bytes([low, middle, high, 0]);
    for number in &mut numbers {
        let place = state & (SCALE - 1);
        let symbol = shape.symbol_at(place as u16);
        let (start, frequency) = shape.interval(symbol);
        state = frequency
            .wrapping_mul(state >> SCALE_BITS)
            .wrapping_add(place - start);
        while state < STATE_MIN {
            state = state << 8 | u32::from(reader.byte()?);
        }
        let high = if symbol == ESCAPE {
            escapes.varint()?.checked_add(ESCAPE as u64)?
        } else {
            symbol as u64
        };
        *number |= high << n_low;
    }
    Some(numbers)
}

fn symbol_of(high: u64) -> usize {
    high.min(ESCAPE as u64) as usize
}

/// How likely each symbol is.
struct Shape {
    /// Where the interval of each symbol begins; those of symbols that never come are empty. The
    /// rest is [`SCALE`]: more than any place.
    starts: [u16; N_STARTS],
    /// Bits that a symbol costs.
    bits: [f32; N_SYMBOLS],
}

impl Shape {
    /// Of weights; a symbol with a weight has an interval, however small.
    fn of(weights: &[f64; N_SYMBOLS]) -> Self {
        let total: f64 = weights.iter().sum();
        let mut sizes = [0_u32; N_SYMBOLS];
        for (size, &weight) in sizes.iter_mut().zip(weights) {
            if weight > 0.0 {
                *size = ((weight / total * f64::from(SCALE)) as u32).max(1);
            }
        }
        // What rounding left or took is settled with the likeliest.
        let used: u32 = sizes.iter().sum();
        let mut likeliest = 0;
        for symbol in 1..N_SYMBOLS {
            if sizes[symbol] > sizes[likeliest] {
                likeliest = symbol;
            }
        }
        sizes[likeliest] = sizes[likeliest] + SCALE - used;
        let mut shape = Self {
            starts: [SCALE as u16; N_STARTS],
            bits: [UNKNOWN_BITS; N_SYMBOLS],
        };
        let mut start = 0;
        for (symbol, &size) in sizes.iter().enumerate() {
            shape.starts[symbol] = start as u16;
            start += size;
            if size > 0 {
                shape.bits[symbol] = SCALE_BITS as f32 - (size as f32).log2();
            }
        }
        shape
    }

    fn cost(&self, counts: &[u32]) -> f32 {
        let bits = counts.iter().zip(&self.bits);
        bits.map(|(&n, bits)| n as f32 * bits).sum()
    }

    #[inline]
    fn interval(&self, symbol: usize) -> (u32, u32) {
        let start = self.starts[symbol];
        (u32::from(start), u32::from(self.starts[symbol + 1] - start))
    }

    /// The symbol whose interval has the place, which is less than [`SCALE`].
    #[inline]
    fn symbol_at(&self, place: u16) -> usize {
        let begun = self.starts.iter().map(|&start| u16::from(start <= place));
        usize::from(begun.sum::<u16>()) - 1
    }
}

/// The shapes that may suit numbers below `n_used`.
fn candidates(n_used: usize) -> impl Iterator<Item = usize> {
    // A shape of too few symbols cannot, one of more than needed does not.
    let even = (1..=EVEN_N).contains(&n_used).then(|| n_used - 1);
    let is_sloped = SLOPED_N.contains(&n_used);
    let first = EVEN_N + n_used.saturating_sub(*SLOPED_N.start());
    let sloped = (0..SLOPES.len()).map(move |idx| first + idx * N_SLOPED);
    let sloped = sloped.filter(move |_| is_sloped);
    let others = EVEN_N + SLOPES.len() * N_SLOPED..N_SHAPES;
    even.into_iter().chain(sloped).chain(others)
}

static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(|| {
    let mut shapes = Vec::with_capacity(N_SHAPES);
    let mut add = |weight: &dyn Fn(usize) -> f64| {
        let mut weights = [0.0; N_SYMBOLS];
        for (symbol, slot) in weights.iter_mut().enumerate() {
            *slot = weight(symbol);
        }
        shapes.push(Shape::of(&weights));
    };
    // Even: all below n are alike.
    for n in 1..=EVEN_N {
        add(&|symbol| if symbol < n { 1.0 } else { 0.0 });
    }
    // The same with slopes at both ends: what is even, but wanders.
    for slope in SLOPES {
        for n in SLOPED_N {
            add(&|symbol| {
                let to_end = symbol.min((n - 1).wrapping_sub(symbol));
                let height = (to_end as f64 + 0.5) / slope as f64;
                if symbol < n { height.min(1.0) } else { 0.0 }
            });
        }
    }
    // Falling: each is less likely than the one before by the same factor.
    let shares = (1..32).map(|share| f64::from(share) / 32.0);
    for factor in shares
        .clone()
        .chain([64.0, 128.0, 256.0, 1024.0].map(|it| 1.0 / it))
    {
        add(&|symbol| (0..symbol).fold(1.0, |weight, _| (weight * factor).max(LEAST)));
    }
    // Two: hardly ever more than one.
    for share in shares {
        add(&|symbol| match symbol {
            0 => 1.0 - share,
            1 => share,
            _ => LEAST,
        });
    }
    // The half of a bell.
    for width in [2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 14.0] {
        // exp(-1 / (2 width^2)), by the start of its series.
        let x = 1.0 / (2.0 * width * width);
        let near = 1.0 - x + x * x / 2.0 - x * x * x / 6.0;
        add(&|symbol| {
            let square = symbol * symbol;
            (0..square).fold(1.0, |weight, _| (weight * near).max(LEAST))
        });
    }
    shapes
});

const SYMBOL_BITS: u32 = 5;
/// What is no symbol follows apart.
const ESCAPE: usize = 1 << SYMBOL_BITS;
const N_SYMBOLS: usize = ESCAPE + 1;
/// Rounded up for the processor, which compares eight at once.
const N_STARTS: usize = 40;
const EVEN_N: usize = 32;
/// How many symbols a slope takes.
const SLOPES: [usize; 4] = [1, 3, 6, 10];
const SLOPED_N: std::ops::RangeInclusive<usize> = 3..=EVEN_N;
const N_SLOPED: usize = EVEN_N - 2;
const N_SHAPES: usize = EVEN_N + SLOPES.len() * N_SLOPED + 35 + 31 + 10;
const SCALE_BITS: u32 = 12;
const SCALE: u32 = 1 << SCALE_BITS;
/// So little that its interval is the smallest.
const LEAST: f64 = 1e-9;
/// A state has at most so many bits, and eight less than that at least.
const STATE_BITS: u32 = 23;
const STATE_MIN: u32 = 1 << (STATE_BITS - 8);
const HAS_ESCAPES: u8 = 0x80;
/// Low bits, shape and state.
const HEAD_BYTES: usize = 5;
/// What a symbol costs that a shape does not know.
const UNKNOWN_BITS: f32 = 1e9;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(numbers: &[u64], width: u32) -> usize {
        let coding = Coding::of(numbers, width);
        let mut bytes = Vec::new();
        coding.put(numbers, &mut bytes);
        assert_eq!(read(&mut Reader(&bytes), numbers.len()).unwrap(), numbers);
        for len in 0..bytes.len() {
            // Damage is no reason to panic.
            let _ = read(&mut Reader(&bytes[..len]), numbers.len());
        }
        bytes.len()
    }

    fn chance(n: u64) -> u64 {
        (n + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) >> 33
    }

    #[test]
    fn numbers_take_about_their_entropy() {
        let of = |f: &dyn Fn(u64) -> u64| (0..240).map(|n| f(chance(n))).collect::<Vec<_>>();
        // 240 numbers below 450: 264 bytes; one in seven is 1: 18 bytes.
        assert!(check(&of(&|it| it % 450), 9) <= 275);
        assert!(check(&of(&|it| u64::from(it % 7 == 0)), 1) <= 27);
        assert!(check(&of(&|it| it % 11), 4) <= 112);
        assert!(check(&of(&|_| 0), 0) <= 8);
        assert!(check(&[], 0) <= 8);
    }

    #[test]
    fn escapes_come_back() {
        let mut numbers: Vec<u64> = (0..240).map(|n| chance(n) % 20).collect();
        numbers[7] = u64::MAX;
        numbers[8] = 32;
        numbers[200] = 1 << 40;
        check(&numbers, 5);
        check(&numbers, 3);
        check(&numbers, 64);
    }

    /// Files name shapes by number: whoever changes one makes them unreadable.
    #[test]
    fn shapes_are_what_they_were() {
        let mut sum = 0_u64;
        for start in SHAPES.iter().flat_map(|shape| shape.starts) {
            sum = sum.wrapping_mul(31).wrapping_add(u64::from(start));
        }
        assert_eq!((SHAPES.len(), sum), (228, 16_745_207_071_193_021_366));
    }
}
