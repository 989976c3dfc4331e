//! `anchored` and `smoothed`: windows that look at the samples around their borders, instead of
//! guessing what is there.
//!
//! *Not here*: native histograms, which `histograms` sees to.
//!
//! *Sources*: Prometheus, `promql/functions.go`, `extendedRate`; `promql/engine.go`, `extendFloats`
//! and `smoothSeries`.

use firebell_model::{Duration, Sample, SampleRows, SeriesId, TimeRange, Timestamp};

use super::{Rowwise, Steps, WindowCall, Windows};
use crate::ast::Borders;
use crate::error::{EvalError, execution};
use crate::eval::frame::ABSENT;
use crate::eval::{Context, select::CANCEL_CHECK_EVERY};
use crate::functions::{Kind, Window, functions};

/// Refuses functions that would take samples around a window for samples in it.
pub(super) fn check(window: Window, borders: Borders) -> Result<(), EvalError> {
    let (name, allowed) = match borders {
        Borders::Anchored => ("anchored", "changes, delta, increase, rate, resets"),
        Borders::Smoothed => ("smoothed", "delta, increase, rate"),
    };
    let function = functions()
        .iter()
        .find(|it| it.kind == Kind::Window(window));
    let function = function.map_or("", |it| it.name);
    if allowed.split(", ").any(|it| it == function) {
        return Ok(());
    }
    execution(format!(
        "{name} modifier can only be used with: {allowed} - not with {function}"
    ))
}

/// How far a range is looked at.
pub(crate) fn around(range: TimeRange, borders: Borders, lookback: Duration) -> TimeRange {
    TimeRange {
        after: range.after - lookback,
        until: match borders {
            Borders::Anchored => range.until,
            Borders::Smoothed => range.until + lookback,
        },
    }
}

/// Reads the floats of a series around a range, without stale ones.
pub(super) fn read(
    context: &Context<'_>,
    id: SeriesId,
    range: TimeRange,
    borders: Borders,
    out: &mut Vec<Sample>,
) -> Result<(), EvalError> {
    out.clear();
    let Some(series) = context.source.series(id) else {
        return Ok(());
    };
    let range = around(range, borders, context.options.lookback);
    series.samples(range, out)?;
    SampleRows::drop_stale(out, 0);
    Ok(())
}

/// Evaluates series after series, without those that have histograms.
pub(super) fn evaluate(
    call: &WindowCall<'_>,
    borders: Borders,
    ids: &[SeriesId],
    windows: &Windows,
    context: &mut Context<'_>,
    out: &mut Rowwise,
) -> Result<(), EvalError> {
    let mut samples = Vec::new();
    for (idx, &id) in ids.iter().enumerate() {
        if idx % CANCEL_CHECK_EVERY == 0 {
            context.check_cancelled()?;
        }
        if has_histograms(context, id) {
            out.with_histograms.push(idx);
            out.values.extend(std::iter::repeat_n(ABSENT, windows.n));
            continue;
        }
        read(context, id, windows.whole(), borders, &mut samples)?;
        context.hold(samples.len())?;
        for step in 0..windows.n {
            let range = windows.range(step);
            let seen = within(&samples, around(range, borders, context.options.lookback));
            let value = value_of(call.window, borders, seen, range);
            out.values.push(value.unwrap_or(ABSENT));
        }
        context.release(samples.len());
    }
    Ok(())
}

pub(crate) fn has_histograms(context: &Context<'_>, id: SeriesId) -> bool {
    let series = context.source.series(id);
    series.is_some_and(|series| series.has_histograms())
}

fn within(samples: &[Sample], range: TimeRange) -> &[Sample] {
    let start = samples.partition_point(|it| it.at <= range.after);
    let end = samples.partition_point(|it| it.at <= range.until);
    &samples[start..end.max(start)]
}

pub(super) fn value_of(
    window: Window,
    borders: Borders,
    samples: &[Sample],
    range: TimeRange,
) -> Option<f64> {
    let ends = Ends::of(samples, borders, range)?;
    let values = || samples[ends.first..=ends.last].iter().map(|it| it.value);
    let pairs = || values().zip(values().skip(1));
    match window {
        Window::Changes => {
            let differ = |(a, b): &(f64, f64)| a != b && !(a.is_nan() && b.is_nan());
            return Some(pairs().filter(differ).count() as f64);
        }
        Window::Resets => return Some(pairs().filter(|(a, b)| b < a).count() as f64),
        _ => {}
    }
    // What comes after the window only says nothing of it.
    if borders == Borders::Smoothed && samples[ends.first].at > range.until {
        return None;
    }
    let is_counter = window != Window::Delta;
    let left = ends.left(samples, is_counter);
    let right = ends.right(samples, is_counter);
    let mut change = right - left;
    if is_counter {
        let mut before = left;
        for value in ends
            .inside(samples)
            .iter()
            .map(|it| it.value)
            .chain([right])
        {
            if value < before {
                change += before;
            }
            before = value;
        }
    }
    if window == Window::Rate {
        change /= (range.until - range.after).as_secs_f64();
    }
    Some(change)
}

