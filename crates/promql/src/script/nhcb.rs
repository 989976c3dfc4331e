//! `load_with_nhcb`: classic histograms stored as native ones with custom buckets as well.
//!
//! *Sources*: Prometheus, `promql/promqltest/test.go`, `appendCustomHistogram`;
//! `util/convertnhcb`.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_model::{
    CUSTOM_BUCKETS_SCHEMA, Histogram, HistogramSample, Labels, METRIC_NAME, Sample, Timestamp,
    is_stale, parse_float,
};

use crate::memory::MemorySource;

/// The classic histograms of a `load`, by their labels as native ones, then by time.
#[derive(Default)]
pub(super) struct Classic(BTreeMap<Labels, BTreeMap<Timestamp, Collected>>);

/// One classic histogram at one moment.
#[derive(Default)]
struct Collected {
    /// Bounds with the observations up to them.
    buckets: Vec<(f64, f64)>,
    count: Option<f64>,
    sum: f64,
}

impl Classic {
    /// Takes note of a series, if it is part of a histogram.
    pub(super) fn collect(&mut self, labels: &Labels, samples: &[Sample]) -> Result<(), String> {
        let name = labels.metric_name();
        let parts = ["_bucket", "_count", "_sum"];
        let Some(part) = parts.into_iter().find(|part| name.ends_with(part)) else {
            return Ok(());
        };
        let bound = match labels.get("le") {
            None if part == "_bucket" => return Ok(()),
            None => f64::INFINITY,
            Some(text) => {
                parse_float(text).ok_or_else(|| format!("`{text}` is no bound of a bucket"))?
            }
        };
        let mut builder = labels.to_builder();
        builder.set(METRIC_NAME, &name[..name.len() - part.len()]);
        builder.remove("le");
        let histograms = self.0.entry(builder.build()).or_default();
        for sample in samples.iter().filter(|sample| !is_stale(sample.value)) {
            let collected = histograms.entry(sample.at).or_default();
            match part {
                "_bucket" => collected.buckets.push((bound, sample.value)),
                "_count" => collected.count = Some(sample.value),
                _ => collected.sum = sample.value,
            }
        }
        Ok(())
    }

    /// Stores the histograms.
    pub(super) fn store(self, source: &mut MemorySource) {
        for (labels, histograms) in self.0 {
            let sample = |(at, collected): (Timestamp, Collected)| HistogramSample {
                at,
                histogram: Arc::new(collected.convert()),
            };
            source.append_histograms(&labels, histograms.into_iter().map(sample));
        }
    }
}

impl Collected {
    fn convert(mut self) -> Histogram {
        self.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.buckets.dedup_by(|next, known| next.0 == known.0);
        let highest = self.buckets.last().copied();
        let count = self
            .count
            .unwrap_or_else(|| highest.map_or(0.0, |(_, count)| count));
        if highest.is_none_or(|(bound, _)| bound != f64::INFINITY) {
            self.buckets.push((f64::INFINITY, count));
        }
        let mut before = 0.0;
        let counts = self.buckets.iter().enumerate().map(|(idx, &(_, count))| {
            let own = count - before;
            before = count;
            (idx as i32, own)
        });
        let mut histogram = Histogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count,
            sum: self.sum,
            positive: counts.collect(),
            custom_bounds: Arc::default(),
            ..Histogram::default()
        };
        let bounds = self.buckets.iter().map(|&(bound, _)| bound);
        histogram.custom_bounds = bounds.filter(|bound| bound.is_finite()).collect();
        histogram.compact();
        histogram
    }
}
