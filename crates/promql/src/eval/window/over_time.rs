//! Functions of the values in a window.
//!
//! *Sources*: Prometheus, `promql/functions.go`, the `…_over_time` family, `linearRegression` and
//! `funcDoubleExponentialSmoothing`.

use firebell_model::{Sample, Summary, Timestamp};

use super::Slice;
use crate::arithmetic::{Mean, Sum, Variance, quantile};
use crate::functions::Window;

/// The value of a window; `None` when there is none, or the function is none of these.
pub(super) fn apply(window: Window, slice: &Slice<'_>) -> Option<f64> {
    let samples = slice.samples;
    let (first, last) = (samples[0], samples[samples.len() - 1]);
    let values = || samples.iter().map(|sample| sample.value);
    Some(match window {
        Window::Sum => {
            let mut sum = Sum::default();
            values().for_each(|value| sum.add(value));
            sum.total()
        }
        Window::Avg => {
            let mut mean = Mean::default();
            values().for_each(|value| mean.add(value));
            mean.value()
        }
        Window::Min => values().fold(f64::NAN, f64::min),
        Window::Max => values().fold(f64::NAN, f64::max),
        Window::Count => samples.len() as f64,
        Window::First => first.value,
        Window::Last => last.value,
        Window::Present => 1.0,
        Window::Stdvar | Window::Stddev => {
            let mut variance = Variance::default();
            values().for_each(|value| variance.add(value));
            spread(window, variance.value())
        }
        Window::Quantile => quantile(slice.args[0], &mut values().collect::<Vec<_>>()),
        Window::Mad if values().any(f64::is_nan) => f64::NAN,
        Window::Mad => {
            let mut all: Vec<f64> = values().collect();
            let median = quantile(0.5, &mut all);
            all.iter_mut()
                .for_each(|value| *value = (*value - median).abs());
            quantile(0.5, &mut all)
        }
        Window::Changes => pairs(samples).filter(|(a, b)| is_change(*a, *b)).count() as f64,
        Window::Resets => pairs(samples).filter(|(a, b)| b < a).count() as f64,
        Window::Deriv => {
            if samples.len() < 2 {
                return None;
            }
            regression(samples, first.at).0
        }
        Window::PredictLinear => {
            if samples.len() < 2 {
                return None;
            }
            let (slope, intercept) = regression(samples, slice.at);
            slope * slice.args[0] + intercept
        }
        Window::Smoothing => return smooth(samples, slice.args),
        Window::TsOfFirst => first.at.as_secs_f64(),
        Window::TsOfLast => last.at.as_secs_f64(),
        Window::TsOfMin => extreme(samples, |new, known| new <= known),
        Window::TsOfMax => extreme(samples, |new, known| new >= known),
        _ => return None,
    })
}

pub(super) fn has_summary(window: Window) -> bool {
    matches!(
        window,
        Window::Sum
            | Window::Avg
            | Window::Min
            | Window::Max
            | Window::Count
            | Window::Last
            | Window::First
            | Window::Present
            | Window::Stdvar
            | Window::Stddev
            | Window::Changes
            | Window::Resets
            | Window::TsOfFirst
            | Window::TsOfLast
    )
}

pub(super) fn of_summary(window: Window, summary: &Summary) -> Option<f64> {
    let count = summary.count as f64;
    Some(match window {
        Window::Sum => summary.total(),
        Window::Avg => summary.sum / count + summary.sum_compensation / count,
        Window::Min => summary.min,
        Window::Max => summary.max,
        Window::Count => count,
        Window::First => summary.first.value,
        Window::Last => summary.last.value,
        Window::Present => 1.0,
        Window::Stdvar | Window::Stddev => spread(window, summary.squares / count),
        Window::Changes => summary.changes as f64,
        Window::Resets => summary.resets as f64,
        Window::TsOfFirst => summary.first.at.as_secs_f64(),
        Window::TsOfLast => summary.last.at.as_secs_f64(),
        _ => return None,
    })
}

fn spread(window: Window, variance: f64) -> f64 {
    match window {
        Window::Stddev => variance.sqrt(),
        _ => variance,
    }
}

fn pairs(samples: &[Sample]) -> impl Iterator<Item = (f64, f64)> {
    samples
        .windows(2)
        .map(|pair| (pair[0].value, pair[1].value))
}

fn is_change(before: f64, after: f64) -> bool {
    after != before && !(after.is_nan() && before.is_nan())
}

/// When the extreme value was taken, the last time if it was several times.
fn extreme(samples: &[Sample], is_better: impl Fn(f64, f64) -> bool) -> f64 {
    let mut best = samples[0];
    for sample in &samples[1..] {
        if is_better(sample.value, best.value) || best.value.is_nan() {
            best = *sample;
        }
    }
    best.at.as_secs_f64()
}

/// Slope per second and value at `at` of the line with the least squares.
fn regression(samples: &[Sample], at: Timestamp) -> (f64, f64) {
    let mut sums = [Sum::default(); 4];
    let first = samples[0].value;
    for sample in samples {
        let x = (sample.at - at).as_secs_f64();
        let y = sample.value;
        for (sum, value) in sums.iter_mut().zip([x, y, x * y, x * x]) {
            sum.add(value);
        }
    }
    if samples.iter().all(|sample| sample.value == first) {
        return if first.is_infinite() {
            (f64::NAN, f64::NAN)
        } else {
            (0.0, first)
        };
    }
    let n = samples.len() as f64;
    let [x, y, xy, xx] = sums.map(|sum| sum.sum + sum.lost);
    let slope = (xy - x * y / n) / (xx - x * x / n);
    (slope, y / n - slope * x / n)
}

/// Holt's double exponential smoothing with a smoothing and a trend factor.
fn smooth(samples: &[Sample], [smoothing, trend]: [f64; 2]) -> Option<f64> {
    let [first, second, ..] = samples else {
        return None;
    };
    let (mut before, mut level) = (0.0, first.value);
    let mut slope = second.value - first.value;
    for (idx, sample) in samples.iter().enumerate().skip(1) {
        if idx > 1 {
            slope = trend * (level - before) + (1.0 - trend) * slope;
        }
        let value = smoothing * sample.value + (1.0 - smoothing) * (level + slope);
        (before, level) = (level, value);
    }
    Some(level)
}
