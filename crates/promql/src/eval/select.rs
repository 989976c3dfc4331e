//! Instant selectors: series bound once, read as columns.

use std::sync::Arc;

use firebell_model::{
    Duration, Sample, SampleValue, SeriesId, TimeRange, Timestamp, is_stale, matchers_text,
};

use super::frame::{ABSENT, Block, Cells, Frame, SeriesSet, without_names};
use super::mixed::Mixed;
use super::window::starts::Starts;
use super::window::{borders, histograms};
use super::{Context, Renamed, State, Steps};
use crate::ast::Borders;
use crate::error::EvalError;
use crate::plan::{Place, Reader, fixed_moment};

/// The series that a selector has found.
pub(crate) struct Selection {
    pub(super) generation: u64,
    /// The selection holds for ranges that begin no earlier.
    pub(super) after: Timestamp,
    pub(super) ids: Arc<[SeriesId]>,
    pub(crate) set: Arc<SeriesSet>,
}

type Found = (Arc<SeriesSet>, Arc<[SeriesId]>);

/// The series of a reader, bound anew only when series have come or gone.
pub(crate) fn bind(
    reader: &Reader,
    bound: &mut Option<Selection>,
    after: Timestamp,
    context: &Context<'_>,
) -> Result<Found, EvalError> {
    let generation = context.source.generation();
    if let Some(selection) = bound
        && selection.generation == generation
        && selection.after <= after
    {
        return Ok((Arc::clone(&selection.set), Arc::clone(&selection.ids)));
    }
    // What is bound serves every later moment, so that the range has no end.
    let range = TimeRange {
        after,
        until: Timestamp::MAX,
    };
    let series = context.source.select(&reader.matchers, range)?;
    if series.len() > context.options.series_max {
        return Err(EvalError::TooManySeries {
            n: series.len(),
            selector: matchers_text(&reader.matchers),
            max: context.options.series_max,
        });
    }
    let ids: Arc<[SeriesId]> = series.iter().map(|series| series.id()).collect();
    let set = match bound.take() {
        Some(selection) if selection.ids == ids => selection.set,
        _ => SeriesSet::unique(series.iter().map(|it| it.labels().clone()).collect()),
    };
    *bound = Some(Selection {
        generation,
        after,
        ids: Arc::clone(&ids),
        set: Arc::clone(&set),
    });
    Ok((set, ids))
}

/// Where a selector says that it is read.
fn place(reader: &Reader, context: &Context<'_>) -> Result<Place, EvalError> {
    let offset = match &reader.shift.offset {
        Some(offset) => offset
            .resolve(context.shape)
            .map_err(EvalError::Execution)?,
        None => Duration::ZERO,
    };
    let fixed = fixed_moment(&reader.shift, context.start, context.end);
    Ok((fixed, offset))
}

/// The value of each series at each step: the latest within the lookback, unless that is stale.
pub(crate) fn values(
    reader: &Reader,
    state: &mut State,
    context: &mut Context<'_>,
    steps: Steps,
) -> Result<Frame, EvalError> {
    let mut bound = match std::mem::replace(state, State::Unbound) {
        State::Selection(selection) => Some(selection),
        _ => None,
    };
    let place = place(reader, context)?;
    let block = read(reader, place, &mut bound, context, steps, Wanted::Value)?;
    if let Some(selection) = bound {
        *state = State::Selection(selection);
    }
    Ok(Frame::Vector(block))
}

/// When the value of each series at each step was taken, or since when it counts, in seconds.
pub(crate) fn timestamps(
    reader: &Reader,
    wanted: Wanted,
    state: &mut State,
    context: &mut Context<'_>,
    steps: Steps,
) -> Result<Frame, EvalError> {
    let (mut bound, renamed) = match std::mem::replace(state, State::Unbound) {
        State::Timestamps(selection, renamed) => (Some(selection), Some(renamed)),
        _ => (None, None),
    };
    let place = place(reader, context)?;
    let mut block = read(reader, place, &mut bound, context, steps, wanted)?;
    if wanted == Wanted::Start && !context.options.uses_starts {
        block.cells.values.fill(ABSENT);
    }
    let renamed = match renamed {
        Some(renamed) if Arc::ptr_eq(&renamed.from, &block.set) => renamed,
        _ => Renamed {
            from: Arc::clone(&block.set),
            to: without_names(&block.set, context.options.delays_name_removal),
        },
    };
    block.set = Arc::clone(&renamed.to);
    if let Some(selection) = bound {
        *state = State::Timestamps(selection, renamed);
    }
    Ok(Frame::Vector(block))
}

