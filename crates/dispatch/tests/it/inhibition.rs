//! Which alerts mute which.

use expect_test::expect;

use crate::harness::check_with;

const RULE: &str = "receiver a: webhook\nroute a by=service wait=10s interval=1m\n\
    inhibit {severity=\"page\"} > {severity=\"mail\"} on cluster";

#[test]
fn item_49_labels_that_both_lack_are_equal() {
    check_with(
        RULE,
        "0s fire db/up severity=page · 0s fire db/slow severity=mail · 0s fire web/slow severity=mail cluster=c
         1s show alerts · 20s end",
        expect![[r#"
            0m1s show | up active > a | slow suppressed inhibited by up > a | slow active > a
            0m10s notify a/webhook[0]: first [up]
            0m10s notify a/webhook[0]: first [slow]
        "#]],
    );
}

#[test]
fn item_50_an_alert_on_both_sides_is_inhibited_only_by_sources_on_one_side() {
    let routing = "receiver a: webhook\nroute a wait=1h\n\
        inhibit {level=~\"1|2\"} > {level=~\"2|3\"}";
    check_with(
        routing,
        "0s fire db/both level=2 · 1s show alerts",
        expect![[r#"
        0m1s show | both active > a
    "#]],
    );
    check_with(
        routing,
        "0s fire db/both level=2 · 0s fire web/both level=2 · 0s fire db/target level=3 · 1s show alerts",
        expect![[r#"
            0m1s show | both active > a | both active > a | target suppressed inhibited by both > a
        "#]],
    );
    check_with(
        routing,
        "0s fire db/both level=2 · 0s fire db/source level=1 · 1s show alerts",
        expect![[r#"
            0m1s show | source active > a | both suppressed inhibited by source > a
        "#]],
    );
}

#[test]
fn item_51_a_source_counts_even_when_it_is_silenced_and_any_live_source_suffices() {
    check_with(
        RULE,
        "0s fire db/one severity=page · 0s fire db/two severity=page · 0s fire web/slow severity=mail
         1s silence s {severity=\"page\"} until 1h
         5s resolve db/two severity=page · 6s show alerts · 30s resolve db/one severity=page · 31s show alerts · 2m end",
        expect![[r#"
            0m6s show | slow suppressed inhibited by one > a | one suppressed silenced by s > a
            0m31s show | slow active > a
            1m10s notify a/webhook[0]: first [slow]
        "#]],
    );
}

#[test]
fn item_51_a_source_counts_until_its_end_with_nobody_saying_so() {
    check_with(
        RULE,
        "0s post db/one severity=page ends=2m · 0s fire web/slow severity=mail
         1m59s show alerts · 2m show alerts · 4m end",
        expect![[r#"
            0m10s notify a/webhook[0]: first [one]
            1m59s show | slow suppressed inhibited by one > a | one active > a
            2m0s show | slow active > a | -one active > a
            2m10s notify a/webhook[0]: all resolved [-one]
            2m10s notify a/webhook[0]: first [slow]
        "#]],
    );
}

#[test]
fn item_52_when_the_source_resolves_a_target_that_was_never_told_of_is_new() {
    check_with(
        RULE,
        "0s fire db/up severity=page · 0s fire web/slow severity=mail · 0s fire web/other
         70s resolve db/up severity=page · 5m end",
        expect![[r#"
            0m10s notify a/webhook[0]: first [up]
            0m10s notify a/webhook[0]: first [other]
            1m10s notify a/webhook[0]: all resolved [-up]
            1m10s notify a/webhook[0]: new alerts [other, slow]
        "#]],
    );
}

#[test]
fn item_52_a_target_that_was_told_of_before_stays_quiet() {
    check_with(
        RULE,
        "0s fire web/slow severity=mail · 30s fire db/up severity=page · 5m resolve db/up severity=page · 9m end",
        expect![[r#"
            0m10s notify a/webhook[0]: first [slow]
            0m40s notify a/webhook[0]: first [up]
            5m40s notify a/webhook[0]: all resolved [-up]
        "#]],
    );
}

#[test]
fn item_52_an_empty_rule_inhibits_nothing() {
    check_with(
        "receiver a: webhook\nroute a\ninhibit {} > {}",
        "0s fire db/a · 0s fire db/b · 1s show alerts",
        expect![[r#"
            0m1s show | b active > a | a active > a
        "#]],
    );
}

#[test]
fn source_and_target_that_resolve_together_are_both_told() {
    check_with(
        "receiver a: webhook\nroute a wait=10s interval=1m\n\
         inhibit {severity=\"page\"} > {severity=\"mail\"}",
        "0s fire db/slow severity=mail · 20s fire db/up severity=page · 2m resolve db/slow severity=mail
         2m resolve db/up severity=page · 4m end",
        expect![[r#"
            0m10s notify a/webhook[0]: first [slow]
            1m10s notify a/webhook[0]: new alerts [up]
            2m10s notify a/webhook[0]: all resolved [-slow, -up]
        "#]],
    );
}
