//! Discord.

use expect_test::expect;
use firebell_model::Secret;
use firebell_notify::DiscordConfig;

use crate::harness::{URL, body, both, check, plain, resolved, text};

#[test]
fn discord_gets_one_embed() {
    let discord = || DiscordConfig::new(Secret::new(URL));
    check(
        &plain(discord()),
        &both(),
        &expect![[r#"
        Post https://hooks.example/services/T0/s3cr3t
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"content":"","embeds":[{"title":"[FIRING:1] Down (node)","description":"\n\nAlerts Firing:\nLabels:\n - alertname = Down\n - instance = a\n - job = node\nAnnotations:\n - summary = \u003cit\u003e \u0026 \"more\"\nSource: http://prom/graph?g0.expr=up\u0026g0.tab=1\n\n\n\nAlerts Resolved:\nLabels:\n - alertname = Down\n - instance = b\n - job = node\nAnnotations:\n - summary = \u003cit\u003e \u0026 \"more\"\nSource: http://prom/graph?g0.expr=up\u0026g0.tab=1\n\n\n","color":10038562}]}
        => Delivered
    "#]],
    );
    let mut config = discord();
    config.content = text("{{ .Status }}");
    config.username = "me".to_owned();
    config.avatar_url = "https://a.example".to_owned();
    config.message = text("m");
    check(
        &plain(config),
        &resolved(),
        &expect![[r#"
        Post https://hooks.example/services/T0/s3cr3t
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"content":"resolved","embeds":[{"title":"[RESOLVED] Down (b node)","description":"m","color":3066993}],"username":"me","avatar_url":"https://a.example"}
        => Delivered
    "#]],
    );
    let mut long = discord();
    long.title = text(&"t".repeat(257));
    long.message = text(&"m".repeat(4097));
    long.content = text(&"c".repeat(2001));
    let body = body(&plain(long), &both());
    for (c, n_chars) in [("t", 256), ("m", 4096), ("c", 2000)] {
        let cut = format!("\"{}…\"", c.repeat(n_chars - 1));
        assert!(body.contains(&cut), "{body}");
    }
}
