//! Names of metrics and labels: OpenTelemetry's made Prometheus's.
//!
//! *Sources*: OpenTelemetry, "Prometheus and OpenMetrics Compatibility"; `prometheus/otlptranslator`,
//! as behaviour.

use std::borrow::Cow;

use super::Naming;

/// What a metric's name depends on besides its text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NameKind {
    /// A sum that only grows.
    Counter,
    Gauge,
    Other,
}

/// The name of a metric.
///
/// # Errors
/// When nothing is left of it.
pub(super) fn metric_name(
    name: &str,
    unit: &str,
    kind: NameKind,
    naming: Naming,
) -> Result<String, String> {
    let named = match (naming.is_utf8, naming.has_suffixes) {
        (true, false) => name.to_owned(),
        (true, true) => with_suffixes(name, unit, kind),
        (false, true) => escaped_with_suffixes(name, unit, kind),
        (false, false) => escaped(name),
    };
    if named.is_empty() {
        return Err(format!(
            "normalization for metric {name:?} resulted in empty name"
        ));
    }
    if !naming.is_utf8 && named != name && named.bytes().all(|byte| byte == b'_') {
        return Err(format!(
            "normalization for metric {name:?} resulted in invalid name {named:?}"
        ));
    }
    Ok(named)
}

fn escaped(name: &str) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric() && c != ':' && c != '_');
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    after_no_digit(words.join("_"))
}

/// The name of a label.
pub(super) fn label_name(name: &str, naming: Naming) -> Cow<'_, str> {
    if naming.is_utf8 || name.is_empty() {
        return Cow::Borrowed(name);
    }
    let escaped = match naming.keeps_underscores {
        true => each_escaped(name),
        false => Cow::Owned(collapsed(name)),
    };
    if escaped.starts_with(|c: char| c.is_ascii_digit()) {
        Cow::Owned(format!("key_{escaped}"))
    } else if naming.prefixes_underscores && escaped.starts_with('_') && !escaped.starts_with("__")
    {
        Cow::Owned(format!("key{escaped}"))
    } else {
        escaped
    }
}

/// Each character that a label must not have becomes `_`.
fn each_escaped(name: &str) -> Cow<'_, str> {
    let is_fine = |c: char| c.is_ascii_alphanumeric() || c == '_';
    match name.chars().all(is_fine) {
        true => Cow::Borrowed(name),
        false => name
            .chars()
            .map(|c| if is_fine(c) { c } else { '_' })
            .collect(),
    }
}

/// Each run of characters that are no letters or digits becomes one `_`, but for the ends of a name
/// that is reserved: `__…__`.
fn collapsed(name: &str) -> String {
    let inner = name.strip_prefix("__").and_then(|it| it.strip_suffix("__"));
    let edge = if inner.is_some() { "__" } else { "" };
    let mut escaped = edge.to_owned();
    let mut is_run = false;
    for c in inner.unwrap_or(name).chars() {
        let is_fine = c.is_ascii_alphanumeric();
        if is_fine {
            escaped.push(c);
        } else if !is_run {
            escaped.push('_');
        }
        is_run = !is_fine;
    }
    escaped + edge
}

/// A suffix that is there already moves to its place: unit, rate, kind.
fn with_suffixes(name: &str, unit: &str, kind: NameKind) -> String {
    let (main, per) = unit_suffixes(unit);
    let last = last_suffix(unit, kind);
    let base = without_suffix(without_suffix(name, last), &per);
    let main = if base.ends_with(&*main) { "" } else { &*main };
    let mut named = base.to_owned();
    for suffix in [main, &*per, last] {
        if !suffix.is_empty() {
            named += &format!("_{suffix}");
        }
    }
    named
}

/// What tells the kind of a metric, and stands last.
fn last_suffix(unit: &str, kind: NameKind) -> &'static str {
    match kind {
        NameKind::Counter => "total",
        NameKind::Gauge if unit == "1" => "ratio",
        _ => "",
    }
}

/// A name without a suffix and the character before it, unless nothing would be left.
fn without_suffix<'n>(name: &'n str, suffix: &str) -> &'n str {
    let Some(rest) = name.strip_suffix(suffix).filter(|_| !suffix.is_empty()) else {
        return name;
    };
    let mut chars = rest.chars();
    match chars.next_back() {
        Some(_) if !chars.as_str().is_empty() => chars.as_str(),
        _ => name,
    }
}

fn escaped_with_suffixes(name: &str, unit: &str, kind: NameKind) -> String {
    let words = name.split(|c: char| !c.is_ascii_alphanumeric() && c != ':');
    let mut words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let (main, per) = unit_suffixes(unit);
    let (mut main, mut per) = (clean_unit(&main), clean_unit(&per));
    if words.contains(&&*main) {
        main.clear();
    }
    if per == "per_" {
        per.clear();
    }
    per.truncate(per.strip_suffix('_').unwrap_or(&per).len());
    if words.contains(&&*per) {
        per.clear();
    }
    if !per.is_empty() {
        main.truncate(main.strip_suffix('_').unwrap_or(&main).len());
    }
    words.extend([&*main, &*per].into_iter().filter(|word| !word.is_empty()));
    let last = last_suffix(unit, kind);
    if !last.is_empty() {
        words.retain(|word| *word != last);
        words.push(last);
    }
    after_no_digit(words.join("_"))
}

