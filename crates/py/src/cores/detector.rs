//! `Detector`: an anomaly detector for one series of values.

use firebell_model::Duration;
use firebell_rules::{
    AnomalyOptions, DetectorKind, Direction, Judgement, LoneDetector, SavedDetector,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::{at, length};

/// Score, whether it is an anomaly, what was expected, from where, to where, whether it only warms
/// up.
type Told = (f64, bool, f64, f64, f64, bool);

/// An anomaly detector.
#[pyclass(module = "firebell._native")]
pub(crate) struct Detector(LoneDetector);

#[pymethods]
impl Detector {
    #[new]
    #[pyo3(signature = (
        *, method, window, warmup, spreads, direction, min_deviation, min_deviation_ratio,
        min_duration
    ))]
    #[expect(clippy::too_many_arguments, reason = "keywords of Python")]
    fn new(
        method: &str,
        window: usize,
        warmup: usize,
        spreads: f64,
        direction: &str,
        min_deviation: f64,
        min_deviation_ratio: f64,
        min_duration: f64,
    ) -> Self {
        let options = AnomalyOptions {
            detector: match method {
                "zscore" => DetectorKind::ZScore,
                _ => DetectorKind::Robust,
            },
            window,
            warm_up: warmup,
            sensitivity: spreads,
            direction: match direction {
                "up" => Direction::Up,
                "down" => Direction::Down,
                _ => Direction::Both,
            },
            min_deviation,
            min_deviation_ratio,
        };
        let min_duration: Duration = length(min_duration);
        Self(LoneDetector::new(options, min_duration))
    }

    fn update(&mut self, value: f64, now: f64) -> Told {
        told(self.0.update(value, at(now)))
    }

    fn score(&self, value: f64, now: f64) -> Told {
        told(self.0.judge(value, at(now)))
    }

    fn saved<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let saved = serde_json::to_vec(&self.0.saved());
        let saved = saved.map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(PyBytes::new(py, &saved))
    }

    /// Whether `saved` could be read; nothing has changed otherwise.
    fn restore(&mut self, saved: &[u8]) -> bool {
        let saved: Result<SavedDetector, _> = serde_json::from_slice(saved);
        saved.is_ok_and(|it| self.0.restore(&it))
    }
}

fn told(it: Judgement) -> Told {
    (
        it.score,
        it.is_anomaly,
        it.expected,
        it.lower,
        it.upper,
        it.is_warming_up,
    )
}
