//! When an event of a calendar comes again: `RRULE`.
//!
//! *Sources*: RFC 5545, 3.3.10.

use std::collections::BTreeSet;

use firebell_model::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::civil::{DAY, civil_of, day_of, day_of_date, minute_at, week_of};
use crate::ical_text::moment;

/// How often.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Frequency {
    /// Each day.
    Daily,
    /// Each week.
    Weekly,
    /// Each month.
    Monthly,
    /// Each year.
    #[default]
    Yearly,
}

/// A rule.
#[derive(Default)]
pub(crate) struct Rule {
    frequency: Frequency,
    interval: i64,
    count: Option<usize>,
    /// A minute of the calendar.
    until: Option<i64>,
    months: BTreeSet<i8>,
    month_days: BTreeSet<i8>,
    // Which one of the month, negative from its end, 0 is each; and the day of the week.
    week_days: BTreeSet<(i8, i64)>,
    /// The day of the week with which weeks begin, from Monday on.
    week_start: i64,
}

impl Frequency {
    const ALL: [(&'static str, Self); 4] = [
        ("DAILY", Self::Daily),
        ("WEEKLY", Self::Weekly),
        ("MONTHLY", Self::Monthly),
        ("YEARLY", Self::Yearly),
    ];
}

impl Rule {
    /// Reads a rule of one of some frequencies. The error is the part that is not understood.
    pub(crate) fn read(text: &str, of: &[Frequency]) -> Result<Self, String> {
        let mut rule = Self {
            interval: 1,
            ..Self::default()
        };
        let mut is_said = false;
        for part in text.split(';').filter(|part| !part.is_empty()) {
            let failed = || part.to_owned();
            let (name, value) = part.split_once('=').ok_or_else(failed)?;
            let name = name.to_ascii_uppercase();
            if name == "FREQ" {
                let mut known = Frequency::ALL.into_iter();
                let found = known.find(|(name, _)| name.eq_ignore_ascii_case(value));
                let found = found.filter(|(_, it)| of.contains(it));
                rule.frequency = found.ok_or_else(failed)?.1;
                is_said = true;
            } else if !rule.part(&name, value) {
                return Err(failed());
            }
        }
        let has_nth = rule.week_days.iter().any(|(nth, _)| *nth != 0);
        match rule.frequency {
            _ if !is_said => Err(text.to_owned()),
            // It would count weekdays of the year.
            Frequency::Yearly if !rule.week_days.is_empty() && rule.months.is_empty() => {
                Err("BYDAY without BYMONTH".to_owned())
            }
            Frequency::Daily | Frequency::Weekly if has_nth => Err("BYDAY with numbers".to_owned()),
            _ => Ok(rule),
        }
    }

    /// The same, of what begins by the clock of a zone: a last moment of UTC is what that clock shows
    /// then.
    pub(crate) fn read_by(zone: &TimeZone, text: &str, of: &[Frequency]) -> Result<Self, String> {
        let mut rule = Self::read(text, of)?;
        let parts = text.split(';').filter_map(|it| it.split_once('='));
        let mut until = parts.filter(|(name, _)| name.eq_ignore_ascii_case("UNTIL"));
        let of_utc = until.next().and_then(|(_, it)| it.strip_suffix('Z'));
        if let Some(minute) = of_utc.and_then(moment) {
            rule.until = Some(minute_at(zone, Timestamp(minute * 60_000)));
        }
        Ok(rule)
    }

    /// Takes a part other than the frequency; whether it is understood.
    fn part(&mut self, name: &str, value: &str) -> bool {
        match name {
            "INTERVAL" => {
                self.interval = value.parse().unwrap_or(0);
                (1..=1000).contains(&self.interval)
            }
            "COUNT" => {
                self.count = value.parse().ok();
                self.count.is_some()
            }
            "UNTIL" => {
                // A day is meant with its last minute.
                let to_its_end = if value.contains('T') { 0 } else { DAY - 1 };
                self.until = moment(value).map(|at| at + to_its_end);
                self.until.is_some()
            }
            "BYMONTH" => numbers(value, 1..=12, &mut self.months),
            "BYMONTHDAY" => numbers(value, -31..=31, &mut self.month_days),
            "BYDAY" => {
                let days: Option<BTreeSet<_>> = value.split(',').map(week_day).collect();
                self.week_days = days.unwrap_or_default();
                !self.week_days.is_empty()
            }
            "WKST" => {
                let day = week_day(value).filter(|(nth, _)| *nth == 0);
                self.week_start = day.map_or(0, |it| it.1);
                day.is_some()
            }
            _ => false,
        }
    }

