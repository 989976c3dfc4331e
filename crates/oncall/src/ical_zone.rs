//! A zone by what a calendar itself says of its clocks: `VTIMEZONE`.
//!
//! *Invariants*: clocks are changed once at a time, so what is adjacent by the clock is adjacent in time,
//! as in the zones of IANA. Anything that is not understood is no zone.
//!
//! *Limits*: of rules, the years 1970 to 2100; [`ZONE_STEPS_MAX`] years, and days in them, of all zones
//! of a text.
//!
//! *Sources*: RFC 5545, 3.6.5; RFC 8536 is how the zone is told to the library.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime};
use jiff::tz::{Offset, TimeZone};

use crate::civil::{civil_of, minute_of};
use crate::ical_rule::{Frequency, Rule};
use crate::ical_text::{Property, VALUE_SHOWN_MAX, civil};

/// A zone as far as it was read.
pub(crate) struct Declared {
    line: usize,
    /// `TZID`, as it is written.
    pub name: String,
    /// `X-LIC-LOCATION`: a zone of IANA.
    pub place: Option<String>,
    observances: Vec<Observance>,
    /// An observance is open; else what is said is of the zone.
    is_inner: bool,
    /// Parts that are neither, and not looked at.
    n_other: usize,
    /// What first was not understood.
    wrong: Option<String>,
}

/// What clocks show from some moments on: `STANDARD` or `DAYLIGHT`.
struct Observance {
    line: usize,
    said: Said,
}

#[derive(Default, PartialEq)]
struct Said {
    /// By the clock as it was before.
    start: Option<DateTime>,
    /// Seconds by which the clock was ahead before, and is then.
    from: Option<i32>,
    to: Option<i32>,
    rules: Vec<String>,
    more: Vec<DateTime>,
}

impl Declared {
    /// One that begins at a line.
    pub(crate) fn new(line: usize) -> Self {
        Self {
            line,
            name: String::new(),
            place: None,
            observances: Vec::new(),
            is_inner: false,
            n_other: 0,
            wrong: None,
        }
    }

    /// Takes a property; `value` is in capitals.
    pub(crate) fn part(&mut self, name: &str, value: &str, property: &Property<'_>, line: usize) {
        let is_observance = matches!(value, "STANDARD" | "DAYLIGHT");
        match (name, property.value) {
            ("BEGIN", _) if is_observance && self.n_other == 0 => {
                let said = Said::default();
                self.observances.push(Observance { line, said });
                self.is_inner = true;
            }
            ("BEGIN", _) => self.n_other += 1,
            ("END", _) if self.n_other > 0 => self.n_other -= 1,
            ("END", _) => self.is_inner = false,
            _ if self.n_other > 0 => {}
            (_, value) if self.is_inner => {
                let open = self.observances.last_mut();
                let is_right = open.is_none_or(|it| it.said.part(name, value));
                if !is_right {
                    let value: String = value.chars().take(VALUE_SHOWN_MAX).collect();
                    self.is_wrong(format!("`{name}:{value}` in line {line}"));
                }
            }
            ("TZID", value) => value.clone_into(&mut self.name),
            ("X-LIC-LOCATION", value) => self.place = Some(value.to_owned()),
            _ => {}
        }
    }

    /// It has no end.
    pub(crate) fn is_cut(&mut self) {
        self.is_wrong(format!("its `VTIMEZONE` in line {} has no end", self.line));
    }

    /// Another one has its name.
    pub(crate) fn join(&mut self, other: Self) {
        let said = |it: &Self, other: &Self| {
            let all = it.observances.iter().map(|it| &it.said);
            all.eq(other.observances.iter().map(|it| &it.said))
        };
        if !said(self, &other) || self.place != other.place {
            // Whichever is meant, the other one is not.
            self.place = None;
            let lines = (self.line, other.line);
            self.is_wrong(format!(
                "lines {} and {} say different things of it",
                lines.0, lines.1
            ));
        }
        if let Some(why) = other.wrong {
            self.is_wrong(why);
        }
    }

    fn is_wrong(&mut self, why: String) {
        self.wrong.get_or_insert(why);
    }

