//! Shifts out of iCalendar text: who is on call when, as other programs export it, or as
//! [`crate::calendar`] does.
//!
//! *Invariants*: what cannot be understood is a problem with its line, never a shift of somebody else
//! or of another time. What [`crate::calendar`] wrote reads back to the same shifts.
//!
//! *Limits*: [`SHIFTS_MAX`] shifts, and [`STEPS_MAX`] days, weeks, months and years that rules are
//! followed through, in all; where there is more, that is a problem.
//!
//! *Sources*: RFC 5545: events (3.6.1), attendees (3.8.4.1), instances of events that recur (3.8.4.4).
//! A shift that recurs keeps its length by the clock, as rotations do: where clocks change, those that
//! are adjacent stay adjacent.

use std::collections::{BTreeMap, BTreeSet};

use firebell_model::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::civil::{DAY, civil_of, minute_at, minute_of, moment_of};
use crate::ical_rule::{Frequency, Rule};
use crate::ical_text::{
    LIST_BYTES_MAX, Line, Property, civil, duration, moment, texts, unescaped, unfolded,
};
use crate::ical_who::{Known, Unclear};
use crate::people::{Directory, PersonId};
use crate::shifts::Span;

/// The shifts of a calendar.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CalendarShifts {
    /// In order of time, then of their events.
    pub shifts: Vec<CalendarShift>,
    /// How many lie before or after the time that was asked for.
    pub n_left_out: usize,
    /// All that was not understood; the first hundred.
    pub problems: Vec<CalendarProblem>,
}

/// A shift, as an event of a calendar has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CalendarShift {
    /// What the event is called, in every export of the calendar; those that recur share it.
    pub uid: String,
    /// The line at which the event begins, from 1 on.
    pub line: usize,
    /// From when to when.
    pub span: Span,
    /// Who is on call.
    pub people: Vec<PersonId>,
    /// Who learns.
    pub shadows: Vec<PersonId>,
    /// What the event is called by people.
    pub title: String,
}

/// Something in a calendar that is no shift.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CalendarProblem {
    /// The line, from 1 on.
    pub line: usize,
    /// What is wrong.
    pub message: String,
    /// What helps.
    pub hint: String,
}

/// Reads the shifts of a calendar that touch a span. Times without a zone are by `zone`.
#[must_use]
pub fn calendar_shifts(
    text: &str,
    directory: &Directory,
    zone: &TimeZone,
    within: Span,
) -> CalendarShifts {
    let mut reader = Reader {
        zone,
        is_calendar: false,
        event: None,
        n_inner: 0,
        events: Vec::new(),
        found: CalendarShifts::default(),
    };
    for line in unfolded(text) {
        reader.line(&line);
    }
    if let Some(event) = reader.event.take() {
        reader.problem(event.line, "an event has no end", CUT);
    }
    if !reader.is_calendar {
        let hint = "a calendar is a text that begins with `BEGIN:VCALENDAR`";
        reader.problem(1, "this is no calendar", hint);
    }
    reader.finish(directory, within)
}

/// A time, as the calendar writes it.
#[derive(Clone)]
struct When {
    civil: DateTime,
    zone: TimeZone,
    is_day: bool,
}

impl When {
    fn at(&self) -> Timestamp {
        moment_of(&self.zone, self.civil)
    }
}

/// An event as far as it was read.
#[derive(Default)]
struct Event {
    line: usize,
    uid: Option<String>,
    start: Option<When>,
    end: Option<When>,
    /// In minutes.
    duration: Option<i64>,
    rule: Option<(usize, String)>,
    more: Vec<When>,
    except: Vec<When>,
    /// Of an event that recurs, the one that this one stands for.
    instead_of: Option<When>,
    is_cancelled: bool,
    title: Option<(usize, String)>,
    attendees: Vec<Attendee>,
    /// What this program says of its own shifts.
    people: Option<(usize, String)>,
    shadows: Option<(usize, String)>,
    /// Something that matters was not understood, and was named.
    is_unclear: bool,
}

struct Attendee {
    line: usize,
    name: String,
    address: String,
}

