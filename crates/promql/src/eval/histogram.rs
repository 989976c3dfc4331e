//! Functions over classic histograms: series with the upper bound of their bucket in `le`.
//!
//! *Sources*: Prometheus, `promql/quantile.go`, `BucketQuantile`, `BucketFraction`.

use std::collections::HashMap;
use std::sync::Arc;

use firebell_model::{Labels, Quoted, format_float, parse_float};

use super::frame::{ABSENT, Block, Frame, SeriesSet, is_absent};
use super::{Context, Frames, State, aggregate, labels};
use crate::ast::Span;
use crate::error::{EvalError, execution};
use crate::functions::Other;
use crate::plan::OpIdx;

/// The histograms that buckets make up.
pub(crate) struct Buckets {
    from: Arc<SeriesSet>,
    to: Arc<SeriesSet>,
    /// Upper bounds and series of each histogram, by bound.
    members: Vec<Vec<(f64, u32)>>,
    /// Series with an `le` that is no number.
    bad: Vec<u32>,
}

/// One bucket: how many observations are at most `bound`.
#[derive(Clone, Copy)]
struct Bucket {
    bound: f64,
    count: f64,
}

pub(crate) fn run(
    other: Other,
    args: &[OpIdx],
    state: &mut State,
    frames: &mut Frames<'_>,
    context: &mut Context<'_>,
    n: usize,
) -> Result<Frame, EvalError> {
    match other {
        Other::HistogramQuantile => {
            let quantiles = frames.scalar(args[0], n);
            let (q_span, span) = (frames.span(args[0]), frames.span(args[1]));
            let block = frames.vector(args[1], n)?;
            quantiles
                .iter()
                .for_each(|&q| aggregate::check_quantile(q, q_span, context));
            let buckets = bind(&block, state, span, context);
            let values = evaluate(buckets, &block, span, context, |buckets, step| {
                quantile(quantiles[step], buckets)
            });
            let set = Arc::clone(&buckets.to);
            Ok(Frame::Vector(Block::new(set, n, values)))
        }
        Other::HistogramFraction => {
            let (lower, upper) = (frames.scalar(args[0], n), frames.scalar(args[1], n));
            let span = frames.span(args[2]);
            let block = frames.vector(args[2], n)?;
            let buckets = bind(&block, state, span, context);
            let values = evaluate(buckets, &block, span, context, |buckets, step| {
                (fraction(lower[step], upper[step], buckets), false)
            });
            let set = Arc::clone(&buckets.to);
            Ok(Frame::Vector(Block::new(set, n, values)))
        }
        _ => quantiles(args, state, frames, context, n),
    }
}

/// `histogram_quantiles(v, label, q…)`: one series per quantile.
fn quantiles(
    args: &[OpIdx],
    state: &mut State,
    frames: &mut Frames<'_>,
    context: &mut Context<'_>,
    n: usize,
) -> Result<Frame, EvalError> {
    let block = frames.vector(args[0], n)?;
    let label = frames.string(args[1]);
    if !labels::is_label_name(&label) {
        return execution(format!("invalid label name {label}"));
    }
    let span = frames.span(args[0]);
    let buckets = bind(&block, state, span, context);
    let (mut all, mut values, mut drops) = (Vec::new(), Vec::new(), Vec::new());
    for &arg in &args[2..] {
        let q_span = frames.span(arg);
        let quantiles = frames.scalar(arg, n);
        quantiles
            .iter()
            .for_each(|&q| aggregate::check_quantile(q, q_span, context));
        values.extend(evaluate(buckets, &block, span, context, |buckets, step| {
            quantile(quantiles[step], buckets)
        }));
        for (idx, labels) in buckets.to.labels.iter().enumerate() {
            if labels.get(&label.value).is_some() {
                let name = &label.value;
                return execution(format!("label {name} already exists"));
            }
            let mut builder = labels.to_builder();
            builder.set(label.value.as_str(), open_metrics_float(quantiles[0]));
            all.push(builder.build());
            drops.push(buckets.to.drops_name(idx));
        }
    }
    // The label depends on values, so that the set cannot be kept.
    let set = SeriesSet::new(all, drops);
    Ok(Frame::Vector(Block::new(set, n, values)))
}

