//! What the samples of an alerting rule do to its alerts.
//!
//! *Invariants*: an error changes nothing, except that too many alerts drop all of the rule's. An
//! evaluation without samples and alerts costs nothing.
//!
//! *Sources*: Prometheus, `rules/alerting.go`, `Eval` and `sendAlerts`, as behaviour.

use firebell_model::{Alert, Duration, Labels, Timestamp};

use crate::alert::{AlertInstance, AlertPhase, Cause, Handed, Hold, Timing, expiry};
use crate::ask::Answers;
use crate::definition::{AlertingRule, Context};
use crate::evaluate::RuleSample;
use crate::flapping::Flaps;
use crate::held::Holds;
use crate::join::join;
use crate::policy::{FlapLimit, Mode};
use crate::record::RuleRecord;
use crate::state::{Outcome, RuleState};

/// One evaluation of one rule, as it is applied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<'a> {
    pub(crate) now: Timestamp,
    /// The slot.
    pub(crate) at: Timestamp,
    /// The slot less the query offset: where series are written.
    pub(crate) written_at: Timestamp,
    pub(crate) limit: Option<usize>,
    pub(crate) interval: Duration,
    pub(crate) resend_delay: Duration,
    pub(crate) context: &'a Context,
}

/// Moves the alerts of a rule on.
///
/// # Errors
/// When there would be more pending and firing alerts than the group's limit; all are dropped then.
pub(crate) fn update(
    state: &mut RuleState,
    rule: &AlertingRule,
    (samples, answers): (Vec<RuleSample>, &Answers),
    step: &Step<'_>,
    out: &mut Outcome,
) -> Result<(), String> {
    if samples.is_empty() && state.is_blank() {
        return Ok(());
    }
    let holds = Holds::new(rule, answers);
    let timing = Timing {
        at: step.at,
        hold_for: rule.hold_for,
        keep_firing_for: rule.keep_firing_for,
    };
    if let Some(limit) = step.limit {
        let n_active = count_active(&state.alerts, &samples, timing, &holds);
        if n_active > limit {
            drop_all(state, step, out);
            return Err(format!("exceeded limit of {limit} with {n_active} alerts"));
        }
    }
    let mut flaps = std::mem::take(&mut state.flaps);
    let before = std::mem::take(&mut state.alerts);
    let mut after = Vec::with_capacity(before.len().max(samples.len()));
    for (alert, sample) in join(before, samples) {
        let change = Change {
            hold: match (&alert, &sample) {
                (Some(alert), None) => holds.of(alert),
                _ => None,
            },
            cause: Cause::Condition,
            mode: rule.policy.mode,
            alert,
            sample,
        };
        let flaps = rule.policy.flapping.map(|limit| (&mut flaps, limit));
        after.extend(carry_on(state, change, timing, flaps, step, out));
    }
    if !flaps.is_empty() {
        flaps.prune(rule.policy.flapping, step.at, (&state.key, out));
    }
    let has_begun = |alert: &&AlertInstance| alert.firing_since() == Some(step.at);
    state.n_fired += after.iter().filter(has_begun).count() as u64;
    state.flaps = flaps;
    state.alerts = after;
    end_left_series(state, step, out);
    Ok(())
}

/// How many alerts would be pending or firing after this evaluation.
fn count_active(
    alerts: &[AlertInstance],
    samples: &[RuleSample],
    timing: Timing,
    holds: &Holds,
) -> usize {
    join(alerts, samples)
        .filter(|pair| match pair {
            (_, Some(_)) => true,
            (Some(alert), None) => {
                alert.is_kept_firing(timing)
                    || holds.of(alert).is_some()
                    || (alert.is_active() && alert.is_flapping)
            }
            (None, None) => false,
        })
        .count()
}

