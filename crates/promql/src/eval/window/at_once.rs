//! Windows of one moment: all series read in one go.
//!
//! *Invariants*: what this gives is what the samples one by one would give.

use firebell_model::SeriesId;

use super::{Rowwise, SUMMARY_LENGTH_MIN, Slice, WindowCall, Windows, over_time, rate};
use crate::error::EvalError;
use crate::eval::frame::ABSENT;
use crate::eval::select::CANCEL_CHECK_EVERY;
use crate::eval::{Context, Steps};

/// The value of each series.
pub(super) fn read(
    call: &WindowCall<'_>,
    ids: &[SeriesId],
    windows: &Windows,
    steps: Steps,
    context: &mut Context<'_>,
    out: &mut Rowwise,
) -> Result<(), EvalError> {
    let is_long = windows.length >= SUMMARY_LENGTH_MIN;
    let has_summary = over_time::has_summary(call.window);
    let run_len = if is_long && !has_summary && !rate::has_summary(call.window) {
        // Each may have any number of samples.
        1
    } else {
        CANCEL_CHECK_EVERY
    };
    for ids in ids.chunks(run_len) {
        context.check_cancelled()?;
        let run = Run {
            call,
            ids,
            windows,
            steps,
        };
        if rate::has_summary(call.window) {
            run.growths(context, out)?;
        } else if is_long && has_summary {
            run.summaries(context, out)?;
        } else {
            run.samples(context, out)?;
        }
    }
    Ok(())
}

/// Some of the series.
struct Run<'a> {
    call: &'a WindowCall<'a>,
    ids: &'a [SeriesId],
    windows: &'a Windows,
    steps: Steps,
}

impl Run<'_> {
    fn growths(&self, context: &mut Context<'_>, out: &mut Rowwise) -> Result<(), EvalError> {
        let range = self.windows.range(0);
        let mut growths = std::mem::take(&mut context.scratch.growths);
        context.source.growths(self.ids, range, &mut growths)?;
        out.note_histograms(&growths.with_histograms);
        for (growth, &id) in growths.values.iter().zip(self.ids) {
            let value = match rate::of_read(self.call.window, growth.as_ref(), range) {
                Some(value) => value,
                None => self.slowly(id, context)?,
            };
            out.values.push(value);
        }
        context.scratch.growths = growths;
        Ok(())
    }

    fn summaries(&self, context: &mut Context<'_>, out: &mut Rowwise) -> Result<(), EvalError> {
        let range = self.windows.range(0);
        let mut summaries = std::mem::take(&mut context.scratch.summaries);
        context.source.summaries(self.ids, range, &mut summaries)?;
        out.note_histograms(&summaries.with_histograms);
        for (summary, &id) in summaries.values.iter().zip(self.ids) {
            let value = match summary {
                None => None,
                // Infinities and overflows depend on the order of the samples.
                Some(it) if !it.sum.is_finite() || !it.squares.is_finite() => {
                    Some(self.slowly(id, context)?)
                }
                Some(summary) => over_time::of_summary(self.call.window, summary),
            };
            out.values.push(value.unwrap_or(ABSENT));
        }
        context.scratch.summaries = summaries;
        Ok(())
    }

    fn samples(&self, context: &mut Context<'_>, out: &mut Rowwise) -> Result<(), EvalError> {
        let range = self.windows.range(0);
        let mut windows = std::mem::take(&mut context.scratch.windows);
        context.source.windows(self.ids, range, &mut windows)?;
        out.note_histograms(&windows.spans.with_histograms);
        context.hold(windows.samples.len())?;
        let arg = |idx: usize| self.call.args.get(idx).map_or(0.0, |column| column[0]);
        for row in 0..self.ids.len() {
            let samples = windows.row(row);
            if samples.is_empty() {
                out.values.push(ABSENT);
                continue;
            }
            let slice = Slice {
                samples,
                range,
                at: self.steps.at(0),
                args: [arg(0), arg(1)],
            };
            out.values.push(super::value_of(self.call.window, &slice));
        }
        context.release(windows.samples.len());
        context.scratch.windows = windows;
        Ok(())
    }

    /// The value of one series from its samples.
    fn slowly(&self, id: SeriesId, context: &mut Context<'_>) -> Result<f64, EvalError> {
        let run = Run {
            ids: &[id],
            ..*self
        };
        let mut out = Rowwise::default();
        run.samples(context, &mut out)?;
        Ok(out.values[0])
    }
}
