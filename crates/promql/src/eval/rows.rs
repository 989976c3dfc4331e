//! The result of a range query, made series by series out of columns, so that a large one is never
//! held a second time.

use firebell_model::Labels;

use super::Steps;
use super::frame::{Block, Frame, SeriesSet, is_absent};
use crate::error::{EvalError, execution};
use crate::value::MatrixSeries;

/// The series of a result in order of labels, those without a value left out.
pub struct Rows {
    block: Block,
    steps: Steps,
    /// Rows of the block by their labels.
    order: Vec<usize>,
    next: usize,
}

impl Rows {
    pub(super) fn of(frame: Frame, steps: Steps) -> Result<Self, EvalError> {
        let block = match frame {
            Frame::Scalar(column) => {
                let set = SeriesSet::unique(vec![Labels::empty()]);
                Block::new(set, steps.n, column)
            }
            Frame::Vector(block) => block,
            Frame::String(_) | Frame::Matrix(_) => {
                return execution(
                    "invalid expression type for range query, must be Scalar or instant Vector",
                );
            }
        };
        let labels = &block.set.labels;
        let mut order: Vec<usize> = (0..labels.len()).collect();
        order.sort_by(|&a, &b| labels[a].cmp(&labels[b]));
        Ok(Self {
            block,
            steps,
            order,
            next: 0,
        })
    }

    /// How many series there are. Looks at every value.
    #[must_use]
    pub fn n_series(&self) -> usize {
        let labels = |&row: &usize| &self.block.set.labels[row];
        let has_value = |&&row: &&usize| !self.block.row(row).iter().all(|it| is_absent(*it));
        let mut all: Vec<&Labels> = self.order.iter().filter(has_value).map(labels).collect();
        all.dedup();
        all.len()
    }
}

impl Iterator for Rows {
    type Item = MatrixSeries;

    fn next(&mut self) -> Option<MatrixSeries> {
        loop {
            let first = self.next;
            let labels = &self.block.set.labels;
            let name = &labels[*self.order.get(first)?];
            let rest = &self.order[first..];
            let n_same = rest.partition_point(|&row| labels[row] <= *name);
            let (mut samples, mut histograms) = (Vec::new(), Vec::new());
            for &row in &rest[..n_same] {
                let (samples, histograms) = (&mut samples, &mut histograms);
                self.block.read(row, &self.steps, samples, histograms);
            }
            self.next += n_same;
            if samples.is_empty() && histograms.is_empty() {
                continue;
            }
            if n_same > 1 {
                // Equal labels never share a step: the check has seen to that.
                samples.sort_by_key(|sample| sample.at);
                histograms.sort_by_key(|sample| sample.at);
            }
            return Some(MatrixSeries {
                labels: name.clone(),
                samples,
                histograms,
            });
        }
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rows({} of {})", self.next, self.order.len())
    }
}