    /// When it begins, each time, of a rule of years.
    pub(crate) fn starts(&self, first: i64) -> Vec<i64> {
        let begin = civil_of(first);
        let time = first - day_of(first) * DAY;
        let mut starts = Vec::new();
        let mut year = i64::from(begin.year());
        // Nobody is on call in the years before: of a rule without `COUNT` it does not matter.
        if self.count.is_none() && year < YEAR_MIN {
            year += (YEAR_MIN - year) / self.interval * self.interval;
        }
        while year <= YEAR_MAX {
            for date in self.dates(i16::try_from(year).unwrap_or(i16::MAX), begin.date()) {
                let at = day_of_date(date) * DAY + time;
                let is_over = self.until.is_some_and(|until| at > until);
                if is_over || self.count.is_some_and(|count| starts.len() >= count) {
                    return starts;
                }
                if at >= first {
                    starts.push(at);
                }
            }
            year += self.interval;
        }
        starts
    }

    /// When it begins, each time within two minutes of the calendar; `None` when more than `budget`
    /// days, weeks, months or years, or days that they have of it, would have to be looked at.
    pub(crate) fn starts_within(
        &self,
        first: i64,
        (from, to): (i64, i64),
        budget: &mut usize,
    ) -> Option<Vec<i64>> {
        let time = first - day_of(first) * DAY;
        let (mut starts, mut n_starts) = (Vec::new(), 0);
        // What is counted is counted from the first one on.
        let skipped = match self.count {
            Some(_) => 0,
            None => (self.periods_before(first, from) / self.interval - 1).max(0),
        };
        let mut nth = skipped * self.interval;
        loop {
            let (begins, dates) = self.period(first, nth);
            *budget = budget.checked_sub(dates.len().max(1))?;
            if begins >= to {
                return Some(starts);
            }
            for date in dates {
                let at = day_of_date(date) * DAY + time;
                if at < first {
                    continue;
                }
                let is_over = self.until.is_some_and(|until| at > until);
                if is_over || at >= to || self.count.is_some_and(|count| n_starts >= count) {
                    return Some(starts);
                }
                n_starts += 1;
                if at >= from {
                    starts.push(at);
                }
            }
            nth += self.interval;
        }
    }

    /// How many whole days, weeks, months or years lie between two minutes.
    fn periods_before(&self, first: i64, from: i64) -> i64 {
        let (a, b) = (civil_of(first), civil_of(from));
        let years = i64::from(b.year()) - i64::from(a.year());
        let periods = match self.frequency {
            Frequency::Daily => day_of(from) - day_of(first),
            Frequency::Weekly => (day_of(from) - day_of(first)) / 7,
            Frequency::Monthly => years * 12 + i64::from(b.month()) - i64::from(a.month()),
            Frequency::Yearly => years,
        };
        periods.max(0)
    }

    /// The minute at which the nth day, week, month or year after the first one begins, and the days
    /// of it that are meant, in order.
    fn period(&self, first: i64, nth: i64) -> (i64, BTreeSet<Date>) {
        let begin = civil_of(first).date();
        match self.frequency {
            Frequency::Daily => {
                let day = day_of(first) + nth;
                (day * DAY, self.filtered(day..=day, None))
            }
            Frequency::Weekly => {
                let shift = self.week_start * DAY;
                let week = day_of(week_of(first - shift) + shift) + 7 * nth;
                let on = self.week_days.is_empty().then(|| weekday_of(begin));
                (week * DAY, self.filtered(week..=week + 6, on))
            }
            Frequency::Monthly => {
                let months = i64::from(begin.year()) * 12 + i64::from(begin.month()) - 1 + nth;
                let year = i16::try_from(months.div_euclid(12)).unwrap_or(i16::MAX);
                let month = i8::try_from(months.rem_euclid(12) + 1).unwrap_or(1);
                let Ok(from) = Date::new(year, month, 1) else {
                    return (i64::MAX, BTreeSet::new());
                };
                let is_meant = self.months.is_empty() || self.months.contains(&month);
                let dates = match is_meant {
                    true => self.dates_of_month(from, begin),
                    false => BTreeSet::new(),
                };
                (day_of_date(from) * DAY, dates)
            }
            Frequency::Yearly => {
                let year = i64::from(begin.year()) + nth;
                let year = i16::try_from(year).unwrap_or(i16::MAX);
                let Ok(from) = Date::new(year, 1, 1) else {
                    return (i64::MAX, BTreeSet::new());
                };
                (day_of_date(from) * DAY, self.dates(year, begin))
            }
        }
    }

