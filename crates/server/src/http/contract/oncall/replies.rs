//! Answers to pages from chats, texts and mails, with requests as those send them.

use std::path::Path;
use std::sync::Arc;

use firebell_escalation::PageKey;
use firebell_model::hex;
use firebell_notify::{base64, hmac, hmac_sha1};
use serde_json::{Value, json};

use super::super::{Bell, CONFIG, options_in};
use crate::clock::Clock;
use crate::disk::FileDisk;
use crate::pages::links::Links;

const PATH: &str = "/api/firebell/v1/replies";

/// A server whose people are reached by chats, and that knows who signs.
async fn listening() -> Bell {
    listening_on(|_| {}).await
}

/// One whose data folder has something before it starts.
async fn listening_on(prepare: impl FnOnce(&Path)) -> Bell {
    let folder = tempfile::tempdir().unwrap();
    prepare(&options_in(folder.path()).data_dir);
    let bell = Bell::start_in(folder).await;
    let people = "ana: {phone: +34600000001, slack: U0ANA, telegram: '77'}";
    let config = CONFIG.replace("ana: {phone: +34600000001}", people);
    assert_ne!(config, CONFIG);
    let own = "external_url: https://bell.example\nreplies: {slack: {signing_secret: s3cret}, \
               telegram: {secret_token: t0ken}, twilio: {auth_token: a0th}, \
               mailgun: {signing_key: k3y}}";
    let file = bell.folder.path().join("firebell.yml");
    std::fs::write(file, format!("{config}\n{own}\n")).unwrap();
    let (status, _, body) = bell.send(bell.client.post(bell.url("/-/reload"))).await;
    assert_eq!(status, 200, "{body}");
    for title in ["one", "two"] {
        let opened = bell.client.post(bell.url("/api/firebell/v1/incidents"));
        let opened =
            opened.body(json!({"by": "zoe", "title": title, "service": title}).to_string());
        assert_eq!(bell.send(opened).await.0, 201);
    }
    bell.wait_for("/api/firebell/v1/pages", "INC-2").await;
    bell
}

/// Posts a body with headers; status and body of the answer.
async fn post(bell: &Bell, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let mut request = bell.client.post(bell.url(&format!("{PATH}/{path}")));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (status, _, body) = bell.send(request.body(body.to_owned())).await;
    (status, body)
}

async fn page(bell: &Bell, id: &str) -> Value {
    let (_, _, body) = bell.get(&format!("/api/firebell/v1/pages/{id}")).await;
    serde_json::from_str(&body).unwrap()
}

/// A press of a button, as Slack sends and signs it.
async fn press(bell: &Bell, user: &str, value: &str, secret: &str) -> (u16, String) {
    let at = (Clock::default().now().0 / 1_000).to_string();
    let payload = json!({"type": "interactive_message", "user": {"id": user},
        "actions": [{"name": "firebell", "type": "button", "value": value}]});
    let payload: String = payload
        .to_string()
        .bytes()
        .map(|it| format!("%{it:02X}"))
        .collect();
    let body = format!("payload={payload}");
    let said = format!("v0:{at}:{body}");
    let signature = format!("v0={}", hex(&hmac(secret.as_bytes(), said.as_bytes())));
    let headers = [
        ("X-Slack-Request-Timestamp", &*at),
        ("X-Slack-Signature", &*signature),
        ("Content-Type", "application/x-www-form-urlencoded"),
    ];
    post(bell, "slack", &headers, &body).await
}

