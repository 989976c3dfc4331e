//! `Check`: the state machine of a check.

use std::collections::BTreeMap;

use firebell_model::Labels;
use firebell_rules::{
    AlertPhase, Bound as Past, Breakage, Check as Core, CheckAlert, CheckAnswer, CheckNews,
    CheckOptions, OnNoData, Problem, Rank,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::{at, dict_of, length, seconds};

/// What people have to hear: what happened, and to which alert.
type News<'py> = Vec<(&'static str, Bound<'py, PyDict>)>;

/// Something that is wrong: labels, value, severity.
type Given = (BTreeMap<String, String>, Option<f64>, Option<u8>);

/// A check that is evaluated by Python.
#[pyclass(module = "firebell._native")]
pub(crate) struct Check {
    options: CheckOptions,
    core: Core,
}

#[pymethods]
impl Check {
    #[new]
    #[pyo3(signature = (*, hold, cooldown, above, below, clear, on_no_data, severity, error_severity))]
    #[expect(clippy::too_many_arguments, reason = "keywords of Python")]
    fn new(
        hold: f64,
        cooldown: f64,
        above: Option<f64>,
        below: Option<f64>,
        clear: Option<f64>,
        on_no_data: &str,
        severity: u8,
        error_severity: u8,
    ) -> PyResult<Self> {
        let bound = Past::new(above, below, clear);
        let options = CheckOptions {
            hold_for: length(hold),
            cooldown: length(cooldown),
            repeat_after: None,
            bound: bound.map_err(|error| PyValueError::new_err(error.to_string()))?,
            on_no_data: match on_no_data {
                "ok" => OnNoData::Ok,
                "alert" => OnNoData::Alert,
                _ => OnNoData::Keep,
            },
            severity: Rank(severity),
            error_severity: Rank(error_severity),
        };
        let core = Core::new(options);
        Ok(Self { options, core })
    }

    /// How often people hear again of what fires on; set before the first answer.
    fn set_repeat(&mut self, repeat: Option<f64>) {
        self.options.repeat_after = repeat.map(length);
        self.core = Core::new(self.options);
    }

    fn problems<'py>(
        &mut self,
        py: Python<'py>,
        now: f64,
        found: Vec<Given>,
    ) -> PyResult<News<'py>> {
        let found = found.into_iter().map(|(labels, value, severity)| Problem {
            labels: Labels::from_pairs(labels),
            value: value.unwrap_or(f64::NAN),
            severity: severity.map(Rank),
        });
        let found: Vec<Problem> = found.collect();
        let answer = match found.is_empty() {
            true => CheckAnswer::Well,
            false => CheckAnswer::Problems(found),
        };
        self.observe(py, now, answer)
    }

    fn number<'py>(&mut self, py: Python<'py>, now: f64, value: f64) -> PyResult<News<'py>> {
        self.observe(py, now, CheckAnswer::Number(value))
    }

    fn no_data<'py>(&mut self, py: Python<'py>, now: f64) -> PyResult<News<'py>> {
        self.observe(py, now, CheckAnswer::NoData)
    }

    fn broken<'py>(&mut self, py: Python<'py>, now: f64, reason: &str) -> PyResult<News<'py>> {
        let breakage = match reason {
            "check_timeout" => Breakage::TimedOut,
            _ => Breakage::Raised,
        };
        self.observe(py, now, CheckAnswer::Broken(breakage))
    }

    /// Alerts that are pending or firing.
    fn alerts<'py>(&self, py: Python<'py>) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let alerts = self.core.alerts().iter();
        alerts.map(|it| described(py, it)).collect()
    }

    fn saved<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let saved = serde_json::to_vec(&self.core.saved());
        let saved = saved.map_err(|error| PyValueError::new_err(error.to_string()))?;
        Ok(PyBytes::new(py, &saved))
    }

    /// Whether `saved` could be read; nothing has changed otherwise.
    fn restore(&mut self, saved: &[u8]) -> bool {
        let mut saved = serde_json::Deserializer::from_slice(saved);
        self.core.restore(&mut saved).is_ok()
    }
}

impl Check {
    fn observe<'py>(
        &mut self,
        py: Python<'py>,
        now: f64,
        answer: CheckAnswer,
    ) -> PyResult<News<'py>> {
        let mut out = Vec::new();
        self.core.observe(at(now), answer, &mut out);
        let news = |it: CheckNews| Ok((it.kind.name(), described(py, &it.alert)?));
        out.into_iter().map(news).collect()
    }
}

fn described<'py>(py: Python<'py>, it: &CheckAlert) -> PyResult<Bound<'py, PyDict>> {
    let alert = &it.alert;
    let (state, fired_at, resolved_at) = match alert.phase {
        AlertPhase::Pending => ("pending", None, None),
        AlertPhase::Firing { fired_at, .. } => ("firing", Some(fired_at), None),
        AlertPhase::Resolved {
            fired_at,
            resolved_at,
        } => ("resolved", Some(fired_at), Some(resolved_at)),
    };
    let dict = PyDict::new(py);
    dict.set_item("labels", dict_of(py, &alert.labels)?)?;
    dict.set_item("state", state)?;
    dict.set_item("severity", it.severity.0)?;
    dict.set_item("value", (!alert.value.is_nan()).then_some(alert.value))?;
    dict.set_item("active_at", seconds(alert.active_at))?;
    dict.set_item("fired_at", fired_at.map(seconds))?;
    dict.set_item("resolved_at", resolved_at.map(seconds))?;
    dict.set_item("is_told", it.told.is_some())?;
    Ok(dict)
}