/// The limit was exceeded: pending times are lost, the series are left as they are until the next
/// good evaluation, and dispatch is told what an external Alertmanager would conclude from hearing
/// no more: that each alert ends four evaluations or resends from now.
fn drop_all(state: &mut RuleState, step: &Step<'_>, out: &mut Outcome) {
    let ends_at = expiry(step.at, step.interval, step.resend_delay);
    let mut left = Vec::new();
    for mut alert in std::mem::take(&mut state.alerts) {
        if let Some(fired_at) = alert.firing_since() {
            out.withdraw(&mut alert, fired_at, ends_at, step.now);
        }
        left.extend(alert.written.take().into_iter().flatten());
        out.records.push(RuleRecord::AlertGone {
            rule: state.key.clone(),
            labels: alert.labels,
            cause: alert.cause,
        });
    }
    left.sort();
    state.restore_series(left.clone(), &[]);
    state.record_series(left, Vec::new(), out);
}

/// Ends the series of alerts that the limit had dropped, unless the alerts are there again.
fn end_left_series(state: &mut RuleState, step: &Step<'_>, out: &mut Outcome) {
    if state.series.is_empty() {
        return;
    }
    let left = std::mem::take(&mut state.series);
    let written = state.alerts.iter().flat_map(|alert| alert.written.iter());
    let mut written: Vec<Labels> = written.flatten().cloned().collect();
    written.sort();
    let is_over = |series: &&Labels| written.binary_search(series).is_err();
    out.end_series(left.iter().filter(is_over).cloned(), step.written_at);
    state.record_series(Vec::new(), left, out);
}

/// What happens to one alert.
pub(crate) struct Change {
    /// As it was, if it was there.
    pub(crate) alert: Option<AlertInstance>,
    /// What the evaluation found for it.
    pub(crate) sample: Option<RuleSample>,
    pub(crate) cause: Cause,
    /// What holds it although nothing was found.
    pub(crate) hold: Option<Hold>,
    pub(crate) mode: Mode,
}

/// Moves one alert on, or begins it; returns what is left of it.
pub(crate) fn carry_on(
    state: &RuleState,
    change: Change,
    timing: Timing,
    flaps: Option<(&mut Flaps, FlapLimit)>,
    step: &Step<'_>,
    out: &mut Outcome,
) -> Option<AlertInstance> {
    let Change {
        alert,
        sample,
        cause,
        hold,
        mode,
    } = change;
    // A resolved alert that is found again is a new one, and pending again.
    let known = alert.filter(|alert| sample.is_none() || alert.is_active());
    let before = known.as_ref().map(|alert| {
        let marks = (alert.is_flapping, alert.is_shadow);
        (alert.phase, alert.annotations.clone(), marks)
    });
    let (mut alert, is_left) = match (known, sample) {
        (Some(mut alert), Some(sample)) => {
            alert.seen(sample, timing);
            (alert, true)
        }
        (None, Some(sample)) => (AlertInstance::begin(sample, timing, cause), true),
        (Some(mut alert), None) => {
            let is_left = alert.missed(timing, hold);
            (alert, is_left)
        }
        (None, None) => return None,
    };
    let rule = &state.key;
    let phase_before = before.as_ref().map(|(phase, ..)| *phase);
    match flaps {
        Some((flaps, limit)) => {
            let was_firing = phase_before.and_then(AlertPhase::firing_since).is_some();
            flaps.judge(&mut alert, was_firing, limit, step.at, (rule, out));
        }
        None => alert.is_flapping = false,
    }
    alert.is_shadow = mode == Mode::Shadow;
    if state.n_before_migration == 0 {
        write_series(&mut alert, phase_before, is_left, step, out);
    }
    if !is_left {
        let (rule, labels) = (rule.clone(), alert.labels);
        out.records.push(RuleRecord::AlertGone {
            rule,
            labels,
            cause,
        });
        return None;
    }
    let is_reworded = before
        .as_ref()
        .is_some_and(|(_, annotations, _)| *annotations != alert.annotations);
    let is_changed = before.is_none_or(|(phase, _, marks)| {
        (phase, marks) != (alert.phase, (alert.is_flapping, alert.is_shadow))
    });
    if mode == Mode::Live {
        tell_dispatch(&mut alert, phase_before, is_reworded, state, step, out);
    }
    if mode == Mode::Live && alert.is_due(step.at, step.resend_delay) {
        alert.last_sent_at = Some(step.at);
        send_outside(&alert, state, step, out);
    }
    let is_told_anew = is_reworded && alert.firing_since().is_some();
    if is_changed || is_told_anew {
        let (rule, alert) = (rule.clone(), alert.clone());
        out.records.push(RuleRecord::Alert { rule, alert });
    }
    Some(alert)
}

