//! Summaries of chunks, as memory keeps them: what follows from the rest is left out.
//!
//! Of most counters half the words of a summary do: what is least is first, what is greatest is
//! last, nothing was reset. A server with many series keeps dozens of summaries of each.

use firebell_model::{Sample, Summary, Timestamp};

/// What a chunk says of itself beside its summary, from which some of that follows.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    pub(crate) n_samples: u32,
}

/// A summary, or that there is none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packed {
    /// Of the words that do not follow from those before.
    words: Box<[u64]>,
    /// Which ones these are; [`SOME`] when there is a summary.
    own: u16,
}

impl Packed {
    pub(crate) fn new(summary: Option<Summary>, frame: Frame) -> Self {
        let Some(summary) = summary else {
            return Self::default();
        };
        let all = words_of(&summary);
        let (mut own, mut words) = (SOME, [0; WORDS]);
        let mut n = 0;
        for (idx, &word) in all.iter().enumerate() {
            if word != follows(idx, &all, frame) {
                own |= 1 << idx;
                words[n] = word;
                n += 1;
            }
        }
        Self {
            words: words[..n].into(),
            own,
        }
    }

    /// The summary, bit for bit; `frame` is the one that it was packed with.
    pub(crate) fn summary(&self, frame: Frame) -> Option<Summary> {
        if self.own & SOME == 0 {
            return None;
        }
        let mut all = [0; WORDS];
        let mut own = self.words.iter();
        for idx in 0..WORDS {
            all[idx] = match self.own & 1 << idx {
                0 => follows(idx, &all, frame),
                _ => *own.next()?,
            };
        }
        Some(summary_of(&all))
    }
}

/// What the word at `idx` is, unless it says otherwise; the words before it are known.
#[inline]
fn follows(idx: usize, known: &[u64; WORDS], frame: Frame) -> u64 {
    match idx {
        COUNT => u64::from(frame.n_samples),
        FIRST_AT => frame.first_at as u64,
        LAST_AT => frame.last_at as u64,
        // The first is the least, until the last is less; the last is the greatest.
        MIN | LAST | MAX => known[idx - 1],
        MEAN => {
            let total = f64::from_bits(known[SUM]) + f64::from_bits(known[SUM + 1]);
            (total / known[COUNT] as f64).to_bits()
        }
        CHANGES => known[COUNT].wrapping_sub(1),
        _ => 0,
    }
}

fn words_of(summary: &Summary) -> [u64; WORDS] {
    let Summary {
        count,
        first,
        last,
        min,
        max,
        sum,
        sum_compensation,
        mean,
        squares,
        resets_lost,
        resets,
        changes,
    } = *summary;
    [
        count,
        first.at.0 as u64,
        last.at.0 as u64,
        first.value.to_bits(),
        min.to_bits(),
        last.value.to_bits(),
        max.to_bits(),
        sum.to_bits(),
        sum_compensation.to_bits(),
        mean.to_bits(),
        squares.to_bits(),
        resets_lost.to_bits(),
        resets,
        changes,
    ]
}

fn summary_of(words: &[u64; WORDS]) -> Summary {
    let float = |idx: usize| f64::from_bits(words[idx]);
    let sample = |at: usize, value: usize| Sample {
        at: Timestamp(words[at] as i64),
        value: float(value),
    };
    Summary {
        count: words[COUNT],
        first: sample(FIRST_AT, FIRST),
        last: sample(LAST_AT, LAST),
        min: float(MIN),
        max: float(MAX),
        sum: float(SUM),
        sum_compensation: float(SUM + 1),
        mean: float(MEAN),
        squares: float(MEAN + 1),
        resets_lost: float(MEAN + 2),
        resets: words[MEAN + 3],
        changes: words[CHANGES],
    }
}

const COUNT: usize = 0;
const FIRST_AT: usize = 1;
const LAST_AT: usize = 2;
const FIRST: usize = 3;
const MIN: usize = 4;
const LAST: usize = 5;
const MAX: usize = 6;
const SUM: usize = 7;
const MEAN: usize = 9;
const CHANGES: usize = 13;
const WORDS: usize = 14;
const SOME: u16 = 1 << 15;

#[cfg(test)]
mod tests {
    use firebell_model::STALE_NAN;

    use super::*;
    use crate::page::Columns;

    fn check(values: &[f64], n_words_max: usize) {
        let columns = Columns {
            at: (0..).step_by(15_000).take(values.len()).collect(),
            value: values.to_vec(),
        };
        let frame = Frame {
            first_at: 0,
            last_at: columns.at[values.len() - 1],
            n_samples: values.len() as u32,
        };
        let summary = columns.summary();
        let packed = Packed::new(summary, frame);
        let essence = |it: Option<Summary>| it.map(|it| words_of(&it));
        assert_eq!(
            essence(packed.summary(frame)),
            essence(summary),
            "{values:?}"
        );
        let n_words = packed.words.len();
        assert!(n_words <= n_words_max, "{values:?}: {n_words} words");
    }

    #[test]
    fn summaries_come_back_and_those_of_counters_are_small() {
        let counter: Vec<f64> = (1..400).map(|n| f64::from(n * 7)).collect();
        check(&counter, 4);
        check(&[3.0; 100], 5);
        check(&[1.0, 2.0, 0.5, 7.0], 9);
        check(&[STALE_NAN], 0);
        check(&[STALE_NAN, 1.0, f64::NAN, -0.0, f64::INFINITY], 14);
        check(&[0.1, 1e300, -1e300, 1e-9], 14);
        check(&[-0.0], 14);
    }
}
