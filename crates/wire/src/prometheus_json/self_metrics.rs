//! A program's own metrics as JSON: `io.prometheus.client.MetricFamily` in protobuf's JSON form.
//!
//! *Sources*: Prometheus, `web/api/v1/api.go`, `selfMetrics`; `client_model`, `metrics.proto`; the
//! JSON form of protobuf, in which 64-bit integers are texts.

use std::collections::BTreeMap;

use firebell_model::{Labels, METRIC_NAME, MetricKind};
use serde_json::{Map, Value, json};

use crate::exposition::{Entry, ExpositionError, Format, Parser};

/// The metric families of a body in the text format 0.0.4, sorted by name, each metric by its labels.
///
/// # Errors
/// When it is not in that format.
pub fn self_metrics(
    text: &str,
    is_wanted: impl Fn(&str) -> bool,
) -> Result<Vec<Value>, ExpositionError> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut current = String::new();
    let mut parser = Parser::new(text.as_bytes(), Format::Text)?;
    while let Some(entry) = parser.next_entry()? {
        match entry {
            Entry::Help { metric, help } => {
                families.entry(metric.into_owned()).or_default().help = help.into_owned();
            }
            Entry::Type { metric, kind } => {
                current = metric.into_owned();
                families.entry(current.clone()).or_default().kind = kind;
            }
            Entry::Unit { .. } => {}
            Entry::Sample(line) => {
                let Ok(labels) = line.series.labels() else {
                    continue;
                };
                let metric = labels.metric_name();
                let suffix = metric.strip_prefix(&*current).filter(|it| {
                    let has_parts = families.get(&current).is_some_and(Family::has_parts);
                    it.is_empty() || (has_parts && PARTS.contains(it))
                });
                match (suffix, families.get_mut(&current)) {
                    (Some(suffix), Some(family)) => family.add(suffix, &labels, line.value),
                    _ => families
                        .entry(metric.to_owned())
                        .or_default()
                        .add("", &labels, line.value),
                }
            }
        }
    }
    let families = families.iter();
    let families = families.filter(|(name, it)| is_wanted(name) && !it.metrics.is_empty());
    Ok(families.map(|(name, it)| it.to_json(name)).collect())
}

/// What may follow the name of a histogram or summary.
const PARTS: [&str; 3] = ["_bucket", "_sum", "_count"];

#[derive(Default)]
struct Family {
    help: String,
    kind: MetricKind,
    metrics: BTreeMap<Labels, Metric>,
}

/// The values of one set of labels.
#[derive(Default)]
struct Metric {
    value: f64,
    sum: f64,
    count: f64,
    /// Bound and count, or quantile and value.
    parts: Vec<(f64, f64)>,
}

impl Family {
    fn has_parts(&self) -> bool {
        matches!(self.kind, MetricKind::Histogram | MetricKind::Summary)
    }

    fn add(&mut self, suffix: &str, labels: &Labels, value: f64) {
        let bound_name = match (suffix, self.kind) {
            ("_bucket", _) => "le",
            ("", MetricKind::Summary) => "quantile",
            _ => "",
        };
        let own = labels.filter(|name| name != METRIC_NAME && name != bound_name);
        let metric = self.metrics.entry(own).or_default();
        match (suffix, labels.value(bound_name).parse()) {
            ("_sum", _) => metric.sum = value,
            ("_count", _) => metric.count = value,
            // The last bucket is the count.
            (_, Ok(f64::INFINITY)) => {}
            (_, Ok(bound)) => metric.parts.push((bound, value)),
            (..) => metric.value = value,
        }
    }

