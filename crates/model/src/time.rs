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
        let at = self.to_jiff().as_millisecond();
        let (days, ms) = (at.div_euclid(DAY_MS), at.rem_euclid(DAY_MS));
        let (year, month, day) = civil_of_days(days);
        if !(0..=9999).contains(&year) {
            let format = "%Y-%m-%dT%H:%M:%S%.3fZ";
            return self.to_jiff().strftime(format).to_string();
        }
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let parts = [
            (0..4, year),
            (5..7, month),
            (8..10, day),
            (11..13, ms / 3_600_000),
            (14..16, ms / 60_000 % 60),
            (17..19, ms / 1000 % 60),
            (20..23, ms % 1000),
        ];
        for (place, mut value) in parts {
            for digit in text[place].iter_mut().rev() {
                *digit = b'0' + (value % 10) as u8;
                value /= 10;
            }
        }
        String::from_utf8_lossy(&text).into_owned()
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
        if let Some(at) = parse_utc(text.as_bytes()) {
            return Ok(at);
        }
        // RFC 3339 wants a `T`, a full time and an offset; `jiff` alone would take more.
        let is_rfc3339 = text.len() >= 20 && matches!(text.as_bytes()[10], b'T' | b't');
        if !is_rfc3339 {
            return Err(failed());
        }
        let at: jiff::Timestamp = text.parse().map_err(|_| failed())?;
        Ok(Self(at.as_nanosecond().div_euclid(1_000_000) as i64))
    }
}

/// The form that nearly all senders use, `2026-01-02T03:04:05.678Z` with any number of digits of a
/// second; `None` leaves a text to the parser that knows all forms.
fn parse_utc(text: &[u8]) -> Option<Timestamp> {
    let number = |place: std::ops::Range<usize>| {
        text.get(place)?.iter().try_fold(0_i64, |number, byte| {
            let is_digit = byte.is_ascii_digit();
            is_digit.then(|| number * 10 + i64::from(byte - b'0'))
        })
    };
    let (whole, fraction) = text.strip_suffix(b"Z")?.split_at_checked(19)?;
    let separators = [whole[4], whole[7], whole[10], whole[13], whole[16]];
    if separators != *b"--T::" {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    // Days behind the 28th, leap seconds and the end of time are judged by the calendar.
    if year == 9999 || !(1..=12).contains(&month) || !(1..=28).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let ms = match fraction {
        [] => 0,
        [b'.', digits @ ..] if (1..=9).contains(&digits.len()) => {
            let all = number(20..19 + fraction.len())?;
            all * 1000 / 10_i64.pow(digits.len() as u32)
        }
        _ => return None,
    };
    let seconds = (hour * 60 + minute) * 60 + second;
    Some(Timestamp(
        days_of_civil(year, month, day) * DAY_MS + seconds * 1000 + ms,
    ))
}

/// Days since 1970-01-01 of a day of the Gregorian calendar. Years begin in March here, so that the
/// day that leap years have is their last one.
fn days_of_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - MARCH_0_DAYS
}

