//! Summaries of runs of chunks, so that a long window costs O(log n).
//!
//! Rung k holds, for each run of 16^(k+1) chunks that is complete, what the run adds up to. Chunks
//! have ordinals that never change; those at the front go when retention takes them.

use std::collections::VecDeque;

use firebell_model::Summary;

use crate::part::{Part, join};

/// The rungs above the chunks.
#[derive(Debug, Default)]
pub(crate) struct Ladder {
    rungs: Vec<Rung>,
}

#[derive(Debug, Default)]
struct Rung {
    /// The ordinal of the first run that is held.
    first: u64,
    runs: VecDeque<Option<Summary>>,
}

impl Ladder {
    /// Takes note that the chunk with ordinal `count - 1` is there; `first` is the oldest ordinal
    /// that is, and `leaf` gives a chunk's summary.
    pub(crate) fn push(&mut self, first: u64, count: u64, leaf: &dyn Fn(u64) -> Option<Summary>) {
        let mut run_len = FAN;
        let mut rung_idx = 0;
        while count.is_multiple_of(run_len) {
            let run = count / run_len - 1;
            let whole = if run * run_len >= first {
                (run * FAN..(run + 1) * FAN)
                    .map(|ordinal| self.get(rung_idx, ordinal, leaf))
                    .fold(None, join)
            } else {
                // Its front is gone already, so nobody asks for the whole.
                None
            };
            if self.rungs.len() == rung_idx {
                let first = run;
                self.rungs.push(Rung {
                    first,
                    runs: VecDeque::new(),
                });
            }
            self.rungs[rung_idx].runs.push_back(whole);
            rung_idx += 1;
            run_len = run_len.saturating_mul(FAN);
        }
    }

    /// Forgets runs that begin before `first`.
    pub(crate) fn drop_before(&mut self, first: u64) {
        let mut run_len = FAN;
        for rung in &mut self.rungs {
            while rung.first * run_len < first && rung.runs.pop_front().is_some() {
                rung.first += 1;
            }
            run_len = run_len.saturating_mul(FAN);
        }
    }

    /// What the chunks with ordinals `from..to`, all of which are there, add up to.
    pub(crate) fn fold<P: Part>(
        &self,
        from: u64,
        to: u64,
        leaf: &dyn Fn(u64) -> Option<Summary>,
    ) -> Option<P> {
        self.fold_below(0, from, to, leaf)
    }

    /// The same for runs of the rung below `rung_idx` (chunks when that is zero).
    fn fold_below<P: Part>(
        &self,
        rung_idx: usize,
        mut from: u64,
        to: u64,
        leaf: &dyn Fn(u64) -> Option<Summary>,
    ) -> Option<P> {
        let get = |ordinal: u64| {
            let summary = self.get(rung_idx, ordinal, leaf);
            summary.map(P::of_summary)
        };
        let mut sum = None;
        while from < to && !from.is_multiple_of(FAN) {
            sum = join(sum, get(from));
            from += 1;
        }
        if to.saturating_sub(from) >= FAN && self.rungs.len() > rung_idx {
            sum = join(
                sum,
                self.fold_below(rung_idx + 1, from / FAN, to / FAN, leaf),
            );
            from = to / FAN * FAN;
        }
        while from < to {
            sum = join(sum, get(from));
            from += 1;
        }
        sum
    }

    /// One run of the rung below `rung_idx`.
    fn get(
        &self,
        rung_idx: usize,
        ordinal: u64,
        leaf: &dyn Fn(u64) -> Option<Summary>,
    ) -> Option<Summary> {
        match rung_idx.checked_sub(1) {
            None => leaf(ordinal),
            Some(idx) => self.rungs[idx].get(ordinal),
        }
    }
}

impl Rung {
    fn get(&self, run: u64) -> Option<Summary> {
        let idx = usize::try_from(run.checked_sub(self.first)?).ok()?;
        *self.runs.get(idx)?
    }
}

const FAN: u64 = 16;

#[cfg(test)]
mod tests {
    use firebell_model::{Sample, Timestamp};

    use super::*;

    #[test]
    fn any_run_of_chunks_adds_up_as_one_by_one() {
        let leaf = |ordinal: u64| {
            let value = (ordinal * 37 % 11) as f64;
            let at = Timestamp(ordinal as i64);
            (ordinal % 7 != 3).then(|| Summary::of(Sample { at, value }))
        };
        for first in [0, 5, 16, 300] {
            let mut ladder = Ladder::default();
            for count in 1..=700 {
                // Chunks up to `first` go in the middle of the way.
                let gone = if count > 400 { first } else { 0 };
                ladder.push(gone, count, &leaf);
                if count == 400 {
                    ladder.drop_before(first);
                }
            }
            for (from, to) in [
                (0, 700),
                (1, 699),
                (300, 301),
                (17, 530),
                (255, 513),
                (400, 400),
            ] {
                let from = from.max(first);
                let slow = (from..to).map(leaf).fold(None, join);
                let quick = ladder.fold(from, to, &|ordinal| {
                    assert!(ordinal < from / 16 * 16 + 16 || ordinal >= to / 16 * 16 - 16);
                    leaf(ordinal)
                });
                let essence = |sum: Option<Summary>| {
                    sum.map(|it| {
                        (
                            it.count, it.sum, it.resets, it.changes, it.min, it.first, it.last,
                        )
                    })
                };
                assert_eq!(essence(quick), essence(slow), "{first}: {from}..{to}");
            }
        }
    }
}
