//! Aggregations over series.
//!
//! *Sources*: Prometheus, `promql/engine.go`, `aggregation`, `aggregationK`, `aggregationCountValues`.

mod histograms;

use std::collections::HashMap;
use std::sync::Arc;

use firebell_model::{Labels, METRIC_NAME, format_float, format_float_general};

use super::frame::{ABSENT, Block, Frame, SeriesSet, is_absent};
use super::note::Note;
use super::ratio::is_sampled;
use super::top::keep_top;
use super::{Context, Frames, State, Steps};
use crate::arithmetic::{Mean, Sum, quantile};
use crate::ast::{AggregateOp, Span};
use crate::error::{EvalError, execution};
use crate::plan::Aggregation;
pub(crate) use histograms::Hints;

/// Which series belong to which group.
pub(crate) struct Grouping {
    from: Arc<SeriesSet>,
    to: Arc<SeriesSet>,
    /// The group of each series.
    group_of: Vec<u32>,
    /// The series of each group.
    members: Vec<Vec<u32>>,
}

pub(crate) fn run(
    aggregation: &Aggregation,
    state: &mut State,
    frames: &mut Frames<'_>,
    context: &mut Context<'_>,
    steps: Steps,
) -> Result<Frame, EvalError> {
    let mut block = frames.vector(aggregation.operand, steps.n)?;
    if aggregation.op == AggregateOp::CountValues {
        return count_values(aggregation, &block, frames, context);
    }
    let param = aggregation
        .param
        .map(|param| frames.scalar(param, steps.n))
        .unwrap_or_default();
    // When nothing stays anyway, nothing is looked at.
    let is_top = matches!(aggregation.op, AggregateOp::Topk | AggregateOp::Bottomk);
    let keeps_none = is_top && param.iter().all(|&k| k < 1.0);
    if keeps_none {
        block.cells.drop_histograms();
    } else if ignores_histograms(aggregation.op) {
        let span = aggregation.ignored_span;
        histograms::ignore(aggregation.op, &mut block, span, context);
    }
    let grouping = bind(aggregation, &block, state);
    if aggregation.op == AggregateOp::LimitRatio {
        check_ratio(&param, aggregation.param_span, context);
    }
    if aggregation.op.keeps_series() {
        return keep(aggregation, grouping, block, &param);
    }
    if block.has_histograms() && matches!(aggregation.op, AggregateOp::Sum | AggregateOp::Avg) {
        let span = aggregation.operand_span;
        let cells = histograms::add_up(aggregation.op, &block, grouping, span, context);
        let set = Arc::clone(&grouping.to);
        return Ok(Frame::Vector(Block::new(set, steps.n, cells)));
    }
    let values = match aggregation.op {
        AggregateOp::Sum => fold::<Sums>(&block, grouping),
        AggregateOp::Avg => fold::<Mean>(&block, grouping),
        AggregateOp::Count => fold::<Count>(&block, grouping),
        AggregateOp::Group => fold::<Group>(&block, grouping),
        AggregateOp::Min => fold::<Min>(&block, grouping),
        AggregateOp::Max => fold::<Max>(&block, grouping),
        AggregateOp::Stddev => fold::<Stddev>(&block, grouping),
        AggregateOp::Stdvar => fold::<Stdvar>(&block, grouping),
        _ => quantiles(&block, grouping, &param, aggregation.param_span, context),
    };
    let set = Arc::clone(&grouping.to);
    Ok(Frame::Vector(Block::new(set, steps.n, values)))
}

/// Whether an aggregation is for floats only.
fn ignores_histograms(op: AggregateOp) -> bool {
    !matches!(
        op,
        AggregateOp::Sum
            | AggregateOp::Avg
            | AggregateOp::Count
            | AggregateOp::Group
            | AggregateOp::CountValues
            | AggregateOp::Limitk
            | AggregateOp::LimitRatio
    )
}

/// The labels of the group of a series.
fn group_labels(aggregation: &Aggregation, labels: &Labels) -> Labels {
    let is_named = |name: &str| {
        let found = aggregation
            .grouping
            .binary_search_by(|known| known.as_str().cmp(name));
        found.is_ok()
    };
    if aggregation.is_without {
        labels.filter(|name| name != METRIC_NAME && !is_named(name))
    } else {
        labels.filter(is_named)
    }
}

