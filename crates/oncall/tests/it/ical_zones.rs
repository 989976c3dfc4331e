//! What calendars call zones, as programs write them.

use expect_test::{Expect, expect};
use firebell_oncall::{CalendarShifts, Directory, Person, Span, calendar_shifts, parse_moment};
use jiff::tz::TimeZone;

fn read(text: &str) -> CalendarShifts {
    let ana = Person {
        name: "ana".into(),
        full_name: "ana".into(),
        zone: TimeZone::UTC,
        contacts: Vec::new(),
    };
    let directory = Directory {
        people: vec![ana],
        ..Directory::default()
    };
    let at = |text: &str| parse_moment(&TimeZone::UTC, text).expect("a moment");
    let within = Span::new(at("2026-01-01"), at("2027-01-01"));
    // What says no zone would be seen by its odd hours.
    let zone = TimeZone::get("Asia/Kathmandu").expect("a zone");
    calendar_shifts(&text.replace('\n', "\r\n"), &directory, &zone, within)
}

fn calendar(zones: &str, events: &str) -> String {
    format!("BEGIN:VCALENDAR\n{zones}{events}END:VCALENDAR\n")
}

/// An event of an hour for each beginning, `TZID=…:…`.
fn events(begins: &[&str]) -> String {
    let events = begins.iter().enumerate().map(|(n, begin)| {
        format!("BEGIN:VEVENT\nUID:{n}\nDTSTART;{begin}\nDURATION:PT1H\nSUMMARY:ana\nEND:VEVENT\n")
    });
    events.collect()
}

fn shown(said: &CalendarShifts) -> String {
    let shifts = said.shifts.iter();
    let shifts = shifts.map(|it| format!("{} .. {}\n", it.span.from, it.span.until));
    let problems = said.problems.iter();
    let problems = problems.map(|it| format!("line {}: {} ({})\n", it.line, it.message, it.hint));
    shifts.chain(problems).collect()
}

/// The moments at which events begin, one a line, or what is wrong.
fn check(zones: &str, begins: &[&str], expected: Expect) {
    expected.assert_eq(&shown(&read(&calendar(zones, &events(begins)))));
}

/// Outlook and Exchange: a name of Windows, and rules since 1601.
const OUTLOOK: &str = "BEGIN:VTIMEZONE
TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
";

/// Google: a name of IANA, with its place and the rules of today.
const GOOGLE: &str = "BEGIN:VTIMEZONE
TZID:America/New_York
X-LIC-LOCATION:America/New_York
BEGIN:DAYLIGHT
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
TZNAME:EDT
DTSTART:19700308T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
TZNAME:EST
DTSTART:19701101T020000
RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU
END:STANDARD
END:VTIMEZONE
";

/// Apple: the history of the zone, each part with its end.
const APPLE: &str = "BEGIN:VTIMEZONE
TZID:Australia/Melbourne
BEGIN:STANDARD
TZOFFSETFROM:+1100
RRULE:FREQ=YEARLY;UNTIL=20050326T160000Z;BYMONTH=3;BYDAY=-1SU
DTSTART:19960331T030000
TZNAME:AEST
TZOFFSETTO:+1000
END:STANDARD
BEGIN:STANDARD
TZOFFSETFROM:+1100
RRULE:FREQ=YEARLY;BYMONTH=4;BYDAY=1SU
DTSTART:20080406T030000
TZNAME:AEST
TZOFFSETTO:+1000
END:STANDARD
BEGIN:DAYLIGHT
TZOFFSETFROM:+1000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=1SU
DTSTART:20081005T020000
TZNAME:AEDT
TZOFFSETTO:+1100
END:DAYLIGHT
END:VTIMEZONE
";

/// Thunderbird and Evolution: the name behind what no other program has.
const THUNDERBIRD: &str = "BEGIN:VTIMEZONE
TZID:/mozilla.org/20050126_1/Europe/Lisbon
X-LIC-LOCATION:Europe/Lisbon
BEGIN:STANDARD
TZOFFSETFROM:+0100
TZOFFSETTO:+0000
TZNAME:WET
DTSTART:19701025T020000
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
TZOFFSETFROM:+0000
TZOFFSETTO:+0100
TZNAME:WEST
DTSTART:19700329T010000
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
";

