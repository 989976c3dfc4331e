//! Range vectors: windows of samples, from series or from subqueries, and the functions over them.
//!
//! *Invariants*: windows are left-open. A long window of a series is read through
//! [`Series::summary`] where that is exact; the raw path decides in every other case.
//!
//! *Sources*: Prometheus, `promql/functions.go`, `extrapolatedRate` and the `…_over_time` family.

mod at_once;
pub(crate) mod borders;
pub(crate) mod histograms;
pub(crate) mod labels;
mod over_time;
pub(crate) mod rate;
mod slide;
pub(crate) mod starts;

use std::sync::Arc;

use firebell_model::{
    Duration, Labels, Sample, SampleRows, Series, SeriesId, Source, TimeRange, Timestamp,
};

use super::frame::{ABSENT, Block, Cell, Cells, Frame, SeriesSet, is_absent};
use super::mixed::Mixed;
use super::select::{self, CANCEL_CHECK_EVERY};
use super::{Context, State, Steps, run_program};
use crate::ast::Span;
use crate::duration::DurationExpr;
use crate::error::{EvalError, execution};
use crate::functions::Window;
use crate::plan::{Program, WindowSource, fixed_moment};
use crate::value::MatrixSeries;
use labels::{WindowLabels, bind_labels};

/// A function over windows with its arguments.
pub(crate) struct WindowCall<'a> {
    pub(crate) window: Window,
    pub(crate) source: &'a WindowSource,
    /// The other arguments, each over all steps.
    pub(crate) args: Vec<Vec<f64>>,
    /// Where those stand.
    pub(crate) arg_spans: Vec<Span>,
    /// Where the range vector stands.
    pub(crate) source_span: Span,
    pub(crate) absent: &'a Labels,
}

/// One window of one series.
pub(crate) struct Slice<'a> {
    /// Samples within, stale ones left out.
    pub(crate) samples: &'a [Sample],
    pub(crate) range: TimeRange,
    /// The moment of evaluation, which an offset keeps apart from the end of the window.
    pub(crate) at: Timestamp,
    /// The other arguments at this step.
    pub(crate) args: [f64; 2],
}

/// The windows of all steps.
struct Windows {
    length: Duration,
    /// The end of the first window.
    first: Timestamp,
    /// How far apart the ends are; zero when `@` fixes them.
    stride: Duration,
    n: usize,
}

impl Windows {
    fn of(source: &WindowSource, context: &Context<'_>, steps: Steps) -> Result<Self, EvalError> {
        let length = source.range().resolve_range(context.shape);
        let length = length.map_err(EvalError::Execution)?;
        let offset = match &source.shift().offset {
            Some(offset) => offset
                .resolve(context.shape)
                .map_err(EvalError::Execution)?,
            None => Duration::ZERO,
        };
        let fixed = fixed_moment(source.shift(), context.start, context.end);
        Ok(Self {
            length,
            first: fixed.unwrap_or(steps.start) - offset,
            stride: if fixed.is_some() {
                Duration::ZERO
            } else {
                steps.step
            },
            n: steps.n,
        })
    }

    fn range(&self, step: usize) -> TimeRange {
        let until = self.first + self.stride * step as i64;
        TimeRange {
            after: until - self.length,
            until,
        }
    }

    /// From the start of the first window to the end of the last.
    fn whole(&self) -> TimeRange {
        TimeRange {
            after: self.first - self.length,
            until: self.first + self.stride * (self.n as i64 - 1),
        }
    }
}

/// Values row by row, and the rows that have to be looked at again for their histograms or start
/// timestamps.
#[derive(Default)]
struct Rowwise {
    values: Vec<f64>,
    with_histograms: Vec<usize>,
}

impl Rowwise {
    /// Notes places of the rows that come next, of one value each.
    fn note_histograms(&mut self, places: &[u32]) {
        let rows = places
            .iter()
            .map(|&place| self.values.len() + place as usize);
        self.with_histograms.extend(rows);
    }

