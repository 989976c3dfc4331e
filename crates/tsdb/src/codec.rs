//! Columns of timestamps and of values as few bytes.
//!
//! - *packed*: numbers bit by bit, all with one width; what is wider is patched from a list. A byte
//!   with the width, a varint with the length of the list, the bits (low ones first), then for each
//!   patch its distance from the patch before and the high bits, as varints.
//! - *deltas*: the first number as *signed*, then *steps*.
//! - *steps*, of two numbers and more: a byte with the shift that all differences share (low six
//!   bits) and whether they are zigzagged (0x40), a base that each difference exceeds as *signed*,
//!   and the rest *packed*, or, when the byte has 0x80, as `coder` writes it.
//! - *values*: a byte with the kind. 0: all the same, one *float*. 1 to 7: whole numbers of
//!   10^-(kind - 1), as *deltas*, before them a varint with the number of values that are none
//!   (NaN, stale marker, -0.0, infinity) and for each a varint with its place and its 8 bytes. 8:
//!   8 bytes of the first value, a byte with the shift, and each value's bits XOR those before,
//!   shifted and *packed*.
//! - *values after*: as *values*, but without the first one, which the reader knows; whole numbers
//!   as *steps*; when there are none but those, the kind has 0x80 and their number is left out.
//!
//! *Invariants*: every column comes back bit for bit. Reading damaged bytes gives `None` or wrong
//! numbers, never a panic: checksums are the caller's.
//!
//! *Sources*: Lemire and Boytsov 2015 (frame of reference with patches); Pelkonen et al. 2015 (XOR).

use crate::bytes::{Put, Reader, unzigzag, zigzag};
use crate::coder::{self, Coding};

/// How much work is put into a column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effort {
    /// For samples in memory.
    Quick,
    /// For files.
    Small,
}

/// Appends a column of timestamps.
pub(crate) fn put_timestamps(at: &[i64], out: &mut Vec<u8>) {
    put_deltas(at, Effort::Quick, out);
}

/// The same with more work, for files.
pub(crate) fn put_timestamps_small(at: &[i64], out: &mut Vec<u8>) {
    put_deltas(at, Effort::Small, out);
}

/// Reads `n` timestamps.
pub(crate) fn timestamps(reader: &mut Reader<'_>, n: usize, at: &mut Vec<i64>) -> Option<()> {
    deltas(reader, n, |number| at.push(number))
}

/// Appends a column of values.
pub(crate) fn put_values(values: &[f64], out: &mut Vec<u8>) {
    let Some(&first) = values.first() else {
        return;
    };
    let is_same = |value: &f64| value.to_bits() == first.to_bits();
    if values.iter().all(is_same) {
        out.push(KIND_SAME);
        out.put_float(first);
        return;
    }
    match Decimal::fitting(values) {
        Some(decimal) => {
            decimal.put_head(values, out);
            put_deltas(&decimal.numbers, Effort::Quick, out);
        }
        None => {
            out.push(KIND_XOR);
            out.extend_from_slice(&first.to_bits().to_le_bytes());
            put_xor(values, out);
        }
    }
}

/// Appends a column of values, at least one, but for the first, with more work than
/// [`put_values`].
pub(crate) fn put_values_after(values: &[f64], out: &mut Vec<u8>) {
    let Some(&first) = values.first() else {
        return;
    };
    if values.iter().all(|it| it.to_bits() == first.to_bits()) {
        out.push(KIND_SAME);
        return;
    }
    match Decimal::fitting(values) {
        Some(decimal) => {
            if decimal.odd.is_empty() {
                out.push((KIND_DECIMAL + decimal.exponent as u8) | ALL_WHOLE);
            } else {
                decimal.put_head(values, out);
            }
            put_steps(&decimal.numbers, Effort::Small, out);
        }
        None => {
            out.push(KIND_XOR);
            put_xor(values, out);
        }
    }
}

/// Reads `n` values, the first of which is known.
pub(crate) fn values_after(
    reader: &mut Reader<'_>,
    n: usize,
    first: f64,
    values: &mut Vec<f64>,
) -> Option<()> {
    if n == 0 {
        return Some(());
    }
    match reader.byte()? {
        KIND_SAME => {
            values.resize(values.len() + n, first);
            Some(())
        }
        KIND_XOR => xor(reader, n, first.to_bits(), values),
        kind => {
            let exponent = usize::from(kind & !ALL_WHOLE).checked_sub(1)?;
            let power = *POWERS.get(exponent)?;
            let n_odd = if kind & ALL_WHOLE != 0 {
                0
            } else {
                reader.count()?
            };
            let first = Decimal::number(first, power).unwrap_or(0);
            decimal(reader, n, power, n_odd, Some(first), values)
        }
    }
}

