//! When counters began, as OpenMetrics says it: lines `…_created` beside those of the metric.
//!
//! *Sources*: the OpenMetrics 1.0 specification, "Created"; Prometheus,
//! `model/textparse/openmetricsparse.go`, as behaviour.

use std::collections::HashMap;

use firebell_model::{Labels, METRIC_NAME, MetricKind, Timestamp};

use super::{Entry, ExpositionError, Format, Parser, SampleLine};

/// When the metrics of a body began.
#[derive(Debug, Default)]
pub struct CreatedTimes(HashMap<Labels, Timestamp>);

impl CreatedTimes {
    /// Reads the `_created` lines of a body; there are none in other formats than OpenMetrics.
    ///
    /// # Errors
    /// When the body is malformed.
    pub fn read(body: &[u8], format: Format) -> Result<Self, ExpositionError> {
        let mut times = HashMap::new();
        let says_so = body
            .windows(CREATED.len())
            .any(|part| part == CREATED.as_bytes());
        if format != Format::OpenMetrics || !says_so {
            return Ok(Self(times));
        }
        let mut parser = Parser::new(body, format)?;
        while let Some(entry) = parser.next_entry()? {
            if let Entry::Sample(line) = entry
                && Self::is_one(&line)
                && let Some(key) = key(&line)
                && line.value.is_finite()
            {
                times.insert(key, Timestamp((line.value * 1000.0) as i64));
            }
        }
        Ok(Self(times))
    }

    /// Whether a line says nothing but when its metric began.
    #[must_use]
    pub fn is_one(line: &SampleLine<'_, '_>) -> bool {
        has_beginning(line) && line.series.metric().ends_with(CREATED)
    }

    /// When the metric began that the line is of.
    #[must_use]
    pub fn of(&self, line: &SampleLine<'_, '_>) -> Option<Timestamp> {
        if self.0.is_empty() || !has_beginning(line) {
            return None;
        }
        self.0.get(&key(line)?).copied()
    }

    /// When the metric began that has these labels and no suffix.
    #[must_use]
    pub fn of_labels(&self, labels: &Labels) -> Option<Timestamp> {
        self.0.get(labels).copied()
    }
}

fn has_beginning(line: &SampleLine<'_, '_>) -> bool {
    use MetricKind::{Counter, Histogram, Summary};
    matches!(line.series.kind, Counter | Histogram | Summary)
}

/// The labels of the metric that a line is of, without a suffix and what tells its lines apart.
/// `None` for a series that is spelled twice, which fails the scrape elsewhere.
fn key(line: &SampleLine<'_, '_>) -> Option<Labels> {
    let labels = line.series.labels().ok()?;
    let metric = labels.metric_name();
    let suffixes = [CREATED, "_total", "_bucket", "_count", "_sum"];
    let base = suffixes
        .iter()
        .find_map(|suffix| metric.strip_suffix(suffix));
    let mut builder = labels.to_builder();
    builder.set(METRIC_NAME, base.unwrap_or(metric));
    builder.remove(match line.series.kind {
        MetricKind::Summary => "quantile",
        _ => "le",
    });
    Some(builder.build())
}

const CREATED: &str = "_created";
