//! Functions of single values: a number in, a number out.
//!
//! *Sources*: Prometheus, `promql/functions.go`.

use std::sync::Arc;

use super::frame::{Block, Frame, SeriesSet, is_absent, without_names};
use super::{Context, Frames, Renamed, State, Steps, hyperbolic};
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
        let values: Vec<f64> = (0..steps.n)
            .map(|step| date(map_, steps.at(step).as_secs_f64()))
            .collect();
        let set = SeriesSet::unique(vec![firebell_model::Labels::empty()]);
        return Ok(Frame::Vector(Block::new(set, steps.n, values)));
    };
    let block = frames.vector(first, steps.n)?;
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

/// Turns every sign.
pub(crate) fn negate(
    mut block: Block,
    state: &mut State,
    context: &Context<'_>,
) -> Result<Frame, EvalError> {
    block.cells.map_histograms(|_, histogram| {
        let mut negated = histogram.clone();
        negated.scale(-1.0);
        Some(negated)
    });
    for value in &mut block.cells.values {
        if !is_absent(*value) {
            *value = -*value;
        }
    }
    drop_names(&mut block, state, context);
    Ok(Frame::Vector(block))
}

/// Applies a function to all floats, and drops the metric names.
pub(crate) fn map(
    mut block: Block,
    state: &mut State,
    context: &Context<'_>,
    function: impl Fn(f64) -> f64,
) -> Result<Frame, EvalError> {
    block.cells.drop_histograms();
    for value in &mut block.cells.values {
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
    block.cells.drop_histograms();
    for (idx, value) in block.cells.values.iter_mut().enumerate() {
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
    block.cells.drop_histograms();
    for (idx, value) in block.cells.values.iter_mut().enumerate() {
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
        Map::Acosh => hyperbolic::acosh,
        Map::Asin => f64::asin,
        Map::Asinh => hyperbolic::asinh,
        Map::Atan => f64::atan,
        Map::Atanh => hyperbolic::atanh,
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
    // Seconds that 64 bits do not hold become the earliest moment, as on upstream's processors.
    let is_in_range = secs >= i64::MIN as f64 && secs < i64::MAX as f64;
    let secs = if is_in_range { secs as i64 } else { i64::MIN };
    let secs = (secs as u64).wrapping_add(EPOCH_SECS);
    let (days, second) = (secs / 86_400, secs % 86_400);
    // Go's proleptic calendar: cycles of 400, 100, 4 years and 1 year, counted from a year that
    // follows a multiple of 400 and begins on a Monday.
    let (cycles, day) = (days / DAYS_400, days % DAYS_400);
    let centuries = (day / DAYS_100).min(3);
    let day = day - centuries * DAYS_100;
    let (fours, day) = (day / DAYS_4, day % DAYS_4);
    let ones = (day / 365).min(3);
    let mut day = day - ones * 365;
    let day_of_year = day + 1;
    let year = FIRST_YEAR + (cycles * 400 + centuries * 100 + fours * 4 + ones) as i64;
    let is_leap =
        year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    let mut month = 0;
    let month_days = |month: usize| MONTH_DAYS[month] + u64::from(is_leap && month == 1);
    while day >= month_days(month) {
        day -= month_days(month);
        month += 1;
    }
    match part {
        Map::Minute => (second / 60 % 60) as f64,
        Map::Hour => (second / 3600) as f64,
        Map::DayOfWeek => ((days + 1) % 7) as f64,
        Map::DayOfMonth => (day + 1) as f64,
        Map::DayOfYear => day_of_year as f64,
        Map::DaysInMonth => month_days(month) as f64,
        Map::Month => (month + 1) as f64,
        _ => year as f64,
    }
}

const FIRST_YEAR: i64 = -292_277_022_399;
/// From the start of [`FIRST_YEAR`] to 1970.
const EPOCH_SECS: u64 = 9_223_372_028_715_321_600;
const DAYS_400: u64 = 146_097;
const DAYS_100: u64 = 36_524;
const DAYS_4: u64 = 1461;
const MONTH_DAYS: [u64; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_gos_calendar() {
        for (secs, expected) in [
            (0.0, [1970.0, 1.0, 1.0, 4.0, 1.0, 31.0, 0.0, 0.0]),
            (
                951_782_399.9,
                [2000.0, 2.0, 28.0, 1.0, 59.0, 29.0, 23.0, 59.0],
            ),
            (
                951_782_400.0,
                [2000.0, 2.0, 29.0, 2.0, 60.0, 29.0, 0.0, 0.0],
            ),
            (
                4_107_542_400.0,
                [2100.0, 3.0, 1.0, 1.0, 60.0, 31.0, 0.0, 0.0],
            ),
            (
                1_798_761_599.0,
                [2026.0, 12.0, 31.0, 4.0, 365.0, 31.0, 23.0, 59.0],
            ),
            (-1.0, [1969.0, 12.0, 31.0, 3.0, 365.0, 31.0, 23.0, 59.0]),
            (
                f64::NAN,
                [292_277_026_596.0, 12.0, 4.0, 0.0, 339.0, 31.0, 15.0, 30.0],
            ),
        ] {
            let parts = [
                Map::Year,
                Map::Month,
                Map::DayOfMonth,
                Map::DayOfWeek,
                Map::DayOfYear,
                Map::DaysInMonth,
                Map::Hour,
                Map::Minute,
            ];
            assert_eq!(parts.map(|part| date(part, secs)), expected, "{secs}");
        }
    }
}
