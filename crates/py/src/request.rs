//! A request that is served, in two calls.

use std::cell::RefCell;
use std::sync::{Mutex, OnceLock};

use firebell_sdk::{Client, Kind, Metric, Series, SpanKind, Value, client, now_nanos, push_key};
use pyo3::prelude::*;

use crate::context::Headers;
use crate::scope::{Scope, leave_request};
use crate::span::{Span, lock, redacted};
use crate::{args, context};

/// See `firebell.asgi` and its like.
#[pyclass(frozen, module = "firebell")]
pub(crate) struct Request {
    method: &'static str,
    scheme: String,
    span: Py<Span>,
    scope: Py<Scope>,
    /// Where it counts as active.
    active: Option<&'static Series>,
    /// `None` once it has ended.
    scope_token: Mutex<Option<Py<PyAny>>>,
}

/// The metrics of requests.
struct Metrics {
    duration: &'static Metric,
    active: &'static Metric,
}

fn metrics(client: &'static Client) -> Option<&'static Metrics> {
    static METRICS: OnceLock<Option<Metrics>> = OnceLock::new();
    let made = METRICS.get_or_init(|| {
        let metric = |kind, name, description, unit| {
            client.metrics.metric(kind, name, description, unit).ok()
        };
        Some(Metrics {
            duration: metric(
                Kind::Histogram,
                "http.server.request.duration",
                "Duration of HTTP server requests.",
                "s",
            )?,
            active: metric(
                Kind::Gauge,
                "http.server.active_requests",
                "Number of active HTTP server requests.",
                "{request}",
            )?,
        })
    });
    made.as_ref()
}

#[pymethods]
impl Request {
    #[getter]
    fn scope(&self, py: Python<'_>) -> Py<Scope> {
        self.scope.clone_ref(py)
    }

    #[getter]
    fn span(&self, py: Python<'_>) -> Py<Span> {
        self.span.clone_ref(py)
    }

    #[pyo3(signature = (status, route=None, exception=None))]
    fn end(
        &self,
        py: Python<'_>,
        status: u16,
        route: Option<&str>,
        exception: Option<&Bound<'_, PyAny>>,
    ) {
        let Some(token) = lock(&self.scope_token).take() else {
            return;
        };
        let route = route.unwrap_or("unmatched");
        let span = self.span.get();
        if let Some(exception) = exception.filter(|it| !it.is_none()) {
            span.fail_with(exception);
        }
        let scope = self.scope.get();
        scope.set_route(route);
        let user_id = scope.with(|it| it.user_id().cloned());
        let lasted = span.with(|it| {
            it.name = format!("{} {route}", self.method);
            it.set_text("http.request.method", self.method);
            it.set_text("http.route", route);
            it.set("http.response.status_code", &Value::Int(status.into()));
            if let Some(id) = &user_id {
                it.set("user.id", id);
            }
            if status >= 500 {
                it.fail(format!("status {status}"));
            }
            it.elapsed().as_secs_f64()
        });
        if let Some(lasted) = lasted {
            self.observe(lasted, status, route);
        }
        if let Some(active) = self.active {
            active.add(-1.0);
        }
        context::reset_scope(py, token);
        span.finish(py);
    }
}

/// Begins a request: its scope and span are current until its end. A function, since to call a class
/// costs more.
#[pyfunction]
#[pyo3(signature = (method, path, headers=None, scheme="http", find_route=None, client=None, /))]
pub(crate) fn begin_request(
    py: Python<'_>,
    method: &str,
    path: &str,
    headers: Option<&Bound<'_, PyAny>>,
    scheme: &str,
    find_route: Option<Py<PyAny>>,
    client: Option<&str>,
) -> PyResult<Request> {
    let mut headers = headers.map(Headers::read).unwrap_or_default();
    let remote = headers.remote();
    let method = known_method(method);
    let span = Span::root(method.to_owned(), SpanKind::Server, remote);
    let path = redacted(args::cut(path, PATH_BYTES_MAX));
    span.with(|it| {
        it.set_text("url.path", &path);
        it.set_text("url.scheme", scheme);
        if let Some(client) = client {
            it.set_text("client.address", client);
        }
    });
    let now = now_nanos();
    if args::is_enabled() {
        leave_request(now, method, &path, span.ids().0);
    }
    let known = firebell_sdk::Scope {
        request_id: headers.request_id,
        span: Some(span.ids()),
        begun_at: Some(now),
        method: Some(method),
        path: Some(path),
        ..firebell_sdk::Scope::default()
    };
    let scope = Scope::new(known, find_route);
    let (span, scope) = (Bound::new(py, span)?, Bound::new(py, scope)?);
    Span::enter(&span)?;
    let token = context::set_scope(py, &scope)?;
    let active = active_series(method, scheme);
    if let Some(active) = active {
        active.add(1.0);
    }
    Ok(Request {
        method,
        scheme: scheme.to_owned(),
        span: span.unbind(),
        scope: scope.unbind(),
        active,
        scope_token: Mutex::new(Some(token)),
    })
}

impl Request {
    fn observe(&self, lasted: f64, status: u16, route: &str) {
        let client = client();
        let Some(metrics) = metrics(client).filter(|_| args::is_enabled()) else {
            return;
        };
        client.begin();
        let series = duration_series(metrics, self.method, status, route, &self.scheme);
        series.observe(lasted);
        if series.wants_exemplar(lasted) {
            let (trace_id, span_id) = self.span.get().ids();
            series.set_exemplar(lasted, now_nanos(), trace_id, span_id);
        }
    }
}

/// Series are never removed: the usual ones are looked up once. That of overflow is no place of its
/// own: each time it counts as one, and there may be room by then.
fn active_series(method: &'static str, scheme: &str) -> Option<&'static Series> {
    static USUAL: [[OnceLock<&'static Series>; SCHEMES.len()]; METHODS.len()] =
        [const { [const { OnceLock::new() }; SCHEMES.len()] }; METHODS.len()];
    let client = client();
    let metrics = metrics(client).filter(|_| args::is_enabled())?;
    client.begin();
    let labels = [("http.request.method", method), ("url.scheme", scheme)];
    let find = || series(metrics.active, &labels);
    let method = METHODS.iter().position(|it| *it == method);
    let scheme = SCHEMES.iter().position(|it| *it == scheme);
    let place = method.zip(scheme);
    let place = place.and_then(|(method, scheme)| USUAL.get(method)?.get(scheme));
    let Some(place) = place else {
        return Some(find());
    };
    let known = place.get().copied();
    Some(known.unwrap_or_else(|| {
        let series = find();
        if !series.is_overflow() {
            let _ = place.set(series);
        }
        series
    }))
}

/// Most requests are of the same few routes: those are found without a key.
fn duration_series(
    metrics: &Metrics,
    method: &'static str,
    status: u16,
    route: &str,
    scheme: &str,
) -> &'static Series {
    thread_local! {
        static LAST: RefCell<Vec<Known>> = const { RefCell::new(Vec::new()) };
    }
    let find = || {
        let status = status.to_string();
        let labels = [
            ("http.request.method", method),
            ("http.response.status_code", &*status),
            ("http.route", route),
            ("url.scheme", scheme),
        ];
        series(metrics.duration, &labels)
    };
    LAST.with_borrow_mut(|last| {
        let is_it = |it: &&Known| {
            it.status == status && it.method == method && it.route == route && it.scheme == scheme
        };
        if let Some(known) = last.iter().find(is_it) {
            return known.series;
        }
        let series = find();
        if series.is_overflow() {
            return series;
        }
        if last.len() >= LAST_MAX {
            last.clear();
        }
        last.push(Known {
            method,
            status,
            route: route.to_owned(),
            scheme: scheme.to_owned(),
            series,
        });
        series
    })
}

/// A series by its labels.
struct Known {
    method: &'static str,
    status: u16,
    route: String,
    scheme: String,
    series: &'static Series,
}

fn series(metric: &'static Metric, labels: &[(&str, &str)]) -> &'static Series {
    let mut key = Vec::with_capacity(128);
    for (name, value) in labels {
        push_key(&mut key, name);
        push_key(&mut key, value);
    }
    metric.find(&key).unwrap_or_else(|| {
        let owned = labels
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        metric.series(&key, owned.collect())
    })
}

/// Methods are labels: what is made up is not one of them.
fn known_method(method: &str) -> &'static str {
    METHODS
        .into_iter()
        .find(|it| method.eq_ignore_ascii_case(it))
        .unwrap_or("_OTHER")
}

/// Looked through one by one.
const LAST_MAX: usize = 8;
const SCHEMES: [&str; 2] = ["http", "https"];
const METHODS: [&str; 9] = [
    "GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "CONNECT",
];
const PATH_BYTES_MAX: usize = 1024;
