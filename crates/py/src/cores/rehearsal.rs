//! `Rehearsal`: rules on simulated time.

use std::io;
use std::path::{Path, PathBuf};

use firebell_config::{Files, OsFiles, Problem, load_rule_files};
use firebell_model::SampleValue;
use firebell_promql::Features;
use firebell_sim::{AlertChange, Rehearsal as Core, Traffic};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::{dict_of, length};

/// Rules that are being played.
#[pyclass(module = "firebell._native")]
pub(crate) struct Rehearsal(Core);

/// Rule files of the disk, and one that is a text.
struct WithText(String);

impl Files for WithText {
    fn read(&self, path: &Path) -> io::Result<String> {
        match path == Path::new(TEXT) {
            true => Ok(self.0.clone()),
            false => OsFiles.read(path),
        }
    }

    fn glob(&self, pattern: &Path) -> io::Result<Vec<PathBuf>> {
        OsFiles.glob(pattern)
    }
}

#[pymethods]
impl Rehearsal {
    /// The rules of files, and of a text that is a rule file.
    #[new]
    #[pyo3(signature = (files, text, *, step, seed))]
    fn new(files: Vec<PathBuf>, text: Option<String>, step: f64, seed: u64) -> PyResult<Self> {
        let mut paths = Vec::new();
        for pattern in files {
            let found = OsFiles.glob(&pattern);
            let found = found.map_err(|error| refused(&pattern, &error.to_string()))?;
            if found.is_empty() {
                return Err(refused(&pattern, "there is no such rule file"));
            }
            paths.extend(found);
        }
        if text.is_some() {
            paths.push(PathBuf::from(TEXT));
        }
        let files = WithText(text.unwrap_or_default());
        let groups = load_rule_files(&paths, &files, Features::ALL, false);
        let told = |problems: Vec<Problem>| {
            let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
            PyValueError::new_err(lines.join("\n"))
        };
        Ok(Self(Core::new(&groups.map_err(told)?, length(step), seed)))
    }

    /// How many seconds have passed.
    #[getter]
    fn now(&self) -> f64 {
        self.0.now().as_secs_f64()
    }

    fn set_traffic(&mut self, route: &str, rps: f64, error_rate: f64, latency: f64) {
        self.0.set_traffic(Traffic {
            route: route.to_owned(),
            rps,
            error_rate,
            latency: length(latency),
        });
    }

    fn add_series(&mut self, line: &str) -> PyResult<()> {
        self.0.add_series(line).map_err(PyValueError::new_err)
    }

    fn advance(&mut self, py: Python<'_>, by: f64) {
        py.detach(|| self.0.advance(length(by)));
    }

    /// What has changed, from the `from`-th change on.
    fn changes<'py>(&self, py: Python<'py>, from: usize) -> PyResult<Vec<Bound<'py, PyDict>>> {
        let changes = self.0.changes().iter().skip(from);
        changes.map(|it| described(py, it)).collect()
    }

    fn errors(&self) -> Vec<(String, f64)> {
        let errors = self.0.errors();
        let error =
            |(error, at): (&str, firebell_model::Duration)| (error.to_owned(), at.as_secs_f64());
        errors.map(error).collect()
    }

    fn alert_names(&self) -> Vec<String> {
        let names = self.0.alert_names().into_iter();
        names.map(str::to_owned).collect()
    }

    /// The value of the part of an alert's expression that is held against a number, since the
    /// beginning: its extreme, when that was, and the comparison in words.
    fn closest(&self, alert: &str) -> Option<(f64, f64, String)> {
        self.0
            .closest(alert)
            .map(|it| (it.value, it.at.as_secs_f64(), it.bound))
    }

    fn query<'py>(&self, py: Python<'py>, expr: &str) -> PyResult<Vec<(Bound<'py, PyDict>, f64)>> {
        let found = self.0.query(expr).map_err(PyValueError::new_err)?;
        let floats = found.iter().filter_map(|it| match it.value {
            SampleValue::Float(value) => Some((&it.labels, value)),
            SampleValue::Histogram(_) => None,
        });
        floats
            .map(|(labels, value)| Ok((dict_of(py, labels)?, value)))
            .collect()
    }
}

fn described<'py>(py: Python<'py>, it: &AlertChange) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    dict.set_item("at", it.at.as_secs_f64())?;
    dict.set_item("rule", &it.rule)?;
    dict.set_item("state", it.state)?;
    dict.set_item("labels", dict_of(py, &it.labels)?)?;
    dict.set_item("annotations", dict_of(py, &it.annotations)?)?;
    dict.set_item("value", it.value)?;
    Ok(dict)
}

fn refused(path: &Path, why: &str) -> PyErr {
    PyValueError::new_err(format!("{}: {why}", path.display()))
}

/// What problems call the text.
const TEXT: &str = "rules given as text";