/// Reads `n` values.
pub(crate) fn values(reader: &mut Reader<'_>, n: usize, values: &mut Vec<f64>) -> Option<()> {
    if n == 0 {
        return Some(());
    }
    match reader.byte()? {
        KIND_SAME => {
            let value = reader.float()?;
            values.resize(values.len() + n, value);
            Some(())
        }
        KIND_XOR => {
            let first = u64::from_le_bytes(reader.take(8)?.try_into().ok()?);
            xor(reader, n, first, values)
        }
        kind => {
            let power = *POWERS.get(usize::from(kind) - 1)?;
            let n_odd = reader.count()?;
            decimal(reader, n, power, n_odd, None, values)
        }
    }
}

/// Values as whole numbers of a power of ten, but for a few.
struct Decimal {
    exponent: usize,
    numbers: Vec<i64>,
    /// Places of values that are no such number; a place repeats the number before it.
    odd: Vec<usize>,
}

impl Decimal {
    /// With the smallest power of ten that does.
    fn fitting(values: &[f64]) -> Option<Self> {
        let powers = POWERS.iter().enumerate();
        let mut fits = powers.filter_map(|(exponent, &power)| Self::of(values, power, exponent));
        fits.next()
    }

    /// A value as a whole number, when it is one.
    #[inline]
    fn number(value: f64, power: f64) -> Option<i64> {
        let scaled = value * power;
        // Adding and taking away 1.5 * 2^52 rounds to a whole number.
        let rounded = (scaled + ROUNDER) - ROUNDER;
        let is_exact = scaled.abs() < NUMBER_MAX
            && ((rounded as i64) as f64 / power).to_bits() == value.to_bits();
        is_exact.then_some(rounded as i64)
    }

    /// `None` when more than a few of the values are no such number.
    fn of(values: &[f64], power: f64, exponent: usize) -> Option<Self> {
        let mut numbers = Vec::with_capacity(values.len());
        let mut odd = Vec::new();
        let odd_max = values.len() / 16 + 1;
        let mut number = 0;
        for (place, &value) in values.iter().enumerate() {
            if let Some(exact) = Self::number(value, power) {
                number = exact;
            } else if odd.len() < odd_max {
                odd.push(place);
            } else {
                return None;
            }
            numbers.push(number);
        }
        Some(Self {
            exponent,
            numbers,
            odd,
        })
    }

    fn put_head(&self, values: &[f64], out: &mut Vec<u8>) {
        out.push(KIND_DECIMAL + self.exponent as u8);
        out.put_varint(self.odd.len() as u64);
        for &place in &self.odd {
            out.put_varint(place as u64);
            out.extend_from_slice(&values[place].to_bits().to_le_bytes());
        }
    }
}

/// Whole numbers, the first of which is read unless it is known.
fn decimal(
    reader: &mut Reader<'_>,
    n: usize,
    power: f64,
    n_odd: usize,
    first: Option<i64>,
    values: &mut Vec<f64>,
) -> Option<()> {
    let mut odd = *reader;
    for _ in 0..n_odd {
        reader.varint()?;
        reader.take(8)?;
    }
    let start = values.len();
    let first = match first {
        Some(first) => first,
        None => reader.signed()?,
    };
    if power == 1.0 {
        steps(reader, n, first, |number| values.push(number as f64))?;
    } else {
        steps(reader, n, first, |number| {
            values.push(number as f64 / power);
        })?;
    }
    for _ in 0..n_odd {
        let place = usize::try_from(odd.varint()?).ok()?;
        let bits = u64::from_le_bytes(odd.take(8)?.try_into().ok()?);
        *values[start..].get_mut(place)? = f64::from_bits(bits);
    }
    Some(())
}