/// The samples that stand for the borders of a window.
struct Ends {
    borders: Borders,
    range: TimeRange,
    /// The last one not behind the start, or else the first.
    first: usize,
    /// When smoothed the first one not before the end, or else the last.
    last: usize,
}

impl Ends {
    /// None when nothing lies behind the start.
    fn of(samples: &[Sample], borders: Borders, range: TimeRange) -> Option<Self> {
        let mut last = samples.len().checked_sub(1)?;
        let others = &samples[..last];
        let first = others
            .partition_point(|it| it.at <= range.after)
            .saturating_sub(1);
        if borders == Borders::Smoothed {
            last = others.partition_point(|it| it.at < range.until);
        }
        (samples[last].at > range.after).then_some(Self {
            borders,
            range,
            first,
            last: last.max(first),
        })
    }

    /// The value at the start.
    fn left(&self, samples: &[Sample], is_counter: bool) -> f64 {
        let first = samples[self.first];
        match samples.get(self.first + 1) {
            Some(&next) if self.borders == Borders::Smoothed && first.at < self.range.after => {
                interpolate(first, next, self.range.after, is_counter)
            }
            _ => first.value,
        }
    }

    /// The value at the end.
    fn right(&self, samples: &[Sample], is_counter: bool) -> f64 {
        let last = samples[self.last];
        let is_behind = last.at > self.range.until && self.last > 0;
        if self.borders == Borders::Smoothed && is_behind {
            let before = samples[self.last - 1];
            return interpolate(before, last, self.range.until, is_counter);
        }
        last.value
    }

    /// The samples strictly between the borders.
    fn inside<'a>(&self, samples: &'a [Sample]) -> &'a [Sample] {
        let start = self.first + usize::from(samples[self.first].at <= self.range.after);
        let end = self.last + usize::from(samples[self.last].at < self.range.until);
        samples.get(start..end).unwrap_or(&[])
    }
}

/// The value on the line between two samples; a counter that was reset begins at zero.
fn interpolate(before: Sample, after: Sample, at: Timestamp, is_counter: bool) -> f64 {
    let mut start = before.value;
    if is_counter && after.value < start {
        start = 0.0;
    }
    let part = (at - before.at).0 as f64;
    start + (after.value - start) * part / (after.at - before.at).0 as f64
}

/// The samples of a window, with one at each of its borders.
pub(super) fn extend(samples: &[Sample], borders: Borders, range: TimeRange) -> Vec<Sample> {
    let Some(ends) = Ends::of(samples, borders, range) else {
        return Vec::new();
    };
    let at = |at, value| Sample { at, value };
    let mut extended = vec![at(range.after, ends.left(samples, false))];
    extended.extend_from_slice(ends.inside(samples));
    extended.push(at(range.until, ends.right(samples, false)));
    extended
}

/// The value of an instant selector with `smoothed` at a moment: on the line between the samples
/// around it, or the last one when none comes after.
pub(crate) fn smooth(samples: &[Sample], at: Timestamp, lookback: Duration) -> Option<f64> {
    let range = TimeRange {
        after: at - lookback,
        until: at + lookback,
    };
    let seen = within(samples, range);
    let next = seen.partition_point(|it| it.at < at);
    match (next.checked_sub(1).map(|idx| seen[idx]), seen.get(next)) {
        (_, Some(exact)) if exact.at == at => Some(exact.value),
        (Some(before), Some(&after)) => Some(interpolate(before, after, at, false)),
        (Some(before), None) => Some(before.value),
        (None, _) => None,
    }
}

/// The values of a series at all steps, for an instant selector with `smoothed`.
pub(crate) fn smooth_row(
    context: &mut Context<'_>,
    id: SeriesId,
    first: Timestamp,
    steps: Steps,
    values: &mut Vec<f64>,
) -> Result<(), EvalError> {
    let at = |step: usize| first + steps.step * step as i64;
    let lookback = context.options.lookback;
    let whole = TimeRange {
        after: first,
        until: at(steps.n - 1),
    };
    let mut samples = Vec::new();
    read(context, id, whole, Borders::Smoothed, &mut samples)?;
    context.hold(samples.len())?;
    let value = |step| smooth(&samples, at(step), lookback).unwrap_or(ABSENT);
    values.extend((0..steps.n).map(value));
    context.release(samples.len());
    Ok(())
}
