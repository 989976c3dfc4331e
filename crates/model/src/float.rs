//! Numbers as Go prints and reads them: what APIs, labels and templates show.
//!
//! *Sources*: Go, `strconv.FormatFloat(v, 'f', -1, 64)` and `('e', -1, 64)`, `strconv.ParseFloat`.

/// A value as Prometheus's API prints it: shortest digits, no exponent, `+Inf`, `-Inf`, `NaN`.
#[must_use]
pub fn format_float(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned()
    } else {
        // Rust's `Display` prints the shortest digits that read back, never an exponent.
        ties_to_even(value, value.to_string())
    }
}

/// A value in Go's shortest exponent form: `1e+00`, `1.5e-07`.
#[must_use]
pub fn format_float_exponent(value: f64) -> String {
    if !value.is_finite() {
        return format_float(value);
    }
    let text = ties_to_even(value, format!("{value:e}"));
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// A value as Go's `%g` and `%v` print it: with an exponent below -4 and from 6 on.
#[must_use]
pub fn format_float_general(value: f64) -> String {
    let exponent = format_float_exponent(value);
    let n = exponent
        .split_once('e')
        .and_then(|(_, n)| n.parse::<i32>().ok());
    match n {
        Some(n) if !(-4..6).contains(&n) => exponent,
        _ => format_float(value),
    }
}

/// Corrects the last digit where two shortest texts are equally near: Go takes the even one, Rust
/// the larger one. Only values in between of 17 digits, which have 18 and end with a five, do that.
fn ties_to_even(value: f64, mut text: String) -> String {
    let bits = value.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i32;
    let mantissa = bits & ((1 << 52) - 1) | 1 << 52;
    let n_zeros = mantissa.trailing_zeros();
    // The value is an odd number divided by two, `n` times.
    let n = 1075 - exponent - n_zeros as i32;
    if !(1..=TIE_HALVINGS_MAX).contains(&n) {
        return text;
    }
    let digits = u128::from(mantissa >> n_zeros) * 5_u128.pow(n.cast_unsigned());
    if !(10_u128.pow(17)..10_u128.pow(18)).contains(&digits) {
        return text;
    }
    let end = text.find('e').unwrap_or(text.len());
    let shown = text[..end].bytes().filter(u8::is_ascii_digit);
    let n_shown = shown.skip_while(|&digit| digit == b'0').count();
    let last = text.as_bytes()[end - 1] - b'0';
    if n_shown == 17 && last % 2 == 1 {
        text.replace_range(end - 1..end, &(last - 1).to_string());
    }
    text
}

/// After more halvings an odd number has more than 18 digits.
const TIE_HALVINGS_MAX: i32 = 25;

/// Why a text is no number, in Go's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParseFloatError {
    /// It does not have the form of one.
    #[error("invalid syntax")]
    Syntax,
    /// It is too large.
    #[error("value out of range")]
    Range,
}

/// Reads a number as Go's `strconv.ParseFloat` does: decimal ones, hexadecimal ones with a binary
/// exponent (`0x1p4`), underscores between digits, `inf`, `infinity` and `nan` in any case; with a
/// sign, but for NaN.
///
/// # Errors
/// Where it would fail.
pub fn read_float(text: &str) -> Result<f64, ParseFloatError> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    match unsigned.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => return Ok(sign * f64::INFINITY),
        "nan" if unsigned.len() == text.len() => return Ok(f64::NAN),
        _ => {}
    }
    let begins = unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    if !begins || !do_underscores_separate(unsigned) {
        return Err(ParseFloatError::Syntax);
    }
    let digits = unsigned.replace('_', "");
    let value = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(digits) => hexadecimal(digits),
        None => digits.parse().ok(),
    };
    match value {
        Some(value) if value.is_infinite() => Err(ParseFloatError::Range),
        Some(value) => Ok(sign * value),
        None => Err(ParseFloatError::Syntax),
    }
}

/// As [`read_float`], where nobody asks why.
#[must_use]
pub fn parse_float(text: &str) -> Option<f64> {
    read_float(text).ok()
}

