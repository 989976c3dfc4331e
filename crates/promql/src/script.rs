//! Scripts in Prometheus's test language: load series, evaluate, compare.
//!
//! *Sources*: Prometheus, `promql/promqltest/README.md` and `test.go`.

mod expectation;
mod nhcb;
mod starts;

use std::sync::Arc;

use firebell_model::{Duration, HistogramSample, Sample, SampleValue, Timestamp};

use crate::description::{self, Described};
use crate::eval::{Options, Prepared};
use crate::memory::MemorySource;
use crate::plan::Plan;
use crate::value::{MatrixSeries, Value};
use expectation::{Eval, Moment, duration};
use nhcb::Classic;
use starts::Offsets;

/// How the evaluations of a script went.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Report {
    /// How many gave what was expected.
    pub passed: usize,
    /// Those that did not.
    pub failed: Vec<ScriptFailure>,
}

/// An evaluation that gave something unexpected, or a line that is no command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScriptFailure {
    /// The line of the command, from 1.
    pub line: usize,
    /// The command.
    pub command: String,
    /// What was wrong.
    pub message: String,
}

/// Runs a script. Everything is evaluated, also after a failure.
#[must_use]
pub fn run(text: &str) -> Report {
    let mut runner = Runner {
        source: MemorySource::new(),
        report: Report::default(),
    };
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        // A comment ends a block as an empty line does.
        .map(|line| if line.starts_with('#') { "" } else { line })
        .collect();
    let mut next = 0;
    while let Some(command) = lines.get(next) {
        let first = next + 1;
        next = first;
        if command.is_empty() {
            continue;
        }
        while lines.get(next).is_some_and(|line| !line.is_empty()) && has_block(command) {
            next += 1;
        }
        runner.command(first, command, &lines[first..next]);
    }
    runner.report
}

fn has_block(command: &str) -> bool {
    command.starts_with("load") || command.starts_with("eval")
}

struct Runner {
    source: MemorySource,
    report: Report,
}

impl Runner {
    fn command(&mut self, line: usize, command: &str, block: &[&str]) {
        let word = command.split_whitespace().next().unwrap_or_default();
        let done = if word.eq_ignore_ascii_case("clear") {
            // A new source: nothing that was bound before may survive.
            self.source = MemorySource::new();
            Ok(false)
        } else if let Some(load) = command.strip_prefix("load") {
            let (interval, with_nhcb) = match load.strip_prefix("_with_nhcb") {
                Some(interval) => (interval, true),
                None => (load, false),
            };
            self.load(interval.trim(), block, with_nhcb).map(|()| false)
        } else if command.starts_with("eval") {
            self.eval(command, block).map(|()| true)
        } else {
            Err("invalid command".to_owned())
        };
        match done {
            Ok(is_eval) => self.report.passed += usize::from(is_eval),
            Err(message) => self.report.failed.push(ScriptFailure {
                line,
                command: command.to_owned(),
                message,
            }),
        }
    }

    fn load(&mut self, interval: &str, block: &[&str], with_nhcb: bool) -> Result<(), String> {
        let interval: Duration = duration(interval)?;
        let mut classic = Classic::default();
        let mut offsets = None;
        for line in block {
            if let Some(read) = Offsets::read(line) {
                if offsets.replace(read?).is_some() {
                    return Err(LONELY_START.to_owned());
                }
                continue;
            }
            let (labels, values) = description::series_description(line)?;
            if let Some(offsets) = offsets.take() {
                let starts = offsets.starts(&labels, &values, interval)?;
                self.source.append_starts(&labels, starts);
            }
            let (mut samples, mut histograms) = (Vec::new(), Vec::new());
            for (idx, value) in values.into_iter().enumerate() {
                let at = Timestamp(0) + interval * idx as i64;
                match value {
                    Described::Value(value) => samples.push(Sample { at, value }),
                    Described::Histogram { histogram, .. } => {
                        histograms.push(HistogramSample { at, histogram });
                    }
                    Described::Nothing => {}
                }
            }
            if with_nhcb {
                classic.collect(&labels, &samples);
            }
            if !samples.is_empty() {
                self.source.append(&labels, samples);
            }
            if !histograms.is_empty() {
                self.source.append_histograms(&labels, histograms);
            }
        }
        if offsets.is_some() {
            return Err(LONELY_START.to_owned());
        }
        classic.store(&mut self.source)
    }

    fn eval(&self, command: &str, block: &[&str]) -> Result<(), String> {
        let eval = Eval::read(command, block)?;
        let options = Options {
            delays_name_removal: true,
            uses_starts: true,
            ..Options::default()
        };
        let plan = Plan::new(&eval.expr);
        let plan = match plan {
            Ok(plan) => plan,
            Err(error) => return eval.compare_failure(&error.to_string()),
        };
        let mut prepared = Prepared::new(plan.clone());
        let result = match eval.moment {
            Moment::Instant(at) => prepared.instant(&self.source, at, &options),
            Moment::Range { start, end, step } => {
                prepared.range(&self.source, start, end, step, &options)
            }
        };
        let value = match result {
            Err(error) => return eval.compare_failure(&error.to_string()),
            Ok(_) if eval.fails.is_some() => return Err("expected to fail, but did not".into()),
            Ok(value) => value,
        };
        eval.compare(&value)?;
        eval.compare_annotations(prepared.annotations())?;
        // As upstream: an instant query gives the same as the middle of a range query.
        if let (Moment::Instant(at), false) = (eval.moment, eval.is_ordered)
            && matches!(value, Value::Vector(_) | Value::Scalar(_))
        {
            let mut prepared = Prepared::new(plan.clone());
            let minute = Duration::from_mins(1);
            let (start, end) = (at - minute, at + minute);
            let matrix = prepared
                .range(&self.source, start, end, minute, &options)
                .map_err(|error| format!("in range mode: {error}"))?;
            // What depends on the shape of the query is another query now.
            if !depends_on_shape(&plan) {
                let middle = middle(&matrix, at, &value);
                eval.compare(&middle)
                    .map_err(|error| format!("in range mode: {error}"))?;
            }
        }
        Ok(())
    }
}

const LONELY_START: &str = "@st line has no following sample line";

/// Whether `start()`, `end()`, `step()` or `range()` occur.
fn depends_on_shape(plan: &Plan) -> bool {
    let text = plan.expr().to_string();
    ["start()", "end()", "step()", "range()"]
        .iter()
        .any(|word| text.contains(word))
}

fn middle(matrix: &Value, at: Timestamp, like: &Value) -> Value {
    let Value::Matrix(series) = matrix else {
        return matrix.clone();
    };
    let sample = |series: &MatrixSeries| {
        let float = series.samples.iter().find(|sample| sample.at == at);
        let histogram = series.histograms.iter().find(|sample| sample.at == at);
        let value = match (float, histogram) {
            (Some(sample), _) => SampleValue::Float(sample.value),
            (None, Some(sample)) => SampleValue::Histogram(Arc::clone(&sample.histogram)),
            (None, None) => return None,
        };
        let labels = series.labels.clone();
        Some(crate::value::VectorSample { labels, at, value })
    };
    let samples: Vec<_> = series.iter().filter_map(sample).collect();
    match (like, samples.first()) {
        (Value::Scalar(_), Some(sample)) => Value::Scalar(sample.value.float_or_zero()),
        _ => Value::Vector(samples),
    }
}
