//! The seam between stores of series and those who read them.
//!
//! *Invariants*: a [`Source`] is an immutable view: two reads of it agree. Ranges are left-open,
//! `(after, until]`, as PromQL's windows are.

use std::sync::Arc;

use crate::{HistogramSample, Labels, Matcher, Sample, Start, Timestamp, is_stale};

/// Identity of a series within its store; never used again for other labels while the store lives.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SeriesId(pub u64);

/// Moments later than `after`, up to and including `until`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeRange {
    /// Exclusive lower end.
    pub after: Timestamp,
    /// Inclusive upper end.
    pub until: Timestamp,
}

impl TimeRange {
    /// Whether a moment lies in the range.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        self.after < at && at <= self.until
    }
}

/// A view of series at one moment.
pub trait Source: Send + Sync {
    /// The series that satisfy all matchers and may have samples in `range`, in order of labels.
    /// Within one generation, the answer holds for all ranges that begin no earlier.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn select(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<Arc<dyn Series>>, SourceError>;

    /// A number that changes whenever series come or go, so that bound plans know when to select
    /// anew. Views with the same generation answer [`Source::select`] with the same set of ids.
    fn generation(&self) -> u64;

    /// The series behind an id, or `None` when it is gone. Cheaper than selecting anew.
    fn series(&self, id: SeriesId) -> Option<Arc<dyn Series>>;

    /// Reads many series in one go: the latest float sample of each in `range`, a stale marker
    /// included. Whoever is gone has none.
    ///
    /// # Errors
    /// When a chunk cannot be read.
    fn latest(
        &self,
        ids: &[SeriesId],
        range: TimeRange,
        out: &mut Column<Option<Sample>>,
    ) -> Result<(), SourceError> {
        out.read(self, ids, |series| series.last_sample(range))
    }

    /// Reads many series in one go: how each has grown in `range`; see [`Growth`]. Costs no more
    /// for a long range than for a short one.
    ///
    /// # Errors
    /// When a chunk cannot be read.
    fn growths(
        &self,
        ids: &[SeriesId],
        range: TimeRange,
        out: &mut Column<Option<Growth>>,
    ) -> Result<(), SourceError> {
        out.read(self, ids, |series| {
            Ok(series.summary(range)?.map(|summary| Growth::from(&summary)))
        })
    }

    /// Reads many series in one go; see [`Series::summary`].
    ///
    /// # Errors
    /// When a chunk cannot be read.
    fn summaries(
        &self,
        ids: &[SeriesId],
        range: TimeRange,
        out: &mut Column<Option<Summary>>,
    ) -> Result<(), SourceError> {
        out.read(self, ids, |series| series.summary(range))
    }

    /// Reads many series in one go: the float samples of each in `range`, without stale markers.
    ///
    /// # Errors
    /// When a chunk cannot be read.
    fn windows(
        &self,
        ids: &[SeriesId],
        range: TimeRange,
        out: &mut SampleRows,
    ) -> Result<(), SourceError> {
        let SampleRows { samples, spans } = out;
        samples.clear();
        spans.read(self, ids, |series| {
            let start = samples.len();
            series.samples(range, samples)?;
            Ok((start, SampleRows::drop_stale(samples, start)))
        })
    }

    /// All label names of series that satisfy the matchers, sorted.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn label_names(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, SourceError> {
        let mut names = std::collections::BTreeSet::new();
        for series in self.select(matchers, range)? {
            names.extend(series.labels().iter().map(|label| label.name.to_string()));
        }
        Ok(names.into_iter().collect())
    }

    /// All values of one label of series that satisfy the matchers, sorted.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn label_values(
        &self,
        name: &str,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<String>, SourceError> {
        let mut values = std::collections::BTreeSet::new();
        for series in self.select(matchers, range)? {
            values.extend(series.labels().get(name).map(str::to_owned));
        }
        Ok(values.into_iter().collect())
    }
}

/// One series of a [`Source`].
pub trait Series: Send + Sync {
    /// Its identity within the store.
    fn id(&self) -> SeriesId;

    /// Its labels, metric name included.
    fn labels(&self) -> &Labels;

    /// Appends the float samples in `range` in order of time, stale markers included.
    ///
    /// # Errors
    /// When a chunk cannot be read.
    fn samples(&self, range: TimeRange, out: &mut Vec<Sample>) -> Result<(), SourceError>;

    /// Whether some samples may lie in `range`: not when all are before it, or all after it.
    fn may_have(&self, range: TimeRange) -> bool {
        let _ = range;
        true
    }

    /// Whether the series may have native histograms. When not, readers need not ask for them.
    fn has_histograms(&self) -> bool {
        false
    }

