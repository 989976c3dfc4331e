//! Telegram.

use expect_test::expect;
use firebell_model::Secret;
use firebell_notify::{TelegramConfig, TelegramMarkup};

use crate::harness::{Answer, body, both, plain, resolved, text, transcript, verdict};

const SENT: Answer<'_> = (200, &[], r#"{"ok":true,"result":{"message_id":7}}"#);

fn telegram() -> TelegramConfig {
    TelegramConfig::new(
        "https://api.example".to_owned(),
        Secret::new("1:s3cr3t"),
        -100,
    )
}

#[test]
fn telegram_gets_html_whose_values_are_escaped() {
    let mut shown = transcript(&plain(telegram()), &both(), &[], &[SENT]);
    let mut linked = telegram();
    linked.message = text(
        "<a href=\"{{ (index .Alerts 0).GeneratorURL }}\">{{ .CommonAnnotations.summary }}</a>\
         {{ safeHtml \"<b>1 + 1</b>\" }}",
    );
    linked.message_thread_id = 7;
    linked.disable_notifications = true;
    shown += &transcript(&plain(linked), &resolved(), &[], &[SENT]);
    expect![[r#"
        Post https://api.example/bot1:s3cr3t/sendMessage
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"chat_id":"-100","disable_web_page_preview":"true","parse_mode":"HTML","text":"\n\nAlerts Firing:\nLabels:\n - alertname = Down\n - instance = a\n - job = node\nAnnotations:\n - summary = \u0026lt;it\u0026gt; \u0026amp; \u0026#34;more\u0026#34;\nSource: http://prom/graph?g0.expr=up\u0026amp;g0.tab=1\n\n\n\nAlerts Resolved:\nLabels:\n - alertname = Down\n - instance = b\n - job = node\nAnnotations:\n - summary = \u0026lt;it\u0026gt; \u0026amp; \u0026#34;more\u0026#34;\nSource: http://prom/graph?g0.expr=up\u0026amp;g0.tab=1\n\n\n"}
        => Delivered
        Post https://api.example/bot1:s3cr3t/sendMessage
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"chat_id":"-100","disable_notification":"true","disable_web_page_preview":"true","message_thread_id":"7","parse_mode":"HTML","text":"\u003ca href=\"http://prom/graph?g0.expr=up\u0026amp;g0.tab=1\"\u003e\u0026lt;it\u0026gt; \u0026amp; \u0026#34;more\u0026#34;\u003c/a\u003e\u003cb\u003e1 + 1\u003c/b\u003e"}
        => Delivered
    "#]].assert_eq(&shown);
}

#[test]
fn other_markup_is_sent_as_it_is_rendered() {
    let mut shown = String::new();
    for parse_mode in [TelegramMarkup::Plain, TelegramMarkup::MarkdownV2] {
        let mut config = telegram();
        config.message = text("{{ .CommonAnnotations.summary }}");
        config.parse_mode = parse_mode;
        shown += &body(&plain(config), &both());
    }
    expect![[r#"
        {"chat_id":"-100","disable_web_page_preview":"true","text":"\u003cit\u003e \u0026 \"more\""}
        {"chat_id":"-100","disable_web_page_preview":"true","parse_mode":"MarkdownV2","text":"\u003cit\u003e \u0026 \"more\""}
    "#]].assert_eq(&shown);
}

#[test]
fn what_is_too_long_is_cut_unless_it_is_html() {
    let body_of = |parse_mode, n_chars| {
        let mut config = telegram();
        config.message = text(&"é".repeat(n_chars));
        config.parse_mode = parse_mode;
        body(&plain(config), &both())
    };
    assert!(body_of(TelegramMarkup::Html, 4096).contains('é'));
    let instead = body_of(TelegramMarkup::Html, 4097);
    assert!(
        instead.contains("exceeds Telegram limits.\\n\\t\\t\\tPlease"),
        "{instead}"
    );
    let cut = format!("\"{}…\"", "é".repeat(4095));
    assert!(body_of(TelegramMarkup::Markdown, 4097).contains(&cut));
}

#[test]
fn every_refusal_is_tried_again() {
    let telegram = plain(telegram());
    let answers: [Answer<'_>; 3] = [
        (
            400,
            &[],
            r#"{"ok":false,"description":"Bad Request: chat not found"}"#,
        ),
        (
            429,
            &[],
            r#"{"ok":false,"description":"Too Many","parameters":{"retry_after":31}}"#,
        ),
        (502, &[], "<html> bot1:s3cr3t"),
    ];
    let shown = answers.map(|answer| format!("{:?}\n", verdict(&telegram, &answer)));
    expect![[r#"
        Retry { why: "error response from Telegram (400): Bad Request: chat not found", after: None }
        Retry { why: "error response from Telegram (429): Too Many", after: Some(Duration(31000)) }
        Retry { why: "error response from Telegram (502): <html> bot<secret>", after: None }
    "#]].assert_eq(&shown.concat());
}
