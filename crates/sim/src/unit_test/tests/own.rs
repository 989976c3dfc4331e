//! Keys of our own: notifications with their texts, error budgets, and what strictness finds.

use super::*;

const ROUTES: &str = r#"
route: {receiver: team, group_by: [alertname], group_wait: 30s}
receivers:
- name: team
  slack_configs:
  - {api_url: 'http://127.0.0.1:1/', channel: '#ops', title: '{{ .Status }} {{ .GroupLabels.alertname }}'}
  webhook_configs: [{url: 'http://127.0.0.1:1/'}]
"#;

const PAY: &str = "
service: shop
slos:
- name: pay
  objective: 99%
  window: 30d
  indicator: {bad: 'requests_total{code=\"500\"}', total: requests_total}
";

/// What is printed of a test that may name an alertmanager.yml and objectives.
fn report(test: &str, options: &Options<'_>) -> FileReport {
    let mut files = files(DOWN, test);
    files.0.insert("am.yml".into(), ROUTES.to_owned());
    files.0.insert("slo.yml".into(), PAY.to_owned());
    run_file(Path::new("t.yml"), &files, options)
}

fn check(test: &str, options: &Options<'_>, expected: Expect) {
    let report = report(test, options);
    let lines = [report.notes, report.errors].concat();
    expected.assert_eq(&format!("said:\n{}\n", lines.join("\n")));
}

/// A test of notifications in which one alert fires.
fn told(expected: &str) -> String {
    format!(
        "
tests:
- input_series: [{{series: 'up{{job=\"a\"}}', values: 0x10}}]
  notification_test:
    config: am.yml
    until: 8m
    exp_notifications:
{expected}"
    )
}

#[test]
fn notifications_are_as_expected_in_what_was_said_of_them() {
    for expected in [
        "
    - '2m30s notify team/webhook: first [firing Down{job=\"a\", severity=\"page\"}]'
    - {to: team/slack, text: {title: firing Down}}
",
        "
    - at: 2m30s
      to: team/slack
      reason: first
      group: {alertname: Down}
      alerts: ['firing Down{job=\"a\", severity=\"page\"}']
      text: {'attachments[0].title': firing Down, channel: '#ops'}
    - to: team/webhook
      text:
        status: firing
        alerts: [{labels: {job: a}, startsAt: '1970-01-01T00:02:00Z'}]
        commonAnnotations: {summary: a at 0}
",
        "      [{at: 2m30s}, {at: 2m30s}]",
    ] {
        let test = told(expected);
        assert_eq!(report(&test, &options()).errors, [""; 0], "{test}");
    }
}

const OTHERWISE: &str = "
    - {at: 2m30s, to: team/slack, reason: repeat, group: {}, text: {title: Down, titel: x}}
    - {at: 3m, to: team/email, alerts: [firing Up]}
";

