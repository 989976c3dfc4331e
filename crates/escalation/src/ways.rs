//! The ways that pages may go through policies: at which moments, of which severity, with how much
//! of an error budget.
//!
//! What a page sees changes only where hours or shifts begin or end, seen from each step. So a page is
//! followed that opens at each of these moments, and all that open in between go the same way.
//!
//! *Limits*: [`MOMENTS_MAX`] moments of a policy are looked at, and [`OFFSETS_MAX`] moments of a page,
//! which are sought in [`VISITS_MAX`] policies that it comes to. Where there is more, what was looked
//! at is true, no step is called one that is never taken, and a dead end may go unseen.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use firebell_model::Timestamp;
use firebell_oncall::{Oncall, PersonId, ScheduleId, Span};
use jiff::tz::TimeZone;

use crate::check::HAND_OVERS_MAX;
use crate::policy::{Act, BudgetLeft, Condition, Level, Policy, Severity, Step, Target};
use crate::targets::schedules_of;
use crate::window::Window;

/// Policies by name.
pub(crate) type ByName<'p> = BTreeMap<&'p str, &'p Policy>;

/// A policy and all that it may hand over to, and what that depends on.
pub(crate) struct Ways<'p> {
    by_name: &'p ByName<'p>,
    policy: &'p Policy,
    /// The policy and those that it leads to.
    tree: Vec<&'p Policy>,
    /// What conditions and deferrals name.
    pub(crate) hours: Vec<&'p Window>,
    /// What conditions name, from little to much.
    pub(crate) budgets: BTreeSet<BudgetLeft>,
    offsets: OnceCell<Found>,
}

/// Moments in milliseconds, from some beginning.
struct Found {
    all: BTreeSet<i64>,
    /// Whether these are all there are.
    is_whole: bool,
}

/// A page of which nobody hears.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unheard {
    /// The policy, by position.
    pub policy: usize,
    /// The worst severity of which this is so.
    pub severity: Severity,
    /// A moment at which such a page may open.
    pub at: Timestamp,
    /// By whose clock people tell it: that of the first schedule that the policy names, else of its
    /// hours.
    pub zone: TimeZone,
}

/// Policies by which a page that opens within [`AHEAD_DAYS`] days may end without anybody having
/// been told, because nobody is on call where it looks for somebody: the first moment of each.
#[must_use]
pub fn unheard(policies: &[Policy], oncall: &Oncall, now: Timestamp) -> Vec<Unheard> {
    let by_name: ByName<'_> = policies.iter().map(|it| (&*it.name, it)).collect();
    let span = Span::new(now, Timestamp(now.0.saturating_add(AHEAD_DAYS * DAY)));
    let found = policies.iter().enumerate().filter_map(|(idx, policy)| {
        let ways = Ways::of(&by_name, policy);
        let times = Times::of(&ways, span, Some(oncall));
        let dead_end = |severity| {
            let at = ways.dead_end(severity, &times, &mut Vec::new())?;
            Some(Unheard {
                policy: idx,
                severity,
                at,
                zone: ways.zone(oncall),
            })
        };
        Severity::ALL.into_iter().find_map(dead_end)
    });
    found.collect()
}

impl<'p> Ways<'p> {
    pub(crate) fn of(by_name: &'p ByName<'p>, policy: &'p Policy) -> Self {
        let (mut seen, mut tree, mut open) =
            (BTreeSet::from([&policy.name]), Vec::new(), vec![policy]);
        while let Some(policy) = open.pop() {
            tree.push(policy);
            let handed_to = policy.steps.iter().filter_map(|step| match &step.act {
                Act::HandOver(name) => by_name.get(&**name).copied(),
                Act::Notify(_) | Act::Defer(_) => None,
            });
            open.extend(handed_to.filter(|it| seen.insert(&it.name)));
        }
        let (mut hours, mut budgets): (Vec<&Window>, _) = (Vec::new(), BTreeSet::new());
        for step in tree.iter().flat_map(|it| &it.steps) {
            let conditions = || step.when.iter().chain(&step.unless);
            budgets.extend(conditions().filter_map(|it| it.budget_below));
            let deferred = match &step.act {
                Act::Defer(window) => Some(window),
                Act::Notify(_) | Act::HandOver(_) => None,
            };
            for window in conditions()
                .filter_map(|it| it.hours.as_ref())
                .chain(deferred)
            {
                if !hours.contains(&window) {
                    hours.push(window);
                }
            }
        }
        Self {
            by_name,
            policy,
            tree,
            hours,
            budgets,
            offsets: OnceCell::new(),
        }
    }

