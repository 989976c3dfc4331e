//! The time an objective is measured over: the last so many days, or months of a calendar.

use firebell_model::{Duration, Timestamp};
use jiff::Span;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// What an objective is measured over.
#[derive(Clone, PartialEq, Debug)]
pub enum Window {
    /// The time up to now.
    Rolling(Duration),
    /// From the start of the present month, week and so on.
    Calendar(Calendar),
}

/// Periods of a calendar, one after the other.
#[derive(Clone, PartialEq, Debug)]
pub struct Calendar {
    anchor: DateTime,
    months: i32,
    days: i32,
    zone: TimeZone,
}

/// Why there is no such window.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WindowError {
    /// The zone is not known.
    #[error("`{0}` is no time zone such as Europe/Berlin")]
    Zone(String),
    /// The period is not known.
    #[error("`{0}` is neither a duration such as 30d nor one of day, week, month, quarter, year")]
    Period(String),
    /// The start is no civil time.
    #[error("`{0}` is no date and time such as 2026-01-31 00:00:00")]
    Start(String),
    /// It is empty, or longer than anybody lives.
    #[error("a period of a calendar has 1 to {MONTHS_MAX} months, or 1 to {DAYS_MAX} days")]
    Length,
}

/// Longest period in months.
const MONTHS_MAX: i32 = 120;
/// Longest period in days.
const DAYS_MAX: i32 = 3660;

/// A time zone by name.
///
/// # Errors
/// When there is no such zone.
pub fn zone(name: &str) -> Result<TimeZone, WindowError> {
    TimeZone::get(name).map_err(|_| WindowError::Zone(name.to_owned()))
}

impl Window {
    /// `month` and the like, in a zone, or in UTC; weeks begin on Monday.
    ///
    /// # Errors
    /// When there is no such period.
    pub fn calendar(period: &str, zone: Option<TimeZone>) -> Result<Self, WindowError> {
        let (months, days) = match period {
            "day" => (0, 1),
            "week" => (0, 7),
            "month" => (1, 0),
            "quarter" => (3, 0),
            "year" => (12, 0),
            _ => return Err(WindowError::Period(period.to_owned())),
        };
        // A Monday for weeks; months begin with the year.
        let day = if days > 0 { 5 } else { 1 };
        let anchor = DateTime::constant(1970, 1, day, 0, 0, 0, 0);
        Ok(Self::Calendar(Calendar {
            anchor,
            months,
            days,
            zone: zone.unwrap_or(TimeZone::UTC),
        }))
    }

    /// Periods of so many months or days that follow each other from a civil time on, in a zone, or in UTC.
    ///
    /// # Errors
    /// When the start cannot be read.
    pub fn from_start(
        start: &str,
        (months, days): (i32, i32),
        zone: Option<TimeZone>,
    ) -> Result<Self, WindowError> {
        let failed = || WindowError::Start(start.to_owned());
        let anchor: DateTime = start.trim().parse().map_err(|_| failed())?;
        let is_possible = (1..=MONTHS_MAX).contains(&months) && days == 0
            || (1..=DAYS_MAX).contains(&days) && months == 0;
        if !is_possible {
            return Err(WindowError::Length);
        }
        Ok(Self::Calendar(Calendar {
            anchor,
            months,
            days,
            zone: zone.unwrap_or(TimeZone::UTC),
        }))
    }

    /// Its length; that of an average one where they differ.
    #[must_use]
    pub fn period(&self) -> Duration {
        match self {
            Self::Rolling(period) => *period,
            Self::Calendar(Calendar { months, days, .. }) => {
                let of_months = i64::from(months / 12) * 365 + i64::from(months % 12) * 30;
                Duration::from_hours(24) * (of_months + i64::from(*days))
            }
        }
    }

    /// From when to when it goes that contains a moment; up to that moment when it rolls.
    #[must_use]
    pub fn around(&self, at: Timestamp) -> (Timestamp, Timestamp) {
        match self {
            Self::Rolling(period) => (at - *period, at),
            Self::Calendar(calendar) => calendar.around(at),
        }
    }

    /// Whether it rolls.
    #[must_use]
    pub fn is_rolling(&self) -> bool {
        matches!(self, Self::Rolling(_))
    }
}

