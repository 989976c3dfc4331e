//! Functions over histograms: classic ones, which are series with the upper bound of their bucket
//! in `le`, and native ones.
//!
//! *Sources*: Prometheus, `promql/functions.go`, `resetHistograms`, `funcHistogramQuantile`.

mod classic;
mod native;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use firebell_model::{Labels, format_float_general, parse_float};

use super::frame::{ABSENT, Block, Frame, SeriesSet, is_absent};
use super::note::Note;
use super::{Context, Frames, State, aggregate};
use crate::ast::Span;
use crate::error::{EvalError, execution};
use crate::functions::Other;
use crate::plan::OpIdx;
use classic::Bucket;
pub(crate) use classic::Lifted;
pub(crate) use native::stat;

/// The histograms of a vector: those that buckets make up, then one for each series where any may
/// be native.
pub(crate) struct Buckets {
    from: Arc<SeriesSet>,
    to: Arc<SeriesSet>,
    /// Upper bounds and series of each classic histogram, by bound.
    members: Vec<Vec<(f64, u32)>>,
    /// Series with an `le` that is no number.
    bad: Vec<u32>,
    /// Whether series count as native histograms as well.
    has_native: bool,
    /// The classic histogram with the labels of each series, when it has native ones.
    twins: Vec<Option<u32>>,
}

/// What is asked of every histogram at a step.
trait Question {
    /// Of a classic one, and what was lifted where its counts fall.
    fn classic(&self, step: usize, buckets: &mut [Bucket]) -> (f64, Option<Lifted>);
    /// Of a native one, and what is to be noted of it.
    fn native(&self, step: usize, histogram: &firebell_model::Histogram) -> native::Answer;
}

/// `histogram_quantile`: the quantile of each step.
struct Quantile<'a>(&'a [f64]);

impl Question for Quantile<'_> {
    fn classic(&self, step: usize, buckets: &mut [Bucket]) -> (f64, Option<Lifted>) {
        classic::quantile(self.0[step], buckets)
    }

    fn native(&self, step: usize, histogram: &firebell_model::Histogram) -> native::Answer {
        native::quantile(self.0[step], histogram)
    }
}

/// `histogram_fraction`: the bounds of each step.
struct Fraction<'a> {
    lower: &'a [f64],
    upper: &'a [f64],
}

impl Question for Fraction<'_> {
    fn classic(&self, step: usize, buckets: &mut [Bucket]) -> (f64, Option<Lifted>) {
        let (lower, upper) = (self.lower[step], self.upper[step]);
        (classic::fraction(lower, upper, buckets), None)
    }

    fn native(&self, step: usize, histogram: &firebell_model::Histogram) -> native::Answer {
        native::fraction(self.lower[step], self.upper[step], histogram)
    }
}

pub(crate) fn run(
    other: Other,
    args: &[OpIdx],
    state: &mut State,
    frames: &mut Frames<'_>,
    context: &mut Context<'_>,
    n: usize,
) -> Result<Frame, EvalError> {
    let (block, values) = match other {
        Other::HistogramQuantile => {
            let quantiles = frames.scalar(args[0], n);
            let q_span = frames.span(args[0]);
            let vector = frames.span(args[1]);
            let block = frames.vector(args[1], n)?;
            quantiles
                .iter()
                .for_each(|&q| aggregate::check_quantile(q, q_span, context));
            let buckets = bind(&block, state, vector, context);
            let values = evaluate(buckets, &block, vector, context, &Quantile(&quantiles));
            (buckets, values)
        }
        Other::HistogramFraction => {
            let (lower, upper) = (frames.scalar(args[0], n), frames.scalar(args[1], n));
            let vector = frames.span(args[2]);
            let block = frames.vector(args[2], n)?;
            let buckets = bind(&block, state, vector, context);
            let question = Fraction {
                lower: &lower,
                upper: &upper,
            };
            let values = evaluate(buckets, &block, vector, context, &question);
            (buckets, values)
        }
        _ => return quantiles(args, state, frames, context, n),
    };
    Ok(Frame::Vector(Block::new(Arc::clone(&block.to), n, values)))
}

