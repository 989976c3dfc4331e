//! Rocket.Chat.

use expect_test::expect;
use firebell_model::Secret;
use firebell_notify::{RocketchatAction, RocketchatConfig, SlackField};

use crate::harness::{Answer, both, plain, resolved, text, transcript, verdict};

const SENT: Answer<'_> = (200, &[], r#"{"success":true}"#);

fn rocketchat() -> RocketchatConfig {
    let url = "https://chat.example/".to_owned();
    RocketchatConfig::new(url, Secret::new("t0ken"), Secret::new("t0ken-id"))
}

#[test]
fn rocketchat_gets_one_attachment() {
    let mut config = rocketchat();
    config.channel = text("#{{ .Status }}");
    config.short_fields = true;
    config.fields = vec![SlackField {
        title: text("t"),
        value: text("v"),
        short: None,
    }];
    config.actions = vec![RocketchatAction {
        text: text("Go"),
        url: text("http://x"),
        ..RocketchatAction::default()
    }];
    let shown = transcript(&plain(config), &both(), &[], &[SENT]);
    let shown = shown + &transcript(&plain(rocketchat()), &resolved(), &[], &[SENT]);
    expect![[r##"
        Post https://chat.example/api/v1/chat.postMessage
        Content-Type: application/json
        X-Auth-Token: t0ken
        X-User-Id: t0ken-id
        User-Agent: Alertmanager/0.1.0

        {"channel":"#firing","attachments":[{"title":"[FIRING:1] Down (node)","title_link":"http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By","color":"red","fields":[{"short":true,"title":"t","value":"v"}],"actions":[{"type":"button","text":"Go","url":"http://x","is_webview":false,"msg_in_chat_window":false}]}]}
        => Delivered
        Post https://chat.example/api/v1/chat.postMessage
        Content-Type: application/json
        X-Auth-Token: t0ken
        X-User-Id: t0ken-id
        User-Agent: Alertmanager/0.1.0

        {"attachments":[{"title":"[RESOLVED] Down (b node)","title_link":"http://firebell.example/#/alerts?receiver=team%5C.x%5C%2By","color":"green"}]}
        => Delivered
    "##]].assert_eq(&shown);
}

#[test]
fn rocketchat_says_no_with_status_200_too() {
    let rocketchat = plain(rocketchat());
    let answers: [Answer<'_>; 4] = [
        (
            200,
            &[],
            r#"{"success":false,"error":"error-invalid-channel"}"#,
        ),
        (200, &[], "ok"),
        (401, &[], "t0ken is wrong"),
        (503, &[], ""),
    ];
    let shown = answers.map(|answer| format!("{:?}\n", verdict(&rocketchat, &answer)));
    expect![[r#"
        Rejected { why: "error response from Rocket.Chat: error-invalid-channel" }
        Retry { why: "could not read Rocket.Chat's answer as JSON: ok", after: None }
        Rejected { why: "unexpected status code 401: <secret> is wrong" }
        Retry { why: "unexpected status code 503", after: None }
    "#]]
    .assert_eq(&shown.concat());
}
