//! Lives of checks, a minute for each letter.

use expect_test::{Expect, expect};
use firebell_model::{Duration, Labels, Timestamp};
use proptest::prelude::*;

use super::*;

const INFO: Rank = Rank(1);
const WARNING: Rank = Rank(2);
const CRITICAL: Rank = Rank(4);

fn options() -> CheckOptions {
    CheckOptions {
        hold_for: Duration::ZERO,
        cooldown: Duration::ZERO,
        repeat_after: None,
        bound: Bound::new(Some(5.0), None, Some(2.0)).unwrap(),
        on_no_data: OnNoData::Keep,
        severity: WARNING,
        error_severity: Rank(3),
    }
}

/// `.` well, `x` wrong, `X` worse, `a` and `b` wrong with a label, `?` unknown, `!` broken, `t` too
/// slow, a digit for itself, `n` no number.
fn answer(letter: char) -> CheckAnswer {
    let problem = |labels: Labels, severity| {
        CheckAnswer::Problems(vec![Problem {
            labels,
            value: 1.0,
            severity,
        }])
    };
    match letter {
        '.' => CheckAnswer::Well,
        'x' => problem(Labels::empty(), None),
        'X' => problem(Labels::empty(), Some(CRITICAL)),
        'a' | 'b' => problem(Labels::from_pairs([("queue", &*letter.to_string())]), None),
        '?' => CheckAnswer::NoData,
        '!' => CheckAnswer::Broken(Breakage::Raised),
        't' => CheckAnswer::Broken(Breakage::TimedOut),
        'n' => CheckAnswer::Number(f64::NAN),
        digit => CheckAnswer::Number(f64::from(digit.to_digit(10).unwrap())),
    }
}

fn minute(nth: usize) -> Timestamp {
    Timestamp(0) + Duration::from_mins(nth as i64)
}

fn news(check: &mut Check, nth: usize, letter: char) -> Vec<String> {
    let mut out = Vec::new();
    check.observe(minute(nth), answer(letter), &mut out);
    let line = |it: CheckNews| {
        let CheckAlert {
            alert, severity, ..
        } = it.alert;
        let labels = alert.labels.to_string();
        format!("{nth} {} {labels} {}", it.kind.name(), severity.0)
    };
    out.into_iter().map(line).collect()
}