    /// Appends the native histograms in `range` in order of time, stale markers included. No moment
    /// has both a sample and a histogram; whoever wants both merges them by time.
    ///
    /// # Errors
    /// When a chunk cannot be read.
    fn histograms(
        &self,
        range: TimeRange,
        out: &mut Vec<HistogramSample>,
    ) -> Result<(), SourceError> {
        let _ = (range, out);
        Ok(())
    }

    /// Whether any sample may say since when it counts. When not, readers need not ask.
    fn has_starts(&self) -> bool {
        false
    }

    /// Appends since when the samples and histograms in `range` count, in order of time; those that
    /// do not say so are left out.
    ///
    /// # Errors
    /// When a chunk cannot be read.
    fn starts(&self, range: TimeRange, out: &mut Vec<Start>) -> Result<(), SourceError> {
        let _ = (range, out);
        Ok(())
    }

    /// The latest float sample in `range`, a stale marker included.
    ///
    /// # Errors
    /// When a chunk cannot be read.
    fn last_sample(&self, range: TimeRange) -> Result<Option<Sample>, SourceError>;

    /// What the samples in `range` add up to, from the summaries of whole chunks and the samples of
    /// the two partial ones. `None` when `range` holds no sample. Stale markers do not count, nor
    /// do native histograms.
    ///
    /// # Errors
    /// When a chunk cannot be read.
    fn summary(&self, range: TimeRange) -> Result<Option<Summary>, SourceError>;
}

/// What many series gave in one reading: a value for each id, in the order of the ids. Kept by
/// readers from one reading to the next, so that nothing is allocated.
#[derive(Debug)]
pub struct Column<T> {
    /// One for each id.
    pub values: Vec<T>,
    /// The places of the series that may have native histograms, in order: whoever evaluates those
    /// looks at the series themselves.
    pub with_histograms: Vec<u32>,
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            with_histograms: Vec::new(),
        }
    }
}

impl<T: Default> Column<T> {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.values.clear();
        self.with_histograms.clear();
    }

    /// Reads one series after the other.
    fn read<S: Source + ?Sized>(
        &mut self,
        source: &S,
        ids: &[SeriesId],
        mut read: impl FnMut(&dyn Series) -> Result<T, SourceError>,
    ) -> Result<(), SourceError> {
        self.clear();
        for (place, &id) in ids.iter().enumerate() {
            let Some(series) = source.series(id) else {
                self.values.push(T::default());
                continue;
            };
            if series.has_histograms() {
                self.with_histograms.push(place as u32);
            }
            self.values.push(read(&*series)?);
        }
        Ok(())
    }
}

/// The samples of many series, row by row.
#[derive(Debug, Default)]
pub struct SampleRows {
    /// The samples of all rows, in any order of rows.
    pub samples: Vec<Sample>,
    /// Where those of each row begin and end.
    pub spans: Column<(usize, usize)>,
}

impl SampleRows {
    /// The samples of one row, in order of time.
    #[must_use]
    pub fn row(&self, row: usize) -> &[Sample] {
        let (start, end) = self.spans.values[row];
        &self.samples[start..end]
    }

    /// Takes the stale markers from `start` on out, and returns the new end.
    pub fn drop_stale(samples: &mut Vec<Sample>, start: usize) -> usize {
        if samples[start..].iter().any(|it| is_stale(it.value)) {
            let mut kept = start;
            for idx in start..samples.len() {
                if !is_stale(samples[idx].value) {
                    samples[kept] = samples[idx];
                    kept += 1;
                }
            }
            samples.truncate(kept);
        }
        samples.len()
    }
}

/// How a run of samples has grown: what `rate` and its kin need of a [`Summary`]. Stale markers are
/// left out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Growth {
    /// How many samples.
    pub count: u64,
    /// The earliest sample.
    pub first: Sample,
    /// The latest sample.
    pub last: Sample,
    /// See [`Summary::resets_lost`].
    pub resets_lost: f64,
}

impl Growth {
    /// The growth of a single sample.
    #[must_use]
    pub fn of(sample: Sample) -> Self {
        Self {
            count: 1,
            first: sample,
            last: sample,
            resets_lost: 0.0,
        }
    }

    /// The growth of this run followed by a later one.
    #[must_use]
    pub fn then(self, later: &Self) -> Self {
        let is_reset = later.first.value < self.last.value;
        let lost = if is_reset { self.last.value } else { 0.0 };
        Self {
            count: self.count + later.count,
            first: self.first,
            last: later.last,
            resets_lost: self.resets_lost + later.resets_lost + lost,
        }
    }
}

impl From<&Summary> for Growth {
    fn from(summary: &Summary) -> Self {
        Self {
            count: summary.count,
            first: summary.first,
            last: summary.last,
            resets_lost: summary.resets_lost,
        }
    }
}