/// The signature and the body of a text, as Twilio sends it.
fn text_message(id: &str, text: &str) -> (String, String) {
    let body = format!(
        "MessageSid={id}&From=%2B34600000001&Body={}",
        text.replace(' ', "+")
    );
    let said = format!("https://bell.example{PATH}/smsBody{text}From+34600000001MessageSid{id}");
    (base64(&hmac_sha1(b"a0th", said.as_bytes())), body)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_a_kill_cut_short_is_about_the_same_page_when_it_comes_again() {
    // Written down before they were acted on, and one of them after it.
    let bell = listening_on(|data| {
        let disk = Arc::new(FileDisk::open(data).unwrap());
        let (links, _) = Links::open(disk).unwrap();
        let now = Clock::default().now();
        let first = (PageKey(1), 1);
        links.note_begun(now, "twilio SM1", first).unwrap();
        links
            .note_begun(now, "twilio SM2", (PageKey(1), 9))
            .unwrap();
        links.note_begun(now, "twilio SM3", first).unwrap();
        links.note_done(now, "twilio SM3").unwrap();
    })
    .await;
    for (id, expected) in [
        ("SM4", "Say which page"),
        ("SM3", "heard before"),
        ("SM2", "This message is old"),
        ("SM1", "INC-1: Thank you"),
        ("SM1", "heard before"),
        ("SM5", "INC-2: Thank you"),
    ] {
        let (signature, body) = text_message(id, "ack");
        let signed = [("X-Twilio-Signature", &*signature)];
        let (status, said) = post(&bell, "sms", &signed, &body).await;
        assert!(status == 200 && said.contains(expected), "{id}: {said}");
    }
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_answered_from_chats_and_texts_by_who_is_reached_there() {
    let bell = listening().await;
    let run = page(&bell, "INC-1").await["run"].clone();
    let button = format!("1.{run}.a");
    assert_eq!(press(&bell, "U0ANA", &button, "other").await.0, 401);
    let (status, said) = press(&bell, "U0BEN", &button, "s3cret").await;
    assert!(
        status == 200 && said.contains("does not know you"),
        "{said}"
    );
    assert_eq!(page(&bell, "INC-1").await["acknowledged"], Value::Null);
    let (status, said) = press(&bell, "U0ANA", &button, "s3cret").await;
    assert!(status == 200 && said.contains("INC-1: Thank you"), "{said}");
    assert_eq!(page(&bell, "INC-1").await["acknowledged"]["by"], "ana");
    let (_, said) = press(&bell, "U0ANA", "1.99.r", "s3cret").await;
    assert!(said.contains("This message is old"), "{said}");

    let token = [("X-Telegram-Bot-Api-Secret-Token", "t0ken")];
    let update = |number: u32, data: &str| {
        json!({"update_id": number, "callback_query": {"id": "q", "from": {"id": 77},
            "message": {"chat": {"id": 77}}, "data": data}})
        .to_string()
    };
    let run = page(&bell, "INC-2").await["run"].clone();
    let snooze = update(1, &format!("2.{run}.s"));
    assert_eq!(post(&bell, "telegram", &[], &snooze).await.0, 401);
    let (status, said) = post(&bell, "telegram", &token, &snooze).await;
    assert!(
        status == 200 && said.contains("answerCallbackQuery"),
        "{said}"
    );
    let until = page(&bell, "INC-2").await["snoozedUntil"].clone();
    assert_ne!(until, Value::Null);
    // Heard twice, it does something once.
    let (_, said) = post(&bell, "telegram", &token, &snooze).await;
    assert!(said.contains("heard before"), "{said}");
    assert_eq!(page(&bell, "INC-2").await["snoozedUntil"], until);

    let (signature, body) = text_message("SM1", "resolve 2");
    let signed = [("X-Twilio-Signature", &*signature)];
    let forged = body.replace("resolve+2", "resolve+1");
    assert_eq!(post(&bell, "sms", &signed, &forged).await.0, 401);
    let (status, said) = post(&bell, "sms", &signed, &body).await;
    assert_eq!(status, 200, "{said}");
    assert!(
        said.starts_with("<Response><Message>INC-2: Thank you"),
        "{said}"
    );
    assert_eq!(page(&bell, "INC-2").await["isOpen"], false);
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_mail_answers_what_it_quotes_and_nothing_else() {
    let bell = listening().await;
    let mail = |token: &str, quoted: &str| {
        let at = Clock::default().now().0 / 1_000;
        let signature = hex(&hmac(b"k3y", format!("{at}{token}").as_bytes()));
        format!(
            "sender=ben%40s3cret.example&timestamp={at}&token={token}&signature={signature}&\
             stripped-text=ack&body-plain=ack%0A{quoted}"
        )
    };
    let (status, said) = post(&bell, "mail", &[], &mail("one", "")).await;
    assert!(
        status == 406 && said.contains("does not quote"),
        "{status} {said}"
    );
    let forged = "https://bell.example/a/1.1.a.9999999999.ben.00000000000000000000000000000000";
    let (status, said) = post(&bell, "mail", &[], &mail("two", forged)).await;
    assert!(
        status == 406 && said.contains("does not quote"),
        "{status} {said}"
    );
    let unsigned = mail("three", "").replace("token=three", "token=four");
    assert_eq!(post(&bell, "mail", &[], &unsigned).await.0, 401);
    assert_eq!(page(&bell, "INC-1").await["acknowledged"], Value::Null);
    bell.server.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_listened_to_who_is_not_named() {
    let bell = Bell::start().await;
    for path in ["slack", "telegram", "sms", "mail"] {
        let (status, said) = post(&bell, path, &[], "{}").await;
        assert_eq!(status, 401, "{said}");
        assert!(said.contains("`replies`"), "{said}");
    }
    bell.server.stop().await.unwrap();
}
