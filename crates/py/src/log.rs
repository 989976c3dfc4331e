//! Log lines, events and alerts.

use firebell_sdk::{Alert, Lane, LogRecord, Redactor, Thrown, Value, client, now_nanos};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use crate::{args, context};

/// A record under construction.
#[derive(Default)]
struct Line {
    nanos: u64,
    level: String,
    logger: String,
    message: String,
    attributes: Vec<(String, Value)>,
    exception: Option<Thrown>,
}

impl Line {
    /// Replaces secrets; gives the line, and keeps it for the server if it is wanted.
    fn finish(
        mut self,
        py: Python<'_>,
        event: Option<&str>,
        is_exported: bool,
    ) -> PyResult<String> {
        let settings = client().settings();
        let redactor = &settings.redactor;
        redact(redactor, &mut self.message);
        for (key, value) in &mut self.attributes {
            redactor.value(key, value);
        }
        if let Some(thrown) = &mut self.exception {
            redact(redactor, &mut thrown.message);
            redact(redactor, &mut thrown.stack);
        }
        let scope = context::scope(py)?;
        let (request_id, user_id) = scope.get().with(|it| (it.request_id(), it.user_id()));
        // An event has all of its user; what the app says itself goes before.
        if let Some(user_id) = user_id
            && event.is_none()
            && self.attributes.iter().all(|(key, _)| key != USER_ID)
        {
            self.attributes.push((USER_ID.to_owned(), user_id));
        }
        let record = LogRecord {
            nanos: self.nanos,
            level: &self.level,
            logger: &self.logger,
            message: &self.message,
            attributes: &self.attributes,
            exception: self.exception.as_ref(),
            span: context::span(py).map(|it| it.get().ids()),
            request_id: request_id.as_deref(),
            release: settings.release.as_deref(),
            event,
        };
        if is_exported && args::is_enabled() {
            record.record(client());
        }
        Ok(record.to_json())
    }
}

fn redact(redactor: &Redactor, text: &mut String) {
    if let Some(clean) = redactor.text(text) {
        *text = clean;
    }
}

/// One line of JSON; also kept for the server.
#[pyfunction]
#[pyo3(signature = (level, logger, message, attributes=None, exception=None))]
pub(crate) fn log<'py>(
    py: Python<'py>,
    level: &str,
    logger: &str,
    message: &Bound<'py, PyAny>,
    attributes: Option<&Bound<'py, PyAny>>,
    exception: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let line = Line {
        nanos: now_nanos(),
        level: level.to_ascii_uppercase(),
        logger: logger.to_owned(),
        message: args::value(message).to_text(),
        attributes: attributes.map_or_else(Vec::new, args::pairs),
        exception: exception.filter(|it| !it.is_none()).map(thrown),
    };
    Ok(PyBytes::new(py, line.finish(py, None, true)?.as_bytes()))
}

/// The same of a record of `logging`; what its `extra` had are attributes.
#[pyfunction]
#[pyo3(signature = (record, /, *, breadcrumb=false, export=true))]
pub(crate) fn log_record<'py>(
    py: Python<'py>,
    record: &Bound<'py, PyAny>,
    breadcrumb: bool,
    export: bool,
) -> PyResult<Bound<'py, PyBytes>> {
    let mut line = Line::default();
    let fields = record.getattr("__dict__")?.cast_into::<PyDict>()?;
    let mut has_args = false;
    // Taken out first: the text of an extra may come from code that changes the record.
    for (key, value) in fields.iter().collect::<Vec<_>>() {
        let Some(key) = key.cast::<PyString>().ok().and_then(|it| it.to_str().ok()) else {
            continue;
        };
        match key {
            "name" => line.logger = args::key_text(&value),
            "levelname" => line.level = args::key_text(&value),
            "created" => line.nanos = (args::number(&value).unwrap_or_default() * 1e9) as u64,
            "msg" => line.message = args::value(&value).to_text(),
            "args" => has_args = value.is_truthy().unwrap_or(false),
            "exc_info" => line.exception = of_exc_info(&value),
            _ if STANDARD.contains(&key) => {}
            _ => line.attributes.push((key.to_owned(), args::value(&value))),
        }
    }
    if has_args && let Ok(message) = record.call_method0("getMessage") {
        line.message = args::value(&message).to_text();
    }
    if breadcrumb {
        let message = client().settings().redactor.text(&line.message);
        let message = message.as_deref().unwrap_or(&line.message);
        let scope = context::scope(py)?;
        scope.get().add(
            &line.logger,
            &line.level.to_ascii_lowercase(),
            args::cut(message, CRUMB_BYTES_MAX),
            None,
        );
    }
    Ok(PyBytes::new(py, line.finish(py, None, export)?.as_bytes()))
}

