//! What all files together say, which each is judged by.

use std::collections::{BTreeMap, BTreeSet};

use firebell_model::{ALERT_NAME, METRIC_NAME, Matcher};
use firebell_promql::{Node, Span};

use crate::flow::{Flow, flow};
use crate::input::{Global, Group, Routes, Rule, RuleFile, RuleKind, Text};
use crate::shape::{is_condition, sums_counters};

/// All rules with their configuration, routes and tests.
#[derive(Debug, Default)]
pub struct Project {
    /// The global section, when a configuration was given.
    pub global: Option<Global>,
    /// The route tree, when one was given.
    pub routes: Option<Routes>,
    /// The conditions that give alerts an owner, when there are teams: alerts that satisfy none have
    /// none.
    pub owners: Option<Vec<Vec<Matcher>>>,
    /// Names of alerts that tests ask for, by the rule file that the tests name.
    pub tested: BTreeMap<String, BTreeSet<String>>,
    recorded: BTreeMap<String, Recorded>,
    // Recorded series by their expression, as it is printed.
    names: BTreeMap<String, String>,
    twins: BTreeMap<TwinKey, Vec<Twin>>,
    alerts: Vec<AlertLabels>,
}

/// What is known of a recorded series.
#[derive(Debug)]
struct Recorded {
    flow: Flow,
    /// Whether no sample means that a condition does not hold.
    is_condition: bool,
    /// Whether it is a sum of counters, which no rate can be taken of.
    sums_counters: bool,
}

/// Kind, name and labels as written.
type TwinKey = (bool, String, Vec<(String, String)>);

/// A rule that another may be the same as.
#[derive(Debug)]
pub(crate) struct Twin {
    pub(crate) file: String,
    pub(crate) group: String,
    pub(crate) place: (usize, usize),
    pub(crate) fixed: BTreeMap<String, String>,
}

impl Twin {
    /// Whether it makes series that the other makes as well: not when they differ in a label that
    /// their selectors fix.
    pub(crate) fn may_be(&self, other: &Self) -> bool {
        self.fixed
            .iter()
            .all(|(label, value)| other.fixed.get(label).is_none_or(|it| it == value))
    }
}

/// What is known of the labels of the alerts of a rule.
#[derive(Clone, Debug)]
pub(crate) struct AlertLabels {
    fixed: BTreeMap<String, String>,
    templated: BTreeSet<String>,
    flow: Flow,
}

/// Whether something holds, as far as rules can tell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    Yes,
    No,
    Maybe,
}

impl Project {
    /// Looks at all rules once.
    pub fn learn(&mut self, files: &[&RuleFile]) {
        // The second time, what the first has found of recorded series is known.
        for _ in 0..2 {
            self.recorded = self.learn_recorded(files);
        }
        for file in files {
            for (group_idx, group) in file.groups.iter().enumerate() {
                for (rule_idx, rule) in group.rules.iter().enumerate() {
                    if let Some(rule) = rule {
                        self.learn_rule(file, group, (group_idx, rule_idx), rule);
                    }
                }
            }
        }
    }

    fn learn_recorded(&self, files: &[&RuleFile]) -> BTreeMap<String, Recorded> {
        let mut found: BTreeMap<String, Recorded> = BTreeMap::new();
        let groups = files.iter().flat_map(|file| &file.groups);
        let rules = groups.flat_map(|group| group.rules.iter().map(move |rule| (group, rule)));
        for (group, rule) in rules {
            let Some(rule) = rule.as_ref().filter(|it| it.kind == RuleKind::Recording) else {
                continue;
            };
            let learnt = Recorded {
                flow: recorded_flow(group, rule, flow(&rule.expr, &|name| self.flow_of(name))),
                is_condition: is_condition(&rule.expr, &|name| self.is_condition(name)),
                sums_counters: sums_counters(&rule.expr),
            };
            match found.remove(&rule.name) {
                None => found.insert(rule.name.clone(), learnt),
                Some(known) => found.insert(
                    rule.name.clone(),
                    Recorded {
                        flow: known.flow.or(&learnt.flow),
                        is_condition: known.is_condition && learnt.is_condition,
                        sums_counters: known.sums_counters && learnt.sums_counters,
                    },
                ),
            };
        }
        found
    }

    fn learn_rule(&mut self, file: &RuleFile, group: &Group, place: (usize, usize), rule: &Rule) {
        let texts = texts_of(group, rule);
        let found = flow(&rule.expr, &|name| self.flow_of(name));
        let values = found
            .sure
            .iter()
            .filter_map(|(label, value)| Some((label.clone(), value.clone()?)));
        let key = texts
            .iter()
            .map(|it| (it.name.clone(), it.text.clone()))
            .collect();
        self.twins
            .entry((rule.is_alerting(), rule.name.clone(), key))
            .or_default()
            .push(Twin {
                file: file.name.clone(),
                group: group.name.clone(),
                place,
                fixed: values.collect(),
            });
        if rule.is_alerting() {
            self.alerts.push(AlertLabels::of(group, rule, found));
        } else if texts.is_empty() && matches!(rule.expr.unwrap_parens().node, Node::Aggregate(_)) {
            let expr = rule.expr.unwrap_parens().to_string();
            self.names.entry(expr).or_insert_with(|| rule.name.clone());
        }
    }