    /// Whether it has several offsets, as with summer time.
    pub(crate) fn changes(&self) -> bool {
        let mut offsets = self.observances.iter().map(|it| it.said.to);
        let first = offsets.next();
        offsets.any(|it| Some(it) != first)
    }

    /// The zone, or why there is none.
    pub(crate) fn zone(&self, budget: &mut usize) -> Result<TimeZone, String> {
        if let Some(why) = &self.wrong {
            return Err(why.clone());
        }
        let mut onsets: BTreeMap<i64, (i32, i32)> = BTreeMap::new();
        for it in &self.observances {
            let lacks = |name: &str| format!("line {} has no `{name}`", it.line);
            let start = it.said.start.ok_or_else(|| lacks("DTSTART"))?;
            let from = it.said.from.ok_or_else(|| lacks("TZOFFSETFROM"))?;
            let to = it.said.to.ok_or_else(|| lacks("TZOFFSETTO"))?;
            for onset in it.said.onsets(start, from, budget)? {
                let at = minute_of(onset) * 60 + i64::from(onset.second()) - i64::from(from);
                let before = onsets.insert(at, (from, to));
                if before.is_some_and(|(_, before)| before != to) {
                    return Err(format!("clocks are changed twice at {onset}"));
                }
            }
        }
        let Some((_, (first, _))) = onsets.first_key_value() else {
            return Err("it says nothing of clocks".to_owned());
        };
        let changes = changes(*first, &onsets)?;
        let zone =
            tzif(*first, &changes).and_then(|bytes| TimeZone::tzif("VTIMEZONE", &bytes).ok());
        zone.ok_or_else(|| format!("it has more than {OFFSETS_MAX} offsets"))
    }
}

impl Said {
    /// Takes a property; whether it is understood.
    fn part(&mut self, name: &str, value: &str) -> bool {
        match name {
            "DTSTART" => {
                self.start = local(value);
                self.start.is_some()
            }
            "TZOFFSETFROM" => {
                self.from = offset(value);
                self.from.is_some()
            }
            "TZOFFSETTO" => {
                self.to = offset(value);
                self.to.is_some()
            }
            "RRULE" => {
                self.rules.push(value.to_owned());
                value.len() <= RULE_BYTES_MAX
            }
            "RDATE" => {
                let more: Option<Vec<DateTime>> = value.split(',').map(local).collect();
                let is_right = more.is_some();
                self.more.extend(more.into_iter().flatten());
                is_right
            }
            "EXDATE" | "EXRULE" => false,
            _ => true,
        }
    }

    /// When it begins, each time, by the clock as it was before.
    fn onsets(
        &self,
        start: DateTime,
        from: i32,
        budget: &mut usize,
    ) -> Result<Vec<DateTime>, String> {
        let too_many = || format!("zones change more than {ZONE_STEPS_MAX} times");
        let mut onsets = self.more.clone();
        // With a rule it may be years before the first time, such as in 1601.
        if self.rules.is_empty() {
            onsets.push(start);
        }
        *budget = budget.checked_sub(onsets.len()).ok_or_else(too_many)?;
        let clock = TimeZone::fixed(Offset::from_seconds(from).unwrap_or(Offset::UTC));
        let minute_of_year = |year| {
            let first = Date::constant(year, 1, 1);
            minute_of(first.at(0, 0, 0, 0))
        };
        let within = (minute_of_year(YEAR_MIN), minute_of_year(YEAR_MAX + 1));
        for rule in &self.rules {
            let read = Rule::read_by(&clock, &without_time(rule, start), &[Frequency::Yearly]);
            let read = read.map_err(|part| format!("`{part}` of its `RRULE:{rule}`"))?;
            let starts = read.starts_within(minute_of(start), within, budget);
            let second = jiff::SignedDuration::from_secs(start.second().into());
            let starts = starts.ok_or_else(too_many)?.into_iter();
            onsets.extend(starts.map(|minute| civil_of(minute).saturating_add(second)));
        }
        Ok(onsets)
    }
}

