//! Evaluation: a plan bound to series, run over columns.
//!
//! *Invariants*: an instant query is a range query of one step. Operations run once per query, not
//! once per step; what depends on label sets alone is bound once and kept while the sets last.
//!
//! *Sources*: Prometheus, `promql/engine.go`.

mod aggregate;
mod binary;
mod bound;
mod comparisons;
mod frame;
mod histogram;
mod hyperbolic;
mod info;
mod labels;
mod map;
mod mixed;
mod note;
mod other;
mod ratio;
mod rows;
mod samples;
mod select;
mod shared;
mod top;
mod window;

use std::sync::Arc;

use firebell_model::{Column, Duration, Growth, Sample, SampleRows, Source, Summary, Timestamp};

use crate::ast::Span;
use crate::duration::QueryShape;
use crate::error::EvalError;
use crate::parse::line_and_column;
use crate::plan::{Op, OpIdx, OpKind, Plan, Program, WindowSource};
use crate::value::{Annotation, Value};
use frame::{Block, Frame, SeriesSet};
use shared::Turn;

pub use comparisons::Comparisons;
pub use rows::Rows;
pub use samples::SampleCounts;
pub use shared::Shared;

/// Limits and settings of an evaluation.
#[derive(Clone)]
pub struct Options<'a> {
    /// How old a sample may be to count as the current value. Prometheus's default is 5 minutes.
    pub lookback: Duration,
    /// The step of subqueries that name none; upstream takes its evaluation interval.
    pub subquery_step: Duration,
    /// How many samples and results may be held at once.
    pub samples_max: usize,
    /// How many series one selector may give.
    pub series_max: usize,
    /// How many steps may follow the first one of a range query: as upstream, what is counted are
    /// the distances between them.
    pub steps_max: usize,
    /// Whether the metric name goes at the end of the query rather than at the first operation
    /// that drops it (upstream's feature flag `promql-delayed-name-removal`).
    pub delays_name_removal: bool,
    /// Whether functions of counters ask since when samples count (`use-start-timestamps`).
    pub uses_starts: bool,
    /// Whether label `__type__` says what is a counter, rather than the name
    /// (`type-and-unit-labels`).
    pub has_type_labels: bool,
    /// Asked now and then; `true` ends the evaluation.
    pub is_cancelled: Option<&'a (dyn Fn() -> bool + Sync)>,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Self {
            lookback: Duration::from_mins(5),
            subquery_step: Duration::from_mins(1),
            samples_max: 50_000_000,
            series_max: usize::MAX,
            steps_max: 11_000,
            delays_name_removal: false,
            uses_starts: false,
            has_type_labels: false,
            is_cancelled: None,
        }
    }
}

/// A plan with what it has learned of the series of one store: which they are, which labels the
/// results have, who belongs to which group. Keep one per rule and store.
pub struct Prepared {
    plan: Plan,
    states: Vec<State>,
    output: Option<Renamed>,
    /// The setting that what is bound depends on.
    delays_name_removal: bool,
    annotations: Vec<Annotation>,
    scratch: Option<Box<Scratch>>,
    n_samples: usize,
}

/// What series are read into; kept so that an evaluation of many allocates nothing for it.
#[derive(Default)]
struct Scratch {
    latest: Column<Option<Sample>>,
    growths: Column<Option<Growth>>,
    summaries: Column<Option<Summary>>,
    windows: SampleRows,
}

impl Scratch {
    /// What is worth keeping. Of few series it is not: with thousands of rules, what each of them
    /// would keep has left the processor's caches by its next turn, and what the allocator gives
    /// has not.
    fn kept(self) -> Option<Box<Self>> {
        let columns = [
            self.latest.values.capacity(),
            self.growths.values.capacity(),
            self.summaries.values.capacity(),
            self.windows.samples.capacity(),
        ];
        let is_large = columns.iter().any(|&n| n > SCRATCH_DROPPED_MAX);
        is_large.then(|| Box::new(self))
    }
}

/// Scratch for no more series, or samples, is made anew each time.
const SCRATCH_DROPPED_MAX: usize = 128;

