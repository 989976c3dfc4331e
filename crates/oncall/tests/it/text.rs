//! A small language for schedules, and how their shifts are shown.
//!
//! ```text
//! zone Europe/Berlin
//! layer NAME from START every 1h|1d|1w|1m|1 at mon 09:00/fri 17:00: ana, ben+cara, -
//!   | hours mon-fri 09:00-17:00 | covered | except DATE,… | only DATE,… | zone Z | until MOMENT
//! override A..B take ana+ben / replace ana by ben / add ana / remove ana
//! temporary A..B every 1d: ana, ben
//! shadow A..B zoe of ana
//! ```

use std::fmt::Write as _;
use std::sync::Arc;

use expect_test::Expect;
use firebell_model::Timestamp;
use firebell_oncall::{
    Cause, Change, Counting, Directory, Every, Holidays, Hours, Layer, OnHolidays, Override,
    Person, PersonId, Rotation, Schedule, Shadow, Span, Temporary, WeekHours, moment_of,
    parse_time_of_week,
};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// A schedule with the people in it.
pub(crate) struct Written {
    pub(crate) schedule: Schedule,
    pub(crate) directory: Directory,
}

/// Shows who is on call in a span, such as `2026-01-05..2026-01-12`.
pub(crate) fn check(text: &str, span: &str, expect: Expect) {
    let written = Written::read(text);
    let span = written.span(span);
    expect.assert_eq(&written.shown(span));
}

