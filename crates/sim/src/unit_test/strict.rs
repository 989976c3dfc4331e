//! What passes without testing anything: a failure for those who ask for it.
//!
//! promtool passes all of it: it compares what was expected with what there is, and nothing equals
//! nothing. `docs/tests.md` lists what is said here.

use std::collections::{BTreeMap, BTreeSet};

use firebell_config::{UnitTest, UnitTests};
use firebell_model::{Duration, Labels};
use firebell_promql::{Expr, Features, Plan};
use firebell_rules::{Rule, RuleGroup};

use super::input::{self, Input};
use super::needed::Needs;
use super::reading::Reads;
use super::{FileReport, Options};

/// What of a whole file tests nothing.
pub(super) fn of_file(tests: &UnitTests, groups: Option<&[RuleGroup]>) -> Vec<String> {
    let mut errors = Vec::new();
    if tests.tests.is_empty() {
        errors.push("    strict: the file has no tests".to_owned());
    }
    let Some(groups) = groups else {
        return errors;
    };
    for name in &tests.group_eval_order {
        if !groups.iter().any(|group| group.name == *name) {
            errors.push(format!(
                "    strict: group_eval_order names the group `{name}`, which no rule file has"
            ));
        }
    }
    errors
}

/// Everything about a test that makes it pass without a reason.
pub(super) fn silent_passes(
    test: &UnitTest,
    groups: &[RuleGroup],
    inputs: &[Input],
    features: Features,
) -> Vec<String> {
    let rules = groups.iter().flat_map(|it| &it.rules);
    let given = input::given(test);
    let n_values = given.iter().map(|(_, n)| *n).max().filter(|n| *n > 0);
    let mut judge = Judge {
        test,
        groups,
        rules: rules.map(|it| &**it).collect(),
        inputs,
        ends_at: n_values.map(|n| test.interval * (n as i64 - 1) + LOOKBACK),
        given,
        errors: Vec::new(),
    };
    judge.expectations();
    judge.alerts();
    let plans = test.promql_expr_tests.iter();
    let plans = plans.map(|it| Plan::with_features(&it.expr, features).ok());
    let plans: Vec<Option<Plan>> = plans.collect();
    judge.expressions(&plans);
    judge.series(&plans);
    judge.errors
}

struct Judge<'a> {
    test: &'a UnitTest,
    groups: &'a [RuleGroup],
    rules: Vec<&'a Rule>,
    inputs: &'a [Input],
    /// The series as they were given, with the numbers of their values.
    given: Vec<(Labels, usize)>,
    /// From this moment on, after the start, no sample of the test is seen.
    ends_at: Option<Duration>,
    errors: Vec<String>,
}

