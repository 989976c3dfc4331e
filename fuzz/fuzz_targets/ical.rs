//! Calendars of holidays that others publish.
#![no_main]

use firebell_oncall::calendar_days;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let said = calendar_days(text);
    assert!(said.days.windows(2).all(|pair| pair[0] < pair[1]));
    assert!(said.days.len() <= 100_000 && said.warnings.len() <= 100);
});
