//! The input series of a test, read as upstream's test language reads them.

use std::collections::BTreeMap;

use firebell_config::UnitTest;
use firebell_model::{HistogramSample, Labels, Sample, Timestamp};
use firebell_promql::MemorySource;
use firebell_promql::description::{self, Described};

use super::start_of;

/// One series; no moment is in both lists.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub(super) labels: Labels,
    pub(super) samples: Vec<Sample>,
    pub(super) histograms: Vec<HistogramSample>,
}

/// Reads the series. Of those with the same labels the last is taken.
pub(super) fn read(test: &UnitTest) -> Result<Vec<Input>, String> {
    let mut inputs = BTreeMap::new();
    for (idx, line) in lines(test).iter().enumerate() {
        // The first line of upstream's script says the interval.
        let described = description::series_description(line);
        let (labels, values) = described.map_err(|error| placed(&error, idx + 2))?;
        inputs.insert(labels.clone(), input(labels, values, test));
    }
    Ok(inputs.into_values().collect())
}

/// The series, a line each.
///
/// Upstream writes them as a script and reads that line by line. So an empty line among the values,
/// or one that begins with `#`, ends the input.
pub(super) fn lines(test: &UnitTest) -> Vec<String> {
    let series = test.input_series.iter();
    let script: String = series
        .map(|it| format!("{} {}\n", it.series, it.values))
        .collect();
    let lines = script.lines().map(str::trim);
    let lines = lines.take_while(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// The series that can be read, each with the number of its values, those that are missing on
/// purpose included.
pub(super) fn given(test: &UnitTest) -> Vec<(Labels, usize)> {
    let lines = lines(test).into_iter();
    let described = lines.filter_map(|line| description::series_description(&line).ok());
    described
        .map(|(labels, values)| (labels, values.len()))
        .collect()
}

/// How many series a test has without saying so: those after an empty line.
pub(super) fn n_lost(test: &UnitTest) -> usize {
    let ends = |values: &str| {
        let mut lines = values.split('\n').skip(1).map(str::trim);
        lines.any(|line| line.is_empty() || line.starts_with('#'))
    };
    let series = &test.input_series;
    match series.iter().position(|it| ends(&it.values)) {
        Some(idx) => series.len() - idx - 1,
        None => 0,
    }
}

fn input(labels: Labels, values: Vec<Described>, test: &UnitTest) -> Input {
    let mut input = Input {
        labels,
        ..Input::default()
    };
    for (idx, value) in values.into_iter().enumerate() {
        let at = start_of(test) + test.interval * idx as i64;
        match value {
            Described::Value(value) => input.samples.push(Sample { at, value }),
            Described::Histogram { histogram, .. } => {
                input.histograms.push(HistogramSample { at, histogram });
            }
            Described::Nothing => {}
        }
    }
    input
}

/// An error with its place in the script.
fn placed(error: &str, line: usize) -> String {
    match error.strip_prefix("1:") {
        Some(rest) => format!("{line}:{rest}"),
        None => format!("{line}:1: parse error: {error}"),
    }
}

impl Input {
    /// Adds what is later than one moment, and not later than another.
    pub(super) fn feed(
        &self,
        memory: &mut MemorySource,
        after: Option<Timestamp>,
        until: Timestamp,
    ) {
        let floats = |at| self.samples.partition_point(|it| it.at <= at);
        let histograms = |at| self.histograms.partition_point(|it| it.at <= at);
        let start = after.map_or((0, 0), |after| (floats(after), histograms(after)));
        let new = &self.samples[start.0..floats(until)];
        if !new.is_empty() {
            memory.append(&self.labels, new.iter().copied());
        }
        let new = &self.histograms[start.1..histograms(until)];
        if !new.is_empty() {
            memory.append_histograms(&self.labels, new.iter().cloned());
        }
    }
}
