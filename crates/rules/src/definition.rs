//! Rules as people defined them, checked: what the configuration makes and a reload replaces.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};

use firebell_model::{
    Duration, Labels, LabelsBuilder, METRIC_NAME, RelabelRule, Timestamp, relabel,
};
use firebell_promql::Plan;
use firebell_template::Template;

use crate::evaluate::{Bound, SharedComparisons};
use crate::policy::{FailingAlert, Mode, Policy};

/// Rules that are evaluated one after the other, at the same slots of time.
#[derive(Clone, Debug)]
pub struct RuleGroup {
    /// The file it stands in, as the API shows it.
    pub file: String,
    /// Unique within the file.
    pub name: String,
    /// Time between two evaluations; longer than zero.
    pub interval: Duration,
    /// A moment at which it has a slot; `None`: what it is called decides, so that groups do not
    /// all come at once.
    pub slot_at: Option<Timestamp>,
    /// Queries look, and series are written, this much before the slot.
    pub query_offset: Duration,
    /// At most so many alerts or series for each rule; `None` is no limit.
    pub limit: Option<usize>,
    /// In the order of the file.
    pub rules: Vec<Arc<Rule>>,
}

/// One rule. Made by [`Rule::alerting`] and [`Rule::recording`].
pub struct Rule {
    /// Name of the alert, or of the series that are recorded.
    pub name: String,
    /// The expression.
    pub expr: Plan,
    /// What the samples of the expression become.
    pub kind: RuleKind,
    /// The labels as written, those of the group merged under them: part of the rule's identity.
    pub label_texts: Labels,
    /// The annotations as written; none for a recording rule.
    pub annotation_texts: Labels,
    /// When it is evaluated, if not with its group.
    pub cadence: Cadence,
    /// Where it stands in its file.
    pub place: Place,
    // What evaluating has bound; here so that it lives as long as the rule, on whichever worker.
    pub(crate) bound: Mutex<Bound>,
}

/// Firebell's own keys that say when a rule is evaluated; the default is at the slots of its group.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cadence {
    /// `interval`: a grid of its own, which lies in that of the group if this is a multiple of the
    /// group's interval.
    pub interval: Option<Duration>,
    /// `evaluate: on_arrival`: also when samples of its series arrive, within a second.
    pub on_arrival: bool,
}

/// What the samples of a rule's expression become.
#[derive(Clone, Debug)]
pub enum RuleKind {
    /// Each sample is an alert.
    Alerting(AlertingRule),
    /// Each sample is written under the rule's name, with [`Rule::label_texts`] as they are.
    Recording,
}

/// What only an alerting rule has.
#[derive(Clone, Debug, Default)]
pub struct AlertingRule {
    /// `for`: how long the condition must hold before the alert fires.
    pub hold_for: Duration,
    /// How long the alert keeps firing after the condition has ended.
    pub keep_firing_for: Duration,
    /// Labels that are set, and override those of the sample; in order.
    pub labels: Vec<(Arc<str>, Template)>,
    /// Texts for people.
    pub annotations: Vec<(Arc<str>, Template)>,
    /// What Firebell's own keys ask for.
    pub policy: Policy,
}

/// Line and column of a file, both from 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Place {
    /// Line.
    pub line: u32,
    /// Column, in characters.
    pub column: u32,
}

/// What all rules share.
#[derive(Clone, Debug)]
pub struct Context {
    /// `global.external_labels`: templates see them, and alerts get those that they lack.
    pub external_labels: Labels,
    /// Where people reach Firebell, without a slash at the end; may be empty.
    pub external_url: String,
    /// `alerting.alert_relabel_configs`: applied to an alert after the external labels.
    pub alert_relabel: Vec<RelabelRule>,
    /// Whether there are Alertmanagers elsewhere that hear of alerts as well.
    pub sends_outside: bool,
    /// How old a sample may be to count as the current value; upstream's flag
    /// `--query.lookback-delta`.
    pub lookback: Duration,
    /// The step of subqueries that name none: `global.evaluation_interval`.
    pub subquery_step: Duration,
    /// The alert of Firebell's own about rules that fail, if there is to be one.
    pub failing_alert: Option<FailingAlert>,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            external_labels: Labels::empty(),
            external_url: String::new(),
            alert_relabel: Vec::new(),
            sends_outside: false,
            lookback: Duration::from_mins(5),
            subquery_step: Duration::from_mins(1),
            failing_alert: None,
        }
    }
}

/// All groups, in order of file and name, with what they share. Cheap to clone.
#[derive(Clone, Debug)]
pub struct RuleSet(Arc<Checked>);

#[derive(Debug)]
struct Checked {
    groups: Vec<RuleGroup>,
    // Of each group; here for the same reason as what rules have bound.
    shared: Vec<GroupShared>,
    context: Arc<Context>,
}

