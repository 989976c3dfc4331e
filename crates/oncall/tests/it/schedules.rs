//! Rotations, layers, hours, holidays, and what is put over them.

use expect_test::expect;
use firebell_oncall::Shift;

use crate::text::{Written, check};

#[test]
fn a_rotation_hands_over_hourly_daily_weekly_and_monthly_and_begins_again() {
    check(
        "layer x from 2026-01-05T08:00 every 6h: ana, ben, cara",
        "2026-01-05..2026-01-06",
        expect![[r#"
            Mon 01-05 00:00 .. Mon 01-05 08:00 8h nobody
            Mon 01-05 08:00 .. Mon 01-05 14:00 6h ana
            Mon 01-05 14:00 .. Mon 01-05 20:00 6h ben
            Mon 01-05 20:00 .. Tue 01-06 00:00 4h cara
        "#]],
    );
    check(
        "layer x from 2026-01-05T09:00 every 2d: ana, ben",
        "2026-01-05..2026-01-11",
        expect![[r#"
            Mon 01-05 00:00 .. Mon 01-05 09:00 9h nobody
            Mon 01-05 09:00 .. Wed 01-07 09:00 48h ana
            Wed 01-07 09:00 .. Fri 01-09 09:00 48h ben
            Fri 01-09 09:00 .. Sun 01-11 00:00 39h ana
        "#]],
    );
    check(
        "layer x from 2026-01-05T09:00 every 1w: ana, ben+cara",
        "2026-01-05..2026-01-26",
        expect![[r#"
            Mon 01-05 00:00 .. Mon 01-05 09:00 9h nobody
            Mon 01-05 09:00 .. Mon 01-12 09:00 168h ana
            Mon 01-12 09:00 .. Mon 01-19 09:00 168h ben+cara
            Mon 01-19 09:00 .. Mon 01-26 00:00 159h ana
        "#]],
    );
    check(
        "layer x from 2026-01-31T09:00 every 1m: ana, ben",
        "2026-01-01..2026-05-01",
        expect![[r#"
            Thu 01-01 00:00 .. Sat 01-31 09:00 729h nobody
            Sat 01-31 09:00 .. Sat 02-28 09:00 672h ana
            Sat 02-28 09:00 .. Tue 03-31 09:00 744h ben
            Tue 03-31 09:00 .. Thu 04-30 09:00 720h ana
            Thu 04-30 09:00 .. Fri 05-01 00:00 15h ben
        "#]],
    );
}

#[test]
fn hand_overs_may_be_at_several_times_of_a_week() {
    // Weekdays and weekends alternate between two people; then somebody for each day named.
    check(
        "layer x from 2026-01-07T12:00 every 1 at mon 09:00/fri 17:00: ana, ben",
        "2026-01-05..2026-01-20",
        expect![[r#"
            Mon 01-05 00:00 .. Wed 01-07 12:00 60h nobody
            Wed 01-07 12:00 .. Fri 01-09 17:00 53h ana
            Fri 01-09 17:00 .. Mon 01-12 09:00 64h ben
            Mon 01-12 09:00 .. Fri 01-16 17:00 104h ana
            Fri 01-16 17:00 .. Mon 01-19 09:00 64h ben
            Mon 01-19 09:00 .. Tue 01-20 00:00 15h ana
        "#]],
    );
    check(
        "layer x from 2026-01-05 every 1 at mon 00:00/wed 00:00/thu 00:00: ana, ben, -",
        "2026-01-05..2026-01-13",
        expect![[r#"
            Mon 01-05 00:00 .. Wed 01-07 00:00 48h ana
            Wed 01-07 00:00 .. Thu 01-08 00:00 24h ben
            Thu 01-08 00:00 .. Mon 01-12 00:00 96h nobody
            Mon 01-12 00:00 .. Tue 01-13 00:00 24h ana
        "#]],
    );
}

#[test]
fn a_later_layer_wins_where_it_has_somebody() {
    check(
        "layer base from 2026-01-05T09:00 every 1w: ana, ben
         layer nights from 2026-01-05 every 1d: cara, dan | hours mon-fri 22:00-06:00",
        "2026-01-05..2026-01-08",
        expect![[r#"
            Mon 01-05 00:00 .. Mon 01-05 09:00 9h nobody
            Mon 01-05 09:00 .. Mon 01-05 22:00 13h ana by base
            Mon 01-05 22:00 .. Tue 01-06 00:00 2h cara by nights
            Tue 01-06 00:00 .. Tue 01-06 06:00 6h dan by nights
            Tue 01-06 06:00 .. Tue 01-06 22:00 16h ana by base
            Tue 01-06 22:00 .. Wed 01-07 00:00 2h dan by nights
            Wed 01-07 00:00 .. Wed 01-07 06:00 6h cara by nights
            Wed 01-07 06:00 .. Wed 01-07 22:00 16h ana by base
            Wed 01-07 22:00 .. Thu 01-08 00:00 2h cara by nights
        "#]],
    );
}

#[test]
fn turns_pass_while_nobody_is_on_call_unless_only_covered_hours_count() {
    // OneUptime#2413: who had Friday had Monday as well.
    let week = "2026-01-08..2026-01-14";
    let office = "layer x from 2026-01-05 every 1d: ana, ben, cara | hours mon-fri 09:00-17:00";
    check(
        office,
        week,
        expect![[r#"
        Thu 01-08 00:00 .. Thu 01-08 09:00 9h nobody
        Thu 01-08 09:00 .. Thu 01-08 17:00 8h ana
        Thu 01-08 17:00 .. Fri 01-09 09:00 16h nobody
        Fri 01-09 09:00 .. Fri 01-09 17:00 8h ben
        Fri 01-09 17:00 .. Mon 01-12 09:00 64h nobody
        Mon 01-12 09:00 .. Mon 01-12 17:00 8h ben
        Mon 01-12 17:00 .. Tue 01-13 09:00 16h nobody
        Tue 01-13 09:00 .. Tue 01-13 17:00 8h cara
        Tue 01-13 17:00 .. Wed 01-14 00:00 7h nobody
    "#]],
    );
    check(
        &format!("{office} | covered"),
        week,
        expect![[r#"
        Thu 01-08 00:00 .. Thu 01-08 09:00 9h nobody
        Thu 01-08 09:00 .. Thu 01-08 17:00 8h ana
        Thu 01-08 17:00 .. Fri 01-09 09:00 16h nobody
        Fri 01-09 09:00 .. Fri 01-09 17:00 8h ben
        Fri 01-09 17:00 .. Mon 01-12 09:00 64h nobody
        Mon 01-12 09:00 .. Mon 01-12 17:00 8h cara
        Mon 01-12 17:00 .. Tue 01-13 09:00 16h nobody
        Tue 01-13 09:00 .. Tue 01-13 17:00 8h ana
        Tue 01-13 17:00 .. Wed 01-14 00:00 7h nobody
    "#]],
    );
    // Turns of hours are over when they have covered so many.
    check(
        "layer x from 2026-01-05T09:00 every 6h: ana, ben | hours mon-fri 09:00-17:00 | covered",
        "2026-01-08..2026-01-13",
        expect![[r#"
            Thu 01-08 00:00 .. Thu 01-08 09:00 9h nobody
            Thu 01-08 09:00 .. Thu 01-08 15:00 6h ana
            Thu 01-08 15:00 .. Thu 01-08 17:00 2h ben
            Thu 01-08 17:00 .. Fri 01-09 09:00 16h nobody
            Fri 01-09 09:00 .. Fri 01-09 13:00 4h ben
            Fri 01-09 13:00 .. Fri 01-09 17:00 4h ana
            Fri 01-09 17:00 .. Mon 01-12 09:00 64h nobody
            Mon 01-12 09:00 .. Mon 01-12 11:00 2h ana
            Mon 01-12 11:00 .. Mon 01-12 17:00 6h ben
            Mon 01-12 17:00 .. Tue 01-13 00:00 7h nobody
        "#]],
    );
}

#[test]
fn on_holidays_nobody_is_on_call_or_others_are() {
    check(
        "layer all from 2026-01-01 every 1w: zoe | only 2026-01-06
         layer x from 2026-01-05 every 1d: ana, ben | hours mon-fri 08:00-20:00 \
         | covered | except 2026-01-06",
        "2026-01-05..2026-01-08",
        expect![[r#"
            Mon 01-05 00:00 .. Mon 01-05 08:00 8h nobody
            Mon 01-05 08:00 .. Mon 01-05 20:00 12h ana by x
            Mon 01-05 20:00 .. Tue 01-06 00:00 4h nobody
            Tue 01-06 00:00 .. Wed 01-07 00:00 24h zoe by all
            Wed 01-07 00:00 .. Wed 01-07 08:00 8h nobody
            Wed 01-07 08:00 .. Wed 01-07 20:00 12h ben by x
            Wed 01-07 20:00 .. Thu 01-08 00:00 4h nobody
        "#]],
    );
}

#[test]
fn an_override_takes_replaces_adds_or_removes() {
    let base = "layer x from 2026-01-05T09:00 every 1d: ana, ben+cara";
    for (change, expected) in [
        (
            "take dan",
            expect![[r#"
            Mon 01-05 09:00 .. Tue 01-06 00:00 15h ana
            Tue 01-06 00:00 .. Wed 01-07 00:00 24h dan by override
            Wed 01-07 00:00 .. Wed 01-07 09:00 9h ben+cara
        "#]],
        ),
        (
            "replace cara by dan",
            expect![[r#"
            Mon 01-05 09:00 .. Tue 01-06 09:00 24h ana
            Tue 01-06 09:00 .. Wed 01-07 00:00 15h ben+dan by override
            Wed 01-07 00:00 .. Wed 01-07 09:00 9h ben+cara
        "#]],
        ),
        (
            "replace cara by ben",
            expect![[r#"
            Mon 01-05 09:00 .. Tue 01-06 09:00 24h ana
            Tue 01-06 09:00 .. Wed 01-07 00:00 15h ben by override
            Wed 01-07 00:00 .. Wed 01-07 09:00 9h ben+cara
        "#]],
        ),
        (
            "add dan",
            expect![[r#"
            Mon 01-05 09:00 .. Tue 01-06 00:00 15h ana
            Tue 01-06 00:00 .. Tue 01-06 09:00 9h ana+dan by override
            Tue 01-06 09:00 .. Wed 01-07 00:00 15h ben+cara+dan by override
            Wed 01-07 00:00 .. Wed 01-07 09:00 9h ben+cara
        "#]],
        ),
        (
            "remove ana",
            expect![[r#"
            Mon 01-05 09:00 .. Tue 01-06 00:00 15h ana
            Tue 01-06 00:00 .. Tue 01-06 09:00 9h nobody
            Tue 01-06 09:00 .. Wed 01-07 09:00 24h ben+cara
        "#]],
        ),
    ] {
        let text = format!("{base}\noverride 2026-01-06T00:00..2026-01-07T00:00 {change}");
        check(&text, "2026-01-05T09:00..2026-01-07T09:00", expected);
    }
}

#[test]
fn a_swap_is_two_people_who_stand_in_for_each_other() {
    check(
        "layer x from 2026-01-05T09:00 every 1w: ana, ben, cara
         override 2026-01-05T09:00..2026-01-12T09:00 replace ana by ben
         override 2026-01-12T09:00..2026-01-19T09:00 replace ben by ana",
        "2026-01-05..2026-01-26",
        expect![[r#"
            Mon 01-05 00:00 .. Mon 01-05 09:00 9h nobody
            Mon 01-05 09:00 .. Mon 01-12 09:00 168h ben by override
            Mon 01-12 09:00 .. Mon 01-19 09:00 168h ana by override
            Mon 01-19 09:00 .. Mon 01-26 00:00 159h cara
        "#]],
    );
}

#[test]
fn somebody_who_is_added_is_on_call_in_gaps_as_well() {
    check(
        "layer x from 2026-01-05T09:00 every 1d: ana | hours mon-fri 09:00-17:00
         override 2026-01-06T12:00..2026-01-06T20:00 add ben",
        "2026-01-06..2026-01-07",
        expect![[r#"
            Tue 01-06 00:00 .. Tue 01-06 09:00 9h nobody
            Tue 01-06 09:00 .. Tue 01-06 12:00 3h ana
            Tue 01-06 12:00 .. Tue 01-06 17:00 5h ana+ben by override
            Tue 01-06 17:00 .. Tue 01-06 20:00 3h ben by override
            Tue 01-06 20:00 .. Wed 01-07 00:00 4h nobody
        "#]],
    );
}

#[test]
fn a_temporary_schedule_holds_instead_and_overrides_hold_over_it() {
    check(
        "layer x from 2026-01-05T09:00 every 1w: ana
         temporary 2026-01-06..2026-01-09 every 1d: ben, cara | hours 08:00-20:00
         override 2026-01-07T12:00..2026-01-07T14:00 take dan",
        "2026-01-05..2026-01-10",
        expect![[r#"
            Mon 01-05 00:00 .. Mon 01-05 09:00 9h nobody
            Mon 01-05 09:00 .. Tue 01-06 00:00 15h ana
            Tue 01-06 00:00 .. Tue 01-06 08:00 8h nobody
            Tue 01-06 08:00 .. Tue 01-06 20:00 12h ben by temporary
            Tue 01-06 20:00 .. Wed 01-07 08:00 12h nobody
            Wed 01-07 08:00 .. Wed 01-07 12:00 4h cara by temporary
            Wed 01-07 12:00 .. Wed 01-07 14:00 2h dan by override
            Wed 01-07 14:00 .. Wed 01-07 20:00 6h cara by temporary
            Wed 01-07 20:00 .. Thu 01-08 08:00 12h nobody
            Thu 01-08 08:00 .. Thu 01-08 20:00 12h ben by temporary
            Thu 01-08 20:00 .. Fri 01-09 00:00 4h nobody
            Fri 01-09 00:00 .. Sat 01-10 00:00 24h ana
        "#]],
    );
}

#[test]
fn what_calendars_say_holds_over_layers_and_under_what_people_set() {
    let mut written = Written::read(
        "layer x from 2026-01-05T09:00 every 1w: ana
         override 2026-01-05T12:00..2026-01-08T12:00 take eva
         override 2026-01-07T12:00..2026-01-07T14:00 take dan
         temporary 2026-01-06..2026-01-08 every 1w: ben",
    );
    written.schedule.n_under_temporary = 1;
    expect![[r#"
        Mon 01-05 09:00 .. Mon 01-05 12:00 3h ana
        Mon 01-05 12:00 .. Tue 01-06 00:00 12h eva by override
        Tue 01-06 00:00 .. Wed 01-07 12:00 36h ben by temporary
        Wed 01-07 12:00 .. Wed 01-07 14:00 2h dan by override
        Wed 01-07 14:00 .. Thu 01-08 00:00 10h ben by temporary
        Thu 01-08 00:00 .. Thu 01-08 12:00 12h eva by override
        Thu 01-08 12:00 .. Fri 01-09 00:00 12h ana
    "#]]
    .assert_eq(&written.shown(written.span("2026-01-05T09:00..2026-01-09")));
}

#[test]
fn a_shadow_learns_from_one_or_from_whoever_is_on_call_and_covers_nothing() {
    check(
        "layer x from 2026-01-05T09:00 every 1d: ana, ben, -
         shadow 2026-01-05T12:00..2026-01-08T12:00 zoe of ben",
        "2026-01-05T09:00..2026-01-08T09:00",
        expect![[r#"
            Mon 01-05 09:00 .. Tue 01-06 09:00 24h ana
            Tue 01-06 09:00 .. Wed 01-07 09:00 24h ben (shadow: zoe)
            Wed 01-07 09:00 .. Thu 01-08 09:00 24h nobody
        "#]],
    );
    check(
        "layer x from 2026-01-05T09:00 every 1d: ana, ben, -
         shadow 2026-01-05T12:00..2026-01-08T12:00 zoe",
        "2026-01-05T09:00..2026-01-08T09:00",
        expect![[r#"
            Mon 01-05 09:00 .. Mon 01-05 12:00 3h ana
            Mon 01-05 12:00 .. Tue 01-06 09:00 21h ana (shadow: zoe)
            Tue 01-06 09:00 .. Wed 01-07 09:00 24h ben (shadow: zoe)
            Wed 01-07 09:00 .. Thu 01-08 09:00 24h nobody
        "#]],
    );
}

#[test]
fn a_layer_that_ends_is_followed_by_one_that_was_planned() {
    check(
        "zone Europe/Berlin
         layer old from 2026-01-05T09:00 every 1w: ana, ben | until 2026-01-19T09:00
         layer new from 2026-01-19T09:00 every 1w: cara, dan",
        "2026-01-12T09:00..2026-02-02T09:00",
        expect![[r#"
            Mon 01-12 09:00+01:00 .. Mon 01-19 09:00+01:00 168h ben by old
            Mon 01-19 09:00+01:00 .. Mon 01-26 09:00+01:00 168h cara by new
            Mon 01-26 09:00+01:00 .. Mon 02-02 09:00+01:00 168h dan by new
        "#]],
    );
}

#[test]
fn layers_may_follow_the_sun_each_by_its_own_clock() {
    check(
        "layer berlin from 2026-01-01 every 1w: ana | hours 08:00-20:00 | zone Europe/Berlin
         layer denver from 2026-01-01 every 1w: bob | hours 08:00-20:00 | zone America/Denver",
        "2026-03-28..2026-03-30",
        expect![[r#"
            Sat 03-28 00:00 .. Sat 03-28 02:00 2h bob by denver
            Sat 03-28 02:00 .. Sat 03-28 07:00 5h nobody
            Sat 03-28 07:00 .. Sat 03-28 14:00 7h ana by berlin
            Sat 03-28 14:00 .. Sun 03-29 02:00 12h bob by denver
            Sun 03-29 02:00 .. Sun 03-29 06:00 4h nobody
            Sun 03-29 06:00 .. Sun 03-29 14:00 8h ana by berlin
            Sun 03-29 14:00 .. Mon 03-30 00:00 10h bob by denver
        "#]],
    );
}

#[test]
fn a_change_of_clocks_moves_no_hand_over_and_leaves_no_gap() {
    // Grafana OnCall#3261, #5247, #5455.
    check(
        "zone Europe/Berlin
         layer x from 2026-03-27T09:00 every 1d: ana, ben",
        "2026-03-27T09:00..2026-03-31T09:00",
        expect![[r#"
            Fri 03-27 09:00+01:00 .. Sat 03-28 09:00+01:00 24h ana
            Sat 03-28 09:00+01:00 .. Sun 03-29 09:00+02:00 23h ben
            Sun 03-29 09:00+02:00 .. Mon 03-30 09:00+02:00 24h ana
            Mon 03-30 09:00+02:00 .. Tue 03-31 09:00+02:00 24h ben
        "#]],
    );
    check(
        "zone Europe/Berlin
         layer x from 2026-10-23T09:00 every 12h: ana, ben | hours 22:00-02:30",
        "2026-10-24T12:00..2026-10-26T12:00",
        expect![[r#"
            Sat 10-24 12:00+02:00 .. Sat 10-24 22:00+02:00 10h nobody
            Sat 10-24 22:00+02:00 .. Sun 10-25 02:30+02:00 4.5h ben
            Sun 10-25 02:30+02:00 .. Sun 10-25 22:00+01:00 20.5h nobody
            Sun 10-25 22:00+01:00 .. Mon 10-26 02:30+01:00 4.5h ben
            Mon 10-26 02:30+01:00 .. Mon 10-26 12:00+01:00 9.5h nobody
        "#]],
    );
    // The turn that would begin in the hour that is skipped begins when the next hour does.
    check(
        "zone Europe/Berlin
         layer x from 2026-03-29T00:30 every 2h: ana, ben",
        "2026-03-29T00:00..2026-03-29T06:00",
        expect![[r#"
            Sun 03-29 00:00+01:00 .. Sun 03-29 00:30+01:00 0.5h nobody
            Sun 03-29 00:30+01:00 .. Sun 03-29 03:00+02:00 1.5h ana
            Sun 03-29 03:00+02:00 .. Sun 03-29 04:30+02:00 1.5h ben
            Sun 03-29 04:30+02:00 .. Sun 03-29 06:00+02:00 1.5h ana
        "#]],
    );
}

#[test]
fn a_hand_over_is_when_people_change_not_when_something_else_says_so() {
    let written = Written::read(
        "layer x from 2026-01-05T09:00 every 1d: ana, ana, ben
         override 2026-01-06T12:00..2026-01-06T18:00 take ana",
    );
    let at = |text: &str| written.span(&format!("{text}..{text}")).from;
    let both = written.span("2026-01-05T09:00..2026-01-07T09:00");
    for moment in [
        "2026-01-05T09:00",
        "2026-01-06T08:59",
        "2026-01-06T12:00",
        "2026-01-07T08:59",
    ] {
        let watch = written.schedule.watch(at(moment));
        assert_eq!(
            (watch.since, watch.until),
            (Some(both.from), Some(both.until)),
            "{moment}"
        );
        assert_eq!(watch.before, None, "{moment}");
        assert_eq!(watch.next.expect("ben").span.from, both.until, "{moment}");
    }
    let watch = written.schedule.watch(at("2026-01-07T09:00"));
    assert_eq!(watch.before.expect("ana").span, both);
    let alone = Written::read("layer x from 2020-01-05T09:00 every 1w: ana");
    let watch = alone.schedule.watch(at("2026-01-07T09:00"));
    assert!(watch.now.is_some());
    assert_eq!((watch.since, watch.until), (None, None));
    assert_eq!((watch.before, watch.next), (None, None));
}

#[test]
fn who_is_on_call_now_is_shown_with_the_whole_shift_and_the_next() {
    let written = Written::read("layer x from 2026-01-05T09:00 every 1w: ana, ben, -");
    let schedule = &written.schedule;
    let at = |text: &str| written.span(&format!("{text}..{text}")).from;
    let watch = schedule.watch(at("2026-01-14T03:00"));
    let span_of = |shift: Option<Shift>| shift.expect("somebody").span;
    assert_eq!(
        span_of(watch.before),
        written.span("2026-01-05T09:00..2026-01-12T09:00")
    );
    let now = written.span("2026-01-12T09:00..2026-01-19T09:00");
    assert_eq!(
        (watch.since, watch.until),
        (Some(now.from), Some(now.until))
    );
    assert_eq!(span_of(watch.now), now);
    let next = written.span("2026-01-26T09:00..2026-02-02T09:00");
    assert_eq!(span_of(watch.next), next);
    let watch = schedule.watch(at("2026-01-20T03:00"));
    assert_eq!((watch.now, watch.since), (None, None));
    assert_eq!(watch.until, Some(next.from));
    assert_eq!((span_of(watch.before), span_of(watch.next)), (now, next));
    assert_eq!(schedule.on_call_at(at("2026-01-20T03:00")), None);
    let gap = written.span("2026-01-19T09:00..2026-01-26T09:00");
    assert_eq!(
        schedule.gaps(written.span("2026-01-05T09:00..2026-02-02")),
        [gap]
    );
}
