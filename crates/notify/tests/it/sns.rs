//! Amazon SNS.

use expect_test::expect;
use firebell_model::Secret;
use firebell_notify::{AwsSigner, SnsConfig};

use crate::harness::{Answer, body, both, check, plain, text, verdict};

fn sns() -> SnsConfig {
    SnsConfig::new(AwsSigner {
        region: "eu-central-1".to_owned(),
        access_key: Secret::new("AKIDEXAMPLE"),
        secret_key: Secret::new("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        session_token: None,
    })
}

/// The signatures were checked with another implementation (Python's hashlib and hmac).
#[test]
fn sns_gets_signed_requests() {
    let mut topic = sns();
    topic.topic_arn = text("arn:aws:sns:eu-central-1:1:ops.fifo");
    topic.message = text("{{ .Status }} é");
    topic.attributes = [("severity".to_owned(), text("{{ .Status }}"))].into();
    check(
        &plain(topic),
        &both(),
        &expect![[r#"
        Post https://sns.eu-central-1.amazonaws.com/
        Content-Type: application/x-www-form-urlencoded
        X-Amz-Date: 20260102T040000Z
        Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/eu-central-1/sns/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=53a7ff2b04433be3a353b7a006e865a20baf85490fef6a1078a7cef2c69ac97a
        User-Agent: Alertmanager/0.1.0

        Action=Publish&Version=2010-03-31&TopicArn=arn%3Aaws%3Asns%3Aeu-central-1%3A1%3Aops.fifo&MessageDeduplicationId=af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e&MessageGroupId=af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e&Subject=%5BFIRING%3A1%5D+Down+%28node%29&Message=firing+%C3%A9&MessageAttributes.entry.1.Name=severity&MessageAttributes.entry.1.Value.DataType=String&MessageAttributes.entry.1.Value.StringValue=firing
        => Delivered
    "#]],
    );
    let mut phone = sns();
    phone.api_url = text("http://localhost:4566");
    phone.signer.session_token = Some(Secret::new("s3ssion"));
    phone.phone_number = text("+4930");
    phone.subject = text("");
    phone.message = text("m");
    check(
        &plain(phone),
        &both(),
        &expect![[r#"
        Post http://localhost:4566/
        Content-Type: application/x-www-form-urlencoded
        X-Amz-Date: 20260102T040000Z
        X-Amz-Security-Token: s3ssion
        Authorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260102/eu-central-1/sns/aws4_request, SignedHeaders=content-type;host;x-amz-date;x-amz-security-token, Signature=04c491a2fae94e86fd3270692a10825a41dcde13a2b34f6aedde18874073495f
        User-Agent: Alertmanager/0.1.0

        Action=Publish&Version=2010-03-31&PhoneNumber=%2B4930&Message=m
        => Delivered
    "#]],
    );
}

#[test]
fn a_text_message_is_cut_and_says_so() {
    let mut phone = sns();
    phone.phone_number = text("+4930");
    phone.message = text(&"é".repeat(801));
    let body = body(&plain(phone), &both());
    assert_eq!(body.matches("%C3%A9").count(), 800);
    assert!(body.contains("entry.1.Name=truncated"), "{body}");
}

#[test]
fn a_refusal_of_sns_is_read() {
    let mut topic = sns();
    topic.topic_arn = text("arn");
    let said = "<ErrorResponse><Error><Code>X</Code><Message>no such topic</Message></Error>";
    let answers: [Answer<'_>; 3] = [(404, &[], said), (500, &[], said), (403, &[], "plain")];
    let topic = plain(topic);
    let shown = answers.map(|answer| format!("{:?}\n", verdict(&topic, &answer)));
    expect![[r#"
        Rejected { why: "unexpected status code 404: no such topic" }
        Retry { why: "unexpected status code 500: no such topic", after: None }
        Rejected { why: "unexpected status code 403: plain" }
    "#]]
    .assert_eq(&shown.concat());
}
