//! PagerDuty.

use expect_test::expect;
use firebell_model::{Duration, Labels};
use firebell_notify::{
    Integration, PagerDutyConfig, PagerDutyImage, PagerDutyKey, PagerDutyLink, SecretText, Tree,
};

use crate::harness::{
    alert, body, both, check, notification, plain, resolved, text, transcript, verdict,
};

fn pagerduty(key: PagerDutyKey) -> PagerDutyConfig {
    PagerDutyConfig::new(key, "https://events.example/v2/enqueue".to_owned())
}

fn routing() -> PagerDutyConfig {
    pagerduty(PagerDutyKey::Routing(
        SecretText::compile("r0uting-{{ .Status }}").unwrap(),
    ))
}

fn service() -> PagerDutyConfig {
    pagerduty(PagerDutyKey::Service(
        SecretText::compile("s3rvice").unwrap(),
    ))
}

#[test]
fn version_2_gets_an_event() {
    check(
        &plain(routing()),
        &both(),
        &expect![[r#"
        Post https://events.example/v2/enqueue
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"routing_key":"r0uting-firing","dedup_key":"af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e","event_action":"trigger","payload":{"summary":"[FIRING:1] Down (node)","source":"Alertmanager","severity":"error","custom_details":{"firing":[{"annotations":{"summary":"\u003cit\u003e \u0026 \"more\""},"endsAt":"0001-01-01T00:00:00Z","fingerprint":"fa1f18494c760c21","generatorURL":"http://prom/graph?g0.expr=up\u0026g0.tab=1","labels":{"alertname":"Down","instance":"a","job":"node"},"startsAt":"2026-01-02T03:04:05.678Z","status":"firing"}],"num_firing":1,"num_resolved":1,"resolved":[{"annotations":{"summary":"\u003cit\u003e \u0026 \"more\""},"endsAt":"2026-01-02T03:30:00Z","fingerprint":"a267578ac33945e8","generatorURL":"http://prom/graph?g0.expr=up\u0026g0.tab=1","labels":{"alertname":"Down","instance":"b","job":"node"},"startsAt":"2026-01-02T03:04:05.678Z","status":"resolved"}]}},"client":"Alertmanager","client_url":"http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By"}
        => Delivered
    "#]],
    );
    check(
        &plain(routing()),
        &resolved(),
        &expect![[r#"
        Post https://events.example/v2/enqueue
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"routing_key":"r0uting-resolved","dedup_key":"af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e","event_action":"resolve","payload":{"summary":"[RESOLVED] Down (b node)","source":"Alertmanager","severity":"error","custom_details":{"firing":[],"num_firing":0,"num_resolved":1,"resolved":[{"annotations":{"summary":"\u003cit\u003e \u0026 \"more\""},"endsAt":"2026-01-02T03:30:00Z","fingerprint":"a267578ac33945e8","generatorURL":"http://prom/graph?g0.expr=up\u0026g0.tab=1","labels":{"alertname":"Down","instance":"b","job":"node"},"startsAt":"2026-01-02T03:04:05.678Z","status":"resolved"}]}},"client":"Alertmanager","client_url":"http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By"}
        => Delivered
    "#]],
    );
}

#[test]
fn version_1_gets_an_event() {
    check(
        &plain(service()),
        &both(),
        &expect![[r#"
        Post https://events.pagerduty.com/generic/2010-04-15/create_event.json
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"service_key":"s3rvice","incident_key":"af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e","event_type":"trigger","description":"[FIRING:1] Down (node)","event_action":"","payload":null,"client":"Alertmanager","client_url":"http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By","details":{"firing":[{"annotations":{"summary":"\u003cit\u003e \u0026 \"more\""},"endsAt":"0001-01-01T00:00:00Z","fingerprint":"fa1f18494c760c21","generatorURL":"http://prom/graph?g0.expr=up\u0026g0.tab=1","labels":{"alertname":"Down","instance":"a","job":"node"},"startsAt":"2026-01-02T03:04:05.678Z","status":"firing"}],"num_firing":1,"num_resolved":1,"resolved":[{"annotations":{"summary":"\u003cit\u003e \u0026 \"more\""},"endsAt":"2026-01-02T03:30:00Z","fingerprint":"a267578ac33945e8","generatorURL":"http://prom/graph?g0.expr=up\u0026g0.tab=1","labels":{"alertname":"Down","instance":"b","job":"node"},"startsAt":"2026-01-02T03:04:05.678Z","status":"resolved"}]}}
        => Delivered
    "#]],
    );
    check(
        &plain(service()),
        &resolved(),
        &expect![[r#"
        Post https://events.pagerduty.com/generic/2010-04-15/create_event.json
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"service_key":"s3rvice","incident_key":"af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e","event_type":"resolve","description":"[RESOLVED] Down (b node)","event_action":"","payload":null,"details":{"firing":[],"num_firing":0,"num_resolved":1,"resolved":[{"annotations":{"summary":"\u003cit\u003e \u0026 \"more\""},"endsAt":"2026-01-02T03:30:00Z","fingerprint":"a267578ac33945e8","generatorURL":"http://prom/graph?g0.expr=up\u0026g0.tab=1","labels":{"alertname":"Down","instance":"b","job":"node"},"startsAt":"2026-01-02T03:04:05.678Z","status":"resolved"}]}}
        => Delivered
    "#]],
    );
}

#[test]
fn version_2_gets_every_option() {
    let mut config = routing();
    config.description = text(&"é".repeat(1025));
    config.severity = text("{{ if true }}critical{{ end }}");
    config.source = text("s");
    config.class = text("c");
    config.component = text("co");
    config.group = text("g");
    config.timeout = Some(Duration::from_secs(3));
    config.details.clear();
    let nested = [
        (
            "list".to_owned(),
            Tree::List(vec![Tree::Int(1), Tree::Text(text("{{ .Status }}"))]),
        ),
        (
            "json".to_owned(),
            Tree::Text(text(r#"{"a": "1", "b": [true, "x"]}"#)),
        ),
        ("float".to_owned(), Tree::Float(2.0)),
    ];
    config
        .details
        .insert("nested".to_owned(), Tree::Map(nested.into()));
    let image = |src: &str| PagerDutyImage {
        src: text(src),
        alt: text("a"),
        href: text("http://h"),
    };
    config.images = vec![image(""), image("http://i")];
    let link = |href: &str| PagerDutyLink {
        href: text(href),
        text: text("t"),
    };
    config.links = vec![link("http://l"), link("")];
    let shown = transcript(&plain(config), &both(), &[], &[(202, &[], "")]);
    let shown = shown.replace(&"é".repeat(1023), "<1023 é>");
    expect![[r#"
        Post https://events.example/v2/enqueue within 3s
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"routing_key":"r0uting-firing","dedup_key":"af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e","event_action":"trigger","payload":{"summary":"<1023 é>…","source":"s","severity":"critical","class":"c","component":"co","group":"g","custom_details":{"nested":{"float":2,"json":{"a":1,"b":[true,"x"]},"list":[1,"firing"]}}},"client":"Alertmanager","client_url":"http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By","images":[{"src":"http://i","alt":"a","href":"http://h"}],"links":[{"href":"http://l","text":"t"}]}
        => Delivered
    "#]].assert_eq(&shown);
}

#[test]
fn details_that_are_too_long_are_left_out() {
    for config in [routing(), service()] {
        let mut config = config;
        let long = Tree::Text(text(&"x".repeat(512_000)));
        config.details.insert("long".to_owned(), long);
        let body = body(&plain(config), &both());
        assert!(
            body.len() < 2_000 && body.contains("Custom details have been removed"),
            "{body}"
        );
    }
}

#[test]
fn answers_mean_what_pagerduty_means_by_them() {
    let mut shown = String::new();
    let why = r#"{"status":"invalid event","message":"bad","errors":["a is missing","b"]}"#;
    for answer in [
        (202, "{}"),
        (400, why),
        (400, "<html>"),
        (403, "forbidden"),
        (429, "slower"),
        (500, ""),
    ] {
        let verdict = |config| verdict(&plain(config), &(answer.0, &[], answer.1));
        shown += &format!(
            "{answer:?}\n    v1: {:?}\n    v2: {:?}\n",
            verdict(service()),
            verdict(routing())
        );
    }
    expect![[r#"
        (202, "{}")
            v1: Delivered
            v2: Delivered
        (400, "{\"status\":\"invalid event\",\"message\":\"bad\",\"errors\":[\"a is missing\",\"b\"]}")
            v1: Rejected { why: "unexpected status code 400: bad: a is missing,b" }
            v2: Rejected { why: "unexpected status code 400: bad: a is missing,b" }
        (400, "<html>")
            v1: Rejected { why: "unexpected status code 400" }
            v2: Rejected { why: "unexpected status code 400" }
        (403, "forbidden")
            v1: Retry { why: "unexpected status code 403", after: None }
            v2: Rejected { why: "unexpected status code 403" }
        (429, "slower")
            v1: Rejected { why: "unexpected status code 429" }
            v2: Retry { why: "unexpected status code 429", after: None }
        (500, "")
            v1: Retry { why: "unexpected status code 500", after: None }
            v2: Retry { why: "unexpected status code 500", after: None }
    "#]].assert_eq(&shown);
}

#[test]
fn an_empty_key_is_refused() {
    let config = pagerduty(PagerDutyKey::Routing(
        SecretText::compile("{{ .CommonLabels.no }}").unwrap(),
    ));
    let integration: Integration = plain(config);
    check(
        &integration,
        &both(),
        &expect![[r#"
        the pagerduty notification cannot be sent: `routing_key` is empty once it is rendered
    "#]],
    );
}

/// What an alert says may come from anywhere: reading it on and on would exhaust the stack.
#[test]
fn texts_inside_of_texts_are_read_through_so_many_levels_only() {
    let nest = |text: &str| format!("{}{text}{}", "[".repeat(100), "]".repeat(100));
    let read = |levels: usize, inner: &str| {
        let mut alert = alert("a", None);
        let deep = format!("{}{inner}{}", "[".repeat(levels), "]".repeat(levels));
        alert.annotations = Labels::from_pairs([("deep", &*deep)]);
        let mut config = routing();
        config.details = [(
            "deep".to_owned(),
            Tree::Text(text("{{ .CommonAnnotations.deep }}")),
        )]
        .into();
        body(&plain(config), &notification(vec![alert]))
    };
    let quoted = format!("{:?}", nest("1"));
    assert!(!read(20, "\"[[1]]\"").contains("\"[["), "these are few");
    assert!(read(100, &quoted).contains("\"[["), "these are many");
}
