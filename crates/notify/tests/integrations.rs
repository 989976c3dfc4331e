//! What is sent to receivers, byte for byte, and what their answers mean.

use expect_test::{Expect, expect};
use firebell_model::{
    Alert, Duration, Labels, Notification, NotificationReason, Secret, Timestamp,
};
use firebell_notify::{
    Context, HttpRequest, HttpResponse, Integration, SecretText, SlackAction, SlackConfig,
    SlackConfirm, SlackField, WebhookConfig,
};
use firebell_template::{NotificationTemplates, NotificationText};
use proptest::prelude::*;

const URL: &str = "https://hooks.example/services/T0/s3cr3t";
const TOKEN: &str = "Bearer t0k3n-value";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn text(text: &str) -> NotificationText {
    NotificationText::compile(text).unwrap()
}

fn alert(instance: &str, ends_at: Option<&str>) -> Alert {
    Alert {
        labels: Labels::from_pairs([
            ("alertname", "Down"),
            ("instance", instance),
            ("job", "node"),
        ]),
        annotations: Labels::from_pairs([("summary", "<it> & \"more\"")]),
        starts_at: at("2026-01-02T03:04:05.678Z"),
        ends_at: ends_at.map(at),
        generator_url: "http://prom/graph?g0.expr=up&g0.tab=1".to_owned(),
        updated_at: at("2026-01-02T03:04:05Z"),
        is_timeout: false,
    }
}

fn notification(alerts: Vec<Alert>) -> Notification {
    Notification {
        at: at("2026-01-02T04:00:00Z"),
        receiver: "team.x+y".to_owned(),
        group_key: "{}:{alertname=\"Down\"}".to_owned(),
        group_labels: Labels::from_pairs([("alertname", "Down")]),
        reason: NotificationReason::First,
        alerts,
    }
}

fn both() -> Notification {
    notification(vec![
        alert("a", None),
        alert("b", Some("2026-01-02T03:30:00Z")),
    ])
}

fn webhook() -> WebhookConfig {
    WebhookConfig::new(SecretText::compile(URL).unwrap())
}

fn slack() -> SlackConfig {
    SlackConfig::new(Secret::new(URL))
}

fn request(integration: &Integration, notification: &Notification) -> Result<HttpRequest, String> {
    let templates = NotificationTemplates::default();
    let context = Context {
        templates: &templates,
        external_url: "http://firebell.example",
        version: "0.1.0",
    };
    let request = integration.request(notification, &context);
    request.map_err(|error| {
        let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
        format!("{error}{}", source.unwrap_or_default())
    })
}

fn check(integration: Integration, notification: &Notification, expected: &Expect) {
    let HttpRequest {
        method,
        url,
        headers,
        body,
        timeout,
    } = request(&integration, notification).unwrap();
    let mut shown = format!("{method:?} {}\n", url.reveal());
    for (name, value) in headers {
        shown += &format!("{name}: {}\n", value.reveal());
    }
    shown += &format!("timeout: {:?}\n\n{body}", timeout.map(|it| it.to_string()));
    expected.assert_eq(&shown);
}

#[test]
fn a_webhook_gets_version_4() {
    check(
        Integration::Webhook(webhook()),
        &both(),
        &expect![[r#"
        Post https://hooks.example/services/T0/s3cr3t
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0
        timeout: None

        {"receiver":"team\\.x\\+y","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"Down","instance":"a","job":"node"},"annotations":{"summary":"\u003cit\u003e \u0026 \"more\""},"startsAt":"2026-01-02T03:04:05.678Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prom/graph?g0.expr=up\u0026g0.tab=1","fingerprint":"fa1f18494c760c21"},{"status":"resolved","labels":{"alertname":"Down","instance":"b","job":"node"},"annotations":{"summary":"\u003cit\u003e \u0026 \"more\""},"startsAt":"2026-01-02T03:04:05.678Z","endsAt":"2026-01-02T03:30:00Z","generatorURL":"http://prom/graph?g0.expr=up\u0026g0.tab=1","fingerprint":"a267578ac33945e8"}],"notification_reason":"first notification","groupLabels":{"alertname":"Down"},"commonLabels":{"alertname":"Down","job":"node"},"commonAnnotations":{"summary":"\u003cit\u003e \u0026 \"more\""},"routeLabels":{},"externalURL":"http://firebell.example","version":"4","groupKey":"{}:{alertname=\"Down\"}","truncatedAlerts":0}
    "#]],
    );
}

