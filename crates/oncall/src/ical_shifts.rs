//! Shifts out of iCalendar text: who is on call when, as other programs export it, or as
//! [`crate::calendar`] does.
//!
//! *Invariants*: what cannot be understood is a problem with its line, never a shift of somebody else
//! or of another time, nor none. What [`crate::calendar`] wrote reads back to the same shifts.
//!
//! *Limits*: [`SHIFTS_MAX`] shifts; [`STEPS_MAX`] days, weeks, months and years that rules are
//! followed through, and [`TIMES_MAX`] times of `RDATE` and `EXDATE`, in all. Where there is more, that
//! is a problem. A `UID` has [`TEXT_BYTES_MAX`] at most, and of a title no more is kept.
//!
//! *Sources*: RFC 5545: events (3.6.1), attendees (3.8.4.1), instances of events that recur (3.8.4.4).
//! A shift that recurs keeps its length by the clock, as rotations do: where clocks change, those that
//! are adjacent stay adjacent.

use std::collections::BTreeSet;
use std::collections::btree_map::{BTreeMap, Entry};

use firebell_model::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::civil::{DAY, civil_of, minute_at, minute_of, moment_of};
use crate::ical_rule::{Frequency, Rule};
use crate::ical_text::{
    LIST_BYTES_MAX, Line, Property, VALUE_SHOWN_MAX, civil, duration, texts, unescaped, unfolded,
};
use crate::ical_who::{Attendee, Known, Unclear, attendee};
use crate::ical_zones::Zones;
use crate::people::{Directory, PersonId};
use crate::shifts::Span;

/// The shifts of a calendar.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CalendarShifts {
    /// In order of time, then of their events.
    pub shifts: Vec<CalendarShift>,
    /// What events are called that were understood, also those that were called off or lie at another
    /// time: what earlier calendars said of them holds no longer.
    pub understood: BTreeSet<String>,
    /// How many lie before or after the time that was asked for.
    pub n_left_out: usize,
    /// All that was not understood; the first hundred.
    pub problems: Vec<CalendarProblem>,
    /// It is no calendar, was cut off, or has more than is taken: what was understood says nothing of
    /// the rest.
    pub is_broken: bool,
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
    /// What the event is called by people; its beginning.
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

