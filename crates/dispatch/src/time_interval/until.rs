//! When time intervals begin or end next: for saying until when a route is muted.
//!
//! What an interval says can change only at midnight of its zone, at the minutes that it names, and
//! when clocks change; so these moments alone are looked at.

use std::sync::Arc;

use firebell_model::Timestamp;
use jiff::ToSpan as _;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::{TimeInterval, TimeSpec};

/// So many days are looked at; what changes later than that counts as never.
const DAYS_MAX: i64 = 400;
/// So many days are collected at a time: most intervals change within a week.
const DAYS_AT_A_TIME: i64 = 8;
/// So many moments are looked at.
const MOMENTS_MAX: usize = 20_000;
const DAY_MS: i64 = 24 * 3_600_000;
const MINUTES_OF_DAY: i64 = 1_440;

/// The first moment after `now` at which `holds` differs from what it is now, of those at which
/// one of the intervals can change.
pub(crate) fn next_change(
    intervals: &[Arc<TimeInterval>],
    now: Timestamp,
    holds: impl Fn(Timestamp) -> bool,
) -> Option<Timestamp> {
    let held = holds(now);
    let mut n_looked_at = 0;
    let (mut from, mut n_days) = (now, 0);
    while n_days < DAYS_MAX && n_looked_at < MOMENTS_MAX {
        let to = Timestamp(from.0.saturating_add(DAYS_AT_A_TIME * DAY_MS));
        let mut moments: Vec<Timestamp> = Vec::new();
        for part in intervals.iter().flat_map(|it| &it.parts) {
            part.push_moments(from, &mut moments);
        }
        moments.retain(|at| from < *at && *at <= to);
        moments.sort_unstable();
        moments.dedup();
        n_looked_at += moments.len();
        if let Some(change) = moments.into_iter().find(|at| holds(*at) != held) {
            return Some(change);
        }
        from = to;
        n_days += DAYS_AT_A_TIME;
    }
    None
}

impl TimeSpec {
    // The moments of some days from the day of `from` on at which it may begin or end.
    fn push_moments(&self, from: Timestamp, moments: &mut Vec<Timestamp>) {
        let zone = self.zone.clone().unwrap_or(TimeZone::UTC);
        let named = self.times.iter().flatten();
        let mut minutes: Vec<i64> = named
            .flat_map(|it| [it.start_minute, it.end_minute])
            .collect();
        minutes.push(0);
        let mut day = zone.to_datetime(from.to_jiff()).date();
        // A day of the zone may begin before or after the one of UTC.
        for _ in 0..DAYS_AT_A_TIME + 2 {
            moments.extend(minutes.iter().filter_map(|it| moment(&zone, day, *it)));
            let Ok(next) = day.tomorrow() else {
                return;
            };
            day = next;
        }
        let end = from.0.saturating_add(DAYS_AT_A_TIME * DAY_MS);
        let changes = zone.following(from.to_jiff());
        let changes = changes.map(|it| Timestamp(it.timestamp().as_millisecond()));
        moments.extend(changes.take_while(|it| it.0 <= end));
    }
}

fn moment(zone: &TimeZone, day: Date, minute: i64) -> Option<Timestamp> {
    let (day, minute) = match minute >= MINUTES_OF_DAY {
        true => (day.checked_add(1.day()).ok()?, 0),
        false => (day, minute),
    };
    let local = day.at((minute / 60) as i8, (minute % 60) as i8, 0, 0);
    let at = zone.to_ambiguous_timestamp(local).compatible().ok()?;
    Some(Timestamp(at.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time_interval::{Span, TimeOfDay, names_at, zone};

    // `PART|PART` with each `START-END` or `weekdays=…`, at the zone.
    fn interval(zone_name: &str, parts: &str) -> Vec<Arc<TimeInterval>> {
        let part = |text: &str| {
            let mut spec = TimeSpec {
                zone: Some(zone(zone_name).unwrap()),
                ..TimeSpec::default()
            };
            for word in text.split(' ') {
                match word.split_once('=') {
                    Some(("weekdays", days)) => {
                        spec.weekdays = Some(vec![Span::weekdays(days).unwrap()]);
                    }
                    Some((_, years)) => spec.years = Some(vec![Span::years(years).unwrap()]),
                    None => {
                        let (start, end) = word.split_once('-').unwrap();
                        let time = TimeOfDay::parse(start, end).unwrap();
                        spec.times.get_or_insert_default().push(time);
                    }
                }
            }
            spec
        };
        vec![Arc::new(TimeInterval {
            name: "it".into(),
            parts: parts.split('|').map(part).collect(),
        })]
    }

    fn check(zone: &str, parts: &str, now: &str, expected: &str) {
        let intervals = interval(zone, parts);
        let now: jiff::Timestamp = now.parse().unwrap();
        let now = Timestamp(now.as_millisecond());
        let change = next_change(&intervals, now, |at| !names_at(&intervals, at).is_empty());
        let change = change.map_or("never".to_owned(), |it| it.to_string());
        assert_eq!(change, expected, "`{parts}` at {now}");
    }

    #[test]
    fn an_interval_ends_at_its_minute_at_midnight_or_when_clocks_change() {
        for (zone, parts, now, expected) in [
            (
                "UTC",
                "09:00-17:00",
                "2026-01-05T12:00:00Z",
                "2026-01-05T17:00:00Z",
            ),
            (
                "UTC",
                "09:00-17:00",
                "2026-01-05T17:00:00Z",
                "2026-01-06T09:00:00Z",
            ),
            // Over midnight, of two parts.
            (
                "UTC",
                "22:00-24:00|00:00-06:00",
                "2026-01-05T23:00:00Z",
                "2026-01-06T06:00:00Z",
            ),
            // Saturday and Sunday.
            (
                "UTC",
                "weekdays=saturday|weekdays=sunday",
                "2026-01-03T12:00:00Z",
                "2026-01-05T00:00:00Z",
            ),
            (
                "Europe/Berlin",
                "weekdays=sunday",
                "2026-03-29T12:00:00Z",
                "2026-03-29T22:00:00Z",
            ),
            // 02:30 does not come that day: clocks go from 02:00 to 03:00.
            (
                "Europe/Berlin",
                "01:00-02:30",
                "2026-03-29T00:30:00Z",
                "2026-03-29T01:00:00Z",
            ),
            (
                "UTC",
                "years=2026",
                "2026-01-03T12:00:00Z",
                "2027-01-01T00:00:00Z",
            ),
            ("UTC", "years=2026:2030", "2026-01-03T12:00:00Z", "never"),
            ("UTC", "00:00-24:00", "2026-01-03T12:00:00Z", "never"),
        ] {
            check(zone, parts, now, expected);
        }
    }
}
