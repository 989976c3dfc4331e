//! The life of an incident, what people do in it, and its verdict.

use expect_test::expect;

use crate::world::{check, play};

/// An incident of the cart that a critical alert opened.
const DOWN: &str = "0s fires Down service=cart severity=critical\n";

fn after_down(timeline: &str, expected: &expect_test::Expect) {
    check(&format!("{DOWN}{timeline}"), expected);
}

#[test]
fn an_alert_of_the_policy_opens_an_incident_and_one_that_is_not_does_not() {
    check(
        "0s fires Down service=cart severity=critical · 0s fires Slow service=api severity=warning",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
        "#]],
    );
}

#[test]
fn a_life_from_triage_to_its_verdict() {
    after_down(
        "1m told pager Down service=cart severity=critical
         2m ana INC-1: ack
         3m ana 1: state active
         4m ana 1: role commander ana · 4m ana 1: role liaison ben
         5m ana 1: task restart the database · 6m ben 1: done 1
         7m ben 1: tell checkout is slow, we are on it
         8m ana 1: impact some orders fail · 8m ana 1: components db, cart
         9m ana 1: data intact replayed all orders
         10m ana 1: link https://wiki.example/db.png graph
         11m ana 1: state mitigated · 12m ends Down service=cart severity=critical
         13m ana 1: state resolved · 20m ana 1: state review
         1d ana 1: state closed verdict acted · 1d show 1",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
            1m      INC-1 firebell: told pager by webhook[0]
            2m      INC-1 ana: acknowledged it
            2m      history Down acknowledged by ana
            3m      INC-1 ana: moved it from triage to active
            4m      INC-1 ana: took the role of commander
            4m      INC-1 ana: made ben liaison
            5m      INC-1 ana: added task 1: restart the database
            6m      INC-1 ben: did task 1
            7m      INC-1 ben: told stakeholders: checkout is slow, we are on it
            8m      INC-1 ana: said what users notice: some orders fail
            8m      INC-1 ana: said what is hit: cart, db
            9m      INC-1 ana: said that data is intact: replayed all orders
            10m     INC-1 ana: linked graph: https://wiki.example/db.png
            11m     INC-1 ana: moved it from active to mitigated
            12m     INC-1 firebell: Down{service="cart", severity="critical"} has ended
            13m     INC-1 ana: moved it from mitigated to resolved
            20m     INC-1 ana: moved it from resolved to review
            1d      INC-1 ana: gave the verdict: acted
            1d      INC-1 ana: moved it from review to closed
            1d      history Down judged acted by ana
            1d      INC-1 "Down (cart)" sev1 closed, 0 of 1 alerts fire, acted
        "#]],
    );
}

#[test]
fn what_is_not_possible_says_what_is() {
    after_down(
        "1m ana 1: state closed · 2m ana 1: state review · 3m ana 1: state mitigated
         4m ana 1: state triage · 5m ana 9: ack · 6m ana 1: done 3 · 7m ana 1: detach beef",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
            1m      refused: INC-1 is triage; from there it goes to active, mitigated, resolved or declined, not to closed
            2m      refused: INC-1 is triage; from there it goes to active, mitigated, resolved or declined, not to review
            3m      INC-1 ana: moved it from triage to mitigated
            4m      refused: INC-1 is mitigated; from there it goes to resolved or active, not to triage
            5m      refused: there is no incident INC-9
            6m      refused: INC-1 has no task 3: it has 0
            7m      refused: `beef` is no fingerprint: 16 hexadecimal digits
        "#]],
    );
}

#[test]
fn closing_asks_for_a_verdict() {
    after_down(
        "1m ana 1: state resolved · 2m ana 1: state closed
         3m ana 1: state closed verdict broken · 4m ana 1: state closed verdict broken_check
         5m show 1",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
            1m      INC-1 ana: moved it from triage to resolved
            2m      refused: closing asks what it was: give `verdict` as acted, elsewhere, wrong_time, planned_work, threshold, broken_check, duplicate or false
            3m      unread: `broken` is no verdict, only acted, elsewhere, wrong_time, planned_work, threshold, broken_check, duplicate or false
            4m      INC-1 ana: gave the verdict: the check is broken
            4m      INC-1 ana: moved it from resolved to closed
            4m      history Down judged broken_check by ana
            5m      INC-1 "Down (cart)" sev1 closed, 1 of 1 alerts fire, broken_check
        "#]],
    );
}

