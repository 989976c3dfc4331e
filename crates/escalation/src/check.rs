//! What is wrong with policies, before it hurts: found when they are loaded, all of it.
//!
//! Whether a step is ever taken depends on a severity, an error budget and the moment: pages are
//! followed that open at each moment of a week at which that makes a difference.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use firebell_oncall::{Change, Oncall, PersonId, Schedule};

use crate::policy::{Act, Level, Policy, Severity, Step, Target};
use crate::ways::{ByName, Times, Ways, weeks};
use crate::window::Window;

/// Something that is wrong with a policy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault {
    /// The policy, by position.
    pub policy: usize,
    /// The step, by position; of the policy as a whole when `None`.
    pub step: Option<usize>,
    /// What.
    pub kind: FaultKind,
}

/// What is wrong with a policy or a step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FaultKind {
    /// It tells nobody, ever.
    NoSteps,
    /// More steps, targets or rounds than there may be.
    TooMany,
    /// Nobody and nothing has this name.
    Unknown(Target),
    /// No policy has this name.
    UnknownPolicy(Arc<str>),
    /// It hands over more often, one after the other, than a page may be.
    TooFar,
    /// It hands over in a circle: these policies, from the first to the first.
    Cycle(Vec<Arc<str>>),
    /// It comes earlier than the step before it.
    Backwards,
    /// Nothing leads there.
    Unreachable,
    /// A page of this severity may end without anybody having been told; if that depends on hours,
    /// such as one that opens then.
    DeadEnd(Severity, Option<String>),
    /// Nobody whom it tells can be reached.
    NobodyReachable(Target),
    /// It asks people for an answer and tells channels only.
    NobodyToAnswer,
    /// Hours that never come.
    NoHours(Window),
    /// The reminder comes no earlier than the end of the acknowledgement.
    LateReminder,
}

/// The most steps of a policy.
pub const STEPS_MAX: usize = 100;
/// The most targets of a step.
pub const TARGETS_MAX: usize = 50;
/// The most further rounds.
pub const REPEAT_MAX: u32 = 100;
/// The most different hours and budgets in the conditions of a policy and those it hands over to.
pub const CONDITIONS_MAX: usize = 8;

/// The most hand-overs of a page, one after the other.
pub const HAND_OVERS_MAX: usize = 8;
/// The most policies.
pub const POLICIES_MAX: usize = 1_000;

/// Everything that is wrong with policies; `is_receiver` knows the names of channels.
#[must_use]
pub fn check(
    policies: &[Policy],
    oncall: &Oncall,
    is_receiver: &dyn Fn(&str) -> bool,
) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut world = World {
        by_name: policies.iter().map(|it| (&*it.name, it)).collect(),
        oncall,
        is_receiver,
        reachable: BTreeMap::new(),
        over: BTreeMap::new(),
    };
    for (idx, policy) in policies.iter().enumerate() {
        let mut say = |step, kind| {
            faults.push(Fault {
                policy: idx,
                step,
                kind,
            });
        };
        of_policy(policy, &mut say);
        for (step_idx, step) in policy.steps.iter().enumerate() {
            let mut say = |kind| say(Some(step_idx), kind);
            of_step(step, &mut world, &mut say);
            let before = step_idx.checked_sub(1).and_then(|it| policy.steps.get(it));
            if before.is_some_and(|it| restarts_clock(it).is_none_or(|after| after > step.after)) {
                say(FaultKind::Backwards);
            }
        }
        match world.cycle(policy) {
            Some(names) => say(None, FaultKind::Cycle(names)),
            None if world.n_hand_overs(policy) > HAND_OVERS_MAX => say(None, FaultKind::TooFar),
            None => ways(&world.by_name, policy, &mut say),
        }
    }
    faults
}

/// What is looked up, and what was found out before: a thousand policies may mean the same people
/// and hand over to each other.
struct World<'p> {
    by_name: ByName<'p>,
    oncall: &'p Oncall,
    is_receiver: &'p dyn Fn(&str) -> bool,
    reachable: BTreeMap<&'p Target, Option<bool>>,
    /// Policies from which no circle is reached, and how many hand-overs there are from each at most.
    over: BTreeMap<&'p str, usize>,
}

/// The time from which steps after this one count; after a deferral, from its end.
fn restarts_clock(step: &Step) -> Option<firebell_model::Duration> {
    match step.act {
        Act::Defer(_) => Some(firebell_model::Duration::ZERO),
        Act::Notify(_) | Act::HandOver(_) => Some(step.after),
    }
}

fn of_policy(policy: &Policy, say: &mut impl FnMut(Option<usize>, FaultKind)) {
    if policy.steps.is_empty() {
        say(None, FaultKind::NoSteps);
    }
    if policy.steps.len() > STEPS_MAX || policy.repeat > REPEAT_MAX {
        say(None, FaultKind::TooMany);
    }
    let expires = policy.acknowledged_for > firebell_model::Duration::ZERO;
    if expires && policy.remind_after >= policy.acknowledged_for {
        say(None, FaultKind::LateReminder);
    }
}

