//! Samples and the marker of a series that went away.

use crate::Timestamp;

/// One value of a series at one moment.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sample {
    /// When, in milliseconds since the epoch.
    pub at: Timestamp,
    /// The value; [`STALE_NAN`] says that the series ended here.
    pub value: f64,
}

/// The NaN with Prometheus's bit pattern `0x7ff0000000000002`: the series ended here.
pub const STALE_NAN: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Whether a value is the stale marker; compares bits, since every NaN differs from every number.
#[must_use]
pub fn is_stale(value: f64) -> bool {
    value.to_bits() == STALE_NAN.to_bits()
}
