//! Rule files, in Prometheus's format.
//!
//! *Sources*: Prometheus, `model/rulefmt/rulefmt.go`: what is refused and with which words.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use firebell_model::{Duration, Labels, METRIC_NAME};
use firebell_promql::Plan;
use firebell_rules::{ANOMALY_VARIABLES, AlertingRule, Cadence, FlapLimit, Place, Rule, RuleGroup};
use firebell_template::Template;

use crate::check::{PARSE_ERROR, TEMPLATE_ERROR};
use crate::fields::{Doc, Fields};
use crate::load::Loader;
use crate::problem::Pos;
use crate::rule_policy::{self, OWN_KEYS, RuleDefaults};
use crate::scrape::Global;
use crate::yaml::{Node, Scalar, Value};

/// What holds for every group unless it says otherwise.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Defaults {
    pub(crate) interval: Duration,
    pub(crate) query_offset: Duration,
    pub(crate) flapping: Option<FlapLimit>,
}

impl Defaults {
    /// What `global` and `rule_defaults` say.
    pub(crate) fn of(global: &Global, rules: &RuleDefaults) -> Self {
        Self {
            interval: global.evaluation_interval,
            query_offset: global.rule_query_offset,
            flapping: rules.flapping,
        }
    }
}

/// Reads one file; what is wrong in it is noted.
pub(crate) fn groups(
    loader: &Loader<'_>,
    path: &Path,
    source: &str,
    defaults: Defaults,
) -> Vec<RuleGroup> {
    let doc = loader.doc(path, source);
    let Some(root) = doc.parse() else {
        return Vec::new();
    };
    let file = doc.fields(&root, "a rule file");
    let mut groups: Vec<RuleGroup> = Vec::new();
    for node in file.list("groups") {
        let Some(group) = group(&doc, node, defaults) else {
            continue;
        };
        if groups.iter().any(|known| known.name == group.name) {
            let message = format!("group name `{}` is repeated in the same file", group.name);
            doc.problem(node.at, message, None);
        }
        groups.push(group);
    }
    file.finish();
    groups
}

pub(crate) fn group(doc: &Doc<'_>, node: &Node, defaults: Defaults) -> Option<RuleGroup> {
    let fields = doc.fields(node, "a rule group");
    let name = fields.needed_text("name");
    let interval = fields
        .duration("interval")
        .filter(|interval| *interval > Duration::ZERO);
    let labels = texts(&fields, "labels", Kind::Label { is_templated: true });
    let limit = fields
        .number("limit")
        .and_then(|limit| usize::try_from(limit).ok());
    let rules = fields.list("rules").iter();
    let rules = rules
        .filter_map(|node| rule(doc, node, &labels, defaults))
        .map(Arc::new)
        .collect();
    let group = RuleGroup {
        file: doc.file.to_string(),
        name: name.clone().unwrap_or_default(),
        interval: interval.unwrap_or(defaults.interval),
        slot_at: None,
        query_offset: fields
            .duration("query_offset")
            .unwrap_or(defaults.query_offset),
        limit: limit.filter(|limit| *limit > 0),
        rules,
    };
    fields.finish();
    name.map(|_| group)
}

fn rule(doc: &Doc<'_>, node: &Node, group_labels: &Texts, defaults: Defaults) -> Option<Rule> {
    let fields = doc.fields(node, "a rule");
    let (record, alert) = (fields.text("record"), fields.text("alert"));
    let (record, alert) = (non_empty(record), non_empty(alert));
    if record.is_some() && alert.is_some() {
        let message = "only one of `record` and `alert` may be there";
        doc.problem(fields.at("record"), message, None);
    }
    let place = Place {
        line: node.at.line,
        column: node.at.column,
    };
    let expr = expr(&fields);
    let cadence = cadence(&fields);
    let rule = match (alert, record) {
        (Some(name), _) => alerting(&fields, name, expr, (group_labels, defaults), place),
        (None, Some(name)) => recording(&fields, name, expr, group_labels, place),
        (None, None) => {
            doc.problem(node.at, "a rule needs `record` or `alert`", None);
            // Asked for here so that they are not called unknown.
            fields.ignore(&["labels", "annotations", "for", "keep_firing_for"]);
            fields.ignore(&OWN_KEYS);
            None
        }
    };
    fields.finish();
    rule.map(|rule| rule.with_cadence(cadence))
}

/// Firebell's own keys `interval` and `evaluate`.
fn cadence(fields: &Fields<'_, '_>) -> Cadence {
    let interval = fields.duration("interval");
    if interval.is_some_and(|interval| interval <= Duration::ZERO) {
        let message = "the `interval` of a rule must be longer than 0s";
        fields.doc.problem(fields.at("interval"), message, None);
    }
    Cadence {
        interval: interval.filter(|interval| *interval > Duration::ZERO),
        on_arrival: on_arrival(fields),
    }
}

/// Whether `evaluate` says so, of a rule or of an objective.
pub(crate) fn on_arrival(fields: &Fields<'_, '_>) -> bool {
    let evaluate = fields.text("evaluate");
    if let Some(other) = evaluate.as_deref().filter(|text| *text != ON_ARRIVAL) {
        let message = format!("`evaluate: {other}` is not known");
        let hint = format!(
            "`evaluate: {ON_ARRIVAL}` evaluates the rule whenever samples of its series arrive"
        );
        fields
            .doc
            .problem(fields.at("evaluate"), message, Some(hint));
    }
    evaluate.as_deref() == Some(ON_ARRIVAL)
}

/// The value of `evaluate`.
const ON_ARRIVAL: &str = "on_arrival";

