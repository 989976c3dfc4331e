//! Keys of our own in unit tests: what people are told, and what becomes of error budgets.
//!
//! What is wrong with them is said as of any file of ours: all of it, each with place and hint.

use std::collections::BTreeMap;

use firebell_model::{Duration, parse_float};

use super::ExpectedState;
use crate::fields::{Doc, Fields};
use crate::problem::did_you_mean;
use crate::yaml::{Entry, Node, Value};

/// Who is told of what, when, why and in which words.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NotificationTest {
    /// An alertmanager.yml or firebell.yml, relative to the folder of the test file.
    pub config: String,
    /// How long the test is played.
    pub until: Duration,
    /// All notifications.
    pub exp_notifications: Vec<ExpectedNotification>,
    /// Whether `exp_notifications` was written.
    pub has_exp_notifications: bool,
}

/// A notification that is expected.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExpectedNotification {
    /// Such as `2m30s notify pager/webhook: first [firing Down]`, as transcripts of scenarios have
    /// it.
    Line(String),
    /// What was said of it; the rest may be anything.
    Parts(NotificationParts),
}

/// What was said of a notification.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NotificationParts {
    /// When, after the start.
    pub at: Option<Duration>,
    /// A receiver, or one of its integrations, such as `pager/slack`.
    pub to: Option<String>,
    /// Why: `first`, `new alerts`, `all resolved`, `new resolved` or `repeat`.
    pub reason: Option<String>,
    /// The labels of its group, all of them.
    pub group: Option<BTreeMap<String, String>>,
    /// Its alerts, all of them, such as `firing Down{job="api"}`.
    pub alerts: Option<Vec<String>>,
    /// Texts by their place in what is sent, or by the end of that: `title` for
    /// `attachments[0].title`.
    pub texts: BTreeMap<String, String>,
}

/// What is left of the budget of an objective at a moment, and what its alerts make of it.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct SloTest {
    /// After the start.
    pub eval_time: Duration,
    /// `service/name`.
    pub slo: String,
    /// Labels of the budget that is meant, where an objective has several.
    pub labels: BTreeMap<String, String>,
    /// So much of itself any expected number may be off, such as 0.01.
    pub tolerance: f64,
    /// Share of the budget that is spent: 1 is all of it.
    pub spent: Option<f64>,
    /// Share of the budget that is left; less than nothing when the objective is broken.
    pub remaining: Option<f64>,
    /// How fast it burns, by window; `None` where there are no events.
    pub burn_rates: BTreeMap<Duration, Option<f64>>,
    /// How far the objective's alerts have come, by name, such as `page-fast`; the others are not
    /// active.
    pub alerts: Option<BTreeMap<String, ExpectedState>>,
    /// When the budget is gone, if it burns on like this; `Some(None)`: never.
    pub exhausted_in: Option<Option<Duration>>,
}

/// Keys of tests that only we know.
const KEYS: [&str; 3] = ["notification_test", "page_test", "slo_test"];

/// Notes that a key is close to one of ours, or belongs into one.
pub(super) fn note_unknown(doc: &Doc<'_>, entry: &Entry) -> bool {
    let key = &*entry.key;
    let of_pages = OF_PAGES.iter().find(|(name, _)| *name == key);
    let hint = match of_pages {
        Some((_, hint)) => Some((*hint).to_owned()),
        None => did_you_mean(key, KEYS),
    };
    let is_close = hint.is_some();
    if is_close {
        doc.problem(entry.at, format!("a test has no field `{key}`"), hint);
    }
    is_close
}

pub(super) fn notification_test(doc: &Doc<'_>, node: &Node) -> NotificationTest {
    let fields = doc.fields(node, "`notification_test`");
    let config = fields.needed_text("config");
    if fields.get("until").is_none() {
        fields.missing("until");
    }
    let until = duration(&fields, "until");
    let listed = fields.list("exp_notifications").iter();
    let test = NotificationTest {
        config: config.unwrap_or_default(),
        until: until.unwrap_or_default(),
        exp_notifications: listed.filter_map(|it| expected(doc, it)).collect(),
        has_exp_notifications: fields.get("exp_notifications").is_some(),
    };
    fields.finish();
    test
}