#[test]
fn a_verdict_that_was_given_before_is_enough_to_close() {
    after_down(
        "1m ana 1: state resolved · 2m ana 1: verdict elsewhere · 3m ana 1: state closed",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
            1m      INC-1 ana: moved it from triage to resolved
            2m      INC-1 ana: gave the verdict: real, but elsewhere
            2m      history Down judged elsewhere by ana
            3m      INC-1 ana: moved it from resolved to closed
        "#]],
    );
}

#[test]
fn going_back_is_allowed_and_noted() {
    after_down(
        "1m ana 1: state active · 2m ana 1: state mitigated · 3m ana 1: state active
         4m ana 1: state resolved · 5m ana 1: state closed verdict acted
         6m ana 1: state active · 7m show 1",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
            1m      INC-1 ana: moved it from triage to active
            2m      INC-1 ana: moved it from active to mitigated
            3m      INC-1 ana: moved it from mitigated to active
            4m      INC-1 ana: moved it from active to resolved
            5m      INC-1 ana: gave the verdict: acted
            5m      INC-1 ana: moved it from resolved to closed
            5m      history Down judged acted by ana
            6m      INC-1 ana: moved it from closed to active
            7m      INC-1 "Down (cart)" sev1 active, 1 of 1 alerts fire
        "#]],
    );
}

#[test]
fn declined_is_false_unless_somebody_says_what_it_was() {
    after_down(
        "1m ana 1: state declined · 2m show 1
         3m fires Down service=web severity=page · 4m ana 2: state declined verdict planned_work
         5m show 2",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
            1m      INC-1 firebell: guessed the verdict: false
            1m      INC-1 ana: moved it from triage to declined
            1m      history Down judged false by firebell
            2m      INC-1 "Down (cart)" sev1 declined, 1 of 1 alerts fire, false (guessed)
            3m      INC-2 firebell: opened it
            3m      INC-2 firebell: joined Down{service="web", severity="page"}
            4m      INC-2 ana: gave the verdict: planned work
            4m      INC-2 ana: moved it from triage to declined
            4m      history Down judged planned_work by ana
            5m      INC-2 "Down (web)" sev2 declined, 1 of 1 alerts fire, planned_work
        "#]],
    );
}

#[test]
fn two_people_acknowledge_at_once_the_first_has_it_and_the_second_stands_in_the_timeline() {
    after_down(
        "1m ana 1: ack · 1m ben 1: ack · 2m ana 1: ack",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
            1m      INC-1 ana: acknowledged it
            1m      history Down acknowledged by ana
            1m      already so
            1m      INC-1 ben: acknowledged it, as it was already
            2m      already so
        "#]],
    );
}

#[test]
fn the_same_move_twice_is_once() {
    after_down(
        "1m ana 1: state active · 2m ana 1: state active · 3m ben 1: state active",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
            1m      INC-1 ana: moved it from triage to active
            2m      already so
            3m      already so
            3m      INC-1 ben: moved it to active, as it was already
        "#]],
    );
}

#[test]
fn what_is_closed_takes_notes_and_verdicts_but_no_work() {
    after_down(
        "1m ana 1: state resolved · 2m ana 1: state closed verdict acted
         3m ben 1: ack · 4m ben 1: role commander ben · 5m ben 1: severity sev2
         6m ben 1: note the disk was full · 7m ben 1: verdict threshold · 8m ben 1: task alert earlier
         9m show 1",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
            1m      INC-1 ana: moved it from triage to resolved
            2m      INC-1 ana: gave the verdict: acted
            2m      INC-1 ana: moved it from resolved to closed
            2m      history Down judged acted by ana
            3m      refused: INC-1 is closed since 1970-01-01T00:02:00Z: move it to review or active first; notes, links, tasks, what is known of impact and data, and verdicts are taken all the same
            4m      refused: INC-1 is closed since 1970-01-01T00:02:00Z: move it to review or active first; notes, links, tasks, what is known of impact and data, and verdicts are taken all the same
            5m      refused: INC-1 is closed since 1970-01-01T00:02:00Z: move it to review or active first; notes, links, tasks, what is known of impact and data, and verdicts are taken all the same
            6m      INC-1 ben: noted: the disk was full
            7m      INC-1 ben: gave the verdict: the threshold is wrong
            7m      history Down judged threshold by ben
            8m      INC-1 ben: added task 1: alert earlier
            9m      INC-1 "Down (cart)" sev1 closed, 1 of 1 alerts fire, threshold
        "#]],
    );
}

