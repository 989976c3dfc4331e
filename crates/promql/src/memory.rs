//! Series in memory: a [`Source`] for tests, scripts and unit tests of rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_model::{
    HistogramSample, Labels, Matcher, ResetHint, Sample, Series, SeriesId, Source, SourceError,
    Start, Summary, TimeRange, Timestamp, is_stale,
};

/// Series with all their samples. Appending keeps the samples of a series in order of time; a
/// sample at a moment that has one already replaces it.
#[derive(Clone, Debug, Default)]
pub struct MemorySource {
    ids: BTreeMap<Labels, usize>,
    /// By id; `None` where a series has been taken away.
    series: Vec<Option<Arc<MemorySeries>>>,
}

#[derive(Clone, Debug)]
struct MemorySeries {
    id: SeriesId,
    labels: Labels,
    samples: Vec<Sample>,
    histograms: Vec<HistogramSample>,
    starts: Vec<Start>,
}

impl MemorySource {
    /// A source without series.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds samples to the series with these labels, which comes to be if it is not there.
    pub fn append(&mut self, labels: &Labels, samples: impl IntoIterator<Item = Sample>) {
        let series = self.series_mut(labels);
        for sample in samples {
            put(&mut series.samples, sample, |it| it.at);
        }
    }

    /// Adds native histograms to the series with these labels. Their hints become those that
    /// Prometheus's store gives: a counter that goes on where the sample before it ended was not
    /// reset, and of every other nothing is known.
    pub fn append_histograms(
        &mut self,
        labels: &Labels,
        histograms: impl IntoIterator<Item = HistogramSample>,
    ) {
        let series = self.series_mut(labels);
        for sample in histograms {
            put(&mut series.histograms, sample, |it| it.at);
        }
        series.settle_hints();
    }

    /// Says of samples of the series with these labels since when they count.
    pub fn append_starts(&mut self, labels: &Labels, starts: impl IntoIterator<Item = Start>) {
        let series = self.series_mut(labels);
        for start in starts {
            put(&mut series.starts, start, |it| it.at);
        }
    }

    fn series_mut(&mut self, labels: &Labels) -> &mut MemorySeries {
        let all = &mut self.series;
        let id = *self.ids.entry(labels.clone()).or_insert_with(|| {
            let id = all.len();
            all.push(Some(Arc::new(MemorySeries {
                id: SeriesId(id as u64),
                labels: labels.clone(),
                samples: Vec::new(),
                histograms: Vec::new(),
                starts: Vec::new(),
            })));
            id
        });
        let Some(series) = &mut self.series[id] else {
            unreachable!("labels with an id have a series");
        };
        Arc::make_mut(series)
    }

    /// Takes the series with these labels away, if it is there.
    pub fn remove(&mut self, labels: &Labels) {
        if let Some(id) = self.ids.remove(labels) {
            self.series[id] = None;
        }
    }

    /// The latest sample of the series with these labels: when, and the float if it is one.
    #[must_use]
    pub fn last(&self, labels: &Labels) -> Option<(Timestamp, Option<f64>)> {
        let series = self.series[*self.ids.get(labels)?].as_ref()?;
        let float = series.samples.last().map(|it| (it.at, Some(it.value)));
        let histogram = series.histograms.last().map(|it| (it.at, None));
        match (float, histogram) {
            (Some(float), Some(histogram)) if histogram.0 > float.0 => Some(histogram),
            (Some(float), _) => Some(float),
            (None, histogram) => histogram,
        }
    }

    /// How many series there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no series.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

impl Source for MemorySource {
    fn select(
        &self,
        matchers: &[Matcher],
        _range: TimeRange,
    ) -> Result<Vec<Arc<dyn Series>>, SourceError> {
        // Any series may get samples in any range without a new generation.
        let is_hit =
            |series: &&Arc<MemorySeries>| matchers.iter().all(|it| it.matches(&series.labels));
        let in_order = self.ids.values().filter_map(|&id| self.series[id].as_ref());
        let hits = in_order.filter(is_hit);
        Ok(hits.map(|it| Arc::clone(it) as Arc<dyn Series>).collect())
    }

    fn generation(&self) -> u64 {
        // Ids are never used again, so that their number and that of the living tell sets apart.
        ((self.series.len() as u64) << 32) + self.ids.len() as u64
    }