fn of_exc_info(info: &Bound<'_, PyAny>) -> Option<Thrown> {
    let exception = info.cast::<PyTuple>().ok()?.get_item(1).ok()?;
    (!exception.is_none()).then(|| thrown(&exception))
}

/// What an exception says, with its stack as Python prints it.
fn thrown(exception: &Bound<'_, PyAny>) -> Thrown {
    let stack = || -> PyResult<String> {
        let lines = exception
            .py()
            .import("traceback")?
            .call_method1("format_exception", (exception,))?;
        Ok(lines.extract::<Vec<String>>()?.concat())
    };
    let stack = stack().unwrap_or_default();
    // Of a long one the end tells most.
    let at = stack.len().saturating_sub(STACK_BYTES_MAX);
    let from = (at..=stack.len())
        .find(|it| stack.is_char_boundary(*it))
        .unwrap_or(0);
    Thrown {
        kind: args::type_name(exception),
        message: exception
            .str()
            .map(|it| it.to_string_lossy().into_owned())
            .unwrap_or_default(),
        stack: stack.get(from..).unwrap_or_default().to_owned(),
    }
}

/// An event.
#[pyfunction]
#[pyo3(signature = (kind, body, /))]
pub(crate) fn record(py: Python<'_>, kind: &str, body: &Bound<'_, PyAny>) -> PyResult<()> {
    let attributes = args::pairs(body);
    let of = |key: &str| {
        let found = attributes.iter().find(|(known, _)| known == key);
        found.map(|(_, value)| value.to_text()).unwrap_or_default()
    };
    let line = Line {
        nanos: now_nanos(),
        level: of("severity"),
        logger: "firebell".into(),
        message: of("message"),
        attributes,
        exception: None,
    };
    line.finish(py, Some(&format!("firebell.{kind}")), true)?;
    Ok(())
}

/// An alert for the server.
#[pyfunction]
#[pyo3(signature = (labels, annotations, /, *, starts_at=None, ends_at=None, generator_url=String::new()))]
pub(crate) fn alert(
    labels: &Bound<'_, PyAny>,
    annotations: &Bound<'_, PyAny>,
    starts_at: Option<f64>,
    ends_at: Option<f64>,
    generator_url: String,
) {
    let redactor = &client().settings().redactor;
    let texts = |pairs: &Bound<'_, PyAny>| {
        let pairs = args::pairs(pairs).into_iter().map(|(key, mut value)| {
            redactor.value(&key, &mut value);
            (key, value.to_text())
        });
        pairs.collect::<Vec<_>>()
    };
    let nanos = |seconds: f64| (seconds * 1e9) as u64;
    let alert = Alert {
        labels: texts(labels),
        annotations: texts(annotations),
        starts_at: starts_at.map_or_else(now_nanos, nanos),
        ends_at: ends_at.map(nanos),
        generator_url,
    };
    if args::is_enabled() {
        client().record(Lane::Alerts, alert.to_json().as_bytes());
    }
}

const USER_ID: &str = "user.id";
const CRUMB_BYTES_MAX: usize = 1024;
const STACK_BYTES_MAX: usize = 16 << 10;

/// What every record of `logging` has.
const STANDARD: [&str; 17] = [
    "pathname",
    "filename",
    "module",
    "levelno",
    "exc_text",
    "stack_info",
    "lineno",
    "funcName",
    "msecs",
    "relativeCreated",
    "thread",
    "threadName",
    "processName",
    "process",
    "taskName",
    "message",
    "asctime",
];
