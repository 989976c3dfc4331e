//! Inverse hyperbolic functions that hold at the ends. The standard library's double their argument
//! on the way, so that they end at infinity above half of the largest number; and close to -1 its
//! `atanh` loses half of the digits.

use std::f64::consts::LN_2;

pub(crate) fn acosh(value: f64) -> f64 {
    if value > LARGE {
        value.ln() + LN_2
    } else {
        value.acosh()
    }
}

pub(crate) fn asinh(value: f64) -> f64 {
    if value.abs() > LARGE {
        (value.abs().ln() + LN_2).copysign(value)
    } else {
        value.asinh()
    }
}

pub(crate) fn atanh(value: f64) -> f64 {
    value.abs().atanh().copysign(value)
}

/// From here on one more or less under the root changes nothing.
const LARGE: f64 = (1u64 << 28) as f64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_hold_to_the_largest_number_and_without_a_seam() {
        for (value, expected) in [
            (1e308, 709.889_355_822_726),
            (1.7e308, 710.419_984_073_788_1),
            (f64::INFINITY, f64::INFINITY),
            (LARGE, LARGE.acosh()),
            (LARGE * 1.01, (LARGE * 1.01).acosh()),
        ] {
            let is_close = |got: f64| got == expected || (got / expected - 1.0).abs() < 1e-14;
            assert!(is_close(acosh(value)), "acosh({value})");
            assert!(is_close(asinh(value)), "asinh({value})");
            assert!(is_close(-asinh(-value)), "asinh(-{value})");
        }
        let close = 1e-9 - 1.0;
        assert!((atanh(close) / -10.708_206_522_644_144 - 1.0).abs() < 1e-14);
        assert_eq!(atanh(-close), -atanh(close));
        assert!(atanh(f64::NAN).is_nan() && atanh(-1.5).is_nan());
        assert!(acosh(f64::NAN).is_nan() && acosh(0.5).is_nan() && asinh(f64::NAN).is_nan());
    }
}
