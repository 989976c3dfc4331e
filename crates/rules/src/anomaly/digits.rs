//! Numbers as text of 64 digits: short, and at home in JSON.
//!
//! A whole number takes one digit for each five bits. A value takes four: how far it is from the one
//! before, as a float of 24 bits (sign, 8 bits of exponent, 15 of mantissa). What that would put off
//! by more than a part in 8192 of the step is written whole, behind [`WHOLE`], in eleven digits more.
//! Errors do not add up: the next step is counted from what a reader has.

/// Writes digits.
#[derive(Debug, Default)]
pub(crate) struct Writer(String);

/// Reads digits. Whatever is none ends it.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl Writer {
    pub(crate) fn number(&mut self, number: usize) {
        let mut rest = number;
        while rest >= MORE as usize {
            self.digits((rest as u64 % MORE) | MORE, 1);
            rest /= MORE as usize;
        }
        self.digits(rest as u64, 1);
    }

    /// Writes a finite value; `before` is what a reader has of the one before it, NaN for none, and
    /// becomes what a reader has of this one.
    pub(crate) fn value(&mut self, value: f64, before: &mut f64) {
        let step = value - *before;
        let code = ((step as f32).to_bits().saturating_add(HALF)) >> CUT_BITS;
        let near = *before + f64::from(f32::from_bits(code << CUT_BITS));
        if near.is_finite() && (near - value).abs() <= step.abs() / 8192.0 {
            self.digits(code.into(), VALUE_DIGITS);
            *before = near;
        } else {
            self.digits(WHOLE, VALUE_DIGITS);
            self.digits(value.to_bits(), WHOLE_DIGITS);
            *before = value;
        }
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }

    /// The lowest digits of a number, the lowest first.
    fn digits(&mut self, number: u64, n: u32) {
        let digit = |nth| ALPHABET[(number >> (6 * nth)) as usize % ALPHABET.len()];
        self.0.extend((0..n).map(digit).map(char::from));
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self(text.as_bytes())
    }

    pub(crate) fn number(&mut self) -> Option<usize> {
        let mut number = 0_u64;
        for shift in (0..u64::BITS).step_by(5) {
            let digit = self.digits(1)?;
            number |= (digit % MORE) << shift;
            if digit < MORE {
                return usize::try_from(number).ok();
            }
        }
        None
    }

    /// Reads a value; `before` is the one before it, and becomes this one.
    pub(crate) fn value(&mut self, before: &mut f64) -> Option<f64> {
        let code = self.digits(VALUE_DIGITS)?;
        *before = match code {
            WHOLE => f64::from_bits(self.digits(WHOLE_DIGITS)?),
            _ => *before + f64::from(f32::from_bits((code as u32) << CUT_BITS)),
        };
        before.is_finite().then_some(*before)
    }

    fn digits(&mut self, n: u32) -> Option<u64> {
        let (digits, rest) = self.0.split_at_checked(n as usize)?;
        self.0 = rest;
        let mut number = 0;
        for (digit, nth) in digits.iter().zip(0..) {
            let digit = ALPHABET.iter().position(|it| it == digit)? as u64;
            number |= digit << (6 * nth);
        }
        Some(number)
    }
}

/// As in base64.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
/// Of a digit of a whole number: more digits follow.
const MORE: u64 = 32;
const VALUE_DIGITS: u32 = 4;
const WHOLE_DIGITS: u32 = 11;
/// What no step is: not a number.
const WHOLE: u64 = (1 << 24) - 1;
/// What a float of 32 bits has more than one of 24.
const CUT_BITS: u32 = 8;
const HALF: u32 = 1 << (CUT_BITS - 1);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(values: &[f64]) -> String {
        let (mut writer, mut before) = (Writer::default(), f64::NAN);
        for value in values {
            writer.value(*value, &mut before);
        }
        writer.finish()
    }

    fn read(text: &str) -> Vec<f64> {
        let (mut reader, mut before) = (Reader::new(text), f64::NAN);
        std::iter::from_fn(|| reader.value(&mut before)).collect()
    }

    #[test]
    fn values_take_four_digits_and_steps_that_are_simple_are_exact() {
        let extreme = [f64::MAX, f64::MIN, 1e-300, -1e-300, 0.0, f64::MIN_POSITIVE];
        assert_eq!(read(&written(&extreme)), extreme);
        let simple = [10.0, 20.0, 10.5, -3.0, 100.0, 101.25];
        assert_eq!(read(&written(&simple)), simple);
        assert_eq!(written(&simple).len(), 15 + 4 * 5);
    }

    proptest! {
        #[test]
        fn numbers_come_back(numbers in prop::collection::vec(any::<usize>(), 0..9)) {
            let mut writer = Writer::default();
            numbers.iter().for_each(|it| writer.number(*it));
            let text = writer.finish();
            let mut reader = Reader::new(&text);
            let back: Vec<usize> = std::iter::from_fn(|| reader.number()).collect();
            prop_assert_eq!(back, numbers);
        }

        #[test]
        fn values_come_back_nearly(values in prop::collection::vec(-1e6..1e6_f64, 0..50)) {
            let back = read(&written(&values));
            prop_assert_eq!(back.len(), values.len());
            let mut before = f64::NAN;
            for (value, back) in values.into_iter().zip(back) {
                let step = (value - before).abs();
                prop_assert!(value == back || (value - back).abs() <= step / 8192.0);
                before = back;
            }
        }

        #[test]
        fn any_text_is_read_without_harm(text in ".{0,40}") {
            let _ = read(&text);
            let mut reader = Reader::new(&text);
            while reader.number().is_some() {}
        }
    }
}