impl Prepared {
    /// Nothing is bound before the first evaluation.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        let states = State::of(plan.program());
        Self {
            plan,
            states,
            output: None,
            delays_name_removal: false,
            annotations: Vec::new(),
            scratch: None,
            n_samples: 0,
        }
    }

    /// The plan.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What is to be known about the last result, sorted.
    #[must_use]
    pub fn annotations(&self) -> &[Annotation] {
        &self.annotations
    }

    /// How many samples and results the last evaluation held at once, which [`Options::samples_max`]
    /// limits.
    #[must_use]
    pub fn n_samples(&self) -> usize {
        self.n_samples
    }

    /// Evaluates at one moment.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub fn instant(
        &mut self,
        source: &dyn Source,
        at: Timestamp,
        options: &Options<'_>,
    ) -> Result<Value, EvalError> {
        let steps = Steps {
            start: at,
            step: Duration::ZERO,
            n: 1,
        };
        let frame = self.run(source, steps, at, options, None)?;
        Ok(frame.into_instant(at))
    }

    /// Evaluates from `start` to `end`, both included, every `step`; the result is a matrix.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub fn range(
        &mut self,
        source: &dyn Source,
        start: Timestamp,
        end: Timestamp,
        step: Duration,
        options: &Options<'_>,
    ) -> Result<Value, EvalError> {
        let rows = self.range_rows(source, (start, end), step, options)?;
        Ok(Value::Matrix(rows.collect()))
    }

    /// As [`Prepared::range`], series by series.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub fn range_rows(
        &mut self,
        source: &dyn Source,
        range: (Timestamp, Timestamp),
        step: Duration,
        options: &Options<'_>,
    ) -> Result<Rows, EvalError> {
        self.range_with(source, range, step, options, None)
    }

    /// As [`Prepared::range`], for one of the expressions that `shared` was made of. Annotations of
    /// what others have evaluated are theirs.
    ///
    /// # Errors
    /// See [`EvalError`].
    pub fn range_sharing(
        &mut self,
        source: &dyn Source,
        range: (Timestamp, Timestamp),
        step: Duration,
        options: &Options<'_>,
        shared: &mut Shared,
    ) -> Result<Value, EvalError> {
        let rows = self.range_with(source, range, step, options, Some(shared))?;
        Ok(Value::Matrix(rows.collect()))
    }

    fn range_with(
        &mut self,
        source: &dyn Source,
        (start, end): (Timestamp, Timestamp),
        step: Duration,
        options: &Options<'_>,
        shared: Option<&mut Shared>,
    ) -> Result<Rows, EvalError> {
        if step.0 <= 0 {
            return Err(EvalError::Steps(
                "zero or negative query resolution step widths are not accepted".to_owned(),
            ));
        }
        if end < start {
            return Err(EvalError::Steps(
                "end timestamp must not be before start time".to_owned(),
            ));
        }
        let n = ((end - start).0 / step.0) as u64 + 1;
        if n - 1 > options.steps_max as u64 {
            let max = options.steps_max;
            return Err(EvalError::Steps(format!(
                "exceeded maximum resolution of {max} points per timeseries. Try decreasing the \
                 query resolution (?step=XX)"
            )));
        }
        let steps = Steps {
            start,
            step,
            n: n as usize,
        };
        let frame = self.run(source, steps, end, options, shared)?;
        Rows::of(frame, steps)
    }

    fn run(
        &mut self,
        source: &dyn Source,
        steps: Steps,
        end: Timestamp,
        options: &Options<'_>,
        shared: Option<&mut Shared>,
    ) -> Result<Frame, EvalError> {
        if self.delays_name_removal != options.delays_name_removal {
            self.delays_name_removal = options.delays_name_removal;
            self.states = State::of(self.plan.program());
        }
        let scratch = self.scratch.take().map_or_else(Scratch::default, |it| *it);
        let mut context = Context::new(self.plan.text(), source, options, (steps, end), scratch);
        let (program, states) = (self.plan.program(), &mut self.states);
        let result = run_program(program, states, &mut context, steps, shared);
        context.annotate_counted();
        self.n_samples = context.n_samples_most;
        self.annotations = context.annotations;
        self.scratch = context.scratch.kept();
        self.annotations.sort();
        match result? {
            Frame::Vector(block) => {
                let block = block.broadcast(steps.n, options.samples_max)?;
                let block = frame::resolve_names(block, &mut self.output)?;
                Ok(Frame::Vector(block))
            }
            Frame::Scalar(column) => Ok(Frame::Scalar(frame::broadcast(column, steps.n))),
            other => Ok(other),
        }
    }
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prepared({})", self.plan.text())
    }
}