/// What a run of samples of one series adds up to. Summaries of neighbouring runs add up with
/// [`Summary::then`], to the same as the summary of the joined run. Stale markers are left out.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Summary {
    /// How many samples.
    pub count: u64,
    /// The earliest sample.
    pub first: Sample,
    /// The latest sample.
    pub last: Sample,
    /// The smallest value; NaN only when all are.
    pub min: f64,
    /// The largest value; NaN only when all are.
    pub max: f64,
    /// Kahan-Neumaier sum of the values: the sum is `sum + sum_compensation`.
    pub sum: f64,
    /// The low-order part that [`Summary::sum`] lost.
    pub sum_compensation: f64,
    /// Mean of the values (Welford).
    pub mean: f64,
    /// Sum of squared distances from the mean (Welford).
    pub squares: f64,
    /// Sum of the values before each counter reset: `last - first + resets_lost` is the increase.
    pub resets_lost: f64,
    /// How often a value was smaller than the one before.
    pub resets: u64,
    /// How often a value differed from the one before (two NaNs do not differ).
    pub changes: u64,
}

impl Summary {
    /// The summary of a single sample.
    #[must_use]
    pub fn of(sample: Sample) -> Self {
        Self {
            count: 1,
            first: sample,
            last: sample,
            min: sample.value,
            max: sample.value,
            sum: sample.value,
            sum_compensation: 0.0,
            mean: sample.value,
            squares: 0.0,
            resets_lost: 0.0,
            resets: 0,
            changes: 0,
        }
    }

    /// The summary of this run followed by a later one.
    #[must_use]
    pub fn then(self, later: &Self) -> Self {
        let (sum, lost) = add_exactly(self.sum, later.sum);
        let count = self.count + later.count;
        let (own, other) = (self.count as f64, later.count as f64);
        let distance = later.mean - self.mean;
        let (before, after) = (self.last.value, later.first.value);
        let is_reset = after < before;
        let is_change = after != before && !(after.is_nan() && before.is_nan());
        Self {
            count,
            first: self.first,
            last: later.last,
            min: self.min.min(later.min),
            max: self.max.max(later.max),
            sum,
            sum_compensation: self.sum_compensation + later.sum_compensation + lost,
            mean: if distance.is_finite() {
                self.mean + distance * (other / count as f64)
            } else {
                // An infinity, or means so far apart that their distance overflows.
                self.mean * (own / count as f64) + later.mean * (other / count as f64)
            },
            squares: self.squares
                + later.squares
                + distance * distance * (own * other / count as f64),
            resets_lost: self.resets_lost + later.resets_lost + if is_reset { before } else { 0.0 },
            resets: self.resets + later.resets + u64::from(is_reset),
            changes: self.changes + later.changes + u64::from(is_change),
        }
    }

    /// The sum of the values, compensated.
    #[must_use]
    pub fn total(&self) -> f64 {
        // With an infinity inside, the compensation is NaN while the sum is right.
        if self.sum.is_infinite() {
            self.sum
        } else {
            self.sum + self.sum_compensation
        }
    }
}

/// The rounded sum, and what rounding lost. Source: Neumaier 1974.
fn add_exactly(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let lost = if a.abs() >= b.abs() {
        (a - sum) + b
    } else {
        (b - sum) + a
    };
    (sum, lost)
}

/// A store that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("failed to read series: {0}")]
pub struct SourceError(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(values: &[f64]) -> Summary {
        let sample = |(at, &value): (usize, &f64)| Sample {
            at: Timestamp(at as i64),
            value,
        };
        values
            .iter()
            .enumerate()
            .map(sample)
            .map(Summary::of)
            .reduce(|so_far, next| so_far.then(&next))
            .unwrap()
    }

    #[test]
    fn resets_and_changes_are_counted_across_the_seam() {
        let whole = summary(&[1.0, 3.0, 3.0, 2.0, 5.0, 1.0]);
        assert_eq!(
            (whole.resets, whole.changes, whole.resets_lost),
            (2, 4, 8.0)
        );
        let joined = summary(&[1.0, 3.0, 3.0]).then(&summary(&[2.0, 5.0, 1.0]));
        assert_eq!(
            (joined.resets, joined.changes, joined.resets_lost),
            (2, 4, 8.0)
        );
    }

    #[test]
    fn sums_keep_what_rounding_would_lose() {
        assert_eq!(summary(&[1.0, 1e100, 1.0, -1e100]).total(), 2.0);
        assert_eq!(summary(&[1.0, f64::INFINITY, 2.0]).total(), f64::INFINITY);
    }

    #[test]
    fn a_mean_survives_infinities() {
        let (inf, max) = (f64::INFINITY, f64::MAX);
        assert_eq!(summary(&[1.0, inf, 2.0, 3.0]).mean, inf);
        assert_eq!(summary(&[-inf, -inf, 2.0]).mean, -inf);
        assert!(summary(&[inf, 1.0, -inf]).mean.is_nan());
        assert_eq!(summary(&[max, -max]).mean, 0.0);
    }
}
