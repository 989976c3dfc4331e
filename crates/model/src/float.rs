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
        value.to_string()
    }
}

/// A value in Go's shortest exponent form: `1e+00`, `1.5e-07`.
#[must_use]
pub fn format_float_exponent(value: f64) -> String {
    if !value.is_finite() {
        return format_float(value);
    }
    let text = format!("{value:e}");
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