    /// The first moment at which a page of some severity may open and end without anybody having
    /// been told; marks the steps that are taken by any page, as far as there is room for marks.
    pub(crate) fn dead_end(
        &self,
        severity: Severity,
        times: &Times<'p>,
        taken: &mut Vec<bool>,
    ) -> Option<Timestamp> {
        let mut found = None;
        for at in times.moments(self).all {
            for n_below in 0..=self.budgets.len() {
                let case = Case {
                    ways: self,
                    times,
                    severity,
                    n_below,
                };
                if !case.walk(self.policy, at, 0, taken) && found.is_none() {
                    found = Some(Timestamp(times.from.saturating_add(at)));
                }
                if taken.iter().all(|it| *it) {
                    taken.clear();
                }
            }
            if found.is_some() && taken.is_empty() {
                break;
            }
        }
        found
    }

    /// By whose clock people read a moment of it.
    fn zone(&self, oncall: &Oncall) -> TimeZone {
        let steps = self.tree.iter().flat_map(|it| &it.steps);
        let targets = steps.flat_map(|step| match &step.act {
            Act::Notify(level) => level.targets.as_slice(),
            Act::Defer(_) | Act::HandOver(_) => &[],
        });
        let mut schedules = targets.flat_map(|it| schedules_of(std::slice::from_ref(it), oncall));
        let schedule = schedules.find_map(|name| oncall.find_schedule(name));
        let of_schedule = schedule.map(|id| &oncall.schedule(id).zone);
        let of_hours = || self.hours.first().map(|it| it.zone().1);
        of_schedule
            .or_else(of_hours)
            .cloned()
            .unwrap_or(TimeZone::UTC)
    }

    /// Whether a page is followed from each moment at which it may go another way.
    pub(crate) fn sees_all(&self, times: &Times<'p>) -> bool {
        times.moments(self).is_whole
    }

    /// How long after the beginning of a page a step of it may come.
    fn offsets(&self) -> &Found {
        self.offsets.get_or_init(|| self.find_offsets())
    }

    fn find_offsets(&self) -> Found {
        let mut offsets = BTreeSet::new();
        let mut seen = BTreeSet::from([(&*self.policy.name, 0)]);
        let mut open = vec![(self.policy, 0)];
        while let Some((policy, begun)) = open.pop() {
            let mut bases = BTreeSet::from([begun]);
            for step in &policy.steps {
                let after = step.after.0;
                let at: Vec<i64> = bases.iter().map(|base| base + after).collect();
                offsets.extend(&at);
                if offsets.len() > OFFSETS_MAX || seen.len() > VISITS_MAX {
                    let (all, is_whole) = (offsets, false);
                    return Found { all, is_whole };
                }
                match &step.act {
                    Act::Notify(_) => {}
                    Act::Defer(_) => bases.extend(at),
                    Act::HandOver(name) => {
                        let next = self.by_name.get(&**name).copied();
                        let next = next
                            .into_iter()
                            .flat_map(|it| at.iter().map(move |at| (it, *at)));
                        open.extend(next.filter(|(it, at)| seen.insert((&it.name, *at))));
                    }
                }
            }
        }
        let (all, is_whole) = (offsets, true);
        Found { all, is_whole }
    }
}

/// When hours and people are there, over whole weeks; what comes later is as from the beginning.
pub(crate) struct Times<'p> {
    from: i64,
    /// A number of weeks.
    length: i64,
    hours: Vec<(&'p Window, Spans)>,
    /// When each target is somebody; everybody always is without.
    reached: Option<BTreeMap<&'p Target, Spans>>,
}

