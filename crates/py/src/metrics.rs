//! Counters, gauges and histograms.

use std::cell::RefCell;

use firebell_sdk::{Client, Kind, Metric, Series, client, now_nanos};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::timer::{Timer, Tracker};
use crate::{args, context};

/// A metric with what observing it needs.
#[derive(Clone, Copy)]
struct Handle {
    client: &'static Client,
    metric: &'static Metric,
}

/// One of its series.
#[derive(Clone, Copy)]
pub(crate) struct One {
    client: &'static Client,
    series: &'static Series,
}

thread_local! {
    /// Where keys of labels are put together.
    static KEY: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Handle {
    fn new(kind: Kind, name: &str, description: &str, unit: &str) -> PyResult<Self> {
        let client = client();
        let metric = client.metrics.metric(kind, name, description, unit);
        let metric = metric.map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(Self { client, metric })
    }

    fn series(&self, labels: Option<&Bound<'_, PyDict>>) -> &'static Series {
        let Some(labels) = labels else {
            return self
                .metric
                .find(&[])
                .unwrap_or_else(|| self.metric.series(&[], Vec::new()));
        };
        // Taken out while it is used: a label's `__str__` may observe something itself.
        let mut key = KEY.with(RefCell::take);
        key.clear();
        args::labels_key(labels, &mut key);
        let found = self.metric.find(&key);
        let series = found.unwrap_or_else(|| self.metric.series(&key, args::labels(labels)));
        KEY.with(|it| it.replace(key));
        series
    }

    fn bind(&self, labels: Option<&Bound<'_, PyDict>>) -> One {
        One {
            client: self.client,
            series: self.series(labels),
        }
    }

    fn at(&self, labels: Option<&Bound<'_, PyDict>>) -> Option<One> {
        args::is_enabled().then(|| self.bind(labels))
    }
}

impl One {
    #[inline]
    pub(crate) fn add(&self, py: Python<'_>, n: f64) -> PyResult<()> {
        self.client.begin();
        if self.series.add(n) {
            self.exemplify(py, n);
            return Ok(());
        }
        args::bad(|| format!("{}: {n} cannot be added", self.series.metric().name))
    }

    #[inline]
    pub(crate) fn observe(&self, py: Python<'_>, value: f64) -> PyResult<()> {
        self.client.begin();
        if self.series.observe(value) {
            self.exemplify(py, value);
            return Ok(());
        }
        args::bad(|| format!("{}: {value} is no number", self.series.metric().name))
    }

    /// The span is looked for only where its ids are wanted: that costs more than all the rest.
    #[inline]
    fn exemplify(&self, py: Python<'_>, value: f64) {
        if self.series.wants_exemplar(value) {
            self.exemplify_now(py, value);
        }
    }

    #[cold]
    fn exemplify_now(&self, py: Python<'_>, value: f64) {
        match context::span(py) {
            Some(span) => {
                let (trace_id, span_id) = span.get().ids();
                self.series
                    .set_exemplar(value, now_nanos(), trace_id, span_id);
            }
            None => self.series.look_for_exemplar_later(),
        }
    }

    #[inline]
    fn set(&self, value: f64) {
        self.client.begin();
        self.series.set(value);
    }

    /// Adds what was given, 1 when nothing was.
    #[inline]
    fn add_any(&self, py: Python<'_>, n: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let Some(n) = n else {
            return self.add(py, 1.0);
        };
        with_number(n, |n| self.add(py, n))
    }

    #[inline]
    fn observe_any(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        with_number(value, |number| self.observe(value.py(), number))
    }

    #[inline]
    fn set_any(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        with_number(value, |value| {
            self.set(value);
            Ok(())
        })
    }
}

#[inline]
fn with_number(n: &Bound<'_, PyAny>, act: impl FnOnce(f64) -> PyResult<()>) -> PyResult<()> {
    match args::number(n) {
        Some(n) => act(n),
        None => args::bad(|| format!("a number is expected, not a {}", args::type_name(n))),
    }
}

/// What only grows.
#[pyclass(frozen, module = "firebell")]
pub(crate) struct Counter(Handle);

#[pymethods]
impl Counter {
    #[pyo3(signature = (n=None, /, **labels))]
    fn inc(
        &self,
        py: Python<'_>,
        n: Option<&Bound<'_, PyAny>>,
        labels: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        self.0.at(labels).map_or(Ok(()), |it| it.add_any(py, n))
    }

    #[pyo3(signature = (**labels))]
    fn bind(&self, labels: Option<&Bound<'_, PyDict>>) -> BoundCounter {
        BoundCounter(self.0.bind(labels))
    }

    #[getter]
    fn name(&self) -> &str {
        &self.0.metric.name
    }

    #[getter]
    fn unit(&self) -> &str {
        &self.0.metric.unit
    }
}

/// One series of a counter.
#[pyclass(frozen, module = "firebell")]
pub(crate) struct BoundCounter(One);

#[pymethods]
impl BoundCounter {
    #[pyo3(signature = (n=None, /))]
    fn inc(&self, py: Python<'_>, n: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        if args::is_enabled() {
            self.0.add_any(py, n)
        } else {
            Ok(())
        }
    }
}