struct Reader<'z> {
    zone: &'z TimeZone,
    is_calendar: bool,
    event: Option<Event>,
    // Parts of an event that are not it, such as alarms.
    n_inner: usize,
    events: Vec<Event>,
    found: CalendarShifts,
}

impl Reader<'_> {
    fn problem(&mut self, line: usize, message: impl Into<String>, hint: impl Into<String>) {
        if self.found.problems.len() < PROBLEMS_MAX {
            self.found.problems.push(CalendarProblem {
                line,
                message: message.into(),
                hint: hint.into(),
            });
        }
    }

    fn line(&mut self, line: &Line) {
        let Some(property) = Property::read(&line.text) else {
            if !line.text.trim().is_empty() {
                self.problem(line.number, "a line has no `:`", CUT);
            }
            return;
        };
        match (&*property.name, &*property.value.to_ascii_uppercase()) {
            ("BEGIN", "VCALENDAR") => self.is_calendar = true,
            ("BEGIN", "VEVENT") => {
                let event = Event {
                    line: line.number,
                    ..Event::default()
                };
                if let Some(open) = self.event.replace(event) {
                    self.problem(open.line, "an event has no end", CUT);
                }
                self.n_inner = 0;
            }
            ("END", "VEVENT") => self.events.extend(self.event.take()),
            ("BEGIN", _) if self.event.is_some() => self.n_inner += 1,
            ("END", _) if self.event.is_some() => self.n_inner = self.n_inner.saturating_sub(1),
            _ if self.n_inner == 0 => self.part(&property, line.number),
            _ => {}
        }
    }

    /// A property of an event.
    fn part(&mut self, property: &Property<'_>, line: usize) {
        let Some(mut event) = self.event.take() else {
            return;
        };
        let value = property.value;
        let said = || Some((line, unescaped(value)));
        let is_right = match &*property.name {
            "DTSTART" => set(&mut event.start, self.when(property, line)),
            "DTEND" => set(&mut event.end, self.when(property, line)),
            "DURATION" => set(&mut event.duration, duration(value)),
            // Of all from there on, it would have to be told apart which are meant.
            "RECURRENCE-ID" if property.param("RANGE").is_some() => false,
            "RECURRENCE-ID" => set(&mut event.instead_of, self.when(property, line)),
            "EXDATE" => self
                .list(property, line)
                .map(|it| event.except.extend(it))
                .is_some(),
            "RDATE" => self
                .list(property, line)
                .map(|it| event.more.extend(it))
                .is_some(),
            "RRULE" => {
                let is_first = event.rule.is_none();
                event.rule = Some((line, value.to_owned()));
                is_first
            }
            "EXRULE" => false,
            "STATUS" => {
                event.is_cancelled = value.eq_ignore_ascii_case("CANCELLED");
                true
            }
            "UID" => set(&mut event.uid, Some(value.to_owned())),
            "SUMMARY" => set(&mut event.title, said()),
            PEOPLE => set(&mut event.people, Some((line, value.to_owned()))),
            SHADOWS => set(&mut event.shadows, Some((line, value.to_owned()))),
            "ATTENDEE" => {
                event.attendees.extend(attendee(property, line));
                true
            }
            _ => true,
        };
        if !is_right {
            event.is_unclear = true;
            let has_said = self.found.problems.last().is_some_and(|it| it.line == line);
            if !has_said {
                let value: String = value.chars().take(VALUE_SHOWN_MAX).collect();
                let message = format!("`{}:{value}` is not understood", property.name);
                self.problem(line, message, "the event is no shift until that is mended");
            }
        }
        self.event = Some(event);
    }

    fn when(&mut self, property: &Property<'_>, line: usize) -> Option<When> {
        let zone = self.zone_of(property, line)?;
        when(property.value, &zone)
    }

    fn list(&mut self, property: &Property<'_>, line: usize) -> Option<Vec<When>> {
        if property.value.len() > LIST_BYTES_MAX {
            return None;
        }
        let zone = self.zone_of(property, line)?;
        property
            .value
            .split(',')
            .map(|it| when(it, &zone))
            .collect()
    }

    /// The zone that a time names, or the schedule's.
    fn zone_of(&mut self, property: &Property<'_>, line: usize) -> Option<TimeZone> {
        let Some(name) = property.param("TZID") else {
            return Some(self.zone.clone());
        };
        let found = zone_named(name);
        if found.is_none() {
            let name: String = name.chars().take(VALUE_SHOWN_MAX).collect();
            let hint = "zones are called as in `Europe/Berlin`; what the calendar itself says of \
                        zones (`VTIMEZONE`) is not read";
            self.problem(line, format!("there is no zone `{name}`"), hint);
        }
        found
    }

    fn finish(mut self, directory: &Directory, within: Span) -> CalendarShifts {
        let known = Known::new(directory);
        let events = std::mem::take(&mut self.events);
        // What stands for one of several takes its place, wherever it lies itself.
        let mut replaced: BTreeMap<&str, BTreeSet<Timestamp>> = BTreeMap::new();
        for event in &events {
            if let (Some(uid), Some(of)) = (&event.uid, &event.instead_of) {
                replaced.entry(uid).or_default().insert(of.at());
            }
        }
        let mut shifts: BTreeMap<(Timestamp, String), CalendarShift> = BTreeMap::new();
        let mut budget = STEPS_MAX;
        for event in &events {
            let uid = event.uid();
            let gone = replaced.get(&*uid).filter(|_| event.instead_of.is_none());
            let spans = self.spans(event, gone, within, &mut budget);
            if spans.is_empty() {
                continue;
            }
            let Some((people, shadows)) = self.who(event, &known) else {
                continue;
            };
            let title = event.title.as_ref().map_or("", |it| &it.1);
            for span in spans {
                let shift = CalendarShift {
                    uid: uid.clone(),
                    line: event.line,
                    span,
                    people: people.clone(),
                    shadows: shadows.clone(),
                    title: title.to_owned(),
                };
                shifts.insert((span.from, uid.clone()), shift);
            }
        }
        if shifts.len() > SHIFTS_MAX {
            let message = format!(
                "these are {} shifts, and {SHIFTS_MAX} are taken",
                shifts.len()
            );
            self.problem(1, message, "take out what is over, or what is far ahead");
            shifts.clear();
        }
        self.found.shifts = shifts.into_values().collect();
        self.found.problems.sort_by_key(|it| it.line);
        self.found
    }

    /// When an event is, as far as it touches a span.
    fn spans(
        &mut self,
        event: &Event,
        gone: Option<&BTreeSet<Timestamp>>,
        within: Span,
        budget: &mut usize,
    ) -> Vec<Span> {
        let Some(start) = event.start.as_ref().filter(|_| !event.is_unclear) else {
            if !event.is_unclear {
                self.problem(event.line, "an event has no `DTSTART`", CUT);
            }
            return Vec::new();
        };
        if event.is_cancelled {
            return Vec::new();
        }
        let length = length_of(event, start);
        if !(1..=SHIFT_DAYS_MAX * DAY * 60).contains(&length) {
            let message = format!("an event lasts no time, or more than {SHIFT_DAYS_MAX} days");
            let hint = "its `DTEND` comes after its `DTSTART`, or it has a `DURATION`";
            self.problem(event.line, message, hint);
            return Vec::new();
        }
        let mut starts: Vec<When> = event.more.clone();
        match &event.rule {
            None => starts.push(start.clone()),
            Some((line, rule)) => match recurring(start, rule, within, length, budget) {
                Ok(found) => starts.extend(found),
                Err(why) => {
                    let hint = "days, weeks, months and years are understood, with `INTERVAL`, \
                                `COUNT`, `UNTIL`, `BYDAY`, `BYMONTHDAY` and `BYMONTH`";
                    self.problem(*line, why, hint);
                    return Vec::new();
                }
            },
        }
        let is_gone = |it: &When| {
            let at = it.at();
            let mut except = event.except.iter();
            except.any(|not| match not.is_day {
                true => not.civil.date() == it.civil.date(),
                false => not.at() == at,
            }) || gone.is_some_and(|gone| gone.contains(&at))
        };
        let starts = starts.iter().filter(|it| !is_gone(it));
        let spans = starts.map(|it| Span::new(it.at(), end_of(event, it, length)));
        let (inside, outside): (Vec<Span>, Vec<Span>) =
            spans.partition(|it| !it.within(within).is_empty());
        // Of what recurs, those are not even looked for.
        self.found.n_left_out += usize::from(event.rule.is_none()) * outside.len();
        inside
    }

    /// Who is on call, and who learns.
    fn who(&mut self, event: &Event, known: &Known<'_>) -> Option<(Vec<PersonId>, Vec<PersonId>)> {
        let mut wrong: Vec<(usize, Unclear)> = Vec::new();
        let mut named = |said: &Option<(usize, String)>| {
            let (line, text) = said.as_ref()?;
            let names = texts(text).into_iter().filter(|it| !it.trim().is_empty());
            let found: Result<Vec<_>, _> = names.map(|it| known.find(&it)).collect();
            found.map_err(|why| wrong.push((*line, why))).ok()
        };
        let (people, shadows) = (named(&event.people), named(&event.shadows));
        let people = match (people, &event.people) {
            (Some(people), _) => Some(people),
            (None, Some(_)) => None,
            (None, None) => event.invited(known).map_err(|why| wrong.extend(why)).ok(),
        };
        if event.title.is_none() && event.attendees.is_empty() && event.people.is_none() {
            wrong.push((event.line, Unclear::Unknown(String::new())));
        }
        for (line, why) in &wrong {
            let (message, hint) = known.told(why);
            self.problem(*line, message, hint);
        }
        match people {
            Some(people) if wrong.is_empty() && !people.is_empty() => {
                Some((people, shadows.unwrap_or_default()))
            }
            _ => None,
        }
    }
}