/// Apart and in order, from the beginning of times on.
type Spans = Vec<(i64, i64)>;

impl<'p> Times<'p> {
    /// Over a span of whole weeks; `oncall` says who is on call.
    pub(crate) fn of(ways: &Ways<'p>, span: Span, oncall: Option<&Oncall>) -> Self {
        let from = |all: Vec<Span>| -> Spans {
            let all = all.into_iter();
            all.map(|it| (it.from.0 - span.from.0, it.until.0 - span.from.0))
                .collect()
        };
        let hours = ways.hours.iter().map(|it| (*it, from(it.spans(span))));
        let reached = oncall.map(|oncall| {
            let steps = ways.tree.iter().flat_map(|it| &it.steps);
            let targets = steps.flat_map(|step| match &step.act {
                Act::Notify(level) => level.targets.as_slice(),
                Act::Defer(_) | Act::HandOver(_) => &[],
            });
            let targets: BTreeSet<&Target> = targets.collect();
            let reached = targets.into_iter();
            reached
                .map(|it| (it, from(reached_in(it, oncall, span))))
                .collect()
        });
        Self {
            from: span.from.0,
            length: span.until.0 - span.from.0,
            hours: hours.collect(),
            reached,
        }
    }

    /// When pages may open that go different ways.
    fn moments(&self, ways: &Ways<'_>) -> Found {
        let hours = self.hours.iter().map(|(_, spans)| spans);
        let spans = hours.chain(self.reached.iter().flat_map(BTreeMap::values));
        let edges: BTreeSet<i64> = spans.flatten().flat_map(|it| [it.0, it.1]).collect();
        let mut moments = Found {
            all: BTreeSet::from([0]),
            is_whole: true,
        };
        if edges.is_empty() {
            return moments;
        }
        let offsets = ways.offsets();
        moments.is_whole = offsets.is_whole;
        for edge in edges {
            let seen_from = |it: &i64| (edge - it).rem_euclid(self.length);
            moments.all.extend(offsets.all.iter().map(seen_from));
            if moments.all.len() > MOMENTS_MAX {
                moments.is_whole = false;
                break;
            }
        }
        moments
    }

    fn spans(&self, window: &Window) -> &[(i64, i64)] {
        let found = self.hours.iter().find(|(it, _)| *it == window);
        found.map_or(&[], |(_, spans)| spans)
    }

    fn is_in(&self, spans: &[(i64, i64)], at: i64) -> bool {
        let at = at.rem_euclid(self.length);
        let n_begun = spans.partition_point(|it| it.0 <= at);
        let last = n_begun.checked_sub(1).and_then(|idx| spans.get(idx));
        last.is_some_and(|it| at < it.1)
    }

    /// How long it is from a moment until a window.
    fn wait(&self, window: &Window, at: i64) -> i64 {
        let spans = self.spans(window);
        if self.is_in(spans, at) {
            return 0;
        }
        let at = at.rem_euclid(self.length);
        let next = spans.iter().find(|it| it.0 > at).map(|it| it.0 - at);
        let again = || spans.first().map(|it| it.0 + self.length - at);
        next.or_else(again).unwrap_or(0)
    }

    fn reaches(&self, level: &Level, at: i64) -> bool {
        let Some(reached) = &self.reached else {
            return true;
        };
        let mut spans = level.targets.iter().filter_map(|it| reached.get(it));
        spans.any(|it| self.is_in(it, at))
    }
}

