//! `firebell._native`: what the Python package does natively, as thin bindings.
//!
//! *Invariants*: nothing here raises because of what an app records, unless `debug` is on; what
//! cannot be taken is counted. No Python code runs while a lock is held.

mod args;
mod client;
mod metrics;
mod redact;

use pyo3::prelude::*;

/// The module.
#[pymodule]
mod _native {
    #[pymodule_export]
    use crate::client::{
        close, configure, enabled, expose, flush, instance_id, mark_clean_exit, set_enabled, stats,
    };
    #[pymodule_export]
    use crate::metrics::{
        BoundCounter, BoundGauge, BoundHistogram, Counter, Gauge, Histogram, counter, gauge,
        histogram,
    };
    #[pymodule_export]
    use crate::redact::{Redactor, redact};
}
