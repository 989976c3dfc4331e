//! What is current: the span and the scope, each in a `ContextVar`.

use firebell_sdk::client;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyList, PyMapping, PyString, PyTuple};

use crate::scope::Scope;
use crate::span::{Remote, Span};

/// A context variable with its methods looked up.
struct Var {
    get: Py<PyAny>,
    set: Py<PyAny>,
    reset: Py<PyAny>,
}

static SPAN: PyOnceLock<Var> = PyOnceLock::new();
static SCOPE: PyOnceLock<Var> = PyOnceLock::new();
static SCOPE_OF_PROCESS: PyOnceLock<Py<Scope>> = PyOnceLock::new();

impl Var {
    fn new(py: Python<'_>, name: &str) -> PyResult<Self> {
        let options = PyDict::new(py);
        options.set_item("default", py.None())?;
        let class = py.import("contextvars")?.getattr("ContextVar")?;
        let var = class.call((name,), Some(&options))?;
        Ok(Self {
            get: var.getattr("get")?.unbind(),
            set: var.getattr("set")?.unbind(),
            reset: var.getattr("reset")?.unbind(),
        })
    }
}

/// Done while the module is imported: done later, a finalizer or a signal handler that records
/// something might come in between, and wait for what itself interrupts.
pub(crate) fn prepare(py: Python<'_>) -> PyResult<()> {
    SPAN.get_or_try_init(py, || Var::new(py, "firebell_span"))?;
    SCOPE.get_or_try_init(py, || Var::new(py, "firebell_scope"))?;
    SCOPE_OF_PROCESS.get_or_try_init(py, || Py::new(py, Scope::default()))?;
    Ok(())
}

fn span_var(py: Python<'_>) -> PyResult<&Var> {
    SPAN.get(py).ok_or_else(unprepared)
}

fn scope_var(py: Python<'_>) -> PyResult<&Var> {
    SCOPE.get(py).ok_or_else(unprepared)
}

fn unprepared() -> PyErr {
    PyRuntimeError::new_err("firebell._native was not imported to its end")
}

