//! `firebell._native`: what the Python package does natively, as thin bindings.
//!
//! *Invariants*: nothing here raises because of what an app records, unless `debug` is on; what
//! cannot be taken is counted. No Python code runs while a lock is held.

mod args;
mod client;
mod context;
mod cores;
mod log;
mod metrics;
mod redact;
mod request;
mod scope;
mod span;
mod timer;

use pyo3::prelude::*;

/// The module.
#[pymodule]
mod _native {
    use super::*;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::context::prepare(module.py())
    }

    #[pymodule_export]
    use crate::client::{
        close, configure, discard, enabled, expose, expose_all, flush, instance_id, keep_totals,
        mark_clean_exit, set_enabled, stats,
    };
    #[pymodule_export]
    use crate::context::{
        current_scope, current_span, current_trace_id, enter_scope, exit_scope, extract, inject,
    };
    #[pymodule_export]
    use crate::cores::{Check, Detector, Escalation, Rehearsal, run_unit_tests, unit_test_names};
    #[pymodule_export]
    use crate::log::{alert, log, log_record, record};
    #[pymodule_export]
    use crate::metrics::{
        BoundCounter, BoundGauge, BoundHistogram, Counter, Gauge, Histogram, counter, gauge,
        histogram,
    };
    #[pymodule_export]
    use crate::redact::{Redactor, redact};
    #[pymodule_export]
    use crate::request::{Request, begin_request};
    #[pymodule_export]
    use crate::scope::Scope;
    #[pymodule_export]
    use crate::span::{Remote, Span, span};
    #[pymodule_export]
    use crate::timer::{Timer, Tracker};
}