/// The moments at which clocks change, and the seconds that they are ahead from then on.
fn changes(first: i32, onsets: &BTreeMap<i64, (i32, i32)>) -> Result<Vec<(i64, i32)>, String> {
    let mut changes: Vec<(i64, i32)> = Vec::new();
    let (mut now, mut last): (i32, Option<(i64, i64)>) = (first, None);
    for (at, (_, to)) in onsets {
        if *to == now {
            continue;
        }
        let by = i64::from((to - now).abs());
        // What is skipped or comes twice of one change would be that of the next one as well.
        if last.is_some_and(|(before, by_before)| at - before < by + by_before) {
            let shown = civil_of(at.div_euclid(60));
            return Err(format!(
                "clocks are changed at {shown} UTC while they still change"
            ));
        }
        changes.push((*at, *to));
        (now, last) = (*to, Some((*at, by)));
    }
    Ok(changes)
}

/// What a rule says besides the time of day that its beginning says already, as Lotus Notes does.
fn without_time(rule: &str, start: DateTime) -> String {
    let times = [
        ("BYHOUR", start.hour()),
        ("BYMINUTE", start.minute()),
        ("BYSECOND", start.second()),
    ];
    let is_said = |part: &&str| {
        part.split_once('=').is_some_and(|(name, value)| {
            let mut times = times.iter();
            let time = times.find(|it| it.0.eq_ignore_ascii_case(name));
            time.is_some_and(|it| value.parse() == Ok(it.1))
        })
    };
    let parts: Vec<&str> = rule.split(';').filter(|part| !is_said(part)).collect();
    parts.join(";")
}

/// A time by a clock; those of UTC are none.
fn local(text: &str) -> Option<DateTime> {
    civil(text).filter(|_| !text.trim().ends_with('Z'))
}

/// `+0100`, `-033000`: seconds that a clock is ahead of UTC.
fn offset(text: &str) -> Option<i32> {
    let digits = text.strip_prefix(['+', '-'])?;
    let is_digits = digits.bytes().all(|it| it.is_ascii_digit());
    if !is_digits || !matches!(digits.len(), 4 | 6) {
        return None;
    }
    let part = |from: usize, max: i32| {
        let part = digits.get(from..from + 2).unwrap_or("00");
        part.parse::<i32>().ok().filter(|it| *it <= max)
    };
    let seconds = part(0, 23)? * 3600 + part(2, 59)? * 60 + part(4, 59)?;
    Some(if text.starts_with('-') {
        -seconds
    } else {
        seconds
    })
}

/// The zone as a file of the IANA database has it; `None` when it has too many offsets.
fn tzif(first: i32, changes: &[(i64, i32)]) -> Option<Vec<u8>> {
    let mut offsets = vec![first];
    let mut kinds: Vec<u8> = Vec::with_capacity(changes.len());
    for (_, to) in changes {
        let known = offsets.iter().position(|it| it == to);
        let idx = known.unwrap_or_else(|| {
            offsets.push(*to);
            offsets.len() - 1
        });
        kinds.push(
            u8::try_from(idx)
                .ok()
                .filter(|it| usize::from(*it) < OFFSETS_MAX)?,
        );
    }
    let mut bytes = Vec::new();
    // The first part is for readers of version 1; nobody reads it.
    for (changes, offsets) in [(&[][..], &offsets[..1]), (changes, &offsets[..])] {
        bytes.extend(b"TZif2");
        bytes.extend([0; 15]);
        for n in [0, 0, 0, changes.len(), offsets.len(), 1] {
            bytes.extend(u32::try_from(n).ok()?.to_be_bytes());
        }
        bytes.extend(changes.iter().flat_map(|(at, _)| at.to_be_bytes()));
        if !changes.is_empty() {
            bytes.extend(&kinds);
        }
        for offset in offsets {
            bytes.extend(offset.to_be_bytes());
            // Not said to be summer time; the only abbreviation, which is empty.
            bytes.extend([0, 0]);
        }
        bytes.push(0);
    }
    bytes.extend(b"\n\n");
    Some(bytes)
}

const YEAR_MIN: i16 = 1970;
/// What recurs without end recurs until here; afterwards clocks stay as they are.
const YEAR_MAX: i16 = 2100;
/// The most years that rules are followed through, and times in them.
pub(crate) const ZONE_STEPS_MAX: usize = 20_000;
/// So many can be told apart by a byte.
const OFFSETS_MAX: usize = 255;
/// Those of zones that there are have a hundred.
const RULE_BYTES_MAX: usize = 200;
