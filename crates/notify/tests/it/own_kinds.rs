//! The kinds that Alertmanager does not have.

use expect_test::expect;
use firebell_model::Secret;
use firebell_notify::{
    DingTalkConfig, GoogleChatConfig, GotifyConfig, MatrixConfig, NtfyConfig, TwilioConfig,
    ZulipConfig,
};

use crate::harness::{Answer, OK, both, check, plain, resolved, text, transcript, verdict};

fn secret() -> Secret {
    Secret::new("s3cret")
}

#[test]
fn googlechat_gets_a_thread_per_group() {
    let url = "https://chat.example/v1/spaces/A/messages?key=k&token=t0ken";
    check(
        &plain(GoogleChatConfig::new(Secret::new(url))),
        &both(),
        &expect![[r#"
            Post https://chat.example/v1/spaces/A/messages?key=k&token=t0ken&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD
            Content-Type: application/json
            User-Agent: Alertmanager/0.1.0

            {"text":"*[FIRING] Down: \u0026lt;it\u0026gt; \u0026amp; \"more\"*\n*Where:* job=node\n*Firing: 1*\n```\ninstance  since\na         03:04\n```\n*Resolved: 1*\n```\ninstance  since\nb         03:04\n```\n\u003chttp://prom/graph?g0.expr=up\u0026g0.tab=1|Graph\u003e | \u003chttp://firebell.example/#/alerts?receiver=team%5C.x%5C%2By|Alert\u003e | \u003chttp://firebell.example/#/silences/new?filter=%7Balertname%3D%22Down%22%2C+job%3D%22node%22%7D|Silence\u003e","thread":{"threadKey":"af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e"}}
            => Delivered
        "#]],
    );
    let mut config = GoogleChatConfig::new(Secret::new(url));
    config.threads = false;
    config.message = text("{{ .Status }}");
    check(
        &plain(config),
        &resolved(),
        &expect![[r#"
        Post https://chat.example/v1/spaces/A/messages?key=k&token=t0ken
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"text":"resolved"}
        => Delivered
    "#]],
    );
}

#[test]
fn ntfy_gets_json() {
    let mut config = NtfyConfig::new("https://ntfy.example".to_owned());
    config.topic = text("ops");
    config.token = Some(secret());
    check(
        &plain(config.clone()),
        &both(),
        &expect![[r#"
            Post https://ntfy.example
            Content-Type: application/json
            Authorization: Bearer s3cret
            User-Agent: Alertmanager/0.1.0

            {"topic":"ops","title":"[FIRING] Down: \u003cit\u003e \u0026 \"more\"","message":"Where: job=node\n\nFiring: 1\ninstance  since\na         03:04\n\nResolved: 1\ninstance  since\nb         03:04\n\nGraph: http://prom/graph?g0.expr=up\u0026g0.tab=1\nAlert: http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By\nSilence: http://firebell.example/#/silences/new?filter=%7Balertname%3D%22Down%22%2C+job%3D%22node%22%7D","priority":4,"tags":["rotating_light"],"click":"http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By"}
            => Delivered
        "#]],
    );
    config.priority = text("loud");
    config.tags = text(" a, ,b");
    config.message = text("m");
    config.click = text("");
    config.token = None;
    check(
        &plain(config),
        &resolved(),
        &expect![[r#"
            Post https://ntfy.example
            Content-Type: application/json
            User-Agent: Alertmanager/0.1.0

            {"topic":"ops","title":"[RESOLVED] Down: \u003cit\u003e \u0026 \"more\"","message":"m","tags":["a","b"]}
            => Delivered
        "#]],
    );
}

#[test]
fn gotify_gets_json() {
    let config = GotifyConfig::new("https://gotify.example/".to_owned(), secret());
    check(
        &plain(config),
        &both(),
        &expect![[r#"
            Post https://gotify.example/message
            Content-Type: application/json
            X-Gotify-Key: s3cret
            User-Agent: Alertmanager/0.1.0

            {"title":"[FIRING] Down: \u003cit\u003e \u0026 \"more\"","message":"Where: job=node\n\nFiring: 1\ninstance  since\na         03:04\n\nResolved: 1\ninstance  since\nb         03:04\n\nGraph: http://prom/graph?g0.expr=up\u0026g0.tab=1\nAlert: http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By\nSilence: http://firebell.example/#/silences/new?filter=%7Balertname%3D%22Down%22%2C+job%3D%22node%22%7D","priority":8}
            => Delivered
        "#]],
    );
}

#[test]
fn matrix_gets_a_message_that_may_be_sent_twice() {
    let mut config = MatrixConfig::new("https://matrix.example".to_owned(), secret());
    config.room_id = text("!a/b:matrix.example");
    let matrix = plain(config);
    check(
        &matrix,
        &both(),
        &expect![[r#"
            Put https://matrix.example/_matrix/client/v3/rooms/%21a%2Fb:matrix.example/send/m.room.message/af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e-1767326400000
            Content-Type: application/json
            Authorization: Bearer s3cret
            User-Agent: Alertmanager/0.1.0

            {"msgtype":"m.text","body":"[FIRING] Down: \u003cit\u003e \u0026 \"more\"\nWhere: job=node\n\nFiring: 1\ninstance  since\na         03:04\n\nResolved: 1\ninstance  since\nb         03:04\n\nGraph: http://prom/graph?g0.expr=up\u0026g0.tab=1\nAlert: http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By\nSilence: http://firebell.example/#/silences/new?filter=%7Balertname%3D%22Down%22%2C+job%3D%22node%22%7D"}
            => Delivered
        "#]],
    );
    let limited: Answer<'_> = (
        429,
        &[],
        r#"{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":1500}"#,
    );
    expect![[r#"Retry { why: "unexpected status code 429: {\"errcode\":\"M_LIMIT_EXCEEDED\",\"retry_after_ms\":1500}", after: Some(Duration(1500)) }"#]].assert_eq(&format!("{:?}", verdict(&matrix, &limited)));
}

/// The signature was checked with another implementation (Python's hmac).
#[test]
fn dingtalk_gets_a_signed_message() {
    let url = "https://oapi.example/robot/send?access_token=t0ken";
    let mut config = DingTalkConfig::new(Secret::new(url));
    config.secret = Some(secret());
    config.at_mobiles = vec!["123".to_owned()];
    let dingtalk = plain(config);
    let mut shown = transcript(&dingtalk, &both(), &[], &[(200, &[], r#"{"errcode":0}"#)]);
    let answers: [Answer<'_>; 3] = [
        (200, &[], r#"{"errcode":310000,"errmsg":"sign not match"}"#),
        (200, &[], r#"{"errcode":130101,"errmsg":"too fast"}"#),
        (200, &[], "t0ken?"),
    ];
    for answer in answers {
        shown += &format!("{:?}\n", verdict(&dingtalk, &answer));
    }
    expect![[r#"
        Post https://oapi.example/robot/send?access_token=t0ken&timestamp=1767326400000&sign=fNXcgH750GQxSolo5JOkDYq36hs%2BFnE2i9cZfVkZkm8%3D
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"msgtype":"markdown","markdown":{"title":"[FIRING] Down: \u003cit\u003e \u0026 \"more\"","text":"**\\[FIRING\\] Down: \\\u003cit\\\u003e \u0026 \"more\"**\n\n**Where:** job=node  \n\n**Firing: 1**\n```\ninstance  since\na         03:04\n```\n**Resolved: 1**\n```\ninstance  since\nb         03:04\n```\n[Graph](http://prom/graph?g0.expr=up\u0026g0.tab=1) | [Alert](http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By) | [Silence](http://firebell.example/#/silences/new?filter=%7Balertname%3D%22Down%22%2C+job%3D%22node%22%7D)@123"},"at":{"atMobiles":["123"],"isAtAll":false}}
        => Delivered
        Rejected { why: "error 310000 from DingTalk: sign not match" }
        Retry { why: "error 130101 from DingTalk: too fast", after: None }
        Retry { why: "could not read DingTalk's answer as JSON: t0ken?", after: None }
    "#]].assert_eq(&shown);
}

#[test]
fn zulip_gets_a_form() {
    let email = "bot@example.org".to_owned();
    let mut config = ZulipConfig::new("https://zulip.example".to_owned(), email, secret());
    config.channel = text("ops");
    config.message = text("{{ .Status }}");
    check(
        &plain(config),
        &both(),
        &expect![[r#"
        Post https://zulip.example/api/v1/messages
        Content-Type: application/x-www-form-urlencoded
        Authorization: Basic Ym90QGV4YW1wbGUub3JnOnMzY3JldA==
        User-Agent: Alertmanager/0.1.0

        type=stream&to=ops&topic=Down&content=firing
        => Delivered
    "#]],
    );
}

#[test]
fn twilio_sends_or_calls() {
    let mut shown = String::new();
    for calls in [false, true] {
        let mut config = TwilioConfig::new("AC1".to_owned(), secret());
        config.from = "+1".to_owned();
        config.to = text("+49");
        config.calls = calls;
        config.message = text("<{{ .Status }}> & \"more\"");
        shown += &transcript(&plain(config), &both(), &[], &[OK]);
    }
    expect![[r#"
        Post https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json
        Content-Type: application/x-www-form-urlencoded
        Authorization: Basic QUMxOnMzY3JldA==
        User-Agent: Alertmanager/0.1.0

        To=%2B49&From=%2B1&Body=%3Cfiring%3E+%26+%22more%22
        => Delivered
        Post https://api.twilio.com/2010-04-01/Accounts/AC1/Calls.json
        Content-Type: application/x-www-form-urlencoded
        Authorization: Basic QUMxOnMzY3JldA==
        User-Agent: Alertmanager/0.1.0

        To=%2B49&From=%2B1&Twiml=%3CResponse%3E%3CSay+language%3D%22en-US%22+loop%3D%222%22%3E%26lt%3Bfiring%26gt%3B+%26amp%3B+%26quot%3Bmore%26quot%3B%3C%2FSay%3E%3C%2FResponse%3E
        => Delivered
    "#]].assert_eq(&shown);
}
