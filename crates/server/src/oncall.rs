//! Who is on call, as the API and the command line tell it: names, times and kinds of contacts,
//! and never where somebody is reached.

use std::fmt;

use firebell_model::Timestamp;
use firebell_oncall::{
    Cause, Change, Contact, Directory, Fairness, Load, Oncall, Person, PersonId, Schedule, Shift,
    Span, Team, calendar, parse_moment,
};
use jiff::tz::TimeZone;
use serde_json::{Value, json};

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OncallError {
    /// What is asked for is not there.
    Unknown(String),
    /// What is asked for is no question.
    Bad(String),
}

impl fmt::Display for OncallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Unknown(why) | Self::Bad(why)) = self;
        f.write_str(why)
    }
}

impl std::error::Error for OncallError {}

/// Whether somebody has confirmed to be reached by a contact; a configuration alone does not know.
pub type IsVerified<'v> = Option<&'v dyn Fn(&Person, &Contact) -> bool>;

/// Who is on call at a moment (RFC 3339 or a time of UTC; `now` when it is not given), per schedule
/// and per team, and who there is: `OncallNow` of `docs/openapi.json`.
///
/// # Errors
/// When the moment is none.
pub fn oncall_at(
    oncall: &Oncall,
    at: Option<&str>,
    now: Timestamp,
    is_verified: IsVerified<'_>,
) -> Result<Value, OncallError> {
    let at = moment("at", at, (&TimeZone::UTC, now))?;
    let directory = &oncall.directory;
    let schedules = oncall.schedules.iter();
    let schedules = schedules.map(|it| watch_json(it, directory, at));
    let teams = directory.teams.iter().map(|it| team_json(it, oncall, at));
    let people = directory.people.iter();
    let people = people.map(|it| person_json(it, is_verified));
    Ok(json!({
        "at": at.to_string(),
        "schedules": schedules.collect::<Vec<_>>(),
        "teams": teams.collect::<Vec<_>>(),
        "people": people.collect::<Vec<_>>(),
    }))
}

/// Which shifts are asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ShiftsAsked<'t> {
    /// Of which schedule.
    pub schedule: Option<&'t str>,
    /// Not before this time, by the schedule's clock where it says no other; now when not given.
    pub from: Option<&'t str>,
    /// Not after this time.
    pub to: Option<&'t str>,
    /// How many days where `to` is not given; 14 when neither is.
    pub days: Option<&'t str>,
}

impl ShiftsAsked<'_> {
    fn span(&self, zone: &TimeZone, now: Timestamp) -> Result<Span, OncallError> {
        let from = moment("from", self.from, (zone, now))?;
        let too_long = || format!("a span has 1 to {SPAN_DAYS_MAX} days");
        let days = match self.days {
            None => SPAN_DAYS_DEFAULT,
            Some(text) => {
                let days = text.parse::<u16>();
                days.map_err(|_| OncallError::Bad(too_long()))?.into()
            }
        };
        let at_most = Timestamp(from.0.saturating_add(days * DAY_MS));
        let to = moment("to", self.to, (zone, at_most))?;
        let span = Span::new(from, to);
        if span.is_empty() {
            let why = format!("{to} is not after {from}");
            return Err(OncallError::Bad(why));
        }
        match span.millis() > SPAN_DAYS_MAX * DAY_MS {
            true => Err(OncallError::Bad(too_long())),
            false => Ok(span),
        }
    }
}

/// Who has which shift of a schedule: `OncallShifts` of `docs/openapi.json`.
///
/// # Errors
/// When there is no such schedule, or the times are none, or too far apart.
pub fn oncall_shifts(
    oncall: &Oncall,
    asked: ShiftsAsked<'_>,
    now: Timestamp,
) -> Result<Value, OncallError> {
    let schedule = find_schedule(oncall, asked.schedule)?;
    let span = asked.span(&schedule.zone, now)?;
    let (shifts, layers) = (schedule.shifts(span), schedule.by_layer(span));
    let n_shifts = shifts.len() + layers.iter().map(Vec::len).sum::<usize>();
    if n_shifts > SHIFTS_MAX {
        let why =
            format!("these are {n_shifts} shifts, and {SHIFTS_MAX} are told: ask for less time");
        return Err(OncallError::Bad(why));
    }
    let directory = &oncall.directory;
    let all = |shifts: &[Shift]| {
        let shifts = shifts.iter().map(|it| shift_json(it, schedule, directory));
        shifts.collect::<Vec<_>>()
    };
    let layers = schedule.layers.iter().zip(&layers);
    let layers = layers.map(|(layer, shifts)| json!({"name": layer.name, "shifts": all(shifts)}));
    let gaps = schedule.gaps(span).into_iter().map(span_json);
    Ok(json!({
        "schedule": schedule.name,
        "zone": zone_name(&schedule.zone),
        "from": span.from.to_string(),
        "to": span.until.to_string(),
        "shifts": all(&shifts),
        "layers": layers.collect::<Vec<_>>(),
        "changes": changes_json(schedule, directory, span),
        "gaps": gaps.collect::<Vec<_>>(),
        "gapsAllowed": schedule.may_have_gaps,
        "fairness": fairness_json(&Fairness::of(&shifts, directory), directory),
    }))
}

