//! Secrets in values of Python.

use firebell_sdk::{Level, client};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyMapping, PyString, PyTuple};

use crate::args;

/// See `firebell.Redactor`.
#[pyclass(frozen, module = "firebell")]
pub(crate) struct Redactor(firebell_sdk::Redactor);

#[pymethods]
impl Redactor {
    #[new]
    #[pyo3(signature = (*, level="default", keys=None, patterns=None, allow=None, replacement=None))]
    fn new(
        level: &str,
        keys: Option<&Bound<'_, PyAny>>,
        patterns: Option<&Bound<'_, PyMapping>>,
        allow: Option<&Bound<'_, PyAny>>,
        replacement: Option<String>,
    ) -> PyResult<Self> {
        let level = match level {
            "default" => Level::Default,
            "strict" => Level::Strict,
            "off" => Level::Off,
            other => {
                let why = format!("level: `default`, `strict` or `off`, not `{other}`");
                return Err(PyValueError::new_err(why));
            }
        };
        let patterns = patterns.map_or_else(Vec::new, |it| args::pairs(it.as_any()));
        let patterns: Vec<_> = patterns
            .into_iter()
            .map(|(key, it)| (key, it.to_text()))
            .collect();
        let redactor = firebell_sdk::Redactor::new(
            level,
            &texts(keys)?,
            &patterns,
            texts(allow)?,
            replacement,
        );
        redactor
            .map(Self)
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }

    #[pyo3(signature = (value, /))]
    fn __call__<'py>(&self, value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        clean(&self.0, value, DEPTH_MAX)
    }
}

impl Redactor {
    pub(crate) fn inner(&self) -> &firebell_sdk::Redactor {
        &self.0
    }
}

fn texts(given: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<String>> {
    let Some(given) = given else {
        return Ok(Vec::new());
    };
    given
        .try_iter()?
        .map(|it| it?.extract::<String>())
        .collect()
}

fn clean<'py>(
    redactor: &firebell_sdk::Redactor,
    value: &Bound<'py, PyAny>,
    depth: usize,
) -> PyResult<Bound<'py, PyAny>> {
    let py = value.py();
    if let Ok(text) = value.cast::<PyString>() {
        return Ok(match redactor.text(&text.to_string_lossy()) {
            Some(clean) => PyString::new(py, &clean).into_any(),
            None => value.clone(),
        });
    }
    if depth == 0 {
        return Ok(value.clone());
    }
    if let Ok(dict) = value.cast::<PyDict>() {
        let cleaned = PyDict::new(py);
        for (key, it) in dict.iter() {
            let is_secret = !it.is_none() && redactor.is_secret(&args::key_text(&key));
            if is_secret {
                cleaned.set_item(key, redactor.replacement())?;
            } else {
                cleaned.set_item(key, clean(redactor, &it, depth - 1)?)?;
            }
        }
        return Ok(cleaned.into_any());
    }
    let all = |items: Vec<Bound<'py, PyAny>>| {
        let cleaned = items.iter().map(|it| clean(redactor, it, depth - 1));
        cleaned.collect::<PyResult<Vec<_>>>()
    };
    if let Ok(list) = value.cast::<PyList>() {
        return Ok(PyList::new(py, all(list.iter().collect())?)?.into_any());
    }
    if let Ok(tuple) = value.cast::<PyTuple>() {
        return Ok(PyTuple::new(py, all(tuple.iter().collect())?)?.into_any());
    }
    Ok(value.clone())
}

/// By the configured redactor.
#[pyfunction]
#[pyo3(signature = (value, /))]
pub(crate) fn redact<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    clean(&client().settings().redactor, value, DEPTH_MAX)
}

const DEPTH_MAX: usize = 16;
