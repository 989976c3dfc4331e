//! What the rules know of alerts that are being told: their values, against their thresholds.

use std::collections::BTreeMap;

use firebell_model::{ALERT_NAME, Alert, Fingerprint};
use firebell_promql::threshold;

use crate::alert::AlertInstance;
use crate::definition::{Rule, RuleGroup};
use crate::group::GroupState;

/// Where alerting rules are, by the name of their alerts: places of groups, and of rules in them.
#[derive(Debug, Default)]
pub(crate) struct ByName(BTreeMap<String, Vec<(usize, usize)>>);

impl ByName {
    pub(crate) fn of(groups: &[RuleGroup]) -> Self {
        let mut by_name: BTreeMap<String, Vec<(usize, usize)>> = BTreeMap::new();
        for (group_idx, group) in groups.iter().enumerate() {
            for (rule_idx, rule) in group.rules.iter().enumerate() {
                if rule.as_alerting().is_some() {
                    let places = by_name.entry(rule.name.clone()).or_default();
                    places.push((group_idx, rule_idx));
                }
            }
        }
        Self(by_name)
    }

    /// The values of those alerts that rules fire now, each as [`text`] says it. An alert whose name
    /// relabelling has changed is not found: it is told without its value.
    pub(crate) fn measured(
        &self,
        groups: &[RuleGroup],
        states: &[GroupState],
        alerts: &[Alert],
    ) -> BTreeMap<Fingerprint, String> {
        let mut wanted: BTreeMap<&str, Vec<Fingerprint>> = BTreeMap::new();
        for alert in alerts {
            let name = alert.labels.value(ALERT_NAME);
            if self.0.contains_key(name) {
                let of_name = wanted.entry(name).or_default();
                of_name.push(alert.labels.fingerprint());
            }
        }
        let mut found = BTreeMap::new();
        for (name, mut fingerprints) in wanted {
            fingerprints.sort_unstable();
            for (group_idx, rule_idx) in &self.0[name] {
                let rule = &groups[*group_idx].rules[*rule_idx];
                let instances = &states[*group_idx].rules[*rule_idx].alerts;
                // Each is looked at for each message: thousands would cost more than they tell.
                if instances.len() > INSTANCES_MAX {
                    continue;
                }
                for instance in instances {
                    let handed = instance.handed.as_ref();
                    let handed = handed.map(|handed| handed.labels.fingerprint());
                    if let Some(it) = handed.filter(|it| fingerprints.binary_search(it).is_ok()) {
                        found.insert(it, text(rule, instance));
                    }
                }
            }
        }
        found
    }
}

/// Alerts of a rule whose messages say values.
const INSTANCES_MAX: usize = 1000;

/// The value when the condition last held, and what it is held against: `0.2 > 0.05`.
fn text(rule: &Rule, instance: &AlertInstance) -> String {
    let value = number(instance.value);
    match threshold(rule.expr.expr()) {
        Some(it) => format!("{value} {} {}", it.op.text(), number(it.value)),
        None => value,
    }
}

/// Four digits that count; more would be read as noise.
fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs().log10().floor();
    if !(-5.0..15.0).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let n_decimals = (3.0 - magnitude).max(0.0) as usize;
    let text = format!("{value:.n_decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_four_digits_that_count() {
        for (value, expected) in [
            (0.0, "0"),
            (1.0, "1"),
            (0.19999643817563356, "0.2"),
            (-12.345678, "-12.35"),
            (99.99999, "100"),
            (123_456.7, "123457"),
            (0.000_012_345_6, "0.00001235"),
            (1e-7, "1.000e-7"),
            (2.5e20, "2.500e20"),
            (f64::INFINITY, "inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(number(value), expected, "{value}");
        }
    }
}
