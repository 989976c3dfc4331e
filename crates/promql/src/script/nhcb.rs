//! `load_with_nhcb`: classic histograms stored as native ones with custom buckets as well.
//!
//! *Sources*: Prometheus, `promql/promqltest/test.go`, `appendCustomHistogram`;
//! `util/convertnhcb`.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_model::{
    CUSTOM_BUCKETS_SCHEMA, Histogram, HistogramSample, Labels, METRIC_NAME, Sample, Timestamp,
    format_float_general, is_stale, parse_float,
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
    pub(super) fn collect(&mut self, labels: &Labels, samples: &[Sample]) {
        let name = labels.metric_name();
        let parts = ["_bucket", "_count", "_sum"];
        let Some(part) = parts.into_iter().find(|part| name.ends_with(part)) else {
            return;
        };
        let bound = match labels.get("le") {
            None if part == "_bucket" => return,
            None => f64::INFINITY,
            // As upstream, which passes over what bounds nothing.
            Some(text) => match parse_float(text).filter(|bound| !bound.is_nan()) {
                Some(bound) => bound,
                None => return,
            },
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
    }

    /// Stores the histograms.
    ///
    /// # Errors
    /// The first of them whose counts contradict each other, in upstream's words.
    pub(super) fn store(self, source: &mut MemorySource) -> Result<(), String> {
        for (labels, histograms) in self.0 {
            let mut samples = Vec::with_capacity(histograms.len());
            for (at, collected) in histograms {
                let histogram = Arc::new(collected.convert()?);
                samples.push(HistogramSample { at, histogram });
            }
            source.append_histograms(&labels, samples);
        }
        Ok(())
    }
}

impl Collected {
    fn convert(mut self) -> Result<Histogram, String> {
        self.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        self.buckets.dedup_by(|next, known| next.0 == known.0);
        self.check()?;
        let highest = self.buckets.last().copied();
        let Some(count) = self.count.or(highest.map(|(_, count)| count)) else {
            return Err("count must be provided when no buckets are present".to_owned());
        };
        if highest.is_none_or(|(bound, _)| bound != f64::INFINITY) {
            self.buckets.push((f64::INFINITY, count));
        } else if let Some((_, own)) = highest.filter(|(_, own)| *own != count) {
            let (count, own) = (format_float_general(count), format_float_general(own));
            return Err(format!(
                "count mismatch: count={count} != le=+Inf count={own}"
            ));
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
        Ok(histogram)
    }

    /// Refuses counts below zero, and counts that fall from one bucket to the next.
    fn check(&self) -> Result<(), String> {
        let number = format_float_general;
        if let Some((bound, count)) = self.buckets.iter().find(|(_, count)| *count < 0.0) {
            let (bound, count) = (number(*bound), number(*count));
            return Err(format!(
                "bucket count must be non-negative: le={bound}, count={count}"
            ));
        }
        if let Some(count) = self.count.filter(|count| *count < 0.0) {
            let count = number(count);
            return Err(format!("count must be non-negative: count={count}"));
        }
        let mut pairs = self.buckets.windows(2);
        if let Some(pair) = pairs.find(|pair| pair[1].1 < pair[0].1) {
            let (count, before) = (number(pair[1].1), number(pair[0].1));
            return Err(format!("count is not cumulative: {count} < {before}"));
        }
        Ok(())
    }
}
