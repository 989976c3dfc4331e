//! A test played tick by tick, as upstream does it: what decides whenever something is odd.

use firebell_model::{Labels, Timestamp, format_float_general, is_stale};
use firebell_promql::MemorySource;
use firebell_rules::Written;

use super::play::{Played, Scene};
use super::text::go_duration;

/// Plays all ticks, until one at which a rule fails.
pub(super) fn play(scene: &Scene<'_>) -> Played {
    let mut played = scene.played();
    let mut players = scene.players();
    let mut fed = None;
    for tick in 0..scene.n_ticks {
        let at = scene.at(tick);
        for input in scene.inputs {
            input.feed(&mut played.memory, fed, at);
        }
        fed = Some(at);
        for player in &mut players {
            let (written, result) = player.evaluate(scene, tick, None, &played.memory);
            if let Err(error) = result.and(write(&mut played.memory, written)) {
                played.errors.push(format!(
                    "    rule: {}, time: {}, err: {error}",
                    player.run.rule().name,
                    go_duration(at.0)
                ));
            }
        }
        if !played.errors.is_empty() {
            return played;
        }
        for player in &players {
            player.show(tick, &scene.compared, &mut played);
        }
        played.n_ticks = tick + 1;
    }
    played
}

/// Appends what a rule wrote.
///
/// # Errors
/// Upstream's, when the store has something later or something else already. The rest is written.
pub(crate) fn write(memory: &mut MemorySource, written: Written) -> Result<(), String> {
    let mut result = Ok(());
    for (labels, sample) in written.samples {
        match refusal(memory, &labels, sample.at, Some(sample.value)) {
            None => memory.append(&labels, [sample]),
            // That a series ends is no news when somebody else goes on with it.
            Some(_) if is_stale(sample.value) => {}
            Some(error) => result = Err(error),
        }
    }
    for (labels, sample) in written.histograms {
        match refusal(memory, &labels, sample.at, None) {
            None => memory.append_histograms(&labels, [sample]),
            Some(error) => result = Err(error),
        }
    }
    result
}

/// Why the store refuses a sample; a histogram when there is no float.
fn refusal(
    memory: &MemorySource,
    labels: &Labels,
    at: Timestamp,
    float: Option<f64>,
) -> Option<String> {
    let (last_at, last) = memory.last(labels)?;
    if at < last_at {
        return Some("out of order sample".to_owned());
    }
    if at > last_at || last.map(f64::to_bits) == float.map(f64::to_bits) {
        return None;
    }
    let existing = match (last, float) {
        (Some(last), Some(_)) => format_float_general(last),
        _ => "is a histogram".to_owned(),
    };
    // Upstream leaves the rest out at the epoch, and where a histogram is new.
    Some(match float {
        Some(float) if at != Timestamp(0) => format!(
            "duplicate sample for timestamp {}; overrides not allowed: existing {existing}, \
             new value {}",
            at.0,
            format_float_general(float)
        ),
        _ => "duplicate sample for timestamp".to_owned(),
    })
}