    fn to_json(&self, name: &str) -> Value {
        let kind = match self.kind {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
            MetricKind::Summary => "summary",
            _ => "untyped",
        };
        let metrics = self.metrics.iter().map(|(labels, metric)| {
            let mut shown = Map::new();
            if !labels.is_empty() {
                let pair = |(name, value)| json!({"name": name, "value": value});
                let pairs = labels.iter().map(|it| (&*it.name, &*it.value)).map(pair);
                shown.insert("label".to_owned(), pairs.collect());
            }
            shown.insert(kind.to_owned(), metric.to_json(self.kind));
            Value::Object(shown)
        });
        json!({
            "name": name,
            "help": self.help,
            "type": kind.to_uppercase(),
            "metric": metrics.collect::<Vec<_>>(),
        })
    }
}

impl Metric {
    fn to_json(&self, kind: MetricKind) -> Value {
        let count = |count: f64| (count as u64).to_string();
        let parts = self.parts.iter();
        match kind {
            MetricKind::Histogram => {
                let bucket = |(bound, n): &(f64, f64)| json!({"cumulativeCount": count(*n), "upperBound": double(*bound)});
                json!({
                    "sampleCount": count(self.count),
                    "sampleSum": double(self.sum),
                    "bucket": parts.map(bucket).collect::<Vec<_>>(),
                })
            }
            MetricKind::Summary => {
                let quantile = |(at, value): &(f64, f64)| json!({"quantile": double(*at), "value": double(*value)});
                json!({
                    "sampleCount": count(self.count),
                    "sampleSum": double(self.sum),
                    "quantile": parts.map(quantile).collect::<Vec<_>>(),
                })
            }
            _ => json!({"value": double(self.value)}),
        }
    }
}

/// A number; what JSON has no number for is a text.
fn double(value: f64) -> Value {
    match value {
        f64::INFINITY => "Infinity".into(),
        f64::NEG_INFINITY => "-Infinity".into(),
        value if value.is_nan() => "NaN".into(),
        value if value.fract() == 0.0 && value.abs() < WHOLE_MAX => (value as i64).into(),
        value => value.into(),
    }
}

/// Up to here every whole number is exact.
const WHOLE_MAX: f64 = (1_u64 << 53) as f64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_have_the_form_of_protobuf() {
        let text = "\
# HELP h_seconds How long.
# TYPE h_seconds histogram
h_seconds_bucket{to=\"a\",le=\"0.5\"} 1
h_seconds_bucket{to=\"a\",le=\"+Inf\"} 3
h_seconds_sum{to=\"a\"} 2.5
h_seconds_count{to=\"a\"} 3
# HELP c_total How often.
# TYPE c_total counter
c_total 7
# TYPE s summary
s{quantile=\"0.9\"} NaN
s_sum 1
s_count 2
# TYPE none gauge
# TYPE h_seconds_sum_of gauge
h_seconds_sum_of +Inf
lone 1
";
        let expected = json!([
            {"name": "c_total", "help": "How often.", "type": "COUNTER", "metric": [
                {"counter": {"value": 7}},
            ]},
            {"name": "h_seconds", "help": "How long.", "type": "HISTOGRAM", "metric": [{
                "label": [{"name": "to", "value": "a"}],
                "histogram": {
                    "sampleCount": "3",
                    "sampleSum": 2.5,
                    "bucket": [{"cumulativeCount": "1", "upperBound": 0.5}],
                },
            }]},
            {"name": "h_seconds_sum_of", "help": "", "type": "GAUGE", "metric": [
                {"gauge": {"value": "Infinity"}},
            ]},
            {"name": "lone", "help": "", "type": "UNTYPED", "metric": [{"untyped": {"value": 1}}]},
            {"name": "s", "help": "", "type": "SUMMARY", "metric": [{"summary": {
                "sampleCount": "2",
                "sampleSum": 1,
                "quantile": [{"quantile": 0.9, "value": "NaN"}],
            }}]},
        ]);
        let found = self_metrics(text, |_| true).unwrap();
        assert_eq!(Value::Array(found), expected);
        assert_eq!(self_metrics(text, |it| it == "lone").unwrap().len(), 1);
        assert!(self_metrics("a{", |_| true).is_err());
    }
}