    /// Days that the parts of the rule let through; `on` is the only weekday.
    fn filtered(&self, days: impl Iterator<Item = i64>, on: Option<i64>) -> BTreeSet<Date> {
        let dates = days.map(|day| civil_of(day * DAY).date());
        let is_meant = |date: &Date| {
            let weekday = weekday_of(*date);
            let from_end = date.day() - date.days_in_month() - 1;
            let by_day = self.month_days.contains(&date.day())
                || self.month_days.contains(&from_end)
                || self.month_days.is_empty();
            let by_weekday = match on {
                Some(on) => weekday == on,
                None => self.week_days.is_empty() || self.week_days.contains(&(0, weekday)),
            };
            by_day && by_weekday && (self.months.is_empty() || self.months.contains(&date.month()))
        };
        dates.filter(is_meant).collect()
    }

    /// The days of a year on which it is, in order.
    fn dates(&self, year: i16, begin: Date) -> BTreeSet<Date> {
        let months = match (self.months.is_empty(), self.month_days.is_empty()) {
            (false, _) => self.months.clone(),
            (true, true) => BTreeSet::from([begin.month()]),
            (true, false) => (1..=12).collect(),
        };
        let firsts = months.iter().map(|month| Date::new(year, *month, 1));
        let days = firsts
            .flatten()
            .map(|first| self.dates_of_month(first, begin));
        days.flatten().collect()
    }

    fn dates_of_month(&self, first: Date, begin: Date) -> BTreeSet<Date> {
        let n_days = first.days_in_month();
        let is_in = |day: &i8| self.is_in(*day, n_days, first, begin);
        let days = (1..=n_days).filter(is_in);
        days.filter_map(|day| Date::new(first.year(), first.month(), day).ok())
            .collect()
    }

    fn is_in(&self, day: i8, n_days: i8, first: Date, begin: Date) -> bool {
        let from_end = day - n_days - 1;
        let by_month_day = self.month_days.contains(&day) || self.month_days.contains(&from_end);
        let weekday = weekday_of(first) + i64::from(day) - 1;
        let by_week_day = self.week_days.iter().any(|(nth, wanted)| {
            let is_nth = match nth.signum() {
                0 => true,
                1 => (day - 1) / 7 + 1 == *nth,
                _ => (n_days - day) / 7 + 1 == -nth,
            };
            is_nth && weekday.rem_euclid(7) == *wanted
        });
        match (self.month_days.is_empty(), self.week_days.is_empty()) {
            (true, true) => day == begin.day(),
            (false, true) => by_month_day,
            (true, false) => by_week_day,
            (false, false) => by_month_day && by_week_day,
        }
    }
}

/// The day of the week, from Monday on.
fn weekday_of(date: Date) -> i64 {
    i64::from(date.weekday().to_monday_zero_offset())
}

fn numbers(text: &str, range: std::ops::RangeInclusive<i8>, into: &mut BTreeSet<i8>) -> bool {
    let all: Option<BTreeSet<i8>> = text
        .split(',')
        .map(|it| it.parse().ok().filter(|it| *it != 0 && range.contains(it)))
        .collect();
    *into = all.unwrap_or_default();
    !into.is_empty()
}

/// `MO`, `2MO`, `-1FR`: which one of the month, and the day from Monday on.
fn week_day(text: &str) -> Option<(i8, i64)> {
    let at = text.len().checked_sub(2)?;
    let (nth, name) = (text.get(..at)?, text.get(at..)?);
    let day = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
        .iter()
        .position(|it| it.eq_ignore_ascii_case(name))?;
    let nth = match nth {
        "" => 0,
        nth => nth
            .parse()
            .ok()
            .filter(|it| *it != 0 && (-5..=5).contains(it))?,
    };
    Some((nth, i64::try_from(day).ok()?))
}

const YEAR_MIN: i64 = 1970;
/// What recurs without end recurs until here.
const YEAR_MAX: i64 = 2100;