/// `30d`; `month, Europe/Berlin`.
impl std::fmt::Display for Window {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rolling(period) => {
                let (day, ms) = (24 * 3_600_000, period.0);
                match ms % day {
                    // People say 28 days, not 4 weeks.
                    0 if ms > 0 => write!(f, "{}d", ms / day),
                    _ => write!(f, "{period}"),
                }
            }
            Self::Calendar(calendar) => {
                let name = match (calendar.months, calendar.days) {
                    (1, 0) => "month".to_owned(),
                    (3, 0) => "quarter".to_owned(),
                    (12, 0) => "year".to_owned(),
                    (0, 1) => "day".to_owned(),
                    (0, 7) => "week".to_owned(),
                    (0, days) => format!("{days} days"),
                    (months, _) => format!("{months} months"),
                };
                let zone = calendar.zone.iana_name().unwrap_or("UTC");
                write!(f, "{name}, {zone}")
            }
        }
    }
}

impl Calendar {
    fn around(&self, at: Timestamp) -> (Timestamp, Timestamp) {
        let local = at.to_jiff().to_zoned(self.zone.clone()).datetime();
        // How many periods since the anchor, rounded down; the estimate is off by one at most.
        let estimate = match self.months {
            0 => self
                .anchor
                .until((jiff::Unit::Day, local))
                .map(|it| it.get_days() / self.days),
            months => self
                .anchor
                .until((jiff::Unit::Month, local))
                .map(|it| it.get_months() / months),
        };
        let mut n = estimate.unwrap_or(0);
        while self.start(n) > local {
            n -= 1;
        }
        while self.start(n + 1) <= local && self.start(n + 1) > self.start(n) {
            n += 1;
        }
        (self.moment(self.start(n)), self.moment(self.start(n + 1)))
    }

    /// The civil time at which a period begins.
    fn start(&self, n: i32) -> DateTime {
        let span = match self.months {
            0 => Span::new().try_days(self.days.saturating_mul(n)),
            months => Span::new().try_months(months.saturating_mul(n)),
        };
        // Beyond what civil time knows there is only its end.
        let end = if n < 0 { DateTime::MIN } else { DateTime::MAX };
        span.map_or(end, |span| self.anchor.saturating_add(span))
    }

    /// When the clocks of the zone show a time; of a time that is left out, the moment after the gap.
    fn moment(&self, civil: DateTime) -> Timestamp {
        let zoned = self.zone.to_ambiguous_zoned(civil).compatible();
        zoned.map_or(Timestamp(0), |it| {
            Timestamp(it.timestamp().as_millisecond())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(window: &Window, at: &str, from: &str, until: &str) {
        let (start, end) = window.around(at.parse().unwrap());
        assert_eq!(
            (start.to_string(), end.to_string()),
            (from.to_owned(), until.to_owned())
        );
    }

    #[test]
    fn months_begin_at_midnight_of_their_zone() {
        let month = Window::calendar("month", zone("Europe/Berlin").ok()).unwrap();
        assert_eq!(month.to_string(), "month, Europe/Berlin");
        assert_eq!(month.period(), Duration::from_hours(720));
        let (from, until) = ("2026-03-31T22:00:00Z", "2026-04-30T22:00:00Z");
        check(&month, "2026-03-31T22:00:00Z", from, until);
        check(&month, "2026-04-30T21:59:59Z", from, until);
        // The month in which the clocks change is an hour short.
        check(
            &month,
            "2026-03-31T21:59:59Z",
            "2026-02-28T23:00:00Z",
            "2026-03-31T22:00:00Z",
        );
    }

    #[test]
    fn weeks_begin_on_monday_and_a_start_may_be_any_day() {
        let week = Window::calendar("week", None).unwrap();
        check(
            &week,
            "2026-11-21T06:00:00Z",
            "2026-11-16T00:00:00Z",
            "2026-11-23T00:00:00Z",
        );
        let from = Window::from_start("2025-01-31 12:30:00", (1, 0), None).unwrap();
        check(
            &from,
            "2026-03-01T00:00:00Z",
            "2026-02-28T12:30:00Z",
            "2026-03-31T12:30:00Z",
        );
        check(
            &from,
            "2024-12-31T12:00:00Z",
            "2024-11-30T12:30:00Z",
            "2024-12-31T12:30:00Z",
        );
    }
}
