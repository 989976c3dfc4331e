//! Arithmetic and comparison between vectors, one to one or many to one.

use std::sync::Arc;

use firebell_model::{Labels, Quoted, SampleValue};

use super::{Groups, MatchingState, combine, drops_name, histograms, presence};
use crate::ast::{Cardinality, Matching};
use crate::error::{EvalError, execution};
use crate::eval::frame::{ABSENT, Block, Cells, Frame, SeriesSet, is_absent, same};
use crate::eval::{Context, State};
use crate::plan::BinaryOperation;

/// The pairs of series that share a match group.
pub(crate) struct Pairs {
    left: Arc<SeriesSet>,
    right: Arc<SeriesSet>,
    to: Arc<SeriesSet>,
    /// Series of the "many" and of the "one" side, in the order of the results; `NONE` where a
    /// filled value stands in while the side has nothing in the match group.
    pairs: Vec<(u32, u32)>,
    /// The match groups of the series of both sides, kept for `fill` only.
    many_of: Vec<u32>,
    one_of: Vec<u32>,
    n_groups: usize,
    /// Groups with several series on the "one" side, of which one at most may have a value.
    crowded_ones: Vec<Vec<u32>>,
    /// One to one: groups with several series on the "many" side, and those on the other.
    crowded_manys: Vec<(Vec<u32>, Vec<u32>)>,
    /// Many to one: results with the same labels.
    clashes: Vec<Vec<u32>>,
}

const NONE: u32 = u32::MAX;
/// How many pairs of series a match may make.
const PAIRS_MAX: usize = 10_000_000;

pub(super) fn run(
    operation: &BinaryOperation,
    left: &Block,
    right: &Block,
    state: &mut State,
    context: &mut Context<'_>,
) -> Result<Frame, EvalError> {
    let is_swapped = operation.matching.cardinality == Cardinality::OneToMany;
    let (many, one) = if is_swapped {
        (right, left)
    } else {
        (left, right)
    };
    let pairs = bind(operation, many, one, state, context)?;
    check_ones(operation, pairs, many, one)?;
    let n = left.n_steps;
    for (manys, ones) in &pairs.crowded_manys {
        for step in 0..n {
            let present = |block: &Block, rows: &[u32]| {
                let is_there = |row: &&u32| !is_absent(block.get(**row as usize, step));
                rows.iter().filter(is_there).count()
            };
            if present(many, manys) > 1 && present(one, ones) > 0 {
                return execution(
                    "multiple matches for labels: many-to-one matching must be explicit \
                     (group_left/group_right)",
                );
            }
        }
    }
    context.check_room(pairs.pairs.len(), n)?;
    let cells = combine_pairs(operation, pairs, many, one, context);
    let block = Block::new(Arc::clone(&pairs.to), n, cells);
    for group in &pairs.clashes {
        for step in 0..n {
            if crate::eval::frame::count_present(&block, group, step) > 1 {
                return execution(
                    "multiple matches for labels: grouping labels must ensure unique matches",
                );
            }
        }
    }
    Ok(Frame::Vector(block))
}

