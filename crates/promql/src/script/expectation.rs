//! What an `eval` command expects, and whether a result meets it.

use std::sync::Arc;

use firebell_model::{
    Duration, Histogram, Labels, Regex, SampleValue, Timestamp, format_float, is_stale,
};

use crate::description::{self, Described};
use crate::value::{Annotation, MatrixSeries, Value};

/// When a command evaluates.
#[derive(Clone, Copy)]
pub(super) enum Moment {
    Instant(Timestamp),
    Range {
        start: Timestamp,
        end: Timestamp,
        step: Duration,
    },
}

/// A text that has to be met.
pub(super) enum Wanted {
    Anything,
    Text(String),
    Regex(Regex),
}

/// An `eval` command with what it expects.
pub(super) struct Eval {
    pub(super) expr: String,
    pub(super) moment: Moment,
    pub(super) fails: Option<Wanted>,
    /// Whether an `expect fail` was read.
    expects_failure: bool,
    warns: Vec<Wanted>,
    informs: Vec<Wanted>,
    warns_not: bool,
    informs_not: bool,
    pub(super) is_ordered: bool,
    /// Start and step of an expected range vector.
    range: Option<(Timestamp, Duration)>,
    string: Option<String>,
    scalar: Option<f64>,
    series: Vec<(Labels, Vec<Described>)>,
}

impl Eval {
    pub(super) fn read(command: &str, block: &[&str]) -> Result<Self, String> {
        let (verb, rest) = command
            .split_once(char::is_whitespace)
            .unwrap_or((command, ""));
        let (moment, expr) = read_moment(rest.trim_start())?;
        let mut eval = Self {
            expr: expr.trim().to_owned(),
            moment,
            fails: (verb == "eval_fail").then_some(Wanted::Anything),
            expects_failure: false,
            warns: Vec::new(),
            informs: Vec::new(),
            warns_not: false,
            informs_not: false,
            is_ordered: verb == "eval_ordered",
            range: None,
            string: None,
            scalar: None,
            series: Vec::new(),
        };
        match verb {
            "eval" | "eval_fail" | "eval_ordered" => {}
            "eval_warn" => eval.warns.push(Wanted::Anything),
            "eval_info" => eval.informs.push(Wanted::Anything),
            _ => return Err("invalid command".to_owned()),
        }
        for line in block {
            eval.expectation(line)?;
        }
        for (kind, has_both) in [
            ("info", eval.informs_not && !eval.informs.is_empty()),
            ("warn", eval.warns_not && !eval.warns.is_empty()),
        ] {
            if has_both {
                return Err(format!(
                    "invalid expect lines, {kind} and no_{kind} cannot be used together"
                ));
            }
        }
        Ok(eval)
    }

    fn expectation(&mut self, line: &str) -> Result<(), String> {
        if let Some(text) = line.strip_prefix("expected_fail_message ") {
            self.fails = Some(Wanted::Text(text.trim().to_owned()));
            return Ok(());
        }
        if let Some(text) = line.strip_prefix("expected_fail_regexp ") {
            self.fails = Some(Wanted::Regex(regex(text.trim())?));
            return Ok(());
        }
        let Some(what) = line.strip_prefix("expect ") else {
            if let Ok(value) = crate::literal::number(line.trim_start_matches(['+', '-'])) {
                let is_minus = line.starts_with('-');
                self.scalar = Some(if is_minus { -value } else { value });
                return Ok(());
            }
            let described = description::series_description(line)?;
            if matches!(self.moment, Moment::Instant(_))
                && described.1.len() > 1
                && self.range.is_none()
            {
                return Err("an instant evaluation has one value of a series".to_owned());
            }
            self.series.push(described);
            return Ok(());
        };
        let what = what.trim_start();
        let (word, rest) = what.split_once(char::is_whitespace).unwrap_or((what, ""));
        match word {
            "fail" if std::mem::replace(&mut self.expects_failure, true) => {
                let why = "invalid expect lines, multiple expect fail lines are not allowed";
                return Err(why.to_owned());
            }
            "fail" => self.fails = Some(wanted(rest)?),
            "warn" => self.warns.push(wanted(rest)?),
            "info" => self.informs.push(wanted(rest)?),
            // As upstream: a message may stand there, and means nothing.
            "no_warn" => self.warns_not = wanted(rest).map(|_| true)?,
            "no_info" => self.informs_not = wanted(rest).map(|_| true)?,
            "ordered" => self.is_ordered = wanted(rest).map(|_| true)?,
            "string" => {
                let literal = crate::literal::unquote(rest.trim());
                self.string = Some(literal.ok_or("no string")?.value);
            }
            "range" => {
                let rest = rest.trim().strip_prefix("vector").unwrap_or(rest);
                let (moment, _) = read_moment(&format!("range {} 1", rest.trim()))?;
                let Moment::Range { start, step, .. } = moment else {
                    return Err(format!("`{line}` names no range"));
                };
                self.range = Some((start, step));
            }
            _ => return Err(format!("`{line}` expects nothing known")),
        }
        Ok(())
    }

