//! VictorOps, Pushover, Microsoft Teams.

use std::collections::BTreeMap;

use expect_test::expect;
use firebell_model::{Duration, Secret};
use firebell_notify::{
    MsTeamsConfig, MsTeamsV2Config, PushoverConfig, PushoverFormat, SecretText, VictorOpsConfig,
};

use crate::harness::{URL, both, check, plain, resolved, text, verdict};

fn victorops() -> VictorOpsConfig {
    let key = Secret::new("s3cr3t/k");
    VictorOpsConfig::new(
        key,
        "https://alert.example/x/".to_owned(),
        text("r {{ .Status }}?"),
    )
}

fn pushover() -> PushoverConfig {
    let secret = |text| SecretText::compile(text).unwrap();
    PushoverConfig::new(secret("us3r"), secret("t0ken"))
}

#[test]
fn victorops_gets_an_event() {
    check(
        &plain(victorops()),
        &both(),
        &expect![[r#"
        Post https://alert.example/x/s3cr3t/k/r%20firing%3F
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"entity_display_name":"[FIRING:1] Down (node)","entity_id":"af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e","message_type":"CRITICAL","monitoring_tool":"Alertmanager","state_message":"\u003cit\u003e \u0026 \"more\"\nAlerts Firing:\nLabels:\n - alertname = Down\n - instance = a\n - job = node\nAnnotations:\n - summary = \u003cit\u003e \u0026 \"more\"\nSource: http://prom/graph?g0.expr=up\u0026g0.tab=1\n\nAlerts Resolved:\nLabels:\n - alertname = Down\n - instance = b\n - job = node\nAnnotations:\n - summary = \u003cit\u003e \u0026 \"more\"\nSource: http://prom/graph?g0.expr=up\u0026g0.tab=1\n"}
        => Delivered
    "#]],
    );
    check(
        &plain(victorops()),
        &resolved(),
        &expect![[r#"
        Post https://alert.example/x/s3cr3t/k/r%20resolved%3F
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"entity_display_name":"[RESOLVED] Down (b node)","entity_id":"af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e","message_type":"RECOVERY","monitoring_tool":"Alertmanager","state_message":"\u003cit\u003e \u0026 \"more\"\n\nAlerts Resolved:\nLabels:\n - alertname = Down\n - instance = b\n - job = node\nAnnotations:\n - summary = \u003cit\u003e \u0026 \"more\"\nSource: http://prom/graph?g0.expr=up\u0026g0.tab=1\n"}
        => Delivered
    "#]],
    );
}

#[test]
fn victorops_gets_every_option() {
    let mut config = victorops();
    config.message_type = text("{{ if true }}WARNING{{ end }}");
    config.state_message = text(&"é".repeat(20_481));
    config.entity_display_name = text("e");
    config.monitoring_tool = text("m");
    config.custom_fields = BTreeMap::from([("team".to_owned(), text("{{ .Status }}"))]);
    let shown = crate::harness::body(&plain(config), &both());
    expect![[r#"
        {"entity_display_name":"e","entity_id":"af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e","message_type":"WARNING","monitoring_tool":"m","state_message":"<20479 é>…","team":"firing"}
    "#]].assert_eq(&shown.replace(&"é".repeat(20_479), "<20479 é>"));
    let mut config = victorops();
    config.message_type = text("unknown");
    assert!(crate::harness::body(&plain(config), &both()).contains("\"CRITICAL\""));
}

#[test]
fn pushover_gets_parameters() {
    check(
        &plain(pushover()),
        &both(),
        &expect![[r#"
        Post https://api.pushover.net/1/messages.json?device=&expire=3600&message=%3Cit%3E+%26+%22more%22%0A%0AAlerts+Firing%3A%0ALabels%3A%0A+-+alertname+%3D+Down%0A+-+instance+%3D+a%0A+-+job+%3D+node%0AAnnotations%3A%0A+-+summary+%3D+%3Cit%3E+%26+%22more%22%0ASource%3A+http%3A%2F%2Fprom%2Fgraph%3Fg0.expr%3Dup%26g0.tab%3D1%0A%0A%0A%0AAlerts+Resolved%3A%0ALabels%3A%0A+-+alertname+%3D+Down%0A+-+instance+%3D+b%0A+-+job+%3D+node%0AAnnotations%3A%0A+-+summary+%3D+%3Cit%3E+%26+%22more%22%0ASource%3A+http%3A%2F%2Fprom%2Fgraph%3Fg0.expr%3Dup%26g0.tab%3D1&priority=2&retry=60&sound=&title=%5BFIRING%3A1%5D+Down+%28node%29&token=t0ken&url=http%3A%2F%2Ffirebell.example%2F%23%2Falerts%3Freceiver%3Dteam%255C.x%255C%252By&url_title=&user=us3r
        Content-Type: text/plain
        User-Agent: Alertmanager/0.1.0


        => Delivered
    "#]],
    );
    check(
        &plain(pushover()),
        &resolved(),
        &expect![[r#"
        Post https://api.pushover.net/1/messages.json?device=&expire=3600&message=%3Cit%3E+%26+%22more%22%0A%0A%0AAlerts+Resolved%3A%0ALabels%3A%0A+-+alertname+%3D+Down%0A+-+instance+%3D+b%0A+-+job+%3D+node%0AAnnotations%3A%0A+-+summary+%3D+%3Cit%3E+%26+%22more%22%0ASource%3A+http%3A%2F%2Fprom%2Fgraph%3Fg0.expr%3Dup%26g0.tab%3D1&priority=0&retry=60&sound=&title=%5BRESOLVED%5D+Down+%28b+node%29&token=t0ken&url=http%3A%2F%2Ffirebell.example%2F%23%2Falerts%3Freceiver%3Dteam%255C.x%255C%252By&url_title=&user=us3r
        Content-Type: text/plain
        User-Agent: Alertmanager/0.1.0


        => Delivered
    "#]],
    );
}

#[test]
fn pushover_gets_every_option() {
    let mut config = pushover();
    config.title = text(&"é".repeat(251));
    config.message = text("  ");
    config.url = text("http://u/?a=1&b=~");
    config.url_title = text("ut");
    config.device = text("d");
    config.sound = text("s");
    config.priority = text("1");
    config.retry = Duration::from_secs(30);
    config.expire = Duration(1999);
    config.ttl = Duration::from_mins(2);
    config.format = PushoverFormat::Monospace;
    let shown = crate::harness::transcript(&plain(config), &both(), &[], &[crate::harness::OK]);
    expect![[r#"
        Post https://api.pushover.net/1/messages.json?device=d&expire=1&message=%28no+details%29&monospace=1&priority=1&retry=30&sound=s&title=<249 é>%E2%80%A6&token=t0ken&ttl=120&url=http%3A%2F%2Fu%2F%3Fa%3D1%26b%3D~&url_title=ut&user=us3r
        Content-Type: text/plain
        User-Agent: Alertmanager/0.1.0


        => Delivered
    "#]].assert_eq(&shown.replace(&"%C3%A9".repeat(249), "<249 é>"));
}

#[test]
fn teams_gets_a_card() {
    let v1 = || plain(MsTeamsConfig::new(Secret::new(URL)));
    check(
        &v1(),
        &both(),
        &expect![[r#"
        Post https://hooks.example/services/T0/s3cr3t
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"@context":"http://schema.org/extensions","type":"MessageCard","title":"[FIRING:1] Down (node)","summary":"[FIRING:1] Down (node)","text":"\n\n# Alerts Firing:\n\nLabels:\n  - alertname = Down\n  - instance = a\n  - job = node\n\nAnnotations:\n  - summary = \u003cit\u003e \u0026 \"more\"\n\nSource: http://prom/graph?g0.expr=up\u0026g0.tab=1\n\n\n\n\n# Alerts Resolved:\n\nLabels:\n  - alertname = Down\n  - instance = b\n  - job = node\n\nAnnotations:\n  - summary = \u003cit\u003e \u0026 \"more\"\n\nSource: http://prom/graph?g0.expr=up\u0026g0.tab=1\n\n\n\n","themeColor":"8C1A1A"}
        => Delivered
    "#]],
    );
    check(
        &v1(),
        &resolved(),
        &expect![[r#"
        Post https://hooks.example/services/T0/s3cr3t
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"@context":"http://schema.org/extensions","type":"MessageCard","title":"[RESOLVED] Down (b node)","summary":"[RESOLVED] Down (b node)","text":"\n\n\n# Alerts Resolved:\n\nLabels:\n  - alertname = Down\n  - instance = b\n  - job = node\n\nAnnotations:\n  - summary = \u003cit\u003e \u0026 \"more\"\n\nSource: http://prom/graph?g0.expr=up\u0026g0.tab=1\n\n\n\n","themeColor":"2DC72D"}
        => Delivered
    "#]],
    );
    let v2 = || plain(MsTeamsV2Config::new(Secret::new(URL)));
    check(
        &v2(),
        &both(),
        &expect![[r#"
        Post https://hooks.example/services/T0/s3cr3t
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null,"content":{"$schema":"http://adaptivecards.io/schemas/adaptive-card.json","type":"AdaptiveCard","version":"1.2","body":[{"type":"TextBlock","text":"[FIRING:1] Down (node)","weight":"Bolder","size":"Medium","wrap":true,"style":"heading","color":"Attention"},{"type":"TextBlock","text":"\n\n# Alerts Firing:\n\nLabels:\n  - alertname = Down\n  - instance = a\n  - job = node\n\nAnnotations:\n  - summary = \u003cit\u003e \u0026 \"more\"\n\nSource: http://prom/graph?g0.expr=up\u0026g0.tab=1\n\n\n\n\n# Alerts Resolved:\n\nLabels:\n  - alertname = Down\n  - instance = b\n  - job = node\n\nAnnotations:\n  - summary = \u003cit\u003e \u0026 \"more\"\n\nSource: http://prom/graph?g0.expr=up\u0026g0.tab=1\n\n\n\n","wrap":true}],"msteams":{"width":"full"}}}]}
        => Delivered
    "#]],
    );
    check(
        &v2(),
        &resolved(),
        &expect![[r#"
        Post https://hooks.example/services/T0/s3cr3t
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"type":"message","attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null,"content":{"$schema":"http://adaptivecards.io/schemas/adaptive-card.json","type":"AdaptiveCard","version":"1.2","body":[{"type":"TextBlock","text":"[RESOLVED] Down (b node)","weight":"Bolder","size":"Medium","wrap":true,"style":"heading","color":"Good"},{"type":"TextBlock","text":"\n\n\n# Alerts Resolved:\n\nLabels:\n  - alertname = Down\n  - instance = b\n  - job = node\n\nAnnotations:\n  - summary = \u003cit\u003e \u0026 \"more\"\n\nSource: http://prom/graph?g0.expr=up\u0026g0.tab=1\n\n\n\n","wrap":true}],"msteams":{"width":"full"}}}]}
        => Delivered
    "#]],
    );
}

#[test]
fn only_errors_of_the_server_are_tried_again() {
    let kinds = [
        plain(victorops()),
        plain(pushover()),
        plain(MsTeamsConfig::new(Secret::new(URL))),
        plain(MsTeamsV2Config::new(Secret::new(URL))),
    ];
    let mut shown = String::new();
    for status in [202, 400, 429, 502] {
        for kind in &kinds {
            // An echo of what is secret shows nothing.
            let answer = verdict(kind, &(status, &[], "no us3r, t0ken, s3cr3t/k here"));
            shown += &format!("{status} {}: {answer:?}\n", kind.kind());
        }
    }
    expect![[r#"
        202 victorops: Delivered
        202 pushover: Delivered
        202 msteams: Delivered
        202 msteamsv2: Delivered
        400 victorops: Rejected { why: "unexpected status code 400: no us3r, t0ken, <secret> here" }
        400 pushover: Rejected { why: "unexpected status code 400: no <secret>, <secret>, s3cr3t/k here" }
        400 msteams: Rejected { why: "unexpected status code 400: no us3r, t0ken, s3cr3t/k here" }
        400 msteamsv2: Rejected { why: "unexpected status code 400: no us3r, t0ken, s3cr3t/k here" }
        429 victorops: Rejected { why: "unexpected status code 429: no us3r, t0ken, <secret> here" }
        429 pushover: Rejected { why: "unexpected status code 429: no <secret>, <secret>, s3cr3t/k here" }
        429 msteams: Rejected { why: "unexpected status code 429: no us3r, t0ken, s3cr3t/k here" }
        429 msteamsv2: Rejected { why: "unexpected status code 429: no us3r, t0ken, s3cr3t/k here" }
        502 victorops: Retry { why: "unexpected status code 502: no us3r, t0ken, <secret> here", after: None }
        502 pushover: Retry { why: "unexpected status code 502: no <secret>, <secret>, s3cr3t/k here", after: None }
        502 msteams: Retry { why: "unexpected status code 502: no us3r, t0ken, s3cr3t/k here", after: None }
        502 msteamsv2: Retry { why: "unexpected status code 502: no us3r, t0ken, s3cr3t/k here", after: None }
    "#]].assert_eq(&shown);
}