fn bind<'a>(
    block: &Block,
    state: &'a mut State,
    span: Span,
    context: &mut Context<'_>,
) -> &'a Buckets {
    let is_bound = matches!(
        state, State::Buckets(buckets) if Arc::ptr_eq(&buckets.from, &block.set)
    );
    if !is_bound {
        *state = State::Buckets(group(block, context.options.delays_name_removal));
    }
    let State::Buckets(buckets) = state else {
        unreachable!("it has just been bound");
    };
    for &row in &buckets.bad {
        if block
            .row(row as usize)
            .iter()
            .any(|&value| !is_absent(value))
        {
            let labels = &block.set.labels[row as usize];
            let (bad, name) = (Quoted(labels.value(BOUND)), Quoted(labels.metric_name()));
            context.warn(
                span,
                &format!(
                    "bucket label \"le\" is missing or has a malformed value of {bad} for metric \
                 name {name}"
                ),
            );
        }
    }
    buckets
}

fn group(block: &Block, delays_name_removal: bool) -> Buckets {
    let mut row_of: HashMap<Labels, usize> = HashMap::new();
    let (mut all, mut members): (Vec<Labels>, Vec<Vec<(f64, u32)>>) = (Vec::new(), Vec::new());
    let mut bad = Vec::new();
    for (idx, labels) in block.set.labels.iter().enumerate() {
        let Some(bound) = labels.get(BOUND).and_then(parse_float) else {
            bad.push(idx as u32);
            continue;
        };
        // Histograms of different names stay apart, so that they clash in the result.
        let labels = labels.filter(|name| name != BOUND);
        let row = *row_of.entry(labels).or_insert_with_key(|labels| {
            all.push(if delays_name_removal {
                labels.clone()
            } else {
                labels.without_metric_name()
            });
            members.push(Vec::new());
            all.len() - 1
        });
        members[row].push((bound, idx as u32));
    }
    for members in &mut members {
        members.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    let drops = vec![delays_name_removal; all.len()];
    Buckets {
        from: Arc::clone(&block.set),
        to: SeriesSet::new(all, drops),
        members,
        bad,
    }
}

/// Calls `function` for each histogram at each step at which it has any bucket.
fn evaluate(
    buckets: &Buckets,
    block: &Block,
    span: Span,
    context: &mut Context<'_>,
    function: impl Fn(&mut [Bucket], usize) -> (f64, bool),
) -> Vec<f64> {
    let mut values = Vec::with_capacity(buckets.members.len() * block.n_steps);
    let mut present: Vec<Bucket> = Vec::new();
    for members in &buckets.members {
        for step in 0..block.n_steps {
            present.clear();
            for &(bound, row) in members {
                let count = block.get(row as usize, step);
                if is_absent(count) {
                    continue;
                }
                match present.last_mut() {
                    // Bounds such as `1` and `1.0` are one bucket.
                    Some(last) if last.bound == bound => last.count += count,
                    _ => present.push(Bucket { bound, count }),
                }
            }
            if present.is_empty() {
                values.push(ABSENT);
                continue;
            }
            let (value, was_forced) = function(&mut present, step);
            if was_forced {
                let name = block.set.labels[members[0].1 as usize].metric_name();
                context.inform(
                    span,
                    &format!(
                        "input to histogram_quantile needed to be fixed for monotonicity (see \
                     https://prometheus.io/docs/prometheus/latest/querying/functions/\
                     #histogram_quantile) for metric name {}",
                        Quoted(name)
                    ),
                );
            }
            values.push(value);
        }
    }
    values
}

/// The quantile, and whether the counts had to be made monotonic.
fn quantile(q: f64, buckets: &mut [Bucket]) -> (f64, bool) {
    if q.is_nan() {
        return (f64::NAN, false);
    }
    if q < 0.0 {
        return (f64::NEG_INFINITY, false);
    }
    if q > 1.0 {
        return (f64::INFINITY, false);
    }
    let last = buckets.len() - 1;
    if buckets[last].bound != f64::INFINITY {
        return (f64::NAN, false);
    }
    let was_forced = make_monotonic(buckets);
    if buckets.len() < 2 {
        return (f64::NAN, was_forced);
    }
    let observations = buckets[last].count;
    if observations == 0.0 {
        return (f64::NAN, was_forced);
    }
    let mut rank = q * observations;
    let at = buckets[..last].partition_point(|bucket| bucket.count < rank || bucket.count.is_nan());
    if at == last {
        return (buckets[last - 1].bound, was_forced);
    }
    let Bucket { bound, mut count } = buckets[at];
    if at == 0 && bound <= 0.0 {
        return (bound, was_forced);
    }
    let mut start = 0.0;
    if let Some(before) = at.checked_sub(1).map(|before| buckets[before]) {
        start = before.bound;
        count -= before.count;
        rank -= before.count;
    }
    (start + (bound - start) * (rank / count), was_forced)
}

/// Lifts counts that fall; differences that only rounding explains do not count as forced.
fn make_monotonic(buckets: &mut [Bucket]) -> bool {
    let mut was_forced = false;
    let mut before = buckets[0].count;
    for bucket in &mut buckets[1..] {
        let count = bucket.count;
        if count == before {
            continue;
        }
        if is_almost_equal(before, count) {
            bucket.count = before;
        } else if count < before {
            bucket.count = before;
            was_forced = true;
        } else {
            before = count;
        }
    }
    was_forced
}

/// Relative difference below 1e-12.
fn is_almost_equal(a: f64, b: f64) -> bool {
    if a.is_nan() && b.is_nan() || a == b {
        return true;
    }
    let (sum, distance) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return distance < TOLERANCE * f64::MIN_POSITIVE;
    }
    distance / sum.min(f64::MAX) < TOLERANCE
}