    pub(super) fn compare_failure(&self, error: &str) -> Result<(), String> {
        match &self.fails {
            Some(wanted) if wanted.is_met(error) => Ok(()),
            Some(_) => Err(format!("failed with another message: {error}")),
            None => Err(error.to_owned()),
        }
    }

    pub(super) fn compare_annotations(&self, all: &[Annotation]) -> Result<(), String> {
        for (wanted, is_not, is_warning) in [
            (&self.warns, self.warns_not, true),
            (&self.informs, self.informs_not, false),
        ] {
            let ours = all.iter().filter(|it| it.is_warning == is_warning);
            let ours: Vec<&str> = ours.map(|it| it.message.as_str()).collect();
            if is_not && !ours.is_empty() {
                return Err(format!("expected none of {ours:?}"));
            }
            let is_missed = |it: &&Wanted| !ours.iter().any(|message| it.is_met(message));
            if wanted.iter().any(|it| is_missed(&it)) {
                let kind = if is_warning { "warning" } else { "info" };
                return Err(format!("expected {kind} is missing; got {ours:?}"));
            }
            // Who expects one expects all of its kind.
            let is_unexpected = |it: &&&str| !wanted.iter().any(|wanted| wanted.is_met(it));
            if let Some(other) = ours
                .iter()
                .find(is_unexpected)
                .filter(|_| !wanted.is_empty())
            {
                return Err(format!("unexpected annotation {other:?}"));
            }
        }
        Ok(())
    }

    pub(super) fn compare(&self, value: &Value) -> Result<(), String> {
        match value {
            Value::Scalar(value) => match self.scalar {
                Some(wanted) if almost_equal(wanted, *value) => Ok(()),
                Some(wanted) => Err(format!("expected scalar {wanted}, got scalar {value}")),
                None => Err(format!("got scalar {value}, which nothing here expects")),
            },
            Value::String(value) => match &self.string {
                Some(wanted) if wanted == value => Ok(()),
                Some(wanted) => Err(format!("expected string {wanted:?}, got string {value:?}")),
                None => Err(format!("got string {value:?}, which nothing here expects")),
            },
            Value::Vector(samples) => {
                let at = Timestamp(0);
                let ours = samples.iter().map(|sample| {
                    let value = sample.value.clone();
                    (sample.labels.clone(), vec![(at, value)])
                });
                self.compare_series(&ours.collect::<Vec<_>>(), at, Duration(1))
            }
            Value::Matrix(series) => {
                let (start, step) = match (self.range, self.moment) {
                    (Some(range), _) => range,
                    (None, Moment::Range { start, step, .. }) => (start, step),
                    (None, Moment::Instant(_)) => return Err("got a range vector".into()),
                };
                if self.is_ordered {
                    return Err("expected ordered result, but query returned a matrix".into());
                }
                let ours = series.iter().map(|it| (it.labels.clone(), in_order(it)));
                self.compare_series(&ours.collect::<Vec<_>>(), start, step)
            }
        }
    }

