//! Operators between two operands; vectors find each other through bound match groups.
//!
//! *Sources*: Prometheus, `promql/engine.go`, `VectorBinop`, `VectorAnd`, `VectorOr`,
//! `VectorUnless`, `VectorscalarBinop`.

mod histograms;
mod pairs;
mod sets;

use std::collections::HashMap;

use firebell_model::{Labels, METRIC_NAME};

use super::frame::{ABSENT, Block, Frame, is_absent};
use super::{Context, Frames, State, Steps, map};
use crate::arithmetic::{apply, compare};
use crate::ast::{BinaryOp, Matching};
use crate::error::EvalError;
use crate::plan::BinaryOperation;

pub(crate) use pairs::Pairs;
pub(crate) use sets::SetGroups;

/// What an operator between vectors has bound.
pub(crate) enum MatchingState {
    Pairs(Pairs),
    Sets(SetGroups),
}

pub(crate) fn run(
    operation: &BinaryOperation,
    state: &mut State,
    frames: &mut Frames<'_>,
    context: &mut Context<'_>,
    steps: Steps,
) -> Result<Frame, EvalError> {
    let left = frames.take(operation.left);
    let right = frames.take(operation.right);
    let n = steps.n;
    match (left, right) {
        (Frame::Scalar(left), Frame::Scalar(right)) => {
            let mut left = super::frame::broadcast(left, n);
            let right = super::frame::broadcast(right, n);
            for (left, right) in left.iter_mut().zip(right) {
                *left = apply(operation.op, *left, right).unwrap_or(f64::NAN);
            }
            Ok(Frame::Scalar(left))
        }
        (Frame::Vector(vector), Frame::Scalar(scalar)) => {
            let (vector, scalar) = (
                vector.broadcast(n, frames.room)?,
                super::frame::broadcast(scalar, n),
            );
            Ok(with_scalar(
                operation, vector, &scalar, false, state, context,
            ))
        }
        (Frame::Scalar(scalar), Frame::Vector(vector)) => {
            let (vector, scalar) = (
                vector.broadcast(n, frames.room)?,
                super::frame::broadcast(scalar, n),
            );
            Ok(with_scalar(
                operation, vector, &scalar, true, state, context,
            ))
        }
        (Frame::Vector(left), Frame::Vector(right)) => {
            let (left, right) = (
                left.broadcast(n, frames.room)?,
                right.broadcast(n, frames.room)?,
            );
            if operation.op.is_set() {
                sets::run(operation, left, right, state)
            } else {
                pairs::run(operation, &left, &right, state, context)
            }
        }
        _ => unreachable!("the checker has seen scalars and vectors"),
    }
}

/// What an operator makes of two values that are there.
fn combine(operation: &BinaryOperation, left: f64, right: f64, kept: f64) -> f64 {
    match compare(operation.op, left, right) {
        Some(is_true) if operation.returns_bool => f64::from(is_true),
        Some(true) => kept,
        Some(false) => ABSENT,
        // Trimming is for native histograms: floats give nothing.
        None => apply(operation.op, left, right).unwrap_or(ABSENT),
    }
}

fn with_scalar(
    operation: &BinaryOperation,
    mut vector: Block,
    scalar: &[f64],
    is_swapped: bool,
    state: &mut State,
    context: &mut Context<'_>,
) -> Frame {
    let n = vector.n_steps;
    if vector.has_histograms() || operation.op.is_trim() {
        histograms::with_scalar(operation, &mut vector, scalar, is_swapped, context);
        return finish(operation, vector, state, context);
    }
    // A query of no steps has no values either.
    for row in vector.cells.values.chunks_exact_mut(n.max(1)) {
        for (value, &scalar) in row.iter_mut().zip(scalar) {
            if is_absent(*value) {
                continue;
            }
            let (left, right) = if is_swapped {
                (scalar, *value)
            } else {
                (*value, scalar)
            };
            *value = combine(operation, left, right, *value);
        }
    }
    finish(operation, vector, state, context)
}

fn finish(
    operation: &BinaryOperation,
    mut vector: Block,
    state: &mut State,
    context: &Context<'_>,
) -> Frame {
    if operation.op.drops_name() || operation.returns_bool {
        map::drop_names(&mut vector, state, context);
    }
    Frame::Vector(vector)
}

/// The labels that series of both sides have to share.
fn signature(matching: &Matching, labels: &Labels) -> Labels {
    let is_named = |name: &str| matching.labels.iter().any(|known| known == name);
    if matching.is_on {
        labels.filter(is_named)
    } else {
        labels.filter(|name| name != METRIC_NAME && !is_named(name))
    }
}

/// Groups of series of both sides that share their signature.
struct Groups {
    signatures: Vec<Labels>,
    left_of: Vec<u32>,
    right_of: Vec<u32>,
}

impl Groups {
    fn of(matching: &Matching, left: &[Labels], right: &[Labels]) -> Self {
        let mut known: HashMap<Labels, u32> = HashMap::new();
        let mut signatures = Vec::new();
        let mut group = |labels: &Labels| {
            *known
                .entry(signature(matching, labels))
                .or_insert_with_key(|signature| {
                    signatures.push(signature.clone());
                    signatures.len() as u32 - 1
                })
        };
        let left_of = left.iter().map(&mut group).collect();
        let right_of = right.iter().map(&mut group).collect();
        Self {
            signatures,
            left_of,
            right_of,
        }
    }
}

/// Whether any series of each group has a value, per step.
fn presence(block: &Block, group_of: &[u32], n_groups: usize) -> Vec<bool> {
    let n = block.n_steps;
    let mut seen = vec![false; n_groups * n];
    for (row, &group) in group_of.iter().enumerate() {
        let seen = &mut seen[group as usize * n..][..n];
        for (seen, &value) in seen.iter_mut().zip(block.row(row)) {
            *seen |= !is_absent(value);
        }
    }
    seen
}

/// Whether a result is about something else than its operand.
fn drops_name(op: BinaryOp, returns_bool: bool) -> bool {
    op.drops_name() || returns_bool
}
