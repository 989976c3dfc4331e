//! `firebell traces` and `firebell logs`: what apps sent to a running Firebell.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use crate::explain::Asked;
use crate::{harmless, say};

/// Lists traces, or shows one.
#[derive(Args)]
pub(crate) struct Traces {
    /// Show this one, with its spans and logs: 32 hexadecimal digits.
    #[arg(value_name = "ID", conflicts_with_all = ["failed", "min_duration", "limit"])]
    id: Option<String>,
    #[command(flatten)]
    wanted: Wanted,
    /// Only such as have a span that failed.
    #[arg(long)]
    failed: bool,
    /// Only such as took so long, as 250ms.
    #[arg(long, value_name = "DURATION")]
    min_duration: Option<String>,
    /// So many at most, 1,000 or fewer.
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    asked: Asked,
}

/// Lists log records.
#[derive(Args)]
pub(crate) struct Logs {
    #[command(flatten)]
    wanted: Wanted,
    /// At least so severe: trace, debug, info, warn, error or fatal.
    #[arg(long, value_name = "SEVERITY")]
    severity: Option<String>,
    /// Only of this trace.
    #[arg(long, value_name = "ID")]
    trace: Option<String>,
    /// So many at most, 5,000 or fewer: the newest.
    #[arg(long, value_name = "N", default_value_t = 200)]
    limit: usize,
    #[command(flatten)]
    asked: Asked,
}

/// Which of them.
#[derive(Args)]
struct Wanted {
    /// Of this service.
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// With this text somewhere in them, in any case of letters.
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Not before this time, as 2026-01-01T00:00:00Z.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Not after this time.
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

/// Does it.
pub(crate) fn traces(options: &Traces) -> ExitCode {
    let answer = match &options.id {
        Some(id) => trace(id, &options.asked),
        None => list(options),
    };
    answer.err().unwrap_or(ExitCode::SUCCESS)
}

fn list(options: &Traces) -> Result<(), ExitCode> {
    let Traces { wanted, asked, .. } = options;
    let limit = options.limit.to_string();
    let mut params = wanted.params(&limit);
    if options.failed {
        params.push(("failed", "true"));
    }
    let least = options.min_duration.as_deref();
    params.extend(least.map(|it| ("min_duration", it)));
    let Some(found) = answer(asked, "traces", &params)? else {
        return Ok(());
    };
    for found in items(&found, "traces") {
        let (name, service) = (text(found, "name"), text(found, "service"));
        let took = took(found);
        let spans = spans_words(number(found, "spans"), number(found, "failedSpans"));
        let (at, id) = (text(found, "startedAt"), text(found, "traceId"));
        let line = format!("{at} {took:>9}  {name} of {service}: {spans}  {id}");
        say(format_args!("{}", harmless(&line)));
    }
    Ok(())
}

fn trace(id: &str, asked: &Asked) -> Result<(), ExitCode> {
    let is_id = id.len() == TRACE_ID_LEN && id.bytes().all(|it| it.is_ascii_hexdigit());
    if !is_id {
        eprintln!("firebell: a trace's id is {TRACE_ID_LEN} hexadecimal digits, not `{id}`");
        return Err(ExitCode::from(2));
    }
    let Some(trace) = answer(asked, &format!("traces/{id}"), &[])? else {
        return Ok(());
    };
    let spans = items(&trace, "spans");
    let n_failed = spans.iter().filter(|it| !it["failure"].is_null()).count();
    let words = spans_words(spans.len() as u64, n_failed as u64);
    let at = text(&trace, "startedAt");
    say(format_args!("{at}, {}, {words}", took(&trace)));
    let whole_ms = trace["durationMs"].as_f64().unwrap_or_default();
    for (depth, span) in in_order(spans) {
        let bar = bar(span, whole_ms);
        let indent = "  ".repeat(depth.min(DEPTH_MAX));
        let (name, service) = (text(span, "name"), text(span, "service"));
        let failure = match span["failure"].as_str() {
            Some("") => ", failed".to_owned(),
            Some(why) => format!(", failed: {why}"),
            None => String::new(),
        };
        let line = format!(
            "{:>9} [{bar}] {indent}{name} of {service}{failure}",
            took(span)
        );
        say(format_args!("{}", harmless(&line)));
    }
    for record in items(&trace, "logs") {
        say_record(record);
    }
    Ok(())
}

/// Does it: the oldest of them first, so that the newest stand where one looks.
pub(crate) fn logs(options: &Logs) -> ExitCode {
    let Logs { wanted, asked, .. } = options;
    let limit = options.limit.to_string();
    let mut params = wanted.params(&limit);
    let severity = options.severity.as_deref();
    params.extend(severity.map(|it| ("severity", it)));
    let trace = options.trace.as_deref();
    params.extend(trace.map(|it| ("trace_id", it)));
    match answer(asked, "logs", &params) {
        Ok(Some(answer)) => items(&answer, "logs").iter().rev().for_each(say_record),
        Ok(None) => {}
        Err(code) => return code,
    }
    ExitCode::SUCCESS
}

fn say_record(record: &Value) {
    let logger = record["attributes"]["logger.name"].as_str();
    let about = logger.unwrap_or_else(|| text(record, "service"));
    let said = match text(record, "body") {
        "" => text(record, "event"),
        body => body,
    };
    let (at, severity) = (text(record, "at"), text(record, "severity"));
    let mut line = format!("{at} {severity:<5} {about}: {said}");
    if let Some(id) = record["traceId"].as_str() {
        line = format!("{line}  {id}");
    }
    say(format_args!("{}", harmless(&line)));
}

impl Wanted {
    fn params<'a>(&'a self, limit: &'a str) -> Vec<(&'a str, &'a str)> {
        let options = [
            ("service", &self.service),
            ("text", &self.text),
            ("from", &self.from),
            ("to", &self.to),
        ];
        let options = options.into_iter();
        let given = options.filter_map(|(name, value)| Some((name, value.as_deref()?)));
        given.chain([("limit", limit)]).collect()
    }
}

