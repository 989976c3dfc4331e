//! Days out of iCalendar text: holidays as others publish them.
//!
//! *Sources*: RFC 5545: events (3.6.1). Days are those of the clock that the text itself uses.

use std::collections::BTreeSet;

use jiff::civil::Date;

use crate::civil::{DAY, civil_of, day_of, day_of_date};
use crate::ical_rule::{Frequency, Rule};
use crate::ical_text::{LAST_DAY, LIST_BYTES_MAX, Line, Property, duration, moment, unfolded};

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
        let Some(property) = Property::read(&line.text) else {
            if !line.text.trim().is_empty() {
                self.warn(line.number, "a line without `:` is passed over");
            }
            return;
        };
        let (name, value) = (&*property.name, property.value);
        match (name, &*value.to_ascii_uppercase()) {
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
            _ if self.n_inner == 0 => self.part(name, value, line.number),
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
            Some((line, rule)) => match Rule::read(rule, &[Frequency::Yearly]) {
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

const EVENT_DAYS_MAX: i64 = 366;
/// More days are not marked, each time that one is counts.
const DAYS_MAX: usize = 100_000;
const RULE_COST: usize = 100;
const WARNINGS_MAX: usize = 100;
