//! Mean and standard deviation of the window.

use std::collections::VecDeque;

use crate::anomaly::{Detector, Expectation};

/// Keeps nothing besides the window: sums that values are added to and taken from drift.
#[derive(Debug)]
pub(crate) struct ZScore;

impl Detector for ZScore {
    fn learn(&mut self, _value: f64, _forgotten: Option<f64>) {}

    fn expect(&self, past: &VecDeque<f64>) -> Expectation {
        let n = past.len() as f64;
        // Divided first: the sum of large values may not be a number that there is.
        let mean: f64 = past.iter().map(|value| value / n).sum();
        let variance: f64 = past.iter().map(|value| (value - mean).powi(2) / n).sum();
        Expectation {
            expected: mean,
            spread: variance.sqrt(),
        }
    }
}
