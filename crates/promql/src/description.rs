//! Series as tests write them: `http_requests{job="api"} 0+10x5 _ stale 7`.
//!
//! *Sources*: Prometheus, "Unit testing for rules", `promql/parser/generated_parser.y`,
//! `series_description`.

mod histogram;

use std::sync::Arc;

use firebell_model::{Histogram, Labels, STALE_NAN};

use crate::ast::{Node, Selector};
use crate::literal;
use crate::parse::parse;

/// A value of a described series at one interval.
#[derive(Clone, PartialEq, Debug)]
pub enum Described {
    /// `_`: no sample.
    Nothing,
    /// A sample.
    Value(f64),
    /// A native histogram.
    Histogram {
        /// It.
        histogram: Arc<Histogram>,
        /// Whether the text named a hint on counter resets.
        has_hint: bool,
    },
}

/// Reads a line such as `up{job="api"} 1 1 0x3 _ stale`.
///
/// # Errors
/// What is wrong, in one line.
pub fn series_description(line: &str) -> Result<(Labels, Vec<Described>), String> {
    let split = labels_end(line);
    let labels = labels(line[..split].trim())?;
    Ok((labels, values(line[split..].trim())?))
}

/// Reads labels such as `up{job="api"}` or `{job="api"}`.
///
/// # Errors
/// What is wrong, in one line.
pub fn labels(text: &str) -> Result<Labels, String> {
    if text.is_empty() || text == "{}" {
        return Ok(Labels::empty());
    }
    // A matcher that nobody else uses makes a selector of what could be empty otherwise.
    let expr = parse(text).or_else(|error| {
        let inner = text.strip_suffix('}').ok_or_else(|| error.clone())?;
        let comma = if inner.trim_end().ends_with(['{', ',']) {
            ""
        } else {
            ","
        };
        parse(&format!("{inner}{comma}{GUARD}=\"x\"}}"))
    });
    let expr = expr.map_err(|error| error.to_string())?;
    let Node::Selector(selector) = &expr.node else {
        return Err(format!("`{text}` is no label set"));
    };
    let Selector { matchers, .. } = selector;
    let mut builder = Labels::empty().to_builder();
    for matcher in matchers {
        if matcher.op() != firebell_model::MatchOp::Equal {
            return Err(format!("`{matcher}` sets no label"));
        }
        builder.set(matcher.name(), matcher.value());
    }
    builder.remove(GUARD);
    Ok(builder.build())
}

/// Where the labels end: at the closing brace, or at the first blank of a bare name.
fn labels_end(line: &str) -> usize {
    let mut quote = None;
    let mut is_escaped = false;
    let mut is_in_braces = false;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some(_), _) if is_escaped => is_escaped = false,
            (Some('"' | '\''), '\\') => is_escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '{') => is_in_braces = true,
            (None, '}') => return at + 1,
            (None, ' ' | '\t') if !is_in_braces => {
                // Upstream lets blanks stand before the braces.
                let rest = line[at..].trim_start();
                if !rest.starts_with('{') || rest.starts_with("{{") {
                    return at;
                }
            }
            _ => {}
        }
    }
    line.len()
}

/// Reads a sequence of values such as `1 2x3 4+1x2 _x5 stale`.
///
/// # Errors
/// What is wrong, in one line.
pub fn values(text: &str) -> Result<Vec<Described>, String> {
    let mut all = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = item_end(rest);
        item(&rest[..end], &mut all)?;
        rest = rest[end..].trim_start();
    }
    Ok(all)
}

/// An item ends at a blank outside of a histogram's braces.
fn item_end(text: &str) -> usize {
    let mut depth = 0_i32;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ' ' | '\t' if depth <= 0 => return at,
            _ => {}
        }
    }
    text.len()
}