/// What is to be said in words; none when JSON is wanted, which is printed here.
fn answer(asked: &Asked, path: &str, params: &[(&str, &str)]) -> Result<Option<Value>, ExitCode> {
    let body = asked.ask(&format!("/api/firebell/v1/{path}"), params)?;
    if asked.json {
        say(format_args!("{}", body.trim_end()));
        return Ok(None);
    }
    let answer: Value = serde_json::from_str(&body).map_err(|error| {
        eprintln!("firebell: the answer is no JSON: {error}");
        ExitCode::from(2)
    })?;
    if answer["isWhole"] == false {
        eprintln!(
            "firebell: more is kept than was looked at; a service or times reach further back"
        );
    }
    Ok(Some(answer))
}

/// Spans with how many they are within: parents before their children, the earlier ones first. None
/// is left out, whatever spans say of each other.
fn in_order(spans: &[Value]) -> Vec<(usize, &Value)> {
    let ids: BTreeMap<&str, usize> = spans
        .iter()
        .enumerate()
        .map(|(idx, span)| (text(span, "spanId"), idx))
        .collect();
    let mut within: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let mut roots = Vec::new();
    for (idx, span) in spans.iter().enumerate() {
        match span["parentId"].as_str().and_then(|id| ids.get(id)) {
            Some(parent) => within.entry(*parent).or_default().push(idx),
            None => roots.push(idx),
        }
    }
    // Spans within each other in a circle are reached from no root.
    roots.extend(0..spans.len());
    let mut waiting: Vec<(usize, usize)> = roots.into_iter().rev().map(|it| (0, it)).collect();
    let (mut rows, mut seen) = (Vec::new(), BTreeSet::new());
    while let Some((depth, idx)) = waiting.pop() {
        if !seen.insert(idx) {
            continue;
        }
        rows.extend(spans.get(idx).map(|span| (depth, span)));
        let children = within.get(&idx).into_iter().flatten();
        waiting.extend(children.rev().map(|it| (depth + 1, *it)));
    }
    rows
}