fn of_step<'p>(step: &'p Step, world: &mut World<'p>, say: &mut impl FnMut(FaultKind)) {
    let conditions = step.when.iter().chain(&step.unless);
    let mut hours: Vec<&Window> = conditions.filter_map(|it| it.hours.as_ref()).collect();
    match &step.act {
        Act::HandOver(name) => {
            if !world.by_name.contains_key(&**name) {
                say(FaultKind::UnknownPolicy(Arc::clone(name)));
            }
        }
        Act::Defer(window) => hours.push(window),
        Act::Notify(level) => of_level(level, world, say),
    }
    let epoch = firebell_model::Timestamp(0);
    for window in hours.iter().filter(|it| it.next_in(epoch).is_none()) {
        say(FaultKind::NoHours((*window).clone()));
    }
}

fn of_level<'p>(level: &'p Level, world: &mut World<'p>, say: &mut impl FnMut(FaultKind)) {
    if level.targets.is_empty() {
        return say(FaultKind::NoSteps);
    }
    if level.targets.len() > TARGETS_MAX {
        say(FaultKind::TooMany);
    }
    for target in &level.targets {
        let (oncall, is_receiver) = (world.oncall, world.is_receiver);
        let known = world.reachable.entry(target);
        match *known.or_insert_with(|| reachable(target, oncall, is_receiver)) {
            None => say(FaultKind::Unknown(target.clone())),
            Some(false) => say(FaultKind::NobodyReachable(target.clone())),
            Some(true) => {}
        }
    }
    let is_channel = |it: &Target| matches!(it, Target::Receiver(_));
    let asks = level.acknowledge != crate::AckMode::First || level.who != crate::Who::All;
    if asks && level.targets.iter().all(is_channel) {
        say(FaultKind::NobodyToAnswer);
    }
}

/// Whether a target can ever mean somebody who can be reached; `None` when there is no such name.
fn reachable(target: &Target, oncall: &Oncall, is_receiver: &dyn Fn(&str) -> bool) -> Option<bool> {
    let has_contact = |id: &PersonId| !oncall.directory.person(*id).contacts.is_empty();
    let of_schedule = |schedule: &Schedule| people_of(schedule).iter().any(has_contact);
    match target {
        Target::Person(name) => oncall
            .directory
            .find_person(name)
            .map(|id| has_contact(&id)),
        Target::Schedule(name) => {
            let id = oncall.find_schedule(name)?;
            Some(of_schedule(oncall.schedule(id)))
        }
        Target::Team(name) => {
            let team = oncall.directory.team(oncall.directory.find_team(name)?);
            Some(match team.schedule {
                Some(id) => of_schedule(oncall.schedule(id)),
                None => team.members.iter().any(has_contact),
            })
        }
        Target::Receiver(name) => is_receiver(name).then_some(true),
    }
}

/// Everybody whom a schedule may ever have on call.
fn people_of(schedule: &Schedule) -> BTreeSet<PersonId> {
    let temporary = schedule.temporary.iter().flat_map(|it| &it.layers);
    let layers = schedule.layers.iter().chain(temporary);
    let slots = layers.flat_map(|it| &it.slots);
    let mut people: BTreeSet<PersonId> = slots.flat_map(|it| it.iter().copied()).collect();
    for change in &schedule.overrides {
        match &change.change {
            Change::Take(all) => people.extend(all.iter().copied()),
            Change::Replace { by, .. } => people.extend([*by]),
            Change::Add(one) => people.extend([*one]),
            Change::Remove(_) => {}
        }
    }
    people
}

fn handed_to(policy: &Policy) -> impl Iterator<Item = &Arc<str>> {
    policy.steps.iter().filter_map(|step| match &step.act {
        Act::HandOver(name) => Some(name),
        Act::Notify(_) | Act::Defer(_) => None,
    })
}

impl<'p> World<'p> {
    /// A way of hand-overs from a policy back to itself, or into a circle further on.
    fn cycle(&mut self, from: &'p Policy) -> Option<Vec<Arc<str>>> {
        let mut way = vec![Arc::clone(&from.name)];
        self.follow(from, &mut way).then_some(way)
    }

    fn follow(&mut self, policy: &'p Policy, way: &mut Vec<Arc<str>>) -> bool {
        if self.over.contains_key(&*policy.name) {
            return false;
        }
        let mut n_most = 0;
        for name in handed_to(policy) {
            // What goes on for longer is stopped there, in `walk` and when it is played.
            let Some(next) = self.by_name.get(&**name).copied() else {
                continue;
            };
            if way.len() > POLICIES_MAX {
                continue;
            }
            let is_back = way.contains(name);
            way.push(Arc::clone(name));
            if is_back || self.follow(next, way) {
                return true;
            }
            way.pop();
            n_most = n_most.max(1 + self.n_hand_overs(next));
        }
        self.over.insert(&policy.name, n_most);
        false
    }

