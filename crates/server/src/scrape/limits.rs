//! What fails a scrape although the target answers: limits of its job.
//!
//! *Sources*: Prometheus, `scrape/scrape.go`, for the wording; the limit of series is our own.

use std::collections::{BTreeMap, BTreeSet};

use firebell_config::ScrapeLimits;
use firebell_model::{Histogram, Labels, Quoted};
use firebell_wire::exposition::{
    BodyFormat, Entry, HistogramOptions, Parser, Scraped, read_families,
};
use firebell_wire::histogram::{limit_buckets, reduce};

/// The body is longer than `body_size_limit`.
pub(super) const BODY: &str = "body size limit exceeded";
/// There are more samples than `sample_limit`.
pub(super) const SAMPLES: &str = "sample limit exceeded";

/// A native histogram has more buckets than `native_histogram_bucket_limit`, however coarse.
pub(super) const BUCKETS: &str = "histogram bucket limit exceeded";

/// Checks the labels of a series.
pub(super) fn check_labels(labels: &Labels, limits: &ScrapeLimits) -> Result<(), String> {
    let metric = cut(labels.metric_name());
    let exceeds = |n: usize, limit: Option<u64>| limit.filter(|limit| n as u64 > *limit);
    let n = labels.len();
    if let Some(limit) = exceeds(n, limits.labels) {
        return Err(format!(
            "label_limit exceeded (metric: {metric}, number of labels: {n}, limit: {limit})"
        ));
    }
    for label in labels.iter() {
        let (name, length) = (cut(&label.name), label.name.len());
        if let Some(limit) = exceeds(length, limits.label_name_bytes) {
            return Err(format!(
                "label_name_length_limit exceeded (metric: {metric}, label name: {name}, \
                 length: {length}, limit: {limit})"
            ));
        }
        let (value, length) = (Quoted(cut(&label.value)), label.value.len());
        if let Some(limit) = exceeds(length, limits.label_value_bytes) {
            return Err(format!(
                "label_value_length_limit exceeded (metric: {metric}, label name: {name}, \
                 value: {value}, length: {length}, limit: {limit})"
            ));
        }
    }
    Ok(())
}

/// What a message shows of a long text.
fn cut(text: &str) -> &str {
    let end = text.char_indices().nth(CHARS_SHOWN).map(|(at, _)| at);
    &text[..end.unwrap_or(text.len())]
}

/// A job with more targets than `target_limit`: none of them is scraped.
pub(super) fn targets(n: usize, limits: &ScrapeLimits) -> Option<String> {
    let limit = limits.targets.filter(|limit| n as u64 > *limit)?;
    Some(format!(
        "target_limit exceeded (number of targets: {n}, limit: {limit})"
    ))
}

/// A target with more series than `series_limit`, those of its latest scrapes counted together.
/// Names the label to blame: that with the most values in the body.
pub(super) fn series(
    n: usize,
    limits: &ScrapeLimits,
    body: &[u8],
    format: BodyFormat,
) -> Result<(), String> {
    let Some(limit) = limits.series.filter(|limit| n as u64 > *limit) else {
        return Ok(());
    };
    let blamed = worst_label(body, format).map(|(label, n)| {
        let label = cut(&label);
        format!(", label with the most values: {label}, values: {n}")
    });
    let blamed = blamed.unwrap_or_default();
    Err(format!(
        "series_limit exceeded (number of series: {n}, limit: {limit}{blamed})"
    ))
}

/// The label with the most values, metric names aside.
fn worst_label(body: &[u8], format: BodyFormat) -> Option<(String, usize)> {
    let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut count = |labels: &Labels| {
        for label in labels.without_metric_name().iter() {
            let known = values.entry(label.name.to_string()).or_default();
            known.insert(label.value.to_string());
        }
    };
    match format {
        BodyFormat::Text(format) => {
            let mut parser = Parser::new(body, format).ok()?;
            while let Ok(Some(entry)) = parser.next_entry() {
                if let Entry::Sample(line) = entry {
                    count(&line.series.labels().ok()?);
                }
            }
        }
        BodyFormat::Protobuf => {
            let read = read_families(body, HistogramOptions::default(), |scraped| {
                if let Scraped::Point(point) = scraped {
                    count(&point.labels()?);
                }
                Ok(())
            });
            read.ok()?;
        }
    }
    let counted = values
        .into_iter()
        .map(|(name, values)| (name, values.len()));
    counted.max_by_key(|(_, n)| *n)
}

/// The limit that a failed scrape exceeded, for the metrics.
pub(super) fn exceeded(why: &str) -> Option<&'static str> {
    let limits = [
        (BODY, "body_size_limit"),
        (SAMPLES, "sample_limit"),
        (BUCKETS, "native_histogram_bucket_limit"),
        ("series_limit exceeded", "series_limit"),
        ("target_limit exceeded", "target_limit"),
        ("label_limit exceeded", "label_limit"),
        ("label_name_length_limit exceeded", "label_limit"),
        ("label_value_length_limit exceeded", "label_limit"),
    ];
    let found = limits.iter().find(|(text, _)| why.starts_with(text));
    found.map(|(_, name)| *name)
}

/// Characters of a name or value that a message shows.
const CHARS_SHOWN: usize = 50;

/// A histogram within the limits of its job, made coarser if needed.
pub(super) fn histogram(
    mut histogram: Histogram,
    limits: &ScrapeLimits,
) -> Result<Histogram, String> {
    if let Some(finest) = limits.histogram_schema {
        histogram = reduce(histogram, finest);
    }
    match limits.histogram_buckets {
        None => Ok(histogram),
        Some(limit) => limit_buckets(histogram, limit).ok_or_else(|| BUCKETS.to_owned()),
    }
}
