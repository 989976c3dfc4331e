//! Changes to what layers say: overrides and swaps, temporary schedules, shadows.

use std::sync::Arc;

use crate::layer::Layer;
use crate::people::PersonId;
use crate::shifts::{Cause, Shift, Span, change, cut, gaps, over, put};

/// For a while something else holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Override {
    /// How long.
    pub span: Span,
    /// What else.
    pub change: Change,
    /// Why, in people's words.
    pub reason: Arc<str>,
}

/// What an override changes. A swap is two of `Replace`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// These people are on call, whoever else would be.
    Take(Arc<[PersonId]>),
    /// One person stands in for another, whenever that one would be on call.
    Replace {
        /// Who would be on call.
        who: PersonId,
        /// Who is.
        by: PersonId,
    },
    /// One more person is on call.
    Add(PersonId),
    /// A person is not on call.
    Remove(PersonId),
}

/// For a while other layers hold, and none of the schedule's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Temporary {
    /// How long.
    pub span: Span,
    /// Layers instead of the schedule's; a later one wins.
    pub layers: Vec<Layer>,
    /// Why, in people's words.
    pub reason: Arc<str>,
}

/// For a while somebody gets copies of what others get, to learn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Shadow {
    /// How long.
    pub span: Span,
    /// Who learns.
    pub who: PersonId,
    /// From whom; from whoever is on call when `None`.
    pub of: Option<PersonId>,
}

impl Temporary {
    /// Puts it in the place of what is there.
    pub(crate) fn apply(&self, idx: usize, shifts: Vec<Shift>, within: Span) -> Vec<Shift> {
        let span = self.span.within(within);
        if span.is_empty() {
            return shifts;
        }
        let layers = self.layers.iter().map(|layer| layer.shifts(0, span));
        let mut instead = layers.fold(Vec::new(), over);
        for shift in &mut instead {
            shift.cause = Cause::Temporary(idx);
        }
        over(cut(shifts, span), instead)
    }
}

impl Override {
    /// Changes what is there.
    pub(crate) fn apply(&self, idx: usize, shifts: Vec<Shift>, within: Span) -> Vec<Shift> {
        let span = self.span.within(within);
        if span.is_empty() {
            return shifts;
        }
        let cause = Cause::Override(idx);
        let shift = |span: Span, people: Arc<[PersonId]>| Shift {
            span,
            people,
            shadows: Arc::new([]),
            cause,
        };
        match &self.change {
            Change::Take(people) => put(shifts, shift(span, Arc::clone(people))),
            Change::Add(who) => {
                let free: Vec<Span> = gaps(&shifts, span)
                    .iter()
                    .map(|it| it.within(span))
                    .collect();
                let alone = free.into_iter().map(|gap| shift(gap, Arc::new([*who])));
                let alone: Vec<Shift> = alone.collect();
                let joined = change(shifts, span, |it| match it.people.contains(who) {
                    true => Some(it),
                    false => it.with_people(cause, |people| people.push(*who)),
                });
                over(joined, alone)
            }
            Change::Replace { who, by } => change(shifts, span, |it| {
                if !it.people.contains(who) {
                    return Some(it);
                }
                it.with_people(cause, |people| {
                    let is_there = people.contains(by);
                    people.retain(|person| !is_there || person != who);
                    for person in people.iter_mut().filter(|person| *person == who) {
                        *person = *by;
                    }
                })
            }),
            Change::Remove(who) => change(shifts, span, |it| match it.people.contains(who) {
                true => it.with_people(cause, |people| people.retain(|person| person != who)),
                false => Some(it),
            }),
        }
    }
}

impl Shadow {
    /// Adds the shadow to the shifts of whom it learns from.
    pub(crate) fn apply(&self, shifts: Vec<Shift>) -> Vec<Shift> {
        change(shifts, self.span, |mut shift| {
            let is_of = self.of.is_none_or(|of| shift.people.contains(&of));
            let is_new = !shift.people.contains(&self.who) && !shift.shadows.contains(&self.who);
            if is_of && is_new {
                shift.shadows = shift.shadows.iter().copied().chain([self.who]).collect();
            }
            Some(shift)
        })
    }
}

impl Shift {
    fn with_people(self, cause: Cause, change: impl FnOnce(&mut Vec<PersonId>)) -> Option<Self> {
        let mut people = self.people.to_vec();
        change(&mut people);
        (!people.is_empty()).then(|| Self {
            people: people.into(),
            cause,
            ..self
        })
    }
}
