//! Wall time, for stamps only; what lasts is measured by `Instant`.

use std::time::{SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970.
#[must_use]
pub fn now_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |it| u64::try_from(it.as_nanos()).unwrap_or(u64::MAX))
}

/// `2026-11-22T12:00:00.123456Z`.
#[must_use]
pub fn rfc3339(nanos: u64) -> String {
    let mut text = String::with_capacity(27);
    push_rfc3339(nanos, &mut text);
    text
}

/// Appends the same. By hand, and with divisions by constants only: every log line, breadcrumb and
/// request has one.
pub fn push_rfc3339(nanos: u64, out: &mut String) {
    let secs = nanos / 1_000_000_000;
    let (year, month, day) = civil(secs / 86_400);
    let (of_day, micros) = (secs % 86_400, nanos / 1000 % 1_000_000);
    let pairs = [
        (0, year / 100 % 100),
        (2, year % 100),
        (5, month),
        (8, day),
        (11, of_day / 3600),
        (14, of_day / 60 % 60),
        (17, of_day % 60),
        (20, micros / 10_000),
        (22, micros / 100 % 100),
        (24, micros % 100),
    ];
    let mut text = *b"0000-00-00T00:00:00.000000Z";
    for (at, pair) in pairs {
        if let Some(digits) = text.get_mut(at..at + 2) {
            digits.copy_from_slice(&[b'0' + (pair / 10) as u8, b'0' + (pair % 10) as u8]);
        }
    }
    out.push_str(std::str::from_utf8(&text).unwrap_or_default());
}

/// Year, month and day of a number of days since 1970, by eras of 400 years that begin in March.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (nanos, expected) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_795_348_805_123_456_789, "2026-11-22T12:00:05.123456Z"),
        ] {
            assert_eq!(rfc3339(nanos), expected);
        }
    }
}
