//! Pages to people, by the accounts of receivers.

use expect_test::{Expect, expect};
use firebell_model::{Alert, Labels, Notification, Secret};
use firebell_notify::{
    Aim, Integration, NtfyConfig, PushoverConfig, SecretText, SlackConfig, TelegramConfig,
    TwilioConfig, WebhookConfig,
};

use crate::harness::{Answer, OK, alert, at, check, notification, plain, transcript};

fn page(title: &str) -> Alert {
    let url = |what: &str| format!("https://fb.example/a/{what}-t0ken");
    Alert {
        labels: Labels::from_pairs([
            ("alertname", title),
            ("severity", "sev1"),
            ("service", "pay"),
            ("incident", "INC-4"),
        ]),
        annotations: Labels::from_pairs([
            ("description", "open since 12:00 UTC".to_owned()),
            ("acknowledge", url("ack")),
            ("snooze", url("snooze")),
            ("hand_over", url("hand")),
            ("resolve", url("resolve")),
            (
                "incident",
                "https://fb.example/#/incidents/INC-4".to_owned(),
            ),
        ]),
        starts_at: at("2026-01-02T03:04:05Z"),
        generator_url: String::new(),
        ..alert("a", None)
    }
}

fn pages(alerts: Vec<Alert>) -> Notification {
    Notification {
        receiver: "ana".to_owned(),
        group_key: "page:ana".to_owned(),
        group_labels: Labels::from_pairs([("person", "ana"), ("why", "page")]),
        ..notification(alerts)
    }
}

fn aimed(integration: &Integration, by: &str, address: &str) -> Option<Integration> {
    let hidden = [address, "ack-t0ken"].map(Secret::new).to_vec();
    integration.aimed(&Aim { by, address }, hidden)
}

fn told(integration: &Integration, by: &str, address: &str, expected: &Expect) {
    let integration = aimed(integration, by, address).unwrap();
    check(
        &integration,
        &pages(vec![page("nobody can <pay> & \"go\"")]),
        expected,
    );
}

fn twilio() -> Integration {
    plain(TwilioConfig {
        from: "+15550100".to_owned(),
        ..TwilioConfig::new("AC1".to_owned(), Secret::new("s3cret"))
    })
}

fn slack() -> SlackConfig {
    SlackConfig {
        app_token: Some(Secret::new("xoxb-1")),
        ..SlackConfig::new(Secret::new("https://slack.example/api/chat.postMessage"))
    }
}