fn put_xor(values: &[f64], out: &mut Vec<u8>) {
    let mut residuals: Vec<u64> = values
        .windows(2)
        .map(|pair| pair[0].to_bits() ^ pair[1].to_bits())
        .collect();
    let shift = common_shift(residuals.iter().copied());
    residuals
        .iter_mut()
        .for_each(|residual| *residual >>= shift);
    out.push(shift as u8);
    put_packed(&residuals, width_of(&residuals).0, out);
}

fn xor(reader: &mut Reader<'_>, n: usize, first: u64, values: &mut Vec<f64>) -> Option<()> {
    let mut bits = first;
    let shift = u32::from(reader.byte()?);
    let residuals = packed(reader, n - 1)?;
    values.push(f64::from_bits(bits));
    for residual in residuals {
        bits ^= residual.checked_shl(shift)?;
        values.push(f64::from_bits(bits));
    }
    Some(())
}

fn put_deltas(numbers: &[i64], effort: Effort, out: &mut Vec<u8>) {
    if let Some(&first) = numbers.first() {
        out.put_signed(first);
        put_steps(numbers, effort, out);
    }
}

fn put_steps(numbers: &[i64], effort: Effort, out: &mut Vec<u8>) {
    if numbers.len() < 2 {
        return;
    }
    // Differences wrap around: so every column comes back, even one from end to end of time.
    let mut steps: Vec<i64> = numbers
        .windows(2)
        .map(|pair| pair[1].wrapping_sub(pair[0]))
        .collect();
    let shift = common_shift(steps.iter().map(|&step| step as u64));
    steps.iter_mut().for_each(|step| *step >>= shift);
    let mut head = shift as u8;
    let mut base = steps.iter().copied().min().unwrap_or(0);
    let mut above = residuals(&steps, base, false);
    let (mut width, mut cost) = width_of(&above);
    // Around the middle costs a bit for the sign, and saves much where one step falls far below.
    if width > 0 {
        let middle = middle_of(&steps);
        let around_middle = residuals(&steps, middle, true);
        let (middle_width, middle_cost) = width_of(&around_middle);
        if middle_cost < cost {
            head |= ZIGZAGGED;
            (base, above) = (middle, around_middle);
            (width, cost) = (middle_width, middle_cost);
        }
    }
    let coding = (effort == Effort::Small && width > 0).then(|| Coding::of(&above, width));
    if let Some(coding) = coding.filter(|coding| coding.cost < cost) {
        out.push(head | CODED);
        out.put_signed(base);
        coding.put(&above, out);
    } else {
        out.push(head);
        out.put_signed(base);
        put_packed(&above, width, out);
    }
}

fn deltas(reader: &mut Reader<'_>, n: usize, push: impl FnMut(i64)) -> Option<()> {
    if n == 0 {
        return Some(());
    }
    let first = reader.signed()?;
    steps(reader, n, first, push)
}

/// Reads `n` numbers, at least one, the first of which is known.
fn steps(reader: &mut Reader<'_>, n: usize, first: i64, mut push: impl FnMut(i64)) -> Option<()> {
    let mut number = first;
    push(number);
    if n == 1 {
        return Some(());
    }
    let head = reader.byte()?;
    let shift = u32::from(head & SHIFT);
    let base = reader.signed()?;
    let residuals = if head & CODED != 0 {
        coder::read(reader, n - 1)?
    } else {
        packed(reader, n - 1)?
    };
    let is_zigzagged = head & ZIGZAGGED != 0;
    for residual in residuals {
        let above = if is_zigzagged {
            unzigzag(residual)
        } else {
            residual as i64
        };
        number = number.wrapping_add(base.wrapping_add(above) << shift);
        push(number);
    }
    Some(())
}

fn residuals(steps: &[i64], base: i64, is_zigzagged: bool) -> Vec<u64> {
    let above = steps.iter().map(|step| step.wrapping_sub(base));
    if is_zigzagged {
        above.map(zigzag).collect()
    } else {
        above.map(|above| above as u64).collect()
    }
}

fn middle_of(steps: &[i64]) -> i64 {
    let mut sorted = steps.to_vec();
    let idx = sorted.len() / 2;
    *sorted.select_nth_unstable(idx).1
}

/// How many low bits are zero in all of the numbers; zero when all numbers are.
fn common_shift(numbers: impl Iterator<Item = u64>) -> u32 {
    let all = numbers.fold(0, |all, number| all | number);
    if all == 0 { 0 } else { all.trailing_zeros() }
}