/// A unit as a label says it: `By/s` is `bytes_per_second`.
pub(super) fn unit_name(unit: &str, naming: Naming) -> String {
    let (main, per) = unit_suffixes(unit);
    let (main, per) = match naming.is_utf8 {
        true => (main.into_owned(), per.into_owned()),
        false => (clean_unit(&main), clean_unit(&per)),
    };
    let name = match (&*main, &*per) {
        (main, "") => main.to_owned(),
        ("", per) => per.to_owned(),
        (main, per) => format!("{main}_{per}"),
    };
    let name = name.strip_prefix('_').unwrap_or(&name);
    name.strip_suffix('_').unwrap_or(name).to_owned()
}

/// A name must not begin with a digit.
fn after_no_digit(name: String) -> String {
    if name.starts_with(|c: char| c.is_ascii_digit()) {
        format!("_{name}")
    } else {
        name
    }
}

/// What a unit such as `By/s` is called behind a name: `bytes` and `per_second`.
fn unit_suffixes(unit: &str) -> (Cow<'_, str>, Cow<'_, str>) {
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    // What stands in braces is a remark.
    let known = |text: &'_ str| !text.is_empty() && !text.contains(['{', '}']);
    let (main, per) = (main.trim(), per.trim());
    let main = if known(main) {
        look_up(&UNITS, main)
    } else {
        ""
    };
    let per = if known(per) {
        look_up(&PER_UNITS, per)
    } else {
        ""
    };
    let per = match per {
        "" => Cow::Borrowed(""),
        per => Cow::Owned(format!("per_{per}")),
    };
    (Cow::Borrowed(main), per)
}

fn look_up<'u>(table: &[(&str, &'static str)], unit: &'u str) -> &'u str {
    let found = table.iter().find(|(short, _)| *short == unit);
    found.map_or(unit, |(_, long)| long)
}

/// A unit as a part of a name: everything else is an underscore, and never two of them.
fn clean_unit(unit: &str) -> String {
    let mut clean = String::with_capacity(unit.len());
    for c in unit.chars() {
        if c.is_ascii_alphanumeric() || c == ':' {
            clean.push(c);
        } else if !clean.ends_with('_') {
            clean.push('_');
        }
    }
    match clean.strip_prefix('_') {
        Some(rest) => rest.to_owned(),
        None => clean,
    }
}

const UNITS: [(&str, &str); 26] = [
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("1", ""),
    ("%", "percent"),
];

const PER_UNITS: [(&str, &str); 7] = [
    ("s", "second"),
    ("m", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_spelled_out_for_labels() {
        for (unit, expected) in [
            ("By/s", "bytes_per_second"),
            ("1", ""),
            ("{request}", ""),
            ("{request}/m", "per_minute"),
            ("°C", "C"),
            ("ms", "milliseconds"),
        ] {
            let naming = crate::otlp::Options::default().naming;
            assert_eq!(unit_name(unit, naming), expected, "{unit}");
        }
    }

    #[test]
    fn metrics_are_named_as_each_strategy_says() {
        use NameKind::{Counter, Gauge, Other};
        for (name, unit, kind, escaped, plain_escaped, utf8) in [
            ("a.b", "s", Gauge, "a_b_seconds", "a_b", "a.b_seconds"),
            ("a", "1", Gauge, "a_ratio", "a", "a_ratio"),
            (
                "ratio.a.ratio",
                "1",
                Gauge,
                "a_ratio",
                "ratio_a_ratio",
                "ratio.a_ratio",
            ),
            (
                "total.x",
                "1",
                Counter,
                "x_total",
                "total_x",
                "total.x_total",
            ),
            (
                "x_total",
                "By/s",
                Counter,
                "x_bytes_per_second_total",
                "x_total",
                "x_bytes_per_second_total",
            ),
            ("x", "{a}/m", Other, "x_per_minute", "x", "x_per_minute"),
            ("x", "/h", Other, "x_per_hour", "x", "x_per_hour"),
            (
                "x_seconds",
                "s",
                Other,
                "x_seconds",
                "x_seconds",
                "x_seconds",
            ),
            ("5xx", "", Gauge, "_5xx", "_5xx", "5xx"),
            ("a__b..c", "", Gauge, "a_b_c", "a__b_c", "a__b..c"),
            (
                "a:b",
                "weird unit",
                Other,
                "a:b_weird_unit",
                "a:b",
                "a:b_weird unit",
            ),
        ] {
            for (is_utf8, has_suffixes, expected) in [
                (false, true, escaped),
                (false, false, plain_escaped),
                (true, true, utf8),
                (true, false, name),
            ] {
                let naming = Naming {
                    is_utf8,
                    has_suffixes,
                    ..crate::otlp::Options::default().naming
                };
                let named = metric_name(name, unit, kind, naming);
                assert_eq!(named.as_deref(), Ok(expected), "{name} {naming:?}");
            }
        }
        let naming = Naming {
            is_utf8: false,
            has_suffixes: true,
            ..crate::otlp::Options::default().naming
        };
        assert!(metric_name("...", "", Other, naming).is_err());
    }

    #[test]
    fn labels_begin_with_a_letter() {
        let naming = Naming {
            is_utf8: false,
            has_suffixes: true,
            ..crate::otlp::Options::default().naming
        };
        for (name, expected) in [
            ("http.route", "http_route"),
            ("_a", "key_a"),
            ("__a", "__a"),
            ("1a", "key_1a"),
            ("größe", "gr__e"),
            ("a..b", "a__b"),
        ] {
            assert_eq!(label_name(name, naming), expected);
        }
    }
}
