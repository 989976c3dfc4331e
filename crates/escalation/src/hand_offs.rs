//! Hand-overs of schedules: whoever begins, and whoever ends, is told what is open.
//!
//! Who was on call at the last look is remembered by name. Where somebody else is now, there was a
//! hand-over, whatever brought it about: time, an override, other configuration, or hours in which
//! nobody looked. Where the same people are, there was none.
//!
//! *Invariants*: of a hand-over everybody concerned is told once: what was under way when the
//! process ended is sent again. What begins and ends before somebody was told is not told.
//!
//! *Limits*: one message to a person at a time; what comes meanwhile goes into the next one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firebell_model::{Duration, Timestamp};
use firebell_oncall::{Oncall, Schedule, Span};
use serde::{Deserialize, Serialize};

use crate::escalation::EscalationRecord;
use crate::page::{OUTCOME_MAX, SendId};
use crate::rules::{HandOffNotices, Method, PagingRules, PersonRules};

/// A message to whoever begins or ends a shift.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HandOff {
    /// Its outcome comes back with this.
    pub id: SendId,
    /// To whom.
    pub person: Arc<str>,
    /// By what.
    pub method: Method,
    /// The schedules on which they are on call from now on.
    pub begins: BTreeSet<Arc<str>>,
    /// Those on which they are not any more.
    pub ends: BTreeSet<Arc<str>>,
    /// When: what came later was theirs from the beginning.
    pub since: Timestamp,
}

/// What somebody is to be told, or is being told.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Notices {
    /// Not sent yet.
    planned: Option<Notice>,
    /// Under way, since when.
    sent: Option<(SendId, Timestamp, Notice)>,
}

/// What changed for somebody.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Notice {
    /// When they are told.
    at: Timestamp,
    /// When the last hand-over was of which they are told.
    since: Timestamp,
    begins: BTreeSet<Arc<str>>,
    ends: BTreeSet<Arc<str>>,
    /// Contacts by which it did not arrive.
    n_failed: usize,
}

/// Who was on call at the last look, and when the next one is due.
struct OnWatch {
    people: Vec<Arc<str>>,
    look_at: Timestamp,
}

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct HandOffs {
    schedules: BTreeMap<Arc<str>, OnWatch>,
    people: BTreeMap<Arc<str>, Notices>,
    next_at: Option<Timestamp>,
    changed_schedules: BTreeSet<Arc<str>>,
    changed_people: BTreeSet<Arc<str>>,
}

/// What is looked up.
#[derive(Clone, Copy)]
pub(crate) struct Known<'k> {
    pub(crate) oncall: &'k Oncall,
    pub(crate) rules: &'k PagingRules,
}

impl HandOffs {
    pub(crate) fn poll_deadline(&self) -> Option<Timestamp> {
        self.next_at
    }

    /// Looks at all schedules, which may be others now. Without policies nobody is told anything.
    pub(crate) fn look_at_all(&mut self, now: Timestamp, known: Known<'_>, is_on: bool) {
        let oncall = known.oncall;
        let is_gone = |name: &&Arc<str>| !is_on || oncall.find_schedule(name).is_none();
        let gone: Vec<_> = self.schedules.keys().filter(is_gone).cloned().collect();
        for name in gone {
            self.schedules.remove(&name);
            self.changed_schedules.insert(name);
        }
        let is_gone = |name: &&Arc<str>| !is_on || oncall.directory.find_person(name).is_none();
        let gone: Vec<_> = self.people.keys().filter(is_gone).cloned().collect();
        for name in gone {
            self.people.remove(&name);
            self.changed_people.insert(name);
        }
        for schedule in oncall.schedules.iter().filter(|_| is_on) {
            self.look_at(now, schedule, known);
        }
        self.settle();
    }

    /// Looks at the schedules that may have handed over, and sends what is due.
    pub(crate) fn handle_deadline(
        &mut self,
        now: Timestamp,
        known: Known<'_>,
        n_sent: &mut u64,
        out: &mut Vec<HandOff>,
    ) {
        if self.next_at.is_none_or(|at| at > now) {
            return;
        }
        let due = self.schedules.iter().filter(|(_, it)| it.look_at <= now);
        let due: Vec<_> = due.map(|(name, _)| Arc::clone(name)).collect();
        for name in due {
            match known.oncall.find_schedule(&name) {
                Some(id) => self.look_at(now, known.oncall.schedule(id), known),
                None => drop(self.schedules.remove(&name)),
            }
        }
        self.send_due(now, known, n_sent, out);
        self.settle();
    }

