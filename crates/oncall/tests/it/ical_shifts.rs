//! Shifts of calendars, ours and others'.

use expect_test::{Expect, expect};
use firebell_model::Timestamp;
use firebell_oncall::{
    CalendarShifts, Contact, ContactKind, Directory, Person, Span, calendar, calendar_shifts,
    parse_moment,
};
use jiff::tz::TimeZone;

use crate::text::Written;

fn directory() -> Directory {
    let person = |name: &str, full_name: &str, email: &str| Person {
        name: name.into(),
        full_name: full_name.into(),
        zone: TimeZone::UTC,
        contacts: vec![Contact {
            kind: ContactKind::Email,
            address: email.into(),
        }],
    };
    Directory {
        people: vec![
            person("ana", "Ana Ruiz", "ana@example.org"),
            person("ben", "Ben Adams", "ben@example.org"),
            person("benji", "Ben Adams", "benji@example.org"),
            person("zoe", "Zoë, the 2nd", "zoe@example.org"),
        ],
        ..Directory::default()
    }
}

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn at(text: &str) -> Timestamp {
    parse_moment(&berlin(), text).unwrap()
}

/// Reads events, each given by its lines, of a schedule in Berlin, from 2026 to 2027.
fn read(events: &[&str]) -> CalendarShifts {
    let events = events.iter().map(|it| {
        format!(
            "BEGIN:VEVENT\r\n{}\r\nEND:VEVENT\r\n",
            it.replace('\n', "\r\n")
        )
    });
    let events = events.collect::<String>();
    let text = format!("BEGIN:VCALENDAR\r\n{events}END:VCALENDAR\r\n");
    let within = Span::new(at("2026-01-01"), at("2027-01-01"));
    calendar_shifts(&text, &directory(), &berlin(), within)
}

fn shown(said: &CalendarShifts) -> String {
    let directory = directory();
    let names = |ids: &[firebell_oncall::PersonId]| {
        let names = ids.iter().map(|it| &*directory.person(*it).name);
        names.collect::<Vec<_>>().join("+")
    };
    let clock = |at: Timestamp| berlin().to_datetime(at.to_jiff());
    let shifts = said.shifts.iter().map(|it| {
        let shadows = match &*it.shadows {
            [] => String::new(),
            all => format!(", shadow {}", names(all)),
        };
        let (from, until) = (clock(it.span.from), clock(it.span.until));
        format!("{from} .. {until} {}{shadows}\n", names(&it.people))
    });
    let problems = said.problems.iter();
    let problems = problems.map(|it| format!("line {}: {} ({})\n", it.line, it.message, it.hint));
    let left_out = match said.n_left_out {
        0 => String::new(),
        n => format!("{n} left out\n"),
    };
    shifts.chain(problems).collect::<String>() + &left_out
}

fn check(events: &[&str], expect: Expect) {
    expect.assert_eq(&shown(&read(events)));
}

const DAY: &str = "UID:1\nDTSTART:20260105T080000Z\nDTEND:20260106T080000Z";

