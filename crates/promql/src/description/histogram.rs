//! Native histograms as tests write them: `{{schema:1 sum:3 count:2 buckets:[1 1]}}`.
//!
//! *Sources*: Prometheus, `promql/promqltest/README.md`; `promql/parser/parse.go`,
//! `buildHistogramFromMap`.

use std::sync::Arc;

use firebell_model::{BucketSpan, Buckets, Histogram, ResetHint};

use super::{Described, number};

/// Reads one or several histograms: `{{…}}`, `{{…}}x3`, `{{…}}+{{…}}x3`, `{{…}}-{{…}}x3`.
pub(super) fn item(
    text: &str,
    repeat: impl Fn(&str) -> Result<usize, String>,
    all: &mut Vec<Described>,
) -> Result<(), String> {
    let failed = || format!("`{text}` is no series value");
    let split = |text: &str| -> Option<(String, String)> {
        let (inner, rest) = text.strip_prefix("{{")?.split_once("}}")?;
        Some((inner.to_owned(), rest.to_owned()))
    };
    let (inner, rest) = split(text).ok_or_else(failed)?;
    let (first, has_hint) = histogram(&inner)?;
    let described = |histogram: &Histogram| Described::Histogram {
        histogram: Arc::new(histogram.clone()),
        has_hint,
    };
    all.push(described(&first));
    if rest.is_empty() {
        return Ok(());
    }
    if let Some(times) = rest.strip_prefix('x') {
        all.extend(std::iter::repeat_n(described(&first), repeat(times)?));
        return Ok(());
    }
    let sign = rest.chars().next().ok_or_else(failed)?;
    let (inner, rest) = split(&rest[sign.len_utf8()..]).ok_or_else(failed)?;
    let (increment, _) = histogram(&inner)?;
    let times = repeat(rest.strip_prefix('x').ok_or_else(failed)?)?;
    let mut current = first;
    for _ in 0..times {
        if current.schema > increment.schema {
            return Err(format!(
                "error combining histograms: cannot merge from schema {} to {}",
                increment.schema, current.schema
            ));
        }
        let done = match sign {
            '+' => current.add(&increment),
            '-' => current.sub(&increment),
            _ => return Err(failed()),
        };
        done.map_err(|error| error.to_string())?;
        all.push(described(&current));
    }
    Ok(())
}

/// Reads what stands between the braces, and whether a hint is among it.
fn histogram(text: &str) -> Result<(Histogram, bool), String> {
    let mut histogram = Histogram::default();
    let (mut positive, mut negative) = ((0, Vec::new()), (0, Vec::new()));
    let mut has_hint = false;
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (key, after) = rest
            .split_once(':')
            .ok_or_else(|| format!("`{rest}` has no value"))?;
        let end = if after.starts_with('[') {
            after.find(']').map_or(after.len(), |at| at + 1)
        } else {
            after.find(char::is_whitespace).unwrap_or(after.len())
        };
        let (value, next) = after.split_at(end);
        rest = next.trim_start();
        match key {
            "schema" => histogram.schema = whole(value)?,
            "sum" => histogram.sum = float(value)?,
            "count" => histogram.count = float(value)?,
            "z_bucket" => histogram.zero_count = float(value)?,
            "z_bucket_w" => histogram.zero_threshold = float(value)?,
            "custom_values" => histogram.custom_bounds = list(value)?.into(),
            "buckets" => positive.1 = list(value)?,
            "offset" => positive.0 = whole(value)?,
            "n_buckets" => negative.1 = list(value)?,
            "n_offset" => negative.0 = whole(value)?,
            "counter_reset_hint" => {
                has_hint = true;
                histogram.reset_hint = hint(value)?;
            }
            _ => return Err(format!("`{key}` is nothing known of a histogram")),
        }
    }
    let side = |(offset, counts): (i32, Vec<f64>)| Buckets {
        spans: match counts.len() as u32 {
            0 => Vec::new(),
            length => vec![BucketSpan { offset, length }],
        },
        counts,
    };
    histogram.positive = side(positive);
    histogram.negative = side(negative);
    Ok((histogram, has_hint))
}

fn float(text: &str) -> Result<f64, String> {
    number(text).ok_or_else(|| format!("`{text}` is no number"))
}

fn whole<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no whole number that fits"))
}

fn list(text: &str) -> Result<Vec<f64>, String> {
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    let inner = inner.ok_or_else(|| format!("`{text}` is no list"))?;
    inner.split_whitespace().map(float).collect()
}

fn hint(text: &str) -> Result<ResetHint, String> {
    Ok(match text {
        "unknown" => ResetHint::Unknown,
        "reset" => ResetHint::Reset,
        "not_reset" => ResetHint::NotReset,
        "gauge" => ResetHint::Gauge,
        _ => return Err(format!("`{text}` is no hint on counter resets")),
    })
}
