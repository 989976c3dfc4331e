//! Shifts out of calendars of other programs, and out of ours.
//!
//! *Invariants*: all of a calendar is in force, or what of it is understood where that is wished, or
//! nothing. The same calendar twice is the same as once: a shift is known by its event and its
//! beginning, and the shifts of an event that is read again take the place of those before, as far as
//! they lie in the time that is read: what is over stays as it was, as long as there is room.
//!
//! *Limits*: [`SHIFTS_MAX`] shifts of all schedules together. What was over before the time that is read
//! makes room, the oldest first; where that is not enough, nothing is put in force.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use firebell_model::Timestamp;
use firebell_oncall::{CalendarShift, CalendarShifts, Directory, PersonId, Span, calendar_shifts};
use firebell_wire::prometheus_json::ErrorKind;
use serde::Deserialize;
use serde_json::{Value, json};

use super::changes::{author, changed};
use crate::http::{App, may_wait, refused, stopped};
use crate::managed::{ChangeError, Edits, Namespaces, SHIFTS, SHIFTS_MAX};
use crate::oncall::{CALENDAR_AFTER, CALENDAR_BEFORE, zone_name};
use crate::serve::{ManagedError, ManagedKind, change_managed};

/// What is posted.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Said {
    #[serde(default)]
    by: Option<String>,
    schedule: String,
    /// Text of iCalendar.
    calendar: String,
    /// What is understood is put in force, whatever else there is.
    #[serde(default)]
    partial: bool,
    /// Shifts of earlier calendars that are not in this one go.
    #[serde(default)]
    replace: bool,
    /// Nothing is put in force.
    #[serde(default)]
    preview: bool,
}

/// How many shifts are there now that were not, are others, or are gone.
#[derive(Clone, Copy, Default)]
struct Counts {
    n_added: usize,
    n_changed: usize,
    n_removed: usize,
}

/// `POST /api/firebell/v1/oncall/calendar`.
pub(super) async fn read(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let done = may_wait(move || match said(&body) {
        Ok(said) => import(&app, &said, &author(said.by.clone(), &headers)),
        Err(why) => refused(ErrorKind::BadData, why),
    });
    done.await.unwrap_or_else(stopped)
}

fn said(body: &[u8]) -> Result<Said, String> {
    if body.len() > CALENDAR_BYTES_MAX {
        let n_bytes = body.len();
        return Err(format!(
            "the body has {n_bytes} bytes, and {CALENDAR_BYTES_MAX} are read at most"
        ));
    }
    serde_json::from_slice(body).map_err(|error| format!("the body cannot be read: {error}"))
}

fn import(app: &App, said: &Said, by: &str) -> Response {
    let config = app.live.config();
    let oncall = &config.oncall.oncall;
    let Some(schedule) = oncall.find_schedule(&said.schedule) else {
        let why = format!("there is no schedule `{}`", said.schedule);
        return refused(ErrorKind::NotFound, why);
    };
    let schedule = oncall.schedule(schedule);
    let now = app.clock.now();
    let within = Span::new(
        Timestamp(now.0.saturating_sub(CALENDAR_BEFORE)),
        Timestamp(now.0.saturating_add(CALENDAR_AFTER)),
    );
    let read = calendar_shifts(&said.calendar, &oncall.directory, &schedule.zone, within);
    if let Some(why) = why_refused(&read, said).filter(|_| !said.preview) {
        return refused(ErrorKind::BadData, why);
    }
    let objects = objects(&read.shifts, &said.schedule, &oncall.directory);
    let mut counts = Counts::default();
    let mut edits = |namespaces: &Namespaces| {
        let edits;
        (edits, counts) = edits_of(&objects, namespaces, said, (&read, within));
        edits
    };
    let change = if said.preview {
        edits(&app.oncall.namespaces());
        None
    } else {
        let changed_by = change_managed(app, ManagedKind::Oncall, |managed, now| {
            let namespaces = managed.namespaces();
            match edits(&namespaces) {
                edits if edits.is_empty() => Err(ChangeError::Nothing),
                edits if n_over(shifts_in(&namespaces), &edits) > 0 => {
                    Err(ChangeError::TooManyShifts)
                }
                edits => managed.plan(now, by, SHIFTS, edits),
            }
        });
        match changed_by {
            Ok(change) => Some(change.id),
            Err(ManagedError::Change(ChangeError::Nothing)) => None,
            failed => return changed(failed),
        }
    };
    let mut done = imported_json(&read, &oncall.directory);
    done["schedule"] = json!(schedule.name);
    done["zone"] = json!(zone_name(&schedule.zone));
    done["change"] = json!(change);
    done["added"] = json!(counts.n_added);
    done["changed"] = json!(counts.n_changed);
    done["removed"] = json!(counts.n_removed);
    Json(done).into_response()
}

/// The objects of `shifts`, by the names under which they are kept.
fn objects(
    shifts: &[CalendarShift],
    schedule: &str,
    directory: &Directory,
) -> BTreeMap<String, String> {
    let objects = shifts.iter().map(|it| {
        let title = it.title.chars().filter(|it| !it.is_control());
        let title: String = title.take(TITLE_CHARS_MAX).collect();
        let object = json!({
            "schedule": schedule,
            "uid": uid_of(&it.uid),
            "from": it.span.from.to_string(),
            "until": it.span.until.to_string(),
            "people": names(&it.people, directory),
            "shadows": names(&it.shadows, directory),
            "reason": title,
        });
        let from = it.span.from.to_string();
        (name_of(&[schedule, &it.uid, &from]), object.to_string())
    });
    objects.collect()
}

