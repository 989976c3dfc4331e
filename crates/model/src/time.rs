//! Moments and durations in milliseconds, and their text forms.
//!
//! *Sources*: RFC 3339; Prometheus, `common/model/time.go` (durations such as `1h30m`).

use std::fmt;
use std::ops::{Add, AddAssign, Neg, Sub};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment: milliseconds since 1970-01-01T00:00:00Z. Serialized as that number.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A length of time in milliseconds; negative ones exist (`offset -5m`).
///
/// Text form: Prometheus's, such as `1h30m` or `250ms`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Duration(pub i64);

impl Timestamp {
    /// The earliest moment there is.
    pub const MIN: Self = Self(i64::MIN);
    /// The latest moment there is.
    pub const MAX: Self = Self(i64::MAX);

    /// From (fractional) seconds since the epoch, rounded to milliseconds; clamped to the range.
    #[must_use]
    pub fn from_secs_f64(secs: f64) -> Self {
        // `as` clamps, and takes NaN to 0.
        Self((secs * 1000.0).round() as i64)
    }

    /// Seconds since the epoch.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// The same instant for `jiff`; moments outside the years -9999 to 9999 are clamped.
    #[must_use]
    pub fn to_jiff(self) -> jiff::Timestamp {
        let bounds = if self.0 < 0 {
            jiff::Timestamp::MIN
        } else {
            jiff::Timestamp::MAX
        };
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(bounds)
    }

    /// `2026-01-02T03:04:05.678Z`: always three digits of a second, as Alertmanager's API.
    #[must_use]
    pub fn to_rfc3339_millis(self) -> String {
        self.to_jiff()
            .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
            .to_string()
    }
}

/// RFC 3339 in UTC with as many digits of a second as needed, as Go's `RFC3339Nano`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_jiff())
    }
}

/// Reads RFC 3339, with any offset; digits past milliseconds are cut.
impl FromStr for Timestamp {
    type Err = ParseTimestampError;

    fn from_str(text: &str) -> Result<Self, ParseTimestampError> {
        let failed = || ParseTimestampError(text.to_owned());
        // RFC 3339 wants a `T`, a full time and an offset; `jiff` alone would take more.
        let is_rfc3339 = text.len() >= 20 && matches!(text.as_bytes()[10], b'T' | b't');
        if !is_rfc3339 {
            return Err(failed());
        }
        let at: jiff::Timestamp = text.parse().map_err(|_| failed())?;
        Ok(Self(at.as_nanosecond().div_euclid(1_000_000) as i64))
    }
}

/// A text that is no RFC 3339 timestamp.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is not a timestamp such as 2026-01-02T03:04:05Z")]
pub struct ParseTimestampError(pub String);

impl Duration {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// From whole seconds.
    #[must_use]
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs * 1000)
    }

    /// From whole minutes.
    #[must_use]
    pub const fn from_mins(mins: i64) -> Self {
        Self::from_secs(mins * 60)
    }

    /// From whole hours.
    #[must_use]
    pub const fn from_hours(hours: i64) -> Self {
        Self::from_mins(hours * 60)
    }

    /// From (fractional) seconds, rounded to milliseconds; clamped to the range.
    #[must_use]
    pub fn from_secs_f64(secs: f64) -> Self {
        Self((secs * 1000.0).round() as i64)
    }

    /// Seconds.
    #[must_use]
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1000.0
    }

    /// For timers of the standard library; negative ones become zero.
    #[must_use]
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0.try_into().unwrap_or(0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, after: Duration) -> Self {
        Self(self.0.saturating_add(after.0))
    }
}

impl AddAssign<Duration> for Timestamp {
    fn add_assign(&mut self, after: Duration) {
        *self = *self + after;
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, before: Duration) -> Self {
        Self(self.0.saturating_sub(before.0))
    }
}

impl Sub for Timestamp {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        Duration(self.0.saturating_sub(earlier.0))
    }
}