#[test]
fn a_webhook_gets_as_many_alerts_as_it_wants() {
    let mut config = webhook();
    config.alerts_max = 1;
    config.timeout = Some(Duration::from_secs(7));
    config.url = SecretText::compile("http://hook/{{ .CommonLabels.instance }}").unwrap();
    config.http.authorization = Some(Secret::new(TOKEN));
    config.http.headers = vec![("X-Team".to_owned(), Secret::new("db"))];
    check(
        Integration::Webhook(config),
        &both(),
        &expect![[r#"
        Post http://hook/a
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0
        Authorization: Bearer t0k3n-value
        X-Team: db
        timeout: Some("7s")

        {"receiver":"team\\.x\\+y","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"Down","instance":"a","job":"node"},"annotations":{"summary":"\u003cit\u003e \u0026 \"more\""},"startsAt":"2026-01-02T03:04:05.678Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"http://prom/graph?g0.expr=up\u0026g0.tab=1","fingerprint":"fa1f18494c760c21"}],"notification_reason":"first notification","groupLabels":{"alertname":"Down"},"commonLabels":{"alertname":"Down","instance":"a","job":"node"},"commonAnnotations":{"summary":"\u003cit\u003e \u0026 \"more\""},"routeLabels":{},"externalURL":"http://firebell.example","version":"4","groupKey":"{}:{alertname=\"Down\"}","truncatedAlerts":1}
    "#]],
    );
}

#[test]
fn slack_gets_one_attachment() {
    check(
        Integration::Slack(Box::new(slack())),
        &both(),
        &expect![[r#"
        Post https://hooks.example/services/T0/s3cr3t
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0
        timeout: None

        {"username":"Alertmanager","attachments":[{"title":"[FIRING:1] Down (node)","title_link":"http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By","text":"","fallback":"[FIRING:1] Down (node) | http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By","callback_id":"","footer":"","color":"danger","mrkdwn_in":["fallback","pretext","text"]}]}
    "#]],
    );
    let resolved = notification(vec![alert("b", Some("2026-01-02T03:30:00Z"))]);
    check(
        Integration::Slack(Box::new(slack())),
        &resolved,
        &expect![[r#"
        Post https://hooks.example/services/T0/s3cr3t
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0
        timeout: None

        {"username":"Alertmanager","attachments":[{"title":"[RESOLVED] Down (b node)","title_link":"http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By","text":"","fallback":"[RESOLVED] Down (b node) | http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By","callback_id":"","footer":"","color":"good","mrkdwn_in":["fallback","pretext","text"]}]}
    "#]],
    );
}

#[test]
fn slack_gets_every_option() {
    let mut config = slack();
    config.channel = text("#{{ .GroupLabels.alertname | toLower }}");
    config.title = text("{{ range .Alerts }}{{ .Labels.instance }} {{ end }}");
    config.text = text("{{ template \"__text_alert_list\" .Alerts.Firing }}");
    config.icon_emoji = text(":fire:");
    config.image_url = text("http://img");
    config.thumb_url = text("http://thumb");
    config.link_names = true;
    config.mrkdwn_in = vec!["text".to_owned()];
    config.short_fields = true;
    let field = |short| SlackField {
        title: text("t"),
        value: text("{{ .Status }}"),
        short,
    };
    config.fields = vec![field(None), field(Some(false))];
    config.actions = vec![SlackAction {
        kind: text("button"),
        text: text("Runbook"),
        url: text("http://r"),
        confirm: Some(SlackConfirm {
            text: text("sure?"),
            ..SlackConfirm::default()
        }),
        ..SlackAction::default()
    }];
    check(
        Integration::Slack(Box::new(config)),
        &both(),
        &expect![[r##"
        Post https://hooks.example/services/T0/s3cr3t
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0
        timeout: None

        {"channel":"#down","username":"Alertmanager","icon_emoji":":fire:","link_names":true,"attachments":[{"title":"a b ","title_link":"http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By","text":"Labels:\n - alertname = Down\n - instance = a\n - job = node\nAnnotations:\n - summary = \u003cit\u003e \u0026 \"more\"\nSource: http://prom/graph?g0.expr=up\u0026g0.tab=1\n","fallback":"[FIRING:1] Down (node) | http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By","callback_id":"","fields":[{"title":"t","value":"firing","short":true},{"title":"t","value":"firing","short":false}],"actions":[{"type":"button","text":"Runbook","url":"http://r","confirm":{"text":"sure?"}}],"image_url":"http://img","thumb_url":"http://thumb","footer":"","color":"danger","mrkdwn_in":["text"]}]}
    "##]],
    );
}

#[test]
fn a_long_title_is_cut() {
    let mut config = slack();
    config.title = text(&"é".repeat(1025));
    let body = request(&Integration::Slack(Box::new(config.clone())), &both())
        .unwrap()
        .body;
    let cut = format!("\"title\":\"{}…\"", "é".repeat(1023));
    assert!(body.contains(&cut));
    config.title = text(&"é".repeat(1024));
    let body = request(&Integration::Slack(Box::new(config)), &both())
        .unwrap()
        .body;
    assert!(body.contains(&"é".repeat(1024)) && !body.contains('…'));
}

#[test]
fn what_cannot_be_rendered_says_which_option() {
    let mut bad_url = webhook();
    bad_url.url = SecretText::compile("{{ .CommonLabels.nope }}s3cr3t").unwrap();
    let mut bad_call = slack();
    bad_call.title = text("x {{ template \"nope\" . }}");
    let bad_slack = SlackConfig::new(Secret::new("ftp://s3cr3t"));
    let errors = [
        Integration::Webhook(bad_url),
        Integration::Slack(Box::new(bad_call)),
        Integration::Slack(Box::new(bad_slack)),
    ]
    .map(|integration| request(&integration, &both()).unwrap_err());
    expect![[r#"
        `url` of the webhook notification is no http or https address
        failed to render `title` of the slack notification: 1:6: at <template "nope">: template "nope" not defined
        `api_url` of the slack notification is no http or https address"#]].assert_eq(&errors.join("\n"));
}

type Answer<'a> = (u16, &'a [(&'a str, &'a str)], &'a str);

fn check_answers(answers: &[Answer<'_>], expected: &Expect) {
    let (webhook, slack) = (
        Integration::Webhook(webhook()),
        Integration::Slack(Box::new(slack())),
    );
    let mut shown = String::new();
    for (status, headers, body) in answers {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let answer = HttpResponse {
            status: *status,
            headers: headers.iter().map(owned).collect(),
            body: body.as_bytes().to_vec(),
        };
        shown += &format!("{status} {headers:?} {body:?}\n");
        shown += &format!("    webhook: {:?}\n", webhook.verdict(&answer));
        shown += &format!("    slack: {:?}\n", slack.verdict(&answer));
    }
    expected.assert_eq(&shown);
}

#[test]
fn the_status_decides_what_happens_next() {
    check_answers(
        &[
            (204, &[], ""),
            (302, &[], ""),
            (400, &[], "bad\n  request\u{1b}[31m"),
            (404, &[], "no_team"),
            (429, &[("retry-after", "30")], "rate_limited"),
            (500, &[], ""),
        ],
        &expect![[r#"
            204 [] ""
                webhook: Delivered
                slack: Rejected { why: "received an error response from Slack: " }
            302 [] ""
                webhook: Rejected { why: "unexpected status code 302" }
                slack: Rejected { why: "unexpected status code 302" }
            400 [] "bad\n  request\u{1b}[31m"
                webhook: Rejected { why: "unexpected status code 400: bad request�[31m" }
                slack: Rejected { why: "unexpected status code 400: bad request�[31m" }
            404 [] "no_team"
                webhook: Rejected { why: "unexpected status code 404: no_team" }
                slack: Rejected { why: "unexpected status code 404: no_team" }
            429 [("retry-after", "30")] "rate_limited"
                webhook: Rejected { why: "unexpected status code 429: rate_limited" }
                slack: Retry { why: "unexpected status code 429: rate_limited", after: Some(Duration(30000)) }
            500 [] ""
                webhook: Retry { why: "unexpected status code 500", after: None }
                slack: Retry { why: "unexpected status code 500", after: None }
        "#]],
    );
}

#[test]
fn a_receiver_may_ask_for_time() {
    let date = ("Date", "Fri, 02 Jan 2026 04:00:00 GMT");
    let later = ("Retry-After", "Fri, 02 Jan 2026 04:01:30 GMT");
    check_answers(
        &[
            (503, &[("Retry-After", "86400")], "at most an hour"),
            (503, &[later, date], "a date"),
            (503, &[later], "a date that cannot be read"),
            (503, &[("Retry-After", "99999999999999999999")], ""),
            (503, &[("Retry-After", "soon")], ""),
        ],
        &expect![[r#"
            503 [("Retry-After", "86400")] "at most an hour"
                webhook: Retry { why: "unexpected status code 503: at most an hour", after: Some(Duration(3600000)) }
                slack: Retry { why: "unexpected status code 503: at most an hour", after: Some(Duration(3600000)) }
            503 [("Retry-After", "Fri, 02 Jan 2026 04:01:30 GMT"), ("Date", "Fri, 02 Jan 2026 04:00:00 GMT")] "a date"
                webhook: Retry { why: "unexpected status code 503: a date", after: Some(Duration(90000)) }
                slack: Retry { why: "unexpected status code 503: a date", after: Some(Duration(90000)) }
            503 [("Retry-After", "Fri, 02 Jan 2026 04:01:30 GMT")] "a date that cannot be read"
                webhook: Retry { why: "unexpected status code 503: a date that cannot be read", after: None }
                slack: Retry { why: "unexpected status code 503: a date that cannot be read", after: None }
            503 [("Retry-After", "99999999999999999999")] ""
                webhook: Retry { why: "unexpected status code 503", after: None }
                slack: Retry { why: "unexpected status code 503", after: None }
            503 [("Retry-After", "soon")] ""
                webhook: Retry { why: "unexpected status code 503", after: None }
                slack: Retry { why: "unexpected status code 503", after: None }
        "#]],
    );
}

#[test]
fn slack_says_no_with_status_200() {
    let json = ("Content-Type", "application/json; charset=utf-8");
    check_answers(
        &[
            (200, &[], "ok"),
            (200, &[], "invalid_payload"),
            (200, &[json], "{\"ok\":true,\"ts\":\"1.2\"}"),
            (
                200,
                &[json],
                "{\"ok\":false,\"error\":\"channel_not_found\"}",
            ),
            (200, &[json], "{}"),
            (200, &[json], "<html>"),
        ],
        &expect![[r#"
            200 [] "ok"
                webhook: Delivered
                slack: Delivered
            200 [] "invalid_payload"
                webhook: Delivered
                slack: Rejected { why: "received an error response from Slack: invalid_payload" }
            200 [("Content-Type", "application/json; charset=utf-8")] "{\"ok\":true,\"ts\":\"1.2\"}"
                webhook: Delivered
                slack: Delivered
            200 [("Content-Type", "application/json; charset=utf-8")] "{\"ok\":false,\"error\":\"channel_not_found\"}"
                webhook: Delivered
                slack: Rejected { why: "error response from Slack: channel_not_found" }
            200 [("Content-Type", "application/json; charset=utf-8")] "{}"
                webhook: Delivered
                slack: Rejected { why: "error response from Slack: " }
            200 [("Content-Type", "application/json; charset=utf-8")] "<html>"
                webhook: Delivered
                slack: Retry { why: "could not read Slack's answer as JSON: <html>", after: None }
        "#]],
    );
}

#[test]
fn no_secret_is_ever_shown() {
    let mut with_token = webhook();
    with_token.http.authorization = Some(Secret::new(TOKEN));
    with_token.http.headers = vec![("X-Key".to_owned(), Secret::new("k3y-value"))];
    let echo = format!("no {URL} /services/T0/s3cr3t {TOKEN} t0k3n-value k3y-value");
    for integration in [
        Integration::Webhook(with_token),
        Integration::Slack(Box::new(slack())),
    ] {
        let is_webhook = integration.kind() == "webhook";
        let request = request(&integration, &both()).unwrap();
        let answer = |status| HttpResponse {
            status,
            headers: Vec::new(),
            body: echo.clone().into_bytes(),
        };
        let shown = format!(
            "{integration:?} {request:?} {:?} {:?} {:?}",
            integration.verdict(&answer(500)),
            integration.verdict(&answer(400)),
            integration.verdict_without_answer(&format!("connection to {URL} refused")),
        );
        assert!(!shown.contains("s3cr3t"), "{shown}");
        if is_webhook {
            assert!(
                !shown.contains("t0k3n") && !shown.contains("k3y-value"),
                "{shown}"
            );
        }
    }
}

#[test]
fn an_echo_of_a_rendered_address_is_not_shown() {
    let mut config = webhook();
    config.url = SecretText::compile("http://hook/{{ .Status }}/s3cr3t").unwrap();
    let answer = HttpResponse {
        status: 404,
        headers: Vec::new(),
        body: b"nothing at /firing/s3cr3t".to_vec(),
    };
    let verdict = Integration::Webhook(config).verdict(&answer);
    expect![[r#"Rejected { why: "unexpected status code 404" }"#]]
        .assert_eq(&format!("{verdict:?}"));
}

#[test]
fn options_default_as_upstream_s() {
    let (webhook, slack) = (
        Integration::Webhook(webhook()),
        Integration::Slack(Box::new(slack())),
    );
    assert!(webhook.send_resolved() && !slack.send_resolved());
    assert!(webhook.http().follow_redirects && webhook.http().authorization.is_none());
    assert_eq!((webhook.kind(), slack.kind()), ("webhook", "slack"));
}

proptest! {
    #[test]
    fn any_answer_gets_a_verdict(
        status in any::<u16>(),
        body in prop::collection::vec(any::<u8>(), 0..200),
        is_json in any::<bool>(),
        after in "\\PC{0,40}",
    ) {
        let kind = if is_json { "application/json" } else { "text/plain" };
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = vec![header("content-type", kind), header("retry-after", &after), header("date", &after)];
        let answer = HttpResponse { status, headers, body };
        _ = Integration::Webhook(webhook()).verdict(&answer);
        _ = Integration::Slack(Box::new(slack())).verdict(&answer);
    }
}
