//! Histograms as text.
//!
//! *Sources*: Prometheus, `model/histogram`, `FloatHistogram.String`, `Bucket.String`.

use std::fmt;

use super::{Bucket, Histogram};
use crate::format_float_general;

/// `{count:4, sum:8, [-0.5,0.5]:4}`, empty buckets left out.
impl fmt::Display for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, sum) = (
            format_float_general(self.count),
            format_float_general(self.sum),
        );
        write!(f, "{{count:{count}, sum:{sum}")?;
        let mut negative: Vec<Bucket> = self.negative_buckets().collect();
        negative.reverse();
        let zero = (!self.has_custom_buckets()).then(|| self.zero_bucket());
        let all = negative.into_iter().chain(zero);
        for bucket in all.chain(self.positive_buckets()) {
            if bucket.count != 0.0 {
                write!(f, ", {bucket}")?;
            }
        }
        f.write_str("}")
    }
}

/// `(1,2]:3`
impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [lower, upper, count] = [self.lower, self.upper, self.count].map(format_float_general);
        let open = if self.is_lower_in { '[' } else { '(' };
        let close = if self.is_upper_in { ']' } else { ')' };
        write!(f, "{open}{lower},{upper}{close}:{count}")
    }
}