    fn series(&self, id: SeriesId) -> Option<Arc<dyn Series>> {
        let series = self.series.get(usize::try_from(id.0).ok()?)?.as_ref()?;
        Some(Arc::clone(series) as Arc<dyn Series>)
    }
}

/// Puts a sample into its place in time, or in the place of one with its time.
fn put<T>(all: &mut Vec<T>, sample: T, at: impl Fn(&T) -> Timestamp) {
    let next = all.partition_point(|known| at(known) < at(&sample));
    match all.get_mut(next) {
        Some(known) if at(known) == at(&sample) => *known = sample,
        _ => all.insert(next, sample),
    }
}

/// The part of samples that lies in a range.
fn within<T>(all: &[T], range: TimeRange, at: impl Fn(&T) -> Timestamp) -> &[T] {
    let start = all.partition_point(|it| at(it) <= range.after);
    let end = all.partition_point(|it| at(it) <= range.until);
    &all[start..end.max(start)]
}

/// Whether no float lies between two moments.
fn within_open(samples: &[Sample], after: Timestamp, until: Timestamp) -> bool {
    within(samples, TimeRange { after, until }, |it| it.at).is_empty()
}

/// Whether a counter has gone on without reset and without a new layout.
fn goes_on(before: &HistogramSample, after: &HistogramSample) -> bool {
    let (before, after) = (&*before.histogram, &*after.histogram);
    let has_same_layout = before.schema == after.schema
        && before.zero_threshold == after.zero_threshold
        && before.custom_bounds == after.custom_bounds;
    let is_counter = before.reset_hint != ResetHint::Gauge;
    let mut after = after.clone();
    // A hint that was given is no proof.
    after.reset_hint = ResetHint::Unknown;
    is_counter && has_same_layout && !before.is_stale() && !after.is_reset_since(before)
}

impl MemorySeries {
    fn within(&self, range: TimeRange) -> &[Sample] {
        within(&self.samples, range, |it| it.at)
    }

    /// See [`MemorySource::append_histograms`].
    fn settle_hints(&mut self) {
        let mut before: Option<HistogramSample> = None;
        for sample in &mut self.histograms {
            let hint = match (&before, sample.histogram.reset_hint) {
                (_, ResetHint::Gauge) => ResetHint::Gauge,
                (Some(before), hint)
                    if hint != ResetHint::Reset
                        && goes_on(before, sample)
                        && within_open(&self.samples, before.at, sample.at) =>
                {
                    ResetHint::NotReset
                }
                _ => ResetHint::Unknown,
            };
            if sample.histogram.reset_hint != hint {
                Arc::make_mut(&mut sample.histogram).reset_hint = hint;
            }
            before = Some(sample.clone());
        }
    }
}

impl Series for MemorySeries {
    fn id(&self) -> SeriesId {
        self.id
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn samples(&self, range: TimeRange, out: &mut Vec<Sample>) -> Result<(), SourceError> {
        out.extend_from_slice(self.within(range));
        Ok(())
    }

    fn has_histograms(&self) -> bool {
        !self.histograms.is_empty()
    }

    fn histograms(
        &self,
        range: TimeRange,
        out: &mut Vec<HistogramSample>,
    ) -> Result<(), SourceError> {
        out.extend_from_slice(within(&self.histograms, range, |it| it.at));
        Ok(())
    }

    fn has_starts(&self) -> bool {
        !self.starts.is_empty()
    }

    fn starts(&self, range: TimeRange, out: &mut Vec<Start>) -> Result<(), SourceError> {
        out.extend_from_slice(within(&self.starts, range, |it| it.at));
        Ok(())
    }

    fn last_sample(&self, range: TimeRange) -> Result<Option<Sample>, SourceError> {
        Ok(self.within(range).last().copied())
    }

    fn summary(&self, range: TimeRange) -> Result<Option<Summary>, SourceError> {
        let samples = self.within(range).iter();
        let fresh = samples.filter(|sample| !is_stale(sample.value));
        let summaries = fresh.map(|sample| Summary::of(*sample));
        Ok(summaries.reduce(|so_far, next| so_far.then(&next)))
    }
}