    fn compare_series(&self, ours: &[Row], start: Timestamp, step: Duration) -> Result<(), String> {
        if self.scalar.is_some() || self.string.is_some() {
            return Err("got a vector".to_owned());
        }
        if self.is_ordered {
            let wanted = self.series.iter().map(|it| &it.0);
            if !wanted.eq(ours.iter().map(|it| &it.0)) {
                return Err(format!("wrong order: {}", Shown(ours)));
            }
        }
        for (labels, _) in ours {
            if !self.series.iter().any(|(wanted, _)| wanted == labels) {
                return Err(format!("unexpected {labels} in {}", Shown(ours)));
            }
        }
        for (labels, wanted) in &self.series {
            let Some((_, found)) = ours.iter().find(|(known, _)| known == labels) else {
                return Err(format!("expected {labels}, got {}", Shown(ours)));
            };
            let mut left = found.iter();
            for (idx, wanted) in wanted.iter().enumerate() {
                let at = start + step * idx as i64;
                if *wanted == Described::Nothing {
                    continue;
                }
                let is_met = left
                    .next()
                    .is_some_and(|(found_at, value)| *found_at == at && is_met(wanted, value));
                if !is_met {
                    let wanted = match wanted {
                        Described::Histogram { histogram, .. } => shown(histogram),
                        Described::Value(value) => format_float(*value),
                        Described::Nothing => String::new(),
                    };
                    let shown = Shown(ours);
                    return Err(format!(
                        "expected {wanted} for {labels} at {at}, got {shown}"
                    ));
                }
            }
            if left.next().is_some() {
                return Err(format!("more samples than expected: {}", Shown(ours)));
            }
        }
        Ok(())
    }
}

/// Reads `instant at 5m …` and `range from 0 to 10m step 1m …`; gives back the rest.
fn read_moment(text: &str) -> Result<(Moment, &str), String> {
    let failed = || format!("`{text}` says not when to evaluate");
    let after = |rest: &'_ str, keyword: &str| -> Option<usize> {
        let trimmed = rest.trim_start();
        let skipped = rest.len() - trimmed.len();
        trimmed.strip_prefix(keyword)?;
        Some(skipped + keyword.len())
    };
    let mut rest = text;
    let mut skip = |keyword: &str| -> Result<(), String> {
        rest = &rest[after(rest, keyword).ok_or_else(failed)?..];
        Ok(())
    };
    if text.starts_with("instant") {
        skip("instant")?;
        if skip("at ").is_err() {
            return Ok((Moment::Instant(Timestamp(0)), rest));
        }
        let (at, rest) = take_duration(rest)?;
        return Ok((Moment::Instant(Timestamp(0) + at), rest));
    }
    skip("range")?;
    skip("from ")?;
    let (start, rest) = take_duration(rest)?;
    let rest = &rest[after(rest, "to ").ok_or_else(failed)?..];
    let (end, rest) = take_duration(rest)?;
    let rest = &rest[after(rest, "step ").ok_or_else(failed)?..];
    let (step, rest) = take_duration(rest)?;
    let (start, end) = (Timestamp(0) + start, Timestamp(0) + end);
    Ok((Moment::Range { start, end, step }, rest))
}

fn take_duration(text: &str) -> Result<(Duration, &str), String> {
    let text = text.trim_start();
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    Ok((duration(&text[..end])?, &text[end..]))
}

/// A duration, perhaps negative, or a number of seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let (is_minus, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let read = crate::literal::duration(unsigned).or_else(|error| {
        let secs = unsigned.parse().map_err(|_| error);
        secs.map(Duration::from_secs_f64)
    })?;
    Ok(if is_minus { -read } else { read })
}

fn wanted(text: &str) -> Result<Wanted, String> {
    let text = text.trim();
    Ok(if let Some(text) = text.strip_prefix("msg:") {
        Wanted::Text(text.trim().to_owned())
    } else if let Some(text) = text.strip_prefix("regex:") {
        Wanted::Regex(regex(text.trim())?)
    } else if text.is_empty() {
        Wanted::Anything
    } else {
        return Err(
            "invalid expect statement, must match `expect <type> <match_type>: <string>` \
                    format"
                .to_owned(),
        );
    })
}

fn regex(text: &str) -> Result<Regex, String> {
    Regex::unanchored(text).map_err(|error| error.to_string())
}

