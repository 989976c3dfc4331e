//! Time intervals: the moments at which routes mute, or are active.
//!
//! A moment is looked at in the civil time of the interval's zone, so a night is a night on both
//! sides of a change of clocks: an hour that is skipped is in no interval, one that comes twice is
//! in it twice.
//!
//! *Not here*: the YAML around it (`firebell-config`).
//!
//! *Sources*: Alertmanager, `timeinterval/timeinterval.go`, whose error texts these are.

mod text;
mod until;

use std::sync::Arc;

use firebell_model::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

pub use self::text::ParseTimeError;
pub(crate) use self::text::WEEKDAYS;
pub(crate) use self::until::next_change;

/// A named interval. It contains the moments that any of its parts contains.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimeInterval {
    /// As configured; routes use it.
    pub name: Arc<str>,
    /// In the order of configuration.
    pub parts: Vec<TimeSpec>,
}

/// Conditions that hold together: each list has to contain the moment, when it is there. A list
/// that is there and empty contains nothing.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TimeSpec {
    /// Times of the day.
    pub times: Option<Vec<TimeOfDay>>,
    /// Days of the week, Sunday is 0.
    pub weekdays: Option<Vec<Span>>,
    /// Days of the month; those below zero count from its end, -1 is the last day.
    pub days_of_month: Option<Vec<Span>>,
    /// Months, January is 1.
    pub months: Option<Vec<Span>>,
    /// Years.
    pub years: Option<Vec<Span>>,
    /// Whose clock is looked at; UTC when `None`.
    pub zone: Option<TimeZone>,
}

/// From one minute of the day, inclusive, to another, exclusive; 1440 is its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeOfDay {
    pub(crate) start_minute: i64,
    pub(crate) end_minute: i64,
}

/// From a number to another, both inclusive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    pub(crate) first: i64,
    pub(crate) last: i64,
}

/// Finds a zone by its IANA name; `Local` is UTC, since the zone of the machine is not looked at.
///
/// # Errors
/// When there is no such zone, in Go's words. Names are compared as they are written.
pub fn zone(name: &str) -> Result<TimeZone, ParseTimeError> {
    if matches!(name, "" | "UTC" | "Local") {
        return Ok(TimeZone::UTC);
    }
    let found = TimeZone::get(name).ok();
    let found = found.filter(|zone| zone.iana_name() == Some(name));
    found.ok_or_else(|| ParseTimeError(format!("unknown time zone {name}")))
}

impl TimeInterval {
    /// How many of its parts contain a moment.
    #[must_use]
    pub fn n_containing(&self, now: Timestamp) -> usize {
        self.parts.iter().filter(|part| part.contains(now)).count()
    }
}

/// The names of the intervals that contain a moment; as upstream, one for each part that does.
pub(crate) fn names_at(intervals: &[Arc<TimeInterval>], now: Timestamp) -> Vec<Arc<str>> {
    let repeated = |it: &Arc<TimeInterval>| vec![it.name.clone(); it.n_containing(now)];
    intervals.iter().flat_map(repeated).collect()
}

impl TimeSpec {
    /// Whether every condition holds at a moment.
    #[must_use]
    pub fn contains(&self, now: Timestamp) -> bool {
        let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
        let local = zone.to_datetime(now.to_jiff());
        let minute = i64::from(local.hour()) * 60 + i64::from(local.minute());
        let weekday = i64::from(local.weekday().to_sunday_zero_offset());
        let is_in_times = |times: &Vec<TimeOfDay>| times.iter().any(|it| it.contains(minute));
        let is_in = |spans: &Option<Vec<Span>>, value: i64| {
            let contains = |it: &Span| it.first <= value && value <= it.last;
            spans.as_ref().is_none_or(|it| it.iter().any(contains))
        };
        let is_day = |days: &Vec<Span>| days.iter().any(|it| it.contains_day(&local));
        self.times.as_ref().is_none_or(is_in_times)
            && self.days_of_month.as_ref().is_none_or(is_day)
            && is_in(&self.months, local.month().into())
            && is_in(&self.weekdays, weekday)
            && is_in(&self.years, local.year().into())
    }
}

impl TimeOfDay {
    /// From one minute of the day to another.
    pub(crate) fn of(start_minute: u16, end_minute: u16) -> Self {
        let (start_minute, end_minute) = (start_minute.into(), end_minute.into());
        Self {
            start_minute,
            end_minute,
        }
    }

    fn contains(&self, minute: i64) -> bool {
        (self.start_minute..self.end_minute).contains(&minute)
    }
}

impl Span {
    /// One number.
    pub(crate) fn of(number: i64) -> Self {
        let (first, last) = (number, number);
        Self { first, last }
    }

