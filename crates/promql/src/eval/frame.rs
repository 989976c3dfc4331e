//! Intermediate results: columns of values, one per series.

use std::collections::HashMap;
use std::sync::Arc;

use firebell_model::{
    Histogram, HistogramSample, Labels, STALE_NAN, Sample, SampleValue, Timestamp, is_stale,
};

use super::{Renamed, Steps};
use crate::ast::StringLiteral;
use crate::error::{EvalError, execution};
use crate::value::{MatrixSeries, Value, VectorSample};

/// The value of a series at a step where it has none. Sources give this marker only for series that
/// ended, and those samples never get here; arithmetic makes other NaNs.
pub(crate) const ABSENT: f64 = STALE_NAN;

#[inline]
pub(crate) fn is_absent(value: f64) -> bool {
    is_stale(value)
}

/// The result of an operation.
pub(crate) enum Frame {
    /// A value per step.
    Scalar(Vec<f64>),
    String(StringLiteral),
    Vector(Block),
    Matrix(Vec<MatrixSeries>),
}

/// The label sets of a vector. Shared and compared by address: what an operation binds stays valid
/// for as long as its operands come with the same sets.
#[derive(Debug)]
pub(crate) struct SeriesSet {
    pub(crate) labels: Vec<Labels>,
    /// Whose metric name goes at the end of the query; empty when nobody's does.
    pub(crate) drops_name: Vec<bool>,
    /// Series that share their labels, as far as there are any.
    duplicates: Vec<Vec<u32>>,
}

impl SeriesSet {
    /// A set of labels that differ.
    pub(crate) fn unique(labels: Vec<Labels>) -> Arc<Self> {
        Arc::new(Self {
            labels,
            drops_name: Vec::new(),
            duplicates: Vec::new(),
        })
    }

    /// A set of labels some of which may be equal.
    pub(crate) fn new(labels: Vec<Labels>, drops_name: Vec<bool>) -> Arc<Self> {
        let duplicates = same(&labels);
        let drops_any = drops_name.contains(&true);
        Arc::new(Self {
            labels,
            drops_name: if drops_any { drops_name } else { Vec::new() },
            duplicates,
        })
    }

    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether all labels differ.
    pub(crate) fn is_unique(&self) -> bool {
        self.duplicates.is_empty()
    }

    pub(crate) fn drops_name(&self, idx: usize) -> bool {
        self.drops_name.get(idx).copied().unwrap_or(false)
    }
}

/// Groups of two or more equal label sets.
pub(crate) fn same(labels: &[Labels]) -> Vec<Vec<u32>> {
    let mut first: HashMap<&Labels, u32> = HashMap::with_capacity(labels.len());
    let mut group_of: HashMap<u32, usize> = HashMap::new();
    let mut groups: Vec<Vec<u32>> = Vec::new();
    for (idx, labels) in labels.iter().enumerate() {
        let idx = idx as u32;
        let Some(&known) = first.get(labels) else {
            first.insert(labels, idx);
            continue;
        };
        let group = *group_of.entry(known).or_insert_with(|| {
            groups.push(vec![known]);
            groups.len() - 1
        });
        groups[group].push(idx);
    }
    groups
}

/// Values of which most are floats.
///
/// A place holds a histogram when the table of these has one for it and the value is not
/// [`ABSENT`]: whoever takes a value away need not look into the table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cells {
    pub(crate) values: Vec<f64>,
    /// Empty without histograms, and no longer than it has to be.
    histograms: Vec<Option<Arc<Histogram>>>,
}

/// One value.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cell<'a> {
    Absent,
    Float(f64),
    Histogram(&'a Arc<Histogram>),
}

impl Cells {
    pub(crate) fn with_capacity(n: usize) -> Self {
        Self::from(Vec::with_capacity(n))
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn push_value(&mut self, value: Option<SampleValue>) {
        self.values.push(ABSENT);
        self.set(self.values.len() - 1, value);
    }

    /// Whether there may be histograms.
    #[inline]
    pub(crate) fn has_histograms(&self) -> bool {
        !self.histograms.is_empty()
    }

    /// The histogram at a place, if there is one.
    #[inline]
    pub(crate) fn histogram(&self, idx: usize) -> Option<&Arc<Histogram>> {
        let histogram = self.histograms.get(idx)?.as_ref();
        histogram.filter(|_| !is_absent(self.values[idx]))
    }

    pub(crate) fn cell(&self, idx: usize) -> Cell<'_> {
        match (self.values[idx], self.histogram(idx)) {
            (_, Some(histogram)) => Cell::Histogram(histogram),
            (value, None) if is_absent(value) => Cell::Absent,
            (value, None) => Cell::Float(value),
        }
    }

