//! Functions over windows of series that have native histograms, alone or mixed with floats, or whose
//! samples say since when they count.
//!
//! *Sources*: Prometheus, `promql/functions.go`.

mod bordered;

use std::sync::Arc;

use firebell_model::{
    Histogram, HistogramSample, Labels, Reconciled, ResetHint, SampleValue, TimeRange, Timestamp,
};

use super::starts::{self, Starts};
use super::{Bound, Slice, WindowCall, Windows, borders, rate};
use crate::arithmetic::HistogramMean;
use crate::ast::{Borders, Span};
use crate::error::EvalError;
use crate::eval::aggregate::Hints;
use crate::eval::frame::{Cells, is_absent};
use crate::eval::mixed::{Mixed, Part};
use crate::eval::note::{Note, Operation};
use crate::eval::{Context, Steps};
use crate::functions::Window;

/// Evaluates the rows that have histograms or start timestamps, in place of what their floats alone
/// gave.
pub(super) fn read(
    call: &WindowCall<'_>,
    bound: &Bound,
    rows: &[usize],
    windows: &Windows,
    steps: Steps,
    context: &mut Context<'_>,
    cells: &mut Cells,
) -> Result<(), EvalError> {
    let mut mixed = Mixed::default();
    for &row in rows {
        context.check_cancelled()?;
        let lookback = context.options.lookback;
        let reach = |range| match call.source.borders() {
            Some(it) => borders::around(range, it, lookback),
            None => range,
        };
        let whole = reach(windows.whole());
        bound
            .rows
            .read_mixed(call.source, context.source, row, whole, &mut mixed)?;
        context.hold(mixed.len())?;
        let uses_starts = context.options.uses_starts && starts::matter(call.window);
        let mut ends = Default::default();
        for step in 0..steps.n {
            let range = windows.range(step);
            let arg = |idx: usize| call.args.get(idx).map_or(0.0, |column| column[step]);
            let part = mixed.window(reach(range), &mut ends);
            let mut window = MixedWindow {
                window: call.window,
                part,
                starts: Starts(if uses_starts { &mixed.starts } else { &[] }),
                range,
                at: steps.at(step),
                args: [arg(0), arg(1)],
                name: bound.set.labels[row].metric_name(),
                span: call.source_span,
                context,
            };
            let value = if part.samples.is_empty() && part.histograms.is_empty() {
                None
            } else if let Some(it) = call.source.borders() {
                window.bordered(it)
            } else {
                window.value()
            };
            cells.set(row * steps.n + step, value);
        }
        context.release(mixed.len());
    }
    Ok(())
}

/// The values of a series that has histograms at all steps, for an instant selector with `smoothed`.
pub(crate) fn smooth(
    mixed: &Mixed,
    (labels, span): (&Labels, Span),
    (first, steps): (Timestamp, Steps),
    context: &mut Context<'_>,
    mut place: impl FnMut(usize, Option<SampleValue>),
) {
    let mut ends = Default::default();
    for step in 0..steps.n {
        let at = first + steps.step * step as i64;
        let range = TimeRange {
            after: at,
            until: at,
        };
        let part = mixed.window(
            borders::around(range, Borders::Smoothed, context.options.lookback),
            &mut ends,
        );
        let mut window = MixedWindow {
            window: Window::Last,
            part,
            starts: Starts::default(),
            range,
            at,
            args: [0.0; 2],
            name: labels.metric_name(),
            span,
            context,
        };
        place(step, window.smoothed());
    }
}

/// One window of one series, with at least one sample.
struct MixedWindow<'a, 'b, 'c> {
    window: Window,
    part: Part<'a>,
    /// Empty where nobody asks.
    starts: Starts<'a>,
    range: TimeRange,
    at: Timestamp,
    args: [f64; 2],
    name: &'a str,
    span: Span,
    context: &'b mut Context<'c>,
}