#[test]
fn phones_are_told_little() {
    told(
        &twilio(),
        "sms",
        "+34 600 000-001",
        &expect![[r#"
        Post https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json
        Content-Type: application/x-www-form-urlencoded
        Authorization: Basic QUMxOnMzY3JldA==
        User-Agent: Alertmanager/0.1.0

        To=%2B34600000001&From=%2B15550100&Body=sev1+nobody+can+%3Cpay%3E+%26+%22go%22+%28pay%29%0Ahttps%3A%2F%2Ffb.example%2Fa%2Fack-t0ken
        => Delivered
    "#]],
    );
    told(
        &twilio(),
        "phone",
        "+34600000001",
        &expect![[r#"
        Post https://api.twilio.com/2010-04-01/Accounts/AC1/Calls.json
        Content-Type: application/x-www-form-urlencoded
        Authorization: Basic QUMxOnMzY3JldA==
        User-Agent: Alertmanager/0.1.0

        To=%2B34600000001&From=%2B15550100&Twiml=%3CResponse%3E%3CSay+language%3D%22en-US%22+loop%3D%222%22%3EFirebell.+sev1+nobody+can+%26lt%3Bpay%26gt%3B+%26amp%3B+%26quot%3Bgo%26quot%3B+%28pay%29.%3C%2FSay%3E%3C%2FResponse%3E
        => Delivered
    "#]],
    );
}

#[test]
fn chats_are_told_with_links() {
    told(
        &plain(slack()),
        "slack",
        "U042",
        &expect![[r#"
        Post https://slack.example/api/chat.postMessage
        Content-Type: application/json
        Authorization: Bearer xoxb-1
        User-Agent: Alertmanager/0.1.0

        {"channel":"U042","username":"Alertmanager","attachments":[{"text":"*sev1* nobody can \u0026lt;pay\u0026gt; \u0026amp; \"go\" (pay)\nopen since 12:00 UTC\n\u003chttps://fb.example/a/ack-t0ken|Acknowledge\u003e | \u003chttps://fb.example/a/snooze-t0ken|Snooze for an hour\u003e | \u003chttps://fb.example/a/hand-t0ken|Hand over\u003e | \u003chttps://fb.example/a/resolve-t0ken|Resolve\u003e | \u003chttps://fb.example/#/incidents/INC-4|Incident\u003e\n","fallback":"sev1 nobody can \u003cpay\u003e \u0026 \"go\" (pay)","callback_id":"","footer":"","color":"danger","mrkdwn_in":["fallback","pretext","text"]}]}
        => Delivered
    "#]],
    );
    let telegram = TelegramConfig::new("https://tg.example".to_owned(), Secret::new("b0t"), -7);
    told(
        &plain(telegram),
        "telegram",
        "42",
        &expect![[r#"
        Post https://tg.example/botb0t/sendMessage
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"chat_id":"42","disable_web_page_preview":"true","text":"sev1 nobody can \u003cpay\u003e \u0026 \"go\" (pay)\nopen since 12:00 UTC\nAcknowledge: https://fb.example/a/ack-t0ken\nSnooze for an hour: https://fb.example/a/snooze-t0ken\nHand over: https://fb.example/a/hand-t0ken\nResolve: https://fb.example/a/resolve-t0ken\nIncident: https://fb.example/#/incidents/INC-4\n"}
        => Retry { why: "error response from Telegram (200): ok", after: None }
    "#]],
    );
}

/// Of one page whose answers are heard where it goes.
fn told_with_buttons(integration: &Integration, by: &str, address: &str, expected: &Expect) {
    let integration = aimed(integration, by, address).unwrap();
    let answered = |title: &str, reply: &str| {
        let mut page = page(title);
        let known = page.annotations.iter();
        let pairs = known.map(|it| (&*it.name, &*it.value));
        page.annotations = Labels::from_pairs(pairs.chain([("reply", reply)]));
        page
    };
    let one = pages(vec![answered("down", "4.2")]);
    check(&integration, &one, expected);
    // Of several pages it would not be clear which one a button means.
    let two = pages(vec![answered("down", "4.2"), answered("slow", "5.1")]);
    let told = transcript(&integration, &two, &[], &[OK]);
    assert!(
        !told.contains("4.2.a") && !told.contains("callback_data"),
        "{told}"
    );
}

#[test]
fn chats_that_are_heard_have_buttons() {
    told_with_buttons(
        &plain(slack()),
        "slack",
        "U042",
        &expect![[r#"
        Post https://slack.example/api/chat.postMessage
        Content-Type: application/json
        Authorization: Bearer xoxb-1
        User-Agent: Alertmanager/0.1.0

        {"channel":"U042","username":"Alertmanager","attachments":[{"text":"*sev1* down (pay)\nopen since 12:00 UTC\n\u003chttps://fb.example/a/ack-t0ken|Acknowledge\u003e | \u003chttps://fb.example/a/snooze-t0ken|Snooze for an hour\u003e | \u003chttps://fb.example/a/hand-t0ken|Hand over\u003e | \u003chttps://fb.example/a/resolve-t0ken|Resolve\u003e | \u003chttps://fb.example/#/incidents/INC-4|Incident\u003e\n","fallback":"sev1 down (pay)","callback_id":"firebell","actions":[{"type":"button","text":"Acknowledge","name":"firebell","value":"4.2.a"},{"type":"button","text":"Snooze for an hour","name":"firebell","value":"4.2.s"},{"type":"button","text":"Resolve","name":"firebell","value":"4.2.r"}],"footer":"","color":"danger","mrkdwn_in":["fallback","pretext","text"]}]}
        => Delivered
    "#]],
    );
    let telegram = TelegramConfig::new("https://tg.example".to_owned(), Secret::new("b0t"), -7);
    told_with_buttons(
        &plain(telegram),
        "telegram",
        "42",
        &expect![[r#"
        Post https://tg.example/botb0t/sendMessage
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"chat_id":"42","disable_web_page_preview":"true","text":"sev1 down (pay)\nopen since 12:00 UTC\nAcknowledge: https://fb.example/a/ack-t0ken\nSnooze for an hour: https://fb.example/a/snooze-t0ken\nHand over: https://fb.example/a/hand-t0ken\nResolve: https://fb.example/a/resolve-t0ken\nIncident: https://fb.example/#/incidents/INC-4\n","reply_markup":{"inline_keyboard":[[{"text":"Acknowledge","callback_data":"4.2.a"},{"text":"Snooze for an hour","callback_data":"4.2.s"},{"text":"Resolve","callback_data":"4.2.r"}]]}}
        => Retry { why: "error response from Telegram (200): ok", after: None }
    "#]],
    );
}

#[test]
fn phones_with_an_app_open_the_link() {
    let ntfy = plain(NtfyConfig::new("https://ntfy.example".to_owned()));
    told(
        &ntfy,
        "ntfy",
        "ana-{{secret}}",
        &expect![[r#"
        Post https://ntfy.example
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"topic":"ana-{{secret}}","title":"sev1 nobody can \u003cpay\u003e \u0026 \"go\" (pay)","message":"sev1 nobody can \u003cpay\u003e \u0026 \"go\" (pay)\nopen since 12:00 UTC\nAcknowledge: https://fb.example/a/ack-t0ken\nSnooze for an hour: https://fb.example/a/snooze-t0ken\nHand over: https://fb.example/a/hand-t0ken\nResolve: https://fb.example/a/resolve-t0ken\nIncident: https://fb.example/#/incidents/INC-4\n","priority":4,"tags":["rotating_light"],"click":"https://fb.example/a/ack-t0ken"}
        => Delivered
    "#]],
    );
    let secret = |text| SecretText::compile(text).unwrap();
    let pushover = plain(PushoverConfig::new(secret("team"), secret("app")));
    told(
        &pushover,
        "pushover",
        "uAna",
        &expect![[r#"
        Post https://api.pushover.net/1/messages.json?device=&expire=3600&message=sev1+nobody+can+%3Cpay%3E+%26+%22go%22+%28pay%29%0Aopen+since+12%3A00+UTC%0AAcknowledge%3A+https%3A%2F%2Ffb.example%2Fa%2Fack-t0ken%0ASnooze+for+an+hour%3A+https%3A%2F%2Ffb.example%2Fa%2Fsnooze-t0ken%0AHand+over%3A+https%3A%2F%2Ffb.example%2Fa%2Fhand-t0ken%0AResolve%3A+https%3A%2F%2Ffb.example%2Fa%2Fresolve-t0ken%0AIncident%3A+https%3A%2F%2Ffb.example%2F%23%2Fincidents%2FINC-4&priority=1&retry=60&sound=&title=sev1+nobody+can+%3Cpay%3E+%26+%22go%22+%28pay%29&token=app&url=https%3A%2F%2Ffb.example%2Fa%2Fack-t0ken&url_title=Acknowledge&user=uAna
        Content-Type: text/plain
        User-Agent: Alertmanager/0.1.0


        => Delivered
    "#]],
    );
}

#[test]
fn a_webhook_gets_json() {
    let hook = plain(WebhookConfig::new(
        SecretText::compile("https://x.example").unwrap(),
    ));
    told(
        &hook,
        "webhook",
        "https://ana.example/hook",
        &expect![[r#"
            Post https://ana.example/hook
            Content-Type: application/json
            User-Agent: Alertmanager/0.1.0

            {"receiver":"ana","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"nobody can \u003cpay\u003e \u0026 \"go\"","incident":"INC-4","service":"pay","severity":"sev1"},"annotations":{"acknowledge":"https://fb.example/a/ack-t0ken","description":"open since 12:00 UTC","hand_over":"https://fb.example/a/hand-t0ken","incident":"https://fb.example/#/incidents/INC-4","resolve":"https://fb.example/a/resolve-t0ken","snooze":"https://fb.example/a/snooze-t0ken"},"startsAt":"2026-01-02T03:04:05Z","endsAt":"0001-01-01T00:00:00Z","generatorURL":"","fingerprint":"e9e323aadb5d7f9d"}],"notification_reason":"first notification","groupLabels":{"person":"ana","why":"page"},"commonLabels":{"alertname":"nobody can \u003cpay\u003e \u0026 \"go\"","incident":"INC-4","service":"pay","severity":"sev1"},"commonAnnotations":{"acknowledge":"https://fb.example/a/ack-t0ken","description":"open since 12:00 UTC","hand_over":"https://fb.example/a/hand-t0ken","incident":"https://fb.example/#/incidents/INC-4","resolve":"https://fb.example/a/resolve-t0ken","snooze":"https://fb.example/a/snooze-t0ken"},"routeLabels":{},"externalURL":"http://firebell.example","version":"4","groupKey":"page:ana","truncatedAlerts":0}
            => Delivered
        "#]],
    );
}

#[test]
fn several_pages_go_in_one_message() {
    let integration = aimed(&twilio(), "sms", "+34600000001").unwrap();
    let told = pages(vec![page("one"), page("two")]);
    check(
        &integration,
        &told,
        &expect![[r#"
        Post https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json
        Content-Type: application/x-www-form-urlencoded
        Authorization: Basic QUMxOnMzY3JldA==
        User-Agent: Alertmanager/0.1.0

        To=%2B34600000001&From=%2B15550100&Body=2+pages%3A+sev1+one+%28pay%29%0Ahttps%3A%2F%2Ffb.example%2Fa%2Fack-t0ken
        => Delivered
    "#]],
    );
}

#[test]
fn who_cannot_reach_somebody_says_so() {
    let hook = SlackConfig::new(Secret::new("https://hooks.slack.example/T0"));
    let telegram = TelegramConfig::new("https://tg.example".to_owned(), Secret::new("b0t"), -7);
    for (integration, by, address) in [
        (plain(hook), "slack", "U042"),
        (plain(slack()), "email", "ana@example.org"),
        (plain(telegram), "telegram", "@ana"),
        (twilio(), "email", "ana@example.org"),
    ] {
        let aimed = aimed(&integration, by, address);
        assert!(aimed.is_none(), "{by} {address}");
    }
}

#[test]
fn what_an_answer_echoes_is_hidden() {
    let integration = aimed(&twilio(), "sms", "+34600000001").unwrap();
    let echo: Answer<'_> = (400, &[], "no: +34600000001 https://fb.example/a/ack-t0ken");
    let told = transcript(&integration, &pages(vec![page("x")]), &[], &[echo]);
    let (_, verdict) = told.rsplit_once("=> ").unwrap();
    assert!(
        !verdict.contains("600000001") && !verdict.contains("t0ken"),
        "{verdict}"
    );
    let _ = OK;
}
