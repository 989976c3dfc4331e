//! Where the buckets of a schema end.
//!
//! *Sources*: Prometheus, `model/histogram/generic.go`, as behaviour: bounds are compared and
//! printed, so that they have to be its numbers to the last bit.

use super::{CUSTOM_BUCKETS_SCHEMA, EXPONENTIAL_SCHEMAS, Histogram};

/// The absolute upper bound of a bucket of an exponential schema.
pub(super) fn exponential(idx: i32, schema: i8) -> f64 {
    // Nothing else comes from people who mean well.
    let schema = schema.clamp(*EXPONENTIAL_SCHEMAS.start(), *EXPONENTIAL_SCHEMAS.end());
    if schema < 0 {
        return power_of_two(i64::from(idx) << -i32::from(schema), 1.0);
    }
    let schema = u32::from(schema.unsigned_abs());
    let in_octave = idx as u32 & ((1 << schema) - 1);
    // A bound within an octave is the product of the roots that the bits of its index name.
    let mut fraction = 1.0;
    for (bit, root) in ROOTS.iter().enumerate().take(schema as usize) {
        if in_octave & (1 << (schema as usize - 1 - bit)) != 0 {
            fraction *= root;
        }
    }
    power_of_two(i64::from(idx >> schema), fraction)
}

/// `fraction * 2^exponent`. The bound that only just overflows is the largest number, so that the
/// bucket after it is for infinities.
fn power_of_two(exponent: i64, fraction: f64) -> f64 {
    if exponent == 1024 && fraction == 1.0 {
        return f64::MAX;
    }
    // Two steps, so that subnormal numbers are rounded once.
    let exponent = exponent.clamp(-1200, 1200) as i32;
    let half = exponent / 2;
    fraction * 2.0_f64.powi(half) * 2.0_f64.powi(exponent - half)
}

/// The roots of two of order 2, 4, … 256; the first is a bit smaller than the correctly rounded
/// one, as in upstream's table.
const ROOTS: [f64; 8] = [
    std::f64::consts::SQRT_2.next_down(),
    1.189207115002721,
    1.0905077326652577,
    1.0442737824274138,
    1.0218971486541166,
    1.0108892860517005,
    1.0054299011128027,
    1.0027112750502025,
];

impl Histogram {
    /// The upper bound of a positive bucket.
    #[must_use]
    pub fn upper_bound(&self, idx: i32) -> f64 {
        if self.schema != CUSTOM_BUCKETS_SCHEMA {
            return exponential(idx, self.schema);
        }
        match usize::try_from(idx) {
            Ok(idx) => self
                .custom_bounds
                .get(idx)
                .copied()
                .unwrap_or(f64::INFINITY),
            Err(_) => f64::NEG_INFINITY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_upstreams_to_the_last_bit() {
        for (idx, schema, bound) in [
            (0, 0, 1.0),
            (1, 0, 2.0),
            (-1, 0, 0.5),
            (1, -1, 4.0),
            (-1, -4, 1.0 / 65536.0),
            (1024, 0, f64::MAX),
            (1025, 0, f64::INFINITY),
            (64, -4, f64::MAX),
            (65, -4, f64::INFINITY),
            (-1074, 0, f64::from_bits(1)),
            (-1075, 0, 0.0),
            (1, 1, 2.0 * 0.7071067811865475),
            (3, 2, 2.0 * 0.8408964152537144),
            (1, 8, 2.0 * 0.5013556375251013),
            (129, 8, 2.0 * 0.7090239421602076),
            (255, 8, 2.0 * 0.9972960560854698),
            (253 - 256, 8, 0.9919100824251095),
            (77 - 512, 8, 0.5 * 0.6159056423670379),
            (i32::MAX, 8, f64::INFINITY),
            (i32::MIN, -4, 0.0),
        ] {
            assert_eq!(exponential(idx, schema), bound, "{idx} of {schema}");
        }
    }
}