/// The shifts of a schedule or of a person, of the last month and the next eleven, as iCalendar
/// (RFC 5545). `made_at` is when what people wrote last changed.
///
/// # Errors
/// When there is no such schedule or person, or both or none are asked for.
pub fn oncall_calendar(
    oncall: &Oncall,
    schedule: Option<&str>,
    person: Option<&str>,
    (now, made_at): (Timestamp, Timestamp),
) -> Result<String, OncallError> {
    let (name, of, schedules) = match (schedule, person) {
        (None, Some(person)) => {
            let found = oncall.directory.find_person(person);
            let why = || OncallError::Unknown(format!("there is nobody called `{person}`"));
            let id = found.ok_or_else(why)?;
            let name = &oncall.directory.person(id).full_name;
            (name, Some(id), oncall.schedules.iter().collect())
        }
        (name, None) => {
            let schedule = find_schedule(oncall, name)?;
            (&schedule.name, None, vec![schedule])
        }
        (Some(_), Some(_)) => {
            let why = "`schedule` or `person` says whose calendar it is, not both";
            return Err(OncallError::Bad(why.to_owned()));
        }
    };
    let span = Span::new(
        Timestamp(now.0.saturating_sub(CALENDAR_BEFORE)),
        Timestamp(now.0.saturating_add(CALENDAR_AFTER)),
    );
    // Whole shifts: where one begins is part of its UID, and a day later it is still the same.
    let schedules: Vec<_> = schedules
        .into_iter()
        .map(|schedule| (schedule, schedule.whole_shifts(span)))
        .collect();
    Ok(calendar(name, &schedules, of, &oncall.directory, made_at))
}

fn find_schedule<'o>(oncall: &'o Oncall, name: Option<&str>) -> Result<&'o Schedule, OncallError> {
    let Some(name) = name else {
        let why = "`schedule` is missing: it says which one is asked for";
        return Err(OncallError::Bad(why.to_owned()));
    };
    let found = oncall.find_schedule(name).map(|id| oncall.schedule(id));
    found.ok_or_else(|| OncallError::Unknown(format!("there is no schedule `{name}`")))
}

/// A time by a zone's clock, or the one that is meant where none is given. Those that are far from it
/// are refused: who is on call then follows from all turns until then.
fn moment(
    name: &str,
    text: Option<&str>,
    (zone, or): (&TimeZone, Timestamp),
) -> Result<Timestamp, OncallError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(or);
    };
    let at = parse_moment(zone, text);
    let at = at.map_err(|error| OncallError::Bad(format!("`{name}` is no time: {error}")))?;
    match at.0.abs_diff(or.0) > YEARS_MAX * YEAR_MS {
        true => Err(OncallError::Bad(format!(
            "`{name}` is {at}: that is more than {YEARS_MAX} years from {or}"
        ))),
        false => Ok(at),
    }
}

fn watch_json(schedule: &Schedule, directory: &Directory, at: Timestamp) -> Value {
    let watch = schedule.watch(at);
    let turn = |shift: &Option<Shift>| {
        let shift = shift.as_ref();
        shift.map(|it| shift_json(it, schedule, directory))
    };
    let now = watch.now.as_ref().map(|shift| {
        let mut now = shift_json(shift, schedule, directory);
        now["from"] = json!(watch.since.map(|at| at.to_string()));
        now["until"] = json!(watch.until.map(|at| at.to_string()));
        now
    });
    json!({
        "name": schedule.name,
        "zone": zone_name(&schedule.zone),
        "onCall": now,
        "before": turn(&watch.before),
        "next": turn(&watch.next),
        "handOverAt": watch.until.map(|at| at.to_string()),
        "gapsAllowed": schedule.may_have_gaps,
    })
}

fn team_json(team: &Team, oncall: &Oncall, at: Timestamp) -> Value {
    let directory = &oncall.directory;
    let schedule = team.schedule.map(|id| oncall.schedule(id));
    let on_call = match schedule {
        Some(schedule) => schedule.on_call_at(at).map(|shift| shift.people.to_vec()),
        None => Some(team.members.clone()),
    };
    let services = directory.services.iter().filter(|service| {
        let owner = directory.team(service.team);
        owner.name == team.name
    });
    json!({
        "name": team.name,
        "members": names(&team.members, directory),
        "services": services.map(|it| &*it.name).collect::<Vec<_>>(),
        "schedule": schedule.map(|it| &*it.name),
        "onCall": names(&on_call.unwrap_or_default(), directory),
    })
}