impl Event {
    /// What it is called; where it says nothing, what it is makes its name.
    fn uid(&self) -> String {
        let by_title = || {
            let title = self.title.as_ref().map_or("", |it| &it.1);
            let start = self.start.as_ref().map(When::at).unwrap_or_default();
            format!("{start} {title}")
        };
        self.uid
            .clone()
            .filter(|it| !it.is_empty())
            .unwrap_or_else(by_title)
    }

    /// Those who are invited, by address or name; else those whom the title names.
    fn invited(&self, known: &Known<'_>) -> Result<Vec<PersonId>, Vec<(usize, Unclear)>> {
        let mut people = Vec::new();
        let mut wrong = Vec::new();
        for Attendee {
            line,
            name,
            address,
        } in &self.attendees
        {
            let found = known.find(address).or_else(|why| {
                let by_name = (!name.is_empty()).then(|| known.find(name).ok());
                by_name.flatten().ok_or(why)
            });
            match found {
                Ok(id) if people.contains(&id) => {}
                Ok(id) => people.push(id),
                Err(why) => wrong.push((*line, why)),
            }
        }
        if wrong.is_empty() && !people.is_empty() {
            return Ok(people);
        }
        let title = self.title.as_ref();
        match title.map(|(line, title)| (line, known.in_title(title))) {
            Some((_, Ok(people))) => Ok(people),
            Some((line, Err(why))) if wrong.is_empty() => Err(vec![(*line, why)]),
            _ => Err(wrong),
        }
    }
}