/// The moments of an evaluation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    pub(crate) start: Timestamp,
    pub(crate) step: Duration,
    pub(crate) n: usize,
}

impl Steps {
    pub(crate) fn at(&self, idx: usize) -> Timestamp {
        self.start + self.step * idx as i64
    }
}

/// What all operations of one evaluation share.
struct Context<'a> {
    text: &'a str,
    source: &'a dyn Source,
    options: &'a Options<'a>,
    /// First and last moment of the whole query, for `@ start()` and `@ end()`.
    start: Timestamp,
    end: Timestamp,
    shape: QueryShape,
    n_samples: usize,
    /// The most that were held at once.
    n_samples_most: usize,
    annotations: Vec<Annotation>,
    lifted: Vec<note::LiftedNote>,
    overlaps: Vec<note::OverlapNote>,
    scratch: Scratch,
}

impl<'a> Context<'a> {
    /// Nothing is held yet. `end` is the last moment of the whole query.
    fn new(
        text: &'a str,
        source: &'a dyn Source,
        options: &'a Options<'a>,
        (steps, end): (Steps, Timestamp),
        scratch: Scratch,
    ) -> Self {
        Self {
            text,
            source,
            options,
            start: steps.start,
            end,
            shape: QueryShape {
                step: steps.step,
                range: end - steps.start,
            },
            n_samples: 0,
            n_samples_most: 0,
            annotations: Vec::new(),
            lifted: Vec::new(),
            overlaps: Vec::new(),
            scratch,
        }
    }
}

impl Context<'_> {
    /// Counts values that are held from now on.
    fn hold(&mut self, n: usize) -> Result<(), EvalError> {
        self.n_samples += n;
        self.n_samples_most = self.n_samples_most.max(self.n_samples);
        if self.n_samples > self.options.samples_max {
            return Err(EvalError::TooManySamples);
        }
        Ok(())
    }

    /// How many more values may be held.
    fn room(&self) -> usize {
        self.options.samples_max.saturating_sub(self.n_samples)
    }

    /// Refuses a result before it is made.
    fn check_room(&self, n_series: usize, n_steps: usize) -> Result<(), EvalError> {
        if n_series.saturating_mul(n_steps) > self.room() {
            return Err(EvalError::TooManySamples);
        }
        Ok(())
    }

    fn release(&mut self, n: usize) {
        self.n_samples = self.n_samples.saturating_sub(n);
    }

    fn check_cancelled(&self) -> Result<(), EvalError> {
        match self.options.is_cancelled {
            Some(is_cancelled) if is_cancelled() => Err(EvalError::Cancelled),
            _ => Ok(()),
        }
    }

    fn warn(&mut self, span: Span, message: &str) {
        self.annotate(true, span, message);
    }

    fn note(&mut self, span: Span, note: &note::Note) {
        self.annotate(note.is_warning(), span, &note.text());
    }

    /// Notes what was lifted in a classic histogram at a step.
    fn note_lifted(&mut self, span: Span, name: &str, step: usize, lifted: histogram::Lifted) {
        let at = self.start + self.shape.step * step as i64;
        let mut known = self.lifted.iter_mut();
        if let Some(known) = known.find(|it| it.span == span && it.name == name) {
            known.add(at, lifted);
        } else if self.lifted.len() < ANNOTATIONS_MAX {
            self.lifted.push(note::LiftedNote {
                span,
                name: name.to_owned(),
                lifted,
                n_samples: 1,
                moments: (at, at),
            });
        }
    }

    /// Notes that samples of a window count what others have counted.
    fn note_overlap(&mut self, span: Span, name: &str) {
        if let Some(known) = self.overlaps.iter_mut().find(|it| it.name == name) {
            known.n += 1;
        } else if self.overlaps.len() < ANNOTATIONS_MAX {
            let name = name.to_owned();
            self.overlaps.push(note::OverlapNote { span, name, n: 1 });
        }
    }

    /// Annotates what was counted.
    fn annotate_counted(&mut self) {
        for lifted in std::mem::take(&mut self.lifted) {
            self.annotate(false, lifted.span, &lifted.text());
        }
        for overlap in std::mem::take(&mut self.overlaps) {
            self.warn(overlap.span, &overlap.text());
        }
    }

    fn annotate(&mut self, is_warning: bool, span: Span, message: &str) {
        let kind = if is_warning { "warning" } else { "info" };
        let (line, column) = line_and_column(self.text, span.start);
        let message = format!("PromQL {kind}: {message} ({line}:{column})");
        let annotation = Annotation {
            is_warning,
            message,
        };
        if !self.annotations.contains(&annotation) && self.annotations.len() < ANNOTATIONS_MAX {
            self.annotations.push(annotation);
        }
    }
}

