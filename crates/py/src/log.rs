//! Log lines, events and alerts.

use std::borrow::Cow;

use firebell_sdk::{Alert, Lane, LogRecord, Redactor, RequestId, Thrown, Value, client, now_nanos};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyString, PyTuple};

use crate::scope::Scope;
use crate::{args, context};

/// A record under construction; its texts are Python's as far as they can be.
#[derive(Default)]
struct Line<'a> {
    nanos: u64,
    level: Cow<'a, str>,
    logger: Cow<'a, str>,
    message: Cow<'a, str>,
    attributes: Vec<(Cow<'a, str>, Value)>,
    exception: Option<Thrown>,
}

/// What becomes of a line.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    /// The name of an event, which is no log line.
    event: Option<&'a str>,
    is_exported: bool,
    /// What stands behind the line; `None`: nobody wants it.
    end: Option<&'a str>,
}

impl Line<'_> {
    /// Replaces secrets.
    fn redact(&mut self) {
        let redactor = &client().settings().redactor;
        redact(redactor, &mut self.message);
        for (key, value) in &mut self.attributes {
            redactor.value(key, value);
        }
        if let Some(thrown) = &mut self.exception {
            for text in [&mut thrown.message, &mut thrown.stack] {
                if let Some(clean) = redactor.text(text) {
                    *text = clean;
                }
            }
        }
    }

    /// Gives the line, and keeps it for the server, as far as that is wanted.
    fn finish(&self, py: Python<'_>, scope: &Scope, wanted: Wanted<'_>) -> Option<String> {
        let settings = client().settings();
        let span = context::span(py).map(|it| it.get().ids());
        // No Python code runs in here.
        scope.with(|known| {
            let given = known.request_id.as_deref().map(RequestId::Given);
            let record = LogRecord {
                nanos: self.nanos,
                level: &self.level,
                logger: &self.logger,
                message: &self.message,
                attributes: &self.attributes,
                // An event has all of its user.
                user_id: known.user_id().filter(|_| wanted.event.is_none()),
                exception: self.exception.as_ref(),
                span,
                request_id: given.or(known.span.map(|(_, id)| RequestId::OfSpan(id))),
                release: settings.release.as_deref(),
                event: wanted.event,
            };
            if wanted.is_exported && args::is_enabled() {
                record.record(client());
            }
            wanted.end.map(|end| record.to_json(end))
        })
    }
}

fn redact(redactor: &Redactor, text: &mut Cow<'_, str>) {
    if let Some(clean) = redactor.text(text) {
        *text = Cow::Owned(clean);
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
    let mut line = Line {
        nanos: now_nanos(),
        level: Cow::Owned(level.to_ascii_uppercase()),
        logger: Cow::Borrowed(logger),
        message: text_of(message),
        attributes: attributes.map_or_else(Vec::new, owned_pairs),
        exception: exception.filter(|it| !it.is_none()).map(thrown),
    };
    line.redact();
    let wanted = Wanted {
        event: None,
        is_exported: true,
        end: Some(""),
    };
    let json = line.finish(py, context::scope(py)?.get(), wanted);
    Ok(PyBytes::new(py, json.unwrap_or_default().as_bytes()))
}

/// The same of a record of `logging`; what its `extra` had are attributes. The line has `end` behind
/// it; there is none without.
#[pyfunction]
#[pyo3(signature = (record, breadcrumb=false, export=true, end="", /))]
pub(crate) fn log_record<'py>(
    py: Python<'py>,
    record: &Bound<'py, PyAny>,
    breadcrumb: bool,
    export: bool,
    end: Option<&str>,
) -> PyResult<Option<Bound<'py, PyString>>> {
    let fields = record.getattr(pyo3::intern!(py, "__dict__"))?;
    let fields = fields.cast_into::<PyDict>()?;
    // Taken out first: the text of an extra may come from code that changes the record.
    let fields: Vec<_> = fields.iter().collect();
    let mut line = Line::default();
    let has_args = read(py, &fields, &mut line);
    let formatted = has_args.then(|| record.call_method0(pyo3::intern!(py, "getMessage")));
    let formatted = formatted.and_then(Result::ok);
    if let Some(message) = &formatted {
        line.message = text_of(message);
    }
    line.redact();
    let scope = context::scope(py)?;
    if breadcrumb {
        let message = args::cut(&line.message, CRUMB_BYTES_MAX);
        let level = small(&line.level);
        scope.get().add(&line.logger, level, message, None);
    }
    let wanted = Wanted {
        event: None,
        is_exported: export,
        end,
    };
    let json = line.finish(py, scope.get(), wanted);
    Ok(json.map(|json| PyString::new(py, &json)))
}

