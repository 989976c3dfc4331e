//! Unit tests of rules, as promtool has them.

use std::path::PathBuf;
use std::time::Duration;

use firebell_config::{Files, OsFiles, parse_unit_tests};
use firebell_promql::Features;
use firebell_sim::unit_test::{Options, run_file};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// The names of the tests of a file; empty where one has none.
#[pyfunction]
pub(crate) fn unit_test_names(path: PathBuf) -> PyResult<Vec<String>> {
    let source = OsFiles.read(&path)?;
    let tests = parse_unit_tests(&path, &source);
    let tests = tests.map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(tests.tests.into_iter().map(|it| it.name).collect())
}

/// Runs the tests of a file: the failures of each, in order, and why none could be run, if so.
#[pyfunction]
pub(crate) fn run_unit_tests(
    py: Python<'_>,
    path: PathBuf,
) -> (Vec<(String, Vec<String>)>, Option<String>) {
    let options = Options {
        features: Features::default(),
        delays_name_removal: false,
        run: Vec::new(),
        is_debug: false,
        is_diff: true,
        ignores_unknown: false,
        is_strict: false,
        elapsed: &|| Duration::ZERO,
    };
    let report = py.detach(|| run_file(&path, &OsFiles, &options));
    let cases = report.cases.into_iter();
    let cases = cases.map(|it| (it.name, it.failures)).collect();
    (cases, report.abort)
}
