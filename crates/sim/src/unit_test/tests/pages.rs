//! Who is paged, and what becomes of that.

use super::*;

const ON_CALL: &str = "
incidents: {open_when: ['severity=\"page\"'], service_labels: [job], escalation: shop}
oncall:
  people:
    ana: {ntfy: ana, phone: '+34600000001'}
    ben: {ntfy: ben}
  schedules:
    shop: {layers: [{every: 1d, start: 2026-01-01, people: [ana, ben]}]}
escalation:
  shop:
    - {notify: schedule:shop}
    - {after: 15m, notify: [person:ben, 'receiver:inbox']}
alertmanager: {route: {receiver: inbox}, receivers: [{name: inbox}]}
";

/// What is printed of a test of pages, in which one alert fires from 2m on.
fn report(page_test: &str, options: &Options<'_>) -> FileReport {
    let config = match page_test.contains("config:") {
        true => "",
        false => "    config: firebell.yml\n",
    };
    let test = format!(
        "
tests:
- start_timestamp: 2026-01-01T08:00:00Z
  input_series: [{{series: 'up{{job=\"a\"}}', values: 0x60}}]
  page_test:
{config}{page_test}"
    );
    let mut files = files(DOWN, &test);
    files.0.insert("firebell.yml".into(), ON_CALL.to_owned());
    let nobody = "incidents: {open_when: ['severity=\"page\"']}\n";
    files.0.insert("nobody.yml".into(), nobody.to_owned());
    let closed = ON_CALL.replace("open_when: ['severity=\"page\"'], ", "");
    files.0.insert("closed.yml".into(), closed);
    run_file(Path::new("t.yml"), &files, options)
}

fn check(page_test: &str, options: &Options<'_>, expected: Expect) {
    let report = report(page_test, options);
    let lines = [report.notes, report.errors].concat();
    expected.assert_eq(&format!("said:\n{}\n", lines.join("\n")).replace('\x1b', "^"));
}

#[test]
fn pages_are_as_expected_in_what_was_said_of_them() {
    for expected in [
        "
    until: 30m
    timeline: ['20m page INC-1 by ben: ack', '25m page INC-1 by ana: ack']
    exp_pages:
    - '2m page ana by ntfy: sev2 INC-1 Down (a)'
    - {at: 4m, to: ana/phone, why: page, policy: shop, step: 1, round: 1}
    - {to: ben, incident: INC-1, title: Down (a), severity: sev2, step: 2}
    - {at: 17m, to: inbox, why: tell, alerts: ['Down{job=\"a\", severity=\"page\"}']}
    exp_escalations:
    - '2m INC-1 firebell: opened it'
    - '2m INC-1 firebell: joined Down{job=\"a\", severity=\"page\"}'
    - '2m INC-1 firebell: pages by the policy shop'
    - '2m INC-1 firebell: pages ana'
    - '17m INC-1 firebell: pages ben, inbox'
    - '20m INC-1 ben: acknowledged it'
    - '25m INC-1 ana: answered the page, which changed nothing'
    - '25m already so'
",
        "
    until: 10m
    timeline: ['0s contact ana ntfy fails 500', '3m page INC-1 by ana: ack']
    exp_pages: [{at: 2m, to: ana/ntfy}, {at: 2m, to: ana/phone}]
",
    ] {
        assert_eq!(report(expected, &options()).errors, [""; 0], "{expected}");
    }
}

const OTHERWISE: &str = "
    until: 5m
    timeline: ['3m page INC-1 by ana: resolve', '4m page INC-2 by ana: ack']
    exp_pages:
    - {at: 2m, to: ana/ntfy, severity: sev1, step: 2}
    - {at: 4m, to: ben/ntfy}
    exp_escalations:
    - '2m INC-1 firebell: opened it'
    - '2m INC-1 firebell: pages ana'
    - '3m INC-1 ana: acknowledged it'
";

