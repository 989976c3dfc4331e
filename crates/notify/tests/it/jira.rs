//! Jira.

use expect_test::expect;
use firebell_model::Duration;
use firebell_notify::{JiraApi, JiraConfig, Tree};

use crate::harness::{Answer, both, plain, resolved, text, transcript};

const NONE: Answer<'_> = (200, &[], r#"{"issues":[]}"#);
const OPEN: Answer<'_> = (
    200,
    &[],
    r#"{"issues":[{"key":"OPS-7","fields":{"status":{"name":"x","statusCategory":{"key":"new"}}}}]}"#,
);
const CLOSED: Answer<'_> = (
    200,
    &[],
    r#"{"issues":[{"key":"OPS-7","fields":{"status":{"name":"x","statusCategory":{"key":"done"}}}}]}"#,
);
const DONE: Answer<'_> = (204, &[], "");
const TRANSITIONS: Answer<'_> = (
    200,
    &[],
    r#"{"transitions":[{"id":"11","name":"Reopen"},{"id":"21","name":"Close"}]}"#,
);

fn jira(url: &str) -> JiraConfig {
    let mut config = JiraConfig::new(url.to_owned());
    config.project = text("OPS");
    config.issue_type = text("Bug");
    config.description.template = text("{{ .Status }}");
    config.reopen_transition = "Reopen".to_owned();
    config.resolve_transition = "Close".to_owned();
    config.reopen_duration = Duration::from_hours(1);
    config
}

const V2: &str = "https://jira.example/rest/api/2/";

