//! `exec_configs`, and what people are shown of a delivery before it is made.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use expect_test::expect;
use firebell_model::Secret;
use firebell_notify::{
    Context, ExecConfig, ExecExit, Integration, PagerDutyConfig, PagerDutyKey, SecretText, Step,
    WebhookConfig,
};
use firebell_template::NotificationTemplates;

use crate::harness::{begin, both, plain, resolved, said, text};

fn page() -> Integration {
    plain(ExecConfig {
        command: "/usr/local/bin/page".to_owned(),
        args: vec![text("--to"), text("{{ .Status }}; $(id)")],
        env: BTreeMap::from([("TOKEN".to_owned(), Secret::new("t0ken"))]),
        timeout: None,
    })
}

#[test]
fn a_program_gets_arguments_and_the_message_of_webhooks() {
    let Step::Exec(command, _) = begin(&page(), &resolved(), &[]).unwrap() else {
        panic!("no program");
    };
    assert_eq!(command.command, "/usr/local/bin/page");
    assert_eq!(command.args, ["--to", "resolved; $(id)"]);
    assert!(command.input.starts_with(r#"{"receiver":"#));
    assert!(!format!("{command:?}").contains("t0ken"));
}

#[test]
fn an_exit_code_says_what_became_of_it() {
    let mut shown = String::new();
    for (code, output) in [
        (Some(0), "fine"),
        (Some(1), "no\nnet t0ken"),
        (Some(63), ""),
        (Some(64), "usage"),
        (Some(75), "later"),
        (Some(78), ""),
        (Some(79), ""),
        (None, ""),
    ] {
        let Step::Exec(_, then) = begin(&page(), &both(), &[]).unwrap() else {
            panic!("no program");
        };
        let output = output.as_bytes().to_vec();
        writeln!(shown, "{:?}", then(Ok(ExecExit { code, output }))).unwrap();
    }
    expect![[r#"
        Done(Delivered)
        Done(Retry { why: "exit code 1: no net <secret>", after: None })
        Done(Retry { why: "exit code 63", after: None })
        Done(Rejected { why: "exit code 64: usage" })
        Done(Retry { why: "exit code 75: later", after: None })
        Done(Rejected { why: "exit code 78" })
        Done(Retry { why: "exit code 79", after: None })
        Done(Retry { why: "ended by a signal", after: None })
    "#]]
    .assert_eq(&shown);
}

#[test]
fn an_argument_that_no_program_takes_is_refused() {
    let long = "x".repeat(100_001);
    for arg in ["a\0b", &long] {
        let config = ExecConfig {
            command: "/bin/true".to_owned(),
            args: vec![text(arg)],
            env: BTreeMap::new(),
            timeout: None,
        };
        assert_eq!(
            begin(&plain(config), &both(), &[]).unwrap_err(),
            "the exec notification cannot be sent: an argument has a zero byte or more than 100000 \
             bytes"
        );
    }
}

#[test]
fn people_are_shown_what_would_be_sent_without_its_secrets() {
    let key = SecretText::compile("k3y-{{ .Status }}").unwrap();
    let at = "https://user:s3cret@events.example/v2/enqueue".to_owned();
    let pagerduty = PagerDutyConfig::new(PagerDutyKey::Routing(key), at);
    let url = SecretText::compile("https://hooks.example/services/T0/s3cr3t?x=1").unwrap();
    let mut shown = String::new();
    for integration in [plain(pagerduty), plain(WebhookConfig::new(url)), page()] {
        let templates = NotificationTemplates::default();
        let context = Context {
            templates: &templates,
            external_url: "http://firebell.example",
            version: "0.1.0",
            host_name: "host.example",
            idx: 0,
            read_yaml: |_| None,
        };
        let preview = integration.preview(&resolved(), &context).unwrap();
        let body: String = preview.body.chars().take(70).collect();
        writeln!(shown, "{} {:?} {body}", preview.to, preview.headers).unwrap();
    }
    expect![[r#"
        POST https://events.example/… [("Content-Type", "application/json")] {"routing_key":"<secret>","dedup_key":"af94c9e8f6a3043625e36c6f472fe6b
        POST https://hooks.example/… [("Content-Type", "application/json")] {"receiver":"team\\.x\\+y","status":"resolved","alerts":[{"status":"re
        run /usr/local/bin/page "--to" "resolved; $(id)" [] {"receiver":"team\\.x\\+y","status":"resolved","alerts":[{"status":"re
    "#]].assert_eq(&shown);
}

#[test]
fn a_program_is_said_its_arguments_and_what_it_reads() {
    let places = ["args[0]", "args[1]", "status", "alerts[0].labels.instance"];
    expect![[r#"
        args[0]: "--to"
        args[1]: "firing; $(id)"
        alerts[0].labels.instance: "a"
        status: "firing"
    "#]]
    .assert_eq(&said(&page(), &both(), &places));
}
