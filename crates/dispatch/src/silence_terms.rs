//! What a silence may say that upstream does not know: until its alerts have resolved, and each week.

use std::fmt::Write as _;
use std::sync::Arc;

use firebell_model::{Duration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::time_interval::{Span, TimeInterval, TimeOfDay, TimeSpec, WEEKDAYS, next_change, zone};

/// How a silence mutes besides from its start to its end. Plain by default, as upstream's.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct SilenceTerms {
    /// It ends by itself when the alerts that it mutes have all been resolved for so long; at most
    /// [`UNTIL_RESOLVED_MAX`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_resolved_for: Option<Duration>,
    /// It mutes in this part of each week only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weekly: Option<Weekly>,
    /// Whether there was ever an alert to wait for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) has_matched: bool,
}

/// A part of each week, on the clocks of a zone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct Weekly {
    written: Written,
    interval: Arc<TimeInterval>,
}

/// As it is asked for and kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Written {
    // Sunday is 0; sorted, never empty.
    weekdays: Vec<i8>,
    // Minutes of the day, below 1440 and up to 1440. An end that is not after its start is on the
    // next day.
    start_minute: u16,
    end_minute: u16,
    // IANA name, of a zone that exists.
    zone: String,
}

/// So long a resolved alert is surely known.
pub const UNTIL_RESOLVED_MAX: Duration = Duration::from_mins(30);

const MINUTES_OF_DAY: u16 = 24 * 60;

impl SilenceTerms {
    /// Until its alerts have all been resolved for so long.
    #[must_use]
    pub fn until_resolved(for_: Duration) -> Self {
        Self {
            until_resolved_for: Some(for_),
            ..Self::default()
        }
    }

    /// In a part of each week.
    #[must_use]
    pub fn weekly(weekly: Weekly) -> Self {
        Self {
            weekly: Some(weekly),
            ..Self::default()
        }
    }

    /// Whether it says nothing.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Checks that the terms go together.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub(crate) fn check(&self) -> Result<(), String> {
        match (self.until_resolved_for, &self.weekly) {
            (Some(_), Some(_)) => {
                Err("a silence lasts until resolved or comes each week, not both".to_owned())
            }
            (Some(after), _) if !(Duration::ZERO..=UNTIL_RESOLVED_MAX).contains(&after) => Err(
                format!("until resolved for {after}: has to be from 0s to {UNTIL_RESOLVED_MAX}"),
            ),
            _ => Ok(()),
        }
    }
}

impl Weekly {
    /// From English names of days, times such as `02:00` (the end up to `24:00`), and a zone.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub fn new(weekdays: &[&str], start: &str, end: &str, zone_name: &str) -> Result<Self, String> {
        let weekday = |name: &&str| {
            let lower = name.to_lowercase();
            let found = WEEKDAYS.iter().position(|it| *it == lower);
            let idx = found.ok_or_else(|| format!("`{name}` is no day of the week"))?;
            Ok::<i8, String>(idx as i8)
        };
        let mut days = weekdays
            .iter()
            .map(weekday)
            .collect::<Result<Vec<_>, _>>()?;
        days.sort_unstable();
        days.dedup();
        if days.is_empty() {
            return Err("a weekly silence needs a day of the week".to_owned());
        }
        let (start_minute, end_minute) = (minute(start)?, minute(end)?);
        if start_minute == MINUTES_OF_DAY || start_minute == end_minute {
            return Err(format!("`{start}` to `{end}` is no time of the day"));
        }
        zone(zone_name).map_err(|error| error.to_string())?;
        Ok(Self::from(Written {
            weekdays: days,
            start_minute,
            end_minute,
            zone: zone_name.to_owned(),
        }))
    }

    /// Whether it mutes at a moment. An hour that clocks skip is not there, one that comes twice
    /// is there twice.
    #[must_use]
    pub fn contains(&self, now: Timestamp) -> bool {
        self.interval.n_containing(now) > 0
    }

    /// When it mutes no longer, or again.
    pub(crate) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        let interval = std::slice::from_ref(&self.interval);
        next_change(interval, now, |at| self.contains(at))
    }

    /// The days of the week on which it begins, in English.
    #[must_use]
    pub fn weekdays(&self) -> Vec<&'static str> {
        let name = |day: &i8| WEEKDAYS[usize::try_from(*day).unwrap_or(0) % 7];
        self.written.weekdays.iter().map(name).collect()
    }

    /// When it begins and ends, such as `02:00`.
    #[must_use]
    pub fn times(&self) -> (String, String) {
        (
            clock(self.written.start_minute),
            clock(self.written.end_minute),
        )
    }

    /// Whose clocks count.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.written.zone
    }
}