/// The current span, if there is one.
pub(crate) fn span(py: Python<'_>) -> Option<Bound<'_, Span>> {
    let current = span_var(py).ok()?.get.bind(py).call0().ok()?;
    current.cast_into::<Span>().ok()
}

/// Makes a span (or none) current; gives the token to undo it with.
pub(crate) fn set_span(py: Python<'_>, span: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    Ok(span_var(py)?.set.bind(py).call1((span,))?.unbind())
}

/// Undoes it. From another context, where the token means nothing, nothing happens.
pub(crate) fn reset_span(py: Python<'_>, token: Py<PyAny>) {
    if let Ok(var) = span_var(py) {
        let _ = var.reset.bind(py).call1((token,));
    }
}

/// The current scope; outside any request that of the process.
pub(crate) fn scope(py: Python<'_>) -> PyResult<Bound<'_, Scope>> {
    let current = scope_var(py)?.get.bind(py).call0()?;
    match current.cast_into::<Scope>() {
        Ok(scope) => Ok(scope),
        Err(_) => {
            let scope = SCOPE_OF_PROCESS.get(py).ok_or_else(unprepared)?;
            Ok(scope.bind(py).clone())
        }
    }
}

pub(crate) fn set_scope(py: Python<'_>, scope: &Bound<'_, Scope>) -> PyResult<Py<PyAny>> {
    Ok(scope_var(py)?.set.bind(py).call1((scope,))?.unbind())
}

pub(crate) fn reset_scope(py: Python<'_>, token: Py<PyAny>) {
    if let Ok(var) = scope_var(py) {
        let _ = var.reset.bind(py).call1((token,));
    }
}

/// The current span.
#[pyfunction]
pub(crate) fn current_span(py: Python<'_>) -> Option<Bound<'_, Span>> {
    span(py)
}

/// The id of the current trace.
#[pyfunction]
pub(crate) fn current_trace_id(py: Python<'_>) -> Option<String> {
    span(py).map(|it| it.get().trace_id())
}

/// The current scope.
#[pyfunction]
pub(crate) fn current_scope(py: Python<'_>) -> PyResult<Bound<'_, Scope>> {
    scope(py)
}

/// Makes a scope current, or a copy of the current one.
#[pyfunction]
#[pyo3(signature = (scope=None, /))]
pub(crate) fn enter_scope(py: Python<'_>, scope: Option<Bound<'_, Scope>>) -> PyResult<Py<PyAny>> {
    let scope = match scope {
        Some(scope) => scope,
        None => Bound::new(py, self::scope(py)?.get().fork(py))?,
    };
    set_scope(py, &scope)
}

/// Undoes it.
#[pyfunction]
#[pyo3(signature = (token, /))]
pub(crate) fn exit_scope(py: Python<'_>, token: Py<PyAny>) {
    reset_scope(py, token);
}

/// Writes the headers of the current trace into a dictionary.
#[pyfunction]
#[pyo3(signature = (carrier, /))]
pub(crate) fn inject(py: Python<'_>, carrier: &Bound<'_, PyDict>) -> PyResult<()> {
    let settings = client().settings();
    let Some(span) = span(py).filter(|_| settings.propagates_trace) else {
        return Ok(());
    };
    let span = span.get();
    carrier.set_item("traceparent", span.traceparent())?;
    if let Some(remote) = span.remote() {
        if let Some(state) = &remote.tracestate {
            carrier.set_item("tracestate", state)?;
        }
        if let Some(baggage) = remote
            .baggage
            .as_ref()
            .filter(|_| settings.propagates_baggage)
        {
            carrier.set_item("baggage", baggage)?;
        }
    }
    Ok(())
}

/// Reads the headers of a trace.
#[pyfunction]
#[pyo3(signature = (carrier, /))]
pub(crate) fn extract(carrier: &Bound<'_, PyAny>) -> Option<Remote> {
    Headers::read(carrier).remote().map(Remote)
}

/// What is wanted of headers.
#[derive(Default)]
pub(crate) struct Headers {
    traceparent: Option<String>,
    tracestate: Option<String>,
    baggage: Option<String>,
    pub(crate) request_id: Option<String>,
}

impl Headers {
    /// Of a mapping of texts, or of pairs of bytes as ASGI has them.
    pub(crate) fn read(carrier: &Bound<'_, PyAny>) -> Self {
        let mut headers = Self::default();
        // Asking whether a list is a mapping takes long.
        let mapping = match carrier.cast::<PyList>() {
            Ok(_) => None,
            Err(_) => carrier.cast::<PyMapping>().ok(),
        };
        let pairs = match mapping {
            Some(mapping) => mapping.items().map(|it| it.into_any()),
            None => Ok(carrier.clone()),
        };
        let Ok(pairs) = pairs.and_then(|it| it.try_iter()) else {
            return headers;
        };
        for pair in pairs.take(HEADERS_MAX).flatten() {
            let Ok(pair) = pair.cast::<PyTuple>() else {
                continue;
            };
            if let (Ok(name), Ok(value)) = (pair.get_item(0), pair.get_item(1)) {
                headers.take(&name, &value);
            }
        }
        headers
    }

    fn take(&mut self, name: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) {
        let place = match bytes(name) {
            Some(name) if name.len() == 11 && name.eq_ignore_ascii_case(b"traceparent") => {
                &mut self.traceparent
            }
            Some(name) if name.len() == 10 && name.eq_ignore_ascii_case(b"tracestate") => {
                &mut self.tracestate
            }
            Some(name) if name.len() == 7 && name.eq_ignore_ascii_case(b"baggage") => {
                &mut self.baggage
            }
            Some(name) if name.len() == 12 && name.eq_ignore_ascii_case(b"x-request-id") => {
                &mut self.request_id
            }
            _ => return,
        };
        let text = bytes(value).filter(|it| it.len() <= HEADER_BYTES_MAX && it.is_ascii());
        let text = text.and_then(|it| std::str::from_utf8(it).ok());
        *place = text
            .filter(|it| !it.contains(|it: char| it.is_ascii_control()))
            .map(str::to_owned);
    }

    pub(crate) fn remote(&mut self) -> Option<firebell_sdk::Remote> {
        let traceparent = self.traceparent.as_deref()?;
        let settings = client().settings();
        let mut remote =
            firebell_sdk::Remote::parse(traceparent).filter(|_| settings.propagates_trace)?;
        remote.tracestate = self
            .tracestate
            .take()
            .filter(|it| it.len() <= STATE_BYTES_MAX);
        remote.baggage = self.baggage.take().filter(|_| settings.propagates_baggage);
        Some(remote)
    }
}

fn bytes<'a>(any: &'a Bound<'_, PyAny>) -> Option<&'a [u8]> {
    if let Ok(bytes) = any.cast::<PyBytes>() {
        return Some(bytes.as_bytes());
    }
    any.cast::<PyString>()
        .ok()?
        .to_str()
        .ok()
        .map(str::as_bytes)
}

const HEADERS_MAX: usize = 256;
const HEADER_BYTES_MAX: usize = 8192;
const STATE_BYTES_MAX: usize = 512;
