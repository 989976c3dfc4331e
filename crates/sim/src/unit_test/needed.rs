//! Which rules have to be evaluated for what a test expects, and whether all ticks at once.

use std::collections::BTreeSet;

use firebell_config::UnitTest;
use firebell_promql::{Features, Plan};
use firebell_rules::{AlertingRule, Rule, RuleGroup, RuleKind};

use super::budgets::groups_of;
use super::failure::Names;
use super::input::Input;
use super::reading::{Reads, has_own_keys, has_query_in_texts, is_of_its_moment};

/// What is to be done with a rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Need {
    /// Whether what somebody expects depends on it.
    pub(super) is_asked: bool,
    pub(super) is_evaluated: bool,
    /// Whether what it writes is read, or may be written by others too.
    pub(super) is_written: bool,
    /// Whether its alerts are compared.
    pub(super) is_compared: bool,
    /// Whether only the moments matter at which they are: the alert of an objective, whose beginning
    /// nobody asks for, that fires at once, and whose evaluation cannot fail.
    pub(super) is_momentary: bool,
}

/// The needs of all rules, in the order of evaluation.
#[derive(Debug)]
pub(super) struct Needs {
    pub(super) rules: Vec<Need>,
    /// Whether no rule reads what a later one writes, and each is of its moment.
    pub(super) are_columns_enough: bool,
}

impl Needs {
    pub(super) fn of(
        test: &UnitTest,
        groups: &[RuleGroup],
        inputs: &[Input],
        features: Features,
        needs_all: bool,
    ) -> Self {
        let names = Names::of(groups, inputs);
        let placed: Vec<(&RuleGroup, &Rule)> = groups
            .iter()
            .flat_map(|group| group.rules.iter().map(move |rule| (group, &**rule)))
            .collect();
        let plans = test.promql_expr_tests.iter();
        let plans: Vec<Plan> = plans
            .filter_map(|it| Plan::with_features(&it.expr, features).ok())
            .collect();
        let asked: Vec<Reads<'_>> = plans.iter().map(|it| Reads::of(it.expr())).collect();
        let compared: BTreeSet<&str> = test
            .alert_rule_tests
            .iter()
            .map(|it| &*it.alertname)
            .collect();
        let objectives = groups_of(test);
        let mut needs = Self {
            rules: vec![Need::default(); placed.len()],
            are_columns_enough: true,
        };
        let mut waiting = Vec::new();
        for (idx, (group, rule)) in placed.iter().enumerate() {
            let is_alerting = !matches!(rule.kind, RuleKind::Recording);
            let is_named = is_alerting && compared.contains(&*rule.name);
            let is_compared = is_named || (is_alerting && objectives.contains(&group.name));
            let is_read = asked.iter().any(|reads| reads.may_see(rule));
            let is_shown = needs_all || is_read;
            let is_at_once = |it: &AlertingRule| it.hold_for.0 <= 0 && it.keep_firing_for.0 <= 0;
            needs.rules[idx] = Need {
                is_asked: is_compared || is_read,
                is_evaluated: is_compared || is_shown || !names.cannot_fail(group, rule),
                is_written: !is_alerting || is_shown || names.may_collide(rule),
                is_compared,
                is_momentary: is_compared
                    && !is_named
                    && rule.as_alerting().is_some_and(is_at_once)
                    && names.cannot_fail(group, rule),
            };
            if needs.rules[idx].is_evaluated {
                waiting.push(idx);
            }
        }
        needs.follow(&placed, waiting);
        needs
    }

    /// Adds what the waiting rules read, and what those read.
    fn follow(&mut self, placed: &[(&RuleGroup, &Rule)], mut waiting: Vec<usize>) {
        while let Some(reader) = waiting.pop() {
            let (group, rule) = placed[reader];
            self.are_columns_enough &= group.query_offset.0 == 0
                && is_of_its_moment(rule.expr.expr())
                && !has_query_in_texts(rule)
                && !has_own_keys(rule);
            let reads = Reads::of_rule(rule);
            for (idx, (_, written)) in placed.iter().enumerate() {
                if !reads.may_see(written) {
                    continue;
                }
                self.are_columns_enough &= idx < reader;
                let is_asked = self.rules[reader].is_asked;
                let need = &mut self.rules[idx];
                need.is_written = true;
                let is_new = !std::mem::replace(&mut need.is_evaluated, true);
                let is_newly_asked = is_asked && !std::mem::replace(&mut need.is_asked, true);
                if is_new || is_newly_asked {
                    waiting.push(idx);
                }
            }
        }
    }
}
