//! Spans.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use firebell_sdk::{SpanKind, Trace, Value, client, traceparent};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use crate::{args, context};

/// See `firebell.span`.
#[pyclass(frozen, module = "firebell")]
pub(crate) struct Span {
    trace: Arc<Trace>,
    id: u64,
    /// `None` once it has ended.
    live: Mutex<Option<firebell_sdk::Span>>,
    token: Mutex<Option<Py<PyAny>>>,
}

/// What came in with a request or a message.
#[pyclass(frozen, module = "firebell")]
pub(crate) struct Remote(pub(crate) firebell_sdk::Remote);

#[pymethods]
impl Remote {
    #[getter]
    fn traceparent(&self) -> String {
        traceparent(self.0.trace_id, self.0.span_id, self.0.is_sampled)
    }

    #[getter]
    fn tracestate(&self) -> Option<&str> {
        self.0.tracestate.as_deref()
    }

    #[getter]
    fn baggage<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        for (key, value) in self.0.baggage_pairs() {
            dict.set_item(key, value)?;
        }
        Ok(dict)
    }
}

impl Span {
    /// A span of a trace of its own, or of one that came from elsewhere.
    pub(crate) fn root(name: String, kind: SpanKind, remote: Option<firebell_sdk::Remote>) -> Self {
        let parent_id = remote.as_ref().map_or(0, |it| it.span_id);
        let trace = Arc::new(Trace::new(remote, client().settings().sample_rate));
        Self::start(name, kind, trace, parent_id, true)
    }

    fn child(name: String, kind: SpanKind, of: &Self) -> Self {
        Self::start(name, kind, Arc::clone(&of.trace), of.id, false)
    }

    fn start(
        name: String,
        kind: SpanKind,
        trace: Arc<Trace>,
        parent_id: u64,
        is_root: bool,
    ) -> Self {
        let span = firebell_sdk::Span::start(name, kind, Arc::clone(&trace), parent_id, is_root);
        Self {
            trace,
            id: span.id,
            live: Mutex::new(Some(span)),
            token: Mutex::new(None),
        }
    }

    pub(crate) fn ids(&self) -> (u128, u64) {
        (self.trace.id, self.id)
    }

    pub(crate) fn remote(&self) -> Option<&firebell_sdk::Remote> {
        self.trace.remote.as_ref()
    }

    /// Does something with it, unless it has ended. No Python code may run meanwhile.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut firebell_sdk::Span) -> R) -> Option<R> {
        lock(&self.live).as_mut().map(act)
    }

    pub(crate) fn enter(this: &Bound<'_, Self>) -> PyResult<()> {
        let token = context::set_span(this.py(), this.as_any())?;
        *lock(&this.get().token) = Some(token);
        Ok(())
    }

    /// Ends it, and what was current before is so again.
    pub(crate) fn finish(&self, py: Python<'_>) {
        let token = lock(&self.token).take();
        if let Some(token) = token {
            context::reset_span(py, token);
        }
        let live = lock(&self.live).take();
        if let Some(live) = live.filter(|_| args::is_enabled()) {
            live.end(client());
        }
    }

    /// It failed with an exception or for another reason.
    pub(crate) fn fail_with(&self, why: &Bound<'_, PyAny>) {
        let (kind, message) = match why.cast::<PyString>() {
            Ok(text) => (None, text.to_string_lossy().into_owned()),
            Err(_) => {
                let text = why.str().map(|it| it.to_string_lossy().into_owned());
                (Some(args::type_name(why)), text.unwrap_or_default())
            }
        };
        let message = redacted(args::cut(&message, MESSAGE_BYTES_MAX));
        self.with(|span| {
            if let Some(kind) = kind {
                span.set("error.type", &Value::Text(kind.clone()));
                let attributes = [
                    ("exception.type".to_owned(), Value::Text(kind)),
                    ("exception.message".to_owned(), Value::Text(message.clone())),
                ];
                span.event("exception", &attributes);
            }
            span.fail(message);
        });
    }

    fn set_pairs(&self, pairs: Vec<(String, Value)>) {
        let redactor = &client().settings().redactor;
        self.with(|span| {
            for (key, mut value) in pairs {
                redactor.value(&key, &mut value);
                span.set(&key, &value);
            }
        });
    }
}

#[pymethods]
impl Span {
    #[getter]
    pub(crate) fn trace_id(&self) -> String {
        format!("{:032x}", self.trace.id)
    }

    #[getter]
    pub(crate) fn span_id(&self) -> String {
        format!("{:016x}", self.id)
    }

    #[getter]
    pub(crate) fn traceparent(&self) -> String {
        traceparent(self.trace.id, self.id, self.trace.is_sampled())
    }

    #[getter]
    fn sampled(&self) -> bool {
        self.trace.is_sampled()
    }

    #[getter]
    fn name(&self) -> String {
        self.with(|it| it.name.clone()).unwrap_or_default()
    }

    #[setter(name)]
    fn set_name(&self, name: String) {
        self.with(|it| it.name = name);
    }

