//! How many samples each step of an evaluation is made of: `stats` of a query's answer.
//!
//! *Invariants*: a step counts what it would count as a query of its own, whatever the evaluation has
//! spared. Since that asks summaries where it can, this counts anew, for those who want to know.
//!
//! *Sources*: Prometheus, `util/stats/query_stats.go`, `TotalSamplesPerStep`. A native histogram is
//! one sample here; upstream counts its size in memory.

use firebell_model::{Duration, Source, Timestamp};

use super::frame::{Block, Frame, is_absent};
use super::{Context, Options, Prepared, Scratch, State, Steps, select, window};
use crate::ast::{Borders, Span};
use crate::error::EvalError;
use crate::functions::Window;
use crate::plan::{Op, OpKind, Reader, WindowSource};

impl Prepared {
    /// Counts the samples that each step from `start` to `end` is made of; a step of zero is that of
    /// an instant query.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub fn samples_per_step(
        &self,
        source: &dyn Source,
        (start, end): (Timestamp, Timestamp),
        step: Duration,
        options: &Options<'_>,
    ) -> Result<Vec<u64>, EvalError> {
        let n = match step {
            Duration::ZERO => 1,
            step => ((end - start).0 / step.0) as usize + 1,
        };
        let steps = Steps { start, step, n };
        let text = self.plan.text();
        let mut context = Context::new(text, source, options, (steps, end), Scratch::default());
        let mut counts = vec![0; n];
        for op in &self.plan.program().ops {
            context.check_cancelled()?;
            let n = if op.is_invariant { 1 } else { n };
            let Some((block, is_count)) = read(op, &mut context, Steps { n, ..steps })? else {
                continue;
            };
            for row in 0..block.set.len() {
                for (step, count) in counts.iter_mut().enumerate() {
                    let value = block.get(row, step.min(block.n_steps - 1));
                    if !is_absent(value) {
                        *count += if is_count { value as u64 } else { 1 };
                    }
                }
            }
        }
        Ok(counts)
    }
}

/// What an operation reads: samples, or how many there are in windows.
fn read(
    op: &Op,
    context: &mut Context<'_>,
    steps: Steps,
) -> Result<Option<(Block, bool)>, EvalError> {
    let frame = match &op.kind {
        // As upstream: what is interpolated is not counted.
        OpKind::Select(reader) if reader.borders != Some(Borders::Smoothed) => {
            select::values(reader, &mut State::Unbound, context, steps)?
        }
        OpKind::Timestamps(reader) => {
            select::timestamps(reader, &mut State::Unbound, context, steps)?
        }
        OpKind::Info(call) => {
            let place = call.place(context)?;
            let n = if place.0.is_some() { 1 } else { steps.n };
            let steps = Steps { n, ..steps };
            let block = select::moments(&call.reader, place, &mut None, context, steps)?;
            Frame::Vector(block)
        }
        OpKind::Window { source, .. } | OpKind::Matrix(source) => {
            return count(source, context, steps);
        }
        _ => return Ok(None),
    };
    match frame {
        Frame::Vector(block) => Ok(Some((block, false))),
        _ => Ok(None),
    }
}

/// The samples in the windows of a source, its borders left out of account.
pub(super) fn count(
    source: &WindowSource,
    context: &mut Context<'_>,
    steps: Steps,
) -> Result<Option<(Block, bool)>, EvalError> {
    let plain = match source {
        WindowSource::Series { reader, range } if reader.borders.is_some() => {
            Some(WindowSource::Series {
                reader: Reader {
                    matchers: reader.matchers.clone(),
                    shift: reader.shift.clone(),
                    borders: None,
                    ..*reader
                },
                range: range.clone(),
            })
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
        Frame::Vector(block) => Ok(Some((block, true))),
        _ => Ok(None),
    }
}