impl Written {
    pub(crate) fn read(text: &str) -> Self {
        let mut written = Self {
            schedule: Schedule {
                name: "s".into(),
                zone: TimeZone::UTC,
                layers: Vec::new(),
                temporary: Vec::new(),
                overrides: Vec::new(),
                n_under_temporary: 0,
                shadows: Vec::new(),
                may_have_gaps: false,
            },
            directory: Directory::default(),
        };
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            written.line(line);
        }
        written
    }

    fn line(&mut self, line: &str) {
        let (word, rest) = line.split_once(' ').expect("a word and more");
        match word {
            "zone" => self.schedule.zone = zone(rest),
            "layer" => {
                let (name, rest) = rest.split_once(" from ").expect("from");
                let layer = self.layer(name, rest);
                self.schedule.layers.push(layer);
            }
            "override" => {
                let (span, change) = rest.split_once(' ').expect("a span and a change");
                let (span, change) = (self.span(span), self.change(change));
                let reason = "".into();
                self.schedule.overrides.push(Override {
                    span,
                    change,
                    reason,
                });
            }
            "temporary" => {
                let (span, rest) = rest.split_once(' ').expect("a span and turns");
                let start = span.split("..").next().expect("a start");
                let layers = vec![self.layer("", &format!("{start} {rest}"))];
                let (span, reason) = (self.span(span), "".into());
                self.schedule.temporary.push(Temporary {
                    span,
                    layers,
                    reason,
                });
            }
            "shadow" => {
                let mut words = rest.split(' ');
                let span = self.span(words.next().expect("a span"));
                let who = self.person(words.next().expect("who"));
                let of = words.nth(1).map(|name| self.person(name));
                self.schedule.shadows.push(Shadow { span, who, of });
            }
            _ => panic!("unknown line: {line}"),
        }
    }

    fn layer(&mut self, name: &str, text: &str) -> Layer {
        let mut parts = text.split(" | ");
        let (start, rest) = parts
            .next()
            .and_then(|it| it.split_once(" every "))
            .expect("START every TURNS");
        let (every, slots) = rest.split_once(": ").expect("TURNS: SLOTS");
        let slots = slots.split(", ").map(|slot| self.people(slot)).collect();
        let mut layer_zone = self.schedule.zone.clone();
        let (mut hours, mut counting, mut until) = (Hours::default(), Counting::Time, None);
        for part in parts {
            let (word, rest) = part.split_once(' ').unwrap_or((part, ""));
            match word {
                "hours" => {
                    let parts = hours.week.into_iter().chain([rest.parse().expect("hours")]);
                    hours.week = Some(WeekHours::union(parts));
                }
                "covered" => counting = Counting::Covered,
                "except" => hours.holidays = Some(OnHolidays::Except(holidays(rest))),
                "only" => hours.holidays = Some(OnHolidays::Only(holidays(rest))),
                "zone" => layer_zone = zone(rest),
                "until" => until = Some(moment_of(&layer_zone, civil(rest))),
                _ => panic!("unknown part of a layer: {part}"),
            }
        }
        Layer {
            name: name.into(),
            zone: layer_zone,
            rotation: Rotation::new(civil(start), &read_every(every), counting).expect("turns"),
            slots,
            hours,
            until,
        }
    }

    fn change(&mut self, text: &str) -> Change {
        let words: Vec<&str> = text.split(' ').collect();
        match words[..] {
            ["take", people] => Change::Take(self.people(people)),
            ["replace", who, "by", by] => Change::Replace {
                who: self.person(who),
                by: self.person(by),
            },
            ["add", who] => Change::Add(self.person(who)),
            ["remove", who] => Change::Remove(self.person(who)),
            _ => panic!("unknown change: {text}"),
        }
    }

    fn people(&mut self, text: &str) -> Arc<[PersonId]> {
        let names = text.split('+').map(str::trim).filter(|name| *name != "-");
        names.map(|name| self.person(name)).collect()
    }

    fn person(&mut self, name: &str) -> PersonId {
        if let Some(id) = self.directory.find_person(name) {
            return id;
        }
        self.directory.people.push(Person {
            name: name.into(),
            full_name: name.into(),
            zone: self.schedule.zone.clone(),
            contacts: Vec::new(),
        });
        PersonId(self.directory.people.len() as u32 - 1)
    }

    pub(crate) fn span(&self, text: &str) -> Span {
        let (from, until) = text.split_once("..").expect("FROM..UNTIL");
        let moment = |text: &str| moment_of(&self.schedule.zone, civil(text));
        Span::new(moment(from), moment(until))
    }

    pub(crate) fn shown(&self, span: Span) -> String {
        let mut text = String::new();
        let mut from = span.from;
        for shift in self.schedule.shifts(span) {
            if from < shift.span.from {
                self.show(&mut text, Span::new(from, shift.span.from), "nobody");
            }
            let mut what = self.names(&shift.people);
            if !shift.shadows.is_empty() {
                let _ = write!(what, " (shadow: {})", self.names(&shift.shadows));
            }
            match shift.cause {
                Cause::Layer { idx, .. } if self.schedule.layers.len() > 1 => {
                    let _ = write!(what, " by {}", self.schedule.layers[idx].name);
                }
                Cause::Layer { .. } => {}
                Cause::Temporary(_) => what.push_str(" by temporary"),
                Cause::Override(_) => what.push_str(" by override"),
            }
            self.show(&mut text, shift.span, &what);
            from = shift.span.until;
        }
        if from < span.until {
            self.show(&mut text, Span::new(from, span.until), "nobody");
        }
        text
    }

    fn names(&self, people: &[PersonId]) -> String {
        let names = people.iter().map(|id| &*self.directory.person(*id).name);
        names.collect::<Vec<_>>().join("+")
    }

    fn show(&self, out: &mut String, span: Span, what: &str) {
        let shown = |at: Timestamp| {
            let at = at.to_jiff().to_zoned(self.schedule.zone.clone());
            at.strftime("%a %m-%d %H:%M%:z")
                .to_string()
                .replace("+00:00", "")
        };
        let hours = span.millis() as f64 / 3_600_000.0;
        let _ = writeln!(
            out,
            "{} .. {} {hours}h {what}",
            shown(span.from),
            shown(span.until)
        );
    }
}

fn civil(text: &str) -> DateTime {
    let text = text.trim();
    match text.len() {
        10 => format!("{text}T00:00").parse().expect("a date"),
        _ => text.parse().expect("a civil time"),
    }
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).expect("a zone")
}

fn holidays(text: &str) -> Arc<Holidays> {
    let days = text.split(',').map(|day| day.parse().expect("a date"));
    Arc::new(Holidays::new("holidays", days))
}

fn read_every(text: &str) -> Every {
    if let Some((every, at)) = text.split_once(" at ") {
        let at = at
            .split('/')
            .map(|it| parse_time_of_week(it).expect("a hand-over"));
        return Every::HandOvers(every.parse().expect("a number"), at.collect());
    }
    let (number, unit) = text.split_at(text.len() - 1);
    let number = number.parse().expect("a number");
    match unit {
        "h" => Every::Hours(number),
        "d" => Every::Days(number),
        "w" => Every::Weeks(number),
        _ => Every::Months(number),
    }
}
