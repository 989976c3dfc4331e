//! What answers mean, and that nothing in them or in errors shows a secret.

use expect_test::{Expect, expect};
use firebell_model::Secret;
use firebell_notify::{
    Assertion, ClientProof, HttpConfig, HttpResponse, Integration, OAuth2, SecretText,
    SignatureAlgorithm, SlackConfig, Step, Tree, Verdict, WebhookConfig,
};
use proptest::prelude::*;

use crate::harness::{
    Answer, URL, answered, begin, both, plain, response, text, transcript, verdict,
};

const TOKEN: &str = "Bearer t0k3n-value";

fn webhook() -> WebhookConfig {
    WebhookConfig::new(SecretText::compile(URL).unwrap())
}

fn slack() -> SlackConfig {
    SlackConfig::new(Secret::new(URL))
}

#[test]
fn what_cannot_be_rendered_says_which_option() {
    let mut bad_url = webhook();
    bad_url.url = SecretText::compile("{{ .CommonLabels.nope }}s3cr3t").unwrap();
    let mut bad_call = slack();
    bad_call.title = text("x {{ template \"nope\" . }}");
    let bad_slack = SlackConfig::new(Secret::new("ftp://s3cr3t"));
    let errors = [plain(bad_url), plain(bad_call), plain(bad_slack)]
        .map(|integration| begin(&integration, &both(), &[]).unwrap_err());
    expect![[r#"
        `url` of the webhook notification is no http or https address
        failed to render `title` of the slack notification: 1:6: at <template "nope">: template "nope" not defined
        `api_url` of the slack notification is no http or https address"#]].assert_eq(&errors.join("\n"));
}

fn check_answers(answers: &[Answer<'_>], expected: &Expect) {
    let (webhook, slack) = (plain(webhook()), plain(slack()));
    let mut shown = String::new();
    for answer in answers {
        let (status, headers, body) = answer;
        shown += &format!("{status} {headers:?} {body:?}\n");
        shown += &format!("    webhook: {:?}\n", verdict(&webhook, answer));
        shown += &format!("    slack: {:?}\n", verdict(&slack, answer));
    }
    expected.assert_eq(&shown);
}

#[test]
fn the_status_decides_what_happens_next() {
    check_answers(
        &[
            (204, &[], ""),
            (302, &[], ""),
            (400, &[], "bad\n  request\u{1b}[31m"),
            (404, &[], "no_team"),
            (429, &[("retry-after", "30")], "rate_limited"),
            (500, &[], ""),
        ],
        &expect![[r#"
            204 [] ""
                webhook: Delivered
                slack: Rejected { why: "received an error response from Slack: " }
            302 [] ""
                webhook: Rejected { why: "unexpected status code 302" }
                slack: Rejected { why: "unexpected status code 302" }
            400 [] "bad\n  request\u{1b}[31m"
                webhook: Rejected { why: "unexpected status code 400: bad request�[31m" }
                slack: Rejected { why: "unexpected status code 400: bad request�[31m" }
            404 [] "no_team"
                webhook: Rejected { why: "unexpected status code 404: no_team" }
                slack: Rejected { why: "unexpected status code 404: no_team" }
            429 [("retry-after", "30")] "rate_limited"
                webhook: Rejected { why: "unexpected status code 429: rate_limited" }
                slack: Retry { why: "unexpected status code 429: rate_limited", after: Some(Duration(30000)) }
            500 [] ""
                webhook: Retry { why: "unexpected status code 500", after: None }
                slack: Retry { why: "unexpected status code 500", after: None }
        "#]],
    );
}

#[test]
fn a_receiver_may_ask_for_time() {
    let date = ("Date", "Fri, 02 Jan 2026 04:00:00 GMT");
    let later = ("Retry-After", "Fri, 02 Jan 2026 04:01:30 GMT");
    check_answers(
        &[
            (503, &[("Retry-After", "86400")], "at most an hour"),
            (503, &[later, date], "a date"),
            (503, &[later], "a date that cannot be read"),
            (503, &[("Retry-After", "99999999999999999999")], ""),
            (503, &[("Retry-After", "soon")], ""),
        ],
        &expect![[r#"
            503 [("Retry-After", "86400")] "at most an hour"
                webhook: Retry { why: "unexpected status code 503: at most an hour", after: Some(Duration(3600000)) }
                slack: Retry { why: "unexpected status code 503: at most an hour", after: Some(Duration(3600000)) }
            503 [("Retry-After", "Fri, 02 Jan 2026 04:01:30 GMT"), ("Date", "Fri, 02 Jan 2026 04:00:00 GMT")] "a date"
                webhook: Retry { why: "unexpected status code 503: a date", after: Some(Duration(90000)) }
                slack: Retry { why: "unexpected status code 503: a date", after: Some(Duration(90000)) }
            503 [("Retry-After", "Fri, 02 Jan 2026 04:01:30 GMT")] "a date that cannot be read"
                webhook: Retry { why: "unexpected status code 503: a date that cannot be read", after: None }
                slack: Retry { why: "unexpected status code 503: a date that cannot be read", after: None }
            503 [("Retry-After", "99999999999999999999")] ""
                webhook: Retry { why: "unexpected status code 503", after: None }
                slack: Retry { why: "unexpected status code 503", after: None }
            503 [("Retry-After", "soon")] ""
                webhook: Retry { why: "unexpected status code 503", after: None }
                slack: Retry { why: "unexpected status code 503", after: None }
        "#]],
    );
}

#[test]
fn slack_says_no_with_status_200() {
    let json = ("Content-Type", "application/json; charset=utf-8");
    check_answers(
        &[
            (200, &[], "ok"),
            (200, &[], "invalid_payload"),
            (200, &[json], "{\"ok\":true,\"ts\":\"1.2\"}"),
            (
                200,
                &[json],
                "{\"ok\":false,\"error\":\"channel_not_found\"}",
            ),
            (200, &[json], "{}"),
            (200, &[json], "<html>"),
        ],
        &expect![[r#"
            200 [] "ok"
                webhook: Delivered
                slack: Delivered
            200 [] "invalid_payload"
                webhook: Delivered
                slack: Rejected { why: "received an error response from Slack: invalid_payload" }
            200 [("Content-Type", "application/json; charset=utf-8")] "{\"ok\":true,\"ts\":\"1.2\"}"
                webhook: Delivered
                slack: Delivered
            200 [("Content-Type", "application/json; charset=utf-8")] "{\"ok\":false,\"error\":\"channel_not_found\"}"
                webhook: Delivered
                slack: Rejected { why: "error response from Slack: channel_not_found" }
            200 [("Content-Type", "application/json; charset=utf-8")] "{}"
                webhook: Delivered
                slack: Rejected { why: "error response from Slack: " }
            200 [("Content-Type", "application/json; charset=utf-8")] "<html>"
                webhook: Delivered
                slack: Retry { why: "could not read Slack's answer as JSON: <html>", after: None }
        "#]],
    );
}

#[test]
fn no_secret_is_ever_shown() {
    let http = HttpConfig {
        authorization: Some(Secret::new(TOKEN)),
        headers: vec![
            ("X-Key".to_owned(), Secret::new("k3y-value")),
            ("X-Words".to_owned(), Secret::new("tw0  w0rds")),
            ("X-Long".to_owned(), Secret::new("l0ng".repeat(200))),
        ],
        ..HttpConfig::default()
    };
    let mut app = slack();
    app.app_token = Some(Secret::new("t0k3n-value"));
    // What is cut or written in one line is hidden before that.
    let long = "l0ng".repeat(200);
    let echo =
        format!("no {URL} /services/T0/s3cr3t {TOKEN} t0k3n-value k3y-value tw0  w0rds {long}");
    let answer = |status| Ok(response(&(status, &[], &echo)));
    let nothing = Err(format!("connection to {URL} refused"));
    for integration in [
        Integration::new(webhook(), true, http.clone()),
        Integration::new(app, true, http),
    ] {
        let step = begin(&integration, &both(), &[]).unwrap();
        let verdicts = [answer(500), answer(400), nothing.clone()];
        let verdicts = verdicts.map(|answer| answered(&integration, answer));
        let shown = format!("{integration:?} {step:?} {verdicts:?}");
        for secret in ["s3cr3t", "t0k3n", "k3y-value", "w0rds", "l0ng"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[test]
fn a_token_is_fetched_first_by_a_header_and_then_in_the_body() {
    let oauth2 = OAuth2 {
        client_id: "me &".to_owned(),
        proof: ClientProof::Password(Secret::new("s3cret")),
        scopes: vec!["a".to_owned(), "b".to_owned()],
        token_url: Secret::new("https://token.example/t"),
        params: [("audience".to_owned(), "x".to_owned())].into(),
    };
    let http = HttpConfig {
        oauth2: Some(oauth2),
        ..HttpConfig::default()
    };
    let mut config = webhook();
    config.payload = Some(Tree::Int(1));
    let integration = Integration::new(config, true, http);
    let token = (
        200,
        &[] as &[_],
        r#"{"access_token":"t0k3n","token_type":"bearer"}"#,
    );
    let no = (401, &[] as &[_], "s3cret is wrong");
    let mut shown = String::new();
    for answers in [
        &[token, (500, &[], "t0k3n")][..],
        &[no, token, (200, &[], "")],
        &[no, no],
    ] {
        shown += &transcript(&integration, &both(), &[], answers);
    }
    expect![[r#"
        Post https://token.example/t
        Content-Type: application/x-www-form-urlencoded
        Authorization: Basic bWUrJTI2OnMzY3JldA==

        audience=x&grant_type=client_credentials&scope=a+b
        Post https://hooks.example/services/T0/s3cr3t
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0
        Authorization: Bearer t0k3n

        1
        => Retry { why: "unexpected status code 500: <secret>", after: None }
        Post https://token.example/t
        Content-Type: application/x-www-form-urlencoded
        Authorization: Basic bWUrJTI2OnMzY3JldA==

        audience=x&grant_type=client_credentials&scope=a+b
        Post https://token.example/t
        Content-Type: application/x-www-form-urlencoded

        audience=x&client_id=me+%26&client_secret=s3cret&grant_type=client_credentials&scope=a+b
        Post https://hooks.example/services/T0/s3cr3t
        Content-Type: application/json
        User-Agent: Alertmanager/0.1.0
        Authorization: Bearer t0k3n

        1
        => Delivered
        Post https://token.example/t
        Content-Type: application/x-www-form-urlencoded
        Authorization: Basic bWUrJTI2OnMzY3JldA==

        audience=x&grant_type=client_credentials&scope=a+b
        Post https://token.example/t
        Content-Type: application/x-www-form-urlencoded

        audience=x&client_id=me+%26&client_secret=s3cret&grant_type=client_credentials&scope=a+b
        => Retry { why: "no token: unexpected status code 401", after: None }
    "#]]
    .assert_eq(&shown);
}

#[test]
fn an_echo_of_a_rendered_address_is_not_shown() {
    let mut config = webhook();
    config.url = SecretText::compile("http://hook/{{ .Status }}/s3cr3t").unwrap();
    let verdict = verdict(&plain(config), &(404, &[], "nothing at /firing/s3cr3t"));
    expect![[r#"Rejected { why: "unexpected status code 404: nothing at <secret>" }"#]]
        .assert_eq(&format!("{verdict:?}"));
}

proptest! {
    #[test]
    fn any_answer_gets_a_verdict(
        status in any::<u16>(),
        body in prop::collection::vec(any::<u8>(), 0..200),
        is_json in any::<bool>(),
        after in "\\PC{0,40}",
    ) {
        let kind = if is_json { "application/json" } else { "text/plain" };
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = vec![header("content-type", kind), header("retry-after", &after), header("date", &after)];
        let answer = HttpResponse { status, headers, body };
        _ = answered(&plain(webhook()), Ok(answer.clone()));
        _ = answered(&plain(slack()), Ok(answer));
    }
}

#[test]
fn what_a_key_signs_is_exchanged_for_a_token() {
    let assertion = Assertion {
        key: Secret::new("k3y"),
        key_id: String::new(),
        algorithm: SignatureAlgorithm::Rs256,
        claims: std::collections::BTreeMap::new(),
    };
    let oauth2 = OAuth2 {
        client_id: "me".to_owned(),
        proof: ClientProof::Signed(assertion.clone()),
        scopes: Vec::new(),
        token_url: Secret::new("https://token.example/t"),
        params: [("unused".to_owned(), "x".to_owned())].into(),
    };
    let http = HttpConfig {
        oauth2: Some(oauth2),
        ..HttpConfig::default()
    };
    let integration = Integration::new(webhook(), true, http);
    let begun = || match begin(&integration, &both(), &[]).unwrap() {
        Step::Sign(wanted, then) => {
            assert_eq!(wanted, assertion);
            then
        }
        step => panic!("{step:?}"),
    };
    let Step::Http(request, then) = begun()(Ok(Secret::new("a.b-_.c"))) else {
        panic!("nobody is asked");
    };
    assert_eq!(request.url.reveal(), "https://token.example/t");
    let expected =
        "assertion=a.b-_.c&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer";
    assert_eq!(request.body, expected);
    let token = (200, &[] as &[_], r#"{"access_token":"t0k3n"}"#);
    let Step::Http(request, _) = then(Ok(response(&token))) else {
        panic!("nobody is told");
    };
    let mut headers = request.headers.iter();
    assert!(
        headers.any(|(name, value)| name == "Authorization" && value.reveal() == "Bearer t0k3n")
    );
    let Step::Done(Verdict::Rejected { why }) = begun()(Err("it is no RSA key".to_owned())) else {
        panic!("it goes on");
    };
    assert_eq!(why, "no token: it is no RSA key");
}
