//! Shifts as a calendar.

use expect_test::expect;
use firebell_oncall::calendar;

use crate::text::Written;

#[test]
fn every_shift_is_an_event_with_folded_lines_and_escaped_texts() {
    let mut written = Written::read(
        "zone Europe/Berlin
         layer x from 2026-01-05T09:00 every 1w: ana, ben+cara
         shadow 2026-01-12T09:00..2026-01-19T09:00 zoe",
    );
    let name = "Bénédicte, of the long family name; who has \\ many";
    written.directory.people[1].full_name = name.into();
    let span = written.span("2026-01-05..2026-01-19T09:00");
    let shifts = written.schedule.shifts(span);
    let schedules = [(&written.schedule, shifts)];
    let text = |of| calendar("s", &schedules, of, &written.directory, span.from);
    let all = text(None);
    assert!(all.split("\r\n").all(|line| line.len() <= 75), "{all}");
    assert_eq!(all.matches('\n').count(), all.matches("\r\n").count());
    expect![[r#"
        BEGIN:VCALENDAR
        VERSION:2.0
        PRODID:-//Firebell//on-call//EN
        CALSCALE:GREGORIAN
        X-WR-CALNAME:On call: s
        BEGIN:VEVENT
        UID:20260105T080000Z-73@firebell
        DTSTAMP:20260104T230000Z
        DTSTART:20260105T080000Z
        DTEND:20260112T080000Z
        SUMMARY:s: ana
        X-FIREBELL-PEOPLE:ana
        END:VEVENT
        BEGIN:VEVENT
        UID:20260112T080000Z-73@firebell
        DTSTAMP:20260104T230000Z
        DTSTART:20260112T080000Z
        DTEND:20260119T080000Z
        SUMMARY:s: Bénédicte\, of the long family name\; who has \\ many\, cara (
         shadow: zoe)
        X-FIREBELL-PEOPLE:ben,cara
        X-FIREBELL-SHADOWS:zoe
        END:VEVENT
        END:VCALENDAR
    "#]]
    .assert_eq(&all.replace("\r\n", "\n"));
    let ana = written.directory.find_person("ana");
    assert_eq!(text(ana).matches("BEGIN:VEVENT").count(), 1);
}
