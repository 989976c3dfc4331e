//! Silences: their life, and what may be changed.

use expect_test::expect;

use crate::harness::{SIMPLE, check, run};

#[test]
fn item_53_a_silence_is_active_until_exactly_its_end() {
    check(
        "0s fire db/disk · 0s silence s {service=~\"d.\"} until 5m from 1m
         59999ms show alerts · 1m show alerts · 5m show alerts · 5m1ms show alerts",
        expect![[r#"
            0m30s notify db/webhook[0]: first [disk]
            0m59.999s show | disk active > db
            1m0s show | disk suppressed silenced by s > db
            5m0s show | disk suppressed silenced by s > db
            5m0.001s show | disk active > db
        "#]],
    );
}

#[test]
fn item_53_a_silence_matches_alerts_that_come_later_and_those_that_are_there() {
    check(
        "0s fire db/disk · 0s fire web/disk · 1s silence s {service!=\"web\"} until 5m
         1s silence t {alertname=\"cpu\"} until 5m · 2s fire db/cpu · 2s fire web/cpu · 3s show alerts",
        expect![[r#"
            0m3s show | disk suppressed silenced by s > db | cpu suppressed silenced by t > db | cpu suppressed silenced by t, silenced by s > db | disk active > db
        "#]],
    );
}

#[test]
fn item_53_what_makes_no_sense_is_refused_and_a_start_in_the_past_is_now() {
    check(
        "1m silence a {a=\"b\"} until 1m from 1m
         1m silence a {a=\"b\"} until 50s from 10s
         1m silence a {} until 5m
         1m silence a {a=\"\",b=~\".*\"} until 5m
         1m silence a {a!=\"b\"} until 5m from 10s",
        expect![[r#"
            1m0s error: Failed to create silence: start time must be before end time
            1m0s error: Failed to create silence: end time can't be in the past
            1m0s error: invalid silence: at least one matcher required
            1m0s error: invalid silence: matcher set 0: at least one matcher must not match the empty string
        "#]],
    );
    let world = run(SIMPLE, "1m silence a {a=\"b\"} until 5m from 10s");
    let (_, silence) = world.dispatch.silences(world.now)[0];
    assert_eq!(silence.starts_at, world.now);
}

#[test]
fn item_53_an_expired_silence_is_kept_for_120_hours() {
    let n_silences = |timeline: &str| run(SIMPLE, timeline).dispatch.stats().n_silences;
    assert_eq!(
        n_silences("0s silence s {a=\"b\"} until 1h · 120h59m end"),
        1
    );
    assert_eq!(
        n_silences("0s silence s {a=\"b\"} until 1h · 121h end · 121h1s end"),
        0
    );
}

#[test]
fn item_54_a_change_that_rewrites_history_makes_a_new_silence() {
    check(
        "0s silence s {a=\"b\"} until 1h
         1m silence s {a=\"b\"} until 2h
         2m silence s {a=\"c\"} until 2h
         3m silence s {a=\"c\"} until 2h from 1m
         4m expire s · 5m silence s {a=\"c\"} until 3h
         6m silence p {a=\"b\"} until 2h from 1h
         7m silence p {a=\"b\"} until 3h from 90m
         8m silence p {a=\"b\"} until 3h from 1m",
        expect![[r#"
            1m0s silence s changed in place
            2m0s silence s changed as a new one
            3m0s silence s changed as a new one
            5m0s silence s changed as a new one
            7m0s silence p changed in place
            8m0s silence p changed as a new one
        "#]],
    );
}

#[test]
fn item_54_ending_a_silence_twice_is_fine_and_a_pending_one_starts_and_ends_now() {
    let world = run(
        SIMPLE,
        "0s silence p {a=\"b\"} until 2h from 1h · 1m expire p · 2m expire p",
    );
    let (state, silence) = world.dispatch.silences(world.now)[0];
    assert_eq!((silence.starts_at.0, silence.ends_at.0), (60_000, 60_000));
    assert_eq!(state, firebell_dispatch::SilenceState::Expired);
}

#[test]
fn item_55_silences_stand_by_state_and_a_filter_compares_matchers_as_written() {
    let world = run(
        SIMPLE,
        "0s silence a {n=\"active late\"} until 3h · 0s silence b {n=\"active soon\"} until 2h
         0s silence c {n=\"pending late\"} until 9h from 8h · 0s silence d {n=\"pending soon\"} until 9h from 7h
         0s silence e {n=\"expired first\"} until 1m · 0s silence f {n=\"expired last\",x=~\"y\"} until 2m
         10m end",
    );
    let silences = world.dispatch.silences(world.now);
    let names: Vec<&str> = silences
        .iter()
        .map(|(_, it)| it.matchers[0].value())
        .collect();
    assert_eq!(
        names,
        [
            "active soon",
            "active late",
            "pending soon",
            "pending late",
            "expired last",
            "expired first"
        ]
    );
    let filter = |text: &str| {
        let filter = firebell_model::parse_matchers(text).unwrap();
        silences
            .iter()
            .filter(|(_, silence)| silence.has_matchers(&filter))
            .count()
    };
    assert_eq!(filter("x=~y"), 1);
    assert_eq!(filter("x=y"), 0);
    assert_eq!(filter(""), 6);
}

#[test]
fn ids_have_the_form_of_a_uuid_and_differ() {
    let timeline = "0s silence a {n=\"1\"} until 3h · 0s silence b {n=\"1\"} until 3h";
    let world = run(SIMPLE, timeline);
    let ids: Vec<String> = world
        .dispatch
        .silences(world.now)
        .iter()
        .map(|(_, it)| it.id.to_string())
        .collect();
    assert_ne!(ids[0], ids[1]);
    for id in &ids {
        assert_eq!(
            id.parse::<firebell_dispatch::SilenceId>()
                .unwrap()
                .to_string(),
            *id
        );
        assert_eq!((id.len(), &id[14..15]), (36, "4"));
        assert!("89ab".contains(&id[19..20]), "{id}");
    }
    for bad in [
        "",
        "x",
        "3b9aca00-0000-4000-8000-00000000000",
        "3b9aca00+0000-4000-8000-000000000000",
    ] {
        assert!(
            bad.parse::<firebell_dispatch::SilenceId>().is_err(),
            "{bad}"
        );
    }
}
