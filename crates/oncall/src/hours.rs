//! Hours of the week and holidays: when a layer has anybody on call at all.

use std::str::FromStr;
use std::sync::Arc;

use jiff::civil::Date;

use crate::civil::{DAY, HOUR, WEEK, day_of_date, week_of};

/// Hours of every week, by a clock of some zone.
///
/// Text form: days, times of day, or both, as in `mon-fri 09:00-17:00`, `sat,sun`, `22:00-06:00`
/// (which ends on the next day); or from one to the other, as in `fri 18:00 - mon 08:00`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct WeekHours {
    // Minutes from Monday 00:00, in order, neither overlapping nor touching.
    windows: Vec<(i64, i64)>,
}

/// What is wrong with hours of the week.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{text}` is not hours of a week such as `mon-fri 09:00-17:00`: {why}")]
pub struct ParseHoursError {
    text: String,
    why: String,
}

/// Days that are unlike others.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Holidays {
    /// What people call them, such as `bavaria`.
    pub name: Arc<str>,
    // Days from 1970-01-01, in order, each once.
    days: Vec<i64>,
}

/// What holidays do to a layer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OnHolidays {
    /// Nobody is on call on them.
    Except(Arc<Holidays>),
    /// Somebody is on call on them only.
    Only(Arc<Holidays>),
}

/// When a layer has somebody on call: all the time, or in some hours, or on some days.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hours {
    /// The hours of the week; `None` is all.
    pub week: Option<WeekHours>,
    /// What holidays change.
    pub holidays: Option<OnHolidays>,
}

impl Holidays {
    /// A calendar of days.
    #[must_use]
    pub fn new(name: &str, days: impl IntoIterator<Item = Date>) -> Self {
        let mut days: Vec<i64> = days.into_iter().map(day_of_date).collect();
        days.sort_unstable();
        days.dedup();
        Self {
            name: name.into(),
            days,
        }
    }

    /// Its days that touch minutes of the calendar.
    fn within(&self, from: i64, until: i64) -> impl Iterator<Item = (i64, i64)> {
        let first = self.days.partition_point(|day| (day + 1) * DAY <= from);
        let days = self.days[first..]
            .iter()
            .map(|day| (day * DAY, (day + 1) * DAY));
        days.take_while(move |(start, _)| *start < until)
    }
}

impl WeekHours {
    /// Hours that are in any of several.
    #[must_use]
    pub fn union(parts: impl IntoIterator<Item = Self>) -> Self {
        let windows = parts.into_iter().flat_map(|part| part.windows).collect();
        Self {
            windows: merged(windows),
        }
    }

    /// From one minute of the week to another; the end may lie in the next week.
    fn window(start: i64, end: i64) -> Self {
        let windows = match end > WEEK {
            true => vec![(start, WEEK), (0, end - WEEK)],
            false => vec![(start, end)],
        };
        Self {
            windows: merged(windows),
        }
    }

    fn within(&self, from: i64, until: i64, out: &mut Vec<(i64, i64)>) {
        let mut week = week_of(from);
        while week < until {
            for (start, end) in &self.windows {
                let (start, end) = ((week + start).max(from), (week + end).min(until));
                match out.last_mut() {
                    _ if start >= end => {}
                    Some(last) if last.1 == start => last.1 = end,
                    _ => out.push((start, end)),
                }
            }
            week += WEEK;
        }
    }
}

impl Hours {
    /// The minutes of the calendar between two that are covered, in order and apart.
    pub(crate) fn within(&self, from: i64, until: i64) -> Vec<(i64, i64)> {
        let mut windows = Vec::new();
        match &self.week {
            None if from < until => windows.push((from, until)),
            None => {}
            Some(week) => week.within(from, until, &mut windows),
        }
        match &self.holidays {
            None => windows,
            Some(OnHolidays::Except(days)) => without(&windows, days.within(from, until)),
            Some(OnHolidays::Only(days)) => {
                let days: Vec<_> = days.within(from, until).collect();
                let others = without(&[(from, until)], days.into_iter());
                without(&windows, others.into_iter())
            }
        }
    }

    /// Whether every moment is covered.
    pub(crate) fn is_always(&self) -> bool {
        self.holidays.is_none()
            && self
                .week
                .as_ref()
                .is_none_or(|week| week.windows == [(0, WEEK)])
    }
}

