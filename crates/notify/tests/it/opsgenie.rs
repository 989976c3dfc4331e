//! Opsgenie.

use expect_test::expect;
use firebell_notify::{OpsgenieConfig, OpsgenieResponder, SecretText};

use crate::harness::{Answer, OK, body, both, check, plain, resolved, text, transcript, verdict};

fn opsgenie() -> OpsgenieConfig {
    let key = SecretText::compile("k3y-{{ .Status }}").unwrap();
    OpsgenieConfig::new(key, "https://api.example/".to_owned())
}

#[test]
fn an_alert_is_made_and_closed() {
    check(
        &plain(opsgenie()),
        &both(),
        &expect![[r#"
        Post https://api.example/v2/alerts
        Content-Type: application/json
        Authorization: GenieKey k3y-firing
        User-Agent: Alertmanager/0.1.0

        {"alias":"af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e","message":"[FIRING:1] Down (node)","description":"\u003cit\u003e \u0026 \"more\"\nAlerts Firing:\nLabels:\n - alertname = Down\n - instance = a\n - job = node\nAnnotations:\n - summary = \u003cit\u003e \u0026 \"more\"\nSource: http://prom/graph?g0.expr=up\u0026g0.tab=1\n\nAlerts Resolved:\nLabels:\n - alertname = Down\n - instance = b\n - job = node\nAnnotations:\n - summary = \u003cit\u003e \u0026 \"more\"\nSource: http://prom/graph?g0.expr=up\u0026g0.tab=1\n","details":{"alertname":"Down","job":"node"},"source":"http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By"}
        => Delivered
    "#]],
    );
    check(
        &plain(opsgenie()),
        &resolved(),
        &expect![[r#"
        Post https://api.example/v2/alerts/af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e/close?identifierType=alias
        Content-Type: application/json
        Authorization: GenieKey k3y-resolved
        User-Agent: Alertmanager/0.1.0

        {"source":"http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By"}
        => Delivered
    "#]],
    );
}

#[test]
fn opsgenie_gets_every_option() {
    let mut config = opsgenie();
    config.message = text("m");
    config.description = text("d");
    config.source = text("s");
    config.details = [("job".to_owned(), text("{{ .Status }}"))].into();
    config.entity = text("e");
    config.actions = text("one, two,,three");
    config.tags = text(" t1,t2 ,");
    config.note = text("n");
    config.priority = text("P1");
    config.updates_alerts = true;
    let responder = |name: &str, kind: &str| OpsgenieResponder {
        name: text(name),
        kind: text(kind),
        ..OpsgenieResponder::default()
    };
    let empty = "{{ .CommonLabels.nope }}";
    config.responders = vec![
        responder("a,b", "teams"),
        responder(empty, empty),
        OpsgenieResponder {
            id: text("i"),
            kind: text("User"),
            ..OpsgenieResponder::default()
        },
    ];
    check(
        &plain(config),
        &both(),
        &expect![[r#"
        Post https://api.example/v2/alerts
        Content-Type: application/json
        Authorization: GenieKey k3y-firing
        User-Agent: Alertmanager/0.1.0

        {"alias":"af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e","message":"m","description":"d","details":{"alertname":"Down","job":"firing"},"source":"s","responders":[{"name":"a","type":"team"},{"name":"b","type":"team"},{"id":"i","type":"User"}],"tags":["t1","t2 "],"note":"n","priority":"P1","entity":"e","actions":["one"," two","three"]}
        Put https://api.example/v2/alerts/af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e/message?identifierType=alias
        Content-Type: application/json
        Authorization: GenieKey k3y-firing
        User-Agent: Alertmanager/0.1.0

        {"message":"m"}
        Put https://api.example/v2/alerts/af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e/description?identifierType=alias
        Content-Type: application/json
        Authorization: GenieKey k3y-firing
        User-Agent: Alertmanager/0.1.0

        {"description":"d"}
        => Delivered
    "#]],
    );
}

#[test]
fn what_follows_a_request_that_does_not_arrive_is_not_sent() {
    let mut config = opsgenie();
    config.updates_alerts = true;
    config.description = text("");
    let later: Answer<'_> = (429, &[("Retry-After", "7")], "");
    let shown = transcript(&plain(config), &both(), &[], &[OK, later]);
    let lines = shown
        .lines()
        .filter(|line| line.contains("http") && !line.starts_with('{'));
    let shown: Vec<_> = lines.chain(shown.lines().last()).collect();
    expect![[r#"
        Post https://api.example/v2/alerts
        Put https://api.example/v2/alerts/af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e/message?identifierType=alias
        => Retry { why: "unexpected status code 429", after: Some(Duration(7000)) }"#]].assert_eq(&shown.join("\n"));
}

#[test]
fn a_long_message_is_cut_and_429_comes_again() {
    let mut config = opsgenie();
    config.message = text(&"é".repeat(131));
    assert!(body(&plain(config), &both()).contains(&format!("\"{}…\"", "é".repeat(129))));
    let shown = [422, 429, 503].map(|status| verdict(&plain(opsgenie()), &(status, &[], "why")));
    expect![[r#"
        [
            Rejected {
                why: "unexpected status code 422: why",
            },
            Retry {
                why: "unexpected status code 429: why",
                after: None,
            },
            Retry {
                why: "unexpected status code 503: why",
                after: None,
            },
        ]"#]]
    .assert_eq(&format!("{shown:#?}"));
}