/// Reads the shifts of a calendar that touch a span. Times without a zone are by `zone`; of what others
/// mean, see `ical_zones`.
#[must_use]
pub fn calendar_shifts(
    text: &str,
    directory: &Directory,
    zone: &TimeZone,
    within: Span,
) -> CalendarShifts {
    let lines = unfolded(text);
    let mut reader = Reader {
        zone,
        zones: Zones::read(&lines),
        is_calendar: false,
        is_open: false,
        event: None,
        n_inner: 0,
        n_times: 0,
        events: Vec::new(),
        unclear: BTreeSet::new(),
        found: CalendarShifts::default(),
    };
    let mut n_lines = 0;
    for line in &lines {
        n_lines = line.number;
        reader.line(line);
    }
    if let Some(event) = reader.event.take() {
        reader.has_no_end(&event);
    } else if reader.is_open {
        reader.broken(n_lines, "the calendar has no end", CUT);
    }
    if !reader.is_calendar {
        let hint = "a calendar is a text that begins with `BEGIN:VCALENDAR`";
        reader.broken(1, "this is no calendar", hint);
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

struct Reader<'z> {
    zone: &'z TimeZone,
    /// Those that the calendar names.
    zones: Zones,
    is_calendar: bool,
    /// A calendar has begun and not ended.
    is_open: bool,
    event: Option<Event>,
    // Parts of an event that are not it, such as alarms.
    n_inner: usize,
    /// Of `RDATE` and `EXDATE`.
    n_times: usize,
    events: Vec<Event>,
    /// What events are called that were not understood.
    unclear: BTreeSet<String>,
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

    /// A problem of the calendar as a whole: it is named, however many others there are.
    fn broken(&mut self, line: usize, message: impl Into<String>, hint: impl Into<String>) {
        self.found.is_broken = true;
        self.found.problems.truncate(PROBLEMS_MAX - 1);
        self.problem(line, message, hint);
    }

    fn has_no_end(&mut self, event: &Event) {
        self.unclear.insert(event.uid());
        self.broken(event.line, "an event has no end", CUT);
    }

    fn line(&mut self, line: &Line) {
        let Some(property) = Property::read(&line.text) else {
            if !line.text.trim().is_empty() {
                self.problem(line.number, "a line has no `:`", CUT);
            }
            return;
        };
        match (&*property.name, &*property.value.to_ascii_uppercase()) {
            ("BEGIN", "VCALENDAR") => {
                (self.is_calendar, self.is_open) = (true, true);
                self.zones.begin_calendar();
            }
            ("END", "VCALENDAR") => self.is_open = false,
            ("BEGIN", "VEVENT") => {
                let event = Event {
                    line: line.number,
                    ..Event::default()
                };
                if let Some(open) = self.event.replace(event) {
                    self.has_no_end(&open);
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
        let names = || short(value, LIST_BYTES_MAX).map(|it| (line, it));
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
            "UID" => set(&mut event.uid, short(value, TEXT_BYTES_MAX)),
            "SUMMARY" => set(&mut event.title, said()),
            PEOPLE => set(&mut event.people, names()),
            SHADOWS => set(&mut event.shadows, names()),
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
        self.n_times += property.value.split(',').count();
        if self.n_times > TIMES_MAX {
            let message = format!("more than {TIMES_MAX} times in `RDATE` and `EXDATE`");
            self.problem(line, message, "take out what is over, or what is far ahead");
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
        match self.zones.get(name) {
            Ok(zone) => Some(zone),
            Err((message, hint)) => {
                self.problem(line, message, hint);
                None
            }
        }
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
        let (mut shifts, mut budget) = (Shifts::new(), STEPS_MAX);
        for event in &events {
            let uid = event.uid();
            let gone = replaced.get(&*uid).filter(|_| event.instead_of.is_none());
            let spans = self.spans(event, gone, within, &mut budget);
            let is_understood = spans
                .and_then(|spans| self.take_spans(event, &uid, spans, &known, &mut shifts))
                .is_some();
            if shifts.len() > SHIFTS_MAX {
                shifts.clear();
                self.found.understood.clear();
                let message =
                    format!("these are more than {SHIFTS_MAX} shifts, and no more are taken");
                self.broken(1, message, "take out what is over, or what is far ahead");
                break;
            }
            let into = match is_understood {
                true => &mut self.found.understood,
                false => &mut self.unclear,
            };
            into.insert(uid);
        }
        let unclear = std::mem::take(&mut self.unclear);
        self.found.understood.retain(|it| !unclear.contains(it));
        self.found.shifts = shifts.into_values().collect();
        self.found.problems.sort_by_key(|it| it.line);
        self.found
    }

    /// Makes shifts of the times of an event; `None` when that is a problem, which was named.
    fn take_spans(
        &mut self,
        event: &Event,
        uid: &str,
        spans: Vec<Span>,
        known: &Known<'_>,
        shifts: &mut Shifts,
    ) -> Option<()> {
        if spans.is_empty() {
            return Some(());
        }
        let (people, shadows) = self.who(event, known)?;
        let mut is_right = true;
        for span in spans {
            let shift = CalendarShift {
                uid: uid.to_owned(),
                line: event.line,
                span,
                people: people.clone(),
                shadows: shadows.clone(),
                title: event.title().to_owned(),
            };
            match shifts.entry((span.from, uid.to_owned())) {
                Entry::Vacant(place) => drop(place.insert(shift)),
                // One of several was moved onto another one: both are on call.
                Entry::Occupied(there) if there.get().span == span => {
                    there.into_mut().join(&shift);
                }
                Entry::Occupied(_) => is_right = false,
            }
            if shifts.len() > SHIFTS_MAX {
                break;
            }
        }
        if !is_right {
            let message = "an event begins with another one of its `UID`, and has another end";
            let hint = "one of them was moved onto the other: let them end together";
            self.problem(event.line, message, hint);
        }
        is_right.then_some(())
    }

    /// When an event is, as far as it touches a span; `None` when that is a problem, which was named.
    fn spans(
        &mut self,
        event: &Event,
        gone: Option<&BTreeSet<Timestamp>>,
        within: Span,
        budget: &mut usize,
    ) -> Option<Vec<Span>> {
        let Some(start) = event.start.as_ref().filter(|_| !event.is_unclear) else {
            if !event.is_unclear {
                self.problem(event.line, "an event has no `DTSTART`", CUT);
            }
            return None;
        };
        if event.is_cancelled {
            return Some(Vec::new());
        }
        let length = length_of(event, start);
        if !(1..=SHIFT_DAYS_MAX * DAY * 60).contains(&length) {
            let message = format!("an event lasts no time, or more than {SHIFT_DAYS_MAX} days");
            let hint = "its `DTEND` comes after its `DTSTART`, or it has a `DURATION`";
            self.problem(event.line, message, hint);
            return None;
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
                    return None;
                }
            },
        }
        let (days, times): (Vec<&When>, Vec<&When>) = event.except.iter().partition(|it| it.is_day);
        let days: BTreeSet<Date> = days.iter().map(|it| it.civil.date()).collect();
        let times: BTreeSet<Timestamp> = times.iter().map(|it| it.at()).collect();
        let is_gone = |it: &When, at: &Timestamp| {
            let is_replaced = gone.is_some_and(|gone| gone.contains(at));
            is_replaced || times.contains(at) || days.contains(&it.civil.date())
        };
        let starts = starts.iter().map(|it| (it, it.at()));
        let starts = starts.filter(|(it, at)| !is_gone(it, at));
        let spans = starts.map(|(it, at)| Span::new(at, end_of(event, it, length)));
        let (inside, outside): (Vec<Span>, Vec<Span>) =
            spans.partition(|it| !it.within(within).is_empty());
        // Of what recurs, those are not even looked for.
        self.found.n_left_out += usize::from(event.rule.is_none()) * outside.len();
        Some(inside)
    }

    /// Who is on call, and who learns; `None` when that is a problem, which was named.
    fn who(&mut self, event: &Event, known: &Known<'_>) -> Option<(Vec<PersonId>, Vec<PersonId>)> {
        let mut wrong: Vec<(usize, Unclear)> = Vec::new();
        let mut named = |said: &Option<(usize, String)>| {
            let (line, text) = said.as_ref()?;
            let found = known.listed(texts(text).iter());
            found.map_err(|why| wrong.push((*line, why))).ok()
        };
        let (people, shadows) = (named(&event.people), named(&event.shadows));
        let people = match &event.people {
            Some(_) => people,
            None => {
                let found = known.invited(event.title.as_ref(), &event.attendees);
                found.map_err(|why| wrong.extend(why)).ok()
            }
        };
        let people = people.unwrap_or_default();
        if people.is_empty() && wrong.is_empty() {
            let line = event.people.as_ref().map_or(event.line, |it| it.0);
            wrong.push((line, Unclear::Unknown(String::new())));
        }
        for (line, why) in &wrong {
            let (message, hint) = known.told(why);
            self.problem(*line, message, hint);
        }
        wrong
            .is_empty()
            .then(|| (people, shadows.unwrap_or_default()))
    }
}

impl CalendarShift {
    /// Those of the other one are on call, or learn, as well.
    fn join(&mut self, other: &Self) {
        for (into, more) in [
            (&mut self.people, &other.people),
            (&mut self.shadows, &other.shadows),
        ] {
            for id in more {
                if !into.contains(id) {
                    into.push(*id);
                }
            }
        }
    }
}

impl Event {
    /// What it is called; where it says nothing, what it is makes its name.
    fn uid(&self) -> String {
        let by_title = || {
            let start = self.start.as_ref().map(When::at).unwrap_or_default();
            format!("{start} {}", self.title())
        };
        self.uid
            .clone()
            .filter(|it| !it.is_empty())
            .unwrap_or_else(by_title)
    }

    /// What people call it, as far as that is kept.
    fn title(&self) -> &str {
        let title = self.title.as_ref().map_or("", |it| &it.1);
        let ends = (0..=TEXT_BYTES_MAX).rev();
        let mut cut = ends.filter_map(|end| title.get(..end));
        match title.len() > TEXT_BYTES_MAX {
            true => cut.next().unwrap_or_default(),
            false => title,
        }
    }
}

/// A text, where it is no longer than that.
fn short(text: &str, bytes_max: usize) -> Option<String> {
    (text.len() <= bytes_max).then(|| text.to_owned())
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
    let read = Rule::read_by(&start.zone, rule, &of);
    let read = read.map_err(|part| {
        let part: String = part.chars().take(VALUE_SHOWN_MAX).collect();
        format!("`{part}` of `RRULE` is not understood")
    })?;
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

/// By their beginnings and events.
type Shifts = BTreeMap<(Timestamp, String), CalendarShift>;

/// Names between commas, as configuration has them; [`crate::calendar`] writes it.
pub(crate) const PEOPLE: &str = "X-FIREBELL-PEOPLE";
/// The same of those who learn.
pub(crate) const SHADOWS: &str = "X-FIREBELL-SHADOWS";

/// More shifts are refused: a year of three a day has a place in it.
pub const SHIFTS_MAX: usize = 2_000;
/// The most days, weeks, months and years of rules.
const STEPS_MAX: usize = 100_000;
/// The most times of `RDATE` and `EXDATE`: ten years, each day, a few times.
const TIMES_MAX: usize = 20_000;
const TEXT_BYTES_MAX: usize = 1024;
const SHIFT_DAYS_MAX: i64 = 366;
const PROBLEMS_MAX: usize = 100;
/// What helps where a line makes no sense.
const CUT: &str = "the file may have been cut off: export it again";