    /// Notes the rows whose samples say since when they count, as far as that matters.
    fn note_starts(&mut self, window: Window, rows: &Rows, context: &Context<'_>) {
        let Rows::Series(ids) = rows else {
            // Upstream, too: subqueries do not pass it on.
            return;
        };
        if context.options.uses_starts && starts::matter(window) {
            let has_starts = |id: &SeriesId| {
                let series = context.source.series(*id);
                series.is_some_and(|series| series.has_starts())
            };
            let hits = ids.iter().enumerate().filter(|(_, id)| has_starts(id));
            self.with_histograms.extend(hits.map(|(row, _)| row));
            self.with_histograms.sort_unstable();
            self.with_histograms.dedup();
        }
    }
}

/// The samples of one series after the other.
enum Rows {
    Series(Arc<[SeriesId]>),
    Block(Block, Steps),
}

impl Rows {
    /// Reads the samples of a series in a range, without stale ones.
    fn read(
        &self,
        source: &dyn Source,
        row: usize,
        range: TimeRange,
        out: &mut Vec<Sample>,
    ) -> Result<(), EvalError> {
        out.clear();
        match self {
            Self::Series(ids) => {
                if let Some(series) = source.series(ids[row]) {
                    series.samples(range, out)?;
                    SampleRows::drop_stale(out, 0);
                }
            }
            Self::Block(block, steps) => {
                let values = block.row(row).iter().enumerate();
                let samples = values.filter(|(_, value)| !is_absent(**value));
                out.extend(samples.map(|(step, &value)| Sample {
                    at: steps.at(step),
                    value,
                }));
            }
        }
        Ok(())
    }

    fn has_histograms(&self, source: &dyn Source, row: usize) -> bool {
        match self {
            Self::Series(ids) => source
                .series(ids[row])
                .is_some_and(|series| series.has_histograms()),
            Self::Block(block, _) => {
                let mut steps = 0..block.n_steps;
                block.has_histograms() && steps.any(|step| block.histogram(row, step).is_some())
            }
        }
    }

    /// Reads the samples of both kinds of a series in a range, without stale ones.
    fn read_mixed(
        &self,
        reader: &WindowSource,
        source: &dyn Source,
        row: usize,
        range: TimeRange,
        out: &mut Mixed,
    ) -> Result<(), EvalError> {
        match self {
            Self::Series(ids) => {
                let skips_buckets = match reader {
                    WindowSource::Series { reader, .. } => reader.skips_buckets,
                    WindowSource::Subquery { .. } => false,
                };
                out.read(source, ids[row], range, skips_buckets)?;
                out.drop_stale();
            }
            Self::Block(block, steps) => {
                out.clear();
                block.read(row, steps, &mut out.samples, &mut out.histograms);
                out.forget_hints();
            }
        }
        Ok(())
    }
}

struct Bound {
    set: Arc<SeriesSet>,
    rows: Rows,
}

/// Binds the series of a window, or evaluates its subquery.
fn bind(
    source: &WindowSource,
    state: &mut State,
    context: &mut Context<'_>,
    windows: &Windows,
) -> Result<Bound, EvalError> {
    match (source, state) {
        (WindowSource::Series { reader, .. }, State::Window(bound, _)) => {
            let range = match reader.borders {
                Some(it) => borders::around(windows.whole(), it, context.options.lookback),
                None => windows.whole(),
            };
            let (set, ids) = select::bind(reader, bound, range.after, context)?;
            let rows = Rows::Series(ids);
            Ok(Bound { set, rows })
        }
        (WindowSource::Subquery { program, step, .. }, State::Subquery(states, _)) => {
            let step = subquery_step(step.as_ref(), context)?;
            subquery(program, states, context, windows.whole(), step)
        }
        _ => unreachable!("states are made from the program"),
    }
}

/// Evaluates an expression at the multiples of `step` within a range.
fn subquery(
    program: &Program,
    states: &mut [State],
    context: &mut Context<'_>,
    range: TimeRange,
    step: Duration,
) -> Result<Bound, EvalError> {
    let steps = multiples(range, step, context)?;
    let n = steps.n;
    if n == 0 {
        let block = Block::empty(0);
        let set = Arc::clone(&block.set);
        let rows = Rows::Block(block, steps);
        return Ok(Bound { set, rows });
    }
    let held = context.n_samples;
    let Frame::Vector(block) = run_program(program, states, context, steps, None)? else {
        unreachable!("the checker has seen an instant vector");
    };
    let block = block.broadcast(n, context.room())?.joined();
    context.n_samples = held;
    context.hold(block.cells.len())?;
    let set = Arc::clone(&block.set);
    let rows = Rows::Block(block, steps);
    Ok(Bound { set, rows })
}

