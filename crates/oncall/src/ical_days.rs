//! Days out of iCalendar text: holidays as others publish them.
//!
//! *Sources*: RFC 5545: lines and how they are folded (3.1), dates, durations and recurrence rules
//! (3.3.4 to 3.3.10), events (3.6.1). Days are those of the clock that the text itself uses.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime, Time};

use crate::civil::{DAY, HOUR, civil_of, day_of, day_of_date, minute_of};

/// The days of a calendar, and what of it could not be read.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CalendarDays {
    /// Every day that any of its events touches, in order, each once; of events that recur without
    /// end, those up to the year 2100.
    pub days: Vec<Date>,
    /// What was passed over; the first hundred.
    pub warnings: Vec<CalendarWarning>,
}

/// Something in a calendar that was passed over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CalendarWarning {
    /// The line, from 1 on.
    pub line: usize,
    /// What it was, and what is done instead.
    pub message: String,
}

/// Reads a calendar: events of days or times, with `RRULE` of `FREQ=YEARLY`, `RDATE` and `EXDATE`.
#[must_use]
pub fn calendar_days(text: &str) -> CalendarDays {
    let mut reader = Reader::default();
    for line in unfolded(text) {
        reader.line(&line);
    }
    if let Some(event) = reader.event.take() {
        reader.warn(event.line, "an event has no end, and is passed over");
    }
    if !reader.is_calendar {
        reader.warn(1, "there is no `BEGIN:VCALENDAR`: this is no calendar");
    }
    let days = reader.days.iter().map(|day| civil_of(day * DAY).date());
    CalendarDays {
        days: days.collect(),
        warnings: reader.warnings,
    }
}

/// A line as it was before it was folded.
struct Line {
    number: usize,
    text: String,
}

/// Lines, put together again where they continue.
fn unfolded(text: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for (idx, line) in text.split('\n').enumerate() {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some(last)) => last.text.push_str(rest),
            _ => lines.push(Line {
                number: idx + 1,
                text: line.to_owned(),
            }),
        }
    }
    lines
}

/// An event as far as it was read.
#[derive(Default)]
struct Event {
    line: usize,
    // Minutes of the calendar.
    start: Option<i64>,
    end: Option<i64>,
    duration: Option<i64>,
    is_day: bool,
    rule: Option<(usize, String)>,
    more: Vec<i64>,
    except: BTreeSet<i64>,
    is_cancelled: bool,
    // Whether something that says when it is was not understood.
    is_unclear: bool,
}

#[derive(Default)]
struct Reader {
    is_calendar: bool,
    event: Option<Event>,
    // Parts of an event that are not it, such as alarms.
    n_inner: usize,
    days: BTreeSet<i64>,
    warnings: Vec<CalendarWarning>,
    n_marked: usize,
}

impl Reader {
    fn warn(&mut self, line: usize, message: impl Into<String>) {
        if self.warnings.len() < WARNINGS_MAX {
            let message = message.into();
            self.warnings.push(CalendarWarning { line, message });
        }
    }

    fn line(&mut self, line: &Line) {
        let Some((name, value)) = property(&line.text) else {
            if !line.text.trim().is_empty() {
                self.warn(line.number, "a line without `:` is passed over");
            }
            return;
        };
        let value = value.trim();
        match (&*name, &*value.to_ascii_uppercase()) {
            ("BEGIN", "VCALENDAR") => self.is_calendar = true,
            ("BEGIN", "VEVENT") => {
                let event = Event {
                    line: line.number,
                    ..Event::default()
                };
                if let Some(open) = self.event.replace(event) {
                    self.warn(open.line, "an event has no end, and is passed over");
                }
                self.n_inner = 0;
            }
            ("END", "VEVENT") => {
                if let Some(event) = self.event.take() {
                    self.finish(&event);
                }
            }
            ("BEGIN", _) if self.event.is_some() => self.n_inner += 1,
            ("END", _) if self.event.is_some() => self.n_inner = self.n_inner.saturating_sub(1),
            _ if self.n_inner == 0 => self.part(&name, value, line.number),
            _ => {}
        }
    }