#[test]
fn people_are_named_by_title_or_invited_by_address() {
    let who = |lines: &str| {
        let said = read(&[&format!("{DAY}\n{lines}")]);
        let text = shown(&said);
        text.trim_start_matches("2026-01-05T09:00:00 .. 2026-01-06T09:00:00 ")
            .trim_end()
            .to_owned()
    };
    for (lines, expected) in [
        ("SUMMARY:ana", "ana"),
        ("SUMMARY:ANA RUIZ", "ana"),
        ("SUMMARY:ana@example.org", "ana"),
        ("SUMMARY:Zoë\\, the 2nd", "zoe"),
        ("SUMMARY:ana\\, ben", "ana+ben"),
        ("SUMMARY:ana and zoe", "ana+zoe"),
        ("SUMMARY:payments: Ana Ruiz (shadow: Zoë)", "ana"),
        ("SUMMARY:[L1] zoe", "zoe"),
        ("SUMMARY:On Call - Ana Ruiz - Payments", "ana"),
        (
            "SUMMARY:On call\nATTENDEE;CN=X:mailto:Ana@example.org",
            "ana",
        ),
        (
            "SUMMARY:On call\nATTENDEE;CN=\"Ana Ruiz\":MAILTO:a@private.example",
            "ana",
        ),
        (
            "ATTENDEE:mailto:ana@example.org\nATTENDEE;ROLE=REQ-PARTICIPANT:mailto:zoe@example.org",
            "ana+zoe",
        ),
        // Who declined is not on call, and a room never is.
        (
            "ATTENDEE:mailto:ana@example.org\nATTENDEE;PARTSTAT=DECLINED:mailto:zoe@example.org\n\
             ATTENDEE;CUTYPE=ROOM:mailto:room@example.org",
            "ana",
        ),
        // An address that nobody has, and a title that says who is meant.
        ("SUMMARY:ben\nATTENDEE:mailto:rota@example.org", "ben"),
        // The same, where it takes off nobody who was invited, or those who declined.
        (
            "SUMMARY:ana and ben\nATTENDEE:mailto:ana@example.org\nATTENDEE:mailto:rota@example.org",
            "ana+ben",
        ),
        (
            "SUMMARY:ana\\, ben\nATTENDEE;PARTSTAT=DECLINED:mailto:ben@example.org",
            "ana",
        ),
        ("SUMMARY:whatever\nX-FIREBELL-PEOPLE:benji,ana", "benji+ana"),
        (
            "X-FIREBELL-PEOPLE:ana,ana\nX-FIREBELL-SHADOWS:zoe,zoe",
            "ana, shadow zoe",
        ),
        (
            "SUMMARY:ana\nX-FIREBELL-PEOPLE:zoe\nX-FIREBELL-SHADOWS:ben",
            "zoe, shadow ben",
        ),
    ] {
        assert_eq!(who(lines), expected, "{lines}");
    }
}