/// What goes up and down.
#[pyclass(frozen, module = "firebell")]
pub(crate) struct Gauge(Handle);

#[pymethods]
impl Gauge {
    #[pyo3(signature = (value, /, **labels))]
    fn set(&self, value: &Bound<'_, PyAny>, labels: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        self.0.at(labels).map_or(Ok(()), |it| it.set_any(value))
    }

    #[pyo3(signature = (n, /, **labels))]
    fn add(&self, n: &Bound<'_, PyAny>, labels: Option<&Bound<'_, PyDict>>) -> PyResult<()> {
        self.0
            .at(labels)
            .map_or(Ok(()), |it| it.add_any(n.py(), Some(n)))
    }

    #[pyo3(signature = (**labels))]
    fn track(&self, labels: Option<&Bound<'_, PyDict>>) -> Tracker {
        Tracker::new(self.0.bind(labels))
    }

    #[pyo3(signature = (**labels))]
    fn bind(&self, labels: Option<&Bound<'_, PyDict>>) -> BoundGauge {
        BoundGauge(self.0.bind(labels))
    }

    #[getter]
    fn name(&self) -> &str {
        &self.0.metric.name
    }

    #[getter]
    fn unit(&self) -> &str {
        &self.0.metric.unit
    }
}

/// One series of a gauge.
#[pyclass(frozen, module = "firebell")]
pub(crate) struct BoundGauge(One);

#[pymethods]
impl BoundGauge {
    #[pyo3(signature = (value, /))]
    fn set(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        if args::is_enabled() {
            self.0.set_any(value)
        } else {
            Ok(())
        }
    }

    #[pyo3(signature = (n, /))]
    fn add(&self, n: &Bound<'_, PyAny>) -> PyResult<()> {
        if args::is_enabled() {
            self.0.add_any(n.py(), Some(n))
        } else {
            Ok(())
        }
    }

    fn track(&self) -> Tracker {
        Tracker::new(self.0)
    }
}

/// How often values of what size came.
#[pyclass(frozen, module = "firebell")]
pub(crate) struct Histogram(Handle);

#[pymethods]
impl Histogram {
    #[pyo3(signature = (value, /, **labels))]
    fn observe(
        &self,
        value: &Bound<'_, PyAny>,
        labels: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        self.0.at(labels).map_or(Ok(()), |it| it.observe_any(value))
    }

    #[pyo3(signature = (**labels))]
    fn time(&self, labels: Option<&Bound<'_, PyDict>>) -> Timer {
        Timer::new(self.0.bind(labels))
    }

    #[pyo3(signature = (**labels))]
    fn bind(&self, labels: Option<&Bound<'_, PyDict>>) -> BoundHistogram {
        BoundHistogram(self.0.bind(labels))
    }

    #[getter]
    fn name(&self) -> &str {
        &self.0.metric.name
    }

    #[getter]
    fn unit(&self) -> &str {
        &self.0.metric.unit
    }
}

/// One series of a histogram.
#[pyclass(frozen, module = "firebell")]
pub(crate) struct BoundHistogram(One);

#[pymethods]
impl BoundHistogram {
    #[pyo3(signature = (value, /))]
    fn observe(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        if args::is_enabled() {
            self.0.observe_any(value)
        } else {
            Ok(())
        }
    }

    fn time(&self) -> Timer {
        Timer::new(self.0)
    }
}

/// The counter of this name.
#[pyfunction]
#[pyo3(signature = (name, description="", *, unit="1"))]
pub(crate) fn counter(name: &str, description: &str, unit: &str) -> PyResult<Counter> {
    Handle::new(Kind::Counter, name, description, unit).map(Counter)
}

/// The gauge of this name.
#[pyfunction]
#[pyo3(signature = (name, description="", *, unit="1"))]
pub(crate) fn gauge(name: &str, description: &str, unit: &str) -> PyResult<Gauge> {
    Handle::new(Kind::Gauge, name, description, unit).map(Gauge)
}

/// The histogram of this name.
#[pyfunction]
#[pyo3(signature = (name, description="", *, unit="s"))]
pub(crate) fn histogram(name: &str, description: &str, unit: &str) -> PyResult<Histogram> {
    Handle::new(Kind::Histogram, name, description, unit).map(Histogram)
}