    pub(crate) fn flow_of(&self, series: &str) -> Option<&Flow> {
        self.recorded.get(series).map(|it| &it.flow)
    }

    pub(crate) fn is_condition(&self, series: &str) -> bool {
        self.recorded.get(series).is_some_and(|it| it.is_condition)
    }

    pub(crate) fn sums_counters(&self, series: &str) -> bool {
        self.recorded.get(series).is_some_and(|it| it.sums_counters)
    }

    /// The series that records an expression, as it is printed.
    pub(crate) fn recorded_by(&self, expr: &str) -> Option<&str> {
        self.names.get(expr).map(String::as_str)
    }

    /// All rules with the name and labels of one, itself too.
    pub(crate) fn twins(&self, group: &Group, rule: &Rule) -> &[Twin] {
        let texts = texts_of(group, rule);
        let key = texts
            .iter()
            .map(|it| (it.name.clone(), it.text.clone()))
            .collect();
        let found = self
            .twins
            .get(&(rule.is_alerting(), rule.name.clone(), key));
        found.map_or(&[], Vec::as_slice)
    }

    /// Whether there is a rule that makes alerts.
    pub(crate) fn has_alerts(&self) -> bool {
        !self.alerts.is_empty()
    }

    /// Whether alerts of some rule satisfy all conditions.
    pub(crate) fn any_alert(&self, matchers: &[Matcher]) -> Answer {
        let answers = self
            .alerts
            .iter()
            .map(|it| it.satisfies(matchers, self.global.as_ref()));
        let is = |wanted: Answer| answers.clone().any(|it| it == wanted);
        if is(Answer::Yes) {
            Answer::Yes
        } else if self.alerts.is_empty() || is(Answer::Maybe) {
            Answer::Maybe
        } else {
            Answer::No
        }
    }
}

/// The labels that a rule sets, its group's under its own, in order of name.
fn texts_of<'r>(group: &'r Group, rule: &'r Rule) -> Vec<&'r Text> {
    let own = rule.labels.iter();
    let is_own = |name: &str| rule.labels.iter().any(|it| it.name == name);
    let mut texts: Vec<_> = own
        .chain(group.labels.iter().filter(|it| !is_own(&it.name)))
        .collect();
    texts.sort_by(|a, b| a.name.cmp(&b.name));
    texts
}

fn recorded_flow(group: &Group, rule: &Rule, mut found: Flow) -> Flow {
    found.remove(METRIC_NAME, Span::default());
    found.allow(METRIC_NAME);
    found
        .sure
        .insert(METRIC_NAME.to_owned(), Some(rule.name.clone()));
    for text in texts_of(group, rule) {
        if text.text.is_empty() {
            found.remove(&text.name, Span::default());
        } else {
            found.allow(&text.name);
            found
                .sure
                .insert(text.name.clone(), Some(text.text.clone()));
        }
    }
    found
}

impl AlertLabels {
    pub(crate) fn of(group: &Group, rule: &Rule, flow: Flow) -> Self {
        let mut fixed = BTreeMap::new();
        let mut templated = BTreeSet::new();
        for text in texts_of(group, rule) {
            match text.fixed() {
                Some(value) => drop(fixed.insert(text.name.clone(), value.to_owned())),
                None => drop(templated.insert(text.name.clone())),
            }
        }
        fixed.insert(ALERT_NAME.to_owned(), rule.name.clone());
        Self {
            fixed,
            templated,
            flow,
        }
    }

    /// Whether its alerts satisfy all conditions.
    pub(crate) fn satisfies(&self, matchers: &[Matcher], global: Option<&Global>) -> Answer {
        let mut answer = Answer::Yes;
        for matcher in matchers {
            match self.satisfies_one(matcher, global) {
                Answer::No => return Answer::No,
                Answer::Maybe => answer = Answer::Maybe,
                Answer::Yes => {}
            }
        }
        answer
    }

    fn satisfies_one(&self, matcher: &Matcher, global: Option<&Global>) -> Answer {
        let name = matcher.name();
        let is = |value: &str| {
            if matcher.matches_value(value) {
                Answer::Yes
            } else {
                Answer::No
            }
        };
        if let Some(value) = self.fixed.get(name) {
            return is(value);
        }
        if self.templated.contains(name) {
            return Answer::Maybe;
        }
        if let Some(Some(value)) = self.flow.sure.get(name) {
            return is(value);
        }
        if self.flow.taken_by(name).is_none() && name != METRIC_NAME {
            return Answer::Maybe;
        }
        // External labels are what an alert lacks.
        match global {
            Some(global) => is(global.external_labels.value(name)),
            None => Answer::Maybe,
        }
    }
}
