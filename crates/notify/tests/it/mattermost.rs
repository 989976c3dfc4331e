//! Mattermost.

use expect_test::expect;
use firebell_model::Secret;
use firebell_notify::{MattermostAttachment, MattermostConfig, MattermostPriority, SlackField};

use crate::harness::{URL, body, both, check, plain, resolved, text};

fn mattermost() -> MattermostConfig {
    MattermostConfig::new(Secret::new(URL))
}

#[test]
fn mattermost_gets_one_attachment_unless_several_are_configured() {
    check(
        &plain(mattermost()),
        &both(),
        &expect![[r#"
        Post https://hooks.example/services/T0/s3cr3t
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"username":"Alertmanager","attachments":[{"fallback":"[FIRING:1] Down (node) | http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By","color":"danger","text":"\n\n# Alerts Firing:\n\nLabels:\n  - alertname = Down\n  - instance = a\n  - job = node\n\nAnnotations:\n  - summary = \u003cit\u003e \u0026 \"more\"\n\nSource: http://prom/graph?g0.expr=up\u0026g0.tab=1\n\n\n\n\n# Alerts Resolved:\n\nLabels:\n  - alertname = Down\n  - instance = b\n  - job = node\n\nAnnotations:\n  - summary = \u003cit\u003e \u0026 \"more\"\n\nSource: http://prom/graph?g0.expr=up\u0026g0.tab=1\n\n\n\n","title":"[FIRING:1] Down (node)","title_link":"http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By"}]}
        => Delivered
    "#]],
    );
    let mut config = mattermost();
    config.attachment.text = text("above");
    config.attachments = vec![
        MattermostAttachment {
            text: text("{{ .Status }}"),
            author_name: text("me"),
            fields: vec![SlackField {
                title: text("t"),
                value: text("v"),
                short: Some(false),
            }],
            ..MattermostAttachment::default()
        },
        MattermostAttachment::default(),
    ];
    config.kind = text("custom_x");
    config.card = text("{{ .Status }}");
    config.channel = text("ops");
    check(
        &plain(config),
        &resolved(),
        &expect![[r#"
        Post https://hooks.example/services/T0/s3cr3t
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"text":"above","channel":"ops","username":"Alertmanager","attachments":[{"text":"resolved","author_name":"me","fields":[{"title":"t","value":"v","short":false}]},{}],"type":"custom_x","props":{"card":"resolved"}}
        => Delivered
    "#]],
    );
}

#[test]
fn a_priority_asks_only_for_what_it_allows() {
    let mut shown = String::new();
    for priority in ["Urgent", "important", "loud", ""] {
        let mut config = mattermost();
        config.attachments = vec![MattermostAttachment::default()];
        config.attachment.text = text("");
        config.priority = Some(MattermostPriority {
            priority: text(priority),
            requested_ack: true,
            persistent_notifications: true,
        });
        shown += &body(&plain(config), &both());
    }
    expect![[r#"
        {"username":"Alertmanager","attachments":[{}],"priority":{"priority":"urgent","requested_ack":true,"persistent_notifications":true}}
        {"username":"Alertmanager","attachments":[{}],"priority":{"priority":"important","requested_ack":true}}
        {"username":"Alertmanager","attachments":[{}],"priority":{"priority":"standard"}}
        {"username":"Alertmanager","attachments":[{}]}
    "#]].assert_eq(&shown);
}