impl From<Written> for Weekly {
    fn from(written: Written) -> Self {
        let zone = zone(&written.zone).ok();
        let part = |first, last, days_later: i64| {
            let on = |day: &i8| Span::of((i64::from(*day) + days_later) % 7);
            TimeSpec {
                times: Some(vec![TimeOfDay::of(first, last)]),
                weekdays: Some(written.weekdays.iter().map(on).collect()),
                zone: zone.clone(),
                ..TimeSpec::default()
            }
        };
        let (start, end) = (written.start_minute, written.end_minute);
        let parts = match start < end {
            true => vec![part(start, end, 0)],
            false => vec![part(start, MINUTES_OF_DAY, 0), part(0, end, 1)],
        };
        let name = Arc::from("");
        Self {
            interval: Arc::new(TimeInterval { name, parts }),
            written,
        }
    }
}

impl From<Weekly> for Written {
    fn from(weekly: Weekly) -> Self {
        weekly.written
    }
}

fn minute(text: &str) -> Result<u16, String> {
    let read = || {
        let (hour, minute) = text.split_once(':')?;
        let is_number = |it: &str| it.len() == 2 && it.bytes().all(|byte| byte.is_ascii_digit());
        let (hour, minute) =
            Some((hour, minute)).filter(|it| is_number(it.0) && is_number(it.1))?;
        let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
        let total = hour * 60 + minute;
        (minute < 60 && total <= MINUTES_OF_DAY).then_some(total)
    };
    read().ok_or_else(|| format!("`{text}` is no time such as `02:00`"))
}

fn clock(minute: u16) -> String {
    let mut text = String::new();
    let _ = write!(text, "{:02}:{:02}", minute / 60, minute % 60);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(weekly: &Weekly, moments: &[(&str, bool)]) {
        for (moment, expected) in moments {
            let at: jiff::Timestamp = moment.parse().expect("a moment");
            let contains = weekly.contains(Timestamp(at.as_millisecond()));
            assert_eq!(contains, *expected, "{weekly:?} at {moment}");
        }
    }

    #[test]
    fn a_week_is_that_of_the_zone() {
        let berlin = Weekly::new(&["Sunday"], "02:00", "04:00", "Europe/Berlin").expect("good");
        check(
            &berlin,
            &[
                ("2026-11-22T00:59:59Z", false),
                ("2026-11-22T01:00:00Z", true), // 02:00 there
                ("2026-11-22T02:59:59.999Z", true),
                ("2026-11-22T03:00:00Z", false),
                ("2026-11-23T01:30:00Z", false), // a Monday
                ("2026-07-05T00:00:00Z", true),  // an hour earlier in summer
                ("2026-03-29T00:59:59Z", false), // 01:59:59, then 03:00:00
                ("2026-03-29T01:00:00Z", true),
            ],
        );
    }

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let night = Weekly::new(&["saturday"], "22:00", "06:00", "UTC").expect("good");
        check(
            &night,
            &[
                ("2026-11-21T21:59:59Z", false),
                ("2026-11-21T22:00:00Z", true),
                ("2026-11-22T05:59:59Z", true),
                ("2026-11-22T06:00:00Z", false),
                ("2026-11-22T22:00:00Z", false),
                ("2026-11-21T05:00:00Z", false),
            ],
        );
        let whole = Weekly::new(&["sunday"], "00:00", "24:00", "UTC").expect("good");
        check(
            &whole,
            &[
                ("2026-11-22T23:59:59Z", true),
                ("2026-11-23T00:00:00Z", false),
            ],
        );
    }

    #[test]
    fn what_is_no_week_is_refused() {
        let check = |days: &[&str], start, end, zone, expected| {
            assert_eq!(
                Weekly::new(days, start, end, zone),
                Err(String::from(expected))
            );
        };
        check(
            &[],
            "02:00",
            "04:00",
            "UTC",
            "a weekly silence needs a day of the week",
        );
        check(
            &["funday"],
            "02:00",
            "04:00",
            "UTC",
            "`funday` is no day of the week",
        );
        check(
            &["sunday"],
            "2:00",
            "04:00",
            "UTC",
            "`2:00` is no time such as `02:00`",
        );
        check(
            &["sunday"],
            "02:00",
            "24:01",
            "UTC",
            "`24:01` is no time such as `02:00`",
        );
        check(
            &["sunday"],
            "02:00",
            "02:00",
            "UTC",
            "`02:00` to `02:00` is no time of the day",
        );
        check(
            &["sunday"],
            "02:00",
            "04:00",
            "Berlin",
            "unknown time zone Berlin",
        );
    }
}
