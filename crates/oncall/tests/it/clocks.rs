//! Laws of shifts, at every change of every clock that there is.

use firebell_model::Timestamp;
use firebell_oncall::{Span, moment_of};
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use proptest::prelude::*;

use crate::text::Written;

/// Changes from 1900 on, some years ahead of the last one that is written down.
fn changes(zone: &TimeZone) -> Vec<Timestamp> {
    let from: jiff::Timestamp = "1900-01-01T00:00:00Z".parse().expect("a moment");
    let until: jiff::Timestamp = "2040-01-01T00:00:00Z".parse().expect("a moment");
    let changes = zone.following(from).map(|it| it.timestamp());
    let changes = changes.take_while(|at| *at < until);
    changes.map(|at| Timestamp(at.as_millisecond())).collect()
}

fn zones() -> Vec<(String, TimeZone)> {
    let names = jiff::tz::db().available().map(|name| name.to_string());
    let mut zones: Vec<(String, TimeZone)> = names
        .filter_map(|name| Some((name.clone(), TimeZone::get(&name).ok()?)))
        .collect();
    zones.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(zones.len() > 400, "{} zones", zones.len());
    zones
}

fn civil_before(zone: &TimeZone, at: Timestamp, hours: i64) -> DateTime {
    let at = Timestamp(at.0 - hours * 3_600_000);
    let civil = zone.to_datetime(at.to_jiff());
    // Hand-overs are at whole minutes, whatever the offset of the zone was then.
    civil
        .with()
        .second(0)
        .subsec_nanosecond(0)
        .build()
        .expect("a civil time")
}

const SHAPES: &[&str] = &[
    "every 1h: ana, ben, cara",
    "every 5h: ana, ben, cara",
    "every 1d: ana, ben",
    "every 1d: ana, ben | covered",
    "every 1w: ana, ben",
    "every 1m: ana, ben",
];

/// Schedules around every change of clocks of every zone: no moment has nobody, or is in two
/// shifts; whoever begins does so when the clock on the wall says it, or, when it never says so,
/// at the moment it jumps over it; and the people come in their order, whatever clocks do.
#[test]
fn around_every_change_of_every_clock_there_is_no_gap_no_double_cover_and_no_shifted_hour() {
    let mut n_changes = 0;
    for (name, zone) in zones() {
        for at in changes(&zone) {
            n_changes += 1;
            let shape = SHAPES[n_changes % SHAPES.len()];
            let start = civil_before(&zone, at, 49 + n_changes as i64 % 5);
            let text = format!("zone {name}\nlayer x from {start} {shape}");
            let written = Written::read(&text);
            let start = moment_of(&zone, start);
            let span = Span::new(start, Timestamp(at.0 + 3 * 86_400_000));
            check_laws(&written, &zone, span, &text);
        }
    }
    assert!(n_changes > 20_000, "{n_changes} changes");
}

fn check_laws(written: &Written, zone: &TimeZone, span: Span, text: &str) {
    let shifts = written.schedule.shifts(span);
    let mut until = span.from;
    for shift in &shifts {
        assert_eq!(shift.span.from, until, "a gap or double cover\n{text}");
        assert!(!shift.span.is_empty(), "{text}");
        until = shift.span.until;
    }
    assert_eq!(until, span.until, "a gap at the end\n{text}");
    let start = zone.to_datetime(span.from.to_jiff());
    for shift in shifts.iter().skip(1) {
        let begins = zone.to_datetime(shift.span.from.to_jiff());
        let is_at_hand_over = begins.minute() == start.minute() && begins.second() == 0;
        assert!(
            is_at_hand_over || is_jump(zone, shift.span.from),
            "{begins}\n{text}"
        );
    }
}

/// Whether clocks are put forward at a moment.
fn is_jump(zone: &TimeZone, at: Timestamp) -> bool {
    let before = Timestamp(at.0 - 1).to_jiff();
    zone.to_offset(before) < zone.to_offset(at.to_jiff())
}

