//! Spans and log records over HTTP, for people and the page.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use firebell_disk::LogError;
use firebell_model::{Duration, Timestamp};
use firebell_telemetry::{
    Attributes, Found, LogQuestion, LogRecord, OfTrace, Span, SpanEvent, TraceFound, TraceId,
    TraceQuestion, nanos_of,
};
use firebell_wire::params::Params;
use firebell_wire::prometheus_json::ErrorKind;
use serde_json::{Map, Value, json};

use super::{App, limit_param, may_wait, params, refused};
use crate::telemetry::moment_of;

/// `GET /api/firebell/v1/traces/{id}`: its spans and what was logged within it.
pub(super) async fn trace(State(app): State<App>, Path(id): Path<String>) -> Response {
    let id = match id.parse::<TraceId>() {
        Ok(id) => id,
        Err(error) => return refused(ErrorKind::BadData, format!("`{id}`: {error}")),
    };
    let find = move || {
        let spans = app.telemetry.find(
            |kept| firebell_telemetry::trace::<Span>(kept, id),
            |looking, disk| looking.read::<Span>(disk),
        )?;
        let logs = app.telemetry.find(
            |kept| firebell_telemetry::trace::<LogRecord>(kept, id),
            |looking, disk| looking.read::<LogRecord>(disk),
        )?;
        Ok((spans, logs))
    };
    answer(find, move |(spans, logs)| {
        if spans.all.is_empty() && logs.all.is_empty() {
            let why = format!("nothing is kept of the trace `{id}`, or not any more");
            return refused(ErrorKind::NotFound, why);
        }
        Json(trace_json(id, &spans, &logs)).into_response()
    })
    .await
}