    /// A property of an event; those that do not say when it is say nothing here.
    fn part(&mut self, name: &str, value: &str, line: usize) {
        let Some(event) = &mut self.event else {
            return;
        };
        let moments = || {
            let all: Option<Vec<i64>> = value.split(',').map(moment).collect();
            all.filter(|_| value.len() <= LIST_BYTES_MAX)
        };
        let is_right = match name {
            "DTSTART" => {
                event.start = moment(value);
                event.is_day = !value.contains('T');
                event.start.is_some()
            }
            "DTEND" => {
                event.end = moment(value);
                event.end.is_some()
            }
            "DURATION" => {
                event.duration = duration(value);
                event.duration.is_some()
            }
            "EXDATE" => moments().map(|it| event.except.extend(it)).is_some(),
            "RDATE" => moments().map(|it| event.more.extend(it)).is_some(),
            "RRULE" => {
                let is_first = event.rule.is_none();
                event.rule = Some((line, value.to_owned()));
                is_first
            }
            "STATUS" => {
                event.is_cancelled = value.eq_ignore_ascii_case("CANCELLED");
                true
            }
            "EXRULE" | "RECURRENCE-ID" => {
                event.is_unclear = true;
                false
            }
            _ => true,
        };
        if !is_right {
            let value: String = value.chars().take(40).collect();
            self.warn(line, format!("`{name}:{value}` is not understood"));
        }
    }

    fn finish(&mut self, event: &Event) {
        let Some(start) = event.start.filter(|_| !event.is_unclear) else {
            self.warn(
                event.line,
                "an event is passed over: when it is, is unclear",
            );
            return;
        };
        if event.is_cancelled {
            return;
        }
        if self.n_marked >= DAYS_MAX {
            let why = format!("more than {DAYS_MAX} days: what follows is passed over");
            self.warn(event.line, why);
            return;
        }
        let default = if event.is_day { DAY } else { 0 };
        let by_end = event.end.map(|end| end - start);
        let minutes = by_end.or(event.duration).unwrap_or(default);
        if !(0..=EVENT_DAYS_MAX * DAY).contains(&minutes) {
            let why = format!("an event is passed over: it lasts 0 to {EVENT_DAYS_MAX} days");
            self.warn(event.line, why);
            return;
        }
        let mut starts = event.more.clone();
        match &event.rule {
            None => starts.push(start),
            Some((line, rule)) => match Rule::read(rule) {
                Ok(rule) => starts.extend(rule.starts(start)),
                Err(part) => {
                    let part: String = part.chars().take(40).collect();
                    let why =
                        format!("`{part}` of `RRULE` is not understood: the event counts once");
                    self.warn(*line, why);
                    starts.push(start);
                }
            },
        }
        // A rule costs as much as the years that it looks at, also where it finds nothing in them.
        self.n_marked += usize::from(event.rule.is_some()) * RULE_COST;
        // An exception that says a day takes all that begins on it.
        let is_except = |at: &i64| {
            let midnight = day_of(*at) * DAY;
            event.except.contains(at) || event.except.contains(&midnight)
        };
        for at in starts {
            if is_except(&at) {
                continue;
            }
            let last = day_of((at + minutes - 1).max(at));
            let last = last.min(day_of_date(LAST_DAY));
            let room = DAYS_MAX.saturating_sub(self.n_marked);
            for day in (day_of(at)..=last).take(room) {
                self.n_marked += 1;
                self.days.insert(day);
            }
        }
    }
}

/// A name in capitals, and the value behind its parameters, which may have `:` within quotes.
fn property(text: &str) -> Option<(String, &str)> {
    let mut is_quoted = false;
    let colon = text.find(|c: char| {
        is_quoted ^= c == '"';
        c == ':' && !is_quoted
    })?;
    let (head, value) = text.split_at(colon);
    let name = head.split(';').next().unwrap_or_default();
    Some((name.trim().to_ascii_uppercase(), value.get(1..)?))
}

/// `20260105`, `20260105T090000` or the same with `Z`, as a minute of the calendar.
fn moment(text: &str) -> Option<i64> {
    let text = text.trim();
    let (date, time) = text.split_once('T').unwrap_or((text, "000000"));
    let time = time.strip_suffix('Z').unwrap_or(time);
    let is_digits = |text: &str, n| text.len() == n && text.bytes().all(|it| it.is_ascii_digit());
    if !is_digits(date, 8) || !is_digits(time, 6) {
        return None;
    }
    let part = |text: &str, from, to| text.get(from..to)?.parse::<i8>().ok();
    let year = date.get(..4)?.parse::<i16>().ok()?;
    if year > LAST_DAY.year() {
        return None;
    }
    let date = Date::new(year, part(date, 4, 6)?, part(date, 6, 8)?).ok()?;
    // A leap second is the one before it.
    let second = part(time, 4, 6)?.min(59);
    let time = Time::new(part(time, 0, 2)?, part(time, 2, 4)?, second, 0).ok()?;
    Some(minute_of(DateTime::from_parts(date, time)))
}