    #[pyo3(signature = (**attributes))]
    fn set<'py>(
        this: Bound<'py, Self>,
        attributes: Option<&Bound<'py, PyDict>>,
    ) -> Bound<'py, Self> {
        if let Some(attributes) = attributes {
            this.get().set_pairs(args::pairs(attributes.as_any()));
        }
        this
    }

    #[pyo3(signature = (key, value, /))]
    fn set_attribute(&self, key: &str, value: &Bound<'_, PyAny>) {
        self.set_pairs(vec![(key.to_owned(), args::value(value))]);
    }

    #[pyo3(signature = (name, /, **attributes))]
    fn event(&self, name: &str, attributes: Option<&Bound<'_, PyDict>>) {
        let mut pairs = attributes.map_or_else(Vec::new, |it| args::pairs(it.as_any()));
        let redactor = &client().settings().redactor;
        pairs
            .iter_mut()
            .for_each(|(key, value)| redactor.value(key, value));
        self.with(|it| it.event(name, &pairs));
    }

    #[pyo3(signature = (traceparent, /))]
    fn link(&self, traceparent: &str) -> PyResult<()> {
        match firebell_sdk::Remote::parse(traceparent) {
            Some(remote) => _ = self.with(|it| it.link(&remote)),
            None => args::bad(|| format!("`{traceparent}` is no traceparent"))?,
        }
        Ok(())
    }

    #[pyo3(signature = (exc, /))]
    fn fail(&self, exc: &Bound<'_, PyAny>) {
        self.fail_with(exc);
    }

    fn end(&self, py: Python<'_>) {
        self.finish(py);
    }

    fn __enter__<'py>(this: Bound<'py, Self>) -> PyResult<Bound<'py, Self>> {
        Self::enter(&this)?;
        Ok(this)
    }

    #[pyo3(signature = (*raised))]
    fn __exit__(&self, py: Python<'_>, raised: &Bound<'_, PyTuple>) -> bool {
        if let Ok(exception) = raised.get_item(1)
            && !exception.is_none()
        {
            self.fail_with(&exception);
        }
        self.finish(py);
        false
    }

    fn __aenter__<'py>(this: Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        Self::enter(&this)?;
        done(this.py(), this.into_any())
    }

    #[pyo3(signature = (*raised))]
    fn __aexit__<'py>(
        &self,
        py: Python<'py>,
        raised: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let is_handled = self.__exit__(py, raised);
        let no = is_handled.into_pyobject(py)?.to_owned().into_any();
        done(py, no)
    }
}

/// Something to await that is done already.
fn done<'py>(py: Python<'py>, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    Ok(Bound::new(py, Done(Mutex::new(Some(value.unbind()))))?.into_any())
}

/// An awaitable that gives its value at once.
#[pyclass(frozen)]
struct Done(Mutex<Option<Py<PyAny>>>);

#[pymethods]
impl Done {
    fn __await__(this: Bound<'_, Self>) -> Bound<'_, Self> {
        this
    }

    fn __iter__(this: Bound<'_, Self>) -> Bound<'_, Self> {
        this
    }

    fn __next__(&self) -> PyResult<Option<Py<PyAny>>> {
        let value = lock(&self.0).take();
        Err(pyo3::exceptions::PyStopIteration::new_err((value,)))
    }
}

/// A span within the current one, another one, or one of another process.
#[pyfunction]
#[pyo3(signature = (name, kind="internal", attributes=None, parent=None))]
pub(crate) fn span(
    py: Python<'_>,
    name: String,
    kind: &str,
    attributes: Option<&Bound<'_, PyAny>>,
    parent: Option<&Bound<'_, PyAny>>,
) -> PyResult<Span> {
    let Some(kind) = SpanKind::of_name(kind) else {
        args::bad(|| format!("`{kind}` is no kind of span"))?;
        return Ok(Span::root(name, SpanKind::Internal, None));
    };
    let span = match parent {
        None => match context::span(py) {
            Some(current) => Span::child(name, kind, current.get()),
            None => Span::root(name, kind, None),
        },
        Some(parent) => within(name, kind, parent)?,
    };
    if let Some(attributes) = attributes {
        span.set_pairs(args::pairs(attributes));
    }
    Ok(span)
}

fn within(name: String, kind: SpanKind, parent: &Bound<'_, PyAny>) -> PyResult<Span> {
    if let Ok(span) = parent.cast::<Span>() {
        return Ok(Span::child(name, kind, span.get()));
    }
    let remote = match parent.cast::<Remote>() {
        Ok(remote) => Some(remote.get().0.clone()),
        Err(_) => parent
            .extract::<String>()
            .ok()
            .and_then(|it| firebell_sdk::Remote::parse(&it)),
    };
    if remote.is_none() {
        args::bad(|| "a parent is a span, what `extract` gave, or a traceparent".to_owned())?;
    }
    Ok(Span::root(name, kind, remote))
}

/// A text without secrets.
pub(crate) fn redacted(text: &str) -> String {
    client()
        .settings()
        .redactor
        .text(text)
        .unwrap_or_else(|| text.to_owned())
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const MESSAGE_BYTES_MAX: usize = 2048;
