//! What passes without testing anything: a failure for those who ask for it.

use std::collections::BTreeSet;

use firebell_config::UnitTest;
use firebell_rules::{Rule, RuleGroup};

use super::input::{self, Input};
use super::reading::Reads;

/// Everything about a test that makes it pass without a reason.
pub(super) fn silent_passes(
    test: &UnitTest,
    groups: &[RuleGroup],
    inputs: &[Input],
) -> Vec<String> {
    let mut errors = Vec::new();
    let mut say = |what: &str| errors.push(format!("    strict: {}{what}", place(test)));
    let has_rule_tests = !test.alert_rule_tests.is_empty() || !test.promql_expr_tests.is_empty();
    if !has_rule_tests && test.notifications.is_none() {
        say("nothing is expected");
    }
    match input::n_lost(test) {
        0 => {}
        n => say(&format!(
            "the last {n} of input_series are lost after an empty line in values"
        )),
    }
    let rules: Vec<&Rule> = groups
        .iter()
        .flat_map(|it| &it.rules)
        .map(|it| &**it)
        .collect();
    let mut said = BTreeSet::new();
    for case in &test.alert_rule_tests {
        let named = rules.iter().filter(|rule| rule.as_alerting().is_some());
        let mut named = named.filter(|rule| rule.name == case.alertname).peekable();
        let (name, time) = (&case.alertname, case.eval_time);
        if named.peek().is_none() {
            say(&format!(
                "no rule defines the alert `{name}` that is tested at {time}"
            ));
        } else if !case.has_exp_alerts {
            say(&format!(
                "exp_alerts of `{name}` at {time} is missing: write [] if none is meant"
            ));
        } else if case.exp_alerts.is_empty()
            && !named.any(|rule| has_something_to_read(rule, &rules, inputs))
            && said.insert(name)
        {
            say(&format!(
                "`{name}` cannot fire: it reads series that the test does not give"
            ));
        }
    }
    for case in &test.promql_expr_tests {
        let (expr, time) = (&case.expr, case.eval_time);
        if case
            .exp_samples
            .iter()
            .any(|sample| sample.histogram.is_empty() && sample.value.is_nan())
        {
            say(&format!(
                "`{expr}` at {time} expects NaN, which equals nothing, itself included"
            ));
        }
    }
    errors
}

fn place(test: &UnitTest) -> String {
    match &*test.name {
        "" => String::new(),
        name => format!("name: {name}, "),
    }
}

/// Whether any selector of the rule finds an input series, or what another rule records.
fn has_something_to_read(rule: &Rule, rules: &[&Rule], inputs: &[Input]) -> bool {
    let expr = rule.expr.expr();
    let selectors = expr.selectors();
    // What has no selector, or fires on absence, needs no input.
    if selectors.is_empty() || rule.expr.text().contains("absent") {
        return true;
    }
    let reads = Reads::of(expr);
    rules.iter().any(|written| reads.may_see(written))
        || selectors.iter().any(|(selector, _)| {
            let finds =
                |input: &Input| selector.matchers.iter().all(|it| it.matches(&input.labels));
            inputs.iter().any(finds)
        })
}