/// `P1D`, `P2W`, `PT8H30M`, `P1DT12H` in minutes.
fn duration(text: &str) -> Option<i64> {
    let text = text.strip_prefix('+').unwrap_or(text).strip_prefix('P')?;
    let (mut minutes, mut number, mut is_time) = (0_i64, String::new(), false);
    for c in text.chars() {
        let unit = match (c, is_time) {
            ('0'..='9', _) if number.len() < 6 => {
                number.push(c);
                continue;
            }
            ('T', false) if number.is_empty() => {
                is_time = true;
                continue;
            }
            ('W', false) => 7 * DAY,
            ('D', false) => DAY,
            ('H', true) => HOUR,
            ('M', true) => 1,
            ('S', true) => 0,
            _ => return None,
        };
        minutes += number.parse::<i64>().ok()? * unit;
        number.clear();
    }
    (number.is_empty() && !text.is_empty()).then_some(minutes)
}

/// A rule of `FREQ=YEARLY`.
#[derive(Default)]
struct Rule {
    interval: i64,
    count: Option<usize>,
    until: Option<i64>,
    months: BTreeSet<i8>,
    month_days: BTreeSet<i8>,
    // Which one of the month, negative from its end, 0 is each; and the day of the week.
    week_days: BTreeSet<(i8, i64)>,
}

impl Rule {
    /// The error is the part that is not understood.
    fn read(text: &str) -> Result<Self, String> {
        let mut rule = Self {
            interval: 1,
            ..Self::default()
        };
        let mut is_yearly = false;
        for part in text.split(';').filter(|part| !part.is_empty()) {
            let failed = || part.to_owned();
            let (name, value) = part.split_once('=').ok_or_else(failed)?;
            let is_right = match &*name.to_ascii_uppercase() {
                "FREQ" => {
                    is_yearly = value.eq_ignore_ascii_case("YEARLY");
                    is_yearly
                }
                "INTERVAL" => {
                    rule.interval = value.parse().unwrap_or(0);
                    (1..=1000).contains(&rule.interval)
                }
                "COUNT" => {
                    rule.count = value.parse().ok();
                    rule.count.is_some()
                }
                "UNTIL" => {
                    // A day is meant with its last minute.
                    let to_its_end = if value.contains('T') { 0 } else { DAY - 1 };
                    rule.until = moment(value).map(|at| at + to_its_end);
                    rule.until.is_some()
                }
                "BYMONTH" => numbers(value, 1..=12, &mut rule.months),
                "BYMONTHDAY" => numbers(value, -31..=31, &mut rule.month_days),
                "BYDAY" => {
                    let days: Option<BTreeSet<_>> = value.split(',').map(week_day).collect();
                    rule.week_days = days.unwrap_or_default();
                    !rule.week_days.is_empty()
                }
                "WKST" => true,
                _ => false,
            };
            if !is_right {
                return Err(failed());
            }
        }
        match (is_yearly, rule.week_days.is_empty(), rule.months.is_empty()) {
            (false, ..) => Err(text.to_owned()),
            // It would count weekdays of the year.
            (true, false, true) => Err("BYDAY without BYMONTH".to_owned()),
            (true, ..) => Ok(rule),
        }
    }

    /// When it begins, each time.
    fn starts(&self, first: i64) -> Vec<i64> {
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

    /// The days of a year on which it is, in order.
    fn dates(&self, year: i16, begin: Date) -> BTreeSet<Date> {
        let months = match (self.months.is_empty(), self.month_days.is_empty()) {
            (false, _) => self.months.clone(),
            (true, true) => BTreeSet::from([begin.month()]),
            (true, false) => (1..=12).collect(),
        };
        let mut dates = BTreeSet::new();
        for month in months {
            let Ok(first) = Date::new(year, month, 1) else {
                continue;
            };
            let n_days = first.days_in_month();
            let is_in = |day: i8| self.is_in(day, n_days, first, begin);
            let days = (1..=n_days).filter(|day| is_in(*day));
            dates.extend(days.filter_map(|day| Date::new(year, month, day).ok()));
        }
        dates
    }

    fn is_in(&self, day: i8, n_days: i8, first: Date, begin: Date) -> bool {
        let from_end = day - n_days - 1;
        let by_month_day = self.month_days.contains(&day) || self.month_days.contains(&from_end);
        let weekday = i64::from(first.weekday().to_monday_zero_offset()) + i64::from(day) - 1;
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

/// Later ones have no moments everywhere.
const LAST_DAY: Date = Date::constant(9998, 12, 31);
const YEAR_MIN: i64 = 1970;
/// What recurs without end recurs until here.
const YEAR_MAX: i64 = 2100;
const EVENT_DAYS_MAX: i64 = 366;
/// More days are not marked, each time that one is counts.
const DAYS_MAX: usize = 100_000;
const RULE_COST: usize = 100;
const WARNINGS_MAX: usize = 100;
/// A longer list of days is not read.
const LIST_BYTES_MAX: usize = 100_000;
