//! Shifts as an iCalendar feed, which every calendar subscribes to.
//!
//! *Sources*: RFC 5545: lines end in CR LF and are folded at 75 bytes; texts escape `\`, `;`, `,`
//! and line feeds.

use std::fmt::Write as _;

use firebell_model::Timestamp;

use crate::people::{Directory, PersonId};
use crate::schedule::Schedule;
use crate::shifts::Shift;

/// A calendar with an event for each shift of a person, or of anybody; times are in UTC, which any
/// calendar shows by the clock of who looks. `now` is when it was made.
#[must_use]
pub fn calendar(
    schedule: &Schedule,
    shifts: &[Shift],
    of: Option<PersonId>,
    directory: &Directory,
    now: Timestamp,
) -> String {
    let mut out = String::new();
    line(&mut out, "BEGIN:VCALENDAR");
    line(&mut out, "VERSION:2.0");
    line(&mut out, "PRODID:-//Firebell//on-call//EN");
    line(&mut out, "CALSCALE:GREGORIAN");
    line(
        &mut out,
        &format!(
            "X-WR-CALNAME:{}",
            escaped(&format!("On call: {}", schedule.name))
        ),
    );
    for shift in shifts {
        if of.is_some_and(|who| !shift.people.contains(&who)) {
            continue;
        }
        let names = |people: &[PersonId]| {
            let names = people.iter().map(|id| &*directory.person(*id).full_name);
            names.collect::<Vec<_>>().join(", ")
        };
        let (from, until) = (stamp(shift.span.from), stamp(shift.span.until));
        let mut summary = format!("{}: {}", schedule.name, names(&shift.people));
        if !shift.shadows.is_empty() {
            let _ = write!(summary, " (shadow: {})", names(&shift.shadows));
        }
        line(&mut out, "BEGIN:VEVENT");
        let uid = format!("{from}-{}@firebell", hex(schedule.name.as_bytes()));
        line(&mut out, &format!("UID:{uid}"));
        line(&mut out, &format!("DTSTAMP:{}", stamp(now)));
        line(&mut out, &format!("DTSTART:{from}"));
        line(&mut out, &format!("DTEND:{until}"));
        line(&mut out, &format!("SUMMARY:{}", escaped(&summary)));
        line(&mut out, "END:VEVENT");
    }
    line(&mut out, "END:VCALENDAR");
    out
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
