//! WeChat.

use expect_test::expect;
use firebell_notify::{SecretText, WechatConfig};

use crate::harness::{Answer, both, plain, resolved, text, transcript};

const TOKEN: Answer<'_> = (200, &[], r#"{"errcode":0,"access_token":"acc3ss"}"#);
const SENT: Answer<'_> = (200, &[], r#"{"errcode":0,"errmsg":"ok"}"#);

fn wechat() -> WechatConfig {
    let secret = SecretText::compile("s3cret {{ .Status }}").unwrap();
    let mut config = WechatConfig::new("https://we.example/cgi-bin/".to_owned(), secret);
    config.corp_id = text("c0rp");
    config.to_user = text("@all");
    config
}

#[test]
fn wechat_s_token_is_asked_for_once_until_it_is_refused() {
    let mut config = wechat();
    config.message = text("{{ .Status }}");
    config.is_markdown = true;
    let integration = plain(config);
    let expired: Answer<'_> = (
        200,
        &[],
        r#"{"errcode":42001,"errmsg":"access_token expired"}"#,
    );
    let mut shown = transcript(&integration, &both(), &[], &[TOKEN, SENT]);
    shown += "# again, and the token is old\n";
    shown += &transcript(&integration, &both(), &[], &[expired]);
    shown += "# and again\n";
    shown += &transcript(&integration, &resolved(), &[], &[TOKEN, SENT]);
    expect![[r#"
        Get https://we.example/cgi-bin/gettoken?corpid=c0rp&corpsecret=s3cret+firing
        User-Agent: Alertmanager/0.1.0


        Post https://we.example/cgi-bin/message/send?access_token=acc3ss
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"text":{"content":""},"touser":"@all","safe":"0","msgtype":"markdown","markdown":{"content":"firing"}}
        => Delivered
        # again, and the token is old
        Post https://we.example/cgi-bin/message/send?access_token=acc3ss
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"text":{"content":""},"touser":"@all","safe":"0","msgtype":"markdown","markdown":{"content":"firing"}}
        => Retry { why: "access_token expired", after: None }
        # and again
        Get https://we.example/cgi-bin/gettoken?corpid=c0rp&corpsecret=s3cret+resolved
        User-Agent: Alertmanager/0.1.0


        Post https://we.example/cgi-bin/message/send?access_token=acc3ss
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"text":{"content":""},"touser":"@all","safe":"0","msgtype":"markdown","markdown":{"content":"resolved"}}
        => Delivered
    "#]].assert_eq(&shown);
}

#[test]
fn wechat_s_default_message() {
    let shown = transcript(&plain(wechat()), &both(), &[], &[TOKEN, SENT]);
    expect![[r#"
        Get https://we.example/cgi-bin/gettoken?corpid=c0rp&corpsecret=s3cret+firing
        User-Agent: Alertmanager/0.1.0


        Post https://we.example/cgi-bin/message/send?access_token=acc3ss
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0

        {"text":{"content":"[FIRING:1] Down (node)\n\u003cit\u003e \u0026 \"more\"\nAlerts Firing:\nLabels:\n - alertname = Down\n - instance = a\n - job = node\nAnnotations:\n - summary = \u003cit\u003e \u0026 \"more\"\nSource: http://prom/graph?g0.expr=up\u0026g0.tab=1\n\nAlerts Resolved:\nLabels:\n - alertname = Down\n - instance = b\n - job = node\nAnnotations:\n - summary = \u003cit\u003e \u0026 \"more\"\nSource: http://prom/graph?g0.expr=up\u0026g0.tab=1\n\nAlertmanagerUrl:\nhttp://firebell.example/#/alerts?receiver=team%5C.x%5C%2By"},"touser":"@all","safe":"0","msgtype":"text","markdown":{"content":""}}
        => Delivered
    "#]].assert_eq(&shown);
}

#[test]
fn answers_of_wechat() {
    let last = |answers: &[Answer<'_>]| {
        let shown = transcript(&plain(wechat()), &both(), &[], answers);
        shown.lines().last().unwrap_or_default().to_owned() + "\n"
    };
    let shown = [
        last(&[(200, &[], r#"{"errcode":40013}"#)]),
        last(&[(500, &[], "oops")]),
        last(&[
            TOKEN,
            (
                200,
                &[],
                r#"{"errcode":81013,"errmsg":"user not found: acc3ss"}"#,
            ),
        ]),
        last(&[TOKEN, (404, &[], "")]),
        last(&[TOKEN, (200, &[], "<html>")]),
    ];
    expect![[r#"
        => Rejected { why: "invalid APISecret for CorpID: c0rp" }
        => Rejected { why: "could not read the answer with the token" }
        => Rejected { why: "user not found: <secret>" }
        => Retry { why: "unexpected status code 404", after: None }
        => Retry { why: "could not read WeChat's answer as JSON: <html>", after: None }
    "#]]
    .assert_eq(&shown.concat());
}