/// What evaluations of the rules of one group share.
#[derive(Debug)]
pub(crate) struct GroupShared {
    pub(crate) rules: Arc<[Arc<Rule>]>,
    pub(crate) comparisons: SharedComparisons,
}

/// Groups that cannot be used together.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RuleSetError {
    /// Source: Prometheus, `rulefmt`.
    #[error("groupname: `{name}` is repeated in the same file `{file}`")]
    RepeatedGroup {
        /// The file.
        file: String,
        /// The name.
        name: String,
    },
    /// No slots can be laid.
    #[error("the interval of group `{name}` in `{file}` is {interval}, but must be longer than 0s")]
    Interval {
        /// The file.
        file: String,
        /// The group.
        name: String,
        /// As configured.
        interval: Duration,
    },
    /// `__name__` belongs to the rule itself.
    #[error("invalid label name: `__name__` in rule `{rule}` of `{file}`")]
    NameLabel {
        /// The file.
        file: String,
        /// The rule.
        rule: String,
    },
}

impl Rule {
    /// An alerting rule.
    #[must_use]
    pub fn alerting(name: impl Into<String>, expr: Plan, rule: AlertingRule, place: Place) -> Self {
        Self {
            name: name.into(),
            bound: Mutex::new(Bound::new(&expr, Some(&rule))),
            expr,
            label_texts: texts_of(&rule.labels),
            annotation_texts: texts_of(&rule.annotations),
            kind: RuleKind::Alerting(rule),
            cadence: Cadence::default(),
            place,
        }
    }

    /// A recording rule; its labels are taken as they are, not expanded.
    #[must_use]
    pub fn recording(name: impl Into<String>, expr: Plan, labels: Labels, place: Place) -> Self {
        Self {
            name: name.into(),
            bound: Mutex::new(Bound::new(&expr, None)),
            expr,
            label_texts: labels,
            annotation_texts: Labels::empty(),
            kind: RuleKind::Recording,
            cadence: Cadence::default(),
            place,
        }
    }

    /// The rule, evaluated at other times.
    #[must_use]
    pub fn with_cadence(self, cadence: Cadence) -> Self {
        Self { cadence, ..self }
    }

    /// The expression as the API shows it.
    #[must_use]
    pub fn expr_text(&self) -> String {
        self.expr.expr().to_string()
    }

    /// Whether its alerts reach people.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.as_alerting()
            .map_or(Mode::Live, |rule| rule.policy.mode)
    }

    /// What only an alerting rule has.
    #[must_use]
    pub fn as_alerting(&self) -> Option<&AlertingRule> {
        match &self.kind {
            RuleKind::Alerting(rule) => Some(rule),
            RuleKind::Recording => None,
        }
    }
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rule({} = {})", self.name, self.expr_text())
    }
}

fn texts_of(texts: &[(Arc<str>, Template)]) -> Labels {
    Labels::from_pairs(texts.iter().map(|(name, text)| (name.clone(), text.text())))
}

impl Context {
    /// The labels under which an alert leaves the rules, or `None` when relabelling drops it.
    #[must_use]
    pub fn outgoing(&self, alert: &Labels) -> Option<Labels> {
        if self.external_labels.is_empty() && self.alert_relabel.is_empty() {
            return Some(alert.clone());
        }
        let mut labels = alert.to_builder();
        add_absent(&mut labels, &self.external_labels);
        let is_kept = relabel(&self.alert_relabel, &mut labels);
        let labels = labels.build();
        (is_kept && !labels.is_empty()).then_some(labels)
    }

    /// Where the graph of an expression is: upstream's link to its table.
    #[must_use]
    pub fn generator_url(&self, expr: &str) -> String {
        let mut url = format!("{}/graph?g0.expr=", self.external_url);
        query_escape(expr, &mut url);
        url.push_str("&g0.tab=1");
        url
    }
}

fn add_absent(labels: &mut LabelsBuilder, extra: &Labels) {
    for label in extra.iter() {
        if labels.value(&label.name).is_empty() {
            labels.set(label.name.clone(), label.value.clone());
        }
    }
}

/// Source: Go, `url.QueryEscape`: all but letters, digits and `-_.~` are `%XX`, a space is `+`.
fn query_escape(text: &str, out: &mut String) {
    use fmt::Write as _;
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            // Writing to a string does not fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
}