    /// Puts a value in place of another one.
    pub(crate) fn set(&mut self, idx: usize, value: Option<SampleValue>) {
        self.values[idx] = match value {
            None => ABSENT,
            Some(SampleValue::Float(value)) => {
                if let Some(slot) = self.histograms.get_mut(idx) {
                    *slot = None;
                }
                value
            }
            Some(SampleValue::Histogram(histogram)) => {
                if self.histograms.len() <= idx {
                    self.histograms.resize(idx + 1, None);
                }
                self.histograms[idx] = Some(histogram);
                // Any number but the marker of absence would do.
                f64::NAN
            }
        };
    }

    /// What is at a place; nothing is there afterwards.
    fn take(&mut self, idx: usize) -> Option<SampleValue> {
        let taken = match self.cell(idx) {
            Cell::Absent => None,
            Cell::Float(value) => Some(SampleValue::Float(value)),
            Cell::Histogram(histogram) => Some(SampleValue::Histogram(Arc::clone(histogram))),
        };
        self.values[idx] = ABSENT;
        taken
    }

    /// Takes all histograms away.
    pub(crate) fn drop_histograms(&mut self) {
        let all = std::mem::take(&mut self.histograms);
        for (value, histogram) in self.values.iter_mut().zip(&all) {
            if histogram.is_some() {
                *value = ABSENT;
            }
        }
    }

    /// Changes each histogram; `None` takes it away.
    pub(crate) fn map_histograms(
        &mut self,
        mut change: impl FnMut(usize, &Histogram) -> Option<Histogram>,
    ) {
        for (idx, slot) in self.histograms.iter_mut().enumerate() {
            if let Some(histogram) = slot
                && !is_absent(self.values[idx])
            {
                match change(idx, histogram) {
                    Some(changed) => *histogram = Arc::new(changed),
                    None => self.values[idx] = ABSENT,
                }
            }
        }
    }

    /// These values and others after them.
    pub(crate) fn append(&mut self, other: Self) {
        if other.has_histograms() {
            self.histograms.resize(self.values.len(), None);
            self.histograms.extend(other.histograms);
        }
        self.values.extend(other.values);
    }
}

impl From<Vec<f64>> for Cells {
    fn from(values: Vec<f64>) -> Self {
        Self {
            values,
            histograms: Vec::new(),
        }
    }
}

/// A vector over some steps: the values of series `i` are `values[i * n_steps..][..n_steps]`.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    pub(crate) set: Arc<SeriesSet>,
    pub(crate) n_steps: usize,
    pub(crate) cells: Cells,
    /// The order of an instant vector when it is not that of the set.
    pub(crate) order: Option<Vec<u32>>,
}

impl Block {
    pub(crate) fn new(set: Arc<SeriesSet>, n_steps: usize, cells: impl Into<Cells>) -> Self {
        let cells = cells.into();
        debug_assert_eq!(set.len() * n_steps, cells.len());
        Self {
            set,
            n_steps,
            cells,
            order: None,
        }
    }

    pub(crate) fn empty(n_steps: usize) -> Self {
        Self::new(SeriesSet::unique(Vec::new()), n_steps, Cells::default())
    }

    pub(crate) fn row(&self, idx: usize) -> &[f64] {
        &self.cells.values[idx * self.n_steps..][..self.n_steps]
    }

    pub(crate) fn get(&self, idx: usize, step: usize) -> f64 {
        self.cells.values[idx * self.n_steps + step]
    }