/// The multiples of `step` within a range.
fn multiples(range: TimeRange, step: Duration, context: &Context<'_>) -> Result<Steps, EvalError> {
    if step.0 <= 0 {
        return execution("duration must be greater than 0");
    }
    let first = (range.after.0.div_euclid(step.0)).saturating_add(1);
    let start = Timestamp(first.saturating_mul(step.0));
    let n = if start > range.until {
        0
    } else {
        (range.until - start).0 / step.0 + 1
    };
    let n = usize::try_from(n).unwrap_or(usize::MAX);
    if n > context.options.samples_max {
        return Err(EvalError::TooManySamples);
    }
    Ok(Steps { start, step, n })
}

/// How long windows are, and at which moments the subquery is evaluated that they come from.
pub(super) fn inner_steps(
    source: &WindowSource,
    context: &Context<'_>,
    steps: Steps,
) -> Result<(Duration, Option<Steps>), EvalError> {
    let windows = Windows::of(source, context, steps)?;
    let step = match source {
        WindowSource::Series { .. } => return Ok((windows.length, None)),
        WindowSource::Subquery { step, .. } => subquery_step(step.as_ref(), context)?,
    };
    let inner = multiples(windows.whole(), step, context)?;
    Ok((windows.length, Some(inner)))
}

fn subquery_step(
    step: Option<&DurationExpr>,
    context: &Context<'_>,
) -> Result<Duration, EvalError> {
    match step {
        Some(step) => step.resolve(context.shape).map_err(EvalError::Execution),
        None => Ok(context.options.subquery_step),
    }
}

/// A range vector as the result of an instant query.
pub(crate) fn matrix(
    source: &WindowSource,
    state: &mut State,
    context: &mut Context<'_>,
    steps: Steps,
) -> Result<Frame, EvalError> {
    let windows = Windows::of(source, context, steps)?;
    let bound = bind(source, state, context, &windows)?;
    let mut found = Vec::new();
    for (row, labels) in bound.set.labels.iter().enumerate() {
        let mut mixed = Mixed::default();
        let (rows, range) = (&bound.rows, windows.range(0));
        if rows.has_histograms(context.source, row) {
            rows.read_mixed(source, context.source, row, range, &mut mixed)?;
        } else if let (Rows::Series(ids), Some(it)) = (rows, source.borders()) {
            let mut around = Vec::new();
            borders::read(context, ids[row], range, it, &mut around)?;
            mixed.samples = borders::extend(&around, it, range);
        } else {
            rows.read(context.source, row, range, &mut mixed.samples)?;
        }
        context.hold(mixed.len())?;
        if !mixed.is_empty() {
            let labels = if bound.set.drops_name(row) {
                labels.without_metric_name()
            } else {
                labels.clone()
            };
            found.push(MatrixSeries {
                labels,
                samples: mixed.samples,
                histograms: mixed.histograms,
            });
        }
    }
    found.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(Frame::Matrix(found))
}

/// A function over the windows of all series at all steps.
pub(crate) fn run(
    call: &WindowCall<'_>,
    state: &mut State,
    context: &mut Context<'_>,
    steps: Steps,
) -> Result<Frame, EvalError> {
    let windows = Windows::of(call.source, context, steps)?;
    if let Some(it) = call.source.borders() {
        borders::check(call.window, it)?;
    }
    let bound = bind(call.source, state, context, &windows)?;
    if call.window == Window::Absent {
        return absent(call.source, &bound, &windows, call.absent, context);
    }
    check_args(call, context, steps)?;
    context.check_room(bound.set.len(), steps.n)?;
    let mut out = Rowwise {
        values: Vec::with_capacity(bound.set.len() * steps.n),
        with_histograms: Vec::new(),
    };
    match (&bound.rows, call.source.borders()) {
        (Rows::Series(ids), Some(it)) => {
            borders::evaluate(call, it, ids, &windows, context, &mut out)?;
        }
        (Rows::Series(ids), None) if steps.n == 1 => {
            at_once::read(call, ids, &windows, steps, context, &mut out)?;
        }
        (rows, _) => one_by_one(call, rows, &windows, steps, context, &mut out)?,
    }
    out.note_starts(call.window, &bound.rows, context);
    let mut cells = Cells::from(out.values);
    histograms::read(
        call,
        &bound,
        &out.with_histograms,
        &windows,
        steps,
        context,
        &mut cells,
    )?;
    let bound = bind_labels(call.window, &bound.set, state, context);
    doubt_counters(bound, &cells, steps.n, call.source_span, context);
    if call.window == Window::Quantile {
        doubt_quantiles(call, &cells.values, context);
    }
    let set = Arc::clone(&bound.to);
    Ok(Frame::Vector(Block::new(set, steps.n, cells)))
}

