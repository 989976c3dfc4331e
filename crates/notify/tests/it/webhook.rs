//! Webhooks.

use expect_test::expect;
use firebell_model::{Duration, Secret};
use firebell_notify::{HttpConfig, Integration, SecretText, Tree, WebhookConfig};

use crate::harness::{URL, body, both, check, plain, text};

fn webhook() -> WebhookConfig {
    WebhookConfig::new(SecretText::compile(URL).unwrap())
}

#[test]
fn item_46_a_webhook_gets_version_4() {
    check(
        &plain(webhook()),
        &both(),
        &expect![[r#"
        Post https://hooks.example/services/T0/s3cr3t
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"receiver":"team\\.x\\+y","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"Down","instance":"a","job":"node"},"annotations":{"summary":"\u003cit\u003e \u0026 \"more\""},"startsAt":"2026-01-02T03:04:05.678Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prom/graph?g0.expr=up\u0026g0.tab=1","fingerprint":"fa1f18494c760c21"},{"status":"resolved","labels":{"alertname":"Down","instance":"b","job":"node"},"annotations":{"summary":"\u003cit\u003e \u0026 \"more\""},"startsAt":"2026-01-02T03:04:05.678Z","endsAt":"2026-01-02T03:30:00Z","generatorURL":"http://prom/graph?g0.expr=up\u0026g0.tab=1","fingerprint":"a267578ac33945e8"}],"notification_reason":"first notification","groupLabels":{"alertname":"Down"},"commonLabels":{"alertname":"Down","job":"node"},"commonAnnotations":{"summary":"\u003cit\u003e \u0026 \"more\""},"routeLabels":{},"externalURL":"http://firebell.example","version":"4","groupKey":"{}:{alertname=\"Down\"}","truncatedAlerts":0}
        => Delivered
    "#]],
    );
}

#[test]
fn a_webhook_gets_as_many_alerts_as_it_wants() {
    let mut config = webhook();
    config.alerts_max = 1;
    config.timeout = Some(Duration::from_secs(7));
    config.url = SecretText::compile("http://hook/{{ .CommonLabels.instance }}").unwrap();
    let http = HttpConfig {
        authorization: Some(Secret::new("Bearer t0k3n-value")),
        headers: vec![("X-Team".to_owned(), Secret::new("db"))],
        ..HttpConfig::default()
    };
    check(
        &Integration::new(config, true, http),
        &both(),
        &expect![[r#"
            Post http://hook/a within 7s
            Content-Type: application/json
            User-Agent: Alertmanager/0.1.0
            Authorization: Bearer t0k3n-value
            X-Team: db

            {"receiver":"team\\.x\\+y","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"Down","instance":"a","job":"node"},"annotations":{"summary":"\u003cit\u003e \u0026 \"more\""},"startsAt":"2026-01-02T03:04:05.678Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prom/graph?g0.expr=up\u0026g0.tab=1","fingerprint":"fa1f18494c760c21"}],"notification_reason":"first notification","groupLabels":{"alertname":"Down"},"commonLabels":{"alertname":"Down","instance":"a","job":"node"},"commonAnnotations":{"summary":"\u003cit\u003e \u0026 \"more\""},"routeLabels":{},"externalURL":"http://firebell.example","version":"4","groupKey":"{}:{alertname=\"Down\"}","truncatedAlerts":1}
            => Delivered
        "#]],
    );
}

#[test]
fn a_webhook_gets_the_payload_that_is_written() {
    let mut shown = String::new();
    let inner = [
        ("a".to_owned(), Tree::Int(1)),
        (
            "of {{ .Status }}".to_owned(),
            Tree::Text(text("{{ .Status }}")),
        ),
        (
            "list".to_owned(),
            Tree::List(vec![Tree::Null, Tree::Bool(true), Tree::Float(1e20)]),
        ),
        ("number".to_owned(), Tree::Text(text("{{ len .Alerts }}"))),
    ];
    for payload in [
        Tree::Map(inner.into()),
        Tree::Text(text("text {{ .Status }}")),
        Tree::Text(text("{{ (index .Alerts 0).Labels | toJson }}")),
    ] {
        let mut config = webhook();
        config.payload = Some(payload);
        shown += &body(&plain(config), &both());
    }
    expect![[r#"
        {"a":1,"list":[null,true,100000000000000000000],"number":2,"of firing":"firing"}
        "text firing"
        {"alertname":"Down","instance":"a","job":"node"}
    "#]]
    .assert_eq(&shown);
}
