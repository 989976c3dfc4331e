//! `Histogram.time()` and `Gauge.track()`: around a block, or a function.
#![expect(
    clippy::disallowed_methods,
    reason = "an edge: it measures what the app does"
)]

use std::sync::Mutex;
use std::time::Instant;

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::args;
use crate::metrics::One;
use crate::span::lock;

/// Observes how long a block took, in seconds, however it ends.
#[pyclass(frozen, module = "firebell")]
pub(crate) struct Timer {
    series: One,
    /// Of blocks that have not ended; they end in the opposite order.
    started: Mutex<Vec<Instant>>,
}

/// Adds one to a gauge for as long as a block lasts.
#[pyclass(frozen, module = "firebell")]
pub(crate) struct Tracker(One);

impl Timer {
    pub(crate) fn new(series: One) -> Self {
        let started = Mutex::default();
        Self { series, started }
    }
}

impl Tracker {
    pub(crate) fn new(series: One) -> Self {
        Self(series)
    }
}

#[pymethods]
impl Timer {
    fn __enter__(&self) {
        lock(&self.started).push(Instant::now());
    }

    #[pyo3(signature = (*_raised))]
    fn __exit__(&self, py: Python<'_>, _raised: &Bound<'_, PyTuple>) -> PyResult<bool> {
        let started = lock(&self.started).pop();
        if let Some(started) = started.filter(|_| args::is_enabled()) {
            self.series.observe(py, started.elapsed().as_secs_f64())?;
        }
        Ok(false)
    }

    fn __call__<'py>(
        this: Bound<'py, Self>,
        function: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        around(this.into_any(), function)
    }

    /// Another one: of calls at the same time each has its own beginning.
    fn _fresh(&self) -> Self {
        Self::new(self.series)
    }
}

#[pymethods]
impl Tracker {
    fn __enter__(&self, py: Python<'_>) -> PyResult<()> {
        self.add(py, 1.0)
    }

    #[pyo3(signature = (*_raised))]
    fn __exit__(&self, py: Python<'_>, _raised: &Bound<'_, PyTuple>) -> PyResult<bool> {
        self.add(py, -1.0)?;
        Ok(false)
    }

    fn __call__<'py>(
        this: Bound<'py, Self>,
        function: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        around(this.into_any(), function)
    }

    fn _fresh(&self) -> Self {
        Self(self.0)
    }
}

impl Tracker {
    fn add(&self, py: Python<'_>, n: f64) -> PyResult<()> {
        if args::is_enabled() {
            self.0.add(py, n)
        } else {
            Ok(())
        }
    }
}

/// The function within a block of its own for each call.
fn around<'py>(
    block: Bound<'py, PyAny>,
    function: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let module = block.py().import("firebell._around")?;
    module.getattr("around")?.call1((block, function))
}