    // A day after the end of a month stands for its last day at the end of a span, and for none at
    // its beginning.
    fn contains_day(&self, local: &DateTime) -> bool {
        let n_days = i64::from(local.days_in_month());
        let from_start = |day: i64| if day < 0 { n_days + day + 1 } else { day };
        let (first, last) = (from_start(self.first), from_start(self.last));
        let day = i64::from(local.day());
        first <= n_days && first <= day && day <= last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> TimeSpec {
        let mut spec = TimeSpec::default();
        for word in text.split(' ').filter(|word| !word.is_empty()) {
            let (name, value) = word.split_once('=').expect("NAME=VALUE");
            let values = || value.split(',').filter(|it| !it.is_empty());
            let spans = |read: fn(&str) -> Result<Span, ParseTimeError>| {
                Some(values().map(|it| read(it).expect("a span")).collect())
            };
            match name {
                "times" => {
                    let time = |it: &str| {
                        let (start, end) = it.split_once('-').expect("START-END");
                        TimeOfDay::parse(start, end).expect("a time")
                    };
                    spec.times = Some(values().map(time).collect());
                }
                "weekdays" => spec.weekdays = spans(Span::weekdays),
                "days" => spec.days_of_month = spans(Span::days_of_month),
                "months" => spec.months = spans(Span::months),
                "years" => spec.years = spans(Span::years),
                _ => spec.zone = Some(zone(value).expect("a zone")),
            }
        }
        spec
    }

    fn check(text: &str, moments: &[(&str, bool)]) {
        for (moment, expected) in moments {
            let at: jiff::Timestamp = moment.parse().expect("a moment");
            let contains = spec(text).contains(Timestamp(at.as_millisecond()));
            assert_eq!(contains, *expected, "`{text}` at {moment}");
        }
    }

    #[test]
    fn start_is_inclusive_and_end_exclusive() {
        check(
            "times=09:00-17:00",
            &[
                ("2026-01-05T08:59:59.999Z", false),
                ("2026-01-05T09:00:00Z", true),
                ("2026-01-05T16:59:59.999Z", true),
                ("2026-01-05T17:00:00Z", false),
            ],
        );
        check(
            "times=22:00-24:00,00:00-06:00",
            &[
                ("2026-01-05T23:59:59Z", true),
                ("2026-01-06T00:00:00Z", true),
                ("2026-01-06T06:00:00Z", false),
                ("2026-01-05T21:59:59Z", false),
            ],
        );
    }

    #[test]
    fn all_conditions_hold_together() {
        let office = "times=09:00-17:00 weekdays=monday:friday months=january:march years=2026";
        check(
            office,
            &[
                ("2026-01-05T12:00:00Z", true),
                ("2026-01-04T12:00:00Z", false), // a Sunday
                ("2026-04-06T12:00:00Z", false),
                ("2027-01-04T12:00:00Z", false),
            ],
        );
        check("", &[("2026-01-05T12:00:00Z", true)]);
        check("times=", &[("2026-01-05T12:00:00Z", false)]);
    }

    #[test]
    fn days_of_month_count_from_both_ends_and_are_clamped() {
        check(
            "days=-1",
            &[
                ("2024-02-29T12:00:00Z", true),
                ("2024-02-28T12:00:00Z", false),
                ("2026-04-30T12:00:00Z", true),
            ],
        );
        // Up to the end of a month that is shorter.
        check(
            "days=29:31",
            &[
                ("2026-04-29T12:00:00Z", true),
                ("2026-04-30T12:00:00Z", true),
                ("2026-02-28T12:00:00Z", false),
                ("2026-03-01T12:00:00Z", false),
            ],
        );
        // From before the beginning of a month that is shorter.
        check(
            "days=-31:-28",
            &[
                ("2026-02-01T12:00:00Z", true),
                ("2026-02-02T12:00:00Z", false),
            ],
        );
    }

    #[test]
    fn the_last_day_of_a_month_with_a_change_of_clocks_is_its_last_day() {
        // Upstream counts hours, and takes the 30th for the last of this March: see COMPAT.md.
        check(
            "days=-1 zone=Europe/Berlin",
            &[
                ("2026-03-31T12:00:00Z", true),
                ("2026-03-30T12:00:00Z", false),
            ],
        );
    }

    #[test]
    fn clocks_are_those_of_the_zone_before_and_after_they_change() {
        // Berlin is an hour ahead until 2026-03-29T01:00Z, then two hours until 2026-10-25T01:00Z.
        check(
            "times=02:00-03:00 zone=Europe/Berlin",
            &[
                ("2026-03-28T01:30:00Z", true),
                ("2026-03-29T00:59:59Z", false), // 01:59:59, and then 03:00:00
                ("2026-03-29T01:00:00Z", false),
                ("2026-03-30T00:30:00Z", true),
                ("2026-10-25T00:30:00Z", true), // the first time
                ("2026-10-25T01:30:00Z", true), // the second
                ("2026-10-25T02:00:00Z", false),
            ],
        );
        check(
            "times=09:00-17:00 weekdays=monday zone=Australia/Sydney",
            &[
                ("2026-01-04T22:00:00Z", true), // Monday 09:00 there, Sunday here
                ("2026-01-05T06:00:00Z", false),
            ],
        );
    }

    #[test]
    fn a_name_stands_once_for_each_part_that_contains_the_moment() {
        let interval = |name: &str, parts: &[&str]| {
            Arc::new(TimeInterval {
                name: name.into(),
                parts: parts.iter().map(|part| spec(part)).collect(),
            })
        };
        let intervals = [
            interval("both", &["months=1", "years=1970"]),
            interval("one", &["months=2", "years=1970"]),
            interval("none", &["months=2"]),
        ];
        let names = names_at(&intervals, Timestamp(0));
        let names: Vec<&str> = names.iter().map(|name| &**name).collect();
        assert_eq!(names, ["both", "both", "one"]);
    }
}
