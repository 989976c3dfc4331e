//! Aggregations over vectors with native histograms: `sum` and `avg` add them up, most others
//! leave them out.
//!
//! *Sources*: Prometheus, `promql/engine.go`, `aggregation`.

use std::sync::Arc;

use firebell_model::{Histogram, IncompatibleSchemas, Reconciled, ResetHint, SampleValue};

use super::{Gather, Grouping, Sums};
use crate::arithmetic::{HistogramMean, Mean};
use crate::ast::{AggregateOp, Span};
use crate::eval::Context;
use crate::eval::frame::{Block, Cell, Cells};
use crate::eval::note::{Note, Operation};

/// Takes the histograms out of the operand of an aggregation that is not for them, and says so.
pub(super) fn ignore(op: AggregateOp, block: &mut Block, span: Span, context: &mut Context<'_>) {
    if block.has_histograms() {
        let is_any = (0..block.cells.len()).any(|idx| block.cells.histogram(idx).is_some());
        if is_any {
            context.note(span, &Note::IgnoredInAggregation(op.text()));
        }
        block.cells.drop_histograms();
    }
}

/// `sum` or `avg` of floats or of histograms, but of no mix.
pub(super) fn add_up(
    op: AggregateOp,
    block: &Block,
    grouping: &Grouping,
    span: Span,
    context: &mut Context<'_>,
) -> Cells {
    let n = block.n_steps;
    let mut cells = Cells::with_capacity(grouping.members.len() * n);
    for members in &grouping.members {
        for step in 0..n {
            let mut gathered = Gathered::default();
            for &row in members {
                match block.cell(row as usize, step) {
                    Cell::Absent => {}
                    Cell::Float(value) => gathered.add_float(value),
                    Cell::Histogram(histogram) => {
                        if let Err(note) = gathered.add_histogram(op, histogram) {
                            let name = block.set.labels[row as usize].metric_name();
                            context.note(
                                span,
                                &note.unwrap_or_else(|| Note::MixedSchemas(name.to_owned())),
                            );
                        }
                    }
                }
            }
            match gathered.finish(op) {
                Ok((value, has_conflict)) => {
                    if has_conflict {
                        context.note(span, &Note::ResetConflict(Operation::Aggregation));
                    }
                    cells.push_value(value);
                }
                Err(note) => {
                    context.note(span, &note);
                    cells.push_value(None);
                }
            }
        }
    }
    cells
}

/// What has been gathered of one group at one step.
#[derive(Default)]
struct Gathered {
    sum: Sums,
    mean: Mean,
    histograms: Option<HistogramMean>,
    has_float: bool,
    has_histogram: bool,
    is_incompatible: bool,
    hints: Hints,
}

/// The hints of histograms that are added up.
#[derive(Clone, Copy, Default)]
pub(crate) struct Hints {
    has_reset: bool,
    has_no_reset: bool,
}

impl Hints {
    pub(crate) fn see(&mut self, histogram: &Histogram) {
        self.has_reset |= histogram.reset_hint == ResetHint::Reset;
        self.has_no_reset |= histogram.reset_hint == ResetHint::NotReset;
    }

    pub(crate) fn is_conflict(self) -> bool {
        self.has_reset && self.has_no_reset
    }
}

impl Gathered {
    fn add_float(&mut self, value: f64) {
        if !self.is_incompatible {
            self.has_float = true;
            self.sum.add(value);
            Gather::add(&mut self.mean, value);
        }
    }

    /// # Errors
    /// What is to be noted; nothing when the schemas are incompatible.
    fn add_histogram(
        &mut self,
        op: AggregateOp,
        histogram: &Histogram,
    ) -> Result<(), Option<Note>> {
        if self.is_incompatible {
            return Ok(());
        }
        let is_first = !self.has_float && !self.has_histogram;
        self.has_histogram = true;
        if is_first {
            self.hints.see(histogram);
            self.histograms = Some(HistogramMean::of(histogram));
            return Ok(());
        }
        // After a float there is no result anyway.
        let Some(sum) = &mut self.histograms else {
            return Ok(());
        };
        self.hints.see(histogram);
        let added = match op {
            AggregateOp::Sum => sum.add_to_sum(histogram),
            _ => sum.add(histogram),
        };
        match added {
            Ok(Reconciled {
                has_other_bounds: true,
                ..
            }) => Err(Some(Note::OtherBounds(Operation::Aggregation))),
            Ok(_) => Ok(()),
            Err(IncompatibleSchemas) => {
                self.is_incompatible = true;
                Err(None)
            }
        }
    }

    /// The value, and whether the hints contradict each other.
    fn finish(self, op: AggregateOp) -> Result<(Option<SampleValue>, bool), Note> {
        if self.has_float && self.has_histogram {
            return Err(Note::MixedAggregation);
        }
        if self.is_incompatible {
            return Ok((None, false));
        }
        if let Some(sum) = self.histograms {
            let mut total = match op {
                AggregateOp::Sum => sum.sum(),
                _ => sum.mean(),
            };
            total.compact();
            let value = SampleValue::Histogram(Arc::new(total));
            return Ok((Some(value), self.hints.is_conflict()));
        }
        let value = match op {
            AggregateOp::Sum => self.sum.finish(),
            _ => Gather::finish(&self.mean),
        };
        Ok((value.map(SampleValue::Float), false))
    }
}
