//! What all ways in have in common once a body is read: what is good is stored, what is not is
//! named and counted.

use std::collections::HashMap;

use firebell_model::{Exemplar, Histogram, HistogramSample, Labels, Sample, Timestamp};
use firebell_tsdb::{AppendReport, Batch, SeriesKey, Store, StoreError};

use super::App;

/// What a request holds, on its way to the store.
#[derive(Default)]
pub(super) struct Intake {
    pub batch: Batch,
    problems: Vec<String>,
    n_problems: u64,
    n_samples: u64,
    n_histograms: u64,
    /// The newest of series of which it was said when they began.
    begun: HashMap<Labels, Timestamp>,
}

/// What became of a request.
pub(super) struct Stored {
    /// Samples that are in the store now.
    pub samples: u64,
    /// Native histograms that are.
    pub histograms: u64,
    /// Exemplars that are.
    pub exemplars: u64,
    /// Samples and histograms that are not.
    pub refused: u64,
    /// What was refused and why, for the sender; empty when all is stored.
    pub problems: Vec<String>,
}

impl Intake {
    /// Takes what came for one series.
    pub(super) fn add(
        &mut self,
        series: impl Into<SeriesKey>,
        samples: &[Sample],
        histograms: &[HistogramSample],
        exemplars: &[Exemplar],
    ) {
        self.n_samples += samples.len() as u64;
        self.n_histograms += histograms.len() as u64;
        let series = series.into();
        if !self.begun.is_empty()
            && let SeriesKey::Labels(labels) = &series
            && let Some(newest) = self.begun.get_mut(labels)
        {
            let times = samples.iter().map(|it| it.at);
            let times = times.chain(histograms.iter().map(|it| it.at));
            *newest = times.fold(*newest, Timestamp::max);
        }
        for exemplar in exemplars {
            self.batch.add_exemplar(series.clone(), exemplar.clone());
        }
        self.batch.add_mixed(series, samples, histograms);
    }

    /// Takes when a series began, of which something later comes next: it was zero then, which is
    /// stored when nothing newer is known of the series. The sender is told nothing of it.
    pub(super) fn begin(
        &mut self,
        store: &Store,
        labels: Labels,
        at: Timestamp,
        empty: Option<Histogram>,
    ) {
        // A series may occur more than once in a request.
        let before = self.begun.get(&labels).copied();
        let series = SeriesKey::from(labels.clone());
        let newest = before.or_else(|| store.newest(&series));
        if newest.is_some_and(|newest| newest >= at) {
            return;
        }
        self.begun.insert(labels, at);
        match empty {
            None => self.batch.add(series, &[Sample { at, value: 0.0 }]),
            Some(empty) => {
                let histogram = empty.into();
                let zero = HistogramSample { at, histogram };
                self.batch.add_histograms(series, [zero]);
            }
        }
    }

    /// Notes something that cannot be stored.
    pub(super) fn refuse(&mut self, why: String) {
        self.n_problems += 1;
        if self.problems.len() < PROBLEMS_SHOWN {
            self.problems.push(why);
        }
    }

    /// Stores what was taken.
    ///
    /// # Errors
    /// When the store can take nothing, or cannot make it durable; the sender should try again.
    pub(super) fn store(mut self, app: &App) -> Result<Stored, StoreError> {
        self.batch.arrive(app.clock.now());
        let report = app.store.append(&self.batch)?;
        app.metrics.count_append(&report);
        // What is answered for is durable; requests at the same time share the wait. What a full
        // disk has not taken waits in memory, is written later and needs no sender to come again;
        // what the disk took and then could not make durable may be lost for good.
        if let Err(error) = app.store.sync()
            && app.store.trouble().is_none()
        {
            return Err(error);
        }
        let hidden = self.n_problems - self.problems.len() as u64;
        if hidden > 0 {
            self.problems.push(format!("{hidden} more problems"));
        }
        self.problems.extend(refusals(&report));
        if report.over_limit > 0 {
            self.problems.push(app.store.too_many_series().to_string());
        }
        let refused = refused(&report);
        let samples_refused = refused.saturating_sub(report.histograms_refused);
        Ok(Stored {
            samples: self.n_samples.saturating_sub(samples_refused),
            histograms: self.n_histograms.saturating_sub(report.histograms_refused),
            exemplars: report.exemplars_appended,
            refused,
            problems: self.problems,
        })
    }
}

/// Samples and histograms that the store refused.
fn refused(report: &AppendReport) -> u64 {
    report.out_of_order
        + report.duplicate_different_value
        + report.too_old
        + report.too_far_ahead
        + report.unknown_series
        + report.over_limit
}

fn refusals(report: &AppendReport) -> impl Iterator<Item = String> {
    let reasons = [
        (report.out_of_order, "out of order sample"),
        (
            report.duplicate_different_value,
            "duplicate sample for timestamp",
        ),
        (report.too_old, "too old sample"),
        (
            report.too_far_ahead,
            "out of bounds: timestamp is too far in the future",
        ),
    ];
    let reasons = reasons.into_iter().filter(|(n, _)| *n > 0);
    reasons.map(|(n, what)| format!("{what} ({n} times)"))
}

/// Problems that an answer names.
const PROBLEMS_SHOWN: usize = 10;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use firebell_disk::MemoryDisk;
    use firebell_tsdb::Options;

    use super::*;

    /// As a relay has it that puts requests together.
    #[test]
    fn a_series_that_occurs_twice_in_a_request_begins_once() {
        let disk = Arc::new(MemoryDisk::default());
        let (store, _) = Store::open(disk, Options::default()).unwrap();
        let labels = Labels::from_pairs([("__name__", "x")]);
        let mut intake = Intake::default();
        for (began, at) in [(1_000, 5_000), (1_000, 6_000), (7_000, 8_000)] {
            let (at, value) = (Timestamp(at), 3.0);
            intake.begin(&store, labels.clone(), Timestamp(began), None);
            intake.add(labels.clone(), &[Sample { at, value }], &[], &[]);
        }
        let report = store.append(&intake.batch).unwrap();
        assert_eq!((report.appended, refused(&report)), (5, 0));
    }
}
