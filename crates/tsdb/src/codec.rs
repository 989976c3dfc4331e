//! Columns of timestamps and of values as few bytes.
//!
//! - *packed*: numbers bit by bit, all with one width; what is wider is patched from a list. A byte
//!   with the width, a varint with the length of the list, the bits (low ones first), then for each
//!   patch its distance from the patch before and the high bits, as varints.
//! - *deltas*: the first number as *signed*; then, when there is more than one: a byte with the
//!   shift that all differences share (low six bits) and whether they are zigzagged (0x40), a base
//!   that each difference exceeds as *signed*, and the rest *packed*.
//! - *values*: a byte with the kind. 0: all the same, one *float*. 1 to 7: whole numbers of
//!   10^-(kind - 1), as *deltas*, before them a varint with the number of values that are none
//!   (NaN, stale marker, -0.0, infinity) and for each a varint with its place and its 8 bytes. 8:
//!   8 bytes of the first value, a byte with the shift, and each value's bits XOR those before,
//!   shifted and *packed*.
//!
//! *Invariants*: every column comes back bit for bit. Reading damaged bytes gives `None` or wrong
//! numbers, never a panic: checksums are the caller's.
//!
//! *Sources*: Lemire and Boytsov 2015 (frame of reference with patches); Pelkonen et al. 2015 (XOR).

use crate::bytes::{Put, Reader, unzigzag, zigzag};

/// Appends a column of timestamps.
pub(crate) fn put_timestamps(at: &[i64], out: &mut Vec<u8>) {
    put_deltas(at, out);
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
    match (0..POWERS.len()).find_map(|exponent| Decimal::of(values, POWERS[exponent], exponent)) {
        Some(decimal) => decimal.put(values, out),
        None => put_xor(values, out),
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
        KIND_XOR => xor(reader, n, values),
        kind => decimal(reader, n, *POWERS.get(usize::from(kind) - 1)?, values),
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
    /// `None` when more than a few of the values are no such number.
    fn of(values: &[f64], power: f64, exponent: usize) -> Option<Self> {
        let mut numbers = Vec::with_capacity(values.len());
        let mut odd = Vec::new();
        let odd_max = values.len() / 16 + 1;
        let mut number = 0;
        for (place, &value) in values.iter().enumerate() {
            let scaled = value * power;
            // Adding and taking away 1.5 * 2^52 rounds to a whole number.
            let rounded = (scaled + ROUNDER) - ROUNDER;
            let is_exact = scaled.abs() < NUMBER_MAX
                && ((rounded as i64) as f64 / power).to_bits() == value.to_bits();
            if is_exact {
                number = rounded as i64;
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

    fn put(&self, values: &[f64], out: &mut Vec<u8>) {
        out.push(KIND_DECIMAL + self.exponent as u8);
        out.put_varint(self.odd.len() as u64);
        for &place in &self.odd {
            out.put_varint(place as u64);
            out.extend_from_slice(&values[place].to_bits().to_le_bytes());
        }
        put_deltas(&self.numbers, out);
    }
}

fn decimal(reader: &mut Reader<'_>, n: usize, power: f64, values: &mut Vec<f64>) -> Option<()> {
    let n_odd = reader.count()?;
    let mut odd = *reader;
    for _ in 0..n_odd {
        reader.varint()?;
        reader.take(8)?;
    }
    let start = values.len();
    if power == 1.0 {
        deltas(reader, n, |number| values.push(number as f64))?;
    } else {
        deltas(reader, n, |number| values.push(number as f64 / power))?;
    }
    for _ in 0..n_odd {
        let place = usize::try_from(odd.varint()?).ok()?;
        let bits = u64::from_le_bytes(odd.take(8)?.try_into().ok()?);
        *values[start..].get_mut(place)? = f64::from_bits(bits);
    }
    Some(())
}

fn put_xor(values: &[f64], out: &mut Vec<u8>) {
    out.push(KIND_XOR);
    out.extend_from_slice(&values[0].to_bits().to_le_bytes());
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

fn xor(reader: &mut Reader<'_>, n: usize, values: &mut Vec<f64>) -> Option<()> {
    let mut bits = u64::from_le_bytes(reader.take(8)?.try_into().ok()?);
    let shift = u32::from(reader.byte()?);
    let residuals = packed(reader, n - 1)?;
    values.push(f64::from_bits(bits));
    for residual in residuals {
        bits ^= residual.checked_shl(shift)?;
        values.push(f64::from_bits(bits));
    }
    Some(())
}

fn put_deltas(numbers: &[i64], out: &mut Vec<u8>) {
    let Some(&first) = numbers.first() else {
        return;
    };
    out.put_signed(first);
    if numbers.len() == 1 {
        return;
    }
    // Differences wrap around: so every column comes back, even one from end to end of time.
    let mut steps: Vec<i64> = numbers
        .windows(2)
        .map(|pair| pair[1].wrapping_sub(pair[0]))
        .collect();
    let shift = common_shift(steps.iter().map(|&step| step as u64));
    steps.iter_mut().for_each(|step| *step >>= shift);
    let least = steps.iter().copied().min().unwrap_or(0);
    let above_least: Vec<u64> = residuals(&steps, least, false);
    let (width, cost) = width_of(&above_least);
    // Around the middle costs a bit for the sign, and saves much where one step falls far below.
    if width > 0 {
        let middle = middle_of(&steps);
        let around_middle = residuals(&steps, middle, true);
        let (middle_width, middle_cost) = width_of(&around_middle);
        if middle_cost < cost {
            out.push(shift as u8 | ZIGZAGGED);
            out.put_signed(middle);
            put_packed(&around_middle, middle_width, out);
            return;
        }
    }
    out.push(shift as u8);
    out.put_signed(least);
    put_packed(&above_least, width, out);
}

fn deltas(reader: &mut Reader<'_>, n: usize, mut push: impl FnMut(i64)) -> Option<()> {
    if n == 0 {
        return Some(());
    }
    let mut number = reader.signed()?;
    push(number);
    if n == 1 {
        return Some(());
    }
    let head = reader.byte()?;
    let shift = u32::from(head & !ZIGZAGGED);
    if shift >= 64 {
        return None;
    }
    let base = reader.signed()?;
    let residuals = packed(reader, n - 1)?;
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
    let mut after = 0;
    for (place, number) in numbers.iter().enumerate() {
        if number & !mask != 0 {
            out.put_varint((place - after) as u64);
            out.put_varint(number >> width);
            after = place;
        }
    }
}

fn packed(reader: &mut Reader<'_>, n: usize) -> Option<Vec<u64>> {
    let width = u32::from(reader.byte()?);
    let n_patches = reader.count()?;
    if width > 64 {
        return None;
    }
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
    let mut place = 0;
    for _ in 0..n_patches {
        place += usize::try_from(reader.varint()?).ok()?;
        *numbers.get_mut(place)? |= reader.varint()?.checked_shl(width)?;
    }
    Some(numbers)
}

fn mask_of(width: u32) -> u64 {
    u64::MAX.checked_shr(64 - width).unwrap_or(0)
}

const KIND_SAME: u8 = 0;
const KIND_DECIMAL: u8 = 1;
const KIND_XOR: u8 = 8;
const ZIGZAGGED: u8 = 0x40;
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
        let bits = |column: &[f64]| column.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(at_read, at);
        assert_eq!(bits(&read), bits(column));
        bytes.len()
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