/// The cheapest width, and the bytes that the numbers take with it.
fn width_of(numbers: &[u64]) -> (u32, usize) {
    let mut n_of_len = [0_usize; 65];
    for number in numbers {
        n_of_len[(64 - number.leading_zeros()) as usize] += 1;
    }
    let len_max = n_of_len.iter().rposition(|&n| n > 0).unwrap_or(0);
    let cost_of = |width: usize| {
        let patches =
            (width + 1..=len_max).map(|len| n_of_len[len] * (1 + (len - width).div_ceil(7)));
        (numbers.len() * width).div_ceil(8) + patches.sum::<usize>()
    };
    let best = (0..=len_max)
        .rev()
        .map(|width| (cost_of(width), width))
        .min();
    best.map_or((0, 0), |(cost, width)| (width as u32, cost))
}

fn put_packed(numbers: &[u64], width: u32, out: &mut Vec<u8>) {
    let mask = mask_of(width);
    let n_patches = numbers
        .iter()
        .filter(|&&number| number & !mask != 0)
        .count();
    out.push(width as u8);
    out.put_varint(n_patches as u64);
    pack(numbers, width, out);
    let mut after = 0;
    for (place, number) in numbers.iter().enumerate() {
        if number & !mask != 0 {
            out.put_varint((place - after) as u64);
            out.put_varint(number >> width);
            after = place;
        }
    }
}

/// The low bits of numbers.
pub(crate) fn pack(numbers: &[u64], width: u32, out: &mut Vec<u8>) {
    let mask = mask_of(width);
    let (mut bits, mut n_bits) = (0_u128, 0);
    for number in numbers {
        bits |= u128::from(number & mask) << n_bits;
        n_bits += width;
        if n_bits >= 64 {
            out.extend_from_slice(&(bits as u64).to_le_bytes());
            bits >>= 64;
            n_bits -= 64;
        }
    }
    out.extend_from_slice(&bits.to_le_bytes()[..n_bits.div_ceil(8) as usize]);
}

fn packed(reader: &mut Reader<'_>, n: usize) -> Option<Vec<u64>> {
    let width = u32::from(reader.byte()?);
    let n_patches = reader.count()?;
    if width > 64 {
        return None;
    }
    let mut numbers = unpack(reader, n, width)?;
    let mut place = 0;
    for _ in 0..n_patches {
        place += usize::try_from(reader.varint()?).ok()?;
        *numbers.get_mut(place)? |= reader.varint()?.checked_shl(width)?;
    }
    Some(numbers)
}

/// Reads the low bits of `n` numbers.
pub(crate) fn unpack(reader: &mut Reader<'_>, n: usize, width: u32) -> Option<Vec<u64>> {
    let mut source = reader.take((n * width as usize).div_ceil(8))?;
    let mask = mask_of(width);
    let mut numbers = Vec::with_capacity(n);
    let (mut bits, mut n_bits) = (0_u128, 0);
    for _ in 0..n {
        if n_bits < width {
            let (word, n_taken) = match source.first_chunk::<8>() {
                Some(word) => (u64::from_le_bytes(*word), 8),
                None => {
                    let mut word = [0; 8];
                    word[..source.len()].copy_from_slice(source);
                    (u64::from_le_bytes(word), source.len())
                }
            };
            source = &source[n_taken..];
            bits |= u128::from(word) << n_bits;
            n_bits += 64;
        }
        numbers.push(bits as u64 & mask);
        bits >>= width;
        n_bits -= width;
    }
    Some(numbers)
}

fn mask_of(width: u32) -> u64 {
    u64::MAX.checked_shr(64 - width).unwrap_or(0)
}

const KIND_SAME: u8 = 0;
const KIND_DECIMAL: u8 = 1;
const KIND_XOR: u8 = 8;
const ALL_WHOLE: u8 = 0x80;
const SHIFT: u8 = 0x3f;
const ZIGZAGGED: u8 = 0x40;
const CODED: u8 = 0x80;
const POWERS: [f64; 7] = [1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6];
/// Whole numbers up to here survive the rounding by [`ROUNDER`].
const NUMBER_MAX: f64 = (1_u64 << 51) as f64;
const ROUNDER: f64 = 6_755_399_441_055_744.0;

#[cfg(test)]
mod tests {
    use firebell_model::STALE_NAN;
    use proptest::prelude::*;

    use super::*;