impl Wanted {
    fn is_met(&self, text: &str) -> bool {
        match self {
            Self::Anything => true,
            // Older scripts say no positions.
            Self::Text(wanted) => text == wanted || without_position(text) == Some(wanted),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

/// An annotation without ` (1:19)` at its end.
fn without_position(text: &str) -> Option<&str> {
    let (text, position) = text.strip_suffix(')')?.rsplit_once(" (")?;
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit());
    let (line, column) = position.split_once(':')?;
    (is_number(line) && is_number(column)).then_some(text)
}

/// Equal to a relative difference of 1e-6; NaN equals NaN, and a stale marker only itself.
fn almost_equal(a: f64, b: f64) -> bool {
    if is_stale(a) || is_stale(b) {
        return is_stale(a) && is_stale(b);
    }
    if a.is_nan() && b.is_nan() || a == b {
        return true;
    }
    let (sum, distance) = (a.abs() + b.abs(), (a - b).abs());
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return distance < TOLERANCE * f64::MIN_POSITIVE;
    }
    distance / sum.min(f64::MAX) < TOLERANCE
}

const TOLERANCE: f64 = 1e-6;

/// A series with its values in order of time.
type Row = (Labels, Vec<(Timestamp, SampleValue)>);

fn in_order(series: &MatrixSeries) -> Vec<(Timestamp, SampleValue)> {
    let floats = series.samples.iter();
    let floats = floats.map(|it| (it.at, SampleValue::Float(it.value)));
    let histograms = series.histograms.iter();
    let histograms = histograms.map(|it| {
        let histogram = Arc::clone(&it.histogram);
        (it.at, SampleValue::Histogram(histogram))
    });
    let mut all: Vec<_> = floats.chain(histograms).collect();
    all.sort_by_key(|(at, _)| *at);
    all
}

fn is_met(wanted: &Described, value: &SampleValue) -> bool {
    match (wanted, value) {
        (Described::Value(wanted), SampleValue::Float(value)) => almost_equal(*wanted, *value),
        (
            Described::Histogram {
                histogram,
                has_hint,
            },
            SampleValue::Histogram(value),
        ) => {
            let is_hint_met = !has_hint || histogram.reset_hint == value.reset_hint;
            is_hint_met && is_histogram_met(histogram, value)
        }
        _ => false,
    }
}

/// Equal but for rounding and empty buckets.
fn is_histogram_met(wanted: &Histogram, value: &Histogram) -> bool {
    let (mut wanted, mut value) = (wanted.clone(), value.clone());
    wanted.compact();
    value.compact();
    let numbers = |it: &Histogram| [it.count, it.sum, it.zero_count];
    let are_near = |(a, b): (f64, f64)| almost_equal(a, b);
    let sides = [
        (&wanted.positive, &value.positive),
        (&wanted.negative, &value.negative),
    ];
    wanted.schema == value.schema
        && wanted.zero_threshold == value.zero_threshold
        && (!wanted.has_custom_buckets() || wanted.custom_bounds == value.custom_bounds)
        && numbers(&wanted)
            .into_iter()
            .zip(numbers(&value))
            .all(are_near)
        && sides.into_iter().all(|(a, b)| {
            let counts = a.counts.iter().copied().zip(b.counts.iter().copied());
            a.iter().map(|it| it.0).eq(b.iter().map(|it| it.0)) && counts.into_iter().all(are_near)
        })
}

fn shown(histogram: &Histogram) -> String {
    let (schema, hint) = (histogram.schema, histogram.reset_hint);
    format!("{histogram} of schema {schema}, {hint:?}")
}

struct Shown<'a>(&'a [Row]);

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[")?;
        for (labels, samples) in self.0.iter().take(10) {
            write!(f, " {labels}")?;
            for (at, value) in samples.iter().take(20) {
                let value = match value {
                    SampleValue::Float(value) => format_float(*value),
                    SampleValue::Histogram(histogram) => shown(histogram),
                };
                write!(f, " {value}@{}", at.as_secs_f64())?;
            }
            f.write_str(";")?;
        }
        f.write_str(" ]")
    }
}
