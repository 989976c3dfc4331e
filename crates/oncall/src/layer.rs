//! Layers: a rotation of people, in some hours, by some clock.

use std::sync::Arc;

use firebell_model::Timestamp;
use jiff::tz::TimeZone;

use crate::civil::{CHANGE_MAX, minute_at, moment_of_minute};
use crate::hours::Hours;
use crate::people::PersonId;
use crate::rotation::Rotation;
use crate::shifts::{Cause, Shift, Span};

/// A rotation of people, in some hours, by some clock.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layer {
    /// What people call it, such as `nights`.
    pub name: Arc<str>,
    /// Whose clock decides.
    pub zone: TimeZone,
    /// Whose turn it is when.
    pub rotation: Rotation,
    /// Who has which turn, in order and then again; an empty slot is nobody's.
    pub slots: Vec<Arc<[PersonId]>>,
    /// When anybody is on call at all.
    pub hours: Hours,
    /// When it ends; it begins when its rotation does.
    pub until: Option<Timestamp>,
}

impl Layer {
    /// Its shifts that touch a span, cut to it; `idx` is its position in the schedule.
    pub(crate) fn shifts(&self, idx: usize, span: Span) -> Vec<Shift> {
        let span = self.limits().within(span);
        if span.is_empty() || self.slots.is_empty() {
            return Vec::new();
        }
        let from = minute_at(&self.zone, span.from) - CHANGE_MAX;
        let until = minute_at(&self.zone, span.until) + CHANGE_MAX;
        let nobody: Arc<[PersonId]> = Arc::new([]);
        let mut shifts = Vec::new();
        // Most stretches begin where another ends.
        let mut last = (i64::MIN, Timestamp::MIN);
        for stretch in self.rotation.stretches(&self.hours, from, until) {
            let start = match last.0 == stretch.start {
                true => last.1,
                false => moment_of_minute(&self.zone, stretch.start),
            };
            last = (stretch.end, moment_of_minute(&self.zone, stretch.end));
            let within = Span::new(start, last.1).within(span);
            let slot = stretch.turn.rem_euclid(self.slots.len() as i64) as usize;
            let people = &self.slots[slot];
            if within.is_empty() || people.is_empty() {
                continue;
            }
            shifts.push(Shift {
                span: within,
                people: Arc::clone(people),
                shadows: Arc::clone(&nobody),
                cause: Cause::Layer {
                    idx,
                    turn: stretch.turn,
                },
            });
        }
        shifts
    }

    /// From its beginning to its end.
    #[must_use]
    pub fn limits(&self) -> Span {
        let from = moment_of_minute(&self.zone, self.rotation.start());
        Span::new(from, self.until.unwrap_or(Timestamp::MAX))
    }
}
