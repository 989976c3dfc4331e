//! Walking two lists in order of labels side by side.

use std::cmp::Ordering;
use std::iter;

use firebell_model::Labels;

use crate::alert::AlertInstance;
use crate::evaluate::RuleSample;

/// What is ordered by its labels.
pub(crate) trait Labelled {
    fn labels(&self) -> &Labels;
}

impl Labelled for Labels {
    fn labels(&self) -> &Labels {
        self
    }
}

impl Labelled for RuleSample {
    fn labels(&self) -> &Labels {
        &self.labels
    }
}

impl Labelled for AlertInstance {
    fn labels(&self) -> &Labels {
        &self.labels
    }
}

impl<T: Labelled> Labelled for &T {
    fn labels(&self) -> &Labels {
        (*self).labels()
    }
}

/// Pairs what has the same labels; what has no partner comes alone. Both sides are in order of
/// labels and hold no labels twice, and so does the result.
pub(crate) fn join<L: Labelled, R: Labelled>(
    left: impl IntoIterator<Item = L>,
    right: impl IntoIterator<Item = R>,
) -> impl Iterator<Item = (Option<L>, Option<R>)> {
    let mut left = left.into_iter().peekable();
    let mut right = right.into_iter().peekable();
    iter::from_fn(move || {
        let order = match (left.peek(), right.peek()) {
            (Some(left), Some(right)) => compare(left.labels(), right.labels()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return None,
        };
        let from_left = if order.is_le() { left.next() } else { None };
        let from_right = if order.is_ge() { right.next() } else { None };
        Some((from_left, from_right))
    })
}

fn compare(left: &Labels, right: &Labels) -> Ordering {
    // Equality looks at the pointer first, which is the same in all but the first evaluation.
    if left == right {
        Ordering::Equal
    } else {
        left.cmp(right)
    }
}
