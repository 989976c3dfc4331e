//! Functions that are neither maps nor windows.

use std::cmp::Ordering;
use std::sync::Arc;

use firebell_model::{Duration, Labels};

use super::frame::{ABSENT, Block, Frame, SeriesSet, is_absent};
use super::{Context, Frames, Renamed, State, Steps, histogram, labels, map};
use crate::ast::Span;
use crate::error::EvalError;
use crate::functions::Other;
use crate::plan::OpIdx;

/// A function with its arguments.
pub(crate) struct OtherCall<'a> {
    pub(crate) function: Other,
    pub(crate) args: &'a [OpIdx],
    /// Where the call stands.
    pub(crate) span: Span,
}

pub(crate) fn run(
    call: &OtherCall<'_>,
    state: &mut State,
    frames: &mut Frames<'_>,
    context: &mut Context<'_>,
    steps: Steps,
) -> Result<Frame, EvalError> {
    let (other, args, n) = (call.function, call.args, steps.n);
    let is_range = context.shape.step != Duration::ZERO;
    let constant = |value: f64| Ok(Frame::Scalar(vec![value; n]));
    match other {
        Other::Pi => constant(std::f64::consts::PI),
        Other::Start => constant(context.start.as_secs_f64()),
        Other::End => constant(context.end.as_secs_f64()),
        Other::Step => constant(context.shape.step.as_secs_f64()),
        Other::Range => constant(context.shape.range.as_secs_f64()),
        Other::Time => {
            let times = (0..n).map(|step| steps.at(step).as_secs_f64());
            Ok(Frame::Scalar(times.collect()))
        }
        Other::MinOf | Other::MaxOf => {
            let (mut left, right) = (frames.scalar(args[0], n), frames.scalar(args[1], n));
            for (left, right) in left.iter_mut().zip(right) {
                *left = match other {
                    Other::MinOf => map::go_min(*left, right),
                    _ => map::go_max(*left, right),
                };
            }
            Ok(Frame::Scalar(left))
        }
        Other::Vector => {
            let set = bound_single(state, &Labels::empty());
            Ok(Frame::Vector(Block::new(set, n, frames.scalar(args[0], n))))
        }
        Other::Scalar => Ok(Frame::Scalar(only_values(&frames.vector(args[0], n)?))),
        Other::Timestamp => {
            let mut block = frames.vector(args[0], n)?;
            // Histograms have a time as well: all become floats.
            block.cells = std::mem::take(&mut block.cells.values).into();
            map::map_steps(block, state, context, |step, _| {
                steps.at(step).as_secs_f64()
            })
        }
        // Only samples as they are stored say since when they count.
        Other::StartTimestamp => {
            let block = frames.vector(args[0], n)?;
            map::map(block, state, context, |_| ABSENT)
        }
        Other::Sort | Other::SortDesc => {
            let mut block = frames.vector(args[0], n)?;
            block.cells.drop_histograms();
            if is_range {
                context.warn(call.span, SORT_IN_RANGE);
            } else if n == 1 {
                sort_by_value(&mut block, other == Other::SortDesc);
            }
            Ok(Frame::Vector(block))
        }
        Other::SortByLabel | Other::SortByLabelDesc => {
            let mut block = frames.vector(args[0], n)?;
            let names: Vec<_> = args[1..].iter().map(|&arg| frames.string(arg)).collect();
            if is_range {
                context.warn(call.span, SORT_IN_RANGE);
            } else if n == 1 {
                let names: Vec<&str> = names.iter().map(|it| it.value.as_str()).collect();
                labels::sort(&mut block, &names, other == Other::SortByLabelDesc);
            }
            Ok(Frame::Vector(block))
        }
        Other::LabelReplace => labels::replace(args, state, frames, n),
        Other::LabelJoin => labels::join(args, state, frames, n),
        Other::HistogramQuantile | Other::HistogramFraction | Other::HistogramQuantiles => {
            histogram::run(other, args, state, frames, context, n)
        }
        Other::Absent | Other::Info => unreachable!("these are operations of their own"),
    }
}

/// A set of one series, made once.
fn bound_single(state: &mut State, labels: &Labels) -> Arc<SeriesSet> {
    if let State::Renamed(renamed) = state {
        return Arc::clone(&renamed.to);
    }
    let set = SeriesSet::unique(vec![labels.clone()]);
    *state = State::Renamed(Renamed {
        from: Arc::clone(&set),
        to: Arc::clone(&set),
    });
    set
}

/// 1 at steps where a vector is empty.
pub(crate) fn absent(block: &Block, labels: &Labels, state: &mut State) -> Frame {
    let mut values = vec![1.0; block.n_steps];
    for row in 0..block.set.len() {
        for (value, present) in values.iter_mut().zip(block.row(row)) {
            if !is_absent(*present) {
                *value = ABSENT;
            }
        }
    }
    Frame::Vector(Block::new(
        bound_single(state, labels),
        block.n_steps,
        values,
    ))
}

/// The value of the only series at each step, NaN when there is none or several.
fn only_values(block: &Block) -> Vec<f64> {
    let mut values = vec![f64::NAN; block.n_steps];
    let mut counts = vec![0_usize; block.n_steps];
    for row in 0..block.set.len() {
        for (step, &value) in block.row(row).iter().enumerate() {
            if !is_absent(value) && block.histogram(row, step).is_none() {
                counts[step] += 1;
                values[step] = if counts[step] == 1 { value } else { f64::NAN };
            }
        }
    }
    values
}

/// Orders an instant vector, NaN last either way.
fn sort_by_value(block: &mut Block, is_descending: bool) {
    let mut order = block.present(0);
    order.sort_by(|&a, &b| {
        compare_values(
            block.get(a as usize, 0),
            block.get(b as usize, 0),
            is_descending,
        )
    });
    block.order = Some(order);
}

/// The order of `sort`, `topk` and the like: NaN last either way.
pub(crate) fn compare_values(a: f64, b: f64, is_descending: bool) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) if is_descending => b.partial_cmp(&a).unwrap_or(Ordering::Equal),
        (false, false) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
    }
}

const SORT_IN_RANGE: &str =
    "sort is ineffective for range queries since results are always ordered by labels";
