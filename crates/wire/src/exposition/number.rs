//! Numbers in expositions: how they are read, and how `le` and `quantile` are made alike.
//!
//! *Sources*: Go, `strconv.ParseFloat` as Prometheus calls it; Prometheus,
//! `labels.FormatOpenMetricsFloat`.

use firebell_model::format_float_exponent;

/// Reads a value. Unlike Rust, Go takes no signed NaN and no number that overflows.
pub(super) fn parse_value(text: &str) -> Option<f64> {
    if let Some(value) = parse_small_integer(text.as_bytes()) {
        return Some(value);
    }
    let value: f64 = text.parse().ok()?;
    let is_word = text.bytes().any(|byte| matches!(byte, b'n' | b'N'));
    match value {
        _ if value.is_nan() => (!text.starts_with(['+', '-'])).then_some(f64::NAN),
        _ if value.is_infinite() && !is_word => None,
        _ => Some(value),
    }
}

/// Most values are small counts; those need no float parser.
fn parse_small_integer(digits: &[u8]) -> Option<f64> {
    if digits.is_empty() || digits.len() > 15 {
        return None;
    }
    let mut value = 0_u64;
    for &digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        value = value * 10 + u64::from(digit - b'0');
    }
    Some(value as f64)
}

/// The one spelling of a bucket's bound or a quantile, such as `1.0`, `0.5`, `1e+06`, `+Inf`;
/// `None` when the text is no number.
pub(super) fn normalize(text: &str) -> Option<String> {
    parse_value(text).map(format_bound)
}

/// The one spelling of a bucket's bound or a quantile.
pub(crate) fn format_bound(value: f64) -> String {
    let magnitude = value.abs();
    if !value.is_finite() || (magnitude != 0.0 && !(1e-4..1e6).contains(&magnitude)) {
        // Go's `%g` turns to exponents here, and leaves out nothing but them.
        return format_float_exponent(value);
    }
    let mut plain = value.to_string();
    if !plain.contains('.') {
        plain.push_str(".0");
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_as_in_go() {
        for (text, expected) in [
            ("0", Some(0.0)),
            ("123456789012345", Some(123_456_789_012_345.0)),
            ("-1.5e-3", Some(-0.0015)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("+Inf", Some(f64::INFINITY)),
            ("-inf", Some(f64::NEG_INFINITY)),
            ("Infinity", Some(f64::INFINITY)),
            ("1e400", None),
            ("+nan", None),
            ("0x10", None),
            ("1_0", None),
            ("", None),
            ("x", None),
        ] {
            assert_eq!(parse_value(text), expected, "{text}");
        }
        assert!(parse_value("NaN").is_some_and(f64::is_nan));
    }

    #[test]
    fn bounds_have_one_spelling() {
        for (text, expected) in [
            ("1", Some("1.0")),
            ("0.50", Some("0.5")),
            ("1e2", Some("100.0")),
            ("1000000", Some("1e+06")),
            ("123456.5", Some("123456.5")),
            ("0.00001", Some("1e-05")),
            ("inf", Some("+Inf")),
            ("-0", Some("-0.0")),
            ("x", None),
        ] {
            assert_eq!(normalize(text).as_deref(), expected, "{text}");
        }
    }
}