#[test]
fn notifications_that_differ_are_shown_side_by_side() {
    check(
        &told(OTHERWISE),
        &options(),
        expect![[r#"
        said:
            notifications until: 8m,
                exp:
                    2m30s notify team/slack: repeat [firing Down{job="a", severity="page"}]
                      group {}
                      titel: "x"
                      title: "Down"
                    3m notify team/email: … [firing Up]
                got:
                    2m30s notify team/webhook: first [firing Down{job="a", severity="page"}]
                    2m30s notify team/slack: first [firing Down{job="a", severity="page"}]
                      group {alertname="Down"}
                      titel: (there is no such text; there are attachments[0].callback_id, attachments[0].color, attachments[0].fallback, attachments[0].footer, attachments[0].mrkdwn_in[0], attachments[0].mrkdwn_in[1], attachments[0].mrkdwn_in[2], attachments[0].text, attachments[0].title, attachments[0].title_link, channel, username)
                      title: "firing Down"
    "#]],
    );
}

#[test]
fn notifications_that_differ_are_shown_as_a_difference() {
    let diff = Options {
        is_diff: true,
        ..options()
    };
    let report = report(&told(OTHERWISE), &diff);
    let shown = format!("said:\n{}\n", report.errors.join("\n")).replace('\x1b', "^");
    expect![[r#"
        said:
            notifications until: 8m,
                diff:
                    ^[0;31m- 2m30s notify team/slack: repeat [firing Down{job="a", severity="page"}]^[0m
                    ^[0;31m-   group {}^[0m
                    ^[0;31m-   titel: "x"^[0m
                    ^[0;31m-   title: "Down"^[0m
                    ^[0;31m- 3m notify team/email: … [firing Up]^[0m
                    ^[0;32m+ 2m30s notify team/webhook: first [firing Down{job="a", severity="page"}]^[0m
                    ^[0;32m+ 2m30s notify team/slack: first [firing Down{job="a", severity="page"}]^[0m
                    ^[0;32m+   group {alertname="Down"}^[0m
                    ^[0;32m+   titel: (there is no such text; there are attachments[0].callback_id, attachments[0].color, attachments[0].fallback, attachments[0].footer, attachments[0].mrkdwn_in[0], attachments[0].mrkdwn_in[1], attachments[0].mrkdwn_in[2], attachments[0].text, attachments[0].title, attachments[0].title_link, channel, username)^[0m
                    ^[0;32m+   title: "firing Down"^[0m
    "#]].assert_eq(&shown);
}

#[test]
fn debugging_shows_every_notification_with_its_texts() {
    let debug = Options {
        is_debug: true,
        ..options()
    };
    let shown = report(&told("      [{}, {}]"), &debug).notes.join("\n");
    let shown = shown.split_once("DEBUG: Notifications").unwrap_or_default();
    let lines = shown.1.lines().filter(|it| !it.contains("fingerprint"));
    let lines: Vec<&str> = lines.collect();
    expect![[r##"
         until 8m:
        2m30s notify team/webhook: first [firing Down{job="a", severity="page"}]
          group {alertname="Down"}
          alerts[0].annotations.summary: "a at 0"
          alerts[0].endsAt: "0001-01-01T00:00:00Z"
          alerts[0].generatorURL: "/graph?g0.expr=up+%3D%3D+0&g0.tab=1"
          alerts[0].labels.alertname: "Down"
          alerts[0].labels.job: "a"
          alerts[0].labels.severity: "page"
          alerts[0].startsAt: "1970-01-01T00:02:00Z"
          alerts[0].status: "firing"
          commonAnnotations.summary: "a at 0"
          commonLabels.alertname: "Down"
          commonLabels.job: "a"
          commonLabels.severity: "page"
          externalURL: ""
          groupKey: "{}:{alertname=\"Down\"}"
          groupLabels.alertname: "Down"
          notification_reason: "first notification"
          receiver: "team"
          routeLabels: "{}"
          status: "firing"
          truncatedAlerts: "0"
          version: "4"
        2m30s notify team/slack: first [firing Down{job="a", severity="page"}]
          group {alertname="Down"}
          attachments[0].callback_id: ""
          attachments[0].color: "danger"
          attachments[0].fallback: "[FIRING:1] Down (a page) | /#/alerts?receiver=team"
          attachments[0].footer: ""
          attachments[0].mrkdwn_in[0]: "fallback"
          attachments[0].mrkdwn_in[1]: "pretext"
          attachments[0].mrkdwn_in[2]: "text"
          attachments[0].text: ""
          attachments[0].title: "firing Down"
          attachments[0].title_link: "/#/alerts?receiver=team"
          channel: "#ops"
          username: "Alertmanager"
        DEBUG: Test unnamed#0 finished, took 0ns"##]]
    .assert_eq(&lines.join("\n"));
}

/// A test of a budget: an error in ten requests for the last hour of two days.
fn spent(expected: &str) -> String {
    format!(
        "
slo_files: [slo.yml]
evaluation_interval: 5m
tests:
- interval: 1m
  input_series:
  - {{series: 'requests_total{{code=\"200\"}}', values: 0+100x2820 282090+90x59}}
  - {{series: 'requests_total{{code=\"500\"}}', values: 0x2820 10+10x59}}
  slo_test:
{expected}"
    )
}

#[test]
fn budgets_are_as_expected_within_a_tolerance() {
    let test = spent(
        "
  - {slo: shop/pay, eval_time: 47h, exp_budget_spent: 0%, exp_alerts: {}, exp_exhausted_in: never}
  - slo: shop/pay
    eval_time: 2d
    exp_budget_spent: 20.8%
    exp_budget_remaining: 79.2%
    exp_burn_rates: {5m: 10, 1h: 10, 6h: 1.67}
    exp_exhausted_in: 14d6h
    exp_alerts: {}
",
    );
    assert_eq!(report(&test, &options()).errors, [""; 0]);
}

#[test]
fn budgets_that_differ_are_shown_side_by_side() {
    let test = spent(
        "
  - slo: shop/pay
    eval_time: 2d
    exp_budget_spent: 21%
    exp_burn_rates: {1h: 10.5, 6h: none}
    exp_exhausted_in: never
    exp_alerts: {page-fast: firing}
    tolerance: 0.1%
  - {slo: shop/pay, eval_time: 1d, exp_burn_rates: {2m: 1}}
  - {slo: shop/pay, eval_time: 1d, exp_alerts: {page: firing}}
  - {slo: shop/cart, eval_time: 1d}
  - {slo: shop/pay, eval_time: 1d, labels: {region: eu}, exp_budget_spent: 0%}
",
    );
    check(
        &test,
        &options(),
        expect![[r#"
            said:
                slo: shop/pay, time: 2d,
                    exp:
                        spent 21%
                        burn rate over 1h 10.5
                        burn rate over 6h none
                        exhausted in never
                        page-fast firing
                    got:
                        spent 20.833%
                        burn rate over 1h 10
                        burn rate over 6h 1.667
                        exhausted in 14d5h59m3s
                        page-fast inactive
                slo: shop/pay, time: 1d, err: no alert looks at 2m; they look at 5m, 30m, 1h, 2h, 6h, 1d, 3d
                slo: shop/pay, time: 1d, err: it has no alert `page`; there are page-fast, page-slow, ticket-fast, ticket-slow, ObjectiveWithoutData
                slo: shop/cart, time: 1d, err: there is no such objective; there are shop/pay
                slo: shop/pay, time: 1d, err: there is nothing to measure by
        "#]],
    );
}

#[test]
fn every_silent_pass_is_named_when_asked() {
    let strict = Options {
        is_strict: true,
        ..options()
    };
    for (test, expected) in [
        ("tests: []", "the file has no tests"),
        ("tests: [{name: a}]", "name: a, nothing is expected"),
        (
            "group_eval_order: [h]\ntests: [{}]",
            "group_eval_order names the group `h`, which no rule file has",
        ),
        (
            "tests: [{alert_rule_test: [{alertname: Down, groupname: h, eval_time: 1m}]}]",
            "no rule in the group `h` defines the alert `Down` that is tested at 1m",
        ),
        (
            "tests: [{promql_expr_test: [{expr: up, eval_time: 1m}]}]",
            "exp_samples of `up` at 1m is missing: write [] if none is meant",
        ),
        (
            "tests: [{promql_expr_test: [{expr: up, eval_time: 1m, exp_samples: []}]}]",
            "`up` at 1m gives nothing: it reads series that the test does not give",
        ),
        (
            "tests: [{input_series: [{series: up, values: 1 1}], \
             promql_expr_test: [{expr: up, eval_time: 6m, exp_samples: []}]}]",
            "`up` is tested at 6m, but the last sample is at 1m: write _ for samples that are \
             missing on purpose",
        ),
        (
            "tests: [{input_series: [{series: up, values: 1 1}], \
             alert_rule_test: [{alertname: Down, eval_time: 10m, exp_alerts: []}]}]",
            "`Down` is tested at 10m, but the last sample is at 1m: write _ for samples that are \
             missing on purpose",
        ),
        (
            "tests: [{input_series: [{series: other, values: 1}]}]",
            "nothing reads the input series other",
        ),
        (
            "tests: [{input_series: [{series: up, values: ''}]}]",
            "the input series up has no values",
        ),
        (
            "tests: [{input_series: [{series: up, values: 1}, {series: up, values: 2}]}]",
            "the input series up is given twice, and only the last counts",
        ),
        (
            "tests: [{notification_test: {config: am.yml, until: 1m}}]",
            "exp_notifications is missing: write [] if nobody is to be told",
        ),
        (
            "slo_files: [slo.yml]\ntests: [{slo_test: [{slo: shop/pay, eval_time: 1m}]}]",
            "nothing is expected of `shop/pay` at 1m",
        ),
        (
            "tests: [{promql_expr_test: [{expr: '1', eval_time: 1m}]}]",
            "no test asks for the rule `Down` (r.yml:5)",
        ),
    ] {
        let mut reports = [report(test, &strict)];
        judge_together(&mut reports, &strict);
        let expected = format!("    strict: {expected}");
        let errors = &reports[0].errors;
        assert!(errors.contains(&expected), "{test}: {errors:#?}");
        let errors = report(test, &options()).errors;
        assert!(!errors.iter().any(|it| it.contains("strict")), "{test}");
    }
}

#[test]
fn all_files_together_ask_for_rules_and_meet_a_pattern() {
    let strict = Options {
        is_strict: true,
        ..options()
    };
    let silent = "tests: [{promql_expr_test: [{expr: '1', eval_time: 1m, \
                  exp_samples: [{value: 1}]}]}]";
    let asking = "tests: [{input_series: [{series: up, values: 1}], \
                  alert_rule_test: [{alertname: Down, eval_time: 1m, exp_alerts: []}]}]";
    let mut reports = [report(silent, &strict), report(asking, &strict)];
    judge_together(&mut reports, &strict);
    assert_eq!(
        reports.map(|it| it.errors.concat()),
        [String::new(), String::new()]
    );
    let strict = Options {
        run: vec![firebell_model::Regex::unanchored("nothing").unwrap()],
        ..strict
    };
    let mut reports = [report(asking, &strict)];
    judge_together(&mut reports, &strict);
    assert_eq!(
        reports.map(|it| it.errors.concat()),
        ["    strict: no test has a name that --run matches"]
    );
}

#[test]
fn the_example_passes() {
    let strict = Options {
        is_strict: true,
        ..options()
    };
    let path = Path::new("../../examples/unit-tests/shop.test.yml");
    let mut reports = [run_file(path, &OsFiles, &strict)];
    judge_together(&mut reports, &strict);
    assert_eq!(reports[0].errors.join("\n"), "");
    assert_eq!(reports[0].cases.len(), 3);
}

#[test]
fn what_is_wrong_with_notifications_has_its_place_and_a_hint() {
    let test = "\
tests:
  - slo_tests: []
    escalation_test: []
    notification_test:
      config: [a]
      until: soon
      exp_notification: []
      exp_notifications:
        - 2m notify pager/webhook: first [firing Down]
        - {at: 2, to: pager, reason: firstly, group: [], text: hello}
        - [a]
";
    check(
        test,
        &options(),
        expect![[r#"
        said:
        t.yml:3:5: a test has no field `slo_tests`
          3 |   - slo_tests: []
            |     ^
            = did you mean `slo_test`?
        t.yml:4:5: a test has no field `escalation_test`
          4 |     escalation_test: []
            |     ^
            = `page_test` says who is paged, and its `exp_escalations` what becomes of that
        t.yml:6:15: `config` has to be a text, not a list
          6 |       config: [a]
            |               ^
        t.yml:7:14: `until` cannot be `soon`
          7 |       until: soon
            |              ^
            = write it as 30s, 5m or 1h30m
        t.yml:8:7: `notification_test` has no field `exp_notification`
          8 |       exp_notification: []
            |       ^
            = did you mean `exp_notifications`?
        t.yml:10:11: a line with a colon and a blank in it is a map to YAML
          10 |         - 2m notify pager/webhook: first [firing Down]
             |           ^
             = put it into quotes
        t.yml:11:16: `at` cannot be `2`
          11 |         - {at: 2, to: pager, reason: firstly, group: [], text: hello}
             |                ^
             = write it as 30s, 5m or 1h30m
        t.yml:11:38: `reason` cannot be `firstly`
          11 |         - {at: 2, to: pager, reason: firstly, group: [], text: hello}
             |                                      ^
             = one of first, new alerts, all resolved, new resolved, repeat
        t.yml:11:54: `group` has to be a map of texts, not a list
          11 |         - {at: 2, to: pager, reason: firstly, group: [], text: hello}
             |                                                      ^
        t.yml:11:64: `text` has to be a map of places and texts, not a single value
          11 |         - {at: 2, to: pager, reason: firstly, group: [], text: hello}
             |                                                                ^
        t.yml:12:11: an expected notification has to be a map of fields, not a list
          12 |         - [a]
             |           ^
    "#]],
    );
}

#[test]
fn what_is_wrong_with_budgets_has_its_place_and_a_hint() {
    let test = "\
tests:
  - slo_test:
      - {slo: shop/pay, exp_budget_spent: 0.1, exp_burn_rates: {1h: fast, long: 2}}
      - {exp_alerts: {page-fast: on}, exp_exhausted_in: soon, tolerance: -1%}
";
    check(
        test,
        &options(),
        expect![[r#"
            said:
            t.yml:4:43: `exp_budget_spent` cannot be `0.1`
              4 |       - {slo: shop/pay, exp_budget_spent: 0.1, exp_burn_rates: {1h: fast, long: 2}}
                |                                           ^
                = write it as 12.5%
            t.yml:4:69: `exp_burn_rates`: `fast` is no burn rate
              4 |       - {slo: shop/pay, exp_budget_spent: 0.1, exp_burn_rates: {1h: fast, long: 2}}
                |                                                                     ^
                = write a number such as 14.4, or `none`
            t.yml:4:75: `exp_burn_rates`: `long` is no window
              4 |       - {slo: shop/pay, exp_budget_spent: 0.1, exp_burn_rates: {1h: fast, long: 2}}
                |                                                                           ^
                = name the windows of its alerts, such as 1h and 5m
            t.yml:5:9: an item of `slo_test` needs `slo`
              5 |       - {exp_alerts: {page-fast: on}, exp_exhausted_in: soon, tolerance: -1%}
                |         ^
            t.yml:5:34: `exp_alerts`: an alert is `pending` or `firing`, not `on`
              5 |       - {exp_alerts: {page-fast: on}, exp_exhausted_in: soon, tolerance: -1%}
                |                                  ^
                = leave out those that are not active
            t.yml:5:57: `exp_exhausted_in` cannot be `soon`
              5 |       - {exp_alerts: {page-fast: on}, exp_exhausted_in: soon, tolerance: -1%}
                |                                                         ^
                = write it as 3d, or `never`
            t.yml:5:74: `tolerance` cannot be `-1%`
              5 |       - {exp_alerts: {page-fast: on}, exp_exhausted_in: soon, tolerance: -1%}
                |                                                                          ^
                = write it as 12.5%
        "#]],
    );
}
