//! A store for tests: gauges that hold until they are changed, and samples that rules wrote.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_model::{
    Labels, Matcher, Sample, Series, SeriesId, Source, SourceError, Summary, TimeRange, Timestamp,
};

#[derive(Clone, Default)]
pub(crate) struct Store {
    // Values by series, with the moment from which on they hold; `None` has ended.
    series: BTreeMap<Labels, Vec<Sample>>,
    gauges: BTreeMap<Labels, f64>,
    pub(crate) is_broken: bool,
}

struct OneSeries {
    id: SeriesId,
    labels: Labels,
    samples: Vec<Sample>,
    gauge: Option<f64>,
}

impl Store {
    pub(crate) fn set(&mut self, series: Labels, value: Option<f64>) {
        match value {
            Some(value) => self.gauges.insert(series, value),
            None => self.gauges.remove(&series),
        };
    }

    pub(crate) fn write(&mut self, series: &Labels, sample: Sample) {
        self.series.entry(series.clone()).or_default().push(sample);
    }

    fn all(&self) -> Vec<OneSeries> {
        let written = self.series.iter();
        let written = written.map(|(labels, samples)| (labels, samples.clone(), None));
        let gauges = self.gauges.iter();
        let gauges = gauges.map(|(labels, gauge)| (labels, Vec::new(), Some(*gauge)));
        let mut all: Vec<_> = written.chain(gauges).collect();
        all.sort_by(|a, b| a.0.cmp(b.0));
        let series = all.into_iter().map(|(labels, samples, gauge)| OneSeries {
            id: SeriesId(labels.fingerprint().0),
            labels: labels.clone(),
            samples,
            gauge,
        });
        series.collect()
    }
}

impl Source for Store {
    fn select(
        &self,
        matchers: &[Matcher],
        _range: TimeRange,
    ) -> Result<Vec<Arc<dyn Series>>, SourceError> {
        if self.is_broken {
            return Err(SourceError("the disk is gone".to_owned()));
        }
        let mut found: Vec<Arc<dyn Series>> = Vec::new();
        for series in self.all() {
            if matchers
                .iter()
                .all(|matcher| matcher.matches(&series.labels))
            {
                found.push(Arc::new(series));
            }
        }
        Ok(found)
    }

    fn generation(&self) -> u64 {
        let ids = self.all().into_iter().map(|series| series.id.0);
        ids.fold(u64::from(self.is_broken), |sum, id| {
            sum.wrapping_mul(31).wrapping_add(id)
        })
    }

    fn series(&self, id: SeriesId) -> Option<Arc<dyn Series>> {
        let series = self.all().into_iter().find(|series| series.id == id)?;
        Some(Arc::new(series))
    }
}

impl Series for OneSeries {
    fn id(&self) -> SeriesId {
        self.id
    }

    fn labels(&self) -> &Labels {
        &self.labels
    }

    fn samples(&self, range: TimeRange, out: &mut Vec<Sample>) -> Result<(), SourceError> {
        let at = |value| Sample {
            at: range.until.min(Timestamp::MAX),
            value,
        };
        out.extend(
            self.samples
                .iter()
                .filter(|sample| range.contains(sample.at)),
        );
        out.extend(self.gauge.map(at));
        Ok(())
    }

    fn last_sample(&self, range: TimeRange) -> Result<Option<Sample>, SourceError> {
        let mut samples = Vec::new();
        self.samples(range, &mut samples)?;
        Ok(samples.pop())
    }

    fn summary(&self, range: TimeRange) -> Result<Option<Summary>, SourceError> {
        let mut samples = Vec::new();
        self.samples(range, &mut samples)?;
        let summaries = samples.into_iter().map(Summary::of);
        Ok(summaries.reduce(|so_far, next| so_far.then(&next)))
    }
}
