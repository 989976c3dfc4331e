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
    told(&twilio(), "sms", "+34 600 000-001", &expect![[r""]]);
    told(&twilio(), "phone", "+34600000001", &expect![[r""]]);
}

#[test]
fn chats_are_told_with_links() {
    told(&plain(slack()), "slack", "U042", &expect![[r""]]);
    let telegram = TelegramConfig::new("https://tg.example".to_owned(), Secret::new("b0t"), -7);
    told(&plain(telegram), "telegram", "42", &expect![[r""]]);
}

#[test]
fn phones_with_an_app_open_the_link() {
    let ntfy = plain(NtfyConfig::new("https://ntfy.example".to_owned()));
    told(&ntfy, "ntfy", "ana-{{secret}}", &expect![[r""]]);
    let secret = |text| SecretText::compile(text).unwrap();
    let pushover = plain(PushoverConfig::new(secret("team"), secret("app")));
    told(&pushover, "pushover", "uAna", &expect![[r""]]);
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
        &expect![[r""]],
    );
}

#[test]
fn several_pages_go_in_one_message() {
    let integration = aimed(&twilio(), "sms", "+34600000001").unwrap();
    let told = pages(vec![page("one"), page("two")]);
    check(&integration, &told, &expect![[r""]]);
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