fn bind<'a>(aggregation: &Aggregation, block: &Block, state: &'a mut State) -> &'a Grouping {
    let is_bound = matches!(
        state, State::Grouping(grouping) if Arc::ptr_eq(&grouping.from, &block.set)
    );
    if !is_bound {
        let mut group_by: HashMap<Labels, u32> = HashMap::new();
        let (mut all, mut drops_name) = (Vec::new(), Vec::new());
        let mut members: Vec<Vec<u32>> = Vec::new();
        let mut group_of = Vec::with_capacity(block.set.len());
        for (idx, labels) in block.set.labels.iter().enumerate() {
            let labels = group_labels(aggregation, labels);
            let group = *group_by.entry(labels).or_insert_with_key(|labels| {
                all.push(labels.clone());
                drops_name.push(false);
                members.push(Vec::new());
                members.len() as u32 - 1
            });
            group_of.push(group);
            // One that loses its name is enough: what the group is called depends on no order.
            drops_name[group as usize] |= block.set.drops_name(idx);
            members[group as usize].push(idx as u32);
        }
        *state = State::Grouping(Grouping {
            from: Arc::clone(&block.set),
            to: SeriesSet::new(all, drops_name),
            group_of,
            members,
        });
    }
    let State::Grouping(grouping) = state else {
        unreachable!("it has just been bound");
    };
    grouping
}

/// What an aggregation gathers of one group at one step.
trait Gather: Clone + Default {
    fn add(&mut self, value: f64);
    /// The result, when anything was added.
    fn finish(&self) -> Option<f64>;
}

fn fold<G: Gather>(block: &Block, grouping: &Grouping) -> Vec<f64> {
    let n = block.n_steps;
    let mut gathered = vec![G::default(); grouping.members.len() * n];
    for (row, &group) in grouping.group_of.iter().enumerate() {
        let group = &mut gathered[group as usize * n..][..n];
        for (group, &value) in group.iter_mut().zip(block.row(row)) {
            if !is_absent(value) {
                group.add(value);
            }
        }
    }
    let results = gathered.iter().map(Gather::finish);
    results.map(|it| it.unwrap_or(ABSENT)).collect()
}

#[derive(Clone, Default)]
struct Sums {
    sum: Sum,
    is_some: bool,
}

impl Gather for Sums {
    fn add(&mut self, value: f64) {
        if self.is_some {
            self.sum.add(value);
        } else {
            (self.sum.sum, self.is_some) = (value, true);
        }
    }

    fn finish(&self) -> Option<f64> {
        self.is_some.then_some(self.sum.sum + self.sum.lost)
    }
}

impl Gather for Mean {
    fn add(&mut self, value: f64) {
        Self::add(self, value);
    }

    fn finish(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.value())
    }
}

#[derive(Clone, Default)]
struct Count(u64);

impl Gather for Count {
    fn add(&mut self, _value: f64) {
        self.0 += 1;
    }

    fn finish(&self) -> Option<f64> {
        (self.0 > 0).then_some(self.0 as f64)
    }
}

#[derive(Clone, Default)]
struct Group(bool);

impl Gather for Group {
    fn add(&mut self, _value: f64) {
        self.0 = true;
    }

    fn finish(&self) -> Option<f64> {
        self.0.then_some(1.0)
    }
}

#[derive(Clone, Default)]
struct Min(Option<f64>);

impl Gather for Min {
    fn add(&mut self, value: f64) {
        self.0 = Some(self.0.map_or(value, |known| known.min(value)));
    }

    fn finish(&self) -> Option<f64> {
        self.0
    }
}

#[derive(Clone, Default)]
struct Max(Option<f64>);

impl Gather for Max {
    fn add(&mut self, value: f64) {
        self.0 = Some(self.0.map_or(value, |known| known.max(value)));
    }

    fn finish(&self) -> Option<f64> {
        self.0
    }
}

/// Variance after Welford, without compensation, as upstream has it here.
#[derive(Clone, Default)]
struct Stdvar {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Gather for Stdvar {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.mean = value;
            self.squares = if value.is_finite() { 0.0 } else { f64::NAN };
            return;
        }
        let distance = value - self.mean;
        self.mean += distance / self.count;
        self.squares += distance * (value - self.mean);
    }

    fn finish(&self) -> Option<f64> {
        (self.count > 0.0).then(|| self.squares / self.count)
    }
}

#[derive(Clone, Default)]
struct Stddev(Stdvar);

impl Gather for Stddev {
    fn add(&mut self, value: f64) {
        self.0.add(value);
    }

    fn finish(&self) -> Option<f64> {
        self.0.finish().map(f64::sqrt)
    }
}

/// Warns of a quantile outside of 0 to 1.
pub(crate) fn check_quantile(q: f64, span: Span, context: &mut Context<'_>) {
    if !(0.0..=1.0).contains(&q) {
        context.note(span, &Note::InvalidQuantile(q));
    }
}

fn quantiles(
    block: &Block,
    grouping: &Grouping,
    param: &[f64],
    span: Span,
    context: &mut Context<'_>,
) -> Vec<f64> {
    // Upstream looks at the extremes only; a NaN among them hides both.
    let extremes = match param.iter().find(|q| q.is_nan()) {
        Some(&nan) => [nan, nan],
        None => [
            param.iter().copied().fold(f64::INFINITY, f64::min),
            param.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        ],
    };
    for q in extremes {
        check_quantile(q, span, context);
    }
    let mut results = Vec::with_capacity(grouping.members.len() * block.n_steps);
    let mut values = Vec::new();
    for members in &grouping.members {
        for (step, &q) in param.iter().enumerate() {
            values.clear();
            let all = members.iter().map(|&row| block.get(row as usize, step));
            values.extend(all.filter(|&value| !is_absent(value)));
            results.push(if values.is_empty() {
                ABSENT
            } else {
                quantile(q, &mut values)
            });
        }
    }
    results
}