/// Year, month and day that are so many days after 1970-01-01.
fn civil_of_days(days: i64) -> (i64, i64, i64) {
    let days = days + MARCH_0_DAYS;
    let (era, of_era) = (days.div_euclid(ERA_DAYS), days.rem_euclid(ERA_DAYS));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

const DAY_MS: i64 = 86_400_000;
/// Days of 400 years.
const ERA_DAYS: i64 = 146_097;
/// From the first of March of the year 0 to 1970-01-01.
const MARCH_0_DAYS: i64 = 719_468;

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

    /// Reads Go's form, which Alertmanager takes where Prometheus's is not asked for: numbers with
    /// fractions and units `h m s ms us ns` in any order (`1.5h`, `90s10ms`), with a sign, or a bare
    /// `0`. What is shorter than a millisecond is cut; what is longer than 292 years is refused, as
    /// there.
    ///
    /// *Sources*: Go, `time.ParseDuration`.
    ///
    /// # Errors
    /// The text, when it is none.
    pub fn from_go(text: &str) -> Result<Self, ParseDurationError> {
        let failed = || ParseDurationError(text.to_owned());
        let is_negative = text.starts_with('-');
        let mut rest = text.strip_prefix(['-', '+']).unwrap_or(text);
        if rest == "0" {
            return Ok(Self::ZERO);
        }
        let mut ns = 0.0;
        loop {
            let is_number = |byte: &u8| byte.is_ascii_digit() || *byte == b'.';
            let n_digits = rest.bytes().take_while(is_number).count();
            let (digits, after) = rest.split_at(n_digits);
            let number: f64 = digits.parse().map_err(|_| failed())?;
            let mut units = GO_UNITS.iter();
            let found = units.find_map(|(unit, size)| Some((after.strip_prefix(unit)?, size)));
            let (after, size) = found.ok_or_else(failed)?;
            ns += number * size;
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        if ns >= GO_NANOSECONDS_MAX {
            return Err(failed());
        }
        let ms = Self((ns / 1e6) as i64);
        Ok(if is_negative { -ms } else { ms })
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

// In nanoseconds; those come first that another one begins with.
const GO_UNITS: [(&str, f64); 8] = [
    ("ns", 1.0),
    ("us", 1e3),
    ("\u{b5}s", 1e3),
    ("\u{3bc}s", 1e3),
    ("ms", 1e6),
    ("s", 1e9),
    ("m", 60e9),
    ("h", 3600e9),
];
/// Go counts them in 63 bits.
const GO_NANOSECONDS_MAX: f64 = 9_223_372_036_854_775_808.0;

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
    fn durations_are_read_as_go_does() {
        for (text, ms) in [
            ("0", 0),
            ("+0", 0),
            ("-0", 0),
            ("1h30m", 5_400_000),
            ("1.5h", 5_400_000),
            (".5s", 500),
            ("5.s", 5000),
            ("10ms1h", 3_600_010),
            ("1m1m", 120_000),
            ("-15s", -15_000),
            ("1500us", 1),
            ("1500\u{b5}s", 1),
            ("999999ns", 0),
            ("2540400h", 9_145_440_000_000),
        ] {
            assert_eq!(Duration::from_go(text), Ok(Duration(ms)), "{text}");
        }
        for bad in [
            "", "-", "1", "s", ".s", "1.2.3s", "1d", "1w", "--1s", "1s ", "inf", "NaNs", "3000000h",
        ] {
            assert!(Duration::from_go(bad).is_err(), "{bad}");
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
    fn the_quick_ways_to_read_and_print_say_what_the_calendar_says() {
        // Every few days and some milliseconds over a thousand years, and the ends.
        let moments = (0..100_000).map(|n| -14_000_000_000_000 + n * 318_412_347_i64);
        for ms in moments.chain([-62_167_219_200_000, 253_402_207_200_999]) {
            let at = Timestamp(ms);
            let by_calendar = at.to_jiff().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
            assert_eq!(at.to_rfc3339_millis(), by_calendar);
            assert_eq!(by_calendar.parse(), Ok(at), "{by_calendar}");
        }
        for (text, ms) in [
            ("2026-02-30T00:00:00Z", None),
            ("2026-02-29T00:00:00Z", None),
            ("2024-02-29T00:00:00Z", Some(1_709_164_800_000)),
            ("1970-01-01T24:00:00Z", None),
            ("1970-01-01T00:00:00.Z", None),
            ("1970-01-01T00:00:0.5Z", None),
            ("1970-01-01T00:00:00.123456789Z", Some(123)),
            ("1970-01-01t00:00:01z", Some(1000)),
            ("1969-12-31T23:59:59.9999Z", Some(-1)),
        ] {
            assert_eq!(text.parse().ok().map(|it: Timestamp| it.0), ms, "{text}");
        }
    }

    #[test]
    fn arithmetic_saturates_at_the_ends_of_time() {
        assert_eq!(Timestamp::MAX + Duration(1), Timestamp::MAX);
        assert_eq!(Timestamp::MIN - Duration(1), Timestamp::MIN);
    }
}
