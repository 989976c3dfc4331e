//! The state machines of the server, for Python: time and inputs come in, what to do goes out.
//!
//! Times are seconds since 1970, as `time.time()` has them; nothing here asks a clock.

mod check;
mod detector;
mod escalation;
mod rehearsal;
mod unit_tests;

use firebell_model::{Duration, Labels, Timestamp};
use pyo3::prelude::*;
use pyo3::types::PyDict;

pub(crate) use self::check::Check;
pub(crate) use self::detector::Detector;
pub(crate) use self::escalation::Escalation;
pub(crate) use self::rehearsal::Rehearsal;
pub(crate) use self::unit_tests::{run_unit_tests, unit_test_names};

fn seconds(at: Timestamp) -> f64 {
    at.as_secs_f64()
}

fn at(seconds: f64) -> Timestamp {
    Timestamp::from_secs_f64(seconds)
}

fn length(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn dict_of<'py>(py: Python<'py>, labels: &Labels) -> PyResult<Bound<'py, PyDict>> {
    let dict = PyDict::new(py);
    for label in labels.iter() {
        dict.set_item(&*label.name, &*label.value)?;
    }
    Ok(dict)
}
