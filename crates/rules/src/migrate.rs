//! Taking over from a Prometheus whose series were imported: since when alerts are active is read
//! from its `ALERTS_FOR_STATE`, as it would read it itself after a restart.
//!
//! Only at the very first start, when there is no state of Firebell's own: that knows better.
//!
//! *Sources*: Prometheus, `rules/group.go`, `RestoreForState`, as behaviour: after the second
//! evaluation, for a `for` of ten minutes or more, from the hour before.

use firebell_model::{
    ALERT_NAME, Duration, Labels, METRIC_NAME, MatchOp, Matcher, Sample, TimeRange, Timestamp,
    is_stale,
};

use crate::alert::{ALERTS_FOR_STATE, AlertInstance};
use crate::alerting::Step;
use crate::definition::{AlertingRule, Rule};
use crate::evaluate::Querier;
use crate::record::RuleRecord;
use crate::state::{Outcome, RuleState};

/// What `ALERTS_FOR_STATE` says of one alert.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct ForState {
    /// The alert's labels.
    pub(crate) labels: Labels,
    /// Its last sample: when Prometheus was last seen, and the seconds at which the alert became
    /// active.
    pub(crate) last: Sample,
}

/// How many evaluations a rule waits for before it looks.
pub(crate) fn evaluations_before(rule: &Rule) -> u8 {
    let is_long = rule
        .as_alerting()
        .is_some_and(|rule| rule.hold_for >= GRACE);
    if is_long { 2 } else { 0 }
}

/// Looks the series of a rule up, on the worker.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn for_states(
    rule: &Rule,
    at: Timestamp,
    querier: &dyn Querier,
) -> Result<Vec<ForState>, String> {
    let equal = |name: &str, value: &str| Matcher::new(name, MatchOp::Equal, value);
    let matchers = [
        equal(METRIC_NAME, ALERTS_FOR_STATE),
        equal(ALERT_NAME, &rule.name),
    ];
    let matchers: Result<Vec<Matcher>, _> = matchers.into_iter().collect();
    let range = TimeRange {
        after: at - OUTAGE_MAX,
        until: at,
    };
    let matchers = matchers.map_err(|error| error.to_string())?;
    let found = querier.last_samples(&matchers, range)?.into_iter();
    // A marker says that the alert had ended.
    let found = found.filter(|(_, last)| !is_stale(last.value) && last.value.is_finite());
    let state = |(labels, last): (Labels, Sample)| ForState {
        labels: labels.filter(|name| name != METRIC_NAME),
        last,
    };
    Ok(found.map(state).collect())
}

/// Sets alerts back to since when they are active.
pub(crate) fn restore(
    state: &mut RuleState,
    rule: &AlertingRule,
    found: &[ForState],
    step: &Step<'_>,
    out: &mut Outcome,
) {
    for alert in &mut state.alerts {
        let Some(known) = found.iter().find(|it| it.labels == alert.labels) else {
            continue;
        };
        if !alert.is_active() {
            continue;
        }
        alert.active_at = active_at(known.last, rule.hold_for, step.at);
        out.records.push(RuleRecord::Alert {
            rule: state.key.clone(),
            alert: AlertInstance::clone(alert),
        });
    }
}

/// What had burnt through its `for` goes on burning; what had little of it left waits for the grace
/// at least; for the rest the time of the outage does not count.
fn active_at(last: Sample, hold_for: Duration, now: Timestamp) -> Timestamp {
    let active_at = Timestamp((last.value as i64).saturating_mul(1000));
    let spent = last.at - active_at;
    let left = hold_for - spent;
    if left <= Duration::ZERO {
        active_at
    } else if left < GRACE {
        now + GRACE - hold_for
    } else {
        active_at + (now - last.at)
    }
}

/// A shorter `for` is not restored, and no restored alert fires sooner: upstream's flag
/// `--rules.alert.for-grace-period`.
const GRACE: Duration = Duration::from_mins(10);

/// What is older is not looked at: upstream's flag `--rules.alert.for-outage-tolerance`.
const OUTAGE_MAX: Duration = Duration::from_mins(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_14_what_is_left_of_for_decides_since_when_an_alert_is_active() {
        let min = |mins: i64| Timestamp(mins * 60_000);
        for (began, last_seen, expected) in [
            // All of the half hour had passed.
            (0, 30, 0),
            (0, 40, 0),
            // Five minutes were left: ten from now on.
            (0, 25, 50 + 10 - 30),
            // Twenty were left: the outage does not count.
            (20, 30, 20 + 20),
            (20, 40, 20 + 10),
        ] {
            let last = Sample {
                at: min(last_seen),
                value: (began * 60) as f64,
            };
            let found = active_at(last, Duration::from_mins(30), min(50));
            assert_eq!(found, min(expected), "{began} {last_seen}");
        }
    }
}