    pub(crate) fn cell(&self, idx: usize, step: usize) -> Cell<'_> {
        self.cells.cell(idx * self.n_steps + step)
    }

    pub(crate) fn histogram(&self, idx: usize, step: usize) -> Option<&Arc<Histogram>> {
        self.cells.histogram(idx * self.n_steps + step)
    }

    pub(crate) fn has_histograms(&self) -> bool {
        self.cells.has_histograms()
    }

    /// The same over `n` steps, when it was one value for all of them; `room` is how many values
    /// it may have then.
    pub(crate) fn broadcast(mut self, n: usize, room: usize) -> Result<Self, EvalError> {
        if self.n_steps == n {
            return Ok(self);
        }
        if self.cells.len().saturating_mul(n) > room {
            return Err(EvalError::TooManySamples);
        }
        let cells = std::mem::take(&mut self.cells);
        let values = cells.values.iter();
        let histograms = cells.histograms.into_iter();
        self.cells = Cells {
            values: values
                .flat_map(|&value| std::iter::repeat_n(value, n))
                .collect(),
            histograms: histograms
                .flat_map(|histogram| std::iter::repeat_n(histogram, n))
                .collect(),
        };
        self.n_steps = n;
        Ok(self)
    }

    /// Refuses two series with the same labels at one step.
    pub(crate) fn check_duplicates(&self) -> Result<(), EvalError> {
        for group in &self.set.duplicates {
            for step in 0..self.n_steps {
                if count_present(self, group, step) > 1 {
                    return execution("vector cannot contain metrics with the same labelset");
                }
            }
        }
        Ok(())
    }

    /// Series with the same labels as one series. They never share a step; where windows go over
    /// steps, they are one.
    pub(crate) fn joined(mut self) -> Self {
        if self.set.duplicates.is_empty() {
            return self;
        }
        let mut is_taken = vec![false; self.set.len()];
        for group in &self.set.duplicates {
            let first = group[0] as usize * self.n_steps;
            for &row in &group[1..] {
                is_taken[row as usize] = true;
                let row = row as usize * self.n_steps;
                for step in 0..self.n_steps {
                    if let Some(value) = self.cells.take(row + step) {
                        self.cells.set(first + step, Some(value));
                    }
                }
            }
        }
        let kept: Vec<usize> = (0..self.set.len()).filter(|&row| !is_taken[row]).collect();
        let mut cells = Cells::with_capacity(kept.len() * self.n_steps);
        for row in kept.iter().map(|row| row * self.n_steps) {
            for idx in row..row + self.n_steps {
                cells.push_value(self.cells.take(idx));
            }
        }
        let labels = kept.iter().map(|&row| self.set.labels[row].clone());
        let drops = kept.iter().map(|&row| self.set.drops_name(row));
        let set = SeriesSet::new(labels.collect(), drops.collect());
        Self::new(set, self.n_steps, cells)
    }

    /// The values of a series, with their moments.
    pub(crate) fn read(
        &self,
        row: usize,
        steps: &Steps,
        samples: &mut Vec<Sample>,
        histograms: &mut Vec<HistogramSample>,
    ) {
        for (step, &value) in self.row(row).iter().enumerate() {
            if is_absent(value) {
                continue;
            }
            let at = steps.at(step);
            match self.histogram(row, step) {
                None => samples.push(Sample { at, value }),
                Some(histogram) => histograms.push(HistogramSample {
                    at,
                    histogram: Arc::clone(histogram),
                }),
            }
        }
    }

    /// The series that have a value at a step, in order.
    pub(crate) fn present(&self, step: usize) -> Vec<u32> {
        let all: Box<dyn Iterator<Item = u32>> = match &self.order {
            Some(order) => Box::new(order.iter().copied()),
            None => Box::new(0..self.set.len() as u32),
        };
        all.filter(|&idx| !is_absent(self.get(idx as usize, step)))
            .collect()
    }
}

pub(crate) fn count_present(block: &Block, rows: &[u32], step: usize) -> usize {
    let is_present = |row: &&u32| !is_absent(block.get(**row as usize, step));
    rows.iter().filter(is_present).count()
}

pub(crate) fn broadcast(column: Vec<f64>, n: usize) -> Vec<f64> {
    if column.len() == n {
        return column;
    }
    vec![column[0]; n]
}

/// Labels without the metric name, at once or marked to lose it at the end.
pub(crate) fn without_names(set: &Arc<SeriesSet>, delays: bool) -> Arc<SeriesSet> {
    if delays {
        return SeriesSet::new(set.labels.clone(), vec![true; set.len()]);
    }
    let labels = set.labels.iter().map(Labels::without_metric_name);
    SeriesSet::new(labels.collect(), Vec::new())
}

/// Takes away the metric names that were to go at the end.
pub(crate) fn resolve_names(
    mut block: Block,
    bound: &mut Option<Renamed>,
) -> Result<Block, EvalError> {
    if block.set.drops_name.is_empty() {
        return Ok(block);
    }
    let renamed = match bound.take() {
        Some(renamed) if Arc::ptr_eq(&renamed.from, &block.set) => renamed,
        _ => {
            let labels = block.set.labels.iter().enumerate();
            let labels = labels.map(|(idx, labels)| {
                if block.set.drops_name(idx) {
                    labels.without_metric_name()
                } else {
                    labels.clone()
                }
            });
            Renamed {
                from: Arc::clone(&block.set),
                to: SeriesSet::new(labels.collect(), Vec::new()),
            }
        }
    };
    block.set = Arc::clone(&renamed.to);
    *bound = Some(renamed);
    block.check_duplicates()?;
    Ok(block)
}

impl Frame {
    /// The result of an instant query.
    pub(crate) fn into_instant(self, at: Timestamp) -> Value {
        match self {
            Self::Scalar(column) => Value::Scalar(column[0]),
            Self::String(string) => Value::String(string.value),
            Self::Matrix(series) => Value::Matrix(series),
            Self::Vector(block) => {
                let sample = |idx: u32| VectorSample {
                    labels: block.set.labels[idx as usize].clone(),
                    at,
                    value: match block.histogram(idx as usize, 0) {
                        Some(histogram) => SampleValue::Histogram(Arc::clone(histogram)),
                        None => SampleValue::Float(block.get(idx as usize, 0)),
                    },
                };
                Value::Vector(block.present(0).into_iter().map(sample).collect())
            }
        }
    }
}
