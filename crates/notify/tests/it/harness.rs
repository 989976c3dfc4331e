//! Notifications to tell of, and a world that answers.

use std::fmt::Write as _;

use expect_test::Expect;
use firebell_model::{Alert, Labels, Notification, NotificationReason, ReceiverData, Timestamp};
use firebell_notify::{
    Context, HttpConfig, HttpRequest, HttpResponse, Integration, Kind, Step, Tree, Verdict,
};
use firebell_template::{NotificationTemplates, NotificationText};

pub(crate) const URL: &str = "https://hooks.example/services/T0/s3cr3t";

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn text(text: &str) -> NotificationText {
    NotificationText::compile(text).unwrap()
}

pub(crate) fn alert(instance: &str, ends_at: Option<&str>) -> Alert {
    Alert {
        labels: Labels::from_pairs([
            ("alertname", "Down"),
            ("instance", instance),
            ("job", "node"),
        ]),
        annotations: Labels::from_pairs([("summary", "<it> & \"more\"")]),
        starts_at: at("2026-01-02T03:04:05.678Z"),
        ends_at: ends_at.map(at),
        generator_url: "http://prom/graph?g0.expr=up&g0.tab=1".to_owned(),
        updated_at: at("2026-01-02T03:04:05Z"),
        is_timeout: false,
    }
}

pub(crate) fn notification(alerts: Vec<Alert>) -> Notification {
    Notification {
        at: at("2026-01-02T04:00:00Z"),
        receiver: "team.x+y".to_owned(),
        group_key: "{}:{alertname=\"Down\"}".to_owned(),
        group_labels: Labels::from_pairs([("alertname", "Down")]),
        route_labels: Labels::empty(),
        reason: NotificationReason::First,
        alerts,
        measured: Default::default(),
    }
}

/// One alert fires, one has resolved.
pub(crate) fn both() -> Notification {
    notification(vec![
        alert("a", None),
        alert("b", Some("2026-01-02T03:30:00Z")),
    ])
}

/// All has resolved.
pub(crate) fn resolved() -> Notification {
    notification(vec![alert("b", Some("2026-01-02T03:30:00Z"))])
}

/// An integration of a kind, with the defaults of everything else.
pub(crate) fn plain(kind: impl Kind + 'static) -> Integration {
    Integration::new(kind, true, HttpConfig::default())
}

/// An answer: status, headers, body.
pub(crate) type Answer<'a> = (u16, &'a [(&'a str, &'a str)], &'a str);

pub(crate) const OK: Answer<'_> = (200, &[], "ok");

pub(crate) fn response((status, headers, body): &Answer<'_>) -> HttpResponse {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    HttpResponse {
        status: *status,
        headers: headers.iter().map(owned).collect(),
        body: body.as_bytes().to_vec(),
    }
}

/// What a delivery needs besides.
pub(crate) fn context(templates: &NotificationTemplates) -> Context<'_> {
    Context {
        templates,
        external_url: "http://firebell.example",
        version: "0.1.0",
        host_name: "host.example",
        idx: 0,
        // Texts of YAML are JSON in these tests; the server brings a reader of all of it.
        read_yaml: |text| serde_json::from_str(text).ok().map(tree),
    }
}

/// What is said, a line for each place that is asked for.
pub(crate) fn said(
    integration: &Integration,
    notification: &Notification,
    places: &[&str],
) -> String {
    let templates = NotificationTemplates::default();
    let said = integration
        .said(notification, &context(&templates))
        .unwrap();
    let asked = said
        .iter()
        .filter(|(place, _)| places.contains(&place.as_str()));
    asked
        .map(|(place, text)| format!("{place}: {text:?}\n"))
        .collect()
}

/// The first step of telling.
pub(crate) fn begin(
    integration: &Integration,
    notification: &Notification,
    known: &[(&str, &str)],
) -> Result<Step, String> {
    let templates = NotificationTemplates::default();
    let context = context(&templates);
    let known = known
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let known: ReceiverData = known.collect();
    let step = integration.begin(notification, &known, &context);
    step.map_err(|error| {
        let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
        format!("{error}{}", source.unwrap_or_default())
    })
}

fn tree(value: serde_json::Value) -> Tree<String> {
    use serde_json::Value;
    match value {
        Value::Null => Tree::Null,
        Value::Bool(value) => Tree::Bool(value),
        Value::Number(value) => match value.as_i64() {
            Some(value) => Tree::Int(value),
            None => Tree::Float(value.as_f64().unwrap()),
        },
        Value::String(text) => Tree::Text(text),
        Value::Array(items) => Tree::List(items.into_iter().map(tree).collect()),
        Value::Object(entries) => Tree::Map(
            entries
                .into_iter()
                .map(|(name, it)| (name, tree(it)))
                .collect(),
        ),
    }
}

/// Everything that is asked while the world answers so, and the verdict.
pub(crate) fn transcript(
    integration: &Integration,
    notification: &Notification,
    known: &[(&str, &str)],
    answers: &[Answer<'_>],
) -> String {
    let mut shown = String::new();
    let mut answers = answers.iter();
    let mut step = match begin(integration, notification, known) {
        Ok(step) => step,
        Err(error) => return format!("{error}\n"),
    };
    loop {
        step = match step {
            Step::Http(request, then) => {
                write_request(&mut shown, &request);
                let answer = answers.next().expect("an answer for every request");
                then(Ok(response(answer)))
            }
            Step::Done(verdict) => {
                writeln!(shown, "=> {verdict:?}").unwrap();
                return shown;
            }
            step => panic!("{step:?}"),
        };
    }
}

fn write_request(shown: &mut String, request: &HttpRequest) {
    let HttpRequest {
        method,
        url,
        headers,
        body,
        timeout,
    } = request;
    let within = timeout
        .map(|it| format!(" within {it}"))
        .unwrap_or_default();
    writeln!(shown, "{method:?} {}{within}", url.reveal()).unwrap();
    for (name, value) in headers {
        writeln!(shown, "{name}: {}", value.reveal()).unwrap();
    }
    writeln!(shown, "\n{}", body.trim_end_matches('\n')).unwrap();
}

/// As [`transcript`], with the answer `ok` to everything.
pub(crate) fn check(integration: &Integration, notification: &Notification, expected: &Expect) {
    expected.assert_eq(&transcript(integration, notification, &[], &[OK; 8]));
}

/// The body of the first request.
pub(crate) fn body(integration: &Integration, notification: &Notification) -> String {
    match begin(integration, notification, &[]).unwrap() {
        Step::Http(request, _) => request.body,
        step => panic!("{step:?}"),
    }
}

/// What it makes of an answer to its first request.
pub(crate) fn verdict(integration: &Integration, answer: &Answer<'_>) -> Verdict {
    answered(integration, Ok(response(answer)))
}

/// What it makes of an answer, or of none, to its first request.
pub(crate) fn answered(integration: &Integration, answer: Result<HttpResponse, String>) -> Verdict {
    match begin(integration, &both(), &[]).unwrap() {
        Step::Http(_, then) => match then(answer) {
            Step::Done(verdict) => verdict,
            step => panic!("{step:?}"),
        },
        Step::Done(verdict) => verdict,
        step => panic!("{step:?}"),
    }
}