/// Evaluates series after series.
fn one_by_one(
    call: &WindowCall<'_>,
    rows: &Rows,
    windows: &Windows,
    steps: Steps,
    context: &mut Context<'_>,
    out: &mut Rowwise,
) -> Result<(), EvalError> {
    let n_rows = match rows {
        Rows::Series(ids) => ids.len(),
        Rows::Block(block, _) => block.set.len(),
    };
    let mut samples = Vec::new();
    for row in 0..n_rows {
        if row % CANCEL_CHECK_EVERY == 0 {
            context.check_cancelled()?;
        }
        if rows.has_histograms(context.source, row) {
            out.with_histograms.push(row);
            out.values.extend(std::iter::repeat_n(ABSENT, steps.n));
            continue;
        }
        let values = &mut out.values;
        if let Rows::Series(ids) = rows
            && windows.length >= SUMMARY_LENGTH_MIN
            && are_summaries_quicker(windows)
            && let Some(series) = context.source.series(ids[row])
            && summarize(call.window, &*series, windows, values)?
        {
            continue;
        }
        rows.read(context.source, row, windows.whole(), &mut samples)?;
        context.hold(samples.len())?;
        evaluate(call, &samples, windows, steps, context, values)?;
        context.release(samples.len());
    }
    Ok(())
}

/// Slides over the samples of one series; both ends of the window only move forward.
fn evaluate(
    call: &WindowCall<'_>,
    samples: &[Sample],
    windows: &Windows,
    steps: Steps,
    context: &Context<'_>,
    values: &mut Vec<f64>,
) -> Result<(), EvalError> {
    if slide::suits(call, windows) {
        slide::evaluate(call, samples, windows, steps, values);
        return Ok(());
    }
    let (mut start, mut end, mut n_unasked) = (0, 0, 0);
    for step in 0..steps.n {
        let range = windows.range(step);
        while samples.get(end).is_some_and(|it| it.at <= range.until) {
            end += 1;
        }
        while start < end && samples[start].at <= range.after {
            start += 1;
        }
        if start == end {
            values.push(ABSENT);
            continue;
        }
        // A single series with long windows can take minutes.
        n_unasked += end - start;
        if n_unasked > SAMPLES_UNASKED_MAX {
            n_unasked = 0;
            context.check_cancelled()?;
        }
        let arg = |idx: usize| call.args.get(idx).map_or(0.0, |column| column[step]);
        let slice = Slice {
            samples: &samples[start..end],
            range,
            at: steps.at(step),
            args: [arg(0), arg(1)],
        };
        values.push(value_of(call.window, &slice));
    }
    Ok(())
}

/// How many samples of windows are gone through without asking whether anybody still waits.
const SAMPLES_UNASKED_MAX: usize = 1 << 18;

/// The value of one window, which has samples.
fn value_of(window: Window, slice: &Slice<'_>) -> f64 {
    rate::apply(window, slice)
        .or_else(|| over_time::apply(window, slice))
        .unwrap_or(ABSENT)
}

/// Whether a summary for each step costs less than all samples, of which nobody knows how many there
/// are: as many as those of a scrape every 15 s.
fn are_summaries_quicker(windows: &Windows) -> bool {
    let whole = windows.whole();
    let n_samples = (whole.until - whole.after).0 / 15_000;
    (windows.n as i64).saturating_mul(SAMPLES_PER_SUMMARY) < n_samples
}