/// When the float of each series was taken that is current at a place of each step, in seconds, with
/// all labels; a histogram stays what it is.
pub(crate) fn moments(
    reader: &Reader,
    place: Place,
    bound: &mut Option<Selection>,
    context: &mut Context<'_>,
    steps: Steps,
) -> Result<Block, EvalError> {
    read(reader, place, bound, context, steps, Wanted::TimeOfFloat)
}

/// What is read of a sample.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    Value,
    /// The moment, in seconds.
    Time,
    /// The moment of a float, the histogram itself.
    TimeOfFloat,
    /// Since when it counts, in seconds: zero when that is unknown.
    Start,
}

fn read(
    reader: &Reader,
    (fixed, offset): Place,
    bound: &mut Option<Selection>,
    context: &mut Context<'_>,
    steps: Steps,
    wanted: Wanted,
) -> Result<Block, EvalError> {
    let first = fixed.unwrap_or(steps.start) - offset;
    let lookback = context.options.lookback;
    let (set, ids) = bind(reader, bound, first - lookback, context)?;
    context.check_room(ids.len(), steps.n)?;
    let moments = Moments {
        first,
        lookback,
        steps,
    };
    let mut values = Vec::with_capacity(ids.len() * steps.n);
    if reader.borders == Some(Borders::Smoothed) && wanted == Wanted::Value {
        let cells = smoothed(reader, (&set, &ids), &moments, context, values)?;
        return Ok(Block::new(set, steps.n, cells));
    }
    let mut with_histograms = if steps.n == 1 {
        at_once(&ids, &moments, wanted, context, &mut values)?
    } else {
        one_by_one(&ids, &moments, wanted, context, &mut values)?
    };
    if wanted == Wanted::Start {
        with_histograms = (0..ids.len()).collect();
    }
    let mut cells = Cells::from(values);
    for row in with_histograms {
        let skips_buckets = reader.skips_buckets;
        let mut mixed = Mixed::default();
        mixed.read(context.source, ids[row], moments.whole(), skips_buckets)?;
        context.hold(mixed.len())?;
        moments.place(&mixed, wanted, row, &mut cells);
        context.release(mixed.len());
    }
    Ok(Block::new(set, steps.n, cells))
}

/// The values of a selector with `smoothed`, series after series.
fn smoothed(
    reader: &Reader,
    (set, ids): (&SeriesSet, &[SeriesId]),
    moments: &Moments,
    context: &mut Context<'_>,
    mut values: Vec<f64>,
) -> Result<Cells, EvalError> {
    let (first, steps) = (moments.first, moments.steps);
    let mut with_histograms = Vec::new();
    for (row, &id) in ids.iter().enumerate() {
        if borders::has_histograms(context, id) {
            with_histograms.push(row);
            values.extend(std::iter::repeat_n(ABSENT, steps.n));
        } else {
            borders::smooth_row(context, id, first, steps, &mut values)?;
        }
    }
    let mut cells = Cells::from(values);
    for row in with_histograms {
        let mut mixed = Mixed::default();
        let whole = borders::around(moments.whole(), Borders::Smoothed, moments.lookback);
        mixed.read(context.source, ids[row], whole, reader.skips_buckets)?;
        mixed.drop_stale();
        context.hold(mixed.len())?;
        histograms::smooth(
            &mixed,
            (&set.labels[row], reader.span),
            (first, steps),
            context,
            |step, value| {
                cells.set(row * steps.n + step, value);
            },
        );
        context.release(mixed.len());
    }
    Ok(cells)
}

