//! Metrics of this process in the text format of OpenMetrics, for those who scrape.
//!
//! *Sources*: OpenMetrics 1.0.

use std::fmt::Write as _;

use crate::cells::{Kind, upper_bound};
use crate::metric::{Metric, Metrics, Series};

/// All there is, sorted by name and labels, with `# EOF` at its end.
#[must_use]
pub fn expose(metrics: &Metrics) -> String {
    let mut out = String::new();
    let mut before: Option<&Metric> = None;
    for (series, total) in metrics.totals() {
        let metric = series.metric();
        let name = family(metric);
        if before.is_none_or(|it| !std::ptr::eq(it, metric)) {
            write_head(metric, &name, &mut out);
            before = Some(metric);
        }
        let labels = labels(series);
        match metric.kind() {
            Kind::Counter => line(&mut out, &name, "_total", &labels, "", total.value),
            Kind::Gauge => line(&mut out, &name, "", &labels, "", total.value),
            Kind::Histogram => {
                let mut count = total.n_zeros;
                for (bucket, n) in &total.buckets {
                    count += n;
                    let bound = format!("le=\"{:?}\"", upper_bound(*bucket));
                    line(&mut out, &name, "_bucket", &labels, &bound, count as f64);
                }
                line(
                    &mut out,
                    &name,
                    "_bucket",
                    &labels,
                    "le=\"+Inf\"",
                    count as f64,
                );
                line(&mut out, &name, "_count", &labels, "", count as f64);
                line(&mut out, &name, "_sum", &labels, "", total.value);
            }
        }
    }
    out.push_str("# EOF\n");
    out
}

fn write_head(metric: &Metric, name: &str, out: &mut String) {
    let description = metric
        .description()
        .replace('\\', "\\\\")
        .replace('\n', "\\n");
    let _ = writeln!(out, "# TYPE {name} {}", metric.kind().name());
    let unit = unit_word(&metric.unit);
    if !unit.is_empty() {
        let _ = writeln!(out, "# UNIT {name} {unit}");
    }
    if !description.is_empty() {
        let _ = writeln!(out, "# HELP {name} {description}");
    }
}

fn line(out: &mut String, name: &str, ending: &str, labels: &str, bound: &str, value: f64) {
    let comma = if labels.is_empty() || bound.is_empty() {
        ""
    } else {
        ","
    };
    let _ = match labels.len() + bound.len() {
        0 => writeln!(out, "{name}{ending} {value:?}"),
        _ => writeln!(out, "{name}{ending}{{{labels}{comma}{bound}}} {value:?}"),
    };
}

/// `http.server.request.duration` in `s` is `http_server_request_duration_seconds`, as the server
/// names it.
fn family(metric: &Metric) -> String {
    let mut name = plain(&metric.name);
    let unit = unit_word(&metric.unit);
    if !unit.is_empty() && !name.ends_with(unit) {
        name = format!("{name}_{unit}");
    }
    match name.strip_suffix("_total") {
        Some(short) if metric.kind() == Kind::Counter => short.to_owned(),
        _ => name,
    }
}

fn unit_word(unit: &str) -> &str {
    match unit {
        "s" => "seconds",
        "ms" => "milliseconds",
        "By" => "bytes",
        _ => "",
    }
}

fn plain(name: &str) -> String {
    let is_fine = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let mut plain: String = name
        .chars()
        .map(|it| if is_fine(it) { it } else { '_' })
        .collect();
    if plain.starts_with(|it: char| it.is_ascii_digit()) {
        plain.insert(0, '_');
    }
    plain
}

fn labels(series: &Series) -> String {
    let pairs = series.labels().iter().map(|(name, value)| {
        let value = value
            .replace('\\', "\\\\")
            .replace('"', "\\\"")
            .replace('\n', "\\n");
        format!("{}=\"{value}\"", plain(name))
    });
    pairs.collect::<Vec<_>>().join(",")
}
