//! incident.io.

use expect_test::expect;
use firebell_model::{Labels, Secret};
use firebell_notify::IncidentioConfig;

use crate::harness::{Answer, URL, alert, body, both, check, notification, plain, verdict};

fn incidentio() -> IncidentioConfig {
    let mut config = IncidentioConfig::new(Secret::new(URL));
    config.alert_source_token = Some(Secret::new("t0ken"));
    config
}

#[test]
fn incidentio_gets_the_webhook_s_json() {
    let mut config = incidentio();
    config.alerts_max = 1;
    check(
        &plain(config),
        &both(),
        &expect![[r#"
        Post https://hooks.example/services/T0/s3cr3t
        Content-Type: application/json
        Authorization: Bearer t0ken
        User-Agent: Alertmanager/0.1.0

        {"receiver":"team\\.x\\+y","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"Down","instance":"a","job":"node"},"annotations":{"summary":"\u003cit\u003e \u0026 \"more\""},"startsAt":"2026-01-02T03:04:05.678Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prom/graph?g0.expr=up\u0026g0.tab=1","fingerprint":"fa1f18494c760c21"}],"notification_reason":"first notification","groupLabels":{"alertname":"Down"},"commonLabels":{"alertname":"Down","instance":"a","job":"node"},"commonAnnotations":{"summary":"\u003cit\u003e \u0026 \"more\""},"routeLabels":{},"externalURL":"http://firebell.example","version":"1","groupKey":"{}:{alertname=\"Down\"}","truncatedAlerts":1}
        => Delivered
    "#]],
    );
}

#[test]
fn of_a_large_message_one_alert_is_left() {
    let mut large = alert("a", None);
    large.annotations = Labels::from_pairs([("text", &*"x".repeat(300_000))]);
    let mut other = large.clone();
    other.labels = Labels::from_pairs([("instance", "b")]);
    let body = body(&plain(incidentio()), &notification(vec![large, other]));
    assert_eq!(body.matches("startsAt").count(), 1);
    assert!(body.contains("\"truncatedAlerts\":0"));
}

#[test]
fn a_refusal_says_what_incidentio_said() {
    let incidentio = plain(incidentio());
    let answers: [Answer<'_>; 3] = [
        (
            422,
            &[],
            r#"{"message":"m","errors":["a","b"],"error":"e"}"#,
        ),
        (401, &[], "Bearer t0ken"),
        (429, &[("Retry-After", "3")], ""),
    ];
    let shown = answers.map(|answer| format!("{:?}\n", verdict(&incidentio, &answer)));
    expect![[r#"
        Rejected { why: "unexpected status code 422: m: e: a, b" }
        Rejected { why: "unexpected status code 401" }
        Retry { why: "unexpected status code 429", after: Some(Duration(3000)) }
    "#]]
    .assert_eq(&shown.concat());
}
