//! Numbers as the API writes them.

use firebell_model::{Duration, Timestamp, format_float, format_float_exponent};
use serde::Serializer;

/// Seconds as a JSON number, with milliseconds only when there are any: `1435781451.781`.
pub(super) fn seconds<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    if at.0 % 1000 == 0 {
        serializer.serialize_i64(at.0 / 1000)
    } else {
        serializer.serialize_f64(at.as_secs_f64())
    }
}

/// A length of time in seconds, as [`seconds`].
pub(super) fn duration<S: Serializer>(length: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    seconds(&Timestamp(length.0), serializer)
}

/// A moment as RFC 3339; upstream's zero time for one that never was.
pub(super) fn moment<S: Serializer>(
    at: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serializer.collect_str(at),
        None => serializer.serialize_str("0001-01-01T00:00:00Z"),
    }
}

/// A value of a vector or matrix. Very small and very large ones have exponents, unlike elsewhere.
pub(super) fn value_text(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude != 0.0 && value.is_finite() && !(1e-6..1e21).contains(&magnitude) {
        format_float_exponent(value)
    } else {
        format_float(value)
    }
}
