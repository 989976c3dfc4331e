//! Deltas, added up: what each series came to so far.
//!
//! *Invariants*: at most [`DELTA_SERIES_MAX`] series are kept; those that are silent longest make
//! room, once they are silent for [`SILENT_NANOS`].

use std::collections::BTreeMap;

use firebell_model::Labels;

use super::points::{Classic, Data, Dense, Exponential};

/// What deltas of earlier requests added up to.
#[derive(Debug, Default)]
pub struct Deltas {
    series: BTreeMap<Labels, Total>,
    newest_nanos: u64,
}

#[derive(Debug)]
struct Total {
    nanos: u64,
    data: Data,
}

impl Deltas {
    /// Adds a delta to its series; gives what it comes to, or why it cannot be added.
    pub(super) fn add(&mut self, key: Labels, nanos: u64, delta: Data) -> Result<Data, String> {
        self.newest_nanos = self.newest_nanos.max(nanos);
        if let Some(total) = self.series.get_mut(&key) {
            if nanos <= total.nanos {
                return Err(format!("{key}: a delta came out of order"));
            }
            total.nanos = nanos;
            let before = std::mem::take(&mut total.data);
            total.data = sum(before, delta);
            return Ok(total.data.clone());
        }
        if self.series.len() >= DELTA_SERIES_MAX {
            let oldest = self.newest_nanos.saturating_sub(SILENT_NANOS);
            self.series.retain(|_, total| total.nanos >= oldest);
        }
        if self.series.len() >= DELTA_SERIES_MAX {
            return Err(format!("more than {DELTA_SERIES_MAX} series with deltas"));
        }
        let data = delta.clone();
        self.series.insert(key, Total { nanos, data });
        Ok(delta)
    }
}

/// Both together; only the later one when they do not fit to each other: the counter starts anew.
fn sum(before: Data, delta: Data) -> Data {
    match (before, delta) {
        (Data::Number(before), Data::Number(delta)) => Data::Number(before + delta),
        (Data::Classic(before), Data::Classic(delta)) if before.bounds == delta.bounds => {
            Data::Classic(Classic {
                count: before.count.saturating_add(delta.count),
                sum: before
                    .sum
                    .zip(delta.sum)
                    .map(|(before, delta)| before + delta),
                counts: sum_counts(&before.counts, &delta.counts),
                bounds: delta.bounds,
            })
        }
        (Data::Exponential(before), Data::Exponential(delta)) => add_exponential(before, delta),
        (_, delta) => delta,
    }
}

fn sum_counts(a: &[u64], b: &[u64]) -> Vec<u64> {
    let at = |counts: &[u64], idx: usize| counts.get(idx).copied().unwrap_or(0);
    let len = a.len().max(b.len());
    (0..len)
        .map(|idx| at(a, idx).saturating_add(at(b, idx)))
        .collect()
}

fn add_exponential(before: Exponential, delta: Exponential) -> Data {
    let scale = before.scale.min(delta.scale);
    let threshold = before.zero_threshold.max(delta.zero_threshold);
    let (one, other) = (before.at_scale(scale), delta.at_scale(scale));
    let sides = [
        (&one.positive, &other.positive),
        (&one.negative, &other.negative),
    ];
    let [Some(positive), Some(negative)] = sides.map(|(one, other)| one.plus(other)) else {
        return Data::Exponential(delta);
    };
    Data::Exponential(Exponential {
        count: before.count.saturating_add(delta.count),
        sum: before
            .sum
            .zip(delta.sum)
            .map(|(before, delta)| before + delta),
        scale,
        zero_count: before.zero_count.saturating_add(delta.zero_count),
        zero_threshold: threshold,
        positive,
        negative,
    })
}

impl Exponential {
    fn at_scale(&self, scale: i64) -> Self {
        let steps = (self.scale - scale).clamp(0, STEPS_MAX);
        Self {
            positive: self.positive.coarser(steps),
            negative: self.negative.coarser(steps),
            ..self.clone()
        }
    }
}

impl Dense {
    fn coarser(&self, steps: i64) -> Self {
        let offset = self.offset >> steps;
        let mut counts: Vec<u64> = Vec::new();
        for (idx, count) in self.counts.iter().enumerate() {
            let place = (((self.offset + idx as i64) >> steps) - offset) as usize;
            if place == counts.len() {
                counts.push(0);
            }
            counts[place] = counts[place].saturating_add(*count);
        }
        Self { offset, counts }
    }

    /// Both sides together; `None` when they lie too far from each other.
    fn plus(&self, other: &Self) -> Option<Self> {
        if self.counts.is_empty() || other.counts.is_empty() {
            let full = if self.counts.is_empty() { other } else { self };
            return Some(full.clone());
        }
        let offset = self.offset.min(other.offset);
        let end = |dense: &Self| dense.offset + dense.counts.len() as i64;
        let len = usize::try_from(end(self).max(end(other)) - offset).ok()?;
        if len > BUCKETS_MAX {
            return None;
        }
        let mut counts = vec![0_u64; len];
        for dense in [self, other] {
            for (idx, count) in dense.counts.iter().enumerate() {
                let place = (dense.offset - offset) as usize + idx;
                counts[place] = counts[place].saturating_add(*count);
            }
        }
        Some(Self { offset, counts })
    }
}

/// Series whose deltas are added up; deltas of more are refused.
pub(super) const DELTA_SERIES_MAX: usize = 100_000;
/// A series that is silent for five minutes may be forgotten: it starts anew then.
const SILENT_NANOS: u64 = 300_000_000_000;
/// Buckets of a histogram that deltas add up to; with more it starts anew.
const BUCKETS_MAX: usize = 20_000;
/// More steps than this leave one bucket.
const STEPS_MAX: i64 = 62;

#[cfg(test)]
mod tests {
    use super::*;

    fn exponential(scale: i64, offset: i64, counts: &[u64]) -> Data {
        Data::Exponential(Exponential {
            count: counts.iter().sum(),
            scale,
            positive: Dense {
                offset,
                counts: counts.to_vec(),
            },
            ..Exponential::default()
        })
    }

    #[test]
    fn deltas_add_up_and_late_ones_are_refused() {
        let key = || Labels::from_pairs([("__name__", "x")]);
        let mut deltas = Deltas::default();
        assert_eq!(
            deltas.add(key(), 1, Data::Number(2.0)),
            Ok(Data::Number(2.0))
        );
        assert_eq!(
            deltas.add(key(), 2, Data::Number(3.0)),
            Ok(Data::Number(5.0))
        );
        assert!(deltas.add(key(), 2, Data::Number(3.0)).is_err());
    }

    #[test]
    fn exponential_histograms_add_up_in_the_coarser_scale() {
        let before = exponential(1, -1, &[1, 2, 3]);
        let both = sum(before, exponential(0, 1, &[4]));
        // Buckets -1, 0 and 1 of scale 1 are -1, 0 and 0 of scale 0.
        assert_eq!(both, exponential(0, -1, &[1, 5, 4]));
    }
}
