//! Functions of how a series changes: `rate`, `increase`, `delta`, `irate`, `idelta`.
//!
//! *Sources*: Prometheus, `promql/functions.go`, `extrapolatedRate` and `instantValue`.

use firebell_model::{Growth, Sample, Summary, TimeRange, Timestamp};

use super::Slice;
use crate::eval::frame::ABSENT;
use crate::functions::Window;

/// The value of a window; `None` when there is none, or the function is none of these.
pub(super) fn apply(window: Window, slice: &Slice<'_>) -> Option<f64> {
    match window {
        Window::Rate | Window::Increase | Window::Delta => {
            let samples = slice.samples;
            let (first, last) = (samples[0], samples[samples.len() - 1]);
            let mut change = last.value - first.value;
            if window != Window::Delta {
                let mut before = first.value;
                for sample in &samples[1..] {
                    if sample.value < before {
                        change += before;
                    }
                    before = sample.value;
                }
            }
            let n = samples.len() as u64;
            extrapolate(window, change, n, first, last, slice.range)
        }
        Window::Irate | Window::Idelta => {
            let [.., before, last] = slice.samples else {
                return None;
            };
            if last.at == before.at {
                return None;
            }
            let is_rate = window == Window::Irate;
            // After a reset a counter has grown from zero.
            let change = if is_rate && last.value < before.value {
                last.value
            } else {
                last.value - before.value
            };
            let secs = (last.at - before.at).as_secs_f64();
            Some(if is_rate { change / secs } else { change })
        }
        _ => None,
    }
}

pub(crate) fn has_summary(window: Window) -> bool {
    matches!(window, Window::Rate | Window::Increase | Window::Delta)
}

pub(super) fn of_summary(window: Window, summary: &Summary, range: TimeRange) -> Option<f64> {
    if !has_summary(window) {
        return None;
    }
    of_growth(window, &Growth::from(summary), range)
}

/// The value of a series of which this was read; `None` when its samples have to be gone through,
/// since what overflows depends on their order.
pub(crate) fn of_read(window: Window, growth: Option<&Growth>, range: TimeRange) -> Option<f64> {
    match growth {
        None => Some(ABSENT),
        Some(growth) if !growth.resets_lost.is_finite() => None,
        Some(growth) => Some(of_growth(window, growth, range).unwrap_or(ABSENT)),
    }
}

/// The value of one of the functions that have a summary.
pub(super) fn of_growth(window: Window, growth: &Growth, range: TimeRange) -> Option<f64> {
    let (first, last) = (growth.first, growth.last);
    let mut change = last.value - first.value;
    // Nothing lost is not added, as upstream: of a negative zero it would make a positive one.
    if window != Window::Delta && growth.resets_lost != 0.0 {
        change += growth.resets_lost;
    }
    extrapolate(window, change, growth.count, first, last, range)
}

/// The value of a change of floats.
fn extrapolate(
    window: Window,
    change: f64,
    n: u64,
    first: Sample,
    last: Sample,
    range: TimeRange,
) -> Option<f64> {
    Some(change * factor(window, change, n, first, last, range)?)
}

/// What the change between the first and the last sample is to be multiplied with, to extend it to
/// the whole window: to its ends when samples are dense there, else by half a sample interval, and
/// never to before a counter was zero.
pub(super) fn factor(
    window: Window,
    change: f64,
    n: u64,
    first: Sample,
    last: Sample,
    range: TimeRange,
) -> Option<f64> {
    if n < 2 {
        return None;
    }
    let mut to_start = (first.at - range.after).as_secs_f64();
    let mut to_end = (range.until - last.at).as_secs_f64();
    let sampled = (last.at - first.at).as_secs_f64();
    let interval = sampled / (n - 1) as f64;
    let is_near = interval * 1.1;
    if to_start >= is_near {
        to_start = interval / 2.0;
    }
    if window != Window::Delta && change > 0.0 && first.value >= 0.0 {
        let to_zero = sampled * (first.value / change);
        if to_zero < to_start {
            to_start = to_zero;
        }
    }
    if to_end >= is_near {
        to_end = interval / 2.0;
    }
    Some(scaled(
        window,
        (sampled + to_start + to_end) / sampled,
        range,
    ))
}

/// As [`factor`], of what a counter has counted since a moment before its first sample: nothing is
/// guessed of what came before that.
pub(super) fn factor_since(
    window: Window,
    since: Timestamp,
    n: usize,
    (first, last): (Timestamp, Timestamp),
    range: TimeRange,
) -> f64 {
    let sampled = (last - since).as_secs_f64();
    let interval = match n {
        0 | 1 => 0.0,
        _ => (last - first).as_secs_f64() / (n - 1) as f64,
    };
    let mut to_end = (range.until - last).as_secs_f64();
    if to_end >= interval * 1.1 {
        to_end = interval / 2.0;
    }
    scaled(window, (sampled + to_end) / sampled, range)
}

/// A factor for a change within a window, for `rate` per second.
fn scaled(window: Window, factor: f64, range: TimeRange) -> f64 {
    match window {
        Window::Rate => factor / (range.until - range.after).as_secs_f64(),
        _ => factor,
    }
}