impl RuleSet {
    /// Checks the groups and puts them in order.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn new(groups: Vec<RuleGroup>, context: Context) -> Result<Self, Vec<RuleSetError>> {
        let mut errors = Vec::new();
        let mut seen = BTreeSet::new();
        for group in &groups {
            let (file, name) = (group.file.clone(), group.name.clone());
            if group.interval <= Duration::ZERO {
                let interval = group.interval;
                let (file, name) = (file.clone(), name.clone());
                errors.push(RuleSetError::Interval {
                    file,
                    name,
                    interval,
                });
            }
            for rule in &group.rules {
                if rule.label_texts.get(METRIC_NAME).is_some() {
                    let (file, rule) = (file.clone(), rule.name.clone());
                    errors.push(RuleSetError::NameLabel { file, rule });
                }
            }
            if !seen.insert((&group.file, &group.name)) {
                errors.push(RuleSetError::RepeatedGroup { file, name });
            }
        }
        if !errors.is_empty() {
            return Err(errors);
        }
        Ok(Self::from_checked(groups, context))
    }

    /// No rules at all.
    #[must_use]
    pub fn empty() -> Self {
        Self::from_checked(Vec::new(), Context::default())
    }

    fn from_checked(mut groups: Vec<RuleGroup>, context: Context) -> Self {
        groups.sort_by(|a, b| (&a.file, &a.name).cmp(&(&b.file, &b.name)));
        let shared = groups.iter().map(|group| GroupShared {
            rules: group.rules.as_slice().into(),
            comparisons: SharedComparisons::default(),
        });
        Self(Arc::new(Checked {
            shared: shared.collect(),
            groups,
            context: Arc::new(context),
        }))
    }

    /// The groups, in order of file and name.
    #[must_use]
    pub fn groups(&self) -> &[RuleGroup] {
        &self.0.groups
    }

    pub(crate) fn shared(&self, group_idx: usize) -> &GroupShared {
        &self.0.shared[group_idx]
    }

    /// What all rules share.
    #[must_use]
    pub fn context(&self) -> &Arc<Context> {
        &self.0.context
    }
}

#[cfg(test)]
mod tests {
    use firebell_model::RelabelOptions;

    use super::*;

    fn group(file: &str, name: &str, interval_secs: i64) -> RuleGroup {
        RuleGroup {
            file: file.to_owned(),
            name: name.to_owned(),
            interval: Duration::from_secs(interval_secs),
            slot_at: None,
            query_offset: Duration::ZERO,
            limit: None,
            rules: Vec::new(),
        }
    }

    #[test]
    fn item_7_the_link_is_escaped_as_go_escapes_queries() {
        let context = Context {
            external_url: "http://bell:9494/x".to_owned(),
            ..Context::default()
        };
        assert_eq!(
            context.generator_url("rate(a{b=\"ü\"}[5m]) > 1 - ~x"),
            "http://bell:9494/x/graph?g0.expr=rate%28a%7Bb%3D%22%C3%BC%22%7D%5B5m%5D%29+%3E+1+-+~x&g0.tab=1"
        );
    }

    #[test]
    fn item_8_relabelling_comes_after_external_labels_and_may_drop_the_alert() {
        let drops_north = RelabelRule::new(RelabelOptions {
            source_labels: vec!["dc".to_owned()],
            regex: Some("north".to_owned()),
            action: firebell_model::RelabelAction::Drop,
            ..RelabelOptions::default()
        });
        let context = Context {
            external_labels: Labels::from_pairs([("dc", "north"), ("team", "shop")]),
            alert_relabel: vec![drops_north.unwrap()],
            ..Context::default()
        };
        let south = Labels::from_pairs([("alertname", "Down"), ("dc", "south")]);
        let outgoing = context.outgoing(&south).unwrap();
        assert_eq!(
            outgoing.to_string(),
            r#"{alertname="Down", dc="south", team="shop"}"#
        );
        assert_eq!(context.outgoing(&Labels::empty()), None);
    }

    #[test]
    fn item_17_a_bad_group_refuses_the_set_with_all_that_is_wrong() {
        let labels = Labels::from_pairs([("__name__", "x")]);
        let expr = Plan::new("up").unwrap();
        let mut bad = group("a.yml", "g", 15);
        bad.rules = vec![Arc::new(Rule::recording(
            "r",
            expr,
            labels,
            Place::default(),
        ))];
        let groups = vec![bad, group("a.yml", "g", 0), group("b.yml", "g", 15)];
        let errors = RuleSet::new(groups, Context::default()).unwrap_err();
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert_eq!(
            texts,
            [
                "invalid label name: `__name__` in rule `r` of `a.yml`",
                "the interval of group `g` in `a.yml` is 0s, but must be longer than 0s",
                "groupname: `g` is repeated in the same file `a.yml`",
            ]
        );
    }

    #[test]
    fn groups_are_in_order_of_file_and_name() {
        let groups = vec![group("b", "a", 1), group("a", "z", 1), group("a", "b", 1)];
        let set = RuleSet::new(groups, Context::default()).unwrap();
        let names: Vec<_> = set
            .groups()
            .iter()
            .map(|it| (&*it.file, &*it.name))
            .collect();
        assert_eq!(names, [("a", "b"), ("a", "z"), ("b", "a")]);
    }
}