/// `GET /api/firebell/v1/traces`: the newest that are wanted.
pub(super) async fn traces(State(app): State<App>, uri: Uri) -> Response {
    let question = match trace_question(&params(&uri, &Bytes::new())) {
        Ok(question) => question,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    let find = move || {
        app.telemetry.find(
            |kept| firebell_telemetry::traces(kept, question),
            |looking, disk| looking.read(disk),
        )
    };
    answer(find, |found| {
        let all: Vec<Value> = found.all.iter().map(found_json).collect();
        Json(json!({ "traces": all, "isWhole": found.is_whole })).into_response()
    })
    .await
}

/// `GET /api/firebell/v1/logs`: the newest that are wanted.
pub(super) async fn logs(State(app): State<App>, uri: Uri) -> Response {
    let question = match log_question(&params(&uri, &Bytes::new())) {
        Ok(question) => question,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    let find = move || {
        app.telemetry.find(
            |kept| firebell_telemetry::logs(kept, question),
            |looking, disk| looking.read(disk),
        )
    };
    answer(find, |found| {
        let all: Vec<Value> = found.all.iter().map(log_json).collect();
        Json(json!({ "logs": all, "isWhole": found.is_whole })).into_response()
    })
    .await
}

/// Finds, and writes what was found, where that may take its time.
async fn answer<T>(
    find: impl FnOnce() -> Result<T, LogError> + Send + 'static,
    show: impl FnOnce(T) -> Response + Send + 'static,
) -> Response {
    let answer = may_wait(move || match find() {
        Ok(found) => show(found),
        Err(error) => refused(ErrorKind::Unavailable, error.to_string()),
    });
    answer.await.unwrap_or_else(super::stopped)
}

fn trace_question(params: &Params) -> Result<TraceQuestion, String> {
    let (from_nanos, to_nanos) = times(params)?;
    let only_failed = match params.get("failed") {
        None | Some("" | "false") => false,
        Some("true") => true,
        Some(other) => return Err(format!("`failed` is true or false, not `{other}`")),
    };
    let lasted = match params.get("min_duration") {
        None | Some("") => Duration::ZERO,
        Some(text) => text
            .parse::<Duration>()
            .map_err(|_| format!("`min_duration` is no duration such as 250ms: `{text}`"))?,
    };
    Ok(TraceQuestion {
        service: given(params, "service"),
        from_nanos,
        to_nanos,
        only_failed,
        lasted_nanos_min: nanos_of(Timestamp(lasted.0)),
        text: given(params, "text").unwrap_or_default(),
        limit: limit_param(params, TRACES_DEFAULT, TRACES_MAX)?,
    })
}

fn log_question(params: &Params) -> Result<LogQuestion, String> {
    let (from_nanos, to_nanos) = times(params)?;
    let trace = match params.get("trace_id") {
        None | Some("") => None,
        Some(text) => Some(
            text.parse::<TraceId>()
                .map_err(|error| format!("`trace_id` is `{text}`: {error}"))?,
        ),
    };
    let severity_min = match params.get("severity") {
        None | Some("") => 0,
        Some(text) => SEVERITIES
            .iter()
            .find(|(name, _)| *name == text)
            .map(|(_, number)| *number)
            .ok_or_else(|| {
                let names = SEVERITIES.map(|(name, _)| name);
                format!("`severity` is one of {}, not `{text}`", names.join(", "))
            })?,
    };
    Ok(LogQuestion {
        trace,
        service: given(params, "service"),
        from_nanos,
        to_nanos,
        severity_min,
        text: given(params, "text").unwrap_or_default(),
        limit: limit_param(params, LOGS_DEFAULT, LOGS_MAX)?,
    })
}

fn given(params: &Params, name: &str) -> Option<String> {
    let text = params.get(name).filter(|it| !it.is_empty());
    text.map(str::to_owned)
}

/// `from` and `to`, in nanoseconds since 1970.
fn times(params: &Params) -> Result<(u64, u64), String> {
    let moment = |name: &str| match params.get(name) {
        None | Some("") => Ok(None),
        Some(text) => text
            .parse::<Timestamp>()
            .map(|at| Some(nanos_of(at)))
            .map_err(|error| format!("`{name}` is no time: {error}")),
    };
    let to = moment("to")?.map(|it| it.saturating_add(NANOS_OF_MS - 1));
    Ok((moment("from")?.unwrap_or(0), to.unwrap_or(u64::MAX)))
}

fn trace_json(
    id: TraceId,
    spans: &Found<OfTrace<Span>>,
    logs: &Found<OfTrace<LogRecord>>,
) -> Value {
    let starts = spans.all.iter().map(|(_, it)| it.start_nanos);
    let starts = starts.chain(logs.all.iter().map(|(_, it)| it.nanos));
    let start = starts.min().unwrap_or(0);
    let ends = spans.all.iter().map(|(_, it)| it.end_nanos);
    let end = ends.max().unwrap_or(start);
    let spans_json: Vec<Value> = spans.all.iter().map(|it| span_json(start, it)).collect();
    let logs_json: Vec<Value> = logs.all.iter().map(log_json).collect();
    json!({
        "traceId": id.to_string(),
        "startedAt": moment_of(start).to_string(),
        "durationMs": ms(end.saturating_sub(start)),
        "spans": spans_json,
        "logs": logs_json,
        "isWhole": spans.is_whole && logs.is_whole,
    })
}

fn span_json(trace_start: u64, (origin, span): &OfTrace<Span>) -> Value {
    let event = |event: &SpanEvent| {
        json!({
            "at": moment_of(event.nanos).to_string(),
            "name": event.name,
            "attributes": map(&event.attributes),
        })
    };
    let events: Vec<Value> = span.events.iter().map(event).collect();
    let links = span.links.iter();
    let links: Vec<Value> = links
        .map(|(trace, span)| json!({"traceId": trace.to_string(), "spanId": span.to_string()}))
        .collect();
    json!({
        "spanId": span.id.to_string(),
        "parentId": span.parent.map(|it| it.to_string()),
        "service": origin.service,
        "name": span.name,
        "kind": span.kind.name(),
        "offsetMs": ms(span.start_nanos.saturating_sub(trace_start)),
        "durationMs": ms(span.end_nanos.saturating_sub(span.start_nanos)),
        "failure": span.failure,
        "attributes": map(&span.attributes),
        "resource": map(&origin.attributes),
        "events": events,
        "links": links,
    })
}

fn found_json(found: &TraceFound) -> Value {
    json!({
        "traceId": found.id.to_string(),
        "name": found.name,
        "service": found.service,
        "startedAt": moment_of(found.start_nanos).to_string(),
        "durationMs": ms(found.end_nanos.saturating_sub(found.start_nanos)),
        "spans": found.n_spans,
        "failedSpans": found.n_failed,
    })
}

fn log_json((origin, record): &OfTrace<LogRecord>) -> Value {
    json!({
        "at": moment_of(record.nanos).to_string(),
        "severity": severity_name(record.severity),
        "severityText": record.severity_text,
        "service": origin.service,
        "body": record.body,
        "event": record.event,
        "attributes": map(&record.attributes),
        "traceId": record.trace.map(|it| it.to_string()),
        "spanId": record.span.map(|it| it.to_string()),
    })
}

/// The name that covers a number; none for 0.
fn severity_name(number: u8) -> Option<&'static str> {
    let names = SEVERITIES.iter().rev();
    names
        .filter(|(_, least)| number >= *least)
        .map(|(name, _)| *name)
        .next()
}

fn map(attributes: &Attributes) -> Map<String, Value> {
    let pairs = attributes.iter();
    pairs
        .map(|(name, text)| (name.clone(), Value::from(text.as_str())))
        .collect()
}

fn ms(nanos: u64) -> f64 {
    nanos as f64 / NANOS_OF_MS as f64
}

const NANOS_OF_MS: u64 = 1_000_000;
/// Names with the least number that they cover.
const SEVERITIES: [(&str, u8); 6] = [
    ("trace", 1),
    ("debug", 5),
    ("info", 9),
    ("warn", 13),
    ("error", 17),
    ("fatal", 21),
];
const TRACES_DEFAULT: usize = 50;
const TRACES_MAX: usize = 1_000;
const LOGS_DEFAULT: usize = 200;
const LOGS_MAX: usize = 5_000;
