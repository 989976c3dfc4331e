//! Samples and the marker of a series that went away.

use std::sync::Arc;

use crate::{Histogram, Timestamp};

/// One value of a series at one moment.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sample {
    /// When, in milliseconds since the epoch.
    pub at: Timestamp,
    /// The value; [`STALE_NAN`] says that the series ended here.
    pub value: f64,
}

/// Since when a sample of a counter counts: its start timestamp.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Start {
    /// When the sample was taken.
    pub at: Timestamp,
    /// Since when it counts. Never the epoch, which means "unknown" upstream.
    pub since: Timestamp,
}

/// What a series has at one moment.
#[derive(Clone, PartialEq, Debug)]
pub enum SampleValue {
    /// A number.
    Float(f64),
    /// A native histogram.
    Histogram(Arc<Histogram>),
}

impl SampleValue {
    /// The number, unless it is a histogram.
    #[must_use]
    pub fn float(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            Self::Histogram(_) => None,
        }
    }

    /// The number, or zero for a histogram: what upstream shows where only numbers fit, such as the
    /// value of an alert.
    #[must_use]
    pub fn float_or_zero(&self) -> f64 {
        self.float().unwrap_or(0.0)
    }
}

/// The NaN with Prometheus's bit pattern `0x7ff0000000000002`: the series ended here.
pub const STALE_NAN: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Whether a value is the stale marker; compares bits, since every NaN differs from every number.
#[must_use]
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN.to_bits()
}