impl MixedWindow<'_, '_, '_> {
    fn note(&mut self, note: impl FnOnce(String) -> Note) {
        let note = note(self.name.to_owned());
        self.context.note(self.span, &note);
    }

    fn value(&mut self) -> Option<SampleValue> {
        let part = self.part;
        let Part {
            samples,
            histograms,
        } = part;
        if histograms.is_empty() {
            return match self.window {
                _ if self.starts.is_empty() => self.of_floats(),
                Window::Rate | Window::Increase => self.float_rate(),
                Window::Irate => self.instant(),
                _ => Some(self.count_resets(&part.in_order())),
            };
        }
        let secs = |at: Timestamp| SampleValue::Float(at.as_secs_f64());
        match self.window {
            Window::Count => {
                let count = samples.len() + histograms.len();
                Some(SampleValue::Float(count as f64))
            }
            Window::Present => Some(SampleValue::Float(1.0)),
            Window::First => part.first().map(|(_, value)| value),
            Window::Last => part.last().map(|(_, value)| value),
            Window::TsOfFirst => part.first().map(|(at, _)| secs(at)),
            Window::TsOfLast => part.last().map(|(at, _)| secs(at)),
            Window::Changes => Some(count_changes(&part.in_order())),
            Window::Resets => Some(self.count_resets(&part.in_order())),
            Window::Irate | Window::Idelta => self.instant(),
            Window::Rate | Window::Increase | Window::Delta | Window::Sum | Window::Avg => {
                if !samples.is_empty() {
                    self.note(Note::MixedWindow);
                    return None;
                }
                match self.window {
                    Window::Sum | Window::Avg => self.add_up(),
                    _ => self.rate(),
                }
            }
            _ => {
                // The rest leaves histograms out.
                if !samples.is_empty() {
                    self.note(Note::IgnoredInWindow);
                }
                self.of_floats()
            }
        }
    }

    /// What the floats alone give.
    fn of_floats(&self) -> Option<SampleValue> {
        let Self {
            window,
            range,
            at,
            args,
            ..
        } = *self;
        let samples = self.part.samples;
        if samples.is_empty() {
            return None;
        }
        let slice = Slice {
            samples,
            range,
            at,
            args,
        };
        let value = super::value_of(window, &slice);
        (!is_absent(value)).then_some(SampleValue::Float(value))
    }

    fn count_resets(&self, all: &[Moment]) -> SampleValue {
        let starts = self.starts;
        count_pairs(all, |(from, before), (to, after)| {
            is_reset(before, after) || starts.is_reset(*from, *to)
        })
    }

    /// `rate`, `increase` of floats some of which say since when they count.
    fn float_rate(&mut self) -> Option<SampleValue> {
        let (samples, starts) = (self.part.samples, self.starts);
        let (first, last) = (*samples.first()?, *samples.last()?);
        let mut change = last.value - first.value;
        for pair in samples.windows(2) {
            if pair[1].value < pair[0].value || starts.is_reset(pair[0].at, pair[1].at) {
                change += pair[0].value;
            }
        }
        self.note_overlaps(samples.iter().map(|it| it.at));
        let n = samples.len();
        let factor = match starts.within(first.at, self.range) {
            None => rate::factor(self.window, change, n as u64, first, last, self.range)?,
            Some(since) => {
                change += first.value;
                rate::factor_since(self.window, since, n, (first.at, last.at), self.range)
            }
        };
        Some(SampleValue::Float(change * factor))
    }

    /// Warns of samples that count what others have counted, once for a window.
    fn note_overlaps(&mut self, moments: impl Iterator<Item = Timestamp>) {
        let mut before = None;
        for at in moments {
            if before.is_some_and(|before| self.starts.overlap(before, at)) {
                self.context.note_overlap(self.span, self.name);
                return;
            }
            before = Some(at);
        }
    }

    /// `sum_over_time`, `avg_over_time`.
    fn add_up(&mut self) -> Option<SampleValue> {
        let (first, rest) = self.part.histograms.split_first()?;
        let mut sum = HistogramMean::of(&first.histogram);
        let mut hints = Hints::default();
        hints.see(&first.histogram);
        let mut has_other_bounds = false;
        for sample in rest {
            hints.see(&sample.histogram);
            let added = match self.window {
                Window::Sum => sum.add_to_sum(&sample.histogram),
                _ => sum.add(&sample.histogram),
            };
            let Ok(reconciled) = added else {
                self.note(Note::MixedSchemas);
                return None;
            };
            has_other_bounds |= reconciled.has_other_bounds;
        }
        if hints.is_conflict() {
            self.note(|_| Note::ResetConflict(Operation::Aggregation));
        }
        if has_other_bounds {
            self.note(|_| Note::OtherBounds(Operation::Aggregation));
        }
        Some(histogram(match self.window {
            Window::Sum => sum.sum(),
            _ => sum.mean(),
        }))
    }

    /// `rate`, `increase`, `delta`.
    fn rate(&mut self) -> Option<SampleValue> {
        let histograms = self.part.histograms;
        let (first, last) = (histograms.first()?, histograms.last()?);
        let n = histograms.len();
        let since = self.starts.within(first.at, self.range);
        let mut change = match (n, since) {
            (1, None) => return None,
            (1, Some(_)) => Histogram::default(),
            _ => self.change(first, last)?,
        };
        if let Some(since) = since {
            if n == 1 {
                change = (*first.histogram).clone();
            } else {
                let done = change.add(&first.histogram);
                self.note_bounds(done, Operation::Addition)?;
            }
            let ends = (first.at, last.at);
            change.scale(rate::factor_since(self.window, since, n, ends, self.range));
            return Some(histogram(change));
        }
        let count = |sample: &HistogramSample| firebell_model::Sample {
            at: sample.at,
            value: sample.histogram.count,
        };
        let (first, last) = (count(first), count(last));
        let n = n as u64;
        let factor = rate::factor(self.window, change.count, n, first, last, self.range)?;
        change.scale(factor);
        Some(histogram(change))
    }

    /// How much the histogram has grown within the window.
    fn change(&mut self, first: &HistogramSample, last: &HistogramSample) -> Option<Histogram> {
        let histograms = self.part.histograms;
        let is_counter = self.window != Window::Delta;
        let is_gauge = |it: &HistogramSample| it.histogram.reset_hint == ResetHint::Gauge;
        if is_counter && histograms.iter().any(is_gauge) {
            self.note(Note::NotCounter);
        }
        let mut before = Arc::clone(&first.histogram);
        let starts = self.starts;
        let second = &histograms[1].histogram;
        let is_reset = starts.is_reset(first.at, histograms[1].at);
        if is_counter && (is_reset || second.is_reset_since(&before)) {
            // Nothing of the first one counts, not even its layout.
            before = Arc::new(Histogram {
                schema: second.schema,
                custom_bounds: Arc::clone(&second.custom_bounds),
                ..Histogram::default()
            });
        }
        let is_custom = before.has_custom_buckets();
        let between = &histograms[1..histograms.len() - 1];
        let relevant = if is_counter { between } else { &[] };
        let mut others = relevant.iter().chain([last]);
        if others.any(|it| it.histogram.has_custom_buckets() != is_custom) {
            self.note(Note::MixedSchemas);
            return None;
        }
        let schemas = relevant.iter().map(|it| it.histogram.schema);
        let schema = schemas.fold(last.histogram.schema.min(before.schema), i8::min);
        let mut change = (*last.histogram).clone();
        change.reduce_resolution(schema);
        let done = change.sub(&before);
        self.note_bounds(done, Operation::Subtraction)?;
        if is_counter {
            self.note_overlaps(histograms.iter().map(|it| it.at));
            for pair in histograms.windows(2) {
                let sample = &pair[1];
                let is_reset = starts.is_reset(pair[0].at, sample.at);
                if is_reset || sample.histogram.is_reset_since(&before) {
                    let done = change.add(&before);
                    self.note_bounds(done, Operation::Addition)?;
                }
                before = Arc::clone(&sample.histogram);
            }
        } else if !is_gauge(first) || !is_gauge(last) {
            self.note(Note::NotGauge);
        }
        change.reset_hint = ResetHint::Gauge;
        change.compact();
        Some(change)
    }

    fn note_bounds(
        &mut self,
        done: Result<Reconciled, firebell_model::IncompatibleSchemas>,
        operation: Operation,
    ) -> Option<()> {
        let Ok(reconciled) = done else {
            self.note(Note::MixedSchemas);
            return None;
        };
        if reconciled.has_other_bounds {
            self.note(|_| Note::OtherBounds(operation));
        }
        Some(())
    }

    /// `irate`, `idelta`: of the last two samples.
    fn instant(&mut self) -> Option<SampleValue> {
        let all = self.part.in_order();
        let [.., (from, before), (to, last)] = all.as_slice() else {
            return None;
        };
        if from == to {
            return None;
        }
        let (before, last) = match (before, last) {
            (SampleValue::Float(_), SampleValue::Float(last)) => {
                let is_reset = self.starts.is_reset(*from, *to);
                let grown = SampleValue::Float(last / (*to - *from).as_secs_f64());
                return if is_reset {
                    Some(grown)
                } else {
                    self.of_floats()
                };
            }
            (SampleValue::Histogram(before), SampleValue::Histogram(last)) => (before, last),
            _ => {
                self.note(Note::MixedWindow);
                return None;
            }
        };
        let is_rate = self.window == Window::Irate;
        let is_gauge = |it: &Histogram| it.reset_hint == ResetHint::Gauge;
        if is_rate && (is_gauge(before) || is_gauge(last)) {
            self.note(Note::NotCounter);
        }
        let are_gauges = is_gauge(before) && is_gauge(last);
        if !is_rate && !are_gauges {
            self.note(Note::NotGauge);
        }
        let mut change = (**last).clone();
        let is_reset = self.starts.is_reset(*from, *to) || last.is_reset_since(before);
        if !is_rate || !is_reset {
            let done = change.sub(before);
            self.note_bounds(done, Operation::Subtraction)?;
        }
        change.reset_hint = ResetHint::Gauge;
        change.compact();
        if is_rate {
            change.divide((*to - *from).as_secs_f64());
        }
        Some(histogram(change))
    }
}

