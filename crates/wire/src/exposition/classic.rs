//! Classic histograms as native ones with custom buckets.
//!
//! *Sources*: Prometheus, `util/convertnhcb` and `model/textparse/nhcbparse.go`, as behaviour.

use firebell_model::{
    Buckets, CUSTOM_BUCKETS_SCHEMA, Exemplar, Histogram, Labels, METRIC_NAME, MetricKind, Timestamp,
};

use super::SampleLine;
use super::number::parse_value;
use crate::histogram::push_bucket;

/// A classic histogram that is being read, bucket by bucket.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct ClassicHistogram {
    /// Upper bounds with their cumulative counts.
    pub(crate) buckets: Vec<(f64, f64)>,
    /// All observations, if it says so.
    pub(crate) count: Option<f64>,
    /// Their sum.
    pub(crate) sum: f64,
}

impl ClassicHistogram {
    /// The native histogram; `None` when counts fall, are negative or contradict each other.
    pub(crate) fn into_native(mut self) -> Option<Histogram> {
        self.buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
        let in_buckets = self.buckets.last().map(|bucket| bucket.1);
        let count = self.count.or(in_buckets)?;
        if self
            .buckets
            .last()
            .is_none_or(|last| last.0 != f64::INFINITY)
        {
            self.buckets.push((f64::INFINITY, count));
        }
        if self.buckets.windows(2).any(|two| two[0].0 == two[1].0) {
            return None;
        }
        let mut positive = Buckets::default();
        let (mut below, mut last) = (0.0, None);
        for (idx, (bound, cumulative)) in self.buckets.iter().enumerate() {
            if bound.is_nan() || cumulative.is_nan() || *cumulative < below {
                return None;
            }
            let own = cumulative - below;
            if own != 0.0 {
                let idx = i32::try_from(idx).ok()?;
                push_bucket(&mut positive, last, idx, own);
                last = Some(idx);
            }
            below = *cumulative;
        }
        if below != count {
            return None;
        }
        self.buckets.pop();
        Some(Histogram {
            schema: CUSTOM_BUCKETS_SCHEMA,
            count,
            sum: self.sum,
            positive,
            custom_bounds: self.buckets.iter().map(|bucket| bucket.0).collect(),
            ..Histogram::default()
        })
    }
}

/// The upper bounds of a native histogram with custom buckets, each with the count up to there.
pub(crate) fn cumulative(histogram: &Histogram) -> Vec<(f64, f64)> {
    let mut own = vec![0.0; histogram.custom_bounds.len() + 1];
    for (idx, count) in histogram.positive.iter() {
        if let Some(bucket) = usize::try_from(idx).ok().and_then(|idx| own.get_mut(idx)) {
            *bucket += count;
        }
    }
    let bounds = histogram.custom_bounds.iter().copied();
    let mut sum = 0.0;
    let counts = own.into_iter().map(|count| {
        sum += count;
        sum
    });
    bounds.chain([f64::INFINITY]).zip(counts).collect()
}

/// Puts the lines of a text together that belong to one classic histogram.
#[derive(Debug, Default)]
pub struct ClassicCollector {
    now: Option<Collected>,
}

#[derive(Debug)]
struct Collected {
    labels: Labels,
    at: Option<Timestamp>,
    histogram: ClassicHistogram,
    exemplars: Vec<Exemplar>,
}

/// A classic histogram as a native one.
#[derive(Debug)]
pub struct Converted {
    /// The labels, without `le`, under the name without `_bucket`.
    pub labels: Labels,
    /// When it was, if the target says so.
    pub at: Option<Timestamp>,
    /// The histogram.
    pub histogram: Histogram,
    /// Exemplars of its buckets that say when they were.
    pub exemplars: Vec<Exemplar>,
}

impl ClassicCollector {
    /// Takes a line; says whether it is of a classic histogram, and gives the histogram that ended
    /// before it.
    ///
    /// # Errors
    /// The name of a label that occurs twice.
    pub fn add(&mut self, line: &SampleLine<'_, '_>) -> Result<(bool, Option<Converted>), String> {
        if line.series.kind != MetricKind::Histogram {
            return Ok((false, self.finish()));
        }
        let metric = line.series.metric();
        let parts = metric.rsplit_once('_');
        let Some((base, part)) = parts.filter(|(base, _)| *base == line.series.family) else {
            return Ok((false, self.finish()));
        };
        let scraped = line.series.labels()?;
        let bound = parse_value(scraped.value("le"));
        if !matches!((part, bound), ("bucket", Some(_)) | ("count" | "sum", _)) {
            return Ok((false, self.finish()));
        }
        let mut labels = scraped.to_builder();
        labels.set(METRIC_NAME, base);
        if part == "bucket" {
            labels.remove("le");
        }
        let labels = labels.build();
        let is_same = |now: &Collected| now.labels == labels && now.at == line.at;
        let ended = if self.now.as_ref().is_some_and(is_same) {
            None
        } else {
            self.finish()
        };
        let now = self.now.get_or_insert_with(|| Collected {
            labels,
            at: line.at,
            histogram: ClassicHistogram::default(),
            exemplars: Vec::new(),
        });
        match (part, bound) {
            ("bucket", Some(bound)) => now.histogram.buckets.push((bound, line.value)),
            ("count", _) => now.histogram.count = Some(line.value),
            _ => now.histogram.sum = line.value,
        }
        if let Some(exemplar) = &line.exemplar
            && let Some(at) = exemplar.at
        {
            let (labels, value) = (exemplar.labels()?, exemplar.value);
            now.exemplars.push(Exemplar { labels, value, at });
        }
        Ok((true, ended))
    }

    /// The histogram that is not ended by another line.
    pub fn finish(&mut self) -> Option<Converted> {
        let ended = self.now.take()?;
        let histogram = ended.histogram.into_native()?;
        Some(Converted {
            labels: ended.labels,
            at: ended.at,
            histogram,
            exemplars: ended.exemplars,
        })
    }
}