/// Takes what there is; whether the message has arguments.
fn read<'a>(
    py: Python<'_>,
    fields: &'a [(Bound<'_, PyAny>, Bound<'_, PyAny>)],
    line: &mut Line<'a>,
) -> bool {
    let mut has_args = false;
    let mut usual = usual(py).iter().peekable();
    for (key, value) in fields {
        // The names are the same objects in each record, in the same order: to compare texts would
        // cost more than all the rest.
        let known = usual.next_if(|(name, _)| key.as_ptr() == name.as_ptr());
        let known = known.map(|(_, field)| *field);
        let field = match known {
            Some(field) => field,
            None => {
                let Some(key) = key.cast::<PyString>().ok().and_then(|it| it.to_str().ok()) else {
                    continue;
                };
                let found = STANDARD.iter().find(|(name, _)| *name == key);
                match found {
                    Some((_, field)) => *field,
                    None => {
                        let pair = (Cow::Borrowed(key), args::value(value));
                        line.attributes.push(pair);
                        continue;
                    }
                }
            }
        };
        match field {
            Field::Name => line.logger = key_of(value),
            Field::Level => line.level = key_of(value),
            Field::Created => {
                line.nanos = (args::number(value).unwrap_or_default() * 1e9) as u64;
            }
            Field::Message => line.message = text_of(value),
            Field::Args => has_args = value.is_truthy().unwrap_or(false),
            Field::Exception => line.exception = of_exc_info(value),
            Field::Other => {}
        }
    }
    has_args
}

/// The names of [`STANDARD`] as Python has them.
fn usual(py: Python<'_>) -> &[(Py<PyString>, Field)] {
    static USUAL: PyOnceLock<Vec<(Py<PyString>, Field)>> = PyOnceLock::new();
    USUAL.get_or_init(py, || {
        let names = STANDARD.iter();
        let names = names.map(|(name, field)| (PyString::intern(py, name).unbind(), *field));
        names.collect()
    })
}

/// As [`args::value`] has it, without a copy of what is a text of usual length.
fn text_of<'a>(any: &'a Bound<'_, PyAny>) -> Cow<'a, str> {
    match any.cast::<PyString>().ok().and_then(|it| it.to_str().ok()) {
        Some(text) => Cow::Borrowed(args::cut(text, args::TEXT_BYTES_MAX)),
        None => Cow::Owned(args::value(any).to_text()),
    }
}

/// As [`args::key_text`] has it.
fn key_of<'a>(any: &'a Bound<'_, PyAny>) -> Cow<'a, str> {
    match any.cast::<PyString>().ok().and_then(|it| it.to_str().ok()) {
        Some(text) => Cow::Borrowed(args::cut(text, args::SHOWN_BYTES_MAX)),
        None => Cow::Owned(args::key_text(any)),
    }
}

fn owned_pairs(mapping: &Bound<'_, PyAny>) -> Vec<(Cow<'static, str>, Value)> {
    let pairs = args::pairs(mapping).into_iter();
    pairs.map(|(key, value)| (Cow::Owned(key), value)).collect()
}

/// The name of a level in small letters.
fn small(level: &str) -> Cow<'static, str> {
    let usual = ["info", "warning", "error", "debug", "critical"].into_iter();
    let mut usual = usual.filter(|it| it.eq_ignore_ascii_case(level));
    match usual.next() {
        Some(level) => Cow::Borrowed(level),
        None => Cow::Owned(level.to_ascii_lowercase()),
    }
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
    let attributes = owned_pairs(body);
    let of = |key: &str| {
        let found = attributes.iter().find(|(known, _)| known == key);
        Cow::Owned(found.map(|(_, value)| value.to_text()).unwrap_or_default())
    };
    let mut line = Line {
        nanos: now_nanos(),
        level: of("severity"),
        logger: Cow::Borrowed("firebell"),
        message: of("message"),
        attributes,
        exception: None,
    };
    line.redact();
    let wanted = Wanted {
        event: Some(&format!("firebell.{kind}")),
        is_exported: true,
        end: None,
    };
    line.finish(py, context::scope(py)?.get(), wanted);
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

const CRUMB_BYTES_MAX: usize = 1024;
const STACK_BYTES_MAX: usize = 16 << 10;

/// What a field of a record is for.
#[derive(Clone, Copy)]
enum Field {
    Name,
    Level,
    Created,
    Message,
    Args,
    Exception,
    Other,
}

/// What every record of `logging` has, in the order in which it comes.
const STANDARD: [(&str, Field); 23] = [
    ("name", Field::Name),
    ("msg", Field::Message),
    ("args", Field::Args),
    ("levelname", Field::Level),
    ("levelno", Field::Other),
    ("pathname", Field::Other),
    ("filename", Field::Other),
    ("module", Field::Other),
    ("exc_info", Field::Exception),
    ("exc_text", Field::Other),
    ("stack_info", Field::Other),
    ("lineno", Field::Other),
    ("funcName", Field::Other),
    ("created", Field::Created),
    ("msecs", Field::Other),
    ("relativeCreated", Field::Other),
    ("thread", Field::Other),
    ("threadName", Field::Other),
    ("processName", Field::Other),
    ("process", Field::Other),
    ("taskName", Field::Other),
    ("message", Field::Other),
    ("asctime", Field::Other),
];
