//! Which rules of a group may be evaluated together, over one view of the series.
//!
//! The rules of a group run one after the other, and a rule sees what the earlier ones wrote. Rules
//! next to each other of which none reads what another one writes cannot tell the difference, and
//! are a *run*: one job, one answer, one write.
//!
//! *Invariants*: what may depend counts as dependent. A selector without a metric name reads every
//! series that its other matchers allow, a template that queries reads everything.
//!
//! *Sources*: Prometheus, `rules/group.go`, `buildDependencyMap`, which knows names only.

use std::collections::BTreeMap;

use firebell_model::{ALERT_NAME, METRIC_NAME, MatchOp, Matcher};
use firebell_promql::{Call, Node};

use crate::alert::{ALERTS, ALERTS_FOR_STATE};
use crate::definition::{AlertingRule, Context, Rule, RuleGroup, RuleKind};
use crate::policy::Reaction;
use crate::reports::REPORTS;

/// For each rule of a group, in order, the last rule before it whose series it may read.
#[derive(Debug)]
pub(crate) struct Dependencies(Vec<Option<usize>>);

/// What a rule looks at.
pub(crate) struct Reads<'a> {
    /// Of each selector its matchers.
    pub(crate) selectors: Vec<&'a [Matcher]>,
    /// `info` without a selector.
    pub(crate) is_info: bool,
    /// A template queries, and what is known when it runs.
    is_anything: bool,
}

impl Dependencies {
    pub(crate) fn of(group: &RuleGroup, context: &Context) -> Self {
        let mut writers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let mut last = Vec::with_capacity(group.rules.len());
        for (idx, rule) in group.rules.iter().enumerate() {
            last.push(Reads::of(rule).last_writer((group, context), &writers));
            for name in written_names(rule, context) {
                writers.entry(name).or_default().push(idx);
            }
        }
        Self(last)
    }

    /// How many of the first of these rules, which are in order, are one run.
    pub(crate) fn run_len(&self, rules: impl Iterator<Item = usize>) -> usize {
        let mut first = None;
        let is_with = |rule: &usize| {
            let first = *first.get_or_insert(*rule);
            self.0[*rule].is_none_or(|writer| writer < first)
        };
        rules.take(RUN_RULES_MAX).take_while(is_with).count()
    }
}

impl<'a> Reads<'a> {
    pub(crate) fn of(rule: &'a Rule) -> Self {
        let mut reads = Self {
            selectors: Vec::new(),
            is_info: false,
            is_anything: false,
        };
        let alerting = rule.as_alerting();
        let clear = alerting.and_then(|it| it.policy.clear.as_ref());
        for plan in [Some(&rule.expr), clear].into_iter().flatten() {
            let selectors = plan.expr().selectors().into_iter();
            reads
                .selectors
                .extend(selectors.map(|(it, _)| &*it.matchers));
            plan.expr().walk(|expr| {
                let is_info = |call: &Call| call.function.name == "info" && call.args.len() == 1;
                reads.is_info |= matches!(&expr.node, Node::Call(call) if is_info(call));
            });
        }
        if let Some(rule) = alerting {
            let mut texts = rule.labels.iter().chain(&rule.annotations);
            reads.is_anything = texts.any(|(_, text)| text.text().contains("query"));
        }
        reads
    }

    fn last_writer(
        &self,
        (group, context): (&RuleGroup, &Context),
        writers: &BTreeMap<&str, Vec<usize>>,
    ) -> Option<usize> {
        let all = || writers.values().filter_map(|of_name| of_name.last());
        if self.is_anything {
            return all().max().copied();
        }
        let of_name = |name: &str, matchers: &[Matcher]| {
            let writers = writers.get(name)?.iter().rev().copied();
            let is_seen = |&idx: &usize| may_select(matchers, (&group.rules[idx], context), name);
            let mut writers = writers.filter(is_seen);
            writers.next()
        };
        let info = self.is_info.then(|| of_name("target_info", &[])).flatten();
        let of_selector = |matchers: &&[Matcher]| match exact_name(matchers) {
            Some(name) => of_name(name, matchers),
            None => {
                let names = writers.keys();
                names.filter_map(|name| of_name(name, matchers)).max()
            }
        };
        let selected = self.selectors.iter().filter_map(of_selector).max();
        selected.max(info)
    }
}

/// The one metric name that these matchers allow.
pub(crate) fn exact_name(matchers: &[Matcher]) -> Option<&str> {
    let is_exact = |it: &&Matcher| it.name() == METRIC_NAME && it.op() == MatchOp::Equal;
    matchers.iter().find(is_exact).map(Matcher::value)
}

/// The names of the series that a rule writes.
fn written_names<'a>(rule: &'a Rule, context: &Context) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    if rule.as_alerting().is_some() || may_report(rule, context) {
        names.extend([ALERTS, ALERTS_FOR_STATE]);
    }
    if rule.as_alerting().is_none() {
        names.push(&rule.name);
    }
    names
}

/// Whether there may be alerts about the rule, which have names and labels of their own.
fn may_report(rule: &Rule, context: &Context) -> bool {
    let is_alert = |reaction| matches!(reaction, Reaction::Alert { .. });
    let is_asked = |alerting: &AlertingRule| {
        is_alert(alerting.policy.no_data) || is_alert(alerting.policy.on_error)
    };
    context.failing_alert.is_some() || rule.as_alerting().is_some_and(is_asked)
}

/// Whether a series of that name which the rule writes may satisfy the matchers. Labels that depend
/// on the samples may have any value.
fn may_select(matchers: &[Matcher], (rule, context): (&Rule, &Context), name: &str) -> bool {
    let is_alert = name == ALERTS || name == ALERTS_FOR_STATE;
    if is_alert && may_report(rule, context) {
        let mut of_name = matchers.iter().filter(|it| it.name() == ALERT_NAME);
        let is_of_report = |it: &Matcher| REPORTS.iter().any(|report| it.matches_value(report));
        if of_name.all(is_of_report) {
            return true;
        }
    }
    let allows = |matcher: &Matcher| match (matcher.name(), &rule.kind) {
        (METRIC_NAME, _) => matcher.matches_value(name),
        (ALERT_NAME, RuleKind::Alerting(_)) => matcher.matches_value(&rule.name),
        (label, RuleKind::Alerting(alerting)) => {
            let mut labels = alerting.labels.iter();
            let plain = labels.find(|(name, text)| **name == *label && text.is_plain());
            plain.is_none_or(|(_, text)| matcher.matches_value(text.text()))
        }
        // The rule itself has no alerts.
        (_, RuleKind::Recording) if is_alert && rule.name != name => false,
        (label, RuleKind::Recording) => {
            let text = rule.label_texts.get(label);
            text.is_none_or(|text| matcher.matches_value(text))
        }
    };
    matchers.iter().all(allows)
}

/// A run is no longer: its answer is one event.
const RUN_RULES_MAX: usize = 4096;
