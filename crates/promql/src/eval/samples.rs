//! How many samples each step of an evaluation is made of, and how many it reads: `stats` of a
//! query's answer.
//!
//! *Invariants*: a step is made of what it would be made of as a query of its own, whatever the
//! evaluation has spared. Since that asks summaries where it can, this counts anew, for those who
//! want to know.
//!
//! *Sources*: Prometheus, `util/stats/query_stats.go`, `TotalSamplesPerStep`, `SamplesReadPerStep` and
//! `MergeSamplesReadFromSubquery`. A native histogram is one sample here; upstream counts its size in
//! memory.

use firebell_model::{Duration, Source, Timestamp};

use super::frame::{Block, Frame, is_absent};
use super::{Context, Options, Prepared, Scratch, State, Steps, select, window};
use crate::ast::{Borders, NumberLiteral, Span};
use crate::duration::DurationExpr;
use crate::error::EvalError;
use crate::functions::Window;
use crate::plan::{Op, OpKind, Program, Reader, WindowSource};

/// The samples of the steps of an evaluation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SampleCounts {
    /// How many each step is made of.
    pub total: Vec<u64>,
    /// How many of them no step before it has read.
    pub read: Vec<u64>,
}

impl Prepared {
    /// Counts the samples that each step from `start` to `end` is made of and reads; a step of zero
    /// is that of an instant query.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub fn sample_counts(
        &self,
        source: &dyn Source,
        (start, end): (Timestamp, Timestamp),
        step: Duration,
        options: &Options<'_>,
    ) -> Result<SampleCounts, EvalError> {
        let n = match step {
            Duration::ZERO => 1,
            step => ((end - start).0 / step.0) as usize + 1,
        };
        let steps = Steps { start, step, n };
        let text = self.plan.text();
        let mut context = Context::new(text, source, options, (steps, end), Scratch::default());
        SampleCounts::of(self.plan.program(), &mut context, steps)
    }
}

impl SampleCounts {
    fn zero(n: usize) -> Self {
        Self {
            total: vec![0; n],
            read: vec![0; n],
        }
    }

    fn of(program: &Program, context: &mut Context<'_>, steps: Steps) -> Result<Self, EvalError> {
        let mut counts = Self::zero(steps.n);
        for op in &program.ops {
            context.check_cancelled()?;
            let n = if op.is_invariant { 1 } else { steps.n };
            let own = of_op(op, context, Steps { n, ..steps })?;
            // What never changes is read once, and each step is made of it.
            let at = |step: usize| step.min(own.total.len() - 1);
            for (step, total) in counts.total.iter_mut().enumerate() {
                *total += own.total[at(step)];
            }
            for (read, own) in counts.read.iter_mut().zip(&own.read) {
                *read += own;
            }
        }
        Ok(counts)
    }

    /// Counts the values of a vector, each of which is a sample.
    fn of_block(frame: Frame, n: usize) -> Self {
        let mut counts = Self::zero(n);
        if let Frame::Vector(block) = frame {
            add(&block, &mut counts.total, |_| 1);
        }
        counts.read.clone_from(&counts.total);
        counts
    }
}

/// Adds what the values of a vector count for.
fn add(block: &Block, counts: &mut [u64], count: fn(f64) -> u64) {
    for row in 0..block.set.len() {
        for (step, sum) in counts.iter_mut().enumerate() {
            let value = block.get(row, step.min(block.n_steps - 1));
            if !is_absent(value) {
                *sum += count(value);
            }
        }
    }
}

/// The samples of one operation, without those of its operands.
fn of_op(op: &Op, context: &mut Context<'_>, steps: Steps) -> Result<SampleCounts, EvalError> {
    let frame = match &op.kind {
        // As upstream: what is interpolated is not counted.
        OpKind::Select(reader) if reader.borders != Some(Borders::Smoothed) => {
            select::values(reader, &mut State::Unbound, context, steps)?
        }
        OpKind::Timestamps(reader) | OpKind::Starts(reader) => {
            let wanted = select::Wanted::Time;
            select::timestamps(reader, wanted, &mut State::Unbound, context, steps)?
        }
        OpKind::Info(call) => {
            let place = call.place(context)?;
            let n = if place.0.is_some() { 1 } else { steps.n };
            let steps = Steps { n, ..steps };
            let block = select::moments(&call.reader, place, &mut None, context, steps)?;
            Frame::Vector(block)
        }
        OpKind::Window { source, .. } | OpKind::Matrix(source) => {
            let is_result = matches!(op.kind, OpKind::Matrix(_));
            return of_windows(source, is_result, context, steps);
        }
        _ => return Ok(SampleCounts::zero(steps.n)),
    };
    Ok(SampleCounts::of_block(frame, steps.n))
}