/// When it was, within its trace.
fn bar(span: &Value, whole_ms: f64) -> String {
    let at = |ms: f64| match whole_ms > 0.0 {
        true => ((ms / whole_ms).clamp(0.0, 1.0) * BAR_LEN as f64) as usize,
        false => 0,
    };
    let offset = span["offsetMs"].as_f64().unwrap_or_default();
    let lasted = span["durationMs"].as_f64().unwrap_or_default();
    let from = at(offset).min(BAR_LEN - 1);
    let to = at(offset + lasted).max(from + 1);
    let part = |cell: usize| if (from..to).contains(&cell) { '=' } else { ' ' };
    (0..BAR_LEN).map(part).collect()
}

fn spans_words(n: u64, n_failed: u64) -> String {
    let spans = if n == 1 { "span" } else { "spans" };
    match n_failed {
        0 => format!("{n} {spans}"),
        _ => format!("{n} {spans}, {n_failed} failed"),
    }
}

/// As people say it: to the microsecond, and seconds where there are any.
fn took(of: &Value) -> String {
    let ms = of["durationMs"].as_f64().unwrap_or_default();
    match ms {
        1_000.0.. => format!("{:.2} s", ms / 1_000.0),
        100.0.. => format!("{ms:.0} ms"),
        _ => format!("{ms:.3} ms"),
    }
}

fn items<'a>(of: &'a Value, name: &str) -> &'a [Value] {
    of[name].as_array().map_or(&[][..], Vec::as_slice)
}

fn text<'a>(of: &'a Value, name: &str) -> &'a str {
    of[name].as_str().unwrap_or_default()
}

fn number(of: &Value, name: &str) -> u64 {
    of[name].as_u64().unwrap_or_default()
}

const TRACE_ID_LEN: usize = 32;
/// Characters of a bar.
const BAR_LEN: usize = 24;
/// Steps that are still moved to the right.
const DEPTH_MAX: usize = 12;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn spans_stand_below_the_one_within_which_they_are_and_none_is_left_out() {
        let span = |id: &str, parent: Option<&str>| json!({"spanId": id, "parentId": parent});
        let check = |spans: &[Value], expected: &[(usize, &str)]| {
            let rows = in_order(spans);
            let rows = rows.iter().map(|(depth, it)| (*depth, text(it, "spanId")));
            let rows: Vec<_> = rows.collect();
            assert_eq!(rows, expected);
        };
        check(
            &[
                span("a", None),
                span("b", Some("a")),
                span("c", Some("gone")),
                span("d", Some("b")),
            ],
            &[(0, "a"), (1, "b"), (2, "d"), (0, "c")],
        );
        check(
            &[
                span("a", Some("b")),
                span("b", Some("a")),
                span("c", Some("c")),
            ],
            &[(0, "a"), (1, "b"), (0, "c")],
        );
        check(&[], &[]);
    }

    #[test]
    fn a_bar_stands_where_the_span_was() {
        let bar_of = |offset: f64, lasted: f64| {
            bar(&json!({"offsetMs": offset, "durationMs": lasted}), 240.0)
        };
        assert_eq!(bar_of(0.0, 240.0), "=".repeat(24));
        assert_eq!(
            bar_of(120.0, 60.0),
            format!("{}======{}", " ".repeat(12), " ".repeat(6))
        );
        assert_eq!(bar_of(240.0, 0.0), format!("{}=", " ".repeat(23)));
        assert_eq!(bar(&json!({}), 0.0), format!("={}", " ".repeat(23)));
    }

    #[test]
    fn durations_are_said_as_people_say_them() {
        let said = |ms: f64| took(&json!({"durationMs": ms}));
        assert_eq!(
            [said(0.0525), said(250.4), said(1_250.0)],
            ["0.052 ms", "250 ms", "1.25 s"]
        );
    }
}
