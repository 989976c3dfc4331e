//! Who carries how much.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use firebell_oncall::Fairness;

use crate::text::Written;

fn check(text: &str, span: &str, expect: Expect) {
    let written = Written::read(text);
    let shifts = written.schedule.shifts(written.span(span));
    let fairness = Fairness::of(&shifts, &written.directory);
    let mut shown = String::new();
    for (person, load) in &fairness.loads {
        let hours = |ms: i64| ms as f64 / 3_600_000.0;
        let _ = writeln!(
            shown,
            "{}: {}h in {} shifts, {} nights {}h, {} weekends {}h",
            written.directory.person(*person).name,
            hours(load.on_call_ms),
            load.n_shifts,
            load.n_nights,
            hours(load.night_ms),
            load.n_weekends,
            hours(load.weekend_ms),
        );
    }
    let _ = writeln!(shown, "balance {:.3}", fairness.balance);
    expect.assert_eq(&shown);
}

#[test]
fn hours_nights_and_weekends_are_counted_by_the_clock_of_the_person() {
    check(
        "zone Europe/Berlin
         layer x from 2026-01-05T09:00 every 1w: ana, ben",
        "2026-01-05T09:00..2026-01-26T09:00",
        expect![[r#"
            ana: 336h in 2 shifts, 14 nights 112h, 2 weekends 96h
            ben: 168h in 1 shifts, 7 nights 56h, 1 weekends 48h
            balance 0.500
        "#]],
    );
    // A night with a change of clocks is an hour shorter.
    check(
        "zone Europe/Berlin
         layer x from 2026-03-28T12:00 every 1d: ana, ben",
        "2026-03-28T12:00..2026-03-30T12:00",
        expect![[r#"
            ana: 23h in 1 shifts, 1 nights 7h, 1 weekends 23h
            ben: 24h in 1 shifts, 1 nights 8h, 1 weekends 12h
            balance 0.958
        "#]],
    );
    check(
        "layer x from 2026-01-05 every 1d: -",
        "2026-01-05..2026-01-06",
        expect![[r#"
            balance 1.000
        "#]],
    );
}
