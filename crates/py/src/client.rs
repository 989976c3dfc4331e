//! The client of the process: settings, sending, statistics.

use std::path::PathBuf;
use std::time::Duration;

use firebell_sdk::{Endpoint, Otlp, Settings, client};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyMapping};

use crate::args;
use crate::redact::Redactor;

/// Takes new settings; every option that cannot be taken is named.
#[pyfunction]
#[pyo3(signature = (**options))]
pub(crate) fn configure(py: Python<'_>, options: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
    let mut options = Options::new(options)?;
    let defaults = Settings::default();
    let settings = Settings {
        service: options.take("service").unwrap_or(defaults.service),
        endpoint: options.endpoint(),
        otlp: options.otlp(),
        environment: options.take("environment"),
        release: options.take("release"),
        resource: options.texts("resource"),
        sample_rate: options.take("sample_rate").unwrap_or(defaults.sample_rate),
        keep_errors: options.take("keep_errors").unwrap_or(defaults.keep_errors),
        keep_slower_than: options.seconds("keep_slower_than", defaults.keep_slower_than),
        redactor: options.redactor().unwrap_or(defaults.redactor),
        max_breadcrumbs: options
            .take("max_breadcrumbs")
            .unwrap_or(defaults.max_breadcrumbs),
        max_series: options.take("max_series").unwrap_or(defaults.max_series),
        max_labels_per_metric: options
            .take("max_labels_per_metric")
            .unwrap_or(defaults.max_labels_per_metric),
        buffer_bytes: options
            .take("buffer_bytes")
            .unwrap_or(defaults.buffer_bytes),
        run_dir: options.take::<PathBuf>("run_dir"),
        flush_interval: options
            .seconds("flush_interval", Some(defaults.flush_interval))
            .unwrap_or(defaults.flush_interval),
        is_enabled: options.take("enabled").unwrap_or(defaults.is_enabled),
        propagates_trace: options.take("propagate_trace").unwrap_or(true),
        propagates_baggage: options.take("propagate_baggage").unwrap_or(true),
    };
    let is_debug = options.take("debug").unwrap_or(false);
    options.finish(&settings)?;
    args::set_debug(is_debug);
    args::set_enabled(settings.is_enabled);
    let is_sending = settings.endpoint.is_some() || settings.otlp.is_some();
    client().configure(settings);
    if is_sending { watch_exit(py) } else { Ok(()) }
}

/// Children of pools end by `os._exit`, which runs nothing that was left to be run: seen from
/// outside they die. Those that end with 0 have ended as they wished.
fn watch_exit(py: Python<'_>) -> PyResult<()> {
    if OS_EXIT.get(py).is_none() {
        let os = py.import("os")?;
        OS_EXIT.get_or_try_init(py, || os.getattr("_exit").map(Bound::unbind))?;
        os.setattr("_exit", wrap_pyfunction!(exit, &os)?)?;
    }
    Ok(())
}

static OS_EXIT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// `os._exit`, but for its mark.
#[pyfunction]
#[pyo3(name = "_exit", signature = (status))]
fn exit(py: Python<'_>, status: &Bound<'_, PyAny>) -> PyResult<()> {
    if status.extract::<i32>().is_ok_and(|it| it == 0) {
        client().mark_clean_exit();
    }
    if let Some(original) = OS_EXIT.get(py) {
        original.bind(py).call1((status,))?;
    }
    Ok(())
}

/// Keywords, each taken once; what is wrong with them is gathered.
struct Options<'py> {
    given: Option<Bound<'py, PyDict>>,
    problems: Vec<String>,
}

impl<'py> Options<'py> {
    fn new(given: Option<&Bound<'py, PyDict>>) -> PyResult<Self> {
        Ok(Self {
            given: given.map(|it| it.copy()).transpose()?,
            problems: Vec::new(),
        })
    }

