//! Fairness: how much of a schedule each person carries.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use crate::civil::{CHANGE_MAX, DAY, day_of, minute_at, moment_of_minute};
use crate::hours::{Hours, WeekHours};
use crate::people::{Directory, PersonId};
use crate::shifts::{Shift, Span};

/// What one person carries, by their own clock. Times are milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Load {
    /// On call at all.
    pub on_call_ms: i64,
    /// Of it between 22:00 and 06:00.
    pub night_ms: i64,
    /// How many nights have any of it.
    pub n_nights: u32,
    /// Of it on Saturdays and Sundays.
    pub weekend_ms: i64,
    /// How many weekends have any of it.
    pub n_weekends: u32,
    /// How many shifts.
    pub n_shifts: u32,
}

/// What everybody carries.
#[derive(Clone, PartialEq, Debug)]
pub struct Fairness {
    /// By person.
    pub loads: BTreeMap<PersonId, Load>,
    /// 0 to 1: the mean over all pairs of people of the smaller share of time over the larger one;
    /// 1 when all carry the same.
    pub balance: f64,
}

impl Fairness {
    /// Adds shifts up; those who have none do not count.
    #[must_use]
    pub fn of(shifts: &[Shift], directory: &Directory) -> Self {
        let mut spans: BTreeMap<PersonId, Vec<Span>> = BTreeMap::new();
        for shift in shifts {
            for person in shift.people.iter() {
                spans.entry(*person).or_default().push(shift.span);
            }
        }
        let loads: BTreeMap<PersonId, Load> = spans
            .into_iter()
            .map(|(person, spans)| (person, load(&spans, &directory.person(person).zone)))
            .collect();
        let balance = balance(&loads);
        Self { loads, balance }
    }
}

fn load(spans: &[Span], zone: &TimeZone) -> Load {
    let (night_ms, n_nights) = during("22:00-06:00", spans, zone);
    let (weekend_ms, n_weekends) = during("sat,sun", spans, zone);
    // Shifts that touch are one to who has them.
    let starts = spans
        .windows(2)
        .filter(|pair| pair[0].until != pair[1].from)
        .count();
    Load {
        on_call_ms: spans.iter().map(|span| span.millis()).sum(),
        night_ms,
        n_nights,
        weekend_ms,
        n_weekends,
        n_shifts: u32::try_from(starts + usize::from(!spans.is_empty())).unwrap_or(u32::MAX),
    }
}

/// How much of some spans lies in hours of the week, and in how many stretches of them.
fn during(hours: &str, spans: &[Span], zone: &TimeZone) -> (i64, u32) {
    let hours = Hours {
        week: hours.parse::<WeekHours>().ok(),
        holidays: None,
    };
    let (mut millis, mut n_stretches, mut last) = (0, 0, i64::MIN);
    for span in spans {
        let from = minute_at(zone, span.from) - CHANGE_MAX;
        let until = minute_at(zone, span.until) + CHANGE_MAX;
        // Whole weeks before, so that a stretch has the same beginning wherever a span begins.
        for (start, end) in hours.within(day_of(from) * DAY - DAY / 2, until) {
            let stretch = Span::new(moment_of_minute(zone, start), moment_of_minute(zone, end));
            let within = stretch.within(*span).millis();
            if within > 0 {
                millis += within;
                n_stretches += u32::from(end != last);
                last = end;
            }
        }
    }
    (millis, n_stretches)
}

fn balance(loads: &BTreeMap<PersonId, Load>) -> f64 {
    let times: Vec<i64> = loads.values().map(|load| load.on_call_ms).collect();
    let pairs = times.iter().enumerate().flat_map(|(idx, one)| {
        times[idx + 1..]
            .iter()
            .map(move |other| (*one.min(other), *one.max(other)))
    });
    let (sum, n_pairs) = pairs.fold((0.0, 0), |(sum, n), (less, more)| {
        (sum + less as f64 / more.max(1) as f64, n + 1)
    });
    if n_pairs == 0 {
        1.0
    } else {
        sum / f64::from(n_pairs)
    }
}