fn set<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    let is_right = value.is_some();
    *place = value;
    is_right
}

fn when(text: &str, zone: &TimeZone) -> Option<When> {
    let text = text.trim();
    let zone = match text.ends_with('Z') {
        true => TimeZone::UTC,
        false => zone.clone(),
    };
    Some(When {
        civil: civil(text)?,
        zone,
        is_day: !text.contains('T'),
    })
}

/// Somebody who is invited and has not declined; rooms are nobody.
fn attendee(property: &Property<'_>, line: usize) -> Option<Attendee> {
    let is = |name: &str, values: &[&str]| {
        let said = property.param(name).unwrap_or_default();
        values.iter().any(|it| it.eq_ignore_ascii_case(said))
    };
    if is("PARTSTAT", &["DECLINED"]) || is("CUTYPE", &["ROOM", "RESOURCE"]) {
        return None;
    }
    let value = property.value;
    let is_mail = value
        .get(..7)
        .is_some_and(|it| it.eq_ignore_ascii_case("mailto:"));
    let address = if is_mail { value.get(7..)? } else { value };
    Some(Attendee {
        line,
        name: property.param("CN").unwrap_or_default().to_owned(),
        address: address.trim().to_owned(),
    })
}

/// A zone by its name, also behind what some programs put before it, as in
/// `/freeassociation.sourceforge.net/Europe/Berlin`.
fn zone_named(name: &str) -> Option<TimeZone> {
    let mut name = name.trim().trim_start_matches('/');
    loop {
        if let Ok(zone) = TimeZone::get(name) {
            return Some(zone);
        }
        name = name.split_once('/')?.1;
    }
}