/// What is wanted of a float, if there is a fresh one.
pub(super) fn value_of(sample: Option<Sample>, wanted: Wanted) -> f64 {
    match sample {
        Some(sample) if !is_stale(sample.value) => match wanted {
            Wanted::Value => sample.value,
            Wanted::Time | Wanted::TimeOfFloat => sample.at.as_secs_f64(),
            Wanted::Start => 0.0,
        },
        _ => ABSENT,
    }
}

/// Reads all series at one moment. Gives the rows of those that have histograms.
fn at_once(
    ids: &[SeriesId],
    moments: &Moments,
    wanted: Wanted,
    context: &mut Context<'_>,
    values: &mut Vec<f64>,
) -> Result<Vec<usize>, EvalError> {
    let mut with_histograms = Vec::new();
    for run in ids.chunks(CANCEL_CHECK_EVERY) {
        context.check_cancelled()?;
        let latest = &mut context.scratch.latest;
        context.source.latest(run, moments.whole(), latest)?;
        let places = latest.with_histograms.iter();
        with_histograms.extend(places.map(|&place| values.len() + place as usize));
        values.extend(latest.values.iter().map(|&sample| value_of(sample, wanted)));
    }
    Ok(with_histograms)
}

/// Reads one series after the other over all steps. Gives the rows of those that have histograms.
fn one_by_one(
    ids: &[SeriesId],
    moments: &Moments,
    wanted: Wanted,
    context: &mut Context<'_>,
    values: &mut Vec<f64>,
) -> Result<Vec<usize>, EvalError> {
    let n = moments.steps.n;
    let (mut samples, mut with_histograms) = (Vec::new(), Vec::new());
    for (idx, &id) in ids.iter().enumerate() {
        if idx % CANCEL_CHECK_EVERY == 0 {
            context.check_cancelled()?;
        }
        samples.clear();
        if let Some(series) = context.source.series(id) {
            if series.has_histograms() {
                with_histograms.push(idx);
                values.extend(std::iter::repeat_n(ABSENT, n));
                continue;
            }
            series.samples(moments.whole(), &mut samples)?;
        }
        context.hold(samples.len())?;
        let mut next = 0;
        for step in 0..n {
            let range = moments.range(step);
            while samples.get(next).is_some_and(|it| it.at <= range.until) {
                next += 1;
            }
            let latest = next.checked_sub(1).map(|idx| samples[idx]);
            let latest = latest.filter(|it| it.at > range.after);
            values.push(value_of(latest, wanted));
        }
        context.release(samples.len());
    }
    Ok(with_histograms)
}

/// When values are read.
struct Moments {
    first: Timestamp,
    lookback: Duration,
    steps: Steps,
}

impl Moments {
    /// Where the value of a step may lie.
    fn range(&self, step: usize) -> TimeRange {
        let until = self.first + self.steps.step * step as i64;
        TimeRange {
            after: until - self.lookback,
            until,
        }
    }

    fn whole(&self) -> TimeRange {
        TimeRange {
            after: self.first - self.lookback,
            until: self.range(self.steps.n - 1).until,
        }
    }

    /// Puts what is wanted of a series of both kinds into its row.
    fn place(&self, mixed: &Mixed, wanted: Wanted, row: usize, cells: &mut Cells) {
        let mut ends = Default::default();
        for step in 0..self.steps.n {
            let last = mixed.window(self.range(step), &mut ends).last();
            let fresh = last.filter(|(_, value)| match value {
                SampleValue::Float(value) => !is_stale(*value),
                SampleValue::Histogram(histogram) => !histogram.is_stale(),
            });
            let value = fresh.map(|(at, value)| match (wanted, value) {
                (Wanted::Value, value) => value,
                (Wanted::TimeOfFloat, value @ SampleValue::Histogram(_)) => value,
                (Wanted::Start, _) => {
                    let since = Starts(&mixed.starts).of(at).unwrap_or(Timestamp(0));
                    SampleValue::Float(since.as_secs_f64())
                }
                _ => SampleValue::Float(at.as_secs_f64()),
            });
            cells.set(row * self.steps.n + step, value);
        }
    }
}

/// How many series are read between two questions whether to go on.
pub(crate) const CANCEL_CHECK_EVERY: usize = 1024;