/// `histogram_quantiles(v, label, q…)`: one series per quantile, also where a quantile differs from
/// step to step.
fn quantiles(
    args: &[OpIdx],
    state: &mut State,
    frames: &mut Frames<'_>,
    context: &mut Context<'_>,
    n: usize,
) -> Result<Frame, EvalError> {
    let block = frames.vector(args[0], n)?;
    let label = frames.string(args[1]);
    if !label.is_label_name() {
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
        let question = Quantile(&quantiles);
        let asked = evaluate(buckets, &block, span, context, &question);
        let mut steps_of: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (step, q) in quantiles.iter().enumerate() {
            steps_of.entry(q.to_bits()).or_default().push(step);
        }
        context.check_room(all.len() + steps_of.len() * buckets.to.len(), n)?;
        for (&bits, steps) in &steps_of {
            let text = open_metrics_float(f64::from_bits(bits));
            for (idx, labels) in buckets.to.labels.iter().enumerate() {
                let mut builder = labels.to_builder();
                builder.set(label.value.as_str(), text.as_str());
                all.push(builder.build());
                drops.push(buckets.to.drops_name(idx));
                let row = values.len();
                values.resize(row + n, ABSENT);
                for &step in steps {
                    values[row + step] = asked[idx * n + step];
                }
            }
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
    let has_native = block.has_histograms();
    let is_bound = matches!(
        state,
        State::Buckets(buckets)
            if Arc::ptr_eq(&buckets.from, &block.set) && buckets.has_native == has_native
    );
    if !is_bound {
        *state = State::Buckets(group(block, context.options.delays_name_removal));
    }
    let State::Buckets(buckets) = state else {
        unreachable!("it has just been bound");
    };
    for &row in &buckets.bad {
        let mut steps = 0..block.n_steps;
        let is_float = |step| {
            let row = row as usize;
            !is_absent(block.get(row, step)) && block.histogram(row, step).is_none()
        };
        if steps.any(is_float) {
            let labels = &block.set.labels[row as usize];
            let (bad, name) = (labels.value(BOUND), labels.metric_name());
            let note = Note::BadBucketLabel(bad.to_owned(), name.to_owned());
            context.note(span, &note);
        }
    }
    buckets
}

fn group(block: &Block, delays_name_removal: bool) -> Buckets {
    let mut row_of: HashMap<Labels, usize> = HashMap::new();
    let (mut all, mut members): (Vec<Labels>, Vec<Vec<(f64, u32)>>) = (Vec::new(), Vec::new());
    let mut bad = Vec::new();
    let named = |labels: &Labels| {
        if delays_name_removal {
            labels.clone()
        } else {
            labels.without_metric_name()
        }
    };
    for (idx, labels) in block.set.labels.iter().enumerate() {
        let Some(bound) = labels.get(BOUND).and_then(parse_float) else {
            bad.push(idx as u32);
            continue;
        };
        // Histograms of different names stay apart, so that they clash in the result.
        let labels = labels.filter(|name| name != BOUND);
        let row = *row_of.entry(labels).or_insert_with_key(|labels| {
            all.push(named(labels));
            members.push(Vec::new());
            all.len() - 1
        });
        members[row].push((bound, idx as u32));
    }
    for members in &mut members {
        members.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    let has_native = block.has_histograms();
    let mut twins = Vec::new();
    if has_native {
        all.extend(block.set.labels.iter().map(named));
        let twin = |labels| row_of.get(labels).map(|&row| row as u32);
        twins = block.set.labels.iter().map(twin).collect();
    }
    let drops = vec![delays_name_removal; all.len()];
    Buckets {
        from: Arc::clone(&block.set),
        to: SeriesSet::new(all, drops),
        members,
        bad,
        has_native,
        twins,
    }
}

/// Asks each histogram at each step at which it is there.
fn evaluate(
    buckets: &Buckets,
    block: &Block,
    span: Span,
    context: &mut Context<'_>,
    question: &impl Question,
) -> Vec<f64> {
    let mut values = Vec::with_capacity(buckets.to.len() * block.n_steps);
    let mut present: Vec<Bucket> = Vec::new();
    for members in &buckets.members {
        for step in 0..block.n_steps {
            present_buckets(members, block, step, &mut present);
            if present.is_empty() {
                values.push(ABSENT);
                continue;
            }
            let (value, lifted) = question.classic(step, &mut present);
            if let Some(lifted) = lifted {
                let labels = &block.set.labels[members[0].1 as usize];
                context.note_lifted(span, name_to_note(labels, context), step, lifted);
            }
            values.push(value);
        }
    }
    if buckets.has_native {
        ask_native(buckets, block, span, context, question, &mut values);
    }
    values
}

/// The buckets of a classic histogram at a step.
fn present_buckets(members: &[(f64, u32)], block: &Block, step: usize, present: &mut Vec<Bucket>) {
    present.clear();
    for &(bound, row) in members {
        let count = block.get(row as usize, step);
        if is_absent(count) || block.histogram(row as usize, step).is_some() {
            continue;
        }
        match present.last_mut() {
            // Bounds such as `1` and `1.0` are one bucket.
            Some(last) if last.bound == bound => last.count += count,
            _ => present.push(Bucket { bound, count }),
        }
    }
}

/// Asks the native histograms. Where there is a classic one of the same labels, neither answers.
fn ask_native(
    buckets: &Buckets,
    block: &Block,
    span: Span,
    context: &mut Context<'_>,
    question: &impl Question,
    values: &mut Vec<f64>,
) {
    let n = block.n_steps;
    for (row, labels) in block.set.labels.iter().enumerate() {
        for step in 0..n {
            let Some(histogram) = block.histogram(row, step) else {
                values.push(ABSENT);
                continue;
            };
            if let Some(twin) = buckets.twins[row] {
                let twin = &mut values[twin as usize * n + step];
                if !is_absent(*twin) {
                    *twin = ABSENT;
                    let name = labels.metric_name().to_owned();
                    context.note(span, &Note::MixedClassicNative(name));
                    values.push(ABSENT);
                    continue;
                }
            }
            let answer = question.native(step, histogram);
            if let Some(note) = answer.note {
                let name = name_to_note(labels, context);
                context.note(span, &note(name.to_owned()));
            }
            values.push(answer.value);
        }
    }
}

/// Upstream has dropped the name when it notes something, unless that waits for the end.
fn name_to_note<'a>(labels: &'a Labels, context: &Context<'_>) -> &'a str {
    if context.options.delays_name_removal {
        labels.metric_name()
    } else {
        ""
    }
}

/// OpenMetrics's form of a number: `0.0` rather than `0`, `1e-05` for what is small.
fn open_metrics_float(value: f64) -> String {
    if value == 0.0 {
        return "0.0".to_owned();
    }
    let text = format_float_general(value);
    let is_whole = value.is_finite() && !text.contains(['.', 'e']);
    if is_whole { format!("{text}.0") } else { text }
}

const BOUND: &str = "le";