/// Whether underscores stand between digits only, as Go wants it; a prefix `0x` counts as one.
#[must_use]
pub fn do_underscores_separate(unsigned: &str) -> bool {
    let bytes = unsigned.as_bytes();
    let is_hexadecimal = unsigned.starts_with("0x") || unsigned.starts_with("0X");
    let is_digit = |at: usize| {
        let is_more = |byte: &u8| byte.is_ascii_hexdigit() || at == 1;
        let byte = bytes.get(at);
        byte.is_some_and(|byte| byte.is_ascii_digit() || is_hexadecimal && is_more(byte))
    };
    let mut marks = unsigned.match_indices('_').map(|(at, _)| at);
    marks.all(|at| at > 0 && is_digit(at - 1) && is_digit(at + 1))
}

/// `1.8p4`: a number without its prefix.
fn hexadecimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.len() + fraction.len() == 0 {
        return None;
    }
    let exponent: i64 = exponent.parse().ok()?;
    let mut exponent = exponent.clamp(-EXPONENT_MAX, EXPONENT_MAX) - 4 * fraction.len() as i64;
    let mut bits = 0_u64;
    for c in whole.chars().chain(fraction.chars()) {
        let digit = c.to_digit(16)?;
        if bits >> 60 == 0 {
            bits = bits << 4 | u64::from(digit);
        } else {
            // What there is no room for counts in rounding only.
            bits |= u64::from(digit != 0);
            exponent += 4;
        }
    }
    // Two steps, so that neither leaves the range of what the result may be.
    let exponent = exponent.clamp(-2 * FACTOR_MAX, 2 * FACTOR_MAX) as i32;
    let half = exponent / 2;
    Some(bits as f64 * 2.0_f64.powi(half) * 2.0_f64.powi(exponent - half))
}

/// Beyond it, a number is zero or too large however many digits it has.
const EXPONENT_MAX: i64 = 1 << 40;
/// The largest power of two that a number holds, and the smallest that a normal one does.
const FACTOR_MAX: i64 = 1022;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_print_as_in_go() {
        for (value, plain, exponent) in [
            (1.0, "1", "1e+00"),
            (
                f64::powi(0.5, 25),
                "0.000000029802322387695312",
                "2.9802322387695312e-08",
            ),
            (
                -3.0 * f64::powi(0.5, 24),
                "-0.00000017881393432617188",
                "-1.7881393432617188e-07",
            ),
            (0.0, "0", "0e+00"),
            (-0.0, "-0", "-0e+00"),
            (0.1, "0.1", "1e-01"),
            (1234.5, "1234.5", "1.2345e+03"),
            (1e21, "1000000000000000000000", "1e+21"),
            (1.5e-7, "0.00000015", "1.5e-07"),
            (f64::INFINITY, "+Inf", "+Inf"),
            (f64::NEG_INFINITY, "-Inf", "-Inf"),
            (f64::NAN, "NaN", "NaN"),
        ] {
            assert_eq!(format_float(value), plain);
            assert_eq!(format_float_exponent(value), exponent);
        }
    }

    #[test]
    fn floats_read_as_in_go() {
        for (text, value) in [
            ("1", 1.0),
            ("+1.5e3", 1500.0),
            ("-Inf", f64::NEG_INFINITY),
            ("infinity", f64::INFINITY),
            ("0x1Fp0", 31.0),
            ("-0X1.8p-1", -0.75),
            ("0x.8p1", 1.0),
            ("0x_1p1_0", 1024.0),
            ("0x1p-1074", f64::from_bits(1)),
            ("0x8000000000000401p0", 9_223_372_036_854_777_856.0),
            (
                "0x80000000000004000000000000000001p-64",
                9_223_372_036_854_777_856.0,
            ),
            ("1_0.2_5", 10.25),
            ("1e1_0", 1e10),
            ("1e-400", 0.0),
            ("5.", 5.0),
            (".5", 0.5),
        ] {
            assert_eq!(parse_float(text), Some(value), "{text}");
        }
        assert!(parse_float("NaN").unwrap().is_nan());
        for bad in [
            "", "+", ".", "1e", "abc", "1 ", "+-1", "-nan", "_1", "1_", "1__0", "1_.5", "1_e5",
            "0x", "0x10", "0x1p", "0xp1", "0x.p1", "0b1", "1p4", "infinit",
        ] {
            assert_eq!(read_float(bad), Err(ParseFloatError::Syntax), "{bad}");
        }
        for large in ["1e400", "-1e400", "0x1p99999", "0x1p1024"] {
            assert_eq!(read_float(large), Err(ParseFloatError::Range), "{large}");
        }
    }
}