/// When a target is somebody who can be reached.
fn reached_in(target: &Target, oncall: &Oncall, span: Span) -> Vec<Span> {
    let has_contact = |id: &PersonId| !oncall.directory.person(*id).contacts.is_empty();
    let always = |is_so: bool| if is_so { vec![span] } else { Vec::new() };
    let of_schedule = |id: ScheduleId| {
        let shifts = oncall.schedule(id).shifts(span);
        let reached = shifts.iter().filter(|it| it.people.iter().any(has_contact));
        reached.map(|it| it.span).collect()
    };
    let directory = &oncall.directory;
    match target {
        Target::Receiver(_) => always(true),
        Target::Person(name) => always(
            directory
                .find_person(name)
                .is_some_and(|it| has_contact(&it)),
        ),
        Target::Schedule(name) => oncall
            .find_schedule(name)
            .map(of_schedule)
            .unwrap_or_default(),
        Target::Team(name) => match directory.find_team(name).map(|it| directory.team(it)) {
            None => Vec::new(),
            Some(team) => match team.schedule {
                Some(id) => of_schedule(id),
                None => always(team.members.iter().any(has_contact)),
            },
        },
    }
}

/// A page of a severity, with so much of its error budget.
struct Case<'w, 'p> {
    ways: &'w Ways<'p>,
    times: &'w Times<'p>,
    severity: Severity,
    /// How many of the budgets that are named more is gone than is left of: the largest of them.
    n_below: usize,
}

impl Case<'_, '_> {
    fn is_below(&self, budget: BudgetLeft) -> bool {
        let budgets = &self.ways.budgets;
        let n_more = budgets.iter().filter(|it| **it > budget).count();
        n_more < self.n_below
    }

    fn holds(&self, condition: &Condition, at: i64) -> bool {
        let Condition {
            severity,
            hours,
            budget_below,
        } = condition;
        let is_in = |it: &Window| self.times.is_in(self.times.spans(it), at);
        severity.is_none_or(|it| self.severity.is_at_least(it))
            && hours.as_ref().is_none_or(is_in)
            && budget_below.is_none_or(|it| self.is_below(it))
    }

    fn takes(&self, step: &Step, at: i64) -> bool {
        step.when.as_ref().is_none_or(|it| self.holds(it, at))
            && !step.unless.as_ref().is_some_and(|it| self.holds(it, at))
    }

    /// Whether anybody is told of a page that comes to a policy at a moment, after so many
    /// hand-overs; marks the steps that are taken.
    fn walk(&self, policy: &Policy, at: i64, n_handed: usize, taken: &mut [bool]) -> bool {
        let (mut base, mut tells) = (at, false);
        for (idx, step) in policy.steps.iter().enumerate() {
            let now = base + step.after.0;
            if matches!(step.act, Act::Defer(_)) {
                base = now;
            }
            if !self.takes(step, now) {
                continue;
            }
            if let Some(taken) = taken.get_mut(idx) {
                *taken = true;
            }
            match &step.act {
                Act::Notify(level) if self.times.reaches(level, now) => {
                    tells = true;
                    if taken.is_empty() {
                        return true;
                    }
                }
                // Where nobody is, nobody is waited for.
                Act::Notify(_) => {
                    let next = policy.steps.get(idx + 1);
                    base = next.map_or(base, |it| now - it.after.0);
                }
                Act::Defer(window) => base = now + self.times.wait(window, now),
                Act::HandOver(name) => {
                    let next = self.ways.by_name.get(&**name).copied();
                    let goes_on = |next| {
                        n_handed < HAND_OVERS_MAX && self.walk(next, now, n_handed + 1, &mut [])
                    };
                    return tells || next.is_none_or(goes_on);
                }
            }
        }
        tells
    }
}

/// Weeks in which no clock changes: what is so in both is so in every week but those.
pub(crate) fn weeks() -> [Span; 2] {
    // 2026-01-05 and 2026-07-06, Mondays.
    [1_767_571_200_000, 1_783_296_000_000].map(|from| {
        let until = Timestamp(from + 7 * DAY);
        Span::new(Timestamp(from), until)
    })
}

const DAY: i64 = 24 * 3_600_000;
/// How far [`unheard`] looks: four weeks.
pub const AHEAD_DAYS: i64 = 28;
/// The most moments of a policy at which a page is followed.
const MOMENTS_MAX: usize = 5_000;
/// Of so many moments of a page it is seen what is so then.
const OFFSETS_MAX: usize = 500;
/// Policies to which a page may come, each at so many moments of it.
const VISITS_MAX: usize = 2_000;
