//! `anomaly`: alerts where a value is not what its own past leads to expect.
//!
//! *Invariants*: a value is judged before it is learned. What is learned is recorded, so that a
//! restart judges as the same run without one, and a kill forgets minutes at most. What cannot be
//! reckoned with, NaN and infinities, is never learned.
//!
//! *Not here*: how a detector expects (`robust`, `zscore`), what is kept of each series (`watch`).

mod digits;
mod lone;
mod robust;
mod saved;
mod watch;
mod zscore;

use std::collections::VecDeque;

use crate::anomaly::robust::Robust;
use crate::anomaly::zscore::ZScore;

pub use crate::anomaly::lone::{Judgement, LoneDetector, SavedDetector};
pub(crate) use crate::anomaly::saved::WatchedSeries;
pub(crate) use crate::anomaly::watch::{Observed, SharedWatch, shared};
pub use crate::anomaly::watch::{SAVED_EVERY, WATCHED_MAX};

/// How a rule judges its values.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct AnomalyOptions {
    /// What expects.
    pub detector: DetectorKind,
    /// How many of the latest values it goes by: [`WINDOW_MIN`] to [`WINDOW_MAX`].
    pub window: usize,
    /// How many it needs before it judges at all; at most the window.
    pub warm_up: usize,
    /// How many spreads a value may be off.
    pub sensitivity: f64,
    /// Which way.
    pub direction: Direction,
    /// So much it has to be off, whatever the spread.
    pub min_deviation: f64,
    /// So much of what was expected it has to be off: 0.05 is five per cent.
    pub min_deviation_ratio: f64,
}

impl Default for AnomalyOptions {
    fn default() -> Self {
        Self {
            detector: DetectorKind::Robust,
            window: 120,
            warm_up: 30,
            sensitivity: 3.5,
            direction: Direction::Both,
            min_deviation: 0.0,
            min_deviation_ratio: 0.05,
        }
    }
}

/// The detectors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DetectorKind {
    /// Mean and standard deviation.
    ZScore,
    /// Median, and median of the distances from it: outliers in the past do not count.
    Robust,
}

/// Which deviations are anomalies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Values that are too high.
    Up,
    /// Values that are too low.
    Down,
    /// Either.
    Both,
}

/// What a detector expects of the next value.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Expectation {
    pub(crate) expected: f64,
    /// How far values usually are from it; not negative.
    pub(crate) spread: f64,
}

/// Streaming: it learns one value after the other, and says at any time what it expects next.
pub(crate) trait Detector: std::fmt::Debug + Send + Sync {
    /// Takes a value; `forgotten` is the one that leaves the window for it.
    fn learn(&mut self, value: f64, forgotten: Option<f64>);

    /// What it expects after `past`, all values of the window, oldest first; not empty.
    fn expect(&self, past: &VecDeque<f64>) -> Expectation;
}

impl DetectorKind {
    pub(crate) fn begin(self) -> Box<dyn Detector> {
        match self {
            Self::ZScore => Box::new(ZScore),
            Self::Robust => Box::new(Robust::default()),
        }
    }
}

/// What a value is held against.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Verdict {
    pub(crate) is_odd: bool,
    /// How many spreads the value is off, with its sign.
    pub(crate) score: f64,
    pub(crate) expected: f64,
    /// Values from here to `upper` are as expected.
    pub(crate) lower: f64,
    pub(crate) upper: f64,
}

impl Expectation {
    /// How far a value may be off.
    pub(crate) fn tolerance(&self, options: &AnomalyOptions) -> f64 {
        (options.sensitivity * self.spread)
            .max(options.min_deviation)
            .max(options.min_deviation_ratio * self.expected.abs())
    }
}

impl Verdict {
    /// `slack` is how many tolerances a value has to be off.
    pub(crate) fn new(
        value: f64,
        expectation: Expectation,
        slack: f64,
        options: &AnomalyOptions,
    ) -> Self {
        let Expectation { expected, spread } = expectation;
        let deviation = value - expected;
        let tolerance = expectation.tolerance(options);
        let is_this_way = match options.direction {
            Direction::Up => deviation > 0.0,
            Direction::Down => deviation < 0.0,
            Direction::Both => true,
        };
        Self {
            is_odd: is_this_way && deviation.abs() > tolerance * slack,
            score: if deviation == 0.0 {
                0.0
            } else {
                deviation / spread
            },
            expected,
            lower: expected - tolerance,
            upper: expected + tolerance,
        }
    }

    /// As templates see it; the order is that of [`VARIABLES`].
    pub(crate) fn values(&self) -> [f64; 4] {
        [self.score, self.expected, self.lower, self.upper]
    }
}

/// What annotations of an anomaly rule may name besides what all may.
pub const VARIABLES: [&str; 4] = ["$score", "$expected", "$lower", "$upper"];

/// Fewer values tell nothing.
pub const WINDOW_MIN: usize = 8;
/// 16 KiB for each series.
pub const WINDOW_MAX: usize = 2048;
