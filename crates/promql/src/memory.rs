//! Series in memory: a [`Source`] for tests, scripts and unit tests of rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_model::{
    Labels, Matcher, Sample, Series, SeriesId, Source, SourceError, Summary, TimeRange, is_stale,
};

/// Series with all their samples. Appending keeps the samples of a series in order of time; a
/// sample at a moment that has one already replaces it.
#[derive(Clone, Debug, Default)]
pub struct MemorySource {
    series: BTreeMap<Labels, Arc<MemorySeries>>,
    by_id: Vec<Labels>,
}

#[derive(Clone, Debug)]
struct MemorySeries {
    id: SeriesId,
    labels: Labels,
    samples: Vec<Sample>,
}

impl MemorySource {
    /// A source without series.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds samples to the series with these labels, which comes to be if it is not there.
    pub fn append(&mut self, labels: &Labels, samples: impl IntoIterator<Item = Sample>) {
        let series = self.series.entry(labels.clone()).or_insert_with(|| {
            let id = SeriesId(self.by_id.len() as u64);
            self.by_id.push(labels.clone());
            Arc::new(MemorySeries {
                id,
                labels: labels.clone(),
                samples: Vec::new(),
            })
        });
        let samples_in_place = &mut Arc::make_mut(series).samples;
        for sample in samples {
            let next = samples_in_place.partition_point(|known| known.at < sample.at);
            match samples_in_place.get_mut(next) {
                Some(known) if known.at == sample.at => *known = sample,
                _ => samples_in_place.insert(next, sample),
            }
        }
    }

    /// Takes all series away.
    pub fn clear(&mut self) {
        self.series.clear();
    }

    /// How many series there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there is no series.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }
}

impl Source for MemorySource {
    fn select(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<Arc<dyn Series>>, SourceError> {
        let is_hit = |series: &&Arc<MemorySeries>| {
            !series.within(range).is_empty() && matchers.iter().all(|it| it.matches(&series.labels))
        };
        let hits = self.series.values().filter(is_hit);
        Ok(hits.map(|it| Arc::clone(it) as Arc<dyn Series>).collect())
    }

    fn generation(&self) -> u64 {
        // Ids are never used again, so that their number and that of the living tell sets apart.
        ((self.by_id.len() as u64) << 32) + self.series.len() as u64
    }

    fn series(&self, id: SeriesId) -> Option<Arc<dyn Series>> {
        let labels = self.by_id.get(usize::try_from(id.0).ok()?)?;
        let series = self.series.get(labels).filter(|series| series.id == id)?;
        Some(Arc::clone(series) as Arc<dyn Series>)
    }
}

impl MemorySeries {
    fn within(&self, range: TimeRange) -> &[Sample] {
        let start = self.samples.partition_point(|it| it.at <= range.after);
        let end = self.samples.partition_point(|it| it.at <= range.until);
        &self.samples[start..end.max(start)]
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
