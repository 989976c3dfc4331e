//! `and`, `or`, `unless`.

use std::sync::Arc;

use super::{Groups, MatchingState, presence};
use crate::ast::BinaryOp;
use crate::error::EvalError;
use crate::eval::State;
use crate::eval::frame::{ABSENT, Block, Frame, SeriesSet};
use crate::plan::BinaryOperation;

/// The match groups of the series of both sides.
pub(crate) struct SetGroups {
    left: Arc<SeriesSet>,
    right: Arc<SeriesSet>,
    /// Both sides together, for `or`.
    both: Arc<SeriesSet>,
    left_of: Vec<u32>,
    right_of: Vec<u32>,
    n_groups: usize,
}

pub(super) fn run(
    operation: &BinaryOperation,
    left: Block,
    right: Block,
    state: &mut State,
) -> Result<Frame, EvalError> {
    let groups = bind(operation, &left, &right, state);
    let n = left.n_steps;
    Ok(Frame::Vector(match operation.op {
        BinaryOp::Or => {
            let seen = presence(&left, &groups.left_of, groups.n_groups);
            let mut right = right;
            for (row, &group) in groups.right_of.iter().enumerate() {
                let seen = &seen[group as usize * n..][..n];
                let row = right.cells.values[row * n..][..n].iter_mut();
                for (value, &seen) in row.zip(seen) {
                    if seen {
                        *value = ABSENT;
                    }
                }
            }
            let mut cells = left.cells;
            cells.append(right.cells);
            Block::new(Arc::clone(&groups.both), n, cells)
        }
        op => {
            let seen = presence(&right, &groups.right_of, groups.n_groups);
            let wanted = op == BinaryOp::And;
            let mut left = left;
            for (row, &group) in groups.left_of.iter().enumerate() {
                let seen = &seen[group as usize * n..][..n];
                let row = left.cells.values[row * n..][..n].iter_mut();
                for (value, &seen) in row.zip(seen) {
                    if seen != wanted {
                        *value = ABSENT;
                    }
                }
            }
            left
        }
    }))
}

fn bind<'a>(
    operation: &BinaryOperation,
    left: &Block,
    right: &Block,
    state: &'a mut State,
) -> &'a SetGroups {
    let is_bound = matches!(
        state,
        State::Matching(MatchingState::Sets(it))
            if Arc::ptr_eq(&it.left, &left.set) && Arc::ptr_eq(&it.right, &right.set)
    );
    if !is_bound {
        let groups = Groups::of(&operation.matching, &left.set.labels, &right.set.labels);
        let sides = [&left.set, &right.set];
        let labels = sides.iter().flat_map(|set| set.labels.iter().cloned());
        let drops = sides
            .iter()
            .flat_map(|set| (0..set.len()).map(|idx| set.drops_name(idx)));
        let both = match operation.op {
            BinaryOp::Or => SeriesSet::new(labels.collect(), drops.collect()),
            _ => Arc::clone(&left.set),
        };
        *state = State::Matching(MatchingState::Sets(SetGroups {
            left: Arc::clone(&left.set),
            right: Arc::clone(&right.set),
            both,
            n_groups: groups.signatures.len(),
            left_of: groups.left_of,
            right_of: groups.right_of,
        }));
    }
    let State::Matching(MatchingState::Sets(groups)) = state else {
        unreachable!("it has just been bound");
    };
    groups
}