#[test]
fn nobody_answers_and_it_was_short_so_the_threshold_is_guessed() {
    after_down(
        "4m ends Down service=cart severity=critical · 3d show 1",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
            4m      INC-1 firebell: Down{service="cart", severity="critical"} has ended
            9m      INC-1 firebell: moved it from triage to resolved
            1d9m    INC-1 firebell: guessed the verdict: the threshold is wrong
            1d9m    INC-1 firebell: moved it from resolved to closed
            1d9m    history Down judged threshold by firebell
            3d      INC-1 "Down (cart)" sev1 closed, 0 of 1 alerts fire, threshold (guessed)
        "#]],
    );
}

#[test]
fn a_guess_gives_way_to_whoever_closes_it_after_all_and_to_the_one_after_them() {
    after_down(
        "4m ends Down service=cart severity=critical
         3d ana 1: state closed verdict acted · 4d ben 1: state closed verdict broken_check
         5d ben 1: state closed verdict broken_check · 6d show 1",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
            4m      INC-1 firebell: Down{service="cart", severity="critical"} has ended
            9m      INC-1 firebell: moved it from triage to resolved
            1d9m    INC-1 firebell: guessed the verdict: the threshold is wrong
            1d9m    INC-1 firebell: moved it from resolved to closed
            1d9m    history Down judged threshold by firebell
            3d      INC-1 ana: gave the verdict: acted
            3d      history Down judged acted by ana
            4d      INC-1 ben: gave the verdict: the check is broken
            4d      history Down judged broken_check by ben
            5d      already so
            6d      INC-1 "Down (cart)" sev1 closed, 0 of 1 alerts fire, broken_check
        "#]],
    );
}

#[test]
fn nobody_answers_and_nobody_looked_so_false_is_guessed() {
    after_down(
        "2h ends Down service=cart severity=critical · 3d show 1",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
            2h      INC-1 firebell: Down{service="cart", severity="critical"} has ended
            2h5m    INC-1 firebell: moved it from triage to resolved
            1d2h5m  INC-1 firebell: guessed the verdict: false
            1d2h5m  INC-1 firebell: moved it from resolved to closed
            1d2h5m  history Down judged false by firebell
            3d      INC-1 "Down (cart)" sev1 closed, 0 of 1 alerts fire, false (guessed)
        "#]],
    );
}

#[test]
fn nobody_answers_but_somebody_worked_so_acted_is_guessed() {
    after_down(
        "1m ana 1: ack · 2m ends Down service=cart severity=critical · 3m ana 1: state resolved
         3d show 1",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
            1m      INC-1 ana: acknowledged it
            1m      history Down acknowledged by ana
            2m      INC-1 firebell: Down{service="cart", severity="critical"} has ended
            3m      INC-1 ana: moved it from triage to resolved
            1d3m    INC-1 firebell: guessed the verdict: acted
            1d3m    INC-1 firebell: moved it from resolved to closed
            1d3m    history Down judged acted by firebell
            3d      INC-1 "Down (cart)" sev1 closed, 0 of 1 alerts fire, acted (guessed)
        "#]],
    );
}

#[test]
fn a_guess_can_be_overruled_and_what_a_person_said_is_not_guessed_again() {
    after_down(
        "4m ends Down service=cart severity=critical · 2d ana 1: verdict wrong_time
         3d ben 1: verdict wrong_time · 9d show 1",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
            4m      INC-1 firebell: Down{service="cart", severity="critical"} has ended
            9m      INC-1 firebell: moved it from triage to resolved
            1d9m    INC-1 firebell: guessed the verdict: the threshold is wrong
            1d9m    INC-1 firebell: moved it from resolved to closed
            1d9m    history Down judged threshold by firebell
            2d      INC-1 ana: gave the verdict: right, but at the wrong time
            2d      history Down judged wrong_time by ana
            3d      already so
            3d      INC-1 ben: gave the verdict: right, but at the wrong time, as it was already
            9d      INC-1 "Down (cart)" sev1 closed, 0 of 1 alerts fire, wrong_time
        "#]],
    );
}

#[test]
fn what_is_in_review_stays_there_until_people_close_it() {
    after_down(
        "1m ana 1: state resolved · 2m ana 1: state review · 9d show 1",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
            1m      INC-1 ana: moved it from triage to resolved
            2m      INC-1 ana: moved it from resolved to review
            1d1m    INC-1 firebell: guessed the verdict: acted
            1d1m    history Down judged acted by firebell
            9d      INC-1 "Down (cart)" sev1 review, 1 of 1 alerts fire, acted (guessed)
        "#]],
    );
}

#[test]
fn somebody_works_on_it_so_the_end_of_its_alerts_does_not_resolve_it() {
    after_down(
        "1m ana 1: ack · 2m ends Down service=cart severity=critical · 1d show 1",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
            1m      INC-1 ana: acknowledged it
            1m      history Down acknowledged by ana
            2m      INC-1 firebell: Down{service="cart", severity="critical"} has ended
            1d      INC-1 "Down (cart)" sev1 triage, 0 of 1 alerts fire
        "#]],
    );
}