impl Judge<'_> {
    fn say(&mut self, what: &str) {
        let place = match &*self.test.name {
            "" => String::new(),
            name => format!("name: {name}, "),
        };
        self.errors.push(format!("    strict: {place}{what}"));
    }

    /// Whether there is anything to expect, and to expect it of.
    fn expectations(&mut self) {
        let UnitTest {
            alert_rule_tests,
            promql_expr_tests,
            notifications,
            pages,
            slo_tests,
            ..
        } = self.test;
        let is_empty = alert_rule_tests.is_empty()
            && promql_expr_tests.is_empty()
            && slo_tests.is_empty()
            && notifications.is_none()
            && pages.is_none();
        if is_empty {
            self.say("nothing is expected");
        }
        match notifications {
            Some(notifications) if !notifications.has_exp_notifications => {
                self.say("exp_notifications is missing: write [] if nobody is to be told");
            }
            _ => {}
        }
        match pages {
            Some(pages) if !pages.has_exp_pages => {
                self.say("exp_pages is missing: write [] if nobody is to be paged");
            }
            _ => {}
        }
        for case in slo_tests {
            let is_empty = case.spent.is_none()
                && case.remaining.is_none()
                && case.burn_rates.is_empty()
                && case.alerts.is_none()
                && case.exhausted_in.is_none();
            if is_empty {
                let (slo, time) = (&case.slo, case.eval_time);
                self.say(&format!("nothing is expected of `{slo}` at {time}"));
            }
        }
    }

    fn alerts(&mut self) {
        let mut said = BTreeSet::new();
        for case in &self.test.alert_rule_tests {
            let (name, time) = (&case.alertname, case.eval_time);
            let is_in_group = |group: &&RuleGroup| {
                case.group_name
                    .as_ref()
                    .is_none_or(|name| *name == group.name)
            };
            let rules = self.groups.iter().filter(is_in_group);
            let rules = rules.flat_map(|group| &group.rules);
            let named: Vec<&Rule> = rules
                .map(|rule| &**rule)
                .filter(|rule| rule.as_alerting().is_some() && rule.name == *name)
                .collect();
            let says_nothing = case.exp_alerts.is_empty();
            if named.is_empty() {
                let group = case.group_name.iter();
                let group: String = group.map(|it| format!(" in the group `{it}`")).collect();
                self.say(&format!(
                    "no rule{group} defines the alert `{name}` that is tested at {time}"
                ));
            } else if !case.has_exp_alerts {
                self.say(&format!(
                    "exp_alerts of `{name}` at {time} is missing: write [] if none is meant"
                ));
            } else if says_nothing && !named.iter().any(|rule| self.may_find(rule.expr.expr())) {
                if said.insert(name) {
                    self.say(&format!(
                        "`{name}` cannot fire: it reads series that the test does not give"
                    ));
                }
            } else if says_nothing && self.is_beyond(time) {
                self.beyond(name, time);
            }
        }
    }

    fn expressions(&mut self, plans: &[Option<Plan>]) {
        for (case, plan) in self.test.promql_expr_tests.iter().zip(plans) {
            let (expr, time) = (&case.expr, case.eval_time);
            let mut samples = case.exp_samples.iter();
            if samples.any(|sample| sample.histogram.is_empty() && sample.value.is_nan()) {
                self.say(&format!(
                    "`{expr}` at {time} expects NaN, which equals nothing, itself included"
                ));
            }
            if !case.exp_samples.is_empty() {
                continue;
            }
            if !case.has_exp_samples {
                self.say(&format!(
                    "exp_samples of `{expr}` at {time} is missing: write [] if none is meant"
                ));
            } else if plan.as_ref().is_some_and(|it| !self.may_find(it.expr())) {
                self.say(&format!(
                    "`{expr}` at {time} gives nothing: it reads series that the test does not give"
                ));
            } else if self.is_beyond(time) {
                self.beyond(expr, time);
            }
        }
    }

    /// What of the input is never looked at.
    fn series(&mut self, plans: &[Option<Plan>]) {
        match input::n_lost(self.test) {
            0 => {}
            n => self.say(&format!(
                "the last {n} of input_series are lost after an empty line in values"
            )),
        }
        let mut seen = BTreeSet::new();
        for (labels, n_values) in std::mem::take(&mut self.given) {
            if n_values == 0 {
                self.say(&format!("the input series {labels} has no values"));
            }
            if !seen.insert(labels.clone()) {
                self.say(&format!(
                    "the input series {labels} is given twice, and only the last counts"
                ));
            }
        }
        let rules = self.rules.iter().map(|rule| Reads::of_rule(rule));
        let plans = plans.iter().flatten().map(|it| Reads::of(it.expr()));
        let reads: Vec<Reads<'_>> = rules.chain(plans).collect();
        let inputs = self.inputs;
        for input in inputs {
            if !reads.iter().any(|it| it.finds(&input.labels)) {
                let labels = &input.labels;
                self.say(&format!("nothing reads the input series {labels}"));
            }
        }
    }

    /// Whether any selector finds an input series, or what a rule writes. What has no selector, or
    /// looks for absence, needs no input.
    fn may_find(&self, expr: &Expr) -> bool {
        if expr.selectors().is_empty() || expr.to_string().contains("absent") {
            return true;
        }
        let reads = Reads::of(expr);
        self.rules.iter().any(|written| reads.may_see(written))
            || self.inputs.iter().any(|it| reads.finds(&it.labels))
    }

    fn is_beyond(&self, time: Duration) -> bool {
        self.ends_at.is_some_and(|ends_at| time >= ends_at)
    }

    fn beyond(&mut self, what: &str, time: Duration) {
        let last = self.ends_at.unwrap_or_default() - LOOKBACK;
        self.say(&format!(
            "`{what}` is tested at {time}, but the last sample is at {last}: write _ for samples \
             that are missing on purpose"
        ));
    }
}

/// A rule that tests may ask for: its file, its line, and its name.
pub(super) type RuleKey = (String, u32, String);

/// Notes which rules the expectations of a test depend on.
pub(super) fn note_rules(
    test: &UnitTest,
    groups: &[RuleGroup],
    needs: &Needs,
    rules: &mut BTreeMap<RuleKey, bool>,
) {
    let placed = groups.iter().flat_map(|group| {
        let rules = group.rules.iter();
        rules.map(move |rule| (&group.file, rule))
    });
    for ((file, rule), need) in placed.zip(&needs.rules) {
        let key = (file.clone(), rule.place.line, rule.name.clone());
        let tells = test.notifications.is_some() || test.pages.is_some();
        let is_told = tells && rule.as_alerting().is_some();
        *rules.entry(key).or_default() |= need.is_asked || is_told;
    }
}

/// What only all files together tell: rules that no test asks for, and a `--run` that meets nothing.
/// Of some tests only, nothing can be said of rules.
pub fn judge_together(reports: &mut [FileReport], options: &Options<'_>) {
    if !options.is_strict {
        return;
    }
    if !options.run.is_empty() {
        if let (true, Some(first)) = (
            reports.iter().all(|it| it.cases.is_empty()),
            reports.first_mut(),
        ) {
            first
                .errors
                .push("    strict: no test has a name that --run matches".to_owned());
        }
        return;
    }
    let all = reports.iter().flat_map(|it| &it.rules);
    let tested = all.filter(|(_, is_tested)| **is_tested);
    let tested: BTreeSet<RuleKey> = tested.map(|(key, _)| key.clone()).collect();
    let mut said = BTreeSet::new();
    for report in reports {
        for key in report.rules.keys() {
            if !tested.contains(key) && said.insert(key.clone()) {
                let (file, line, name) = key;
                report.errors.push(format!(
                    "    strict: no test asks for the rule `{name}` ({file}:{line})"
                ));
            }
        }
    }
}

/// How far back expressions look for a sample.
const LOOKBACK: Duration = Duration::from_mins(5);
