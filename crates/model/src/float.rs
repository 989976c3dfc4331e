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

/// Reads a number as Go's `strconv.ParseFloat` does for decimal and hexadecimal integers, decimal
/// fractions, `inf`, `infinity` and `nan` in any case and with a sign.
#[must_use]
pub fn parse_float(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let has_only_letters = unsigned.bytes().all(|byte| byte.is_ascii_alphabetic());
    if has_only_letters {
        return match unsigned.to_ascii_lowercase().as_str() {
            "inf" | "infinity" => Some(sign * f64::INFINITY),
            // `ParseFloat` takes no signed NaN.
            "nan" if unsigned.len() == text.len() => Some(f64::NAN),
            _ => None,
        };
    }
    if let Some(digits) = unsigned
        .strip_prefix("0x")
        .or_else(|| unsigned.strip_prefix("0X"))
    {
        return u64::from_str_radix(digits, 16)
            .ok()
            .map(|n| sign * n as f64);
    }
    if unsigned.starts_with(['+', '-']) {
        return None;
    }
    text.parse().ok()
}

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
            ("0x1F", 31.0),
            (".5", 0.5),
        ] {
            assert_eq!(parse_float(text), Some(value), "{text}");
        }
        assert!(parse_float("NaN").unwrap().is_nan());
        for bad in ["", "+", "1e", "abc", "1 ", "+-1", "-nan"] {
            assert_eq!(parse_float(bad), None, "{bad}");
        }
    }
}