/// How many annotations of one evaluation are kept; upstream shows as many in its API.
const ANNOTATIONS_MAX: usize = 100;

/// What an operation has bound.
enum State {
    /// Nothing, or nothing yet.
    Unbound,
    Selection(select::Selection),
    Timestamps(select::Selection, Renamed),
    Window(
        Option<select::Selection>,
        Option<window::labels::WindowLabels>,
    ),
    Subquery(Vec<State>, Option<window::labels::WindowLabels>),
    Renamed(Renamed),
    Grouping(aggregate::Grouping),
    Matching(binary::MatchingState),
    Buckets(histogram::Buckets),
}

/// Label sets and what became of them.
struct Renamed {
    from: Arc<SeriesSet>,
    to: Arc<SeriesSet>,
}

impl State {
    fn of(program: &Program) -> Vec<Self> {
        let state = |kind: &OpKind| match kind {
            OpKind::Window { source, .. } | OpKind::Matrix(source) => Self::of_source(source),
            _ => Self::Unbound,
        };
        program.ops.iter().map(|op| state(&op.kind)).collect()
    }

    fn of_source(source: &WindowSource) -> Self {
        match source {
            WindowSource::Series { .. } => Self::Window(None, None),
            WindowSource::Subquery { program, .. } => Self::Subquery(Self::of(program), None),
        }
    }
}

/// Results of operations that wait for their user.
struct Frames<'a> {
    waiting: Vec<Option<Frame>>,
    ops: &'a [Op],
    /// How many values of vectors were taken.
    n_taken: usize,
    /// How many values a vector may have.
    room: usize,
}

impl Frames<'_> {
    fn take(&mut self, op: OpIdx) -> Frame {
        let frame = self.waiting[op].take();
        let Some(frame) = frame else {
            unreachable!("every result has one user");
        };
        if let Frame::Vector(block) = &frame {
            self.n_taken += block.cells.len();
        }
        frame
    }

    /// Where the expression of an operation stands.
    fn span(&self, op: OpIdx) -> Span {
        self.ops[op].span
    }

    /// A vector over `n` steps.
    fn vector(&mut self, op: OpIdx, n: usize) -> Result<Block, EvalError> {
        match self.take(op) {
            Frame::Vector(block) => block.broadcast(n, self.room),
            _ => unreachable!("the checker has seen a vector"),
        }
    }

    /// A scalar over `n` steps.
    fn scalar(&mut self, op: OpIdx, n: usize) -> Vec<f64> {
        match self.take(op) {
            Frame::Scalar(column) => frame::broadcast(column, n),
            _ => unreachable!("the checker has seen a scalar"),
        }
    }

    fn string(&mut self, op: OpIdx) -> crate::ast::StringLiteral {
        match self.take(op) {
            Frame::String(string) => string,
            _ => unreachable!("the checker has seen a string"),
        }
    }
}

