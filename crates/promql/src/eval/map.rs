//! Functions of single values: a number in, a number out.
//!
//! *Sources*: Prometheus, `promql/functions.go`.

use std::sync::Arc;

use firebell_model::Timestamp;

use super::frame::{Block, Frame, SeriesSet, is_absent, without_names};
use super::{Context, Frames, Renamed, State, Steps};
use crate::error::EvalError;
use crate::functions::Map;
use crate::plan::OpIdx;

pub(crate) fn run(
    map_: Map,
    args: &[OpIdx],
    state: &mut State,
    frames: &mut Frames<'_>,
    context: &Context<'_>,
    steps: Steps,
) -> Result<Frame, EvalError> {
    let Some((&first, rest)) = args.split_first() else {
        // A date function without argument speaks of the moment of evaluation.
        let values = (0..steps.n).map(|step| date(map_, steps.at(step).as_secs_f64()));
        let set = SeriesSet::unique(vec![firebell_model::Labels::empty()]);
        return Ok(Frame::Vector(Block::new(set, steps.n, values.collect())));
    };
    let block = frames.vector(first, steps.n);
    let params: Vec<Vec<f64>> = rest
        .iter()
        .map(|&arg| frames.scalar(arg, steps.n))
        .collect();
    if map_.is_date() {
        return map(block, state, context, |value| date(map_, value));
    }
    match (map_, params.as_slice()) {
        (Map::Clamp, [min, max]) => clamp(block, state, context, min, max),
        (Map::ClampMin, [min]) => map_steps(block, state, context, |step, value| {
            go_max(min[step], value)
        }),
        (Map::ClampMax, [max]) => map_steps(block, state, context, |step, value| {
            go_min(max[step], value)
        }),
        (Map::Round, [to]) => {
            map_steps(block, state, context, |step, value| round(value, to[step]))
        }
        (Map::Round, _) => map(block, state, context, |value| round(value, 1.0)),
        _ => match plain(map_) {
            Some(function) => map(block, state, context, function),
            None => unreachable!("the function table gives its arguments"),
        },
    }
}

/// Applies a function to all values, and drops the metric names.
pub(crate) fn map(
    mut block: Block,
    state: &mut State,
    context: &Context<'_>,
    function: impl Fn(f64) -> f64,
) -> Result<Frame, EvalError> {
    for value in &mut block.values {
        if !is_absent(*value) {
            *value = function(*value);
        }
    }
    drop_names(&mut block, state, context);
    Ok(Frame::Vector(block))
}

/// As [`map`], with the step of each value.
pub(crate) fn map_steps(
    mut block: Block,
    state: &mut State,
    context: &Context<'_>,
    function: impl Fn(usize, f64) -> f64,
) -> Result<Frame, EvalError> {
    for (idx, value) in block.values.iter_mut().enumerate() {
        if !is_absent(*value) {
            *value = function(idx % block.n_steps, *value);
        }
    }
    drop_names(&mut block, state, context);
    Ok(Frame::Vector(block))
}

/// Puts the bound set without metric names in place of a block's set.
pub(crate) fn drop_names(block: &mut Block, state: &mut State, context: &Context<'_>) {
    let renamed = match std::mem::replace(state, State::Unbound) {
        State::Renamed(renamed) if Arc::ptr_eq(&renamed.from, &block.set) => renamed,
        _ => Renamed {
            from: Arc::clone(&block.set),
            to: without_names(&block.set, context.options.delays_name_removal),
        },
    };
    block.set = Arc::clone(&renamed.to);
    *state = State::Renamed(renamed);
}

/// `clamp`: nothing is left at steps whose bounds cross.
fn clamp(
    mut block: Block,
    state: &mut State,
    context: &Context<'_>,
    min: &[f64],
    max: &[f64],
) -> Result<Frame, EvalError> {
    for (idx, value) in block.values.iter_mut().enumerate() {
        let step = idx % block.n_steps;
        if max[step] < min[step] {
            *value = super::frame::ABSENT;
        } else if !is_absent(*value) {
            *value = go_max(min[step], go_min(max[step], *value));
        }
    }
    drop_names(&mut block, state, context);
    Ok(Frame::Vector(block))
}

/// Go's `math.Max`: infinity wins over NaN, NaN over the rest.
pub(crate) fn go_max(a: f64, b: f64) -> f64 {
    if a == f64::INFINITY || b == f64::INFINITY {
        f64::INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}

/// Go's `math.Min`: minus infinity wins over NaN, NaN over the rest.
pub(crate) fn go_min(a: f64, b: f64) -> f64 {
    if a == f64::NEG_INFINITY || b == f64::NEG_INFINITY {
        f64::NEG_INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.min(b)
    }
}

/// To the nearest multiple, ties upwards; by the inverse, which is exact for 0.1 and the like.
fn round(value: f64, to: f64) -> f64 {
    let inverse = 1.0 / to;
    (value * inverse + 0.5).floor() / inverse
}

fn plain(map: Map) -> Option<fn(f64) -> f64> {
    Some(match map {
        Map::Abs => f64::abs,
        Map::Acos => f64::acos,
        Map::Acosh => f64::acosh,
        Map::Asin => f64::asin,
        Map::Asinh => f64::asinh,
        Map::Atan => f64::atan,
        Map::Atanh => f64::atanh,
        Map::Ceil => f64::ceil,
        Map::Cos => f64::cos,
        Map::Cosh => f64::cosh,
        Map::Deg => |value| value * 180.0 / std::f64::consts::PI,
        Map::Exp => f64::exp,
        Map::Floor => f64::floor,
        Map::Ln => f64::ln,
        Map::Log10 => f64::log10,
        Map::Log2 => f64::log2,
        Map::Rad => |value| value * std::f64::consts::PI / 180.0,
        Map::Sgn => |value| {
            if value > 0.0 {
                1.0
            } else if value < 0.0 {
                -1.0
            } else {
                value
            }
        },
        Map::Sin => f64::sin,
        Map::Sinh => f64::sinh,
        Map::Sqrt => f64::sqrt,
        Map::Tan => f64::tan,
        Map::Tanh => f64::tanh,
        _ => return None,
    })
}

/// A part of the date, in UTC, of a moment in seconds since the epoch.
fn date(part: Map, secs: f64) -> f64 {
    if !secs.is_finite() {
        return f64::NAN;
    }
    // Whole seconds, as upstream cuts them.
    let at = Timestamp((secs.trunc() * 1000.0) as i64).to_jiff();
    let date = at.to_zoned(jiff::tz::TimeZone::UTC).datetime();
    f64::from(match part {
        Map::Minute => i16::from(date.minute()),
        Map::Hour => i16::from(date.hour()),
        Map::DayOfWeek => i16::from(date.weekday().to_sunday_zero_offset()),
        Map::DayOfMonth => i16::from(date.day()),
        Map::DayOfYear => date.day_of_year(),
        Map::DaysInMonth => i16::from(date.days_in_month()),
        Map::Month => i16::from(date.month()),
        _ => date.year(),
    })
}