    /// What became of a message; whether it was one of these.
    pub(crate) fn handle_outcome(&mut self, now: Timestamp, id: SendId, arrived: bool) -> bool {
        let is_of = |it: &Notices| it.sent.as_ref().is_some_and(|(sent, ..)| *sent == id);
        let found = self.people.iter_mut().find(|(_, it)| is_of(it));
        let Some((person, notices)) = found else {
            return false;
        };
        self.changed_people.insert(Arc::clone(person));
        match arrived {
            true => notices.sent = None,
            false => notices.failed(now),
        }
        self.settle();
        true
    }

    fn look_at(&mut self, now: Timestamp, schedule: &Schedule, known: Known<'_>) {
        let ahead = Span::new(now, now + LOOK_AHEAD);
        let shifts = schedule.shifts(ahead);
        let shift = shifts.first();
        let is_now = shift.filter(|it| it.span.from <= now);
        let look_at = match (is_now, shift) {
            (Some(shift), _) => shift.span.until,
            (None, Some(next)) => next.span.from,
            (None, None) => ahead.until,
        };
        let ids = is_now.map_or(&[][..], |it| &it.people);
        let directory = &known.oncall.directory;
        let people = ids.iter().map(|it| Arc::clone(&directory.person(*it).name));
        let people: Vec<Arc<str>> = people.collect();
        let watch = OnWatch {
            people: people.clone(),
            look_at,
        };
        let name = &schedule.name;
        let before = self.schedules.insert(Arc::clone(name), watch);
        if before.as_ref().is_none_or(|it| it.people != people) {
            self.changed_schedules.insert(Arc::clone(name));
        }
        // Who has been on call when this is first asked was on call before.
        let Some(before) = before else {
            return;
        };
        let ends = before.people.iter().filter(|it| !people.contains(it));
        ends.for_each(|person| self.plan(now, person, (name, false), known));
        let begins = people.iter().filter(|it| !before.people.contains(it));
        begins.for_each(|person| self.plan(now, person, (name, true), known));
    }

    fn plan(
        &mut self,
        now: Timestamp,
        person: &Arc<str>,
        (schedule, begins): (&Arc<str>, bool),
        known: Known<'_>,
    ) {
        let Some((at, _)) = ways(person, now, known).first().copied() else {
            return;
        };
        let notices = self.people.entry(Arc::clone(person)).or_default();
        let planned = notices.planned.get_or_insert_with(|| Notice::at(at));
        planned.since = now;
        planned.note(schedule, begins);
        notices.planned.take_if(|it| it.is_empty());
        self.changed_people.insert(Arc::clone(person));
    }

    fn send_due(
        &mut self,
        now: Timestamp,
        known: Known<'_>,
        n_sent: &mut u64,
        out: &mut Vec<HandOff>,
    ) {
        for (person, notices) in &mut self.people {
            let is_lost = |(_, at, _): &(_, Timestamp, _)| *at + OUTCOME_MAX <= now;
            if notices.sent.as_ref().is_some_and(is_lost) {
                notices.failed(now);
                self.changed_people.insert(Arc::clone(person));
            }
            let is_free = notices.sent.is_none();
            let Some(notice) = notices.planned.take_if(|it| is_free && it.at <= now) else {
                continue;
            };
            self.changed_people.insert(Arc::clone(person));
            // Nothing is left by which they can be told.
            let ways = ways(person, now, known);
            let Some((_, method)) = ways.get(notice.n_failed).copied() else {
                continue;
            };
            *n_sent += 1;
            let id = SendId(*n_sent);
            out.push(HandOff {
                id,
                person: Arc::clone(person),
                method,
                begins: notice.begins.clone(),
                ends: notice.ends.clone(),
                since: notice.since,
            });
            notices.sent = Some((id, now, notice));
        }
    }

    /// Forgets whom nothing is to be told, and finds out anew when something is due.
    fn settle(&mut self) {
        self.people.retain(|_, it| !it.is_empty());
        let looks = self.schedules.values().map(|it| it.look_at);
        let sends = self.people.values().filter_map(Notices::due_at);
        self.next_at = looks.chain(sends).min();
    }

