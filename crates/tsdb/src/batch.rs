//! What a store is fed: samples, histograms, exemplars and metadata, a column each.

use std::sync::Arc;

use firebell_model::{Exemplar, HistogramSample, Labels, Metadata, Sample, SeriesId, Timestamp};

/// How a batch names a series.
#[derive(Clone, PartialEq, Debug)]
pub enum SeriesKey {
    /// By its labels; it is made when it is not there.
    Labels(Labels),
    /// By what [`Store::resolve`](crate::Store::resolve) said. Costs least.
    Id(SeriesId),
}

/// Samples to append, in the order in which they were added.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Batch {
    runs: Vec<Run>,
    samples: Vec<Sample>,
    histograms: Vec<HistogramSample>,
    exemplars: Vec<(SeriesKey, Exemplar)>,
    metadata: Vec<(Arc<str>, Metadata)>,
    arrived_at: Option<Timestamp>,
}

/// A series of a batch, and where its columns end; they begin where those before end.
#[derive(Clone, PartialEq, Debug)]
struct Run {
    key: SeriesKey,
    samples_end: usize,
    histograms_end: usize,
}

/// One series of a batch.
#[derive(Clone, Copy)]
pub(crate) struct SeriesRun<'a> {
    pub(crate) key: &'a SeriesKey,
    pub(crate) samples: &'a [Sample],
    pub(crate) histograms: &'a [HistogramSample],
}

impl<'a> SeriesRun<'a> {
    /// How many samples and histograms there are.
    pub(crate) fn len(&self) -> usize {
        self.samples.len() + self.histograms.len()
    }

    /// What it costs in a frame of the log, in samples.
    pub(crate) fn cost(&self) -> usize {
        self.samples.len() + self.histograms.iter().map(cost_of).sum::<usize>()
    }

    /// The front that costs no more than `room`, but `n_min` samples or histograms at least, and the
    /// rest.
    pub(crate) fn split(self, room: usize, n_min: usize) -> (Self, Self) {
        let n_samples = self.samples.len().min(room.max(n_min));
        let (samples, later_samples) = self.samples.split_at(n_samples);
        let mut left = room.saturating_sub(n_samples);
        let mut n = 0;
        if later_samples.is_empty() {
            for histogram in self.histograms {
                let cost = cost_of(histogram);
                if cost > left && n_samples + n >= n_min {
                    break;
                }
                left = left.saturating_sub(cost);
                n += 1;
            }
        }
        let (histograms, later_histograms) = self.histograms.split_at(n);
        let now = Self {
            samples,
            histograms,
            ..self
        };
        let later = Self {
            samples: later_samples,
            histograms: later_histograms,
            ..self
        };
        (now, later)
    }
}

fn cost_of(histogram: &HistogramSample) -> usize {
    let it = &histogram.histogram;
    HISTOGRAM_COST
        + it.positive.counts.len()
        + it.negative.counts.len()
        + it.custom_bounds.len()
        + it.positive.spans.len()
        + it.negative.spans.len()
}

/// What a histogram costs besides its buckets.
const HISTOGRAM_COST: usize = 8;

impl Batch {
    /// Says when the batch came from elsewhere. The store refuses what is later by more than
    /// [`AHEAD_MAX`](crate::AHEAD_MAX): a unit that is mistaken, or a clock that is wrong, would keep
    /// right samples of the series out for years.
    pub fn arrive(&mut self, at: Timestamp) {
        self.arrived_at = Some(at);
    }

    /// Adds samples of one series.
    pub fn add(&mut self, series: impl Into<SeriesKey>, samples: &[Sample]) {
        self.samples.extend_from_slice(samples);
        self.end_run(series.into());
    }

    /// Adds native histograms of one series.
    pub fn add_histograms(
        &mut self,
        series: impl Into<SeriesKey>,
        histograms: impl IntoIterator<Item = HistogramSample>,
    ) {
        self.histograms.extend(histograms);
        self.end_run(series.into());
    }

    /// Adds samples and native histograms of one series, in order of time together: a series that
    /// turns from one to the other and back would else be out of order. At one time the sample
    /// comes first.
    pub fn add_mixed(
        &mut self,
        series: impl Into<SeriesKey>,
        mut samples: &[Sample],
        mut histograms: &[HistogramSample],
    ) {
        let key = series.into();
        while let (Some(sample), Some(histogram)) = (samples.first(), histograms.first()) {
            if sample.at <= histogram.at {
                let n = samples.iter().take_while(|it| it.at <= histogram.at);
                let front;
                (front, samples) = samples.split_at(n.count());
                self.add(key.clone(), front);
            } else {
                let n = histograms.iter().take_while(|it| it.at < sample.at);
                let front;
                (front, histograms) = histograms.split_at(n.count());
                self.add_histograms(key.clone(), front.iter().cloned());
            }
        }
        if !histograms.is_empty() {
            self.add_histograms(key, histograms.iter().cloned());
        } else if !samples.is_empty() {
            self.add(key, samples);
        }
    }

    /// Adds an exemplar of a series.
    pub fn add_exemplar(&mut self, series: impl Into<SeriesKey>, exemplar: Exemplar) {
        self.exemplars.push((series.into(), exemplar));
    }

    /// Says what a metric is.
    pub fn set_metadata(&mut self, metric: &str, metadata: Metadata) {
        self.metadata.push((metric.into(), metadata));
    }

    /// How many samples, histograms and exemplars there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.samples.len() + self.histograms.len() + self.exemplars.len()
    }

    /// Whether there is nothing, not even metadata.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0 && self.metadata.is_empty()
    }

    /// Empties the batch; what it has allocated it keeps.
    pub fn clear(&mut self) {
        let Self {
            runs,
            samples,
            histograms,
            exemplars,
            metadata,
            arrived_at,
        } = self;
        runs.clear();
        samples.clear();
        histograms.clear();
        exemplars.clear();
        metadata.clear();
        *arrived_at = None;
    }

    fn end_run(&mut self, key: SeriesKey) {
        let (samples_end, histograms_end) = (self.samples.len(), self.histograms.len());
        self.runs.push(Run {
            key,
            samples_end,
            histograms_end,
        });
    }

    /// The series in the order in which they were added.
    pub(crate) fn runs(&self) -> impl Iterator<Item = SeriesRun<'_>> {
        let (mut samples_start, mut histograms_start) = (0, 0);
        self.runs.iter().map(move |run| {
            let samples = &self.samples[samples_start..run.samples_end];
            let histograms = &self.histograms[histograms_start..run.histograms_end];
            (samples_start, histograms_start) = (run.samples_end, run.histograms_end);
            let key = &run.key;
            SeriesRun {
                key,
                samples,
                histograms,
            }
        })
    }

    pub(crate) fn arrived_at(&self) -> Option<Timestamp> {
        self.arrived_at
    }

    pub(crate) fn metadata(&self) -> &[(Arc<str>, Metadata)] {
        &self.metadata
    }

    /// The exemplars in the order in which they were added.
    pub(crate) fn exemplars(&self) -> &[(SeriesKey, Exemplar)] {
        &self.exemplars
    }
}

impl From<Labels> for SeriesKey {
    fn from(labels: Labels) -> Self {
        Self::Labels(labels)
    }
}

impl From<&Labels> for SeriesKey {
    fn from(labels: &Labels) -> Self {
        Self::Labels(labels.clone())
    }
}

impl From<SeriesId> for SeriesKey {
    fn from(id: SeriesId) -> Self {
        Self::Id(id)
    }
}