impl Add for Duration {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Duration {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Duration {
    type Output = Self;

    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl std::ops::Mul<i64> for Duration {
    type Output = Self;

    fn mul(self, factor: i64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
}

// Years and weeks print only when nothing is left over, as in Prometheus.
const UNITS: [(&str, i64, bool); 7] = [
    ("y", 365 * 24 * 3_600_000, true),
    ("w", 7 * 24 * 3_600_000, true),
    ("d", 24 * 3_600_000, false),
    ("h", 3_600_000, false),
    ("m", 60_000, false),
    ("s", 1000, false),
    ("ms", 1, false),
];

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        if self.0 < 0 {
            f.write_str("-")?;
        }
        let mut left = self.0.unsigned_abs();
        for (unit, ms, only_exact) in UNITS {
            let ms = ms as u64;
            if only_exact && !left.is_multiple_of(ms) {
                continue;
            }
            let n = left / ms;
            if n > 0 {
                write!(f, "{n}{unit}")?;
                left -= n * ms;
            }
        }
        Ok(())
    }
}

/// Reads Prometheus's form: whole numbers with units `y w d h m s ms`, each at most once, in that
/// order; or a bare `0`.
impl FromStr for Duration {
    type Err = ParseDurationError;

    fn from_str(text: &str) -> Result<Self, ParseDurationError> {
        if text == "0" {
            return Ok(Self::ZERO);
        }
        let failed = || ParseDurationError(text.to_owned());
        let (mut rest, mut total, mut units) = (text, 0_i64, UNITS.as_slice());
        if rest.is_empty() {
            return Err(failed());
        }
        while !rest.is_empty() {
            let n_digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let n: i64 = rest[..n_digits].parse().map_err(|_| failed())?;
            rest = &rest[n_digits..];
            let n_letters = rest.bytes().take_while(u8::is_ascii_alphabetic).count();
            let unit_idx = units
                .iter()
                .position(|unit| unit.0 == &rest[..n_letters])
                .ok_or_else(failed)?;
            let ms = n.checked_mul(units[unit_idx].1).ok_or_else(failed)?;
            total = total.checked_add(ms).ok_or_else(failed)?;
            units = &units[unit_idx + 1..];
            rest = &rest[n_letters..];
        }
        Ok(Self(total))
    }
}

/// A text that is no duration.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{0}` is not a duration such as 30s, 5m or 1h30m")]
pub struct ParseDurationError(pub String);

impl Serialize for Duration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Duration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        match text.strip_prefix('-') {
            Some(positive) => positive.parse().map(|duration: Self| -duration),
            None => text.parse(),
        }
        .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_and_print_as_in_prometheus() {
        for (text, ms, printed) in [
            ("0", 0, "0s"),
            ("0s", 0, "0s"),
            ("324ms", 324, "324ms"),
            ("3s", 3000, "3s"),
            ("5m", 300_000, "5m"),
            ("1h", 3_600_000, "1h"),
            ("4d", 345_600_000, "4d"),
            ("4d1h", 349_200_000, "4d1h"),
            ("14d", 1_209_600_000, "2w"),
            ("3w2d1h", 1_990_800_000, "23d1h"),
            ("10y", 315_360_000_000, "10y"),
            ("1h30m", 5_400_000, "1h30m"),
        ] {
            let duration: Duration = text.parse().unwrap();
            assert_eq!(
                (duration.0, duration.to_string().as_str()),
                (ms, printed),
                "{text}"
            );
        }
        for bad in [
            "",
            "1",
            "1y1m1d",
            "-1w",
            "1.5d",
            "d",
            "1d1d",
            "99999999999y",
            "5µ",
            " 5m",
        ] {
            assert!(bad.parse::<Duration>().is_err(), "{bad}");
        }
    }

    #[test]
    fn timestamps_read_and_print_rfc3339() {
        let at: Timestamp = "2026-01-02T04:04:05.678912+01:00".parse().unwrap();
        assert_eq!(at.to_string(), "2026-01-02T03:04:05.678Z");
        assert_eq!(Timestamp(0).to_rfc3339_millis(), "1970-01-01T00:00:00.000Z");
        assert_eq!(Timestamp(5000).to_string(), "1970-01-01T00:00:05Z");
        assert!("2026-01-02".parse::<Timestamp>().is_err());
        assert!("2026-01-02 03:04:05Z".parse::<Timestamp>().is_err());
        Timestamp::MAX.to_string();
        Timestamp::MIN.to_string();
    }

    #[test]
    fn arithmetic_saturates_at_the_ends_of_time() {
        assert_eq!(Timestamp::MAX + Duration(1), Timestamp::MAX);
        assert_eq!(Timestamp::MIN - Duration(1), Timestamp::MIN);
    }
}
