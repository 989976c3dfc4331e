//! Shifts: who is on call from when to when; and what is put over what.

use std::sync::Arc;

use firebell_model::Timestamp;

use crate::people::PersonId;

/// From a moment, inclusive, to another, exclusive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Span {
    /// When it begins.
    pub from: Timestamp,
    /// When it is over.
    pub until: Timestamp,
}

/// Somebody is on call for a while.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shift {
    /// When.
    pub span: Span,
    /// Who; never nobody. In the order of configuration.
    pub people: Arc<[PersonId]>,
    /// Who gets copies to learn from, and does not count as cover.
    pub shadows: Arc<[PersonId]>,
    /// What says so.
    pub cause: Cause,
}

/// What says that somebody is on call.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Cause {
    /// A turn of a layer, by position in the schedule.
    Layer {
        /// The position.
        idx: usize,
        /// Which turn, counted from the start of its rotation.
        turn: i64,
    },
    /// A temporary schedule, by position.
    Temporary(usize),
    /// An override, by position.
    Override(usize),
}

impl Span {
    /// From a moment to another.
    #[must_use]
    pub fn new(from: Timestamp, until: Timestamp) -> Self {
        Self { from, until }
    }

    /// Whether no moment is in it.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.from >= self.until
    }

    /// What is in both; may be empty.
    #[must_use]
    pub fn within(self, other: Self) -> Self {
        Self {
            from: self.from.max(other.from),
            until: self.until.min(other.until),
        }
    }

    /// Milliseconds.
    #[must_use]
    pub fn millis(self) -> i64 {
        self.until.0.saturating_sub(self.from.0).max(0)
    }
}

impl Shift {
    /// The same for another while.
    pub(crate) fn during(&self, span: Span) -> Self {
        Self {
            span,
            ..self.clone()
        }
    }

    /// Whether the other goes on where this one ends, with the same people.
    pub(crate) fn hands_over_nothing(&self, other: &Self) -> bool {
        self.span.until == other.span.from && self.people == other.people
    }

    fn says_the_same(&self, other: &Self) -> bool {
        self.people == other.people && self.shadows == other.shadows && self.cause == other.cause
    }
}

/// What is on top wins; both in order.
pub(crate) fn over(below: Vec<Shift>, top: Vec<Shift>) -> Vec<Shift> {
    if top.is_empty() {
        return below;
    }
    let mut shifts = Vec::with_capacity(below.len() + top.len());
    let mut below = below.into_iter();
    let mut next = below.next();
    for shift in top {
        while let Some(under) = next.take_if(|it| it.span.from < shift.span.until) {
            let before = Span::new(under.span.from, under.span.until.min(shift.span.from));
            if !before.is_empty() {
                shifts.push(under.during(before));
            }
            let after = Span::new(under.span.from.max(shift.span.until), under.span.until);
            next = match after.is_empty() {
                true => below.next(),
                false => Some(under.during(after)),
            };
        }
        shifts.push(shift);
    }
    shifts.extend(next);
    shifts.extend(below);
    shifts
}

/// The shifts outside a span.
pub(crate) fn cut(shifts: Vec<Shift>, span: Span) -> Vec<Shift> {
    change(shifts, span, |_| None)
}

/// Puts one shift over others.
pub(crate) fn put(shifts: Vec<Shift>, shift: Shift) -> Vec<Shift> {
    let mut shifts = cut(shifts, shift.span);
    let at = shifts.partition_point(|it| it.span.from < shift.span.from);
    shifts.insert(at, shift);
    shifts
}

/// Changes what of the shifts is within a span; `None` is nobody. What lies outside is not touched:
/// a year with many overrides costs little more than one with few.
pub(crate) fn change(
    mut shifts: Vec<Shift>,
    span: Span,
    mut change: impl FnMut(Shift) -> Option<Shift>,
) -> Vec<Shift> {
    if span.is_empty() {
        return shifts;
    }
    let first = shifts.partition_point(|it| it.span.until <= span.from);
    let last = shifts.partition_point(|it| it.span.from < span.until);
    let mut changed = Vec::with_capacity(last - first + 2);
    for shift in &shifts[first..last] {
        let before = Span::new(shift.span.from, shift.span.until.min(span.from));
        let after = Span::new(shift.span.from.max(span.until), shift.span.until);
        if !before.is_empty() {
            changed.push(shift.during(before));
        }
        changed.extend(change(shift.during(shift.span.within(span))));
        if !after.is_empty() {
            changed.push(shift.during(after));
        }
    }
    shifts.splice(first..last, changed);
    shifts
}

/// What of a span no shift covers.
pub(crate) fn gaps(shifts: &[Shift], span: Span) -> Vec<Span> {
    let mut gaps = Vec::new();
    let mut from = span.from;
    for shift in shifts {
        let gap = Span::new(from, shift.span.from.min(span.until));
        if !gap.is_empty() {
            gaps.push(gap);
        }
        from = from.max(shift.span.until);
    }
    let rest = Span::new(from, span.until);
    if !rest.is_empty() {
        gaps.push(rest);
    }
    gaps
}

/// Puts together what touches and says the same.
pub(crate) fn joined(shifts: Vec<Shift>) -> Vec<Shift> {
    let mut joined: Vec<Shift> = Vec::with_capacity(shifts.len());
    for shift in shifts {
        match joined.last_mut() {
            Some(last) if last.span.until == shift.span.from && last.says_the_same(&shift) => {
                last.span.until = shift.span.until;
            }
            _ => joined.push(shift),
        }
    }
    joined
}