fn combine_pairs(
    operation: &BinaryOperation,
    pairs: &Pairs,
    many: &Block,
    one: &Block,
    context: &mut Context<'_>,
) -> Cells {
    let n = many.n_steps;
    let (many_fill, one_fill) = fills(&operation.matching);
    let is_swapped = operation.matching.cardinality == Cardinality::OneToMany;
    let seen = |fill: Option<f64>, block: &Block, group_of: &[u32]| match fill {
        Some(_) => presence(block, group_of, pairs.n_groups),
        None => Vec::new(),
    };
    let many_seen = seen(many_fill, many, &pairs.many_of);
    let one_seen = seen(one_fill, one, &pairs.one_of);
    // The value that stands in for a side, unless that has one in the match group.
    let stand_in = |fill: Option<f64>, seen: &[bool], group: u32, step: usize| {
        let is_free = !seen[group as usize * n + step];
        fill.filter(|_| is_free).unwrap_or(ABSENT)
    };
    let float = |block: &Block, row: u32, step: usize, fill: f64| match row {
        NONE => fill,
        row => block.get(row as usize, step),
    };
    let has_others = many.has_histograms() || one.has_histograms() || operation.op.is_trim();
    let mut cells = Cells::from(Vec::with_capacity(pairs.pairs.len() * n));
    let mut last_notes = histograms::LastNotes::new(n);
    for &(many_row, one_row) in &pairs.pairs {
        for step in 0..n {
            let many_fill = match many_row {
                NONE => stand_in(many_fill, &many_seen, pairs.one_of[one_row as usize], step),
                _ => ABSENT,
            };
            let one_fill = match one_row {
                NONE => stand_in(one_fill, &one_seen, pairs.many_of[many_row as usize], step),
                _ => ABSENT,
            };
            let many_value = float(many, many_row, step, many_fill);
            let one_value = float(one, one_row, step, one_fill);
            if is_absent(many_value) || is_absent(one_value) {
                cells.values.push(ABSENT);
                continue;
            }
            if has_others {
                let cell = |block: &'_ Block, row: u32, value: f64| {
                    match row {
                        NONE => None,
                        row => block.histogram(row as usize, step).cloned(),
                    }
                    .map_or(SampleValue::Float(value), SampleValue::Histogram)
                };
                let mut sides = [
                    cell(many, many_row, many_value),
                    cell(one, one_row, one_value),
                ];
                if is_swapped {
                    sides.reverse();
                }
                let [left, right] = &sides;
                let value = histograms::combine(operation, left, right);
                cells.push_value(last_notes.take(step, value));
                continue;
            }
            let (left, right) = if is_swapped {
                (one_value, many_value)
            } else {
                (many_value, one_value)
            };
            cells.values.push(combine(operation, left, right, left));
        }
    }
    last_notes.report(operation, context);
    cells
}

/// What stands in on the "many" and on the "one" side. Upstream swaps the operands of `group_right`,
/// but not their fills: there `fill_left` is for the right operand, which its tests hold on to.
fn fills(matching: &Matching) -> (Option<f64>, Option<f64>) {
    (matching.fill_left, matching.fill_right)
}

/// Refuses two series with values in one match group on the "one" side.
fn check_ones(
    operation: &BinaryOperation,
    pairs: &Pairs,
    many: &Block,
    one: &Block,
) -> Result<(), EvalError> {
    let has_values = |step: usize| {
        let mut rows = 0..many.set.len();
        rows.any(|row| !is_absent(many.get(row, step)))
    };
    for group in &pairs.crowded_ones {
        for step in 0..one.n_steps {
            let is_there = |row: &&u32| !is_absent(one.get(**row as usize, step));
            let mut present = group.iter().filter(is_there);
            let (Some(&first), Some(&second)) = (present.next(), present.next()) else {
                continue;
            };
            if !has_values(step) {
                continue;
            }
            let mut twins = [first, second].map(|row| &one.set.labels[row as usize]);
            twins.sort();
            let side = match operation.matching.cardinality {
                Cardinality::OneToMany => "left",
                _ => "right",
            };
            let group = super::signature(&operation.matching, twins[0]);
            return execution(format!(
                "found duplicate series for the match group {} on the {side} hand-side of the \
                 operation: [{}, {}];many-to-many matching not allowed: matching labels must be \
                 unique on one side",
                Braces(&group),
                Braces(twins[0]),
                Braces(twins[1]),
            ));
        }
    }
    Ok(())
}

/// All labels within braces, the metric name among them, as upstream's errors show them.
struct Braces<'a>(&'a Labels);

impl std::fmt::Display for Braces<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("{")?;
        for (idx, label) in self.0.iter().enumerate() {
            let separator = if idx == 0 { "" } else { ", " };
            write!(f, "{separator}{}={}", label.name, Quoted(&label.value))?;
        }
        f.write_str("}")
    }
}

