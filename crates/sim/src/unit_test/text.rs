//! Values in upstream's forms of text.

use std::path::{Component, Path, PathBuf};

use firebell_model::{
    Buckets, Histogram, Labels, Quoted, ResetHint, format_float, format_float_exponent,
    format_float_general, is_valid_label_name,
};

/// `{__name__="up", job="api"}`: all labels within the braces.
pub(super) fn labels(labels: &Labels) -> String {
    let pairs = labels.iter().map(|label| {
        let value = Quoted(&label.value);
        if is_valid_label_name(&label.name) {
            format!("{}={value}", label.name)
        } else {
            format!("{}={value}", Quoted(&label.name))
        }
    });
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
}

/// `1.5E+00`: Go's `FormatFloat(value, 'E', -1, 64)`.
pub(super) fn float(value: f64) -> String {
    if value.is_finite() {
        format_float_exponent(value).to_uppercase()
    } else {
        format_float_exponent(value)
    }
}

/// `1h0m0s`: Go's form of a time since the epoch.
pub(super) fn go_duration(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let ms = ms.unsigned_abs();
    if ms == 0 {
        return "0s".to_owned();
    }
    if ms < 1000 {
        return format!("{sign}{ms}ms");
    }
    let (hours, minutes) = (ms / 3_600_000, ms / 60_000 % 60);
    let secs = format_float((ms % 60_000) as f64 / 1000.0);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{secs}s"),
        (0, _) => format!("{sign}{minutes}m{secs}s"),
        _ => format!("{sign}{hours}h{minutes}m{secs}s"),
    }
}

/// A text whose lines after the first are indented.
pub(super) fn indented(text: &str, indent: &str) -> String {
    text.replace('\n', &format!("\n{indent}"))
}

/// A path without `.` and without `..` where that can be resolved by its text.
pub(super) fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(cleaned.components().next_back(), Some(Component::Normal(_))) =>
            {
                cleaned.pop();
            }
            component => cleaned.push(component),
        }
    }
    cleaned
}

/// `{{schema:1 count:2 sum:3 buckets:[1 1]}}`: a histogram as tests write it.
pub(super) fn histogram(histogram: &Histogram) -> String {
    let mut parts = Vec::new();
    if histogram.schema != 0 {
        parts.push(format!("schema:{}", histogram.schema));
    }
    for (key, value) in [
        ("count", histogram.count),
        ("sum", histogram.sum),
        ("z_bucket", histogram.zero_count),
        ("z_bucket_w", histogram.zero_threshold),
    ] {
        if value != 0.0 {
            parts.push(format!("{key}:{}", format_float_general(value)));
        }
    }
    if histogram.has_custom_buckets() {
        parts.push(format!("custom_values:{}", list(&histogram.custom_bounds)));
    }
    match histogram.reset_hint {
        ResetHint::Unknown => {}
        ResetHint::Reset => parts.push("counter_reset_hint:reset".to_owned()),
        ResetHint::NotReset => parts.push("counter_reset_hint:not_reset".to_owned()),
        ResetHint::Gauge => parts.push("counter_reset_hint:gauge".to_owned()),
    }
    for (buckets, offset_key, key) in [
        (&histogram.positive, "offset", "buckets"),
        (&histogram.negative, "n_offset", "n_buckets"),
    ] {
        let (offset, counts) = compact(buckets);
        if counts.is_empty() {
            continue;
        }
        if offset != 0 {
            parts.push(format!("{offset_key}:{offset}"));
        }
        parts.push(format!("{key}:{}", list(&counts)));
    }
    format!("{{{{{}}}}}", parts.join(" "))
}

fn list(values: &[f64]) -> String {
    let values = values.iter().map(|value| format_float_general(*value));
    format!("[{}]", values.collect::<Vec<_>>().join(" "))
}

/// The buckets as one run without empty ones at its ends, and the index of the first.
fn compact(buckets: &Buckets) -> (i64, Vec<f64>) {
    let (mut next, mut counts) = (0_i64, buckets.counts.iter());
    let mut filled: Vec<(i64, f64)> = Vec::new();
    for span in &buckets.spans {
        next += i64::from(span.offset);
        for _ in 0..span.length {
            if let Some(count) = counts.next().filter(|count| **count != 0.0) {
                filled.push((next, *count));
            }
            next += 1;
        }
    }
    let (Some(&(first, _)), Some(&(last, _))) = (filled.first(), filled.last()) else {
        return (0, Vec::new());
    };
    let n = usize::try_from(last - first + 1).unwrap_or(usize::MAX);
    let mut run = vec![0.0; n.min(BUCKETS_MAX)];
    for (idx, count) in filled {
        if let Some(slot) = usize::try_from(idx - first)
            .ok()
            .and_then(|idx| run.get_mut(idx))
        {
            *slot = count;
        }
    }
    (first, run)
}

/// Spans may lie any distance apart; what is further away is not shown.
const BUCKETS_MAX: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use firebell_promql::description::{Described, values};

    use super::*;

    #[test]
    fn durations_and_floats_are_as_go_prints_them() {
        for (ms, expected) in [
            (0, "0s"),
            (500, "500ms"),
            (60_000, "1m0s"),
            (3_600_000, "1h0m0s"),
            (90_061_500, "25h1m1.5s"),
            (-1000, "-1s"),
        ] {
            assert_eq!(go_duration(ms), expected);
        }
        for (value, expected) in [
            (1.0, "1E+00"),
            (0.00012, "1.2E-04"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(float(value), expected);
        }
        assert_eq!(clean(Path::new("./a/../b/./c.yml")), Path::new("b/c.yml"));
    }

    #[test]
    fn histograms_are_shown_as_they_are_written() {
        for text in [
            "{{}}",
            "{{schema:1 count:32.1 sum:-0.3 z_bucket:7.1 z_bucket_w:0.05 offset:-3 buckets:[5.1 10 7] n_offset:-5 n_buckets:[4.1 5]}}",
            "{{schema:-53 count:2 sum:3 custom_values:[1 5] counter_reset_hint:gauge buckets:[1 0 1]}}",
        ] {
            let described = values(text).unwrap();
            let Described::Histogram { histogram: it, .. } = &described[0] else {
                panic!("{text}");
            };
            assert_eq!(histogram(it), text);
        }
    }
}