fn person_json(person: &Person, is_verified: IsVerified<'_>) -> Value {
    let contacts = person.contacts.iter().map(|contact| {
        let is_verified = is_verified.map(|it| it(person, contact));
        json!({"kind": contact.kind.name(), "verified": is_verified})
    });
    json!({
        "name": person.name,
        "fullName": person.full_name,
        "zone": zone_name(&person.zone),
        "contacts": contacts.collect::<Vec<_>>(),
    })
}

fn shift_json(shift: &Shift, schedule: &Schedule, directory: &Directory) -> Value {
    let layer = |idx: usize| schedule.layers.get(idx).map(|it| &*it.name);
    let temporary = |idx: usize| schedule.temporary.get(idx).map(|it| &*it.reason);
    let change = |idx: usize| schedule.overrides.get(idx).map(|it| &*it.reason);
    let (kind, name, reason) = match shift.cause {
        Cause::Layer { idx, .. } => ("layer", layer(idx), None),
        Cause::Temporary(idx) => ("temporary", None, temporary(idx)),
        Cause::Override(idx) => ("override", None, change(idx)),
    };
    json!({
        "from": shift.span.from.to_string(),
        "until": shift.span.until.to_string(),
        "people": names(&shift.people, directory),
        "shadows": names(&shift.shadows, directory),
        "cause": {"kind": kind, "layer": name, "reason": reason.unwrap_or_default()},
    })
}

/// What is put over the layers within a span, in the order in which it is.
fn changes_json(schedule: &Schedule, directory: &Directory, span: Span) -> Vec<Value> {
    let told = |within: Span, kind: &str, people: &[PersonId], of: Option<PersonId>, why: &str| {
        let is_seen = !within.within(span).is_empty();
        is_seen.then(|| {
            json!({
                "from": within.from.to_string(),
                "until": within.until.to_string(),
                "kind": kind,
                "people": names(people, directory),
                "of": of.map(|it| &*directory.person(it).name),
                "reason": why,
            })
        })
    };
    let temporary = schedule.temporary.iter();
    let temporary = temporary.filter_map(|it| told(it.span, "temporary", &[], None, &it.reason));
    let overrides = schedule.overrides.iter().filter_map(|it| {
        let (kind, people, of) = match &it.change {
            Change::Take(people) => ("take", &**people, None),
            Change::Replace { who, by } => ("replace", std::slice::from_ref(by), Some(*who)),
            Change::Add(who) => ("add", std::slice::from_ref(who), None),
            Change::Remove(who) => ("remove", std::slice::from_ref(who), None),
        };
        told(it.span, kind, people, of, &it.reason)
    });
    let shadows = schedule.shadows.iter();
    let shadows = shadows.filter_map(|it| told(it.span, "shadow", &[it.who], it.of, ""));
    temporary.chain(overrides).chain(shadows).collect()
}

fn fairness_json(fairness: &Fairness, directory: &Directory) -> Value {
    let people = fairness.loads.iter().map(|(id, load)| {
        let person = directory.person(*id);
        let Load {
            n_shifts,
            n_nights,
            n_weekends,
            ..
        } = *load;
        json!({
            "name": person.name,
            "fullName": person.full_name,
            "zone": zone_name(&person.zone),
            "hours": hours(load.on_call_ms),
            "shifts": n_shifts,
            "nightHours": hours(load.night_ms),
            "nights": n_nights,
            "weekendHours": hours(load.weekend_ms),
            "weekends": n_weekends,
        })
    });
    json!({"balance": fairness.balance, "people": people.collect::<Vec<_>>()})
}

fn span_json(span: Span) -> Value {
    json!({"from": span.from.to_string(), "until": span.until.to_string()})
}

fn names<'d>(people: &[PersonId], directory: &'d Directory) -> Vec<&'d str> {
    let people = people.iter().map(|id| &*directory.person(*id).name);
    people.collect()
}

pub(crate) fn zone_name(zone: &TimeZone) -> &str {
    zone.iana_name().unwrap_or("UTC")
}

fn hours(millis: i64) -> f64 {
    millis as f64 / 3_600_000.0
}

const DAY_MS: i64 = 86_400_000;
/// How far a moment may be from now.
const YEARS_MAX: u64 = 10;
const YEAR_MS: u64 = 366 * DAY_MS.unsigned_abs();
const SPAN_DAYS_DEFAULT: i64 = 14;
const SPAN_DAYS_MAX: i64 = 366;
/// Of the past a calendar has a month, of the future the rest of a year.
pub(crate) const CALENDAR_BEFORE: i64 = 31 * DAY_MS;
pub(crate) const CALENDAR_AFTER: i64 = 335 * DAY_MS;
/// More shifts are refused: hourly ones in ten layers over a year are fine.
const SHIFTS_MAX: usize = 100_000;

#[cfg(test)]
mod tests;
