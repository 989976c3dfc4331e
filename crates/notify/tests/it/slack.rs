//! Slack.

use expect_test::expect;
use firebell_model::Secret;
use firebell_notify::{SlackAction, SlackConfig, SlackConfirm, SlackField};

use crate::harness::{Answer, OK, URL, body, both, check, plain, resolved, text, transcript};

fn slack() -> SlackConfig {
    SlackConfig::new(Secret::new(URL))
}

#[test]
fn slack_gets_one_attachment() {
    check(
        &plain(slack()),
        &both(),
        &expect![[r#"
        Post https://hooks.example/services/T0/s3cr3t
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"username":"Alertmanager","attachments":[{"title":"[FIRING:1] Down (node)","title_link":"http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By","text":"","fallback":"[FIRING:1] Down (node) | http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By","callback_id":"","footer":"","color":"danger","mrkdwn_in":["fallback","pretext","text"]}]}
        => Delivered
    "#]],
    );
    check(
        &plain(slack()),
        &resolved(),
        &expect![[r#"
        Post https://hooks.example/services/T0/s3cr3t
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"username":"Alertmanager","attachments":[{"title":"[RESOLVED] Down (b node)","title_link":"http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By","text":"","fallback":"[RESOLVED] Down (b node) | http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By","callback_id":"","footer":"","color":"good","mrkdwn_in":["fallback","pretext","text"]}]}
        => Delivered
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
        &plain(config),
        &both(),
        &expect![[r##"
        Post https://hooks.example/services/T0/s3cr3t
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"channel":"#down","username":"Alertmanager","icon_emoji":":fire:","link_names":true,"attachments":[{"title":"a b ","title_link":"http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By","text":"Labels:\n - alertname = Down\n - instance = a\n - job = node\nAnnotations:\n - summary = \u003cit\u003e \u0026 \"more\"\nSource: http://prom/graph?g0.expr=up\u0026g0.tab=1\n","fallback":"[FIRING:1] Down (node) | http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By","callback_id":"","fields":[{"title":"t","value":"firing","short":true},{"title":"t","value":"firing","short":false}],"actions":[{"type":"button","text":"Runbook","url":"http://r","confirm":{"text":"sure?"}}],"image_url":"http://img","thumb_url":"http://thumb","footer":"","color":"danger","mrkdwn_in":["text"]}]}
        => Delivered
    "##]],
    );
}

#[test]
fn a_long_title_is_cut() {
    let body_of = |n_chars| {
        let mut config = slack();
        config.title = text(&"é".repeat(n_chars));
        body(&plain(config), &both())
    };
    let cut = format!("\"title\":\"{}…\"", "é".repeat(1023));
    assert!(body_of(1025).contains(&cut));
    assert!(body_of(1024).contains(&"é".repeat(1024)) && !body_of(1024).contains('…'));
}

#[test]
fn a_message_of_an_app_is_changed_in_place_or_answered() {
    let known = [("threadTs", "17.5"), ("channelId", "C7")];
    let json = ("Content-Type", "application/json; charset=utf-8");
    let sent: Answer<'_> = (200, &[json], r#"{"ok":true,"channel":"C7","ts":"17.5"}"#);
    let mut shown = String::new();
    for (updates_message, posts_to_thread) in [(true, false), (false, true), (true, true)] {
        let mut config = SlackConfig::new(Secret::new("https://slack.com/api/chat.postMessage"));
        config.app_token = Some(Secret::new("xoxb-1"));
        config.channel = text("#ops");
        config.title = text("{{ .Status }}");
        config.fallback = text("");
        config.title_link = text("");
        config.updates_message = updates_message;
        config.posts_to_thread = posts_to_thread;
        let integration = plain(config);
        shown += &format!("# updates: {updates_message}, threads: {posts_to_thread}; first\n");
        shown += &transcript(&integration, &both(), &[], &[sent]);
        shown += "# and again\n";
        shown += &transcript(&integration, &resolved(), &known, &[sent, sent]);
    }
    expect![[r##"
        # updates: true, threads: false; first
        Post https://slack.com/api/chat.postMessage
        Content-Type: application/json
        Authorization: Bearer xoxb-1
        User-Agent: Alertmanager/0.1.0

        {"channel":"#ops","username":"Alertmanager","attachments":[{"title":"firing","text":"","fallback":"","callback_id":"","footer":"","color":"danger","mrkdwn_in":["fallback","pretext","text"]}]}
        => DeliveredAs({"channelId": "C7", "threadTs": "17.5"})
        # and again
        Post https://slack.com/api/chat.update
        Content-Type: application/json
        Authorization: Bearer xoxb-1
        User-Agent: Alertmanager/0.1.0

        {"channel":"C7","ts":"17.5","username":"Alertmanager","attachments":[{"title":"resolved","text":"","fallback":"","callback_id":"","footer":"","color":"good","mrkdwn_in":["fallback","pretext","text"]}]}
        => Delivered
        # updates: false, threads: true; first
        Post https://slack.com/api/chat.postMessage
        Content-Type: application/json
        Authorization: Bearer xoxb-1
        User-Agent: Alertmanager/0.1.0

        {"channel":"#ops","username":"Alertmanager","attachments":[{"title":"firing","text":"","fallback":"","callback_id":"","footer":"","color":"danger","mrkdwn_in":["fallback","pretext","text"]}]}
        => DeliveredAs({"channelId": "C7", "threadTs": "17.5"})
        # and again
        Post https://slack.com/api/chat.postMessage
        Content-Type: application/json
        Authorization: Bearer xoxb-1
        User-Agent: Alertmanager/0.1.0

        {"channel":"C7","thread_ts":"17.5","username":"Alertmanager","attachments":[{"title":"resolved","text":"","fallback":"","callback_id":"","footer":"","color":"good","mrkdwn_in":["fallback","pretext","text"]}]}
        => Delivered
        # updates: true, threads: true; first
        Post https://slack.com/api/chat.postMessage
        Content-Type: application/json
        Authorization: Bearer xoxb-1
        User-Agent: Alertmanager/0.1.0

        {"channel":"#ops","username":"Alertmanager","attachments":[{"title":"firing","text":"","fallback":"","callback_id":"","footer":"","color":"danger","mrkdwn_in":["fallback","pretext","text"]}]}
        => DeliveredAs({"channelId": "C7", "threadTs": "17.5"})
        # and again
        Post https://slack.com/api/chat.update
        Content-Type: application/json
        Authorization: Bearer xoxb-1
        User-Agent: Alertmanager/0.1.0

        {"channel":"C7","ts":"17.5","username":"Alertmanager","attachments":[{"title":"resolved","text":"","fallback":"","callback_id":"","footer":"","color":"good","mrkdwn_in":["fallback","pretext","text"]}]}
        Post https://slack.com/api/chat.postMessage
        Content-Type: application/json
        Authorization: Bearer xoxb-1
        User-Agent: Alertmanager/0.1.0

        {"channel":"C7","thread_ts":"17.5","username":"Alertmanager","attachments":[{"title":"resolved","text":"","fallback":"","callback_id":"","footer":"","color":"good","mrkdwn_in":["fallback","pretext","text"]}]}
        => Delivered
    "##]].assert_eq(&shown);
}

#[test]
fn a_webhook_of_slack_remembers_nothing() {
    let shown = transcript(&plain(slack()), &both(), &[("threadTs", "1")], &[OK]);
    assert!(
        shown.ends_with("=> Delivered\n") && !shown.contains("\"ts\":"),
        "{shown}"
    );
}
