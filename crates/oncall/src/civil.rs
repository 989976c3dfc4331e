//! Civil time, counted in minutes of the calendar, and the moments at which clocks show it.
//!
//! *Invariants*: [`moment_of`] never goes back where civil time goes on, so what is adjacent on the
//! calendar is adjacent in time: no hour is covered by nobody, or by two, because clocks change.

use firebell_model::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

/// Minutes of an hour.
pub(crate) const HOUR: i64 = 60;
/// Minutes of a day.
pub(crate) const DAY: i64 = 24 * HOUR;
/// Minutes of a week.
pub(crate) const WEEK: i64 = 7 * DAY;
/// How far any clock may be put, in minutes: one crossed the date line.
pub(crate) const CHANGE_MAX: i64 = 2 * DAY;

// 1970-01-01 was a Thursday; weeks begin on Monday.
const MONDAY_TO_EPOCH: i64 = 3 * DAY;

/// The first moment at which a clock of the zone shows this time, or a later one.
///
/// A time that is skipped when clocks are put forward is the moment at which that happens; of a time
/// that comes twice it is the first.
#[must_use]
pub fn moment_of(zone: &TimeZone, civil: DateTime) -> Timestamp {
    let as_utc = |offset: Offset| match offset.to_timestamp(civil) {
        Ok(at) => at,
        Err(_) if civil.year() < 0 => jiff::Timestamp::MIN,
        Err(_) => jiff::Timestamp::MAX,
    };
    let at = match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => as_utc(offset),
        AmbiguousOffset::Fold { before, .. } => as_utc(before),
        AmbiguousOffset::Gap { before, after } => {
            let (earliest, latest) = (as_utc(after), as_utc(before));
            let mut changes = zone.following(earliest).map(|it| it.timestamp());
            let skips = |at: &jiff::Timestamp| zone.to_datetime(*at) >= civil;
            changes.find(skips).unwrap_or(latest).min(latest)
        }
    };
    Timestamp(at.as_millisecond())
}

/// The same of a minute of the calendar.
pub(crate) fn moment_of_minute(zone: &TimeZone, minute: i64) -> Timestamp {
    moment_of(zone, civil_of(minute))
}

/// The minute that a clock of the zone shows.
pub(crate) fn minute_at(zone: &TimeZone, at: Timestamp) -> i64 {
    minute_of(zone.to_datetime(at.to_jiff()))
}

/// The minute of the calendar in which a civil time lies.
pub(crate) fn minute_of(civil: DateTime) -> i64 {
    let seconds = Offset::UTC
        .to_timestamp(civil)
        .map(jiff::Timestamp::as_second);
    seconds.unwrap_or_default().div_euclid(60)
}

/// The civil time of a minute; clamped to the years that there are.
pub(crate) fn civil_of(minute: i64) -> DateTime {
    Offset::UTC.to_datetime(Timestamp(minute.saturating_mul(60_000)).to_jiff())
}

/// The day of a minute, counted from 1970-01-01.
pub(crate) fn day_of(minute: i64) -> i64 {
    minute.div_euclid(DAY)
}

/// The day of a date, counted from 1970-01-01.
pub(crate) fn day_of_date(date: Date) -> i64 {
    day_of(minute_of(date.to_datetime(jiff::civil::Time::midnight())))
}

/// The minute at which the week of a minute begins, on a Monday.
pub(crate) fn week_of(minute: i64) -> i64 {
    minute - (minute + MONDAY_TO_EPOCH).rem_euclid(WEEK)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(zone: &str, civil: &str, expected: &str) {
        let zone = TimeZone::get(zone).expect("a zone");
        let at = moment_of(&zone, civil.parse().expect("a civil time"));
        assert_eq!(at.to_string(), expected, "{civil}");
        let minute = minute_of(civil.parse().expect("a civil time"));
        assert_eq!(moment_of_minute(&zone, minute), at, "{civil}");
    }

    #[test]
    fn a_time_that_is_skipped_is_the_moment_of_the_change_and_one_that_comes_twice_is_the_first() {
        check("Europe/Berlin", "2026-01-05T09:00", "2026-01-05T08:00:00Z");
        for skipped in ["02:00", "02:30", "03:00"] {
            check(
                "Europe/Berlin",
                &format!("2026-03-29T{skipped}"),
                "2026-03-29T01:00:00Z",
            );
        }
        check("Europe/Berlin", "2026-10-25T02:30", "2026-10-25T00:30:00Z");
        check("Europe/Berlin", "2026-10-25T03:00", "2026-10-25T02:00:00Z");
        // Samoa had no 30th of December in 2011.
        check("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00:00Z");
        check(
            "Australia/Lord_Howe",
            "2026-10-04T02:15",
            "2026-10-03T15:30:00Z",
        );
    }

    #[test]
    fn weeks_begin_on_monday() {
        let minute = |text: &str| minute_of(text.parse().expect("a civil time"));
        assert_eq!(
            week_of(minute("2026-01-11T23:59")),
            minute("2026-01-05T00:00")
        );
        assert_eq!(
            week_of(minute("2026-01-12T00:00")),
            minute("2026-01-12T00:00")
        );
        assert_eq!(
            week_of(minute("1969-12-31T12:00")),
            minute("1969-12-29T00:00")
        );
    }
}