fn item(text: &str, all: &mut Vec<Described>) -> Result<(), String> {
    let failed = || format!("`{text}` is no series value");
    let repeat = |times: &str| -> Result<usize, String> {
        let n: usize = times.parse().map_err(|_| failed())?;
        if n > REPEAT_MAX {
            return Err(format!("`{text}` repeats more than {REPEAT_MAX} times"));
        }
        Ok(n)
    };
    if text.starts_with("{{") {
        return histogram::item(text, repeat, all);
    }
    if let Some(times) = text.strip_prefix('_') {
        let n = match times.strip_prefix('x') {
            Some(times) => repeat(times)?,
            None if times.is_empty() => 1,
            None => return Err(failed()),
        };
        all.extend(std::iter::repeat_n(Described::Nothing, n));
        return Ok(());
    }
    if text == "stale" {
        all.push(Described::Value(STALE_NAN));
        return Ok(());
    }
    let Some((series, times)) = text.rsplit_once('x') else {
        all.push(Described::Value(number(text).ok_or_else(failed)?));
        return Ok(());
    };
    let n = repeat(times)?;
    // The sign that parts start and increment is the last that belongs to no exponent.
    let parts = series
        .char_indices()
        .skip(1)
        .filter(|(at, c)| matches!(c, '+' | '-') && !is_exponent(series, *at));
    let mut starts = parts
        .map(|(at, _)| at)
        .map(|at| (&series[..at], &series[at..]));
    let (start, increment) = match starts.next() {
        Some((start, increment)) => (number(start), number(increment)),
        None if series == "stale" => (Some(STALE_NAN), Some(0.0)),
        None => (number(series), Some(0.0)),
    };
    let (mut value, increment) = (start.ok_or_else(failed)?, increment.ok_or_else(failed)?);
    for _ in 0..=n {
        all.push(Described::Value(value));
        // A marker must stay what it is.
        if increment != 0.0 {
            value += increment;
        }
    }
    Ok(())
}

fn is_exponent(text: &str, sign_at: usize) -> bool {
    let before = text.as_bytes()[sign_at - 1];
    matches!(before, b'e' | b'E') && !text.starts_with("0x")
}

fn number(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned.starts_with(['+', '-']) {
        return None;
    }
    let value = literal::number(unsigned).ok()?;
    Some(if text.starts_with('-') { -value } else { value })
}

/// The labels of a metric that has none: see [`labels`].
const GUARD: &str = "__firebell_guard__";
pub(crate) const REPEAT_MAX: usize = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn described_series_read_as_upstream_reads_them() {
        let shown = |line: &str| match series_description(line) {
            Ok((labels, values)) => {
                let values = values.iter().map(|value| match value {
                    Described::Nothing => "_".to_owned(),
                    Described::Value(value) if firebell_model::is_stale(*value) => "stale".into(),
                    Described::Value(value) => value.to_string(),
                    Described::Histogram { histogram, .. } => histogram.to_string(),
                });
                format!("{labels} {}", values.collect::<Vec<_>>().join(" "))
            }
            Err(error) => error,
        };
        for (line, expected) in [
            ("up 1 2x2 _x2 stale", "up 1 2 2 2 _ _ stale"),
            (
                "up{job=\"a b\"} 1+2x2 -1-1x1",
                "up{job=\"a b\"} 1 3 5 -1 -2",
            ),
            ("{} NaN Inf -Inf 1e-3", "{} NaN inf -inf 0.001"),
            ("{__name__=\"x\"} 1e+2x1", "x 100 100"),
            (
                "h {{schema:0 sum:1 buckets:[1 2]}}x1 1",
                "h {count:0, sum:1, (0.5,1]:1, (1,2]:2} {count:0, sum:1, (0.5,1]:1, (1,2]:2} 1",
            ),
            (
                "h {{count:1 z_bucket:1 z_bucket_w:0.5}}+{{count:2 n_buckets:[2] n_offset:1}}x1",
                "h {count:1, sum:0, [-0.5,0.5]:1} {count:3, sum:0, [-2,-1):2, [-0.5,0.5]:1}",
            ),
            (
                "h {{schema:-53 custom_values:[1 5] buckets:[1] offset:1}}",
                "h {count:0, sum:0, (1,5]:1}",
            ),
            ("x {a=\"b\"} 1", "x{a=\"b\"} 1"),
            ("x{a=\"\"} 1", "x 1"),
            ("{a=\"\"} 1", "{} 1"),
            ("x 1y", "`1y` is no series value"),
            ("x {{summ:1}}", "`summ` is nothing known of a histogram"),
        ] {
            assert_eq!(shown(line), expected, "{line}");
        }
    }
}
