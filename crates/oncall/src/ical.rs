//! Shifts as an iCalendar feed, which every calendar subscribes to.
//!
//! *Sources*: RFC 5545: lines end in CR LF and are folded at 75 bytes; texts escape `\`, `;`, `,`
//! and line feeds.

use std::fmt::Write as _;

use firebell_model::Timestamp;

use crate::ical_shifts::{PEOPLE, SHADOWS};
use crate::people::{Directory, PersonId};
use crate::schedule::Schedule;
use crate::shifts::Shift;

/// A calendar with an event for each shift of a person, or of anybody, in any of some schedules;
/// times are in UTC, which any calendar shows by the clock of who looks. The same shift has the same
/// `UID` in every calendar. `made_at` is when it last changed.
#[must_use]
pub fn calendar(
    name: &str,
    schedules: &[(&Schedule, Vec<Shift>)],
    of: Option<PersonId>,
    directory: &Directory,
    made_at: Timestamp,
) -> String {
    let mut out = String::new();
    line(&mut out, "BEGIN:VCALENDAR");
    line(&mut out, "VERSION:2.0");
    line(&mut out, "PRODID:-//Firebell//on-call//EN");
    line(&mut out, "CALSCALE:GREGORIAN");
    let name = escaped(&format!("On call: {name}"));
    line(&mut out, &format!("X-WR-CALNAME:{name}"));
    for (schedule, shifts) in schedules {
        let has = |shift: &&Shift| of.is_none_or(|who| shift.people.contains(&who));
        for shift in shifts.iter().filter(has) {
            event(&mut out, schedule, shift, directory, made_at);
        }
    }
    line(&mut out, "END:VCALENDAR");
    out
}

fn event(
    out: &mut String,
    schedule: &Schedule,
    shift: &Shift,
    directory: &Directory,
    made_at: Timestamp,
) {
    let names = |people: &[PersonId]| {
        let names = people.iter().map(|id| &*directory.person(*id).full_name);
        names.collect::<Vec<_>>().join(", ")
    };
    let (from, until) = (stamp(shift.span.from), stamp(shift.span.until));
    let mut summary = format!("{}: {}", schedule.name, names(&shift.people));
    if !shift.shadows.is_empty() {
        let _ = write!(summary, " (shadow: {})", names(&shift.shadows));
    }
    let uid = format!("{from}-{}@firebell", hex(schedule.name.as_bytes()));
    line(out, "BEGIN:VEVENT");
    line(out, &format!("UID:{uid}"));
    line(out, &format!("DTSTAMP:{}", stamp(made_at)));
    line(out, &format!("DTSTART:{from}"));
    line(out, &format!("DTEND:{until}"));
    line(out, &format!("SUMMARY:{}", escaped(&summary)));
    // Full names may be those of several people, or have commas: what reads it back needs ours.
    let ours = |people: &[PersonId]| {
        let names = people.iter().map(|id| escaped(&directory.person(*id).name));
        names.collect::<Vec<_>>().join(",")
    };
    line(out, &format!("{PEOPLE}:{}", ours(&shift.people)));
    if !shift.shadows.is_empty() {
        line(out, &format!("{SHADOWS}:{}", ours(&shift.shadows)));
    }
    line(out, "END:VEVENT");
}

/// `20260105T080000Z`.
fn stamp(at: Timestamp) -> String {
    at.to_jiff().strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// The name of a schedule as one word that no other schedule has.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => escaped.extend(['\\', c]),
            '\n' => escaped.push_str("\\n"),
            c if c.is_control() => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// A line, folded so that no part of it is longer than 75 bytes, and no character is cut.
fn line(out: &mut String, text: &str) {
    let mut n_bytes = 0;
    for c in text.chars() {
        if n_bytes + c.len_utf8() > LINE_BYTES_MAX {
            out.push_str("\r\n ");
            n_bytes = 1;
        }
        out.push(c);
        n_bytes += c.len_utf8();
    }
    out.push_str("\r\n");
}

const LINE_BYTES_MAX: usize = 75;