#[test]
fn hours_of_the_day_and_the_other_hours_make_a_whole_around_every_change_of_every_clock() {
    for (idx, (name, zone)) in zones().into_iter().enumerate() {
        for (number, at) in changes(&zone).into_iter().enumerate() {
            // The hours begin or end at every half hour around the change, by turns.
            let civil = civil_before(&zone, at, 0);
            let minute = i64::from(civil.hour()) * 60 + i64::from(civil.minute()) / 30 * 30;
            let begin = (minute + 30 * ((number + idx) as i64 % 7 - 3)).rem_euclid(1440);
            let end = (begin + 90) % 1440;
            let time = |minute: i64| format!("{:02}:{:02}", minute / 60, minute % 60);
            let (begin, end) = (time(begin), time(end));
            let start = civil_before(&zone, at, 50);
            let text = format!(
                "zone {name}\n\
                 layer rest from {start} every 1w: ana | hours {end}-{begin}\n\
                 layer core from {start} every 1w: ben | hours {begin}-{end}"
            );
            let written = Written::read(&text);
            let span = Span::new(moment_of(&zone, start), Timestamp(at.0 + 2 * 86_400_000));
            let mut all = written.schedule.shifts(span);
            assert_eq!(written.schedule.gaps(span), [], "{text}");
            // What one layer has does not hide any of the other.
            for layer in [0, 1] {
                let mut alone = written.schedule.clone();
                alone.layers = vec![alone.layers[layer].clone()];
                for shift in alone.shifts(span) {
                    all.retain(|it| it.span != shift.span);
                }
            }
            assert_eq!(all, [], "{text}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// The first moment whose clock shows the time or a later one, found by looking at moments.
    #[test]
    fn the_moment_of_a_civil_time_is_the_first_that_shows_it_or_a_later_one(
        zone in 0..10_000_usize,
        change in 0..10_000_usize,
        minutes in -200_i64..200,
    ) {
        let names: Vec<_> = jiff::tz::db().available().map(|name| name.to_string()).collect();
        let zone = TimeZone::get(&names[zone % names.len()]).expect("a zone");
        let changes = changes(&zone);
        prop_assume!(!changes.is_empty());
        let at = changes[change % changes.len()];
        let civil = civil_before(&zone, at, 0);
        let shifted = Offset::UTC.to_timestamp(civil).expect("in range").as_second() + minutes * 60;
        let shifted = jiff::Timestamp::from_second(shifted).expect("in range");
        let civil = Offset::UTC.to_datetime(shifted);
        let moment = moment_of(&zone, civil);
        let shows = |at: Timestamp| zone.to_datetime(at.to_jiff());
        prop_assert!(shows(moment) >= civil);
        for earlier in [1, 1000, 60_000, 1_800_000, 3_600_000, 7_200_000] {
            prop_assert!(shows(Timestamp(moment.0 - earlier)) < civil, "{civil} {earlier}");
        }
    }

    /// A look at a part of time says what a look at all of it says.
    #[test]
    fn shifts_of_a_part_are_those_of_the_whole_and_each_moment_agrees(
        shape in prop::sample::select(vec![
            "every 1h: ana, ben, cara | hours mon-fri 09:00-17:00 | covered",
            "every 7h: ana, ben, cara | hours mon-fri 22:00-06:30 | covered | except 2026-03-31",
            "every 1d: ana, ben, cara | hours mon,wed,fri 08:00-20:00 | covered",
            "every 3d: ana, ben, - | hours sat-mon | covered | only 2026-03-29,2026-04-05",
            "every 2w: ana, ben+cara",
            "every 1 at mon 09:00/thu 02:30/sun 02:30: ana, ben, cara",
            "every 1m: ana, ben",
        ]),
        zone in prop::sample::select(vec![
            "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "UTC",
        ]),
        from in 0_i64..60 * 1440,
        length in 1_i64..20 * 1440,
    ) {
        let written = Written::read(&format!(
            "zone {zone}\nlayer x from 2026-01-31T02:30 {shape}\n\
             override 2026-03-28T12:00..2026-03-30T12:00 replace ana by dan\n\
             temporary 2026-04-01..2026-04-03 every 5h: eva, fay\n\
             shadow 2026-03-01..2026-04-20 zoe of ben"
        ));
        let whole = written.span("2026-01-31..2026-06-01");
        let from = Timestamp(whole.from.0 + (20 * 1440 + from) * 60_000);
        let part = Span::new(from, Timestamp(from.0 + length * 60_000));
        let cut: Vec<_> = written
            .schedule
            .shifts(whole)
            .into_iter()
            .map(|mut shift| { shift.span = shift.span.within(part); shift })
            .filter(|shift| !shift.span.is_empty())
            .collect();
        prop_assert_eq!(&written.schedule.shifts(part), &cut);
        for shift in &cut {
            let at = written.schedule.on_call_at(shift.span.from).expect("somebody");
            prop_assert_eq!(&at.people, &shift.people);
        }
    }
}
