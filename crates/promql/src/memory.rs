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
    ids: BTreeMap<Labels, usize>,
    /// By id; `None` where a series has been taken away.
    series: Vec<Option<Arc<MemorySeries>>>,
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
        let all = &mut self.series;
        let id = *self.ids.entry(labels.clone()).or_insert_with(|| {
            let id = all.len();
            all.push(Some(Arc::new(MemorySeries {
                id: SeriesId(id as u64),
                labels: labels.clone(),
                samples: Vec::new(),
            })));
            id
        });
        let Some(series) = &mut self.series[id] else {
            unreachable!("labels with an id have a series");
        };
        let samples_in_place = &mut Arc::make_mut(series).samples;
        for sample in samples {
            let next = samples_in_place.partition_point(|known| known.at < sample.at);
            match samples_in_place.get_mut(next) {
                Some(known) if known.at == sample.at => *known = sample,
                _ => samples_in_place.insert(next, sample),
            }
        }
    }

    /// Takes the series with these labels away, if it is there.
    pub fn remove(&mut self, labels: &Labels) {
        if let Some(id) = self.ids.remove(labels) {
            self.series[id] = None;
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
