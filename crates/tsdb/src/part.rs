//! What a run of samples adds up to: all of it, or as much as `rate` and its kin need.

use firebell_model::{Growth, Sample, Summary, Timestamp, is_stale};

use crate::edges::Shelf;
use crate::windows::{Window, Windows};

/// Adds up along a series.
pub(crate) trait Part: Copy {
    /// Of samples in order of time, `at` giving the moment of each; `None` when there is none but
    /// stale markers.
    fn of(values: &[f64], at: impl Fn(usize) -> i64) -> Option<Self>;

    /// What is needed of a summary.
    fn of_summary(summary: Summary) -> Self;

    /// Of samples none of which is NaN, when this is enough to know; `lost` is the sum of those that
    /// are greater than the next one.
    fn of_ends(count: u64, first: Sample, last: Sample, lost: f64) -> Option<Self>;

    /// This run followed by a later one.
    fn then(self, later: &Self) -> Self;

    /// The windows that are kept for it.
    fn windows(all: &mut Windows) -> &mut Shelf<Window<Self>>;
}

/// Two neighbouring runs, either of which may be empty.
pub(crate) fn join<P: Part>(before: Option<P>, after: Option<P>) -> Option<P> {
    match (before, after) {
        (Some(before), Some(after)) => Some(before.then(&after)),
        (before, after) => before.or(after),
    }
}

/// Whether no value is less than the one before, and none is NaN.
pub(crate) fn is_rising(values: &[f64]) -> bool {
    let Some(first) = values.first() else {
        return true;
    };
    // Without an early end, so that several pairs are compared at once.
    let pairs = values.iter().zip(values.iter().skip(1));
    let is_any_odd = pairs.fold(false, |any, (before, after)| {
        let grows = after >= before;
        any | !grows
    });
    !is_any_odd && !first.is_nan()
}

impl Part for Growth {
    fn of(values: &[f64], at: impl Fn(usize) -> i64) -> Option<Self> {
        let sample = |idx: usize| Sample {
            at: Timestamp(at(idx)),
            value: values[idx],
        };
        if let [_, .., _] = values
            && is_rising(values)
        {
            let (first, last) = (sample(0), sample(values.len() - 1));
            return Self::of_ends(values.len() as u64, first, last, 0.0);
        }
        let live = (0..values.len()).filter(|&idx| !is_stale(values[idx]));
        let singles = live.map(|idx| Self::of(sample(idx)));
        singles.reduce(|so_far, next| so_far.then(&next))
    }

    fn of_summary(summary: Summary) -> Self {
        Self::from(&summary)
    }

    fn of_ends(count: u64, first: Sample, last: Sample, lost: f64) -> Option<Self> {
        Some(Self {
            count,
            first,
            last,
            resets_lost: lost,
        })
    }

    fn then(self, later: &Self) -> Self {
        Self::then(self, later)
    }

    fn windows(all: &mut Windows) -> &mut Shelf<Window<Self>> {
        &mut all.growths
    }
}

impl Part for Summary {
    fn of(values: &[f64], at: impl Fn(usize) -> i64) -> Option<Self> {
        if !values.iter().any(|&value| is_stale(value)) {
            return summarize_live(values, at);
        }
        let is_live = |idx: &usize| !is_stale(values[*idx]);
        let live: Vec<usize> = (0..values.len()).filter(is_live).collect();
        let values: Vec<f64> = live.iter().map(|&idx| values[idx]).collect();
        summarize_live(&values, |idx| at(live[idx]))
    }

    fn of_summary(summary: Summary) -> Self {
        summary
    }

    fn of_ends(_count: u64, _first: Sample, _last: Sample, _lost: f64) -> Option<Self> {
        None
    }

    fn then(self, later: &Self) -> Self {
        Self::then(self, later)
    }

    fn windows(all: &mut Windows) -> &mut Shelf<Window<Self>> {
        &mut all.summaries
    }
}

fn summarize_live(values: &[f64], at: impl Fn(usize) -> i64) -> Option<Summary> {
    let sample = |idx: usize| Sample {
        at: Timestamp(at(idx)),
        value: values[idx],
    };
    let last_idx = values.len().checked_sub(1)?;
    let mut whole = Summary::of(sample(0));
    let mut before = whole.sum;
    for &value in &values[1..] {
        let sum = whole.sum + value;
        whole.sum_compensation += if whole.sum.abs() >= value.abs() {
            (whole.sum - sum) + value
        } else {
            (value - sum) + whole.sum
        };
        whole.sum = sum;
        whole.min = whole.min.min(value);
        whole.max = whole.max.max(value);
        if value < before {
            whole.resets += 1;
            whole.resets_lost += before;
        }
        let is_change = value != before && !(value.is_nan() && before.is_nan());
        whole.changes += u64::from(is_change);
        before = value;
    }
    if !whole.total().is_finite() {
        // Rare: the slow way knows what a mean of infinities is, and one whose sum overflows.
        let samples = (0..=last_idx).map(|idx| Summary::of(sample(idx)));
        return samples.reduce(|so_far, next| so_far.then(&next));
    }
    whole.count = values.len() as u64;
    whole.last = sample(last_idx);
    whole.mean = whole.total() / values.len() as f64;
    whole.squares = values
        .iter()
        .map(|value| (value - whole.mean) * (value - whole.mean))
        .sum();
    Some(whole)
}

#[cfg(test)]
mod tests {
    use firebell_model::{STALE_NAN, TimeRange};

    use super::*;
    use crate::tail::Tail;

    #[test]
    fn whole_numbers_of_a_tail_add_up_as_floats_do() {
        let top = 9_007_199_254_700_000.0;
        for values in [
            &[1.0][..],
            &[3.0, 3.0, 9.0],
            &[7.0, 2.0, 5.0, 1.0, 1.0],
            &[-3.0, -8.0, 4.0, -1.0],
            &[90_000.0, 5.0, 200_000.0, 0.0],
            // Beyond the whole numbers that floats tell apart.
            &[top, 1.0, top, 3.0, top, 5.0],
        ] {
            let mut tail = Tail::default();
            let at = |idx: usize| 1000 * (idx as i64 + 1);
            for (idx, &value) in values.iter().enumerate() {
                tail.push(at(idx), value);
            }
            for start in 0..values.len() {
                let range = TimeRange {
                    after: Timestamp(at(start) - 1000),
                    until: Timestamp(i64::MAX),
                };
                let expected = <Growth as Part>::of(&values[start..], |idx| at(start + idx));
                assert_eq!(tail.part(range), expected, "{values:?} from {start}");
            }
        }
    }

    #[test]
    fn the_growth_of_a_run_is_that_of_its_summary() {
        let nan = f64::NAN;
        for values in [
            &[1.0][..],
            &[STALE_NAN],
            &[],
            &[1.0, 2.0, 2.0, 5.0],
            &[5.0, 2.0, 3.0, STALE_NAN, 1.0],
            &[STALE_NAN, 4.0, nan, 3.0],
            &[f64::INFINITY, 1.0, f64::NEG_INFINITY],
        ] {
            let at = |idx: usize| 1000 * idx as i64;
            let growth = <Growth as Part>::of(values, at);
            let summary = <Summary as Part>::of(values, at);
            let of_summary = summary.as_ref().map(Growth::from);
            assert_eq!(
                format!("{growth:?}"),
                format!("{of_summary:?}"),
                "{values:?}"
            );
        }
    }
}
