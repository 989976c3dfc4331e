//! A test played rule by rule, each over all ticks at once.
//!
//! *Invariants*: gives up, and leaves it to the ticks, as soon as anything is odd: an evaluation
//! fails, or two write the same series. What it gives is what the ticks would give.

use std::collections::BTreeMap;

use firebell_model::{HistogramSample, Labels, Sample, SampleValue, Timestamp};
use firebell_promql::{MatrixSeries, Plan, Shared, Value, VectorSample};
use firebell_rules::Written;

use super::play::{Played, Player, Scene};

/// Plays a test; `None` when the ticks have to decide.
pub(super) fn play(scene: &Scene<'_>) -> Option<Played> {
    let mut played = scene.played();
    let last = scene.at(scene.n_ticks - 1);
    for input in scene.inputs {
        input.feed(&mut played.memory, None, last);
    }
    let players = scene.players();
    let at_all_ticks = players.iter().filter(|it| !it.is_momentary());
    let plans = at_all_ticks.map(|it| it.prepared.borrow().plan().clone());
    // What rules write later is read by none of them, so that what they share stays as it is.
    let mut shared = Shared::of(&plans.collect::<Vec<Plan>>());
    for mut player in players {
        if player.is_momentary() {
            look_in(&mut player, scene, &mut played)?;
            continue;
        }
        let range = player.prepared.borrow_mut().range_sharing(
            &played.memory,
            (scene.start, last),
            scene.interval,
            &scene.query,
            &mut shared,
        );
        let Ok(Value::Matrix(series)) = range else {
            return None;
        };
        let mut columns = Columns::default();
        step_through(&mut player, scene, &series, &mut columns, &mut played)?;
        columns.write(&mut played)?;
    }
    played.n_ticks = scene.n_ticks;
    Some(played)
}

/// Evaluates a rule at the ticks that are compared, and at no other.
fn look_in(player: &mut Player, scene: &Scene<'_>, played: &mut Played) -> Option<()> {
    for &tick in &scene.compared {
        let (_, result) = player.evaluate(scene, tick, None, &played.memory);
        result.ok()?;
        player.show(tick, &scene.compared, played);
    }
    Some(())
}

/// Moves a rule through all ticks.
fn step_through(
    player: &mut Player,
    scene: &Scene<'_>,
    series: &[MatrixSeries],
    columns: &mut Columns,
    played: &mut Played,
) -> Option<()> {
    let mut walk = Walk::of(series);
    let is_due = due_ticks(player, scene, series);
    for tick in (0..scene.n_ticks).filter(|&tick| is_due[tick]) {
        let at = scene.at(tick);
        let vector = walk.vector(at);
        if !vector.is_empty() || !player.run.is_idle() {
            let (written, result) = player.evaluate(scene, tick, Some(vector), &played.memory);
            result.ok()?;
            if player.need.is_written {
                columns.add(written);
            }
        }
        player.show(tick, &scene.compared, played);
    }
    Some(())
}

/// At which ticks a rule has to be moved on: at all of them, or where nobody reads what it writes
/// and labels do not follow values, only at those that are compared or at which an alert may begin,
/// fire or end.
fn due_ticks(player: &Player, scene: &Scene<'_>, series: &[MatrixSeries]) -> Vec<bool> {
    let rule = player.run.rule();
    let are_labels_fixed = !rule.label_texts.iter().any(|it| it.value.contains("{{"));
    let alerting = rule
        .as_alerting()
        .filter(|it| !player.need.is_written && are_labels_fixed && it.keep_firing_for.0 == 0);
    let Some(alerting) = alerting.filter(|_| series.iter().all(|it| it.histograms.is_empty()))
    else {
        return vec![true; scene.n_ticks];
    };
    let n_held = alerting.hold_for.0.saturating_add(scene.interval.0 - 1) / scene.interval.0;
    let mut is_due = vec![false; scene.n_ticks];
    let mut mark = |at: Timestamp, n_more: i64| {
        let tick = (at - scene.start).0 / scene.interval.0;
        let tick = usize::try_from(tick.saturating_add(n_more)).ok();
        if let Some(is_due) = tick.and_then(|tick| is_due.get_mut(tick)) {
            *is_due = true;
        }
    };
    for &tick in &scene.compared {
        mark(scene.at(tick), 0);
    }
    for series in series {
        let mut before: Option<Timestamp> = None;
        for sample in &series.samples {
            if before.is_none_or(|before| before + scene.interval != sample.at) {
                before.into_iter().for_each(|before| mark(before, 1));
                mark(sample.at, 0);
                mark(sample.at, n_held);
            }
            before = Some(sample.at);
        }
        before.into_iter().for_each(|before| mark(before, 1));
    }
    is_due
}

/// A matrix, read step by step.
struct Walk<'a> {
    series: &'a [MatrixSeries],
    /// How many floats and histograms of each series lie before the step.
    read: Vec<(usize, usize)>,
}

impl<'a> Walk<'a> {
    fn of(series: &'a [MatrixSeries]) -> Self {
        let read = vec![(0, 0); series.len()];
        Self { series, read }
    }

    /// The samples of a step after those before.
    fn vector(&mut self, at: Timestamp) -> Vec<VectorSample> {
        let mut vector = Vec::new();
        for (series, read) in self.series.iter().zip(&mut self.read) {
            let (floats, histograms) = (&series.samples, &series.histograms);
            read.0 += floats[read.0..].partition_point(|it| it.at < at);
            read.1 += histograms[read.1..].partition_point(|it| it.at < at);
            let float = floats.get(read.0).filter(|it| it.at == at);
            let histogram = histograms.get(read.1).filter(|it| it.at == at);
            let value = match (float, histogram) {
                (Some(sample), _) => SampleValue::Float(sample.value),
                (None, Some(sample)) => SampleValue::Histogram(sample.histogram.clone()),
                (None, None) => continue,
            };
            let labels = series.labels.clone();
            vector.push(VectorSample { labels, at, value });
        }
        vector
    }
}

/// What a rule has written, by series.
#[derive(Default)]
struct Columns {
    series: BTreeMap<Labels, (Vec<Sample>, Vec<HistogramSample>)>,
}

impl Columns {
    fn add(&mut self, written: Written) {
        for (labels, sample) in written.samples {
            self.series.entry(labels).or_default().0.push(sample);
        }
        for (labels, sample) in written.histograms {
            self.series.entry(labels).or_default().1.push(sample);
        }
    }

    /// Puts them among the series; `None` when one is there already.
    fn write(self, played: &mut Played) -> Option<()> {
        for (labels, (samples, histograms)) in self.series {
            if played.memory.last(&labels).is_some() {
                return None;
            }
            if !samples.is_empty() {
                played.memory.append(&labels, samples);
            }
            if !histograms.is_empty() {
                played.memory.append_histograms(&labels, histograms);
            }
        }
        Some(())
    }
}