fn expected(doc: &Doc<'_>, node: &Node) -> Option<ExpectedNotification> {
    match written(doc, node) {
        Written::Line(line) => return Some(ExpectedNotification::Line(line)),
        Written::Mistaken => return None,
        Written::Fields => {}
    }
    let fields = doc.fields(node, "an expected notification");
    let reason = hinted(&fields, "reason", REASONS, |text| {
        REASON_WORDS.contains(&text).then(|| text.to_owned())
    });
    let group = fields.get("group").map(|node| pairs(doc, node, "group"));
    let alerts = fields.get("alerts").map(|_| fields.texts("alerts"));
    let mut texts = BTreeMap::new();
    if let Some(node) = fields.get("text") {
        match &node.value {
            Value::Map(_) => leaves(String::new(), node, &mut texts),
            _ => doc.wrong_kind(node, "text", "a map of places and texts"),
        }
    }
    let parts = NotificationParts {
        at: duration(&fields, "at"),
        to: fields.text("to"),
        reason,
        group,
        alerts,
        texts,
    };
    fields.finish();
    matches!(node.value, Value::Map(_)).then_some(ExpectedNotification::Parts(parts))
}

/// How something is written that may be a line or a map of fields.
pub(super) enum Written {
    Line(String),
    /// A line without quotes that YAML took for a map; noted.
    Mistaken,
    /// Anything else.
    Fields,
}

pub(super) fn written(doc: &Doc<'_>, node: &Node) -> Written {
    match &node.value {
        Value::Scalar(line) => Written::Line(line.text.to_string()),
        Value::Map(entries) => match &entries[..] {
            [entry] if entry.key.contains(' ') => {
                let message = "a line with a colon and a blank in it is a map to YAML";
                doc.problem(entry.at, message, Some("put it into quotes".to_owned()));
                Written::Mistaken
            }
            _ => Written::Fields,
        },
        Value::List(_) | Value::Null => Written::Fields,
    }
}

/// The texts of a tree by their place, such as `attachments[0].title`.
fn leaves(path: String, node: &Node, texts: &mut BTreeMap<String, String>) {
    match &node.value {
        Value::Map(entries) if !entries.is_empty() => {
            for entry in entries.iter() {
                let dot = if path.is_empty() { "" } else { "." };
                leaves(format!("{path}{dot}{}", entry.key), &entry.value, texts);
            }
        }
        Value::List(items) if !items.is_empty() => {
            for (idx, item) in items.iter().enumerate() {
                leaves(format!("{path}[{idx}]"), item, texts);
            }
        }
        Value::Scalar(scalar) => drop(texts.insert(path, scalar.text.to_string())),
        Value::Null => drop(texts.insert(path, "null".to_owned())),
        Value::Map(_) => drop(texts.insert(path, "{}".to_owned())),
        Value::List(_) => drop(texts.insert(path, "[]".to_owned())),
    }
}

pub(super) fn slo_tests(doc: &Doc<'_>, node: &Node) -> Vec<SloTest> {
    let items = doc.items(node, "slo_test").iter();
    items.map(|item| slo_test(doc, item)).collect()
}

fn slo_test(doc: &Doc<'_>, node: &Node) -> SloTest {
    let fields = doc.fields(node, "an item of `slo_test`");
    let labels = fields.get("labels");
    let share = |name| hinted(&fields, name, AS_PERCENT, percent);
    let test = SloTest {
        eval_time: duration(&fields, "eval_time").unwrap_or_default(),
        slo: fields.needed_text("slo").unwrap_or_default(),
        labels: labels.map_or_else(BTreeMap::new, |node| pairs(doc, node, "labels")),
        tolerance: hinted(&fields, "tolerance", AS_PERCENT, |text| {
            percent(text).filter(|it| *it >= 0.0)
        })
        .unwrap_or(TOLERANCE),
        spent: share("exp_budget_spent"),
        remaining: share("exp_budget_remaining"),
        burn_rates: burn_rates(&fields),
        alerts: alerts(&fields),
        exhausted_in: hinted(&fields, "exp_exhausted_in", AS_END, |text| match text {
            "never" => Some(None),
            text => text.parse().ok().map(Some),
        }),
    };
    fields.finish();
    test
}