#[test]
fn a_note_alone_is_no_work() {
    after_down(
        "1m ana 1: note looks like a deploy · 2m ends Down service=cart severity=critical
         1h show 1",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
            1m      INC-1 ana: noted: looks like a deploy
            2m      INC-1 firebell: Down{service="cart", severity="critical"} has ended
            7m      INC-1 firebell: moved it from triage to resolved
            1h      INC-1 "Down (cart)" sev1 resolved, 0 of 1 alerts fire
        "#]],
    );
}

#[test]
fn texts_are_checked() {
    after_down(
        "1m ana 1: note · 2m ana 1: link javascript:alert(1) graph · 3m ana 1: sing · 4m ana 1: title",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
            1m      refused: the note is empty
            2m      refused: `javascript:alert(1)` is no address that begins with http:// or https://
            3m      unread: `sing` is nothing that people do with an incident, only ack, state, severity, title, role, note, tell, link, picture, take_back, task, done, step, impact, components, data, verdict, merge, detach, part, follow_up or proven
            4m      refused: the title is empty
        "#]],
    );
}

#[test]
fn a_restart_in_the_middle_changes_nothing() {
    after_down(
        "1m ana 1: ack · 1m restart · 2m ben 1: ack · 3m fires Slow service=cart severity=warning
         3m restart · 4m ends Slow service=cart severity=warning
         5m ends Down service=cart severity=critical · 6m ana 1: state resolved · 6m restart
         10m fires Down service=cart severity=critical · 11m ana 1: state resolved
         11m restart · 3d show 1",
        &expect![[r#"
            0s      INC-1 firebell: opened it
            0s      INC-1 firebell: joined Down{service="cart", severity="critical"}
            1m      INC-1 ana: acknowledged it
            1m      history Down acknowledged by ana
            2m      already so
            2m      INC-1 ben: acknowledged it, as it was already
            3m      INC-1 firebell: joined Slow{service="cart", severity="warning"}
            4m      INC-1 firebell: Slow{service="cart", severity="warning"} has ended
            5m      INC-1 firebell: Down{service="cart", severity="critical"} has ended
            6m      INC-1 ana: moved it from triage to resolved
            10m     INC-1 firebell: Down{service="cart", severity="critical"} fires again
            10m     INC-1 firebell: moved it from resolved to active
            10m     INC-1 firebell: ended the acknowledgement: somebody has to look again
            11m     INC-1 ana: moved it from active to resolved
            1d11m   INC-1 firebell: guessed the verdict: acted
            1d11m   INC-1 firebell: moved it from resolved to closed
            1d11m   history Down judged acted by firebell
            1d11m   history Slow judged acted by firebell
            3d      INC-1 "Down (cart)" sev1 closed, 1 of 2 alerts fire, acted (guessed)
        "#]],
    );
}

#[test]
fn what_is_muted_reopens_nothing_until_it_is_no_longer_muted() {
    let over =
        "0s fires Down service=a severity=critical · 1m ends Down service=a severity=critical
                6m passes · 7m show 1";
    for muted in [
        "Down service=a severity=critical",
        "Slow service=a severity=critical",
    ] {
        let silent = play(&format!("{over}\n8m muted {muted}\n9m show 1"));
        assert!(
            silent.ends_with("9m      INC-1 \"Down (a)\" sev1 resolved, 0 of 1 alerts fire\n"),
            "{silent}"
        );
        let loud = play(&format!(
            "{over}\n8m muted {muted}\n9m fires {muted}\n10m show 1"
        ));
        assert!(loud.contains("moved it from resolved to triage"), "{loud}");
    }
}

#[test]
fn a_severity_that_a_person_set_is_kept_with_one_word_until_it_gets_worse_or_is_set_anew() {
    let told = play(
        "0s fires Slow service=a severity=page · 1m ana 1: severity sev4
         2m fires A service=a severity=page · 3m fires B service=a severity=page
         4m restart · 5m fires C service=a severity=error · 6m fires D service=a severity=critical
         7m fires E service=a severity=critical · 8m ana 1: severity sev3
         9m fires F service=a severity=page",
    );
    let kept: Vec<&str> = told.lines().filter(|it| it.contains("kept the")).collect();
    let at: Vec<&str> = kept.iter().filter_map(|it| it.split(' ').next()).collect();
    assert_eq!(at, ["2m", "6m", "9m"], "{told}");
}