/// What of some windows is in none of others; both in order.
fn without(windows: &[(i64, i64)], others: impl Iterator<Item = (i64, i64)>) -> Vec<(i64, i64)> {
    let mut kept = Vec::new();
    let mut others = others.peekable();
    for &(mut start, end) in windows {
        while let Some(&(from, until)) = others.peek() {
            if from >= end {
                break;
            }
            if start < from {
                kept.push((start, from));
            }
            start = start.max(until);
            if until > end {
                break;
            }
            others.next();
        }
        if start < end {
            kept.push((start, end));
        }
    }
    kept
}

fn merged(mut windows: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    windows.sort_unstable();
    let mut merged: Vec<(i64, i64)> = Vec::new();
    for (start, end) in windows {
        match merged.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}

/// Monday is 0; full names and their first three letters are known.
pub fn parse_weekday(text: &str) -> Option<i64> {
    const NAMES: [&str; 7] = [
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
    ];
    let text = text.trim().to_ascii_lowercase();
    let is_name = |name: &&str| text == **name || (text.len() >= 3 && text == name[..3]);
    NAMES.iter().position(is_name).map(|day| day as i64)
}

/// The minute of the day of `HH:MM`, up to `24:00`.
pub fn parse_time_of_day(text: &str) -> Option<i64> {
    let (hour, minute) = text.trim().split_once(':')?;
    let number = |text: &str| {
        let is_short = (1..=2).contains(&text.len());
        let is_number = is_short && text.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then(|| text.parse::<i64>().ok()).flatten()
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    let time = hour * HOUR + minute;
    (minute < 60 && time <= DAY).then_some(time)
}

/// The minute of the week of `mon 09:00`.
pub fn parse_time_of_week(text: &str) -> Option<i64> {
    let (day, time) = text.trim().split_once(' ')?;
    let time = parse_time_of_day(time).filter(|time| *time < DAY)?;
    Some(parse_weekday(day)? * DAY + time)
}

impl FromStr for WeekHours {
    type Err = ParseHoursError;

    fn from_str(text: &str) -> Result<Self, ParseHoursError> {
        let failed = |why: String| ParseHoursError {
            text: text.to_owned(),
            why,
        };
        let trimmed = text.trim();
        if let Some((from, until)) = trimmed.split_once('-')
            && let (Some(from), Some(until)) = (parse_time_of_week(from), parse_time_of_week(until))
        {
            let end = if until > from { until } else { until + WEEK };
            return Ok(Self::window(from, end));
        }
        let has_days = trimmed.starts_with(|first: char| first.is_ascii_alphabetic());
        let (days, times) = match trimmed.split_once(' ') {
            Some((days, times)) if has_days => (days, times),
            _ if has_days => (trimmed, ""),
            _ => ("", trimmed),
        };
        let days = weekdays(days).map_err(failed)?;
        let times = times_of_day(times).map_err(failed)?;
        let window =
            |day: &i64, (start, end): &(i64, i64)| Self::window(day * DAY + start, day * DAY + end);
        let windows = days
            .iter()
            .flat_map(|day| times.iter().map(move |time| window(day, time)));
        Ok(Self::union(windows))
    }
}

fn weekdays(text: &str) -> Result<Vec<i64>, String> {
    if text.is_empty() {
        return Ok((0..7).collect());
    }
    let mut days = Vec::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let day = |name: &str| {
            parse_weekday(name).ok_or_else(|| format!("`{}` is no day of the week", name.trim()))
        };
        let (first, last) = (day(first)?, day(last)?);
        let n_more = (last - first).rem_euclid(7);
        days.extend((first..=first + n_more).map(|day| day % 7));
    }
    Ok(days)
}

fn times_of_day(text: &str) -> Result<Vec<(i64, i64)>, String> {
    if text.is_empty() {
        return Ok(vec![(0, DAY)]);
    }
    let mut times = Vec::new();
    for part in text.split(',') {
        let (start, end) = part
            .split_once('-')
            .ok_or_else(|| format!("`{}` is not `HH:MM-HH:MM`", part.trim()))?;
        let time = |text: &str| {
            parse_time_of_day(text).ok_or_else(|| format!("`{}` is no time of day", text.trim()))
        };
        let (start, end) = (time(start)?, time(end)?);
        if start == end || start == DAY {
            return Err(format!("`{}` begins when it ends", part.trim()));
        }
        times.push((start, if end > start { end } else { end + DAY }));
    }
    Ok(times)
}