fn histogram(histogram: Histogram) -> SampleValue {
    SampleValue::Histogram(Arc::new(histogram))
}

type Moment = (Timestamp, SampleValue);

fn count_pairs(all: &[Moment], is_hit: impl Fn(&Moment, &Moment) -> bool) -> SampleValue {
    let pairs = all.windows(2);
    let count = pairs.filter(|pair| is_hit(&pair[0], &pair[1])).count();
    SampleValue::Float(count as f64)
}

fn count_changes(all: &[Moment]) -> SampleValue {
    count_pairs(all, |before, after| is_change(&before.1, &after.1))
}

/// Whether a value differs from the one before; two NaNs do not.
fn is_change(before: &SampleValue, after: &SampleValue) -> bool {
    match (before, after) {
        (SampleValue::Float(a), SampleValue::Float(b)) => a != b && !(a.is_nan() && b.is_nan()),
        (SampleValue::Histogram(a), SampleValue::Histogram(b)) => !b.is_same(a),
        _ => true,
    }
}

/// Whether a counter was reset; one that becomes a histogram or stops being one was.
fn is_reset(before: &SampleValue, after: &SampleValue) -> bool {
    match (before, after) {
        (SampleValue::Float(a), SampleValue::Float(b)) => b < a,
        (SampleValue::Histogram(a), SampleValue::Histogram(b)) => b.is_reset_since(a),
        _ => true,
    }
}
