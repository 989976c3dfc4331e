//! Sums that keep what rounding loses.

/// A sum of floats with the low-order part that rounding took from it.
///
/// Source: Neumaier 1974; Prometheus, `util/kahansum`.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Sum {
    /// The plain sum.
    pub sum: f64,
    /// What it lacks.
    pub lost: f64,
}

impl Sum {
    /// Adds a value.
    #[inline]
    pub fn add(&mut self, value: f64) {
        let total = self.sum + value;
        if total.is_infinite() {
            self.lost = 0.0;
        } else if self.sum.abs() >= value.abs() {
            self.lost += (self.sum - total) + value;
        } else {
            self.lost += (value - total) + self.sum;
        }
        self.sum = total;
    }

    /// The sum, corrected; an infinite one needs no correction.
    #[inline]
    #[must_use]
    pub fn total(self) -> f64 {
        if self.sum.is_infinite() {
            self.sum
        } else {
            self.sum + self.lost
        }
    }
}

impl From<f64> for Sum {
    fn from(sum: f64) -> Self {
        Self { sum, lost: 0.0 }
    }
}