    /// `None` when it is not given, or given as `None`.
    fn any(&mut self, name: &str) -> Option<Bound<'py, PyAny>> {
        let given = self.given.as_ref()?;
        let value = given.get_item(name).ok()??;
        let _ = given.del_item(name);
        (!value.is_none()).then_some(value)
    }

    fn take<T: for<'a> FromPyObject<'a, 'py>>(&mut self, name: &str) -> Option<T> {
        let value = self.any(name)?;
        let taken = value.extract::<T>();
        if taken.is_err() {
            self.problems
                .push(format!("{name}: not of a {}", args::type_name(&value)));
        }
        taken.ok()
    }

    fn texts(&mut self, name: &str) -> Vec<(String, String)> {
        let Some(mapping) = self.any(name) else {
            return Vec::new();
        };
        if mapping.cast::<PyMapping>().is_err() {
            self.problems.push(format!("{name}: a mapping is expected"));
        }
        let pairs = args::pairs(&mapping).into_iter();
        pairs.map(|(key, value)| (key, value.to_text())).collect()
    }

    /// Seconds; given as `None` they are none, not given they are the default.
    fn seconds(&mut self, name: &str, default: Option<Duration>) -> Option<Duration> {
        let is_given = self
            .given
            .as_ref()
            .is_some_and(|it| it.contains(name).unwrap_or(false));
        if !is_given {
            return default;
        }
        let seconds = self.take::<f64>(name)?;
        let duration = Duration::try_from_secs_f64(seconds);
        if duration.is_err() {
            self.problems
                .push(format!("{name}: seconds are expected, not {seconds}"));
        }
        duration.ok()
    }

    fn endpoint(&mut self) -> Option<Endpoint> {
        let mut headers = self.texts("headers");
        if let Some(token) = self.take::<String>("token") {
            headers.push(("Authorization".to_owned(), format!("Bearer {token}")));
        }
        let ca_file = self.take::<PathBuf>("ca_file");
        let url = self.take::<String>("endpoint")?;
        let is_gzip = self.take("gzip").unwrap_or(false);
        let endpoint = Endpoint::parse(&url, headers, ca_file);
        let endpoint = endpoint
            .map_err(|error| self.problems.push(format!("endpoint: {error}")))
            .ok()?;
        let endpoint = endpoint.through_proxy(|name| std::env::var(name).ok());
        Some(endpoint.with_gzip(is_gzip))
    }

    /// A second destination: an endpoint for each signal.
    fn otlp(&mut self) -> Option<Otlp> {
        let mut given = self.within("otlp")?;
        let mut of_signal = |signal: &str| {
            let mut destination = given.within(signal)?;
            let endpoint = destination.endpoint();
            let problems = destination.problems.into_iter();
            given
                .problems
                .extend(problems.map(|it| format!("{signal}: {it}")));
            endpoint
        };
        let (metrics, logs, traces) =
            (of_signal("metrics"), of_signal("logs"), of_signal("traces"));
        let timeout = given.seconds("timeout", Some(Duration::from_secs(10)));
        let metrics_every = given.seconds("metrics_every", Some(Duration::from_secs(60)));
        let problems = given.problems.into_iter();
        self.problems
            .extend(problems.map(|it| format!("otlp: {it}")));
        Some(Otlp {
            metrics,
            logs,
            traces,
            timeout: timeout?,
            metrics_every: metrics_every?,
        })
    }

    /// Options within an option.
    fn within(&mut self, name: &str) -> Option<Self> {
        let given = self.any(name)?;
        let options = given.cast::<PyDict>().ok().map(|it| Self::new(Some(it)));
        match options {
            Some(Ok(options)) => Some(options),
            _ => {
                self.problems.push(format!("{name}: a dict is expected"));
                None
            }
        }
    }

    fn redactor(&mut self) -> Option<firebell_sdk::Redactor> {
        let given = self.any("redactor")?;
        let redactor = given.cast::<Redactor>().map(|it| it.get().inner().clone());
        if redactor.is_err() {
            self.problems
                .push("redactor: a Redactor is expected".into());
        }
        redactor.ok()
    }

    fn finish(mut self, settings: &Settings) -> PyResult<()> {
        // Kept in the seam for whoever closes: the time to close is given there.
        let _ = self.any("shutdown_timeout");
        self.problems.extend(settings.problems());
        if let Some(given) = &self.given {
            let unknown = given.keys().iter().filter(|name| {
                given
                    .get_item(name)
                    .is_ok_and(|it| it.is_some_and(|it| !it.is_none()))
            });
            self.problems
                .extend(unknown.map(|name| format!("{}: no such option", args::key_text(&name))));
        }
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(PyValueError::new_err(self.problems.join("; ")))
    }
}

/// Has everything sent; whether it was.
#[pyfunction]
#[pyo3(signature = (timeout=2.0))]
pub(crate) fn flush(py: Python<'_>, timeout: f64) -> bool {
    py.detach(|| client().flush(duration(timeout)))
}

/// Whoever is sent to next is not told of what waits now.
#[pyfunction]
pub(crate) fn discard() {
    client().discard();
}

/// One last attempt.
#[pyfunction]
#[pyo3(signature = (timeout=0.3))]
pub(crate) fn close(py: Python<'_>, timeout: f64) -> bool {
    py.detach(|| client().close(duration(timeout)))
}

fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.clamp(0.0, DAY_SECS)).unwrap_or_default()
}

/// This process ends as it wishes to.
#[pyfunction]
pub(crate) fn mark_clean_exit() {
    client().mark_clean_exit();
}

/// Whether anything is recorded.
#[pyfunction]
pub(crate) fn enabled() -> bool {
    args::is_enabled()
}

/// Records, or stops recording.
#[pyfunction]
#[pyo3(signature = (on, /))]
pub(crate) fn set_enabled(on: bool) {
    args::set_enabled(on);
}

/// The name of this process among all.
#[pyfunction]
pub(crate) fn instance_id() -> &'static str {
    client().instance_id()
}

/// Metrics of this process as text.
#[pyfunction]
pub(crate) fn expose() -> String {
    firebell_sdk::expose(client())
}

/// Metrics of all processes of this one's service as text.
#[pyfunction]
pub(crate) fn expose_all(py: Python<'_>) -> String {
    py.detach(|| firebell_sdk::expose_all(client()))
}

/// Somebody scrapes: totals of this process are kept when it is no more.
#[pyfunction]
pub(crate) fn keep_totals() {
    client().keep_totals();
}

/// What became of what was recorded.
#[pyfunction]
pub(crate) fn stats(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    let stats = client().stats();
    let dict = PyDict::new(py);
    for (key, value) in [
        ("recorded", stats.recorded),
        ("exported", stats.exported),
        ("dropped_buffer_full", stats.dropped_buffer_full),
        ("dropped_too_large", stats.dropped_too_large),
        ("dropped_cardinality", stats.dropped_cardinality),
        ("dropped_rejected", stats.dropped_rejected),
        ("dropped_sampled", stats.dropped_sampled),
        (
            "recovered_from_dead_process",
            stats.recovered_from_dead_process,
        ),
        ("failed_export_attempts", stats.failed_export_attempts),
        ("bad_arguments", stats.bad_arguments),
        ("ring_bytes", client().settings().buffer_bytes as u64),
    ] {
        dict.set_item(key, value)?;
    }
    dict.set_item("ring_path", stats.ring_path)?;
    dict.set_item("state", stats.state)?;
    dict.set_item("last_export_error", stats.last_export_error)?;
    Ok(dict)
}

const DAY_SECS: f64 = 86_400.0;
