//! Series that are gathered piece by piece, until they are written together.

use std::collections::HashMap;
use std::convert::Infallible;

use firebell_model::{HistogramSample, Labels, Sample, Timestamp};
use firebell_tsdb::{Store, StoreError};

use crate::importer::Report;

/// Samples by series.
#[derive(Default)]
pub(crate) struct Gathered {
    /// By what a line says up to the value.
    places: HashMap<Box<str>, usize>,
    series: Vec<Series>,
    bytes: usize,
}

struct Series {
    labels: Labels,
    samples: Vec<Sample>,
    histograms: Vec<HistogramSample>,
}

impl Gathered {
    /// Adds a sample; `labels` are asked for when the series is new.
    pub(crate) fn push<E>(
        &mut self,
        text: &str,
        labels: impl FnOnce() -> Result<Labels, E>,
        sample: Sample,
    ) -> Result<(), E> {
        self.series(text, labels)?.samples.push(sample);
        self.bytes += size_of::<Sample>();
        Ok(())
    }

    /// Adds samples and native histograms of one series.
    pub(crate) fn extend(
        &mut self,
        labels: &Labels,
        samples: &[Sample],
        histograms: &[HistogramSample],
    ) {
        let known = self.series(&labels.to_string(), || Ok::<_, Infallible>(labels.clone()));
        let Ok(series) = known;
        series.samples.extend_from_slice(samples);
        series.histograms.extend_from_slice(histograms);
        let n_buckets = |it: &HistogramSample| {
            it.histogram.positive.counts.len() + it.histogram.negative.counts.len()
        };
        let n_buckets: usize = histograms.iter().map(n_buckets).sum();
        self.bytes += size_of_val(samples) + n_buckets * size_of::<f64>();
        self.bytes += histograms.len() * HISTOGRAM_BYTES;
    }

    fn series<E>(
        &mut self,
        text: &str,
        labels: impl FnOnce() -> Result<Labels, E>,
    ) -> Result<&mut Series, E> {
        let place = match self.places.get(text) {
            Some(&place) => place,
            None => {
                self.series.push(Series {
                    labels: labels()?,
                    samples: Vec::new(),
                    histograms: Vec::new(),
                });
                self.bytes += 2 * text.len() + SERIES_BYTES;
                self.places.insert(text.into(), self.series.len() - 1);
                self.series.len() - 1
            }
        };
        Ok(&mut self.series[place])
    }

    /// What is gathered takes about so much memory.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes all up to `latest` to the store, durably, and forgets it.
    pub(crate) fn write(
        &mut self,
        store: &Store,
        (source, latest): (&str, Timestamp),
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let mut all = std::mem::take(self).series;
        // Two texts may spell one series.
        all.sort_by(|a, b| a.labels.cmp(&b.labels));
        all.dedup_by(|next, so_far| {
            let is_same = next.labels == so_far.labels;
            if is_same {
                so_far.samples.append(&mut next.samples);
                so_far.histograms.append(&mut next.histograms);
            }
            is_same
        });
        let mut file = store.backfill()?;
        for series in all {
            let Series {
                labels,
                mut samples,
                mut histograms,
            } = series;
            report.known += in_order(&mut samples, |it| it.at);
            report.known += in_order(&mut histograms, |it| it.at);
            report.cut_ahead(source, &labels, &mut samples, |it| it.at, latest);
            report.cut_ahead(source, &labels, &mut histograms, |it| it.at, latest);
            report.series += 1;
            let ends = [samples.first(), samples.last()];
            report.stretch(ends.into_iter().flatten().map(|sample| sample.at));
            let ends = [histograms.first(), histograms.last()];
            report.stretch(ends.into_iter().flatten().map(|it| it.at));
            report.add(source, &labels, file.push(&labels, &samples)?);
            if !histograms.is_empty() {
                report.add(source, &labels, file.push_histograms(&labels, &histograms)?);
            }
        }
        file.finish()
    }
}

/// Puts what came in any order in order of time, each time once; returns how many that leaves out.
fn in_order<T>(all: &mut Vec<T>, at: impl Fn(&T) -> Timestamp) -> u64 {
    if all.is_sorted_by(|a, b| at(a) < at(b)) {
        return 0;
    }
    let n = all.len();
    all.sort_by_key(|it| at(it));
    all.dedup_by_key(|it| at(it));
    (n - all.len()) as u64
}

/// What a series costs besides its texts and samples.
const SERIES_BYTES: usize = 200;
/// What a native histogram costs besides its buckets.
const HISTOGRAM_BYTES: usize = 250;