/// Writes the series that say the alert's phase, and ends those that no longer do.
fn write_series(
    alert: &mut AlertInstance,
    before: Option<AlertPhase>,
    is_left: bool,
    step: &Step<'_>,
    out: &mut Outcome,
) {
    let at = step.written_at;
    let written = alert.written.take();
    if !is_left || !alert.is_active() || alert.is_shadow {
        out.end_series(written.into_iter().flatten(), at);
        return;
    }
    let is_same_state = before.is_some_and(|phase| phase.name() == alert.phase.name());
    let series = match written {
        Some(series) if is_same_state => Some(series),
        written => {
            // Only `ALERTS` tells the phase; `ALERTS_FOR_STATE` goes on.
            out.end_series(written.map(|[alerts, _]| alerts), at);
            alert.series()
        }
    };
    if let Some([alerts, for_state]) = &series {
        out.write(alerts.clone(), at, 1.0);
        let active_at_secs = alert.active_at.0.div_euclid(1000);
        out.write(for_state.clone(), at, active_at_secs as f64);
    }
    alert.written = series;
}

/// Tells Alertmanagers elsewhere where the alert stands, and until when that holds.
fn send_outside(alert: &AlertInstance, state: &RuleState, step: &Step<'_>, out: &mut Outcome) {
    let (AlertPhase::Firing { fired_at, .. } | AlertPhase::Resolved { fired_at, .. }) = alert.phase
    else {
        return;
    };
    if !step.context.sends_outside {
        return;
    }
    let Some(labels) = step.context.outgoing(&alert.labels) else {
        return;
    };
    let expiry = expiry(step.at, step.interval, step.resend_delay);
    out.sends.push(Alert {
        labels,
        annotations: alert.annotations.clone(),
        starts_at: fired_at,
        ends_at: Some(alert.external_ends_at(expiry)),
        generator_url: state.generator_url.to_string(),
        updated_at: step.now,
        is_timeout: false,
    });
}

/// Hands the alert over when it begins to fire, is worded anew, or ends.
fn tell_dispatch(
    alert: &mut AlertInstance,
    before: Option<AlertPhase>,
    is_reworded: bool,
    state: &RuleState,
    step: &Step<'_>,
    out: &mut Outcome,
) {
    let now = step.now;
    match (before.and_then(AlertPhase::firing_since), alert.phase) {
        (None, AlertPhase::Firing { fired_at, .. }) => {
            alert.handed = step.context.outgoing(&alert.labels).map(|labels| Handed {
                labels,
                generator_url: state.generator_url.clone(),
            });
            out.tell(alert, fired_at, None, now);
        }
        (Some(fired_at), AlertPhase::Firing { .. }) if is_reworded => {
            out.tell(alert, fired_at, None, now);
        }
        (Some(fired_at), AlertPhase::Resolved { resolved_at, .. }) => {
            out.withdraw(alert, fired_at, resolved_at, now);
        }
        // `for` was made longer. Upstream says no more of it, so it runs out where it was sent.
        (Some(fired_at), AlertPhase::Pending) => {
            let ends_at = expiry(step.at, step.interval, step.resend_delay);
            out.withdraw(alert, fired_at, ends_at, now);
        }
        _ => {}
    }
}
