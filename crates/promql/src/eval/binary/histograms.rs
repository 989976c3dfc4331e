//! Operators of which an operand is a native histogram.
//!
//! *Sources*: Prometheus, `promql/engine.go`, `vectorElemBinop`, `handleVectorBinopError`.

use std::sync::Arc;

use firebell_model::{Histogram, IncompatibleSchemas, Reconciled, ResetHint, SampleValue, Trim};

use crate::ast::BinaryOp;
use crate::eval::Context;
use crate::eval::frame::{Block, Cell};
use crate::eval::note::{Note, Operation};
use crate::plan::BinaryOperation;

/// What an operator gives: a value perhaps, and something to note perhaps.
pub(super) struct Combined {
    value: Option<SampleValue>,
    note: Option<Note>,
}

impl Combined {
    fn value(value: SampleValue) -> Self {
        Self {
            value: Some(value),
            note: None,
        }
    }

    fn nothing(note: Note) -> Self {
        Self {
            value: None,
            note: Some(note),
        }
    }

    fn histogram(histogram: Histogram) -> Self {
        Self::value(SampleValue::Histogram(Arc::new(histogram)))
    }
}

/// Applies an operator to two values that are there.
pub(super) fn combine(
    operation: &BinaryOperation,
    left: &SampleValue,
    right: &SampleValue,
) -> Combined {
    use SampleValue::{Float, Histogram};
    let op = operation.op;
    match (left, right) {
        (Float(a), Float(b)) if !op.is_trim() => {
            let value = super::combine(operation, *a, *b, *a);
            Combined {
                value: (!crate::eval::frame::is_absent(value)).then_some(Float(value)),
                note: None,
            }
        }
        (Float(factor), Histogram(it)) if op == BinaryOp::Mul => scaled(it, |it| it.scale(*factor)),
        (Histogram(it), Float(factor)) if op == BinaryOp::Mul => scaled(it, |it| it.scale(*factor)),
        (Histogram(it), Float(by)) if op == BinaryOp::Div => scaled(it, |it| it.divide(*by)),
        (Histogram(it), Float(at)) if op.is_trim() => {
            let trim = match op {
                BinaryOp::TrimUpper => Trim::Below,
                _ => Trim::Above,
            };
            let mut trimmed = (**it).clone();
            trimmed.trim(trim, *at);
            Combined::histogram(trimmed)
        }
        (Histogram(a), Histogram(b)) => match op {
            BinaryOp::Add => joined(a, op, Operation::Addition, |sum| sum.add(b)),
            BinaryOp::Sub => joined(a, op, Operation::Subtraction, |sum| {
                let reconciled = sum.sub(b);
                sum.reset_hint = ResetHint::Gauge;
                reconciled
            }),
            BinaryOp::Equal => compared(operation, left, a.is_same(b)),
            BinaryOp::NotEqual => compared(operation, left, !a.is_same(b)),
            _ => incompatible(op, left, right),
        },
        _ => incompatible(op, left, right),
    }
}

fn scaled(histogram: &Histogram, change: impl FnOnce(&mut Histogram)) -> Combined {
    let mut changed = histogram.clone();
    change(&mut changed);
    changed.compact();
    Combined::histogram(changed)
}

fn joined(
    left: &Histogram,
    op: BinaryOp,
    operation: Operation,
    join: impl FnOnce(&mut Histogram) -> Result<Reconciled, IncompatibleSchemas>,
) -> Combined {
    let mut result = left.clone();
    let Ok(reconciled) = join(&mut result) else {
        return Combined::nothing(Note::IncompatibleLayout(op.text()));
    };
    if reconciled.has_hint_conflict {
        return Combined::nothing(Note::ResetConflict(operation));
    }
    result.compact();
    Combined {
        note: reconciled
            .has_other_bounds
            .then_some(Note::OtherBounds(operation)),
        ..Combined::histogram(result)
    }
}

fn compared(operation: &BinaryOperation, left: &SampleValue, is_true: bool) -> Combined {
    if operation.returns_bool {
        return Combined::value(SampleValue::Float(f64::from(is_true)));
    }
    Combined {
        value: is_true.then(|| left.clone()),
        note: None,
    }
}

fn incompatible(op: BinaryOp, left: &SampleValue, right: &SampleValue) -> Combined {
    let kind = |value: &SampleValue| match value {
        SampleValue::Float(_) => "float",
        SampleValue::Histogram(_) => "histogram",
    };
    Combined::nothing(Note::IncompatibleTypes(kind(left), op.text(), kind(right)))
}

/// The last thing to note of each step: upstream forgets the ones before.
pub(super) struct LastNotes(Vec<Option<Note>>);

impl LastNotes {
    pub(super) fn new(n_steps: usize) -> Self {
        Self(vec![None; n_steps])
    }

    /// Keeps the note and gives the value.
    pub(super) fn take(&mut self, step: usize, combined: Combined) -> Option<SampleValue> {
        if combined.note.is_some() {
            self.0[step] = combined.note;
        }
        combined.value
    }

    pub(super) fn report(self, operation: &BinaryOperation, context: &mut Context<'_>) {
        for note in self.0.into_iter().flatten() {
            context.note(operation.span, &note);
        }
    }
}

/// Applies an operator to a vector and a scalar; the value of a comparison is that of the vector.
pub(super) fn with_scalar(
    operation: &BinaryOperation,
    vector: &mut Block,
    scalar: &[f64],
    is_swapped: bool,
    context: &mut Context<'_>,
) {
    let n = vector.n_steps;
    let mut notes = LastNotes::new(n);
    for idx in 0..vector.cells.len() {
        let own = match vector.cells.cell(idx) {
            Cell::Absent => continue,
            Cell::Float(value) => SampleValue::Float(value),
            Cell::Histogram(histogram) => SampleValue::Histogram(Arc::clone(histogram)),
        };
        let scalar = scalar[idx % n];
        let value = match own {
            SampleValue::Float(own) if !operation.op.is_trim() => {
                let (left, right) = if is_swapped {
                    (scalar, own)
                } else {
                    (own, scalar)
                };
                vector.cells.values[idx] = super::combine(operation, left, right, own);
                continue;
            }
            own => {
                let mut sides = [own, SampleValue::Float(scalar)];
                if is_swapped {
                    sides.reverse();
                }
                combine(operation, &sides[0], &sides[1])
            }
        };
        let value = notes.take(idx % n, value);
        vector.cells.set(idx, value);
    }
    notes.report(operation, context);
}
