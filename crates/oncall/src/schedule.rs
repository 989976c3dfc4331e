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
    /// How many of the overrides, the first ones, are put under temporary schedules: those that
    /// calendars say.
    pub n_under_temporary: usize,
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

/// Who is on call at a moment, and the hand-overs around it; as far as [`Schedule::NEAR_DAYS`] days
/// before and after show.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Watch {
    /// Who is on call, from the hand-over before to the one after; with what says so at the moment.
    pub now: Option<Shift>,
    /// Since when; `None` when nobody is, or it is longer ago.
    pub since: Option<Timestamp>,
    /// When the next hand-over is: somebody else is on call then, or nobody, or somebody where
    /// nobody was; `None` when it is farther away.
    pub until: Option<Timestamp>,
    /// Who was on call before; between them and now there may have been nobody.
    pub before: Option<Shift>,
    /// Who is on call after that; in between there may be nobody.
    pub next: Option<Shift>,
}

/// How far to look for the beginning and end of a shift, and for the next one.
const NEAR: i64 = 40 * 24 * 3_600_000;
const YEAR: i64 = 366 * 24 * 3_600_000;

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
        let mut overrides = self.overrides.iter().enumerate();
        for (idx, change) in overrides.by_ref().take(self.n_under_temporary) {
            shifts = change.apply(idx, shifts, span);
        }
        for (idx, temporary) in self.temporary.iter().enumerate() {
            shifts = temporary.apply(idx, shifts, span);
        }
        for (idx, change) in overrides {
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

    /// Who is on call at a moment, from which hand-over to which, and who before and after.
    #[must_use]
    pub fn watch(&self, at: Timestamp) -> Watch {
        let near = Span::new(
            Timestamp(at.0.saturating_sub(NEAR)),
            Timestamp(at.0.saturating_add(NEAR)),
        );
        let mut watch = Watch::default();
        let mut shifts = self.shifts(near).into_iter().peekable();
        while let Some(mut shift) = shifts.next_if(|it| it.span.from <= at) {
            match watch.now.take() {
                Some(last) if last.hands_over_nothing(&shift) => shift.span.from = last.span.from,
                last => watch.before = last,
            }
            watch.now = Some(shift);
        }
        if let Some(over) = watch.now.take_if(|it| it.span.until <= at) {
            watch.before = Some(over);
        }
        watch.next = shifts.next();
        while let Some(now) = &mut watch.now
            && let Some(next) = watch.next.take_if(|it| now.hands_over_nothing(it))
        {
            now.span.until = next.span.until;
            watch.next = shifts.next();
        }
        if let Some(next) = &mut watch.next {
            while let Some(more) = shifts.next_if(|it| next.hands_over_nothing(it)) {
                next.span.until = more.span.until;
            }
        }
        watch.since = watch.now.as_ref().map(|it| it.span.from);
        watch.since = watch.since.filter(|from| *from > near.from);
        let now_until = watch.now.as_ref().map(|it| it.span.until);
        let until = now_until.or(watch.next.as_ref().map(|it| it.span.from));
        watch.until = until.filter(|until| *until < near.until);
        watch
    }

    /// How many days [`Schedule::watch`] looks before and after.
    pub const NEAR_DAYS: i64 = NEAR / 86_400_000;

    /// The shifts of each layer on its own, as if there were nothing else; in order, and cut to the
    /// span.
    #[must_use]
    pub fn by_layer(&self, span: Span) -> Vec<Vec<Shift>> {
        let layers = self.layers.iter().enumerate();
        layers
            .map(|(idx, layer)| joined(layer.shifts(idx, span)))
            .collect()
    }

    /// The shifts that touch a span, not cut to it, as far as a year before and after it shows.
    #[must_use]
    pub fn whole_shifts(&self, span: Span) -> Vec<Shift> {
        let wide = Span::new(
            Timestamp(span.from.0.saturating_sub(YEAR)),
            Timestamp(span.until.0.saturating_add(YEAR)),
        );
        let mut shifts = self.shifts(wide);
        shifts.retain(|shift| !shift.span.within(span).is_empty());
        shifts
    }

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
