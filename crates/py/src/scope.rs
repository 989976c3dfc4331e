//! The scope: what is known of a request, filled as it goes on.

use std::borrow::Cow;
use std::sync::Mutex;

use firebell_sdk::{Crumb, Value, client, now_nanos, push_hex, push_rfc3339, write_json_text};
use pyo3::prelude::*;

use crate::args;
use crate::span::{lock, redacted};

/// See `firebell.Scope`.
#[pyclass(frozen, module = "firebell")]
#[derive(Default)]
pub(crate) struct Scope {
    known: Mutex<firebell_sdk::Scope>,
    /// Says what the route of the request is, or `None`; asked by whoever wants to know before its end.
    find_route: Mutex<Option<Py<PyAny>>>,
}

impl Scope {
    pub(crate) fn new(scope: firebell_sdk::Scope, find_route: Option<Py<PyAny>>) -> Self {
        Self {
            known: Mutex::new(scope),
            find_route: Mutex::new(find_route),
        }
    }

    /// No Python code may run meanwhile.
    pub(crate) fn with<R>(&self, act: impl FnOnce(&mut firebell_sdk::Scope) -> R) -> R {
        act(&mut lock(&self.known))
    }

    /// The request is over: its route is known, and what found it is let go.
    pub(crate) fn set_route(&self, route: &str) {
        self.with(|it| it.route = Some(route.to_owned()));
        let found = lock(&self.find_route).take();
        // Letting it go may run Python code.
        drop(found);
    }

    fn route_finder(&self, py: Python<'_>) -> Option<Py<PyAny>> {
        let find = lock(&self.find_route);
        find.as_ref().map(|it| it.clone_ref(py))
    }

    /// Adds a breadcrumb, and leaves it where it outlives a kill.
    pub(crate) fn add(
        &self,
        category: &str,
        level: Cow<'static, str>,
        message: &str,
        data: Option<Value>,
    ) {
        let crumb = Crumb {
            nanos: now_nanos(),
            category: category.to_owned(),
            level,
            message: message.to_owned(),
            trace_id: self.with(|it| it.span.map(|(trace_id, _)| trace_id)),
            data,
        };
        leave(&crumb);
        let n_max = client().settings().max_breadcrumbs;
        self.with(|it| it.add_breadcrumb(crumb, n_max));
    }
}

/// Leaves where it outlives a kill that a request came. By hand: every request has one.
pub(crate) fn leave_request(nanos: u64, method: &str, path: &str, trace_id: u128) {
    let mut json = String::with_capacity(256);
    json.push_str("{\"timestamp\":\"");
    push_rfc3339(nanos, &mut json);
    json.push_str("\",\"category\":\"http\",\"level\":\"info\",\"message\":\"");
    json.push_str(method);
    json.push(' ');
    let mut path_json = String::with_capacity(SHORT_BYTES_MAX + 2);
    write_json_text(args::cut(path, SHORT_BYTES_MAX), &mut path_json);
    // The method, which needs no escapes, stands in the same string.
    json.push_str(path_json.strip_prefix('"').unwrap_or_default());
    json.push_str(",\"trace_id\":\"");
    push_hex::<32>(trace_id, &mut json);
    json.push_str("\"}");
    client().leave_crumb(&json);
}

/// What is too long is left without its data, and with the beginnings of its texts.
fn leave(crumb: &Crumb) {
    let mut json = String::with_capacity(256);
    crumb.write_json(|it| it, true, &mut json);
    if json.len() > LEFT_BYTES_MAX {
        json.clear();
        crumb.write_json(|it| args::cut(it, SHORT_BYTES_MAX), false, &mut json);
    }
    client().leave_crumb(&json);
}

#[pymethods]
impl Scope {
    #[new]
    fn py_new() -> Self {
        Self::default()
    }

    #[pyo3(signature = (id, fields=None, /))]
    fn set_user(&self, id: &Bound<'_, PyAny>, fields: Option<&Bound<'_, PyAny>>) {
        let mut user = vec![("id".to_owned(), args::value(id))];
        user.extend(fields.map_or_else(Vec::new, args::pairs));
        let mut user = Value::Map(user);
        client().settings().redactor.value("", &mut user);
        let user = (!id.is_none()).then_some(user);
        self.with(|it| it.user = user);
    }

    #[pyo3(signature = (key, value, /))]
    fn set_tag(&self, key: &str, value: &Bound<'_, PyAny>) {
        let mut value = args::value(value);
        client().settings().redactor.value(key, &mut value);
        self.with(|it| it.set_tag(key.to_owned(), value));
    }

    #[pyo3(signature = (name, data, /))]
    fn set_context(&self, name: &str, data: &Bound<'_, PyAny>) {
        let mut data = Value::Map(args::pairs(data));
        client().settings().redactor.value("", &mut data);
        self.with(|it| it.set_context(name.to_owned(), data));
    }

    #[pyo3(signature = (message, /, *, category="app", level="info", data=None))]
    fn breadcrumb(
        &self,
        message: &str,
        category: &str,
        level: &str,
        data: Option<&Bound<'_, PyAny>>,
    ) {
        if !args::is_enabled() {
            return;
        }
        let message = redacted(args::cut(message, MESSAGE_BYTES_MAX));
        let data = data.filter(|it| !it.is_none()).map(|data| {
            let mut data = Value::Map(args::pairs(data));
            client().settings().redactor.value("", &mut data);
            data
        });
        self.add(category, Cow::Owned(level.to_owned()), &message, data);
    }

    fn snapshot<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let mut known = self.with(|it| it.clone());
        if let Some(find) = self.route_finder(py)
            && known.route.is_none()
        {
            // What fails is not known yet.
            let found = find.call0(py).and_then(|it| it.extract(py));
            known.route = found.unwrap_or(None);
        }
        args::to_python(py, &known.snapshot())
    }

    pub(crate) fn fork(&self, py: Python<'_>) -> Self {
        Self::new(self.with(|it| it.clone()), self.route_finder(py))
    }

    #[getter]
    fn request_id(&self) -> Option<String> {
        self.with(|it| it.request_id())
    }

    #[setter]
    fn set_request_id(&self, id: Option<String>) {
        self.with(|it| it.request_id = id);
    }

    #[getter]
    fn trace_id(&self) -> Option<String> {
        self.with(|it| it.trace_id())
    }
}

const MESSAGE_BYTES_MAX: usize = 1024;
const LEFT_BYTES_MAX: usize = 500;
const SHORT_BYTES_MAX: usize = 160;
