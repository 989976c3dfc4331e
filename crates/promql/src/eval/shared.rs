//! Parts that expressions have in common, evaluated once for all of them.
//!
//! *Invariants*: parts are the same when their texts are, and the histograms they need. A result is
//! kept no longer than somebody waits for it.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::frame::{Block, Frame};
use crate::plan::{Detail, Op, OpIdx, Plan, Program};

/// Results of parts of expressions that are evaluated one after the other, each once, over the same
/// moments of the same series with the same options; see [`crate::Prepared::range_sharing`].
#[derive(Default)]
pub struct Shared {
    parts: HashMap<Part, Uses>,
    /// How many values are kept.
    n_values: usize,
}

/// What tells a part of an expression from others.
#[derive(PartialEq, Eq, Hash)]
struct Part {
    text: String,
    detail: Detail,
}

/// Who waits for a part after its first evaluation.
#[derive(Default)]
struct Uses {
    n_left: usize,
    result: Option<Block>,
}

/// What is to be done about an operation.
pub(crate) enum Turn {
    Run,
    /// It belongs to what is known.
    Skip,
    Known(Block),
}

impl Shared {
    /// Finds what the expressions have in common.
    #[must_use]
    pub fn of<'a>(plans: impl IntoIterator<Item = &'a Plan>) -> Self {
        let mut shared = Self::default();
        for plan in plans {
            let program = plan.program();
            let mut waiting = vec![program.ops.len() - 1];
            while let Some(idx) = waiting.pop() {
                match shared.parts.entry(Part::of(&program.ops[idx], plan.text())) {
                    // What is in it comes with it.
                    Entry::Occupied(mut uses) => uses.get_mut().n_left += 1,
                    Entry::Vacant(unknown) => {
                        unknown.insert(Uses::default());
                        waiting.extend(program.operands(idx));
                    }
                }
            }
        }
        shared
    }

    /// What is to be done about each operation of a program; known results count as used.
    pub(crate) fn turns(&mut self, program: &Program, text: &str) -> Vec<Turn> {
        let mut turns: Vec<Turn> = program.ops.iter().map(|_| Turn::Run).collect();
        let mut waiting = vec![program.ops.len() - 1];
        while let Some(idx) = waiting.pop() {
            let op = &program.ops[idx];
            match self.take(&Part::of(op, text)) {
                Some(block) => {
                    turns[op.first..idx].fill_with(|| Turn::Skip);
                    turns[idx] = Turn::Known(block);
                }
                None => waiting.extend(program.operands(idx)),
            }
        }
        turns
    }

    fn take(&mut self, part: &Part) -> Option<Block> {
        let uses = self.parts.get_mut(part)?;
        let block = uses.result.take()?;
        uses.n_left -= 1;
        if uses.n_left == 0 {
            self.n_values -= block.cells.len();
        } else {
            uses.result = Some(block.clone());
        }
        Some(block)
    }

    /// Keeps what an operation gave, if somebody waits for it.
    pub(crate) fn keep(&mut self, op: &Op, text: &str, frame: &Frame) {
        let Frame::Vector(block) = frame else {
            return;
        };
        let part = Part::of(op, text);
        let is_kept = self.parts.get(&part).is_some_and(|it| it.result.is_some());
        if is_kept {
            // An expression has it twice, and has not waited.
            self.take(&part);
        } else if let Some(uses) = self.parts.get_mut(&part)
            && uses.n_left > 0
            && self.n_values + block.cells.len() <= SHARED_VALUES_MAX
        {
            self.n_values += block.cells.len();
            uses.result = Some(block.clone());
        }
    }
}

impl Part {
    fn of(op: &Op, text: &str) -> Self {
        Self {
            text: text[op.span.start..op.span.end].to_owned(),
            detail: op.detail,
        }
    }
}

impl Program {
    /// The operations whose results an operation uses.
    fn operands(&self, idx: OpIdx) -> Vec<OpIdx> {
        let mut operands = Vec::new();
        let mut end = idx;
        while end > self.ops[idx].first {
            operands.push(end - 1);
            end = self.ops[end - 1].first;
        }
        operands
    }
}

/// Beyond this many kept values, 256 MB of floats, parts are evaluated again.
const SHARED_VALUES_MAX: usize = 1 << 25;

#[cfg(test)]
mod tests {
    use firebell_model::{Duration, Labels, Sample, Timestamp};

    use super::*;
    use crate::{MemorySource, Options, Prepared};

    #[test]
    fn what_expressions_share_changes_nothing() {
        let mut source = MemorySource::new();
        for (idx, name) in ["a", "b", "a", "b"].into_iter().enumerate() {
            let instance = (idx / 2).to_string();
            let labels = Labels::from_pairs([("__name__", name), ("i", &instance)]);
            let sample = |step: i64| Sample {
                at: Timestamp(step * 60_000),
                value: (step * (idx as i64 + 1) % 17) as f64,
            };
            source.append(&labels, (0..60).map(sample));
        }
        let texts = [
            "rate(a[5m]) / rate(b[5m]) > 0.1",
            "rate(a[5m]) / rate(b[5m]) > 0.2",
            "rate(a[5m]) / rate(b[5m]) / rate(a[5m])",
            "rate(a[5m] offset 1m) / rate(b[5m]) > 0.2",
            "a - a + a",
            "a - (a + a)",
            "a offset 1m + a @ 60 + sum by (i) (a) + sum(a) by (i)",
            "sum by (i) (a) + 0 * time() + a smoothed",
            "max_over_time((a - a + a)[5m:1m]) and a",
            "-a ^ 2 or a - a + a",
            "rate(a[5m]) / rate(b[5m]) > 0.1",
        ];
        let plans = texts.map(|text| Plan::new(text).unwrap());
        let mut shared = Shared::of(&plans);
        let (end, step) = (Timestamp(3_600_000), Duration::from_mins(1));
        for plan in plans {
            let options = Options::default();
            let mut prepared = Prepared::new(plan.clone());
            let alone = prepared.range(&source, Timestamp(0), end, step, &options);
            let mut prepared = Prepared::new(plan);
            let together =
                prepared.range_sharing(&source, (Timestamp(0), end), step, &options, &mut shared);
            let text = prepared.plan().text();
            // NaNs equal nothing.
            assert_eq!(format!("{alone:?}"), format!("{together:?}"), "{text}");
        }
        let mut left = shared.parts.into_values();
        assert!(left.all(|uses| uses.result.is_none()), "all is given back");
    }
}