    /// What changed since this was last called.
    pub(crate) fn take_changes(&mut self, records: &mut Vec<EscalationRecord>) {
        let schedules = std::mem::take(&mut self.changed_schedules);
        records.extend(schedules.into_iter().map(|it| self.watch_record(it)));
        let people = std::mem::take(&mut self.changed_people);
        records.extend(people.into_iter().map(|it| self.notices_record(it)));
    }

    /// The whole state.
    pub(crate) fn records(&self) -> impl Iterator<Item = EscalationRecord> {
        let schedules = self.schedules.keys().cloned();
        let people = self.people.keys().cloned();
        schedules
            .map(|it| self.watch_record(it))
            .chain(people.map(|it| self.notices_record(it)))
    }

    fn watch_record(&self, schedule: Arc<str>) -> EscalationRecord {
        let people = self.schedules.get(&schedule).map(|it| it.people.clone());
        EscalationRecord::OnCall { schedule, people }
    }

    fn notices_record(&self, person: Arc<str>) -> EscalationRecord {
        let notices = self.people.get(&person).cloned();
        EscalationRecord::HandOff { person, notices }
    }

    pub(crate) fn restore_watch(&mut self, schedule: Arc<str>, people: Option<Vec<Arc<str>>>) {
        match people {
            Some(people) => {
                let look_at = Timestamp(0);
                self.schedules.insert(schedule, OnWatch { people, look_at });
            }
            None => drop(self.schedules.remove(&schedule)),
        }
    }

    pub(crate) fn restore_notices(&mut self, person: Arc<str>, notices: Option<Notices>) {
        match notices {
            Some(notices) => drop(self.people.insert(person, notices)),
            None => drop(self.people.remove(&person)),
        }
    }

    /// After a restart: what was under way may have been lost, and is sent again.
    pub(crate) fn resume(&mut self, now: Timestamp) {
        for (person, notices) in &mut self.people {
            if let Some((_, _, notice)) = notices.sent.take() {
                notices.again(now, notice);
                self.changed_people.insert(Arc::clone(person));
            }
        }
    }
}

impl Notices {
    fn is_empty(&self) -> bool {
        self.planned.is_none() && self.sent.is_none()
    }

    fn due_at(&self) -> Option<Timestamp> {
        match (&self.sent, &self.planned) {
            (Some((_, at, _)), _) => Some(*at + OUTCOME_MAX),
            (None, planned) => planned.as_ref().map(|it| it.at),
        }
    }

    /// What was under way did not arrive: the next contact has its turn.
    fn failed(&mut self, now: Timestamp) {
        if let Some((_, _, mut notice)) = self.sent.take() {
            notice.n_failed += 1;
            self.again(now, notice);
        }
    }

    /// Plans a notice anew, with what has changed since.
    fn again(&mut self, now: Timestamp, notice: Notice) {
        let since = self.planned.take();
        let planned = self.planned.insert(Notice { at: now, ..notice });
        if let Some(later) = since {
            planned.since = later.since;
            later.ends.iter().for_each(|it| planned.note(it, false));
            later.begins.iter().for_each(|it| planned.note(it, true));
        }
        self.planned.take_if(|it| it.is_empty());
    }
}

impl Notice {
    fn at(at: Timestamp) -> Self {
        Self {
            at,
            since: at,
            begins: BTreeSet::new(),
            ends: BTreeSet::new(),
            n_failed: 0,
        }
    }

    fn note(&mut self, schedule: &Arc<str>, begins: bool) {
        let (same, other) = match begins {
            true => (&mut self.begins, &mut self.ends),
            false => (&mut self.ends, &mut self.begins),
        };
        if !other.remove(schedule) {
            same.insert(Arc::clone(schedule));
        }
    }

    fn is_empty(&self) -> bool {
        self.begins.is_empty() && self.ends.is_empty()
    }
}

/// By what somebody is told of what is not urgent, and when; nothing when they do not want to be, or
/// cannot.
fn ways(person: &str, now: Timestamp, known: Known<'_>) -> Vec<(Timestamp, Method)> {
    let default = PersonRules::default();
    let rules = known.rules.get(person).unwrap_or(&default);
    let id = known.oncall.directory.find_person(person);
    match id.filter(|_| rules.hand_offs != HandOffNotices::None) {
        Some(id) => rules.plan(known.oncall.directory.person(id), false, now),
        None => Vec::new(),
    }
}

/// How far ahead a hand-over is looked for at a time.
const LOOK_AHEAD: Duration = Duration::from_hours(24);