fn bind<'a>(
    operation: &BinaryOperation,
    many: &Block,
    one: &Block,
    state: &'a mut State,
    context: &Context<'_>,
) -> Result<&'a Pairs, EvalError> {
    let is_bound = matches!(
        state,
        State::Matching(MatchingState::Pairs(it))
            if Arc::ptr_eq(&it.left, &many.set) && Arc::ptr_eq(&it.right, &one.set)
    );
    if !is_bound {
        let delays = context.options.delays_name_removal;
        let pairs = pair_up(operation, many, one, delays)?;
        *state = State::Matching(MatchingState::Pairs(pairs));
    }
    let State::Matching(MatchingState::Pairs(pairs)) = state else {
        unreachable!("it has just been bound");
    };
    Ok(pairs)
}

fn pair_up(
    operation: &BinaryOperation,
    many: &Block,
    one: &Block,
    delays_name_removal: bool,
) -> Result<Pairs, EvalError> {
    let matching = &operation.matching;
    let groups = Groups::of(matching, &many.set.labels, &one.set.labels);
    let n_groups = groups.signatures.len();
    let mut ones = vec![Vec::new(); n_groups];
    for (row, &group) in groups.right_of.iter().enumerate() {
        ones[group as usize].push(row as u32);
    }
    let mut manys = vec![Vec::new(); n_groups];
    for (row, &group) in groups.left_of.iter().enumerate() {
        manys[group as usize].push(row as u32);
    }
    let (many_fill, one_fill) = fills(matching);
    let mut pairs = Vec::new();
    for (row, &group) in groups.left_of.iter().enumerate() {
        let ones = &ones[group as usize];
        if pairs.len() + ones.len() > PAIRS_MAX {
            return execution("vector matching makes too many pairs of series");
        }
        pairs.extend(ones.iter().map(|&one| (row as u32, one)));
        if one_fill.is_some() {
            pairs.push((row as u32, NONE));
        }
    }
    if many_fill.is_some() {
        pairs.extend((0..groups.right_of.len() as u32).map(|row| (NONE, row)));
    }
    let mut all = Vec::with_capacity(pairs.len());
    for &(many_row, one_row) in &pairs {
        let many = many.set.labels.get(many_row as usize);
        let one = one.set.labels.get(one_row as usize);
        all.push(result_labels(operation, many, one, delays_name_removal));
    }
    let is_one_to_one = matching.cardinality == Cardinality::OneToOne;
    let crowded = |rows: &&Vec<u32>| rows.len() > 1;
    let mut crowded_manys = Vec::new();
    if is_one_to_one {
        for (manys, ones) in manys.iter().zip(&ones) {
            if manys.len() > 1 && !ones.is_empty() {
                crowded_manys.push((manys.clone(), ones.clone()));
            }
        }
    }
    let clashes = if is_one_to_one {
        Vec::new()
    } else {
        same(&all)
    };
    let drops = if operation.returns_bool && delays_name_removal {
        vec![true; all.len()]
    } else {
        Vec::new()
    };
    Ok(Pairs {
        left: Arc::clone(&many.set),
        right: Arc::clone(&one.set),
        to: SeriesSet::new(all, drops),
        pairs,
        many_of: groups.left_of,
        one_of: groups.right_of,
        n_groups,
        crowded_ones: ones.iter().filter(crowded).cloned().collect(),
        crowded_manys,
        clashes,
    })
}

/// The labels of a result.
fn result_labels(
    operation: &BinaryOperation,
    many: Option<&Labels>,
    one: Option<&Labels>,
    delays_name_removal: bool,
) -> Labels {
    let matching = &operation.matching;
    // A filled side has the labels that both sides share.
    let from = match (many, one) {
        (Some(many), _) => many.clone(),
        (None, Some(one)) => super::signature(matching, one),
        (None, None) => Labels::empty(),
    };
    let drops_bool_name = operation.returns_bool && !delays_name_removal;
    let mut builder = if drops_name(operation.op, false) || drops_bool_name {
        from.without_metric_name().to_builder()
    } else {
        from.to_builder()
    };
    if matching.cardinality == Cardinality::OneToOne {
        let named = |name: &str| matching.labels.iter().any(|known| known == name);
        let labels = builder.build();
        return if matching.is_on {
            labels.filter(named)
        } else {
            labels.filter(|name| !named(name))
        };
    }
    for name in &matching.include {
        let value = one.map_or("", |one| one.value(name));
        builder.set(name.as_str(), value);
    }
    builder.build()
}