#[test]
fn jira_gets_an_issue_for_a_group() {
    let mut config = jira(V2);
    config.labels = vec![text("z"), text("{{ .Status }}")];
    config.priority = text("High");
    config.wont_fix_resolution = "Won't \"Fix\"".to_owned();
    config.fields = [("customfield_1".to_owned(), Tree::Text(text("[1, \"a\"]")))].into();
    let shown = transcript(&plain(config), &both(), &[], &[NONE, (201, &[], "{}")]);
    expect![[r#"
        Post https://jira.example/rest/api/2/search
        Content-Type: application/json
        Accept-Language: en
        User-Agent: Alertmanager/0.1.0

        {"fields":["status"],"jql":"(resolution is EMPTY or resolution != \"Won't \\\"Fix\\\"\") and (resolutiondate is EMPTY OR resolutiondate \u003e= -60m) and project=\"OPS\" and labels=\"ALERT{af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e}\" order by status ASC,resolutiondate DESC","maxResults":2}
        Post https://jira.example/rest/api/2/issue
        Content-Type: application/json
        Accept-Language: en
        User-Agent: Alertmanager/0.1.0

        {"fields":{"customfield_1":[1,"a"],"description":"firing","issuetype":{"name":"Bug"},"labels":["ALERT{af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e}","firing","z"],"priority":{"name":"High"},"project":{"key":"OPS"},"summary":"[FIRING:1] Down (node)"}}
        => Delivered
    "#]].assert_eq(&shown);
}

#[test]
fn an_issue_that_is_open_is_updated_and_closed() {
    let integration = plain(without_updates_of_the_summary());
    let mut shown = "# open, and fires\n".to_owned();
    shown += &transcript(&integration, &both(), &[], &[OPEN, DONE]);
    shown += "# open, and has resolved\n";
    let answers = [OPEN, DONE, TRANSITIONS, DONE];
    shown += &transcript(&integration, &resolved(), &[], &answers);
    expect![[r##"
        # open, and fires
        Post https://jira.example/rest/api/2/search
        Content-Type: application/json
        Accept-Language: en
        User-Agent: Alertmanager/0.1.0

        {"fields":["status"],"jql":"(resolutiondate is EMPTY OR resolutiondate \u003e= -60m) and project=\"OPS\" and labels=\"ALERT{af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e}\" order by status ASC,resolutiondate DESC","maxResults":2}
        Put https://jira.example/rest/api/2/issue/OPS-7
        Content-Type: application/json
        Accept-Language: en
        User-Agent: Alertmanager/0.1.0

        {"fields":{"description":"firing","issuetype":{"name":"Bug"},"labels":["ALERT{af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e}"],"project":{"key":"OPS"}}}
        => Delivered
        # open, and has resolved
        Post https://jira.example/rest/api/2/search
        Content-Type: application/json
        Accept-Language: en
        User-Agent: Alertmanager/0.1.0

        {"fields":["status"],"jql":"statusCategory != Done and project=\"OPS\" and labels=\"ALERT{af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e}\" order by status ASC,resolutiondate DESC","maxResults":2}
        Put https://jira.example/rest/api/2/issue/OPS-7
        Content-Type: application/json
        Accept-Language: en
        User-Agent: Alertmanager/0.1.0

        {"fields":{"description":"resolved","issuetype":{"name":"Bug"},"labels":["ALERT{af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e}"],"project":{"key":"OPS"}}}
        Get https://jira.example/rest/api/2/issue/OPS-7/transitions
        Content-Type: application/json
        Accept-Language: en
        User-Agent: Alertmanager/0.1.0


        Post https://jira.example/rest/api/2/issue/OPS-7/transitions
        Content-Type: application/json
        Accept-Language: en
        User-Agent: Alertmanager/0.1.0

        {"transition":{"id":"21"}}
        => Delivered
    "##]]
    .assert_eq(&shown);
}

#[test]
fn an_issue_that_is_closed_is_reopened_and_none_is_made_to_be_closed() {
    let integration = plain(without_updates_of_the_summary());
    let mut shown = "# closed, and fires\n".to_owned();
    let answers = [CLOSED, DONE, TRANSITIONS, DONE];
    shown += &transcript(&integration, &both(), &[], &answers);
    shown += "# nothing there, and has resolved\n";
    shown += &transcript(&integration, &resolved(), &[], &[NONE]);
    expect![[r##"
        # closed, and fires
        Post https://jira.example/rest/api/2/search
        Content-Type: application/json
        Accept-Language: en
        User-Agent: Alertmanager/0.1.0

        {"fields":["status"],"jql":"(resolutiondate is EMPTY OR resolutiondate \u003e= -60m) and project=\"OPS\" and labels=\"ALERT{af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e}\" order by status ASC,resolutiondate DESC","maxResults":2}
        Put https://jira.example/rest/api/2/issue/OPS-7
        Content-Type: application/json
        Accept-Language: en
        User-Agent: Alertmanager/0.1.0

        {"fields":{"description":"firing","issuetype":{"name":"Bug"},"labels":["ALERT{af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e}"],"project":{"key":"OPS"}}}
        Get https://jira.example/rest/api/2/issue/OPS-7/transitions
        Content-Type: application/json
        Accept-Language: en
        User-Agent: Alertmanager/0.1.0


        Post https://jira.example/rest/api/2/issue/OPS-7/transitions
        Content-Type: application/json
        Accept-Language: en
        User-Agent: Alertmanager/0.1.0

        {"transition":{"id":"11"}}
        => Delivered
        # nothing there, and has resolved
        Post https://jira.example/rest/api/2/search
        Content-Type: application/json
        Accept-Language: en
        User-Agent: Alertmanager/0.1.0

        {"fields":["status"],"jql":"statusCategory != Done and project=\"OPS\" and labels=\"ALERT{af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e}\" order by status ASC,resolutiondate DESC","maxResults":2}
        => Delivered
    "##]]
    .assert_eq(&shown);
}

fn without_updates_of_the_summary() -> JiraConfig {
    let mut config = jira(V2);
    config.summary.is_updated = false;
    config
}

#[test]
fn cloud_searches_elsewhere_and_version_3_takes_documents() {
    let mut shown = String::new();
    let description = r#"{"type":"doc","version":1,"content":[]}"#;
    for (url, api_type, description) in [
        ("https://x.atlassian.net/rest/api/2", JiraApi::Auto, "text"),
        ("https://x.example/rest/api/3/", JiraApi::Cloud, description),
        (
            "https://x.atlassian.net/rest/api/3",
            JiraApi::DataCenter,
            description,
        ),
        ("https://x.example/rest/api/3", JiraApi::Auto, "no JSON"),
    ] {
        let mut config = jira(url);
        config.api_type = api_type;
        config.description.template = text(description);
        let told = transcript(&plain(config), &both(), &[], &[NONE, DONE]);
        let told = told
            .lines()
            .filter(|line| !line.contains(": ") || line.starts_with("the "));
        told.for_each(|line| shown += &format!("{line}\n"));
    }
    expect![[r#"
        Post https://x.atlassian.net/rest/api/3/search/jql

        {"fields":["status"],"jql":"(resolutiondate is EMPTY OR resolutiondate \u003e= -60m) and project=\"OPS\" and labels=\"ALERT{af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e}\" order by status ASC,resolutiondate DESC","maxResults":2}
        Post https://x.atlassian.net/rest/api/2/issue

        {"fields":{"description":"text","issuetype":{"name":"Bug"},"labels":["ALERT{af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e}"],"project":{"key":"OPS"},"summary":"[FIRING:1] Down (node)"}}
        => Delivered
        Post https://x.example/rest/api/3/search/jql

        {"fields":["status"],"jql":"(resolutiondate is EMPTY OR resolutiondate \u003e= -60m) and project=\"OPS\" and labels=\"ALERT{af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e}\" order by status ASC,resolutiondate DESC","maxResults":2}
        Post https://x.example/rest/api/3/issue

        {"fields":{"description":{"content":[],"type":"doc","version":1},"issuetype":{"name":"Bug"},"labels":["ALERT{af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e}"],"project":{"key":"OPS"},"summary":"[FIRING:1] Down (node)"}}
        => Delivered
        Post https://x.atlassian.net/rest/api/3/search

        {"fields":["status"],"jql":"(resolutiondate is EMPTY OR resolutiondate \u003e= -60m) and project=\"OPS\" and labels=\"ALERT{af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e}\" order by status ASC,resolutiondate DESC","maxResults":2}
        Post https://x.atlassian.net/rest/api/3/issue

        {"fields":{"description":{"content":[],"type":"doc","version":1},"issuetype":{"name":"Bug"},"labels":["ALERT{af94c9e8f6a3043625e36c6f472fe6be85ac23a9117184ee4cb7b4ad7401a47e}"],"project":{"key":"OPS"},"summary":"[FIRING:1] Down (node)"}}
        => Delivered
        the jira notification cannot be sent: `description` has to be JSON for version 3 of the API
    "#]].assert_eq(&shown);
}

#[test]
fn what_jira_refuses_is_said() {
    let last = |answers: &[Answer<'_>]| {
        let shown = transcript(&plain(jira(V2)), &resolved(), &[], answers);
        shown.lines().last().unwrap_or_default().to_owned() + "\n"
    };
    let shown = [
        last(&[(400, &[], "bad jql")]),
        last(&[(200, &[], "<html>")]),
        last(&[OPEN, (429, &[("Retry-After", "9")], "")]),
        last(&[OPEN, DONE, (200, &[], r#"{"transitions":[]}"#)]),
        last(&[OPEN, DONE, TRANSITIONS, (503, &[], "")]),
    ];
    expect![[r#"
        => Rejected { why: "unexpected status code 400: bad jql" }
        => Rejected { why: "could not read Jira's answer as JSON: <html>" }
        => Retry { why: "unexpected status code 429", after: Some(Duration(9000)) }
        => Rejected { why: "can't find transition Close for issue OPS-7" }
        => Retry { why: "unexpected status code 503", after: None }
    "#]]
    .assert_eq(&shown.concat());
}