fn run_program(
    program: &Program,
    states: &mut [State],
    context: &mut Context<'_>,
    steps: Steps,
    mut shared: Option<&mut Shared>,
) -> Result<Frame, EvalError> {
    let turns = shared.as_mut().map(|it| it.turns(program, context.text));
    let mut turns = turns.unwrap_or_default().into_iter();
    let mut frames = Frames {
        waiting: (0..program.ops.len()).map(|_| None).collect(),
        ops: &program.ops,
        n_taken: 0,
        room: context.options.samples_max,
    };
    for (idx, (op, state)) in program.ops.iter().zip(states).enumerate() {
        context.check_cancelled()?;
        let n = if op.is_invariant { 1 } else { steps.n };
        let own_steps = Steps { n, ..steps };
        let frame = match turns.next().unwrap_or(Turn::Run) {
            Turn::Skip => continue,
            Turn::Known(block) => Frame::Vector(block),
            Turn::Run => {
                let frame = run_op(op, state, &mut frames, context, own_steps)?;
                if let Some(shared) = &mut shared {
                    shared.keep(op, context.text, &frame);
                }
                frame
            }
        };
        // What the operation has used up is gone.
        context.release(std::mem::take(&mut frames.n_taken));
        if let Frame::Vector(block) = &frame {
            block.check_duplicates()?;
            context.hold(block.cells.len())?;
        }
        frames.waiting[idx] = Some(frame);
    }
    let last = frames.take(program.ops.len() - 1);
    Ok(last)
}

fn run_op(
    op: &Op,
    state: &mut State,
    frames: &mut Frames<'_>,
    context: &mut Context<'_>,
    steps: Steps,
) -> Result<Frame, EvalError> {
    match &op.kind {
        OpKind::Number(value) => Ok(Frame::Scalar(vec![*value; steps.n])),
        OpKind::String(string) => Ok(Frame::String(string.clone())),
        OpKind::Select(reader) => select::values(reader, state, context, steps),
        OpKind::Timestamps(reader) => {
            select::timestamps(reader, select::Wanted::Time, state, context, steps)
        }
        OpKind::Starts(reader) => {
            select::timestamps(reader, select::Wanted::Start, state, context, steps)
        }
        OpKind::Matrix(source) => window::matrix(source, state, context, steps),
        OpKind::Window {
            window,
            source,
            args,
            source_span,
            absent,
        } => {
            let arg_spans = args.iter().map(|&arg| frames.span(arg)).collect();
            let args = args
                .iter()
                .map(|&arg| frames.scalar(arg, steps.n))
                .collect();
            let call = window::WindowCall {
                window: *window,
                source,
                args,
                arg_spans,
                source_span: *source_span,
                absent,
            };
            window::run(&call, state, context, steps)
        }
        OpKind::Negate(operand) => match frames.take(*operand) {
            Frame::Scalar(mut column) => {
                column.iter_mut().for_each(|value| *value = -*value);
                Ok(Frame::Scalar(column))
            }
            Frame::Vector(block) => map::negate(block, state, context),
            other => Ok(other),
        },
        OpKind::Binary(operation) => binary::run(operation, state, frames, context, steps),
        OpKind::Aggregate(aggregation) => {
            aggregate::run(aggregation, state, frames, context, steps)
        }
        OpKind::Map(map, args) => map::run(*map, args, state, frames, context, steps),
        OpKind::Histogram(stat, operand) => {
            let block = frames.vector(*operand, steps.n)?;
            Ok(histogram::stat(*stat, block, state, context))
        }
        OpKind::Absent(operand, labels) => {
            let block = frames.vector(*operand, steps.n)?;
            Ok(other::absent(&block, labels, state))
        }
        OpKind::Info(call) => info::run(call, state, frames, context, steps),
        OpKind::Other(other, args) => {
            let call = other::OtherCall {
                function: *other,
                args,
                span: op.span,
            };
            other::run(&call, state, frames, context, steps)
        }
    }
}
