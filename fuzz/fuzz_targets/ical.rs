//! Calendars of holidays that others publish, and of shifts that others export.
#![no_main]

use firebell_model::Timestamp;
use firebell_oncall::{Directory, Person, SHIFTS_MAX, Span, calendar_days, calendar_shifts};
use jiff::tz::TimeZone;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let said = calendar_days(text);
    assert!(said.days.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(said.days.len() <= 100_000 && said.warnings.len() <= 100);
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
    let year = Span::new(Timestamp(1_800_000_000_000), Timestamp(1_830_000_000_000));
    let said = calendar_shifts(text, &directory, &TimeZone::UTC, year);
    assert!(said.shifts.len() <= SHIFTS_MAX && said.problems.len() <= 100);
    assert!(said.shifts.is_sorted_by_key(|it| (it.span.from, it.uid.clone())));
    for shift in &said.shifts {
        assert!(!shift.span.within(year).is_empty() && !shift.people.is_empty());
    }
});
