//! `anchored` and `smoothed` windows of native histograms.
//!
//! *Sources*: Prometheus, `promql/functions.go`, `extendedHistogramRate`; `promql/engine.go` for
//! instant selectors.

use std::sync::Arc;

use firebell_model::{Histogram, HistogramSample, ResetHint, SampleValue, Timestamp};

use super::{MixedWindow, histogram};
use crate::ast::Borders;
use crate::eval::note::{Note, Operation};
use crate::eval::window::borders;
use crate::functions::Window;

impl MixedWindow<'_, '_, '_> {
    /// The value of a window whose part reaches beyond it, as its borders want.
    pub(super) fn bordered(&mut self, borders: Borders) -> Option<SampleValue> {
        let (samples, histograms) = (self.part.samples, self.part.histograms);
        if matches!(self.window, Window::Changes | Window::Resets) {
            return self.bordered_pairs();
        }
        if histograms.is_empty() {
            let value = borders::value_of(self.window, borders, samples, self.range);
            return value.map(SampleValue::Float);
        }
        if !samples.is_empty() {
            self.note(Note::MixedWindow);
            return None;
        }
        self.bordered_change(borders == Borders::Smoothed)
    }

    /// `changes`, `resets`: from the last sample not behind the start on.
    fn bordered_pairs(&self) -> Option<SampleValue> {
        let all = self.part.in_order();
        let (last, _) = all.last()?;
        if *last <= self.range.after {
            return None;
        }
        let first = all.partition_point(|(at, _)| *at <= self.range.after);
        let all = &all[first.saturating_sub(1)..];
        Some(match self.window {
            Window::Changes => super::count_changes(all),
            _ => self.count_resets(all),
        })
    }

    /// `rate`, `increase`, `delta`: the difference of what is at the borders.
    fn bordered_change(&mut self, is_smoothed: bool) -> Option<SampleValue> {
        let (all, range) = (self.part.histograms, self.range);
        let is_counter = self.window != Window::Delta;
        let mut last = all.len().checked_sub(1)?;
        let others = &all[..last];
        let first = others
            .partition_point(|it| it.at <= range.after)
            .saturating_sub(1);
        if is_smoothed {
            last = others.partition_point(|it| it.at < range.until).max(first);
        }
        let is_ahead = is_smoothed && all[first].at > range.until;
        if all[last].at <= range.after || is_ahead {
            return None;
        }
        self.check_kinds(&all[first..=last], is_counter)?;
        let left = match all.get(first + 1) {
            Some(next) if is_smoothed && all[first].at < range.after => {
                self.interpolate(&all[first], next, range.after, is_counter)?
            }
            _ => (*all[first].histogram).clone(),
        };
        let mut change = if is_smoothed && last > 0 && all[last].at > range.until {
            self.interpolate(&all[last - 1], &all[last], range.until, is_counter)?
        } else {
            (*all[last].histogram).clone()
        };
        let is_gauge = |it: &Histogram| it.reset_hint == ResetHint::Gauge;
        let are_gauges = is_gauge(&left) && is_gauge(&change);
        if !is_counter && !are_gauges {
            self.note(Note::NotGauge);
        }
        let lost = if is_counter {
            let spans_reset = is_smoothed && all[first].at < range.after;
            lost_in_resets(&all[first..=last], spans_reset, &left, &change)
        } else {
            Vec::new()
        };
        let done = change.sub(&left);
        self.note_bounds(done, Operation::Subtraction)?;
        for before in lost {
            let done = change.add(&before);
            self.note_bounds(done, Operation::Addition)?;
        }
        change.reset_hint = ResetHint::Gauge;
        if self.window == Window::Rate {
            change.divide((range.until - range.after).as_secs_f64());
        }
        change.compact();
        Some(histogram(change))
    }

    /// Refuses schemas that do not go together, and warns of gauges that are taken for counters.
    fn check_kinds(&mut self, all: &[HistogramSample], is_counter: bool) -> Option<()> {
        let is_custom = all[0].histogram.has_custom_buckets();
        if all
            .iter()
            .any(|it| it.histogram.has_custom_buckets() != is_custom)
        {
            self.note(Note::MixedSchemas);
            return None;
        }
        let is_gauge = |it: &HistogramSample| it.histogram.reset_hint == ResetHint::Gauge;
        if is_counter && all.iter().any(is_gauge) {
            self.note(Note::NotCounter);
        }
        Some(())
    }

    /// What is between two histograms; a counter that was reset begins at nothing.
    fn interpolate(
        &mut self,
        before: &HistogramSample,
        after: &HistogramSample,
        at: Timestamp,
        is_counter: bool,
    ) -> Option<Histogram> {
        let part = (at - before.at).0 as f64 / (after.at - before.at).0 as f64;
        let mut between = (*after.histogram).clone();
        let hint = between.reset_hint;
        if is_counter && between.is_reset_since(&before.histogram) {
            between.scale(part);
        } else {
            let done = between.sub(&before.histogram);
            self.note_bounds(done, Operation::Subtraction)?;
            between.scale(part);
            let done = between.add(&before.histogram);
            self.note_bounds(done, Operation::Addition)?;
        }
        between.reset_hint = hint;
        Some(between)
    }

    /// The value of an instant selector with `smoothed`, whose part is all that may count.
    pub(super) fn smoothed(&mut self) -> Option<SampleValue> {
        let (samples, all) = (self.part.samples, self.part.histograms);
        if all.is_empty() {
            let lookback = self.context.options.lookback;
            return borders::smooth(samples, self.at, lookback).map(SampleValue::Float);
        }
        if !samples.is_empty() {
            self.note(Note::MixedWindow);
            return None;
        }
        let next = all.partition_point(|it| it.at < self.at);
        match (next.checked_sub(1).map(|idx| &all[idx]), all.get(next)) {
            (_, Some(exact)) if exact.at == self.at => Some(given(exact)),
            (Some(before), Some(after)) => {
                let is_custom = before.histogram.has_custom_buckets();
                if after.histogram.has_custom_buckets() != is_custom {
                    self.note(Note::MixedSchemas);
                    return None;
                }
                let is_gauge = |it: &HistogramSample| it.histogram.reset_hint == ResetHint::Gauge;
                let is_counter = !is_gauge(before) || !is_gauge(after);
                let between = self.interpolate(before, after, self.at, is_counter)?;
                Some(histogram(between))
            }
            // Its hint tells of the sample before it, not of its value.
            (Some(before), None) => Some(histogram(Histogram {
                reset_hint: ResetHint::Unknown,
                ..(*before.histogram).clone()
            })),
            (None, _) => None,
        }
    }
}

fn given(sample: &HistogramSample) -> SampleValue {
    SampleValue::Histogram(Arc::clone(&sample.histogram))
}

/// What a counter had counted before each of its resets between `left` and `right`, which stand for
/// the first and the last sample.
fn lost_in_resets(
    all: &[HistogramSample],
    is_left_between: bool,
    left: &Histogram,
    right: &Histogram,
) -> Vec<Histogram> {
    let (mut lost, mut before, mut next) = (Vec::new(), left, 1);
    // A reset that the left border was interpolated over has been seen to.
    if let Some(second) = all.get(1)
        && is_left_between
        && second.histogram.is_reset_since(&all[0].histogram)
    {
        (before, next) = (&second.histogram, 2);
    }
    if next > all.len() - 1 {
        return lost;
    }
    let inside = all[next..all.len() - 1].iter().map(|it| &*it.histogram);
    for histogram in inside.chain([right]) {
        if histogram.is_reset_since(before) {
            lost.push(before.clone());
        }
        before = histogram;
    }
    lost
}