fn burn_rates(fields: &Fields<'_, '_>) -> BTreeMap<Duration, Option<f64>> {
    let name = "exp_burn_rates";
    let Some(node) = fields.get(name) else {
        return BTreeMap::new();
    };
    let mut rates = BTreeMap::new();
    for (entry, text) in fields.doc.text_map(node, name) {
        let Ok(window) = entry.key.parse() else {
            let message = format!("`{name}`: `{}` is no window", entry.key);
            let hint = Some("name the windows of its alerts, such as 1h and 5m".to_owned());
            fields.doc.problem(entry.at, message, hint);
            continue;
        };
        let rate = match &*text {
            "none" => Some(None),
            text => parse_float(text).filter(|it| it.is_finite()).map(Some),
        };
        match rate {
            Some(rate) => drop(rates.insert(window, rate)),
            None => {
                let message = format!("`{name}`: `{text}` is no burn rate");
                let hint = Some("write a number such as 14.4, or `none`".to_owned());
                fields.doc.problem(entry.value.at, message, hint);
            }
        }
    }
    rates
}

fn alerts(fields: &Fields<'_, '_>) -> Option<BTreeMap<String, ExpectedState>> {
    let name = "exp_alerts";
    let node = fields.get(name)?;
    let mut alerts = BTreeMap::new();
    for (entry, text) in fields.doc.text_map(node, name) {
        let state = match &*text {
            "pending" => ExpectedState::Pending,
            "firing" => ExpectedState::Firing,
            _ => {
                let message = format!("`{name}`: an alert is `pending` or `firing`, not `{text}`");
                let hint = Some("leave out those that are not active".to_owned());
                fields.doc.problem(entry.value.at, message, hint);
                continue;
            }
        };
        alerts.insert(entry.key.clone(), state);
    }
    Some(alerts)
}

fn pairs(doc: &Doc<'_>, node: &Node, name: &str) -> BTreeMap<String, String> {
    let pairs = doc.text_map(node, name).into_iter();
    pairs
        .map(|(entry, text)| (entry.key.clone(), text))
        .collect()
}

pub(super) fn duration(fields: &Fields<'_, '_>, name: &'static str) -> Option<Duration> {
    hinted(fields, name, AS_DURATION, |text| text.parse().ok())
}

/// A text that `read` takes, or a problem with a hint.
pub(super) fn hinted<T>(
    fields: &Fields<'_, '_>,
    name: &'static str,
    hint: &str,
    read: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    let (at, scalar) = fields.scalar(name)?;
    let value = read(&scalar.text);
    if value.is_none() {
        let message = format!("`{name}` cannot be `{}`", scalar.text);
        fields.doc.problem(at, message, Some(hint.to_owned()));
    }
    value
}

/// `12.5%` as 0.125.
fn percent(text: &str) -> Option<f64> {
    let number = parse_float(text.strip_suffix('%')?.trim_end())?;
    number.is_finite().then_some(number / 100.0)
}

/// What people may write for tests of pages, and what is meant.
const OF_PAGES: [(&str, &str); 4] = [
    (
        "escalation_test",
        "`page_test` says who is paged, and its `exp_escalations` what becomes of that",
    ),
    ("oncall_test", "`page_test` says who is paged"),
    ("exp_pages", "it belongs into `page_test`"),
    ("exp_escalations", "it belongs into `page_test`"),
];
const REASON_WORDS: [&str; 5] = [
    "first",
    "new alerts",
    "all resolved",
    "new resolved",
    "repeat",
];
const REASONS: &str = "one of first, new alerts, all resolved, new resolved, repeat";
const AS_DURATION: &str = "write it as 30s, 5m or 1h30m";
const AS_PERCENT: &str = "write it as 12.5%";
const AS_END: &str = "write it as 3d, or `never`";
/// Numbers are compared as people round them.
const TOLERANCE: f64 = 0.01;
