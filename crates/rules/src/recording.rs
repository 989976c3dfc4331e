//! What the samples of a recording rule do to its series.
//!
//! *Sources*: Prometheus, `rules/recording.go` and `rules/group.go`, `Eval`, as behaviour.

use crate::alerting::Step;
use crate::evaluate::RuleSample;
use crate::join::join;
use crate::state::{Outcome, RuleState};

/// Writes the samples, and ends the series that the last evaluation wrote and this one does not.
///
/// # Errors
/// When there are more samples than the group's limit; nothing changes then.
pub(crate) fn update(
    state: &mut RuleState,
    samples: Vec<RuleSample>,
    step: &Step<'_>,
    out: &mut Outcome,
) -> Result<(), String> {
    let n_samples = samples.len();
    if let Some(limit) = step.limit.filter(|&limit| n_samples > limit) {
        return Err(format!("exceeded limit of {limit} with {n_samples} series"));
    }
    let before = std::mem::take(&mut state.series);
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    state.series.reserve(n_samples);
    for pair in join(before, samples) {
        let (known, Some(sample)) = pair else {
            removed.extend(pair.0);
            continue;
        };
        if known.is_none() {
            added.push(sample.labels.clone());
        }
        out.record(sample.labels.clone(), step.written_at, sample.value);
        state.series.push(sample.labels);
    }
    out.end_series(removed.iter().cloned(), step.written_at);
    state.record_series(added, removed, out);
    Ok(())
}
