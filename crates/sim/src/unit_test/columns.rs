//! A test played rule by rule, each over all ticks at once.
//!
//! *Invariants*: gives up, and leaves it to the ticks, as soon as anything is odd: an evaluation
//! fails, or two write the same series. What it gives is what the ticks would give.

use std::collections::BTreeMap;

use firebell_model::{HistogramSample, Labels, Sample, SampleValue, Timestamp};
use firebell_promql::{MatrixSeries, Plan, Shared, Value, VectorSample};
use firebell_rules::{Written, evaluate_rule_by};

use super::play::{Asker, Played, Player, Scene};

/// Plays a test; `None` when the ticks have to decide.
pub(super) fn play(scene: &Scene<'_>) -> Option<Played> {
    let mut played = scene.played();
    let last = scene.at(scene.n_ticks - 1);
    for input in scene.inputs {
        input.feed(&mut played.memory, None, last);
    }
    let players = scene.players();
    let plans = players.iter().map(|it| it.prepared.borrow().plan().clone());
    // What rules write later is read by none of them, so that what they share stays as it is.
    let mut shared = Shared::of(&plans.collect::<Vec<Plan>>());
    for mut player in players {
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

/// Moves a rule through all ticks.
fn step_through(
    player: &mut Player,
    scene: &Scene<'_>,
    series: &[MatrixSeries],
    columns: &mut Columns,
    played: &mut Played,
) -> Option<()> {
    let mut walk = Walk::of(series);
    for tick in 0..scene.n_ticks {
        let at = scene.at(tick);
        let vector = walk.vector(at);
        let is_compared = scene.compared.contains(&tick);
        if !vector.is_empty() || !player.run.is_idle() {
            let asker = Asker {
                memory: &played.memory,
                query: &scene.query,
                own: &player.prepared,
                known: Some(vector).into(),
            };
            let request = player.request(at, is_compared);
            let found = evaluate_rule_by(&request, &request.rules[0], &asker);
            let mut written = Written::default();
            player.run.apply(at, found, &mut written).ok()?;
            if player.need.is_written {
                columns.add(written);
            }
        }
        player.show(tick, &scene.compared, played);
    }
    Some(())
}

/// A matrix, read step by step.
struct Walk<'a> {
    series: &'a [MatrixSeries],
    /// How many floats and histograms of each series have been read.
    read: Vec<(usize, usize)>,
}

impl<'a> Walk<'a> {
    fn of(series: &'a [MatrixSeries]) -> Self {
        let read = vec![(0, 0); series.len()];
        Self { series, read }
    }

    /// The samples of the next step.
    fn vector(&mut self, at: Timestamp) -> Vec<VectorSample> {
        let mut vector = Vec::new();
        for (series, read) in self.series.iter().zip(&mut self.read) {
            let float = series.samples.get(read.0).filter(|it| it.at == at);
            let histogram = series.histograms.get(read.1).filter(|it| it.at == at);
            let value = match (float, histogram) {
                (Some(sample), _) => {
                    read.0 += 1;
                    SampleValue::Float(sample.value)
                }
                (None, Some(sample)) => {
                    read.1 += 1;
                    SampleValue::Histogram(sample.histogram.clone())
                }
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