#[test]
fn pages_that_differ_are_shown_side_by_side() {
    check(
        OTHERWISE,
        &options(),
        expect![[r#"
        said:
            pages until: 5m,
                exp:
                    2m page ana by ntfy: sev1 INC-1 Down (a)
                      step 2
                    4m … ben by ntfy: … … …
                got:
                    2m page ana by ntfy: sev2 INC-1 Down (a)
                      step 1
            escalations until: 5m,
                exp:
                    2m INC-1 firebell: opened it
                    2m INC-1 firebell: pages ana
                    3m INC-1 ana: acknowledged it
                got:
                    2m INC-1 firebell: opened it
                    2m INC-1 firebell: joined Down{job="a", severity="page"}
                    2m INC-1 firebell: pages by the policy shop
                    2m INC-1 firebell: pages ana
                    3m INC-1 ana: moved it from triage to resolved
                    4m refused: nobody is paged for INC-2
    "#]],
    );
}

#[test]
fn pages_that_differ_are_shown_as_a_difference() {
    let diff = Options {
        is_diff: true,
        ..options()
    };
    check(
        OTHERWISE,
        &diff,
        expect![[r#"
        said:
            pages until: 5m,
                diff:
                    ^[0;31m- 2m page ana by ntfy: sev1 INC-1 Down (a)^[0m
                    ^[0;31m-   step 2^[0m
                    ^[0;31m- 4m … ben by ntfy: … … …^[0m
                    ^[0;32m+ 2m page ana by ntfy: sev2 INC-1 Down (a)^[0m
                    ^[0;32m+   step 1^[0m
            escalations until: 5m,
                diff:
                      2m INC-1 firebell: opened it
                    ^[0;32m+ 2m INC-1 firebell: joined Down{job="a", severity="page"}^[0m
                    ^[0;32m+ 2m INC-1 firebell: pages by the policy shop^[0m
                      2m INC-1 firebell: pages ana
                    ^[0;31m- 3m INC-1 ana: acknowledged it^[0m
                    ^[0;32m+ 3m INC-1 ana: moved it from triage to resolved^[0m
                    ^[0;32m+ 4m refused: nobody is paged for INC-2^[0m
    "#]],
    );
}

#[test]
fn debugging_shows_every_page_and_escalation() {
    let debug = Options {
        is_debug: true,
        ..options()
    };
    let page_test = "    until: 3m\n    exp_pages: [{}]\n";
    let shown = report(page_test, &debug).notes.join("\n");
    let shown = shown.split_once("DEBUG: Pages").unwrap_or_default().1;
    expect![[r#"
         until 3m:
        2m page ana by ntfy: sev2 INC-1 Down (a)
          policy shop
          step 1
          round 1
          alerts [Down{job="a", severity="page"}]
        DEBUG: Escalations until 3m:
        2m INC-1 firebell: opened it
        2m INC-1 firebell: joined Down{job="a", severity="page"}
        2m INC-1 firebell: pages by the policy shop
        2m INC-1 firebell: pages ana
        DEBUG: Test unnamed#0 finished, took 0ns"#]]
    .assert_eq(shown);
}

#[test]
fn a_page_test_that_can_page_nobody_fails() {
    let strict = || Options {
        is_strict: true,
        ..options()
    };
    for (page_test, options, expected) in [
        (
            "    {until: 3m, config: nobody.yml, exp_pages: []}",
            options(),
            expect![[r#"
                said:
                    pages until: 3m, err: nobody.yml has no `escalation`, so nobody is ever paged: name a firebell.yml with policies and people
            "#]],
        ),
        (
            "    {until: 3m, config: closed.yml, exp_pages: []}",
            strict(),
            expect![[r#"
                said:
                    pages until: 3m, err: strict: nobody can be paged: `incidents` of closed.yml has no `open_when`, and nobody opens an incident
            "#]],
        ),
        (
            "    {until: 3m, config: firebell.yml}",
            strict(),
            expect![[r#"
                said:
                    strict: exp_pages is missing: write [] if nobody is to be paged
            "#]],
        ),
    ] {
        check(page_test, &options, expected);
    }
}

#[test]
fn what_is_wrong_with_pages_has_its_place_and_a_hint() {
    check(
        "
    until: 5m
    timeline:
    - 3m page INC-1 by ana: ack
    - [3m]
    exp_page: []
    exp_pages:
    - {at: 2, why: pages, incident: one, severity: high, step: 0, rounds: 1}
    exp_escalations: [{at: 2m}]
",
        &options(),
        expect![[r#"
            said:
            t.yml:11:7: a line with a colon and a blank in it is a map to YAML
              11 |     - 3m page INC-1 by ana: ack
                 |       ^
                 = put it into quotes
            t.yml:12:7: an item of `timeline` has to be a line, not a list
              12 |     - [3m]
                 |       ^
            t.yml:13:5: `page_test` has no field `exp_page`
              13 |     exp_page: []
                 |     ^
                 = did you mean `exp_pages`?
            t.yml:15:12: `at` cannot be `2`
              15 |     - {at: 2, why: pages, incident: one, severity: high, step: 0, rounds: 1}
                 |            ^
                 = write it as 30s, 5m or 1h30m
            t.yml:15:20: `why` cannot be `pages`
              15 |     - {at: 2, why: pages, incident: one, severity: high, step: 0, rounds: 1}
                 |                    ^
                 = one of page, remind, tell
            t.yml:15:37: `incident` cannot be `one`
              15 |     - {at: 2, why: pages, incident: one, severity: high, step: 0, rounds: 1}
                 |                                     ^
                 = write it as INC-1
            t.yml:15:52: `severity` cannot be `high`
              15 |     - {at: 2, why: pages, incident: one, severity: high, step: 0, rounds: 1}
                 |                                                    ^
                 = one of sev1, sev2, sev3, sev4
            t.yml:15:64: `step` cannot be `0`
              15 |     - {at: 2, why: pages, incident: one, severity: high, step: 0, rounds: 1}
                 |                                                                ^
                 = count from 1
            t.yml:15:67: an expected page has no field `rounds`
              15 |     - {at: 2, why: pages, incident: one, severity: high, step: 0, rounds: 1}
                 |                                                                   ^
                 = did you mean `round`?
            t.yml:16:23: an item of `exp_escalations` has to be a line, not a map
              16 |     exp_escalations: [{at: 2m}]
                 |                       ^
        "#]],
    );
}

#[test]
fn what_cannot_happen_has_its_place_and_a_hint() {
    check(
        "
    until: 5m
    timeline:
    - '3m page INC-1 by ana: acknowledge'
    - '3m reload rules'
    - '6m page INC-1 by ana: ack'
    - 'soon page INC-1 by ana: ack'
    exp_pages: []
",
        &options(),
        expect![[r#"
            said:
            t.yml:11:7: `acknowledge` is nothing that people do with a page
              11 |     - '3m page INC-1 by ana: acknowledge'
                 |       ^
                 = `page INC-1 by ana: ack`, `resolve`, `snooze 1h` or `hand_over NAME`
            t.yml:12:7: `reload` cannot happen in a unit test
              12 |     - '3m reload rules'
                 |       ^
                 = write `page …`, `incident …`, `contact …` or `receiver …` behind the time; everything else can happen in scenarios
            t.yml:13:7: this comes after the end of the test, `until: 5m`
              13 |     - '6m page INC-1 by ana: ack'
                 |       ^
                 = play the test for longer, or leave it out
            t.yml:14:7: `soon` is not a duration
              14 |     - 'soon page INC-1 by ana: ack'
                 |       ^
                 = write it as 30s, 5m or 1h30m
        "#]],
    );
}