/// The samples of windows: each step is made of all in its window, and reads those that have come
/// since the step before.
fn of_windows(
    source: &WindowSource,
    is_result: bool,
    context: &mut Context<'_>,
    steps: Steps,
) -> Result<SampleCounts, EvalError> {
    let mut counts = SampleCounts::zero(steps.n);
    let (length, inner) = window::inner_steps(source, context, steps)?;
    if let (WindowSource::Subquery { program, shift, .. }, Some(inner)) = (source, inner) {
        let within = match inner.n {
            0 => SampleCounts::zero(0),
            _ => SampleCounts::of(program, context, inner)?,
        };
        let offset = match (&shift.offset, is_result) {
            (Some(offset), false) => offset
                .resolve(context.shape)
                .map_err(EvalError::Execution)?,
            _ => Duration::ZERO,
        };
        let spread = Spread {
            offset,
            length: (!is_result).then_some(length),
            steps,
        };
        spread.add(inner, &within.read, &mut counts.read);
        if is_result {
            counts.total[steps.n - 1] += within.total.iter().sum::<u64>();
            return Ok(counts);
        }
    }
    if let Some(block) = count(source, context, steps)? {
        add(&block, &mut counts.total, |n| n as u64);
    }
    let WindowSource::Series { reader, .. } = source else {
        return Ok(counts);
    };
    counts.read.clone_from(&counts.total);
    if reader.shift.at.is_some() {
        counts.read[1..].fill(0);
    } else if steps.n > 1 && steps.step < length {
        let range = DurationExpr::Literal(NumberLiteral {
            value: steps.step.as_secs_f64(),
            is_duration: true,
        });
        let newest = windows_of(reader, range);
        if let Some(block) = count(&newest, context, steps)? {
            counts.read[1..].fill(0);
            let first = std::mem::take(&mut counts.read[0]);
            add(&block, &mut counts.read, |n| n as u64);
            counts.read[0] = first;
        }
    }
    Ok(counts)
}

/// Which step of a query has read what a subquery has read.
struct Spread {
    /// How much earlier the subquery was evaluated.
    offset: Duration,
    /// How long the windows over it are; what falls between two of them counts nowhere.
    length: Option<Duration>,
    steps: Steps,
}

impl Spread {
    fn add(&self, inner: Steps, counts: &[u64], to: &mut [u64]) {
        let Steps { start, step, n } = self.steps;
        for (idx, count) in counts.iter().enumerate() {
            let at = inner.at(idx) + self.offset;
            let mut place = 0;
            if n > 1 && at > start {
                let behind = (at - start).0 + step.0 - 1;
                place = usize::try_from(behind / step.0).map_or(n - 1, |place| place.min(n - 1));
            }
            let is_between =
                |length: Duration| at <= self.steps.start + step * place as i64 - length;
            if n > 1 && self.length.is_some_and(is_between) {
                continue;
            }
            to[place] += count;
        }
    }
}

/// Windows of a selector, of another length and without borders.
fn windows_of(reader: &Reader, range: DurationExpr) -> WindowSource {
    WindowSource::Series {
        reader: Reader {
            matchers: reader.matchers.clone(),
            shift: reader.shift.clone(),
            borders: None,
            ..*reader
        },
        range,
    }
}

/// How many samples are in the windows of a source, its borders left out of account.
pub(super) fn count(
    source: &WindowSource,
    context: &mut Context<'_>,
    steps: Steps,
) -> Result<Option<Block>, EvalError> {
    let plain = match source {
        WindowSource::Series { reader, range } if reader.borders.is_some() => {
            Some(windows_of(reader, range.clone()))
        }
        _ => None,
    };
    let source = plain.as_ref().unwrap_or(source);
    let call = window::WindowCall {
        window: Window::Count,
        source,
        args: Vec::new(),
        arg_spans: Vec::new(),
        source_span: Span::default(),
        absent: &firebell_model::Labels::empty(),
    };
    let mut state = State::of_source(source);
    match window::run(&call, &mut state, context, steps)? {
        Frame::Vector(block) => Ok(Some(block)),
        _ => Ok(None),
    }
}