fn non_empty(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn expr(fields: &Fields<'_, '_>) -> Option<Plan> {
    // A missing one is noted; a list or map has been noted by `scalar`.
    let text = fields.needed_text("expr")?;
    parsed_expr(fields, "expr", &text)
}

/// The expression that is the text of a field; what is wrong in it is noted.
pub(crate) fn parsed_expr(fields: &Fields<'_, '_>, name: &'static str, text: &str) -> Option<Plan> {
    let (_, scalar) = fields.scalar(name)?;
    match Plan::with_features(text, fields.doc.features) {
        Ok(plan) => Some(plan),
        Err(error) => {
            let at = scalar.position_of(fields.doc.source, error.span.start);
            fields
                .doc
                .problem(at, format!("{PARSE_ERROR}{}", error.message), None);
            None
        }
    }
}

fn alerting(
    fields: &Fields<'_, '_>,
    name: String,
    expr: Option<Plan>,
    (group_labels, defaults): (&Texts, Defaults),
    place: Place,
) -> Option<Rule> {
    let mut labels = group_labels.clone();
    labels.extend(texts(fields, "labels", Kind::Label { is_templated: true }));
    let hold_for = fields.duration("for").unwrap_or_default();
    let policy = rule_policy::read(fields, hold_for, defaults.flapping);
    let annotation = match policy.anomaly {
        Some(_) => Kind::Anomaly,
        None => Kind::Annotation,
    };
    let rule = AlertingRule {
        hold_for,
        policy,
        keep_firing_for: fields.duration("keep_firing_for").unwrap_or_default(),
        labels: compiled(labels, Kind::Label { is_templated: true }),
        annotations: compiled(texts(fields, "annotations", annotation), annotation),
    };
    Some(Rule::alerting(name, expr?, rule, place))
}

fn recording(
    fields: &Fields<'_, '_>,
    name: String,
    expr: Option<Plan>,
    group_labels: &Texts,
    place: Place,
) -> Option<Rule> {
    let alerting_only = ["annotations", "for", "keep_firing_for"];
    for field in alerting_only.into_iter().chain(OWN_KEYS) {
        if fields.get(field).is_some() {
            let message = format!("a recording rule has no `{field}`");
            fields.doc.problem(fields.at(field), message, None);
        }
    }
    if name.contains(['{', '}']) {
        let message = format!("`{name}` has braces, which no name of a series has");
        let hint = "is it an expression for `expr`?".to_owned();
        fields.doc.problem(fields.at("record"), message, Some(hint));
    }
    let mut labels = group_labels.clone();
    labels.extend(texts(
        fields,
        "labels",
        Kind::Label {
            is_templated: false,
        },
    ));
    let labels = Labels::from_pairs(labels);
    Some(Rule::recording(name, expr?, labels, place))
}

impl Kind {
    /// What such a text may name besides what all templates may.
    fn numbers(self) -> &'static [&'static str] {
        match self {
            Self::Anomaly => &ANOMALY_VARIABLES,
            Self::Label { .. } | Self::Annotation => &[],
        }
    }
}

/// Names with their texts.
pub(crate) type Texts = BTreeMap<String, String>;

/// What the texts of a map are.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Label {
        is_templated: bool,
    },
    Annotation,
    /// Of an anomaly rule.
    Anomaly,
}

/// The labels or annotations of a field, checked.
pub(crate) fn texts(fields: &Fields<'_, '_>, name: &'static str, kind: Kind) -> Texts {
    let Some(node) = fields.get(name) else {
        return Texts::new();
    };
    let doc = fields.doc;
    let mut texts = Texts::new();
    for (entry, text) in doc.text_map(node, name) {
        let is_name_ok = match kind {
            Kind::Label { .. } => !entry.key.is_empty() && entry.key != METRIC_NAME,
            Kind::Annotation | Kind::Anomaly => !entry.key.is_empty(),
        };
        if !is_name_ok {
            let what = if matches!(kind, Kind::Annotation | Kind::Anomaly) {
                "annotation"
            } else {
                "label"
            };
            doc.problem(
                entry.at,
                format!("invalid {what} name: `{}`", entry.key),
                None,
            );
        }
        let is_templated = !matches!(
            kind,
            Kind::Label {
                is_templated: false
            }
        );
        if let (true, Value::Scalar(scalar)) = (is_templated, &entry.value.value) {
            check_template(doc, scalar, kind.numbers());
        }
        texts.insert(entry.key.clone(), text);
    }
    texts
}

fn check_template(doc: &Doc<'_>, scalar: &Scalar, numbers: &[&str]) {
    if let Err(error) = Template::compile_with(&scalar.text, numbers) {
        let at = place_in(doc, scalar, error.line, error.column);
        doc.problem(at, format!("{TEMPLATE_ERROR}{}", error.message), None);
    }
}

/// Where in the file a line and column of a text stand.
pub(crate) fn place_in(doc: &Doc<'_>, scalar: &Scalar, line: usize, column: usize) -> Pos {
    let text = &*scalar.text;
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    let rest = text.get(before..).unwrap_or("");
    let within = rest.char_indices().nth(column.saturating_sub(1));
    let offset = before + within.map_or(rest.len(), |(at, _)| at);
    scalar.position_of(doc.source, offset)
}

/// The place of a line and column, as far as there are such.
pub(crate) fn place_in_text(line: usize, column: usize) -> Pos {
    let number = |n| u32::try_from(n).unwrap_or(u32::MAX);
    Pos {
        line: number(line),
        column: number(column),
    }
}

/// The texts that are templates; one that is none has been noted.
fn compiled(texts: Texts, kind: Kind) -> Vec<(Arc<str>, Template)> {
    let compile = |text: &str| Template::compile_with(text, kind.numbers()).ok();
    let texts = texts.into_iter();
    texts
        .filter_map(|(name, text)| Some((name.into(), compile(&text)?)))
        .collect()
}