fn check(options: CheckOptions, letters: &str, expected: Expect) {
    let mut check = Check::new(options);
    let mut lines = Vec::new();
    for (nth, letter) in letters.chars().enumerate() {
        lines.extend(news(&mut check, nth, letter));
        // A restart at any moment changes nothing.
        let saved = serde_json::to_value(check.saved()).unwrap();
        check = Check::new(options);
        check.restore(saved).unwrap();
    }
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn an_alert_fires_and_resolves_and_each_is_told_once() {
    check(
        options(),
        ".xx..xXX.",
        expect![[r#"
        1 fired {} 2
        3 resolved {} 2
        5 fired {} 2
        6 rose {} 4
        8 resolved {} 4"#]],
    );
}

#[test]
fn what_does_not_last_is_not_told() {
    let hold_for = Duration::from_mins(2);
    let options = CheckOptions {
        hold_for,
        ..options()
    };
    check(
        options,
        "xx.xxxx.",
        expect![[r#"
        5 fired {} 2
        7 resolved {} 2"#]],
    );
}

#[test]
fn between_the_bound_and_clear_an_alert_stays_as_it_is() {
    check(
        options(),
        "45653423456",
        expect![[r#"
        2 fired {} 2
        6 resolved {} 2
        10 fired {} 2"#]],
    );
}

#[test]
fn in_its_cooldown_an_alert_is_muted_unless_it_is_worse() {
    let cooldown = Duration::from_mins(5);
    let options = CheckOptions {
        cooldown,
        ..options()
    };
    check(
        options,
        "x.x.xxxx.",
        expect![[r#"
        0 fired {} 2
        1 resolved {} 2
        5 fired {} 2
        8 resolved {} 2"#]],
    );
    check(
        options,
        "x.X.x.",
        expect![[r#"
        0 fired {} 2
        1 resolved {} 2
        2 fired {} 4
        3 resolved {} 4"#]],
    );
    // Worse, better, and worse again is told again only when the cooldown is over.
    check(
        options,
        "xXxXxxxX",
        expect![[r#"
        0 fired {} 2
        1 rose {} 4
        7 rose {} 4"#]],
    );
}

#[test]
fn who_wants_to_hear_again_does() {
    let repeat_after = Some(Duration::from_mins(3));
    let options = CheckOptions {
        repeat_after,
        ..options()
    };
    check(
        options,
        "xxxxxxx.",
        expect![[r#"
        0 fired {} 2
        3 repeated {} 2
        6 repeated {} 2
        7 resolved {} 2"#]],
    );
}

#[test]
fn a_broken_check_is_an_alert_of_its_own_and_leaves_the_others_as_they_are() {
    check(
        options(),
        "x!!t.n.",
        expect![[r#"
            0 fired {} 2
            1 fired {reason="check_raised"} 3
            3 resolved {reason="check_raised"} 3
            3 fired {reason="check_timeout"} 3
            4 resolved {} 2
            4 resolved {reason="check_timeout"} 3
            5 fired {reason="check_raised"} 3
            6 resolved {reason="check_raised"} 3"#]],
    );
}

#[test]
fn a_broken_check_is_as_bad_as_what_it_looks_for() {
    let severity = CRITICAL;
    let options = CheckOptions {
        severity,
        ..options()
    };
    check(
        options,
        "!",
        expect![[r#"0 fired {reason="check_raised"} 4"#]],
    );
}

#[test]
fn a_number_without_a_bound_is_no_answer() {
    let options = CheckOptions {
        bound: None,
        ..options()
    };
    check(
        options,
        "3.",
        expect![[r#"
        0 fired {reason="check_raised"} 3
        1 resolved {reason="check_raised"} 3"#]],
    );
}

#[test]
fn no_data_means_what_the_check_says() {
    let of = |on_no_data| CheckOptions {
        on_no_data,
        ..options()
    };
    check(
        of(OnNoData::Keep),
        "x??.?",
        expect![[r#"
        0 fired {} 2
        3 resolved {} 2"#]],
    );
    check(
        of(OnNoData::Ok),
        "x?",
        expect![[r#"
        0 fired {} 2
        1 resolved {} 2"#]],
    );
    check(
        of(OnNoData::Alert),
        "x?!?.",
        expect![[r#"
        0 fired {} 2
        1 fired {reason="no_data"} 2
        2 fired {reason="check_raised"} 3
        3 resolved {reason="check_raised"} 3
        4 resolved {} 2
        4 resolved {reason="no_data"} 2"#]],
    );
}

#[test]
fn problems_with_labels_are_alerts_of_their_own() {
    check(
        options(),
        "aab.",
        expect![[r#"
        0 fired {queue="a"} 2
        2 resolved {queue="a"} 2
        2 fired {queue="b"} 2
        3 resolved {queue="b"} 2"#]],
    );
}

#[test]
fn a_clock_that_goes_back_is_not_followed() {
    let mut check = Check::new(CheckOptions {
        hold_for: Duration::from_mins(2),
        ..options()
    });
    assert!(news(&mut check, 9, 'x').is_empty());
    assert!(news(&mut check, 1, 'x').is_empty());
    assert_eq!(news(&mut check, 11, 'x'), ["11 fired {} 2"]);
}

#[test]
fn bounds_that_make_no_sense_are_refused() {
    let told = |above, below, clear| Bound::new(above, below, clear).unwrap_err().to_string();
    expect!["7 is no `clear` for `above=5`: nothing would ever resolve"].assert_eq(&told(
        Some(5.0),
        None,
        Some(7.0),
    ));
    expect!["1 is no `clear` for `below=5`: nothing would ever resolve"].assert_eq(&told(
        None,
        Some(5.0),
        Some(1.0),
    ));
    expect!["`below` is NaN, which no number is above or below"].assert_eq(&told(
        None,
        Some(f64::NAN),
        None,
    ));
    expect!["every number is above 1 or below 2"].assert_eq(&told(Some(1.0), Some(2.0), None));
    expect!["`clear` goes with `above` or with `below`, not with both"].assert_eq(&told(
        Some(2.0),
        Some(1.0),
        Some(1.5),
    ));
}

proptest! {
    #[test]
    fn who_heard_of_an_alert_hears_of_its_end_and_nobody_hears_twice(
        letters in "[.xXab?!t0-9n]{0,60}",
        cooldown in 0_i64..8,
        hold_for in 0_i64..4,
    ) {
        let mut check = Check::new(CheckOptions {
            cooldown: Duration::from_mins(cooldown),
            hold_for: Duration::from_mins(hold_for),
            severity: INFO,
            ..options()
        });
        let mut open = std::collections::BTreeSet::new();
        for (nth, letter) in letters.chars().chain("....".chars()).enumerate() {
            let mut out = Vec::new();
            check.observe(minute(nth), answer(letter), &mut out);
            for it in out {
                let labels = it.alert.alert.labels.clone();
                match it.kind {
                    NewsKind::Fired => prop_assert!(open.insert(labels)),
                    NewsKind::Rose | NewsKind::Repeated => prop_assert!(open.contains(&labels)),
                    NewsKind::Resolved => prop_assert!(open.remove(&labels)),
                }
            }
        }
        prop_assert!(open.is_empty());
        prop_assert!(check.alerts().is_empty());
    }
}
