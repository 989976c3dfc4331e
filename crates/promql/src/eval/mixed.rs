//! Series that have native histograms or start timestamps: read with all that they have side by side.
//!
//! *Invariants*: whoever has neither never comes here.

use std::sync::Arc;

use firebell_model::{
    Histogram, HistogramSample, ResetHint, Sample, SampleValue, SeriesId, Source, Start, TimeRange,
    Timestamp, is_stale,
};

use crate::error::EvalError;

/// The samples of one series in a range, both kinds in order of time.
#[derive(Default)]
pub(crate) struct Mixed {
    pub(crate) samples: Vec<Sample>,
    pub(crate) histograms: Vec<HistogramSample>,
    /// Since when those of them count that say so.
    pub(crate) starts: Vec<Start>,
}

impl Mixed {
    pub(crate) fn len(&self) -> usize {
        self.samples.len() + self.histograms.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn clear(&mut self) {
        self.samples.clear();
        self.histograms.clear();
        self.starts.clear();
    }

    /// Reads a series, stale markers included.
    pub(crate) fn read(
        &mut self,
        source: &dyn Source,
        id: SeriesId,
        range: TimeRange,
        skips_buckets: bool,
    ) -> Result<(), EvalError> {
        self.clear();
        if let Some(series) = source.series(id) {
            series.samples(range, &mut self.samples)?;
            series.histograms(range, &mut self.histograms)?;
            if series.has_starts() {
                series.starts(range, &mut self.starts)?;
            }
            if skips_buckets {
                leave_totals(&mut self.histograms);
            }
        }
        Ok(())
    }

    /// Forgets hints on resets: they speak of the sample before, which a subquery may have skipped.
    pub(crate) fn forget_hints(&mut self) {
        for sample in &mut self.histograms {
            let hint = sample.histogram.reset_hint;
            if !matches!(hint, ResetHint::Unknown | ResetHint::Gauge) {
                Arc::make_mut(&mut sample.histogram).reset_hint = ResetHint::Unknown;
            }
        }
    }

    pub(crate) fn drop_stale(&mut self) {
        self.samples.retain(|sample| !is_stale(sample.value));
        self.histograms.retain(|it| !it.histogram.is_stale());
    }

    /// The part within a range, both ends of which lie behind those of the range before.
    pub(crate) fn window<'a>(
        &'a self,
        range: TimeRange,
        ends: &mut [(usize, usize); 2],
    ) -> Part<'a> {
        let [(start, end), (h_start, h_end)] = ends;
        slide(&self.samples, |it| it.at, range, start, end);
        slide(&self.histograms, |it| it.at, range, h_start, h_end);
        Part {
            samples: &self.samples[*start..*end],
            histograms: &self.histograms[*h_start..*h_end],
        }
    }
}

/// A part of the samples of a series.
#[derive(Clone, Copy)]
pub(crate) struct Part<'a> {
    pub(crate) samples: &'a [Sample],
    pub(crate) histograms: &'a [HistogramSample],
}

impl Part<'_> {
    /// The moment and the value of the latest sample.
    pub(crate) fn last(&self) -> Option<(Timestamp, SampleValue)> {
        match (self.samples.last(), self.histograms.last()) {
            (Some(sample), Some(it)) if it.at < sample.at => Some(of_float(sample)),
            (_, Some(it)) => Some(of_histogram(it)),
            (Some(sample), None) => Some(of_float(sample)),
            (None, None) => None,
        }
    }

    /// The moment and the value of the earliest sample.
    pub(crate) fn first(&self) -> Option<(Timestamp, SampleValue)> {
        match (self.samples.first(), self.histograms.first()) {
            (Some(sample), Some(it)) if sample.at < it.at => Some(of_float(sample)),
            (_, Some(it)) => Some(of_histogram(it)),
            (Some(sample), None) => Some(of_float(sample)),
            (None, None) => None,
        }
    }

    /// All samples in order of time.
    pub(crate) fn in_order(&self) -> Vec<(Timestamp, SampleValue)> {
        let floats = self.samples.iter().map(of_float);
        let mut all: Vec<_> = floats
            .chain(self.histograms.iter().map(of_histogram))
            .collect();
        all.sort_by_key(|(at, _)| *at);
        all
    }
}

fn of_float(sample: &Sample) -> (Timestamp, SampleValue) {
    (sample.at, SampleValue::Float(sample.value))
}

fn of_histogram(sample: &HistogramSample) -> (Timestamp, SampleValue) {
    let histogram = Arc::clone(&sample.histogram);
    (sample.at, SampleValue::Histogram(histogram))
}

/// Moves both ends of a window on.
fn slide<T>(
    all: &[T],
    at: impl Fn(&T) -> Timestamp,
    range: TimeRange,
    start: &mut usize,
    end: &mut usize,
) {
    while all.get(*end).is_some_and(|it| at(it) <= range.until) {
        *end += 1;
    }
    while *start < *end && at(&all[*start]) <= range.after {
        *start += 1;
    }
}

/// Takes the buckets away from histograms of which only count and sum are wanted. Resets, which
/// could not be seen any more, are noted in the hints.
///
/// Source: Prometheus, `promql/histogram_stats_iterator.go`.
fn leave_totals(histograms: &mut [HistogramSample]) {
    let mut before: Option<Arc<Histogram>> = None;
    for sample in histograms {
        let whole = Arc::clone(&sample.histogram);
        let reset_hint = match (whole.reset_hint, &before) {
            (ResetHint::Unknown, Some(before)) if !whole.is_stale() => {
                if whole.is_reset_since(before) {
                    ResetHint::Reset
                } else {
                    ResetHint::NotReset
                }
            }
            (hint, _) => hint,
        };
        sample.histogram = Arc::new(Histogram {
            reset_hint,
            // Custom and exponential buckets are told apart all the same.
            schema: whole.schema,
            count: whole.count,
            sum: whole.sum,
            ..Histogram::default()
        });
        if !whole.is_stale() {
            before = Some(whole);
        }
    }
}
