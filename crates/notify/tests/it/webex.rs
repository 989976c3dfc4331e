//! Webex.

use expect_test::expect;
use firebell_notify::WebexConfig;

use crate::harness::{body, both, check, plain, text};

#[test]
fn webex_gets_markdown_for_a_room() {
    let webex = || {
        let mut config = WebexConfig::new("https://webex.example/v1/messages".to_owned());
        config.room_id = text("room-{{ .Status }}");
        config
    };
    check(
        &plain(webex()),
        &both(),
        &expect![[r#"
        Post https://webex.example/v1/messages
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"markdown":"\u003cit\u003e \u0026 \"more\"\n\nAlerts Firing:\nLabels:\n - alertname = Down\n - instance = a\n - job = node\nAnnotations:\n - summary = \u003cit\u003e \u0026 \"more\"\nSource: http://prom/graph?g0.expr=up\u0026g0.tab=1\n\n\n\nAlerts Resolved:\nLabels:\n - alertname = Down\n - instance = b\n - job = node\nAnnotations:\n - summary = \u003cit\u003e \u0026 \"more\"\nSource: http://prom/graph?g0.expr=up\u0026g0.tab=1\n\n\n","roomId":"room-firing"}
        => Delivered
    "#]],
    );
    let mut long = webex();
    long.message = text(&"é".repeat(3720));
    let body = body(&plain(long), &both());
    assert!(
        body.contains(&format!("\"{}…\"", "é".repeat(3718))),
        "{body}"
    );
}