/// How long an event lasts by the clock of its beginning, in seconds.
fn length_of(event: &Event, start: &When) -> i64 {
    let seconds = |civil: DateTime| minute_of(civil) * 60 + i64::from(civil.second());
    let by_end = event.end.as_ref().map(|end| {
        let end = start.zone.to_datetime(end.at().to_jiff());
        seconds(end) - seconds(start.civil)
    });
    let default = if start.is_day { DAY * 60 } else { 0 };
    by_end
        .or_else(|| Some(event.duration? * 60))
        .unwrap_or(default)
}

/// When an event ends that begins then. What does not recur says so itself, also in an hour that
/// comes twice.
fn end_of(event: &Event, start: &When, length: i64) -> Timestamp {
    match (&event.end, &event.rule) {
        (Some(end), None) if event.more.is_empty() => end.at(),
        _ => {
            let end = start
                .civil
                .saturating_add(jiff::SignedDuration::from_secs(length));
            moment_of(&start.zone, end)
        }
    }
}

/// When an event recurs that may touch a span.
fn recurring(
    start: &When,
    rule: &str,
    within: Span,
    length: i64,
    budget: &mut usize,
) -> Result<Vec<When>, String> {
    let of = [
        Frequency::Daily,
        Frequency::Weekly,
        Frequency::Monthly,
        Frequency::Yearly,
    ];
    let read = Rule::read(rule, &of);
    let mut read = read.map_err(|part| {
        let part: String = part.chars().take(VALUE_SHOWN_MAX).collect();
        format!("`{part}` of `RRULE` is not understood")
    })?;
    if let Some(until) = until_by(&start.zone, rule) {
        read.until = Some(until);
    }
    // A shift that begins before the span may reach into it.
    let from = minute_at(&start.zone, within.from) - length / 60 - DAY;
    let to = minute_at(&start.zone, within.until) + 1;
    let first = minute_of(start.civil);
    let starts = read
        .starts_within(first, (from, to), budget)
        .ok_or_else(|| {
            format!("events recur more often than {STEPS_MAX} times before they are over")
        })?;
    let second = i64::from(start.civil.second());
    let starts = starts.into_iter().map(|minute| {
        let civil = civil_of(minute).saturating_add(jiff::SignedDuration::from_secs(second));
        When {
            civil,
            ..start.clone()
        }
    });
    Ok(starts.collect())
}

/// An `UNTIL` of UTC, as the clock of a zone shows it.
fn until_by(zone: &TimeZone, rule: &str) -> Option<i64> {
    let parts = rule.split(';').filter_map(|it| it.split_once('='));
    let mut until = parts.filter(|(name, _)| name.eq_ignore_ascii_case("UNTIL"));
    let (_, value) = until.next()?;
    let at = Timestamp(moment(value.strip_suffix('Z')?)? * 60_000);
    Some(minute_at(zone, at))
}

/// Names between commas, as configuration has them; [`crate::calendar`] writes it.
pub(crate) const PEOPLE: &str = "X-FIREBELL-PEOPLE";
/// The same of those who learn.
pub(crate) const SHADOWS: &str = "X-FIREBELL-SHADOWS";

/// More shifts are refused: a year of three a day has a place in it.
pub const SHIFTS_MAX: usize = 2_000;
/// The most days, weeks, months and years of rules.
const STEPS_MAX: usize = 100_000;
const SHIFT_DAYS_MAX: i64 = 366;
const PROBLEMS_MAX: usize = 100;
const VALUE_SHOWN_MAX: usize = 40;
/// What helps where a line makes no sense.
const CUT: &str = "the file may have been cut off: export it again";