#[test]
fn all_that_cannot_be_understood_is_named_with_its_line_and_what_helps() {
    check(
        &[
            "UID:1\nDTSTART:20260105T080000Z\nDTEND:20260106T080000Z\nSUMMARY:payments: Bob",
            "UID:2\nDTSTART:20260105T080000Z\nDTEND:20260106T080000Z\nSUMMARY:Ben Adams",
            "UID:3\nDTSTART:20260105T080000Z\nDTEND:20260106T080000Z\nATTENDEE:mailto:x@y.z\nATTENDEE:mailto:u@y.z",
            "UID:4\nDTSTART;TZID=Nowhere:20260105T080000\nDTEND:20260106T080000Z\nSUMMARY:ana",
            "UID:5\nDTSTART:20260230T080000Z\nSUMMARY:ana",
            "UID:6\nDTEND:20260106T080000Z\nSUMMARY:ana",
            "UID:7\nDTSTART:20260105T080000Z\nSUMMARY:ana",
            "UID:8\nDTSTART:20260105T080000Z\nDTEND:20260105T080000Z\nSUMMARY:ana",
            "UID:9\nDTSTART:20260105T080000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;BYSETPOS=1\nSUMMARY:ana",
            "UID:10\nDTSTART:20260105T080000Z\nDURATION:PT1H",
            "UID:11\nDTSTART:20260105T080000Z\nDURATION:PT1H\nX-FIREBELL-PEOPLE:gone",
            "UID:12\nno colon here\nDTSTART:20260105T080000Z\nDURATION:PT1H\nSUMMARY:ana",
            "UID:13\nDTSTART:20260105T080000Z\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260105T080000Z\nDURATION:PT1H\nSUMMARY:ana",
        ],
        expect![[r#"
            2026-01-05T09:00:00 .. 2026-01-05T10:00:00 ana
            line 6: nobody is called `Bob` (`people` has ana, ben, benji, zoe, each known by name, full name and e-mail address)
            line 12: `Ben Adams` may be any of ben, benji (name them as `people` does, or by e-mail)
            line 18: nobody is called `x@y.z` (`people` has ana, ben, benji, zoe, each known by name, full name and e-mail address)
            line 19: nobody is called `u@y.z` (`people` has ana, ben, benji, zoe, each known by name, full name and e-mail address)
            line 23: there is no zone `Nowhere` (zones are called as in `Europe/Berlin`, or as Windows calls them; of any other one the calendar has a `VTIMEZONE`)
            line 29: `DTSTART:20260230T080000Z` is not understood (the event is no shift until that is mended)
            line 32: an event has no `DTSTART` (the file may have been cut off: export it again)
            line 37: an event lasts no time, or more than 366 days (its `DTEND` comes after its `DTSTART`, or it has a `DURATION`)
            line 42: an event lasts no time, or more than 366 days (its `DTEND` comes after its `DTSTART`, or it has a `DURATION`)
            line 52: `BYSETPOS=1` of `RRULE` is not understood (days, weeks, months and years are understood, with `INTERVAL`, `COUNT`, `UNTIL`, `BYDAY`, `BYMONTHDAY` and `BYMONTH`)
            line 55: an event names nobody (its `SUMMARY` or an `ATTENDEE` names a person)
            line 64: nobody is called `gone` (`people` has ana, ben, benji, zoe, each known by name, full name and e-mail address)
            line 68: a line has no `:` (the file may have been cut off: export it again)
            line 76: `RECURRENCE-ID:20260105T080000Z` is not understood (the event is no shift until that is mended)
        "#]],
    );
    let none = calendar_shifts(
        "x",
        &directory(),
        &berlin(),
        Span::new(at("2026-01-01"), at("2027-01-01")),
    );
    expect![[r#"
        line 1: a line has no `:` (the file may have been cut off: export it again)
        line 1: this is no calendar (a calendar is a text that begins with `BEGIN:VCALENDAR`)
    "#]]
    .assert_eq(&shown(&none));
}

#[test]
fn nobody_who_is_meant_is_left_out_and_nobody_who_declined_put_on_call_without_a_word() {
    let said = |lines: &str| format!("{DAY}\n{lines}");
    check(
        &[
            &said("SUMMARY:ben\nATTENDEE:mailto:ana@example.org\nATTENDEE:mailto:x@y.z"),
            &said("SUMMARY:payments: ana\nATTENDEE;PARTSTAT=DECLINED:mailto:ana@example.org"),
            &said("ATTENDEE;PARTSTAT=DECLINED:mailto:ana@example.org"),
            &said("SUMMARY:ana\nX-FIREBELL-PEOPLE:"),
            &said("SUMMARY:ana\nX-FIREBELL-PEOPLE: , \nX-FIREBELL-SHADOWS:ben"),
        ],
        expect![[r#"
            line 8: nobody is called `x@y.z` (`people` has ana, ben, benji, zoe, each known by name, full name and e-mail address)
            line 14: whom `payments: ana` names has declined (name who is on call instead)
            line 17: an event names nobody (its `SUMMARY` or an `ATTENDEE` names a person)
            line 28: an event names nobody (its `SUMMARY` or an `ATTENDEE` names a person)
            line 35: an event names nobody (its `SUMMARY` or an `ATTENDEE` names a person)
        "#]],
    );
}

#[test]
fn times_are_by_the_zone_that_they_name_or_the_schedules() {
    check(
        &[
            "UID:1\nDTSTART:20260105T090000\nDTEND:20260105T170000\nSUMMARY:ana",
            "UID:2\nDTSTART;TZID=America/New_York:20260106T090000\nDTEND;TZID=America/New_York:20260106T170000\nSUMMARY:ana",
            "UID:3\nDTSTART;TZID=\"/freeassociation.sourceforge.net/Europe/Lisbon\":20260107T090000\nDURATION:PT8H\nSUMMARY:ana",
            "UID:4\nDTSTART;VALUE=DATE:20260108\nSUMMARY:ana",
            "UID:5\nDTSTART;VALUE=DATE:20260109\nDTEND;VALUE=DATE:20260112\nSUMMARY:ben",
            "UID:6\nSTATUS:CANCELLED\nDTSTART;VALUE=DATE:20260113\nSUMMARY:ana",
            "UID:7\nDTSTART;VALUE=DATE:20250113\nSUMMARY:nobody known\nBEGIN:VALARM\nSUMMARY:x\nDTSTART:y\nEND:VALARM",
        ],
        expect![[r#"
            2026-01-05T09:00:00 .. 2026-01-05T17:00:00 ana
            2026-01-06T15:00:00 .. 2026-01-06T23:00:00 ana
            2026-01-07T10:00:00 .. 2026-01-07T18:00:00 ana
            2026-01-08T00:00:00 .. 2026-01-09T00:00:00 ana
            2026-01-09T00:00:00 .. 2026-01-12T00:00:00 ben
            1 left out
        "#]],
    );
}

#[test]
fn what_recurs_keeps_its_times_by_the_clock_where_clocks_change() {
    check(
        &[
            "UID:1\nDTSTART;TZID=Europe/Berlin:20251201T090000\nDTEND;TZID=Europe/Berlin:20251208T090000\nRRULE:FREQ=WEEKLY;INTERVAL=2;UNTIL=20260405T220000Z\nSUMMARY:ana",
        ],
        expect![[r#"
            2025-12-29T09:00:00 .. 2026-01-05T09:00:00 ana
            2026-01-12T09:00:00 .. 2026-01-19T09:00:00 ana
            2026-01-26T09:00:00 .. 2026-02-02T09:00:00 ana
            2026-02-09T09:00:00 .. 2026-02-16T09:00:00 ana
            2026-02-23T09:00:00 .. 2026-03-02T09:00:00 ana
            2026-03-09T09:00:00 .. 2026-03-16T09:00:00 ana
            2026-03-23T09:00:00 .. 2026-03-30T09:00:00 ana
        "#]],
    );
    check(
        &[
            "UID:1\nDTSTART:20260327T200000\nDURATION:PT12H\nRRULE:FREQ=DAILY;COUNT=4\nEXDATE:20260328T200000\nSUMMARY:zoe",
            "UID:2\nDTSTART:20260401T090000\nDURATION:PT8H\nRRULE:FREQ=WEEKLY;BYDAY=MO,WE;COUNT=3\nRDATE:20260410T090000\nSUMMARY:ana",
            "UID:3\nDTSTART:20260131T090000\nDURATION:PT1H\nRRULE:FREQ=MONTHLY;COUNT=3\nSUMMARY:ben",
            "UID:4\nDTSTART:20260501T090000\nDURATION:PT1H\nRRULE:FREQ=MONTHLY;BYDAY=-1FR;UNTIL=20260701\nSUMMARY:ben",
            "UID:5\nDTSTART:20200606T090000\nDURATION:PT1H\nRRULE:FREQ=YEARLY\nSUMMARY:ben",
        ],
        expect![[r#"
            2026-01-31T09:00:00 .. 2026-01-31T10:00:00 ben
            2026-03-27T20:00:00 .. 2026-03-28T08:00:00 zoe
            2026-03-29T20:00:00 .. 2026-03-30T08:00:00 zoe
            2026-03-30T20:00:00 .. 2026-03-31T08:00:00 zoe
            2026-03-31T09:00:00 .. 2026-03-31T10:00:00 ben
            2026-04-01T09:00:00 .. 2026-04-01T17:00:00 ana
            2026-04-06T09:00:00 .. 2026-04-06T17:00:00 ana
            2026-04-08T09:00:00 .. 2026-04-08T17:00:00 ana
            2026-04-10T09:00:00 .. 2026-04-10T17:00:00 ana
            2026-05-29T09:00:00 .. 2026-05-29T10:00:00 ben
            2026-05-31T09:00:00 .. 2026-05-31T10:00:00 ben
            2026-06-06T09:00:00 .. 2026-06-06T10:00:00 ben
            2026-06-26T09:00:00 .. 2026-06-26T10:00:00 ben
        "#]],
    );
    // An event for ever touches the span from its beginning to its end, and no more is followed.
    let said =
        read(&["UID:1\nDTSTART:19000101T000000\nDURATION:P1D\nRRULE:FREQ=DAILY\nSUMMARY:ana"]);
    assert_eq!((said.shifts.len(), said.problems.len()), (365, 0));
}

#[test]
fn one_of_several_that_was_moved_or_called_off_stands_for_itself() {
    check(
        &[
            "UID:1\nDTSTART:20260105T090000\nDURATION:P7D\nRRULE:FREQ=WEEKLY;COUNT=4\nSUMMARY:ana",
            "UID:1\nRECURRENCE-ID:20260112T090000\nDTSTART:20260112T120000\nDTEND:20260119T090000\nSUMMARY:ben",
            "UID:1\nRECURRENCE-ID:20260119T090000\nSTATUS:CANCELLED\nDTSTART:20260119T090000\nDTEND:20260126T090000\nSUMMARY:ana",
        ],
        expect![[r#"
            2026-01-05T09:00:00 .. 2026-01-12T09:00:00 ana
            2026-01-12T12:00:00 .. 2026-01-19T09:00:00 ben
            2026-01-26T09:00:00 .. 2026-02-02T09:00:00 ana
        "#]],
    );
}

#[test]
fn more_than_there_is_room_for_is_refused_and_costs_little() {
    let hours = "UID:1\nDTSTART:20260101T000000\nDURATION:PT1H\nRRULE:FREQ=DAILY\nSUMMARY:ana";
    let events: Vec<String> = (0..6)
        .map(|n| hours.replace("UID:1", &format!("UID:{n}")))
        .collect();
    let events: Vec<&str> = events.iter().map(|it| &**it).collect();
    check(
        &events,
        expect![[r#"
        line 1: these are more than 2000 shifts, and no more are taken (take out what is over, or what is far ahead)
    "#]],
    );
    let counted = "UID:1\nDTSTART:00010101T000000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=9999999\nSUMMARY:ana";
    check(
        &[counted],
        expect![[r#"
        line 6: events recur more often than 100000 times before they are over (days, weeks, months and years are understood, with `INTERVAL`, `COUNT`, `UNTIL`, `BYDAY`, `BYMONTHDAY` and `BYMONTH`)
    "#]],
    );
}

#[test]
fn one_that_was_moved_onto_another_one_is_a_shift_of_both_or_a_problem() {
    let weekly =
        "UID:1\nDTSTART:20260105T090000\nDURATION:P7D\nRRULE:FREQ=WEEKLY;COUNT=3\nSUMMARY:ana";
    let moved = "UID:1\nRECURRENCE-ID:20260112T090000\nDTSTART:20260119T090000\nSUMMARY:ben";
    check(
        &[
            weekly,
            &format!("{moved}\nDURATION:P7D\nX-FIREBELL-PEOPLE:zoe,ana\nX-FIREBELL-SHADOWS:ben"),
        ],
        expect![[r#"
            2026-01-05T09:00:00 .. 2026-01-12T09:00:00 ana
            2026-01-19T09:00:00 .. 2026-01-26T09:00:00 ana+zoe, shadow ben
        "#]],
    );
    check(
        &[weekly, &format!("{moved}\nDURATION:P1D")],
        expect![[r#"
            2026-01-05T09:00:00 .. 2026-01-12T09:00:00 ana
            2026-01-19T09:00:00 .. 2026-01-26T09:00:00 ana
            line 9: an event begins with another one of its `UID`, and has another end (one of them was moved onto the other: let them end together)
        "#]],
    );
}

#[test]
fn weeks_begin_when_the_rule_says() {
    let from = |day: &str| {
        let rule = format!("RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST={day}");
        let said = read(&[&format!(
            "UID:1\nDTSTART:20260106T090000\nDURATION:P1D\n{rule}\nSUMMARY:ana"
        )]);
        let days = said.shifts.iter().map(|it| it.span.from.to_string());
        let days: Vec<String> = days.map(|it| it[5..10].to_owned()).collect();
        (days.join(" "), said.problems.len())
    };
    let with_sunday_after = ("01-06 01-11 01-20 01-25".to_owned(), 0);
    let with_sunday_before = ("01-06 01-18 01-20 02-01".to_owned(), 0);
    for day in ["MO", "TU", "tu"] {
        assert_eq!(from(day), with_sunday_after, "{day}");
    }
    for day in ["WE", "TH", "FR", "SA", "SU"] {
        assert_eq!(from(day), with_sunday_before, "{day}");
    }
    for day in ["1MO", "monday"] {
        assert_eq!(from(day), (String::new(), 1), "{day}");
    }
}

#[test]
fn what_was_understood_is_told_also_where_no_shift_came_of_it() {
    let said = read(&[
        &format!("{DAY}\nSTATUS:CANCELLED\nSUMMARY:gone"),
        "UID:2\nDTSTART:20270205T080000Z\nDURATION:P1D\nSUMMARY:gone",
        "UID:3\nDTSTART:20260105T080000Z\nDURATION:P1D\nEXDATE:20260105T080000Z\nSUMMARY:gone",
        "UID:4\nDTSTART:20260105T080000Z\nDURATION:P1D\nSUMMARY:gone",
        "UID:5\nDTSTART:20260105T080000Z\nDURATION:P1D\nSUMMARY:ana",
        "UID:6\nDTSTART:20260105T080000Z\nDURATION:P1D\nRRULE:FREQ=DAILY;COUNT=2\nSUMMARY:ana",
        "UID:6\nRECURRENCE-ID:20260106T080000Z\nDTSTART:20260106T080000Z\nDURATION:P2D\nSUMMARY:gone",
        "UID:7\nDTSTART:2026\nDURATION:P2D\nSUMMARY:ana",
    ]);
    let understood: Vec<&str> = said.understood.iter().map(|it| &**it).collect();
    assert_eq!(understood, ["1", "2", "3", "5"]);
    assert!(!said.is_broken);
}

/// Texts that are long, many times over or nested are no way to make a server work or hold much.
#[test]
fn little_text_does_not_become_much() {
    let long = "ana, ".repeat(2_000);
    let every = "DTSTART:20260101T000000\nDURATION:PT1H\nRRULE:FREQ=DAILY;BYMONTH=1\nSUMMARY:ana";
    let said = read(&[&format!("UID:1\n{every}{}", ", ana".repeat(2_000))]);
    assert_eq!((said.shifts.len(), said.problems.len()), (31, 0));
    let all = said.shifts.iter();
    assert!(
        all.clone()
            .all(|it| it.title.len() <= 1024 && it.people.len() == 1)
    );
    let said = read(&[&format!(
        "{DAY}\nX-FIREBELL-PEOPLE:{}",
        long.replace(' ', "")
    )]);
    assert_eq!(said.shifts[0].people.len(), 1);
    let said = read(&[&format!("UID:{}\n{every}", "1".repeat(1025))]);
    assert_eq!((said.shifts.len(), said.problems.len()), (0, 1));

    let zone = |zone: String| {
        let said = read(&[&format!(
            "UID:1\nDTSTART;TZID={zone}:20260105T090000\nDURATION:PT1H\nSUMMARY:ana"
        )]);
        said.shifts.len()
    };
    assert_eq!(zone("/a/b/c/America/Argentina/Ushuaia".to_owned()), 1);
    assert_eq!(zone("/".repeat(300) + "Europe/Berlin"), 0);

    // As many times as a line may have, in some hundred lines, and as many that are taken off.
    let days = (1..=28).map(|day| format!("202601{day:02}T100000"));
    let days: Vec<String> = days.collect();
    let list = vec![days.join(","); 300].join(",");
    let said = read(&[&format!("{DAY}\nSUMMARY:ana\nRDATE:{list}\nEXDATE:{list}")]);
    assert_eq!((said.shifts.len(), said.problems.len()), (1, 0));
    let more = format!("{DAY}\nSUMMARY:ana\nRDATE:{list}\nEXDATE:{list}\nRDATE:{list}");
    check(
        &[&more],
        expect![[r#"
        line 9: more than 20000 times in `RDATE` and `EXDATE` (take out what is over, or what is far ahead)
    "#]],
    );
}

/// A calendar that is cut off is never understood otherwise than as a whole.
#[test]
fn a_calendar_that_is_cut_off_has_no_other_shifts() {
    let events = [
        "UID:1\nDTSTART;TZID=\"Europe/Berlin\":20260105T090000\nDURATION:P1D\nRRULE:FREQ=WEEKLY;COUNT=3\nSUMMARY:Zoë\\, the 2nd",
        "UID:2\nDTSTART:20260105T080000Z\nDTEND:20260106T080000Z\nATTENDEE;CN=\"Ana:\":mailto:ana@example.org",
    ];
    let text = events.map(|it| format!("BEGIN:VEVENT\n{it}\nEND:VEVENT\n"));
    let text = format!("BEGIN:VCALENDAR\n{}END:VCALENDAR\n", text.concat());
    let within = Span::new(at("2026-01-01"), at("2027-01-01"));
    let all = calendar_shifts(&text, &directory(), &berlin(), within);
    assert_eq!((all.shifts.len(), all.problems.len()), (4, 0));
    assert!(!all.is_broken);
    for (end, _) in text.char_indices() {
        let cut = calendar_shifts(&text[..end], &directory(), &berlin(), within);
        assert!(cut.shifts.iter().all(|it| all.shifts.contains(it)), "{end}");
        let is_whole = end >= text.trim_end().len();
        assert_eq!(cut.is_broken, !is_whole, "{end}");
        assert_eq!(cut.problems.is_empty(), is_whole, "{end}");
    }
}

/// Whatever we export reads back: people of whom one is called like another, or with a comma, and
/// those who learn.
#[test]
fn our_own_calendar_reads_back_to_the_same_shifts() {
    let mut written = Written::read(
        "zone Europe/Berlin
         layer turns from 2026-01-05T09:00 every 1d: ana, ben+cara, zoe
         layer nights from 2026-01-05T09:00 every 1w: cara, - | hours mon-fri 22:00-06:00
         override 2026-02-01T12:00..2026-02-01T18:30 take zoe
         temporary 2026-03-20..2026-04-10 every 1d: ana, ben
         shadow 2026-10-20T09:00..2026-10-28T09:00 zoe of ana",
    );
    for person in &mut written.directory.people {
        person.full_name = "Ana, the one; or (the other)".into();
    }
    written.directory.people[1].name = "ben, jr".into();
    let span = written.span("2026-01-05T09:00..2027-01-04T09:00");
    let shifts = written.schedule.whole_shifts(span);
    let schedules = [(&written.schedule, shifts.clone())];
    let text = calendar("s", &schedules, None, &written.directory, span.from);
    let said = calendar_shifts(&text, &written.directory, &TimeZone::UTC, span);
    assert_eq!(said.problems, []);
    assert!(shifts.len() > 400, "{}", shifts.len());
    let exported = shifts.iter().map(|it| (it.span, &*it.people, &*it.shadows));
    let read = said.shifts.iter();
    let read = read.map(|it| (it.span, &*it.people, &*it.shadows));
    assert!(exported.eq(read));
    // Once more it is the same events.
    let again = calendar_shifts(&text, &written.directory, &TimeZone::UTC, span);
    assert_eq!(again, said);
}