#[test]
fn each_program_writes_zones_in_its_way_and_means_those_that_there_are() {
    // In winter and in summer, and in the week in which only one side of the sea has changed.
    check(
        OUTLOOK,
        &[
            "TZID=W. Europe Standard Time:20260105T090000",
            "TZID=\"W. Europe Standard Time\":20260706T090000",
            "TZID=w. europe standard time:20261026T090000",
        ],
        expect![[r#"
            2026-01-05T08:00:00Z .. 2026-01-05T09:00:00Z
            2026-07-06T07:00:00Z .. 2026-07-06T08:00:00Z
            2026-10-26T08:00:00Z .. 2026-10-26T09:00:00Z
        "#]],
    );
    check(
        GOOGLE,
        &[
            "TZID=America/New_York:20260105T090000",
            "TZID=America/New_York:20261026T090000",
            "TZID=America/New_York:20261102T090000",
        ],
        expect![[r#"
            2026-01-05T14:00:00Z .. 2026-01-05T15:00:00Z
            2026-10-26T13:00:00Z .. 2026-10-26T14:00:00Z
            2026-11-02T14:00:00Z .. 2026-11-02T15:00:00Z
        "#]],
    );
    check(
        APPLE,
        &[
            "TZID=Australia/Melbourne:20260105T090000",
            "TZID=Australia/Melbourne:20260706T090000",
        ],
        expect![[r#"
            2026-01-04T22:00:00Z .. 2026-01-04T23:00:00Z
            2026-07-05T23:00:00Z .. 2026-07-06T00:00:00Z
        "#]],
    );
    check(
        THUNDERBIRD,
        &[
            "TZID=/mozilla.org/20050126_1/Europe/Lisbon:20260105T090000",
            "TZID=/freeassociation.sourceforge.net/Europe/Lisbon:20260706T090000",
            "TZID=/freeassociation.sourceforge.net/America/Argentina/Ushuaia:20260707T090000",
            "TZID=\"tzone://Microsoft/Utc\":20260708T090000",
        ],
        expect![[r#"
            2026-01-05T09:00:00Z .. 2026-01-05T10:00:00Z
            2026-07-06T08:00:00Z .. 2026-07-06T09:00:00Z
            2026-07-07T12:00:00Z .. 2026-07-07T13:00:00Z
            2026-07-08T09:00:00Z .. 2026-07-08T10:00:00Z
        "#]],
    );
}

/// A zone of one's own, by the lines of its observances.
fn own(observances: &[&str]) -> String {
    let observances = observances.iter();
    let observances =
        observances.map(|it| format!("BEGIN:{it}\nEND:{}\n", it.lines().next().unwrap_or("")));
    let observances = observances.collect::<String>();
    format!("BEGIN:VTIMEZONE\nTZID:Customized Time Zone\n{observances}END:VTIMEZONE\n")
}

const SUMMER: &str = "DAYLIGHT\nDTSTART:16010101T020000\nTZOFFSETFROM:-0330\nTZOFFSETTO:-0230\n\
                      RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=2SU";
const WINTER: &str = "STANDARD\nDTSTART:16010101T020000\nTZOFFSETFROM:-0230\nTZOFFSETTO:-0330\n\
                      RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU";

#[test]
fn a_zone_without_a_known_name_is_what_its_own_rules_say() {
    check(
        &own(&[WINTER, SUMMER]),
        &[
            "TZID=Customized Time Zone:20260105T090000",
            // Skipped: the moment of the change, as in the zones that there are.
            "TZID=Customized Time Zone:20260308T023000",
            "TZID=Customized Time Zone:20260308T030000",
            "TZID=Customized Time Zone:20260706T090000",
            // Comes twice: the first one.
            "TZID=Customized Time Zone:20261101T013000",
            "TZID=Customized Time Zone:20261101T020000",
        ],
        expect![[r#"
            2026-01-05T12:30:00Z .. 2026-01-05T13:30:00Z
            2026-03-08T05:30:00Z .. 2026-03-08T06:00:00Z
            2026-03-08T05:30:00Z .. 2026-03-08T06:30:00Z
            2026-07-06T11:30:00Z .. 2026-07-06T12:30:00Z
            2026-11-01T04:00:00Z .. 2026-11-01T06:00:00Z
            2026-11-01T05:30:00Z .. 2026-11-01T06:30:00Z
        "#]],
    );
}

#[test]
fn rules_of_all_kinds_are_followed() {
    let check = |observances: &[&str], begins: &[&str], expected: Expect| {
        let begins: Vec<String> = begins
            .iter()
            .map(|it| format!("TZID=Customized Time Zone:{it}"))
            .collect();
        let begins: Vec<&str> = begins.iter().map(|it| &**it).collect();
        check(&own(observances), &begins, expected);
    };
    let winter_and_summer = ["20260105T090000", "20260706T090000"];
    // Without summer time, and with the seconds of a time before railways.
    check(
        &["STANDARD\nDTSTART:16010101T000000\nTZOFFSETFROM:+053328\nTZOFFSETTO:+053328"],
        &winter_and_summer,
        expect![[r#"
            2026-01-05T03:26:32Z .. 2026-01-05T04:26:32Z
            2026-07-06T03:26:32Z .. 2026-07-06T04:26:32Z
        "#]],
    );
    // Until a year that is over, by UTC: the last change is that of autumn 2015.
    check(
        &[
            "DAYLIGHT\nDTSTART:20070325T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0300\n\
             RRULE:FREQ=YEARLY;UNTIL=20150329T010000Z;BYMONTH=3;BYDAY=-1SU",
            "STANDARD\nDTSTART:20071028T040000\nTZOFFSETFROM:+0300\nTZOFFSETTO:+0200\n\
             RRULE:FREQ=YEARLY;UNTIL=20151025T010000Z;BYMONTH=10;BYDAY=-1SU",
        ],
        &winter_and_summer,
        expect![[r#"
            2026-01-05T07:00:00Z .. 2026-01-05T08:00:00Z
            2026-07-06T07:00:00Z .. 2026-07-06T08:00:00Z
        "#]],
    );
    // The same, but for its last time, which the end takes or leaves by a second.
    for (until, expected) in [
        ("20260329T010000Z", "2026-07-06T06:00:00Z"),
        ("20260329T005959Z", "2026-07-06T07:00:00Z"),
    ] {
        let summer = format!(
            "DAYLIGHT\nDTSTART:20250330T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0300\n\
             RRULE:FREQ=YEARLY;UNTIL={until};BYMONTH=3;BYDAY=-1SU"
        );
        let winter = "STANDARD\nDTSTART:20251026T040000\nTZOFFSETFROM:+0300\nTZOFFSETTO:+0200";
        let begin = ["TZID=Customized Time Zone:20260706T090000"];
        let said = read(&calendar(&own(&[&summer, winter]), &events(&begin)));
        assert_eq!(said.shifts[0].span.from.to_string(), expected, "{until}");
    }
    // By dates, and by the Sunday on or after the eighth, as Lotus Notes says the time of day.
    check(
        &[
            "STANDARD\nDTSTART:20251102T020000\nRDATE:20251102T020000,20261101T020000\n\
             TZOFFSETFROM:-0400\nTZOFFSETTO:-0500",
            "DAYLIGHT\nDTSTART:20070311T020000\nTZOFFSETFROM:-0500\nTZOFFSETTO:-0400\n\
             RRULE:FREQ=YEARLY;BYMINUTE=0;BYHOUR=2;BYDAY=SU;BYMONTHDAY=8,9,10,11,12,13,14;BYMONTH=3",
        ],
        &["20260307T090000", "20260308T090000", "20261101T090000"],
        expect![[r#"
            2026-03-07T14:00:00Z .. 2026-03-07T15:00:00Z
            2026-03-08T13:00:00Z .. 2026-03-08T14:00:00Z
            2026-11-01T14:00:00Z .. 2026-11-01T15:00:00Z
        "#]],
    );
}

#[test]
fn rules_that_are_those_of_a_zone_of_iana_are_that_zone() {
    let zones = OUTLOOK.replace("W. Europe Standard Time", "Ours");
    let mut begins = Vec::new();
    for day in [
        "20260328", "20260329", "20260330", "20261024", "20261025", "20261026",
    ] {
        for half_hour in 0..48 {
            begins.push(format!(
                "{day}T{:02}{:02}00",
                half_hour / 2,
                half_hour % 2 * 30
            ));
        }
    }
    let of = |zone: &str| {
        let begins: Vec<String> = begins
            .iter()
            .map(|it| format!("TZID={zone}:{it}"))
            .collect();
        let begins: Vec<&str> = begins.iter().map(|it| &**it).collect();
        read(&calendar(&zones, &events(&begins)))
    };
    let (ours, berlin) = (of("Ours"), of("Europe/Berlin"));
    // The hour that is skipped lasts no time.
    assert_eq!((ours.shifts.len(), ours.problems.len()), (6 * 48 - 1, 0));
    let spans = |of: &CalendarShifts| of.shifts.iter().map(|it| it.span).collect::<Vec<_>>();
    assert_eq!(spans(&ours), spans(&berlin));
}

#[test]
fn a_name_that_is_known_wins_over_what_the_calendar_says_of_clocks() {
    let tokyo = "STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0900\nTZOFFSETTO:+0900";
    for (name, place, expected) in [
        ("Europe/Berlin", "", "2026-07-06T07:00:00Z"),
        ("Europe/Berlin", "Europe/Lisbon", "2026-07-06T07:00:00Z"),
        ("FLE Standard Time", "", "2026-07-06T06:00:00Z"),
        ("FLE Standard Time", "Europe/Lisbon", "2026-07-06T08:00:00Z"),
        ("Mine", "Europe/Lisbon", "2026-07-06T08:00:00Z"),
        (
            "Mine",
            "/mozilla.org/20050126_1/Europe/Lisbon",
            "2026-07-06T08:00:00Z",
        ),
        ("Mine", "Nowhere", "2026-07-06T00:00:00Z"),
        ("Mine", "", "2026-07-06T00:00:00Z"),
        ("(UTC+09:00) Osaka\\, Sapporo", "", "2026-07-06T00:00:00Z"),
        // One word behind another one is no zone that this name says.
        ("Office/EST", "", "2026-07-06T00:00:00Z"),
        ("Etc/Unknown", "", "2026-07-06T00:00:00Z"),
    ] {
        let said = format!("TZID:{name}\nX-LIC-LOCATION:{place}\n");
        let zone = own(&[tokyo]).replace("TZID:Customized Time Zone\n", &said);
        let begin = format!("TZID=\"{}\":20260706T090000", name.replace('\\', ""));
        let said = shown(&read(&calendar(&zone, &events(&[&begin]))));
        assert_eq!(
            said.split(' ').next(),
            Some(expected),
            "{name}, {place}: {said}"
        );
    }
}

#[test]
fn an_abbreviation_with_summer_time_is_what_the_calendar_says_of_it() {
    let in_new_york = |name: &str| {
        let named = GOOGLE.replace("X-LIC-LOCATION:America/New_York\n", "");
        named.replace("America/New_York", name)
    };
    for (zones, name, expected) in [
        (in_new_york("EST"), "EST", "2026-07-06T13:00:00Z"),
        // Nothing is said of summer time, or of the name.
        (
            own(&["STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:-0500\nTZOFFSETTO:-0500"]),
            "EST",
            "2026-07-06T14:00:00Z",
        ),
        // Clocks of this one do change.
        (in_new_york("CET"), "CET", "2026-07-06T07:00:00Z"),
        (
            in_new_york("Etc/GMT+5"),
            "Etc/GMT+5",
            "2026-07-06T14:00:00Z",
        ),
    ] {
        let begin = format!("TZID={name}:20260706T090000");
        let said = shown(&read(&calendar(&zones, &events(&[&begin]))));
        assert_eq!(said.split(' ').next(), Some(expected), "{name}: {said}");
    }
}

const MENDED: &str = "DTSTART:19700101T000000\nTZOFFSETFROM:+0900\nTZOFFSETTO:+0900";

/// The line of the problem that an event of such a zone is, and what is wrong.
fn wrong(observances: &[&str]) -> String {
    let begin = ["TZID=Customized Time Zone:20260706T090000"];
    let said = read(&calendar(&own(observances), &events(&begin)));
    let nothing = said.shifts.is_empty() && said.understood.is_empty();
    let [problem] = &*said.problems else {
        panic!("{observances:?}: {:?}", said.problems);
    };
    let hint = "mend its `VTIMEZONE`, or call it as in `Europe/Berlin`";
    assert!(nothing && problem.hint == hint, "{observances:?}");
    let begins = "the zone `Customized Time Zone` is not understood: ";
    let what = problem.message.strip_prefix(begins);
    format!("{}: {}", problem.line, what.unwrap_or_default())
}

#[test]
fn a_zone_that_cannot_be_understood_is_named_with_its_line_and_what_helps() {
    assert_eq!(wrong(&[]), "7: it says nothing of clocks");
    for (of, line, expected) in [
        ("DTSTART:19700101T000000", "X:", "line 4 has no `DTSTART`"),
        ("TZOFFSETFROM:+0900", "X:", "line 4 has no `TZOFFSETFROM`"),
        ("TZOFFSETTO:+0900", "X:", "line 4 has no `TZOFFSETTO`"),
        ("TO:+0900", "TO:+2400", "`TZOFFSETTO:+2400` in line 7"),
        ("TO:+0900", "TO:0900", "`TZOFFSETTO:0900` in line 7"),
        ("000000", "000000Z", "`DTSTART:19700101T000000Z` in line 5"),
    ] {
        let found = wrong(&[&format!("STANDARD\n{}", MENDED.replace(of, line))]);
        assert_eq!(found, format!("12: {expected}"));
    }
    for (line, expected) in [
        (
            "RDATE:20260101T000000/PT1H",
            "`RDATE:20260101T000000/PT1H` in line 8",
        ),
        (
            "EXDATE:20260101T000000",
            "`EXDATE:20260101T000000` in line 8",
        ),
        (
            "RRULE:FREQ=MONTHLY",
            "`FREQ=MONTHLY` of its `RRULE:FREQ=MONTHLY`",
        ),
        (
            "RRULE:FREQ=YEARLY;BYDAY=1SU",
            "`BYDAY without BYMONTH` of its `RRULE:FREQ=YEARLY;BYDAY=1SU`",
        ),
        // Another time of day than that with which it begins.
        (
            "RRULE:FREQ=YEARLY;BYHOUR=3",
            "`BYHOUR=3` of its `RRULE:FREQ=YEARLY;BYHOUR=3`",
        ),
    ] {
        let found = wrong(&[&format!("STANDARD\n{MENDED}\n{line}")]);
        assert_eq!(found, format!("13: {expected}"));
    }
    let (to_8, to_10) = (
        MENDED.replace("TO:+09", "TO:+08"),
        MENDED.replace("TO:+09", "TO:+10"),
    );
    assert_eq!(
        wrong(&[
            &format!("STANDARD\n{MENDED}"),
            &format!("DAYLIGHT\n{to_10}")
        ]),
        "17: clocks are changed twice at 1970-01-01T00:00:00"
    );
    let back = MENDED.replace("FROM:+09", "FROM:+08");
    assert_eq!(
        wrong(&[&format!("STANDARD\n{to_8}"), &format!("DAYLIGHT\n{back}")]),
        "17: clocks are changed at 1969-12-31T16:00:00 UTC while they still change"
    );
}

#[test]
fn each_time_of_a_zone_that_there_is_not_is_named_and_nothing_else_is_lost() {
    check(
        "",
        &[
            "TZID=Mars/Olympus:20260706T090000",
            "TZID=Europe/Berlin:20260706T090000",
            "TZID=Mars/Olympus:20260707T090000",
        ],
        expect![[r#"
            2026-07-06T07:00:00Z .. 2026-07-06T08:00:00Z
            line 4: there is no zone `Mars/Olympus` (zones are called as in `Europe/Berlin`, or as Windows calls them; of any other one the calendar has a `VTIMEZONE`)
            line 16: there is no zone `Mars/Olympus` (zones are called as in `Europe/Berlin`, or as Windows calls them; of any other one the calendar has a `VTIMEZONE`)
        "#]],
    );
}

#[test]
fn a_zone_is_that_of_its_calendar_and_said_once() {
    let zone = |offset: &str| {
        let said = format!(
            "STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:{offset}\nTZOFFSETTO:{offset}"
        );
        own(&[&said])
    };
    let begin = events(&["TZID=Customized Time Zone:20260706T090000"]);
    let later = begin
        .replace("UID:0", "UID:1")
        .replace("20260706", "20260707");
    // One after the other in a text, where the second one says its zone last.
    let both = calendar(&zone("+0900"), &begin) + &calendar("", &(later.clone() + &zone("+0100")));
    let none = calendar(&zone("+0900"), "") + &calendar("", &later);
    let same = calendar(&(zone("+0900") + &zone("+0900")), &begin);
    let other = calendar(&(zone("+0900") + &zone("+0100")), &begin);
    let cut = calendar(&zone("+0900").replace("END:VTIMEZONE\n", ""), &begin);
    let said = [both, none, same, other, cut].map(|it| shown(&read(&it)));
    expect![[r#"
        2026-07-06T00:00:00Z .. 2026-07-06T01:00:00Z
        2026-07-07T08:00:00Z .. 2026-07-07T09:00:00Z
        line 14: there is no zone `Customized Time Zone` (zones are called as in `Europe/Berlin`, or as Windows calls them; of any other one the calendar has a `VTIMEZONE`)
        2026-07-06T00:00:00Z .. 2026-07-06T01:00:00Z
        line 20: the zone `Customized Time Zone` is not understood: lines 2 and 10 say different things of it (mend its `VTIMEZONE`, or call it as in `Europe/Berlin`)
        line 11: the zone `Customized Time Zone` is not understood: its `VTIMEZONE` in line 2 has no end (mend its `VTIMEZONE`, or call it as in `Europe/Berlin`)
    "#]].assert_eq(&said.concat());
}

#[test]
fn rules_without_measure_are_no_zone_and_cost_little() {
    let rules = |n: usize| {
        let rule =
            "RRULE:FREQ=YEARLY;BYMONTHDAY=1,2,3,4,5,6,7,8,9,10;BYMONTH=1,2,3,4,5,6\n".repeat(n);
        format!("STANDARD\nDTSTART:19700101T000000\nTZOFFSETFROM:+0900\nTZOFFSETTO:+0900\n{rule}X:")
    };
    // Ten thousand of them, of which one would be too much.
    let zones: Vec<String> = (0..10_000)
        .map(|n| own(&[&rules(3)]).replace("Customized Time Zone", &n.to_string()))
        .collect();
    let begins: Vec<String> = (0..10_000)
        .map(|n| format!("TZID={n}:20260706T090000"))
        .collect();
    let begins: Vec<&str> = begins.iter().map(|it| &**it).collect();
    let said = read(&calendar(&zones.concat(), &events(&begins)));
    assert!(said.shifts.is_empty() && said.problems.len() == 100);
    assert!(
        said.problems[0]
            .message
            .ends_with("zones change more than 20000 times")
    );
    // A name as long as the text, and a place of as many parts.
    let long = "x/".repeat(500_000);
    let zone = own(&[]).replace("Customized Time Zone", &long);
    let zone = zone.replace("END:V", &format!("X-LIC-LOCATION:{long}\nEND:V"));
    let begin = format!("TZID={long}:20260706T090000");
    let said = read(&calendar(&zone, &events(&[&*begin; 10])));
    assert_eq!(said.problems.len(), 10);
    assert!(said.problems.iter().all(|it| it.message.len() < 200));
}