    /// The most hand-overs from a policy, one after the other, when it leads into no circle.
    fn n_hand_overs(&self, policy: &Policy) -> usize {
        self.over.get(&*policy.name).copied().unwrap_or(0)
    }
}

/// Steps that are never taken, and severities of which nobody hears.
fn ways(policies: &ByName<'_>, policy: &Policy, say: &mut impl FnMut(Option<usize>, FaultKind)) {
    let ways = Ways::of(policies, policy);
    if ways.hours.len() + ways.budgets.len() > CONDITIONS_MAX {
        return say(None, FaultKind::TooMany);
    }
    if policy.steps.is_empty() {
        return;
    }
    let zone = ways.hours.first().map(|it| it.zone());
    let weeks = match zone {
        Some(_) => weeks().to_vec(),
        None => vec![weeks()[0]],
    };
    let times: Vec<Times<'_>> = weeks.iter().map(|it| Times::of(&ways, *it, None)).collect();
    let mut is_taken = vec![false; policy.steps.len()];
    for severity in Severity::ALL {
        let mut dead = None;
        for times in &times {
            let mut marks = is_taken.clone();
            let at = ways.dead_end(severity, times, &mut marks);
            dead = dead.or(at);
            is_taken = match marks.is_empty() {
                true => vec![true; is_taken.len()],
                false => marks,
            };
        }
        if let Some(at) = dead {
            let at = zone.map(|(name, zone)| {
                let civil = at.to_jiff().to_zoned(zone.clone());
                format!("{} ({name})", civil.strftime("%A at %H:%M"))
            });
            say(None, FaultKind::DeadEnd(severity, at));
        }
    }
    if !times.iter().all(|it| ways.sees_all(it)) {
        return;
    }
    for (idx, _) in is_taken
        .iter()
        .enumerate()
        .filter(|(_, is_taken)| !**is_taken)
    {
        say(Some(idx), FaultKind::Unreachable);
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSteps => f.write_str("this tells nobody"),
            Self::TooMany => write!(
                f,
                "this is too much: {STEPS_MAX} steps, {TARGETS_MAX} targets of a step, \
                 {REPEAT_MAX} more rounds, and {CONDITIONS_MAX} different hours and budgets are \
                 the most"
            ),
            Self::Unknown(Target::Person(name)) => write!(f, "there is nobody called `{name}`"),
            Self::Unknown(Target::Schedule(name)) => write!(f, "there is no schedule `{name}`"),
            Self::Unknown(Target::Team(name)) => write!(f, "there is no team `{name}`"),
            Self::Unknown(Target::Receiver(name)) => write!(f, "there is no receiver `{name}`"),
            Self::UnknownPolicy(name) => write!(f, "there is no policy `{name}`"),
            Self::TooFar => write!(
                f,
                "this hands over more than {HAND_OVERS_MAX} times, one after the other"
            ),
            Self::Cycle(names) => {
                write!(f, "this hands over in a circle: {}", names.join(" to "))
            }
            Self::Backwards => f.write_str("this comes earlier than the step before it"),
            Self::Unreachable => f.write_str("this step is never taken"),
            Self::DeadEnd(severity, None) => write!(
                f,
                "a page of {severity} may end here without anybody having been told"
            ),
            Self::DeadEnd(severity, Some(when)) => write!(
                f,
                "a page of {severity} may end here without anybody having been told, such as one \
                 that opens on {when}"
            ),
            Self::NobodyReachable(target) => {
                write!(f, "`{target}` is nobody who can be reached")
            }
            Self::NobodyToAnswer => f.write_str("channels take no turns and do not acknowledge"),
            Self::NoHours(hours) => write!(f, "`{hours}` never comes"),
            Self::LateReminder => {
                f.write_str("`remind_after` is not before the end of `acknowledged_for`")
            }
        }
    }
}

impl FaultKind {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoSteps => "name somebody, as in `{notify: schedule:payments}`",
            Self::TooMany => "split it, and hand over from one policy to the next",
            Self::Unknown(Target::Receiver(_)) => "receivers stand in `receivers`",
            Self::Unknown(_) => "people, schedules and teams stand in `oncall`",
            Self::UnknownPolicy(_) => "policies stand in `escalation`",
            Self::TooFar => "a page goes no further: give one of the policies steps of its own",
            Self::Cycle(_) => "say `repeat: 2` to go through a policy again",
            Self::Backwards => "`after` counts from the beginning: put the steps in order",
            Self::Unreachable => {
                "something before it hands over in any case, or its conditions exclude each other"
            }
            Self::DeadEnd(..) => "add a step without `when`, or one with `unless` in its place",
            Self::NobodyReachable(_) => {
                "give somebody `email`, `phone`, `slack` or another contact"
            }
            Self::NobodyToAnswer => "name people, schedules or teams",
            Self::NoHours(_) => "write hours such as `mon-fri 09:00-17:00`",
            Self::LateReminder => "without them, it is 20m and 30m",
        }
    }
}
