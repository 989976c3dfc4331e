//! Days of calendars that others publish.

use expect_test::{Expect, expect};
use firebell_oncall::calendar_days;

/// Reads events, each given by its lines; shows days as spans, then warnings with their lines.
fn check(events: &[&str], expect: Expect) {
    let events = events.iter().map(|it| {
        format!(
            "BEGIN:VEVENT\r\n{}\r\nEND:VEVENT\r\n",
            it.replace('\n', "\r\n")
        )
    });
    let events = events.collect::<String>();
    shown(
        &format!("BEGIN:VCALENDAR\r\n{events}END:VCALENDAR\r\n"),
        expect,
    );
}

fn shown(text: &str, expect: Expect) {
    let said = calendar_days(text);
    let days = said.days.iter().map(|day| format!("{day}\n"));
    let warnings = said.warnings.iter();
    let warnings = warnings.map(|it| format!("line {}: {}\n", it.line, it.message));
    expect.assert_eq(&days.chain(warnings).collect::<String>());
}

/// The years of a rule that begins on a day, without those after 2032.
fn years(rule: &str, start: &str) -> String {
    let text = format!(
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:{start}\nRRULE:{rule}\nEND:VEVENT\n"
    );
    let said = calendar_days(&text);
    let near = said.days.iter().filter(|day| day.year() <= 2032);
    let near: Vec<String> = near.map(ToString::to_string).collect();
    let warnings = said.warnings.iter().map(|it| it.message.clone());
    near.into_iter()
        .chain(warnings)
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn events_of_days_and_of_times_give_the_days_that_they_touch() {
    for &(lines, expected) in EVENTS {
        let folded = lines.replace('\n', "\r\n");
        let text = format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{folded}\r\nEND:VEVENT\r\n");
        let said = calendar_days(&text);
        match expected.strip_prefix('!') {
            Some(part) => {
                let warning = said.warnings.first().expect("a warning");
                assert!(warning.message.starts_with(part), "{lines}: {warning:?}");
            }
            None => {
                let days: Vec<String> = said.days.iter().map(ToString::to_string).collect();
                assert_eq!(
                    (&*days.join(" "), &said.warnings[..]),
                    (expected, &[][..]),
                    "{lines}"
                );
            }
        }
    }
}

#[test]
fn what_recurs_every_year_does_so_as_its_rule_says() {
    for &(rule, start, expected) in RULES {
        assert_eq!(years(rule, start), expected, "{rule}");
    }
    let text = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260106\nRRULE:FREQ=YEARLY\nEND:VEVENT\n";
    let days = calendar_days(text).days;
    assert_eq!(
        (days.len(), days.last().map(|it| it.year())),
        (75, Some(2100))
    );
}

#[test]
fn exceptions_take_days_out_and_warnings_name_the_line() {
    check(
        &[
            "DTSTART:20261225T100000\nRRULE:FREQ=YEARLY;COUNT=3\nEXDATE;VALUE=DATE:20271225",
            "DTSTART:20260106\nEXRULE:FREQ=YEARLY\nRRULE:FREQ=DAILY",
        ],
        expect![[r#"
            2026-12-25
            2028-12-25
            line 9: `EXRULE:FREQ=YEARLY` is not understood
            line 7: an event is passed over: when it is, is unclear
        "#]],
    );
    shown(
        "BEGIN:VEVENT\nDTSTART:20260106\nBEGIN:VEVENT\nDTSTART:20260107",
        expect![[r#"
            line 1: an event has no end, and is passed over
            line 3: an event has no end, and is passed over
            line 1: there is no `BEGIN:VCALENDAR`: this is no calendar
        "#]],
    );
}

#[test]
fn a_calendar_without_measure_is_bounded() {
    let event = "BEGIN:VEVENT\nDTSTART:00010101\nDURATION:P365D\nRRULE:FREQ=YEARLY\nEND:VEVENT\n";
    let said = calendar_days(&format!("BEGIN:VCALENDAR\n{}", event.repeat(1000)));
    assert!(said.days.len() <= 100_000 && said.warnings.len() == 100);
    let said = calendar_days(&"x\n".repeat(100_000));
    assert_eq!((said.days.len(), said.warnings.len()), (0, 100));
}

/// Lines of an event, and the days; or after `!` how the first warning begins.
const EVENTS: &[(&str, &str)] = &[
    ("DTSTART;VALUE=DATE:20260106", "2026-01-06"),
    ("DTSTART:20260106", "2026-01-06"),
    (
        "DTSTART;VALUE=DATE:20260106\nDTEND;VALUE=DATE:20260107",
        "2026-01-06",
    ),
    ("DTSTART:20260106\nDTEND:20260108", "2026-01-06 2026-01-07"),
    ("DTSTART:20260106\nDURATION:P2D", "2026-01-06 2026-01-07"),
    ("DTSTART:20260106T090000Z", "2026-01-06"),
    (
        "DTSTART;TZID=\"a:b\":20260106T220000\nDURATION:PT2H",
        "2026-01-06",
    ),
    (
        "DTSTART:20260106T220000\nDURATION:PT2H1M",
        "2026-01-06 2026-01-07",
    ),
    (
        "DTSTART:20260106T000000\nDTEND:20260107T000000",
        "2026-01-06",
    ),
    (
        "DTSTART:20260106T235960\nDTEND:20260106T235960",
        "2026-01-06",
    ),
    (
        "dtstart;value=date:20260106\nsummary:Epiphany",
        "2026-01-06",
    ),
    ("DTSTA\n RT:202601\n\t06", "2026-01-06"),
    ("DTSTART:20260106\nSTATUS:CANCELLED", ""),
    (
        "DTSTART:20260106\nRDATE:20270106,20280106\nEXDATE:20270106",
        "2026-01-06 2028-01-06",
    ),
    (
        "DTSTART:20260106\nBEGIN:VALARM\nDTSTART:20300101\nEND:VALARM",
        "2026-01-06",
    ),
    (
        "DTSTART:20260106\nDTEND:20260101",
        "!an event is passed over: it lasts",
    ),
    (
        "DTSTART:20260106\nDURATION:P9999W",
        "!an event is passed over: it lasts",
    ),
    ("DTSTART:20260230", "!`DTSTART:20260230` is not understood"),
    (
        "DTSTART:2026-01-06",
        "!`DTSTART:2026-01-06` is not understood",
    ),
    (
        "DTSTART:20260106T25",
        "!`DTSTART:20260106T25` is not understood",
    ),
    (
        "SUMMARY:when",
        "!an event is passed over: when it is, is unclear",
    ),
    (
        "DTSTART:20260106\nRECURRENCE-ID:20260106",
        "!`RECURRENCE-ID:20260106` is not",
    ),
    (
        "DTSTART:20260106\nDURATION:1D",
        "!`DURATION:1D` is not understood",
    ),
    ("DTSTART:20260106\nno colon", "!a line without `:`"),
];

/// A rule, its first day, and the days up to 2032 with warnings.
const RULES: &[(&str, &str, &str)] = &[
    (
        "FREQ=YEARLY;COUNT=3",
        "20260106",
        "2026-01-06 2027-01-06 2028-01-06",
    ),
    (
        "FREQ=YEARLY;UNTIL=20270106",
        "20260106",
        "2026-01-06 2027-01-06",
    ),
    (
        "FREQ=YEARLY;UNTIL=20270105T235959Z",
        "20260106",
        "2026-01-06",
    ),
    (
        "FREQ=YEARLY;INTERVAL=3",
        "20260106",
        "2026-01-06 2029-01-06 2032-01-06",
    ),
    // No day in years that do not have it, as RFC 5545 says.
    (
        "FREQ=YEARLY",
        "20240229",
        "2024-02-29 2028-02-29 2032-02-29",
    ),
    // The fourth Thursday of November, the last Monday of May.
    (
        "FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;COUNT=3",
        "20261126",
        "2026-11-26 2027-11-25 2028-11-23",
    ),
    (
        "FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO;COUNT=2",
        "20260525",
        "2026-05-25 2027-05-31",
    ),
    // The day before the 6th of December or on it, where that is a Sunday.
    (
        "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=5,6;BYDAY=SU;COUNT=2",
        "20260101",
        "2026-12-06 2027-12-05",
    ),
    (
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=-1;COUNT=3",
        "20260228",
        "2026-02-28 2027-02-28 2028-02-29",
    ),
    (
        "FREQ=YEARLY;BYMONTH=1,12;BYMONTHDAY=1;COUNT=3",
        "20260106",
        "2026-12-01 2027-01-01 2027-12-01",
    ),
    (
        "FREQ=WEEKLY",
        "20260106",
        "2026-01-06 `FREQ=WEEKLY` of `RRULE` is not understood: the event counts once",
    ),
    (
        "FREQ=YEARLY;BYEASTER=1",
        "20260106",
        "2026-01-06 `BYEASTER=1` of `RRULE` is not understood: the event counts once",
    ),
    (
        "FREQ=YEARLY;INTERVAL=0",
        "20260106",
        "2026-01-06 `INTERVAL=0` of `RRULE` is not understood: the event counts once",
    ),
    (
        "FREQ=YEARLY;BYDAY=20MO",
        "20260106",
        "2026-01-06 `BYDAY=20MO` of `RRULE` is not understood: the event counts once",
    ),
    (
        "",
        "20260106",
        "2026-01-06 `` of `RRULE` is not understood: the event counts once",
    ),
];