    fn check(at: &[i64], column: &[f64]) -> usize {
        let mut bytes = Vec::new();
        put_timestamps(at, &mut bytes);
        put_values(column, &mut bytes);
        let (mut at_read, mut read) = (Vec::new(), Vec::new());
        let mut reader = Reader(&bytes);
        timestamps(&mut reader, at.len(), &mut at_read).unwrap();
        values(&mut reader, column.len(), &mut read).unwrap();
        assert!(reader.is_empty());
        check_small(at, column);
        let bits = |column: &[f64]| column.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(at_read, at);
        assert_eq!(bits(&read), bits(column));
        bytes.len()
    }

    fn check_small(at: &[i64], column: &[f64]) {
        let (mut at_bytes, mut bytes) = (Vec::new(), Vec::new());
        put_timestamps_small(at, &mut at_bytes);
        put_values_after(column, &mut bytes);
        let (mut at_read, mut read) = (Vec::new(), Vec::new());
        timestamps(&mut Reader(&at_bytes), at.len(), &mut at_read).unwrap();
        let first = column.first().copied().unwrap_or(0.0);
        values_after(&mut Reader(&bytes), column.len(), first, &mut read).unwrap();
        let bits = |column: &[f64]| column.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(at_read, at);
        assert_eq!(bits(&read), bits(column));
    }

    fn column_of(n: u32, f: impl Fn(f64) -> f64) -> Vec<f64> {
        (0..n).map(|i| f(f64::from(i))).collect()
    }

    #[test]
    fn columns_of_each_kind_take_the_bytes_they_should() {
        let at: Vec<i64> = (0..120).map(|i| 1_700_000_000_000 + i * 15_000).collect();
        let wave = |i: f64| (i * 0.7).sin();
        for (what, column, bytes_max) in [
            ("same", column_of(120, |_| 4.0), 20),
            ("steady counter", column_of(120, |i| i * 30.0), 25),
            (
                "counter",
                column_of(120, |i| (i * 100.0 + 20.0 * wave(i)).round()),
                120,
            ),
            (
                "counter with a reset",
                column_of(120, |i| (i * 10.0) % 1000.0),
                40,
            ),
            (
                "bytes",
                column_of(120, |i| (4096.0 * (1e6 + 10.0 * wave(i))).round()),
                400,
            ),
            (
                "pages",
                column_of(120, |i| 4096.0 * (1e6 + 10.0 * wave(i)).round()),
                120,
            ),
            (
                "hundredths",
                column_of(120, |i| (i * 20.0 + 3.0 * wave(i)).round() / 100.0),
                90,
            ),
            ("full floats", column_of(120, wave), 930),
        ] {
            let len = check(&at, &column);
            assert!(len <= bytes_max, "{what}: {len} bytes");
        }
    }

    #[test]
    fn odd_values_come_back_bit_for_bit() {
        let odd = [
            STALE_NAN,
            f64::NAN,
            f64::from_bits(0xfff8_dead_beef_0001),
            -0.0,
            0.0,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MAX,
            f64::MIN_POSITIVE,
            5e-324,
            2_251_799_813_685_248.0,
        ];
        check(&(0..11).collect::<Vec<_>>(), &odd);
        for value in odd {
            let mut column = column_of(120, |i| i);
            column[7] = value;
            check(&(0..120).collect::<Vec<_>>(), &column);
            check(&[i64::MIN, i64::MAX, 0], &[1.0, value, 2.0]);
            check(&[0], &[value]);
        }
        check(&[], &[]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn any_column_comes_back(
            at in prop::collection::vec(any::<i64>(), 0..200),
            bits in prop::collection::vec(any::<u64>(), 0..200),
            decimals in prop::collection::vec((-1000_i64..1_000_000, 0..5_u32), 0..200),
        ) {
            check(&at, &bits.iter().map(|&bits| f64::from_bits(bits)).collect::<Vec<_>>());
            let decimal = |&(n, e): &(i64, u32)| n as f64 / f64::from(10_u32.pow(e));
            check(&[], &decimals.iter().map(decimal).collect::<Vec<_>>());
        }

        #[test]
        fn damaged_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), n in 0..200_usize) {
            let _ = timestamps(&mut Reader(&bytes), n, &mut Vec::new());
            let _ = values(&mut Reader(&bytes), n, &mut Vec::new());
        }
    }
}