/// Evaluates over summaries of chunks; `false` when the samples themselves have to be looked at.
fn summarize(
    window: Window,
    series: &dyn Series,
    windows: &Windows,
    values: &mut Vec<f64>,
) -> Result<bool, EvalError> {
    if !rate::has_summary(window) && !over_time::has_summary(window) {
        return Ok(false);
    }
    let n_before = values.len();
    for step in 0..windows.n {
        let range = windows.range(step);
        let Some(summary) = series.summary(range)? else {
            values.push(ABSENT);
            continue;
        };
        // Infinities and overflows depend on the order of the samples.
        if !summary.sum.is_finite() || !summary.squares.is_finite() {
            values.truncate(n_before);
            return Ok(false);
        }
        let value = rate::of_summary(window, &summary, range)
            .or_else(|| over_time::of_summary(window, &summary));
        values.push(value.unwrap_or(ABSENT));
    }
    Ok(true)
}

/// 1 at steps where no series has a sample in its window.
fn absent(
    source: &WindowSource,
    bound: &Bound,
    windows: &Windows,
    labels: &Labels,
    context: &Context<'_>,
) -> Result<Frame, EvalError> {
    let mut values = vec![1.0; windows.n];
    let mut mixed = Mixed::default();
    for row in 0..bound.set.len() {
        if row % CANCEL_CHECK_EVERY == 0 {
            context.check_cancelled()?;
        }
        let (rows, whole) = (&bound.rows, windows.whole());
        mixed.clear();
        if rows.has_histograms(context.source, row) {
            rows.read_mixed(source, context.source, row, whole, &mut mixed)?;
        } else {
            rows.read(context.source, row, whole, &mut mixed.samples)?;
        }
        let mut ends = Default::default();
        for (step, value) in values.iter_mut().enumerate() {
            let part = mixed.window(windows.range(step), &mut ends);
            if !part.samples.is_empty() || !part.histograms.is_empty() {
                *value = ABSENT;
            }
        }
    }
    let set = SeriesSet::unique(vec![labels.clone()]);
    Ok(Frame::Vector(Block::new(set, windows.n, values)))
}

/// Says so when a result comes of a series whose name is not that of a counter.
fn doubt_counters(
    bound: &WindowLabels,
    cells: &Cells,
    n: usize,
    span: Span,
    context: &mut Context<'_>,
) {
    for (row, doubt) in &bound.doubtful {
        let mut places = *row as usize * n..(*row as usize + 1) * n;
        if places.any(|idx| matches!(cells.cell(idx), Cell::Float(_))) {
            context.note(span, doubt);
        }
    }
}

/// Warns of quantiles outside of 0 to 1 at steps that have results.
fn doubt_quantiles(call: &WindowCall<'_>, values: &[f64], context: &mut Context<'_>) {
    let n = call.args[0].len();
    for (step, &q) in call.args[0].iter().enumerate() {
        let mut column = values.iter().skip(step).step_by(n);
        if column.any(|&value| !is_absent(value)) {
            super::aggregate::check_quantile(q, call.arg_spans[0], context);
        }
    }
}

/// Refuses arguments that make no sense, as far as there is something in a window: as upstream.
fn check_args(
    call: &WindowCall<'_>,
    context: &mut Context<'_>,
    steps: Steps,
) -> Result<(), EvalError> {
    if call.window != Window::Smoothing {
        return Ok(());
    }
    let refusal = |step: usize| {
        let names = [("smoothing", "sf"), ("trend", "tf")];
        let mut args = call.args.iter().map(|column| column[step]).zip(names);
        let (bad, (what, name)) = args.find(|(value, _)| *value <= 0.0 || *value >= 1.0)?;
        let bad = match bad.is_finite() {
            true => format!("{bad:.6}"),
            false => firebell_model::format_float(bad),
        };
        Some(format!(
            "invalid {what} factor. Expected: 0 < {name} < 1, got: {bad}"
        ))
    };
    if (0..steps.n).all(|step| refusal(step).is_none()) {
        return Ok(());
    }
    let Some(counts) = super::samples::count(call.source, context, steps)? else {
        return Ok(());
    };
    for row in 0..counts.set.len() {
        let filled = (0..steps.n).filter(|&step| !is_absent(counts.get(row, step)));
        if let Some(why) = filled.filter_map(refusal).next() {
            return execution(why);
        }
    }
    Ok(())
}

/// Windows at least this long are read through summaries: below it, the two partial chunks at the
/// ends hold most of the samples anyway.
const SUMMARY_LENGTH_MIN: Duration = Duration::from_mins(60);
/// A summary costs about as much as reading so many samples and adding them up.
const SAMPLES_PER_SUMMARY: i64 = 10;
