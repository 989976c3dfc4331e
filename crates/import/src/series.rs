//! Series that are gathered from the lines of a text, until they are written together.

use std::collections::HashMap;

use firebell_model::{Labels, Sample};
use firebell_tsdb::{Store, StoreError};

use crate::importer::Report;

/// Samples by series.
#[derive(Default)]
pub(crate) struct Gathered {
    /// By what a line says up to the value.
    places: HashMap<Box<str>, usize>,
    series: Vec<(Labels, Vec<Sample>)>,
    bytes: usize,
}

impl Gathered {
    /// Adds a sample; `labels` are asked for when the series is new.
    pub(crate) fn push<E>(
        &mut self,
        text: &str,
        labels: impl FnOnce() -> Result<Labels, E>,
        sample: Sample,
    ) -> Result<(), E> {
        let place = match self.places.get(text) {
            Some(&place) => place,
            None => {
                self.series.push((labels()?, Vec::new()));
                self.bytes += 2 * text.len() + SERIES_BYTES;
                self.places.insert(text.into(), self.series.len() - 1);
                self.series.len() - 1
            }
        };
        self.series[place].1.push(sample);
        self.bytes += size_of::<Sample>();
        Ok(())
    }

    /// What is gathered takes about so much memory.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes all to the store, durably, and forgets it.
    pub(crate) fn write(
        &mut self,
        store: &Store,
        source: &str,
        report: &mut Report,
    ) -> Result<(), StoreError> {
        let mut all = std::mem::take(self).series;
        // Two texts may spell one series.
        all.sort_by(|a, b| a.0.cmp(&b.0));
        all.dedup_by(|next, so_far| {
            let is_same = next.0 == so_far.0;
            if is_same {
                so_far.1.append(&mut next.1);
            }
            is_same
        });
        let mut file = store.backfill()?;
        for (labels, mut samples) in all {
            if !samples.is_sorted_by(|a, b| a.at < b.at) {
                samples.sort_by_key(|sample| sample.at);
                let n = samples.len();
                samples.dedup_by_key(|sample| sample.at);
                report.known += (n - samples.len()) as u64;
            }
            report.series += 1;
            let ends = [samples.first(), samples.last()];
            report.stretch(ends.into_iter().flatten().map(|sample| sample.at));
            report.add(source, &labels, file.push(&labels, &samples)?);
        }
        file.finish()
    }
}

/// What a series costs besides its texts and samples.
const SERIES_BYTES: usize = 200;