/// `topk`, `bottomk`, `limitk`, `limit_ratio`: some of the series stay.
fn keep(
    aggregation: &Aggregation,
    grouping: &Grouping,
    mut block: Block,
    param: &[f64],
) -> Result<Frame, EvalError> {
    let n_steps = block.n_steps;
    let mut values = vec![ABSENT; block.cells.len()];
    let mut order = Vec::new();
    for (step, &param) in param.iter().enumerate() {
        let count = check_count(aggregation.op, param)?;
        for members in &grouping.members {
            let mut rows: Vec<u32> = members.clone();
            rows.retain(|&row| !is_absent(block.get(row as usize, step)));
            let is_topk = aggregation.op == AggregateOp::Topk;
            match aggregation.op {
                AggregateOp::Topk | AggregateOp::Bottomk => {
                    let value = |row: u32| block.get(row as usize, step);
                    keep_top(&mut rows, count, is_topk, value);
                }
                AggregateOp::Limitk => rows.truncate(count),
                _ => rows.retain(|&row| is_sampled(&block.set.labels[row as usize], param)),
            }
            for &row in &rows {
                let idx = row as usize * n_steps + step;
                values[idx] = block.cells.values[idx];
            }
            order.extend(rows);
        }
    }
    // Histograms whose place is empty now are not looked at any more.
    block.cells.values = values;
    if n_steps == 1 {
        block.order = Some(order);
    }
    Ok(Frame::Vector(block))
}

/// How many series may stay in a group.
fn check_count(op: AggregateOp, param: f64) -> Result<usize, EvalError> {
    if op == AggregateOp::LimitRatio {
        return if param.is_nan() {
            execution("Ratio value is NaN")
        } else {
            Ok(0)
        };
    }
    if param.is_nan() {
        return execution("Parameter value is NaN");
    }
    if param >= i64::MAX as f64 {
        let param = format_float_general(param);
        return execution(format!("Scalar value {param} overflows int64"));
    }
    if param <= i64::MIN as f64 {
        let param = format_float_general(param);
        return execution(format!("Scalar value {param} underflows int64"));
    }
    Ok(param.max(0.0) as usize)
}

/// Warns of ratios beyond -1 and 1, of each side by the farthest.
fn check_ratio(param: &[f64], span: Span, context: &mut Context<'_>) {
    let highest = param.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let lowest = param.iter().copied().fold(f64::INFINITY, f64::min);
    if highest > 1.0 {
        context.note(span, &Note::InvalidRatio(highest, 1.0));
    }
    if lowest < -1.0 {
        context.note(span, &Note::InvalidRatio(lowest, -1.0));
    }
}

/// `count_values`: its labels depend on the values, so that nothing can be bound.
fn count_values(
    aggregation: &Aggregation,
    block: &Block,
    frames: &mut Frames<'_>,
    context: &mut Context<'_>,
) -> Result<Frame, EvalError> {
    let Some(param) = aggregation.param else {
        unreachable!("the parser has seen a parameter");
    };
    let label = frames.string(param);
    if !label.is_label_name() {
        return execution(format!("invalid label name {label}"));
    }
    let mut row_of: HashMap<Labels, usize> = HashMap::new();
    let (mut all, mut values) = (Vec::new(), Vec::new());
    let n = block.n_steps;
    // A label that `without` names is gone, even when it is the new one.
    let is_removed = aggregation.is_without && aggregation.grouping.contains(&label.value);
    for (idx, labels) in block.set.labels.iter().enumerate() {
        if idx % 1024 == 0 {
            context.check_cancelled()?;
        }
        context.check_room(all.len() + 1, n)?;
        // The new label takes part in the grouping: `by (version)` keeps it.
        for (step, &value) in block.row(idx).iter().enumerate() {
            if is_absent(value) {
                continue;
            }
            let mut builder = group_labels(aggregation, labels).to_builder();
            let text = match block.histogram(idx, step) {
                Some(histogram) => histogram.to_string(),
                None => format_float(value),
            };
            builder.set(label.value.as_str(), text);
            let mut labels = builder.build();
            if is_removed {
                labels = group_labels(aggregation, &labels);
            }
            let row = *row_of.entry(labels).or_insert_with_key(|labels| {
                all.push(labels.clone());
                values.extend(std::iter::repeat_n(ABSENT, n));
                all.len() - 1
            });
            let count: &mut f64 = &mut values[row * n + step];
            *count = if is_absent(*count) { 1.0 } else { *count + 1.0 };
        }
    }
    let set = SeriesSet::unique(all);
    Ok(Frame::Vector(Block::new(set, n, values)))
}
