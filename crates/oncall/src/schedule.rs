//! Schedules: layers, and what is put over them.

use std::sync::Arc;

use firebell_model::Timestamp;
use jiff::tz::TimeZone;

use crate::changes::{Override, Shadow, Temporary};
use crate::layer::Layer;
use crate::ownership::Ownership;
use crate::people::{Directory, ScheduleId};
use crate::shifts::{Shift, Span, gaps, joined, over};

/// Who is on call when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Schedule {
    /// As configuration calls it, such as `payments`; unique.
    pub name: Arc<str>,
    /// Whose clock people mean where they say nothing else.
    pub zone: TimeZone,
    /// Where a later one has somebody on call, those before do not count.
    pub layers: Vec<Layer>,
    /// Put over the layers; a later one wins.
    pub temporary: Vec<Temporary>,
    /// Put over all that, one after the other.
    pub overrides: Vec<Override>,
    /// Added at the end.
    pub shadows: Vec<Shadow>,
    /// Whether it is meant that nobody is on call at times.
    pub may_have_gaps: bool,
}

/// People, what they own, and when they are on call.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Oncall {
    /// People, teams, services.
    pub directory: Directory,
    /// Which alerts belong to which team.
    pub ownership: Ownership,
    /// In the order of configuration.
    pub schedules: Vec<Schedule>,
}

/// How far to look for the beginning and end of a shift, and for the next one.
const NEAR: i64 = 40 * 24 * 3_600_000;

impl Schedule {
    /// Who is on call from when to when, in order and never two shifts at once; shifts are cut to
    /// the span. What is not covered by any is a gap.
    #[must_use]
    pub fn shifts(&self, span: Span) -> Vec<Shift> {
        if span.is_empty() {
            return Vec::new();
        }
        let layers = self.layers.iter().enumerate();
        let mut shifts = layers
            .map(|(idx, layer)| layer.shifts(idx, span))
            .fold(Vec::new(), over);
        for (idx, temporary) in self.temporary.iter().enumerate() {
            shifts = temporary.apply(idx, shifts, span);
        }
        for (idx, change) in self.overrides.iter().enumerate() {
            shifts = change.apply(idx, shifts, span);
        }
        for shadow in &self.shadows {
            shifts = shadow.apply(shifts);
        }
        joined(shifts)
    }

    /// Who is on call at a moment; `None` is nobody. The shift is that moment only.
    #[must_use]
    pub fn on_call_at(&self, at: Timestamp) -> Option<Shift> {
        let next = Timestamp(at.0.saturating_add(1));
        self.shifts(Span::new(at, next)).into_iter().next()
    }

    /// The shift of a moment and the one after it, whole as far as [`Schedule::NEAR_DAYS`] days
    /// before and after show.
    #[must_use]
    pub fn now_and_next(&self, at: Timestamp) -> (Option<Shift>, Option<Shift>) {
        let near = Span::new(
            Timestamp(at.0.saturating_sub(NEAR)),
            Timestamp(at.0.saturating_add(NEAR)),
        );
        let mut shifts = self
            .shifts(near)
            .into_iter()
            .filter(|it| it.span.until > at);
        match shifts.next() {
            Some(first) if first.span.from <= at => (Some(first), shifts.next()),
            first => (None, first),
        }
    }

    /// How many days [`Schedule::now_and_next`] looks before and after.
    pub const NEAR_DAYS: i64 = NEAR / 86_400_000;

    /// When nobody is on call.
    #[must_use]
    pub fn gaps(&self, span: Span) -> Vec<Span> {
        gaps(&self.shifts(span), span)
    }
}

impl Oncall {
    /// A schedule; ids come from this configuration only.
    #[must_use]
    pub fn schedule(&self, id: ScheduleId) -> &Schedule {
        &self.schedules[id.0 as usize]
    }

    /// The schedule of a name.
    #[must_use]
    pub fn find_schedule(&self, name: &str) -> Option<ScheduleId> {
        let found = self.schedules.iter().position(|it| *it.name == *name)?;
        u32::try_from(found).ok().map(ScheduleId)
    }
}