/// Why a calendar is not put in force.
fn why_refused(read: &CalendarShifts, said: &Said) -> Option<String> {
    let problems = all_problems(read);
    match () {
        () if read.problems.is_empty() => None,
        () if !said.partial || read.is_broken => Some(problems),
        // What is not in it may be what was not understood.
        () if said.replace => Some(format!(
            "shifts are replaced by a calendar that is understood as a whole\n{problems}"
        )),
        () => None,
    }
}

/// What is to be set and removed so that these objects are there, and in the time that was read none
/// of the same events or, if that is wished, of the same schedule.
fn edits_of(
    objects: &BTreeMap<String, String>,
    namespaces: &Namespaces,
    said: &Said,
    (read, within): (&CalendarShifts, Span),
) -> (Edits, Counts) {
    let uids: BTreeSet<String> = read.understood.iter().map(|it| uid_of(it)).collect();
    let replaces_all = said.replace && read.problems.is_empty();
    let known = shifts_in(namespaces);
    let mut counts = Counts::default();
    let mut edits = Edits::new();
    let mut old: Vec<(Timestamp, &String)> = Vec::new();
    for (name, text) in known.into_iter().flatten() {
        let object: Value = serde_json::from_str(text).unwrap_or_default();
        let is_of_schedule = object["schedule"] == *said.schedule;
        let is_of_event = object["uid"].as_str().is_some_and(|it| uids.contains(it));
        let is_meant = is_of_schedule && (replaces_all || is_of_event);
        let place = Place::of(&object, within);
        match place {
            Place::Before(until) => old.push((until, name)),
            Place::Within if is_meant && !objects.contains_key(name) => {
                edits.push((name.clone(), None));
                counts.n_removed += 1;
            }
            _ => {}
        }
    }
    for (name, text) in objects {
        match known.and_then(|known| known.get(name)) {
            Some(before) if before == text => continue,
            Some(_) => counts.n_changed += 1,
            None => counts.n_added += 1,
        }
        edits.push((name.clone(), Some(text.clone())));
    }
    old.sort_unstable();
    let n_over = n_over(known, &edits);
    for (_, name) in old.into_iter().take(n_over) {
        edits.push((name.clone(), None));
        counts.n_removed += 1;
    }
    (edits, counts)
}

fn shifts_in(namespaces: &Namespaces) -> Option<&BTreeMap<String, String>> {
    namespaces.get(SHIFTS)
}

/// How many shifts more than there is room for would be kept; those that were too many before may stay.
fn n_over(known: Option<&BTreeMap<String, String>>, edits: &Edits) -> usize {
    let n_known = known.map_or(0, BTreeMap::len);
    let is_known = |name: &String| known.is_some_and(|it| it.contains_key(name));
    let n_added = edits.iter().filter(|it| it.1.is_some() && !is_known(&it.0));
    let n_removed = edits.iter().filter(|it| it.1.is_none() && is_known(&it.0));
    let n_kept = (n_known + n_added.count()).saturating_sub(n_removed.count());
    n_kept.saturating_sub(SHIFTS_MAX.max(n_known))
}

/// Where a shift that is kept lies, seen from the time that is read.
enum Place {
    /// It was over before; then.
    Before(Timestamp),
    /// In it, at least in part, or it says no time.
    Within,
    After,
}

impl Place {
    fn of(object: &Value, within: Span) -> Self {
        let at = |name: &str| object[name].as_str()?.parse().ok();
        let (from, until) = (at("from"), at("until"));
        match (from, until) {
            (_, Some(until)) if until <= within.from => Self::Before(until),
            (Some(from), _) if from >= within.until => Self::After,
            _ => Self::Within,
        }
    }
}

/// `OncallImported` of `docs/openapi.json`, but for what became of it.
fn imported_json(read: &CalendarShifts, directory: &Directory) -> Value {
    let shifts = read.shifts.iter().map(|it| {
        json!({
            "uid": uid_of(&it.uid),
            "line": it.line,
            "from": it.span.from.to_string(),
            "until": it.span.until.to_string(),
            "people": names(&it.people, directory),
            "shadows": names(&it.shadows, directory),
        })
    });
    let problems = read
        .problems
        .iter()
        .map(|it| json!({"line": it.line, "message": it.message, "hint": it.hint}));
    json!({
        "shifts": shifts.collect::<Vec<_>>(),
        "leftOut": read.n_left_out,
        "problems": problems.collect::<Vec<_>>(),
    })
}

fn all_problems(read: &CalendarShifts) -> String {
    let lines = read.problems.iter();
    let lines = lines.map(|it| format!("line {}: {}: {}", it.line, it.message, it.hint));
    lines.collect::<Vec<_>>().join("\n")
}

fn names<'d>(people: &[PersonId], directory: &'d Directory) -> Vec<&'d str> {
    let people = people.iter();
    people.map(|id| &*directory.person(*id).name).collect()
}

/// What an event is called, as far as it is kept: what is longer is told apart by all of it.
fn uid_of(uid: &str) -> String {
    match uid.len() > UID_BYTES_MAX {
        true => name_of(&[uid]),
        false => uid.to_owned(),
    }
}

/// A name of sixteen digits that follows from parts: FNV-1a, each part with its end.
fn name_of(parts: &[&str]) -> String {
    let bytes = parts.iter().flat_map(|it| it.bytes().chain([0xff]));
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// Two thousand events have a place in it.
const CALENDAR_BYTES_MAX: usize = 2 << 20;
const TITLE_CHARS_MAX: usize = 100;
const UID_BYTES_MAX: usize = 200;
