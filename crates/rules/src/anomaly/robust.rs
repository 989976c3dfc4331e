//! Median of the window, and the median of the distances from it.
//!
//! *Sources*: Iglewicz and Hoaglin, "How to Detect and Handle Outliers" (1993): the factors, and
//! what to do where more than half of the values are the same.

use std::collections::VecDeque;

use crate::anomaly::{Detector, Expectation};

/// The window in order of size: a value comes and one goes, so that nothing is sorted again.
#[derive(Debug, Default)]
pub(crate) struct Robust {
    sorted: Vec<f64>,
}

impl Detector for Robust {
    fn learn(&mut self, value: f64, forgotten: Option<f64>) {
        if let Some(forgotten) = forgotten {
            let at = self.sorted.partition_point(|it| *it < forgotten);
            if at < self.sorted.len() {
                self.sorted.remove(at);
            }
        }
        let at = self.sorted.partition_point(|it| *it < value);
        self.sorted.insert(at, value);
    }

    fn expect(&self, _past: &VecDeque<f64>) -> Expectation {
        let sorted = &self.sorted;
        let median = middle(sorted.len(), |idx| sorted[idx]);
        let n_below = sorted.partition_point(|it| *it < median);
        let distances = Distances {
            below: &sorted[..n_below],
            above: &sorted[n_below..],
            median,
        };
        let spread = middle(sorted.len(), |idx| distances.nth(idx)) * TO_DEVIATION;
        let spread = if spread > 0.0 {
            spread
        } else {
            let n = sorted.len() as f64;
            let mean: f64 = sorted.iter().map(|it| (it - median).abs() / n).sum();
            mean * MEAN_TO_DEVIATION
        };
        Expectation {
            expected: median,
            spread,
        }
    }
}

/// The distances from the median: two lists in order, one of them backwards.
struct Distances<'a> {
    below: &'a [f64],
    above: &'a [f64],
    median: f64,
}

impl Distances<'_> {
    /// The distance that has `idx` smaller ones before it, found by halving.
    fn nth(&self, idx: usize) -> f64 {
        let below = |nth: usize| self.median - self.below[self.below.len() - 1 - nth];
        let above = |nth: usize| self.above[nth] - self.median;
        // How many of the `idx + 1` smallest are below the median.
        let wanted = idx + 1;
        let mut low = wanted.saturating_sub(self.above.len());
        let mut high = wanted.min(self.below.len());
        while low < high {
            let n_below = low + (high - low) / 2;
            // One more from below belongs in as long as it is smaller than the last from above.
            if below(n_below) < above(wanted - n_below - 1) {
                low = n_below + 1;
            } else {
                high = n_below;
            }
        }
        let from_below = low.checked_sub(1).map(below);
        let from_above = (wanted - low).checked_sub(1).map(above);
        let larger = |a: f64, b: Option<f64>| b.map_or(a, |b| a.max(b));
        from_below.map_or(from_above.unwrap_or(0.0), |it| larger(it, from_above))
    }
}

/// The median of `n` numbers in order; 0 without any.
fn middle(n: usize, nth: impl Fn(usize) -> f64) -> f64 {
    match (n, n % 2) {
        (0, _) => 0.0,
        (_, 1) => nth(n / 2),
        _ => f64::midpoint(nth(n / 2 - 1), nth(n / 2)),
    }
}

/// Of values that are spread as the normal distribution has it.
const TO_DEVIATION: f64 = 1.4826;
const MEAN_TO_DEVIATION: f64 = 1.253_314;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn median_of(mut values: Vec<f64>) -> f64 {
        values.sort_by(f64::total_cmp);
        middle(values.len(), |idx| values[idx])
    }

    proptest! {
        #[test]
        fn a_value_that_comes_and_one_that_goes_leave_what_sorting_anew_would_find(
            values in prop::collection::vec(-50_i32..50, 1..60),
            window in 1_usize..20,
        ) {
            let mut robust = Robust::default();
            let mut past = VecDeque::new();
            for value in values {
                let value = f64::from(value) / 2.0;
                let forgotten = if past.len() == window { past.pop_front() } else { None };
                past.push_back(value);
                robust.learn(value, forgotten);
                let all: Vec<f64> = past.iter().copied().collect();
                let median = median_of(all.clone());
                let distances: Vec<f64> = all.iter().map(|it| (it - median).abs()).collect();
                let mad = median_of(distances.clone());
                let mean = distances.iter().sum::<f64>() / distances.len() as f64;
                let spread = if mad > 0.0 { mad * TO_DEVIATION } else { mean * MEAN_TO_DEVIATION };
                let found = robust.expect(&past);
                prop_assert_eq!(found.expected, median);
                prop_assert!((found.spread - spread).abs() < 1e-9, "{} {}", found.spread, spread);
            }
        }
    }
}