/// The share of observations between two bounds.
fn fraction(lower: f64, upper: f64, buckets: &mut [Bucket]) -> f64 {
    let Some(last) = buckets.last().filter(|last| last.bound == f64::INFINITY) else {
        return f64::NAN;
    };
    let observations = last.count;
    if observations == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let from = rank_of(lower, buckets, true).min(observations);
    let to = rank_of(upper, buckets, false).min(observations);
    (to - from).max(0.0) / observations
}

/// How many observations are at most `value`, evenly spread within its bucket. A bucket that
/// reaches down to minus infinity counts as a whole or not at all: `is_lower` leaves it out.
fn rank_of(value: f64, buckets: &[Bucket], is_lower: bool) -> f64 {
    let (mut rank, mut start) = (0.0, f64::NEG_INFINITY);
    for (idx, bucket) in buckets.iter().enumerate() {
        if idx == 0 && bucket.bound > 0.0 {
            start = 0.0;
        }
        if start >= value {
            return rank;
        }
        if bucket.bound > value {
            if start.is_infinite() {
                return if is_lower { bucket.count } else { rank };
            }
            let share = (value - start) / (bucket.bound - start);
            return rank + (bucket.count - rank) * share;
        }
        rank = bucket.count;
        start = bucket.bound;
    }
    rank
}

/// OpenMetrics's form of a number: `0.0` rather than `0`.
fn open_metrics_float(value: f64) -> String {
    let text = format_float(value);
    let is_whole = value.is_finite() && !text.contains('.');
    if is_whole { format!("{text}.0") } else { text }
}

const BOUND: &str = "le";
const TOLERANCE: f64 = 1e-12;
