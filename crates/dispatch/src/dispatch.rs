//! The core itself: all state of dispatch, and everything that can happen to it.
//!
//! *Invariants*: whatever changes a recorded value marks its key dirty; a group without alerts is
//! destroyed at once; an alert stands in the groups of the routes that match it, unless it
//! resolved and that was told.

mod flapping;
mod flush;
mod log;
mod note;
mod restore;
mod summary;
mod terms;
mod view;
mod why;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firebell_model::{ALERT_NAME, Alert, Duration, Fingerprint, Timestamp};

pub use self::terms::SILENCE_EXPIRES;
pub use self::view::{
    AlertState, AlertView, DispatchStats, GroupCursor, GroupView, NotifiedView, Suppressed,
    UnderWayView,
};
use crate::deadlines::{Deadline, Deadlines};
use crate::group::{Group, GroupKey, Pending, Timers};
use crate::happened::{Happened, HistoryEntry};
use crate::ingest::{Said, State, Times, end, goes_on, merge};
use crate::inhibit::{Inhibition, Roles};
use crate::label_index::LabelIndex;
use crate::outcome::Outcomes;
use crate::pairs::Pairs;
use crate::record::{Counters, DirtyKey, DispatchRecord, Renewed};
use crate::silences::Silences;
use crate::window::Window;
use crate::{
    DeliveryId, DispatchEffect, NflogEntry, PostedAlerts, RouteIdx, Routing, Silence, SilenceError,
    SilenceId, SilenceRequest, SilenceState, SilenceTerms,
};

/// Limits and the like, not part of upstream's configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Options {
    /// Hashed into the ids of silences, so that two installations make different ones.
    pub identity: String,
    /// New alerts beyond so many are refused and counted.
    pub alerts_max: usize,
    /// New alerts beyond so many of one `alertname` are refused and counted.
    pub alerts_per_name_max: Option<usize>,
    /// Silences beyond so many, expired ones included, are refused.
    pub silences_max: usize,
    /// A silence of more bytes is refused.
    pub silence_bytes_max: Option<usize>,
    /// How long expired silences are kept, and at most what was told.
    pub retention: Duration,
    /// After a start, nobody is told before so much time has passed.
    pub start_delay: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            identity: String::new(),
            alerts_max: ALERTS_MAX,
            alerts_per_name_max: None,
            silences_max: SILENCES_MAX,
            silence_bytes_max: None,
            retention: DEFAULT_RETENTION,
            start_delay: Duration::ZERO,
        }
    }
}

/// The most alerts that are kept, by default.
pub(crate) const ALERTS_MAX: usize = 2_000_000;
/// The most silences that are kept, by default.
pub(crate) const SILENCES_MAX: usize = 100_000;
/// How long a resolved alert is kept that no group waits for. Upstream looks every 30 minutes.
const RESOLVED_KEPT_FOR: Duration = Duration::from_mins(30);
/// Upstream's default of `--data.retention`.
pub const DEFAULT_RETENTION: Duration = Duration::from_hours(120);

/// Alerts in, notifications out.
///
/// After `new`, state from before is given back by [`Dispatch::restore`] and then
/// [`Dispatch::resume`], before anything else happens.
#[derive(Debug)]
pub struct Dispatch {
    routing: Arc<Routing>,
    options: Options,
    // Boxed: a search goes through the keys alone, and so many fit into a line of the cache.
    alerts: BTreeMap<Fingerprint, Box<Entry>>,
    by_label: LabelIndex,
    pairs: Pairs,
    n_by_name: BTreeMap<Arc<str>, usize>,
    n_refused: u64,
    suppressed: Suppressed,
    inhibition: Inhibition,
    silences: Silences,
    groups: BTreeMap<GroupKey, Group>,
    nflog: BTreeMap<Arc<str>, NflogEntry>,
    pending: BTreeMap<DeliveryId, Pending>,
    outcomes: Outcomes,
    happened: Happened,
    // The periods of receivers that have limits.
    windows: BTreeMap<Arc<str>, Window>,
    // The silences that last until resolved, and when each is looked at next.
    looks: BTreeMap<SilenceId, Option<Timestamp>>,
    deadlines: Deadlines,
    counters: Counters,
    dirty: BTreeSet<DirtyKey>,
    // Alerts of which nothing but the times has changed, in order; whole ones in `dirty` come later.
    renewed: Vec<Renewed>,
    // Before this moment no group decides, see [`Options::start_delay`].
    quiet_until: Timestamp,
    restored: restore::Restored,
}

/// What the times of a known alert become by a new state of it, and whether its text counts.
type Merge = fn(old: Times, new: Times, now: Timestamp) -> (Times, bool);

/// An alert with all that matches it.
#[derive(Debug)]
struct Entry {
    alert: Alert,
    memberships: Box<[Membership]>,
    roles: Roles,
    // Sorted; those that have not ended.
    silences: Vec<SilenceId>,
    // Whether the history knows that it fires.
    is_noted_firing: bool,
    // When it fired anew, where a route damps what flaps.
    firings: Vec<Timestamp>,
    // What it says, as [`State::said`]; nothing when that is not known.
    said: Option<Said>,
}

#[derive(Clone, Debug)]
struct Membership {
    group: GroupKey,
    // Whether the group waits for the alert.
    is_in: bool,
}

impl Dispatch {
    /// Without any state.
    #[must_use]
    pub fn new(routing: Arc<Routing>, options: Options) -> Self {
        Self {
            inhibition: Inhibition::new(routing.inhibit_rules()),
            routing,
            options,
            alerts: BTreeMap::new(),
            by_label: LabelIndex::default(),
            pairs: Pairs::default(),
            n_by_name: BTreeMap::new(),
            n_refused: 0,
            suppressed: Suppressed::default(),
            silences: Silences::default(),
            groups: BTreeMap::new(),
            nflog: BTreeMap::new(),
            pending: BTreeMap::new(),
            outcomes: Outcomes::default(),
            happened: Happened::default(),
            windows: BTreeMap::new(),
            looks: BTreeMap::new(),
            deadlines: Deadlines::default(),
            counters: Counters::default(),
            dirty: BTreeSet::new(),
            renewed: Vec::new(),
            quiet_until: Timestamp::MIN,
            restored: restore::Restored::default(),
        }
    }

    /// Takes posted alerts, completed; returns what is wrong with those that are bad, in upstream's
    /// words: the good ones are taken even so. What has to be told at once is told by the deadline
    /// that is due from then on.
    pub fn handle_posted(
        &mut self,
        now: Timestamp,
        posted: &PostedAlerts,
        _out: &mut Vec<DispatchEffect>,
    ) -> Vec<String> {
        let resolve_timeout = self.routing.resolve_timeout();
        let mut errors = Vec::new();
        for posted in posted.iter() {
            match posted.complete(now, resolve_timeout) {
                Ok(state) => self.take(now, state, merge),
                Err(error) => errors.push(error),
            }
        }
        errors
    }

    /// Takes new states of alerts from Firebell's own rules, which alone know when one that has no
    /// end ends: what they say of it holds.
    pub fn handle_own_alerts(
        &mut self,
        now: Timestamp,
        alerts: &[Alert],
        _out: &mut Vec<DispatchEffect>,
    ) {
        let with_own_end = |old: Times, new: Times, now| {
            let (mut merged, is_newer) = merge(old, new, now);
            merged.ends_at = new.ends_at;
            (merged, is_newer)
        };
        for alert in alerts {
            self.take(now, State::own(alert), with_own_end);
        }
    }

    fn take(&mut self, now: Timestamp, state: State<'_>, merge: Merge) {
        let fingerprint = state.fingerprint;
        let fired = self.routing.is_damping() && self.fires(now, fingerprint);
        if !self.update_alert(now, state, merge) {
            if !self.has_room(&state) {
                self.n_refused += 1;
                return;
            }
            let alert = state.to_alert(&mut self.pairs);
            self.insert_alert(now, (fingerprint, alert), state.said, &[]);
            self.note_new(now, fingerprint);
            self.dirty.insert(DirtyKey::Alert(fingerprint));
        }
        self.note_state(now, fingerprint, fired);
    }

    /// Makes or changes a silence.
    ///
    /// A change that would rewrite history (other matchers, another start of an active one, an
    /// expired one) expires the old silence and makes a new one.
    ///
    /// # Errors
    /// [`SilenceError`].
    pub fn set_silence(
        &mut self,
        now: Timestamp,
        request: SilenceRequest,
        out: &mut Vec<DispatchEffect>,
    ) -> Result<SilenceId, SilenceError> {
        request.check(now)?;
        if let Some(bytes_max) = self.options.silence_bytes_max {
            request.check_size(bytes_max)?;
        }
        let previous = match request.id {
            None => None,
            Some(id) => Some(self.silences.get(id).ok_or(SilenceError::NotFound(id))?),
        };
        if let Some(previous) = previous.filter(|previous| can_update(previous, &request, now)) {
            let (id, terms) = (previous.id, previous.terms.clone());
            self.put_silence(now, to_silence(id, request, terms, now));
            return Ok(id);
        }
        let terms = previous.map_or_else(SilenceTerms::default, |it| it.terms.clone());
        let (n_silences, silences_max) = (self.silences.len(), self.options.silences_max);
        if n_silences >= silences_max {
            return Err(SilenceError::TooMany {
                n_silences,
                silences_max,
            });
        }
        if let Some(id) = request.id {
            self.expire_silence(now, &id, out)?;
        }
        let id = self.new_silence_id(now);
        let mut silence = to_silence(id, request, terms, now);
        silence.starts_at = silence.starts_at.max(now);
        self.put_silence(now, silence);
        Ok(id)
    }

    /// Ends a silence now; one that has ended stays as it is.
    ///
    /// # Errors
    /// [`SilenceError::NotFound`].
    pub fn expire_silence(
        &mut self,
        now: Timestamp,
        id: &SilenceId,
        _out: &mut Vec<DispatchEffect>,
    ) -> Result<(), SilenceError> {
        let known = self.silences.get(*id).ok_or(SilenceError::NotFound(*id))?;
        let state = known.state_at(now);
        if state != SilenceState::Expired {
            let mut silence = known.clone();
            silence.starts_at = silence.starts_at.min(now);
            // Over at once: upstream counts nanoseconds, so that whoever ends a silence and looks
            // finds it ended.
            silence.ends_at = (now - Duration(1)).max(silence.starts_at);
            silence.updated_at = now;
            self.put_silence(now, silence);
        }
        Ok(())
    }

    /// When something is due next.
    #[must_use]
    pub fn poll_deadline(&self) -> Option<Timestamp> {
        self.deadlines.peek()
    }

    /// Does all that is due at `now`, in order of time and then of key.
    pub fn handle_deadline(&mut self, now: Timestamp, out: &mut Vec<DispatchEffect>) {
        while let Some(deadline) = self.deadlines.pop_due(now) {
            match deadline {
                Deadline::FlushEnd(key) => self.end_flush(now, &key, out),
                Deadline::SummaryEnd(receiver) => self.end_summary(now, &receiver, out),
                Deadline::Window(receiver) => self.close_window(now, &receiver, out),
                Deadline::Retry(id) => self.retry(now, id, out),
                Deadline::Flush(key) => self.flush(now, &key, out),
                Deadline::Silence(id) => self.age_silence(now, id),
                Deadline::Nflog(key) => self.forget_nflog(now, &key),
                Deadline::Alert(fingerprint) => self.forget_alert(now, fingerprint),
            }
        }
    }

    /// Adds the current value of each key that changed since the last call.
    pub fn take_changes(&mut self, changes: &mut Vec<DispatchRecord>) {
        let dirty = std::mem::take(&mut self.dirty);
        let renewed = std::mem::take(&mut self.renewed);
        if !renewed.is_empty() {
            changes.push(DispatchRecord::Renewed(renewed));
        }
        changes.extend(dirty.into_iter().map(|key| self.record(key)));
    }

    /// Adds what has happened since the last call, for the history.
    pub fn take_happened(&mut self, out: &mut Vec<HistoryEntry>) {
        self.happened.take(out);
    }

    // --- alerts ----------------------------------------------------------------------------------

    fn has_room(&self, state: &State<'_>) -> bool {
        let n_of_name = || self.n_by_name.get(state.label(ALERT_NAME)).copied();
        self.alerts.len() < self.options.alerts_max
            && self
                .options
                .alerts_per_name_max
                .is_none_or(|max| n_of_name().unwrap_or(0) < max)
    }

    // `left`: ids of the routes whose groups no longer wait for it.
    fn insert_alert(
        &mut self,
        now: Timestamp,
        (fingerprint, alert): (Fingerprint, Alert),
        said: Option<Said>,
        left: &[Arc<str>],
    ) {
        let routing = self.routing.clone();
        let membership = |idx: RouteIdx| {
            let route = routing.route(idx);
            let labels = route.group_by.group_labels(&alert.labels);
            Membership {
                group: GroupKey { route: idx, labels },
                is_in: !left.contains(&route.id),
            }
        };
        let memberships: Box<[Membership]> = routing
            .matches(&alert.labels)
            .into_iter()
            .map(membership)
            .collect();
        for membership in memberships.iter().filter(|membership| membership.is_in) {
            self.join(now, &membership.group, fingerprint, alert.starts_at);
        }
        let roles = self
            .inhibition
            .insert(fingerprint, &alert.labels, end(&alert));
        let silences = self.silences.matching(&alert.labels);
        self.by_label.insert(fingerprint, &alert.labels);
        if self.options.alerts_per_name_max.is_some() {
            *self
                .n_by_name
                .entry(alert.labels.value(ALERT_NAME).into())
                .or_default() += 1;
        }
        self.alerts.insert(
            fingerprint,
            Box::new(Entry {
                alert,
                memberships,
                roles,
                silences,
                is_noted_firing: false,
                firings: Vec::new(),
                said,
            }),
        );
        self.keep_until_forgotten(fingerprint);
    }

    // Returns whether the alert is known.
    fn update_alert(&mut self, now: Timestamp, state: State<'_>, merge: Merge) -> bool {
        let fingerprint = state.fingerprint;
        let Some(entry) = self.alerts.get_mut(&fingerprint) else {
            return false;
        };
        let alert = &mut entry.alert;
        let (merged, is_newer) = merge(Times::of(alert), state.times, now);
        let is_known = state.said.is_some() && state.said == entry.said;
        let is_said = !is_newer || is_known || state.is_said_by(alert);
        if is_newer {
            entry.said = state.said;
        }
        if !is_said {
            let new = state.to_alert(&mut self.pairs);
            alert.annotations = new.annotations;
            alert.generator_url = new.generator_url;
        }
        let (old_ends_at, old_end) = (alert.ends_at, end(alert));
        let goes_on = goes_on(Times::of(alert), merged, now);
        merged.put_into(alert);
        let is_renewed = is_said && goes_on;
        let ends = (old_end, end(alert));
        self.inhibition
            .update(fingerprint, &alert.labels, &entry.roles, ends);
        let noted = entry.is_noted_firing;
        entry.is_noted_firing = self.happened.note_alert(now, old_ends_at, alert, noted);
        let mut joined: Vec<GroupKey> = Vec::new();
        for membership in entry
            .memberships
            .iter_mut()
            .filter(|membership| !membership.is_in)
        {
            membership.is_in = true;
            joined.push(membership.group.clone());
        }
        if is_renewed && joined.is_empty() {
            let times = merged;
            self.renewed.push(Renewed { fingerprint, times });
        } else {
            self.dirty.insert(DirtyKey::Alert(fingerprint));
        }
        for group in joined {
            self.join(now, &group, fingerprint, merged.starts_at);
        }
        true
    }

    // Makes the group when it is not there. One whose first alert is already older than
    // `group_wait`, as after a restart of the sender, does not wait again.
    fn join(
        &mut self,
        now: Timestamp,
        key: &GroupKey,
        fingerprint: Fingerprint,
        starts_at: Timestamp,
    ) {
        if let Some(group) = self.groups.get_mut(key) {
            group.alerts.insert(fingerprint);
            return;
        }
        let group_wait = self.routing.route(key.route).group_wait;
        let is_late = starts_at + group_wait < now;
        let flush_at = if is_late { now } else { now + group_wait };
        let flush_at = flush_at.max(self.quiet_until);
        let timers = Timers {
            flush_at,
            is_due: false,
            flush: None,
            last_failure: None,
            muted_by: Vec::new(),
            flapping: Vec::new(),
        };
        let mut group = self.new_group(key, timers);
        group.alerts.insert(fingerprint);
        self.groups.insert(key.clone(), group);
        self.deadlines.push(flush_at, Deadline::Flush(key.clone()));
        self.mark_group(key);
    }

    fn new_group(&self, key: &GroupKey, timers: Timers) -> Group {
        let labels = firebell_model::label_set_text(&key.labels);
        let key_text = format!("{}:{labels}", self.routing.route(key.route).key).into();
        Group {
            key_text,
            alerts: BTreeSet::new(),
            timers,
            open: BTreeSet::new(),
        }
    }

    fn mark_group(&mut self, key: &GroupKey) {
        let id = self.routing.route(key.route).id.clone();
        self.dirty.insert(DirtyKey::Group(id, key.labels.clone()));
    }

    // An alert that no group waits for is forgotten some time after it resolved.
    fn keep_until_forgotten(&mut self, fingerprint: Fingerprint) {
        if let Some(at) = self.forgotten_at(fingerprint) {
            self.deadlines.push(at, Deadline::Alert(fingerprint));
        }
    }

    fn forget_alert(&mut self, now: Timestamp, fingerprint: Fingerprint) {
        if self.forgotten_at(fingerprint).is_none_or(|at| at > now) {
            return;
        }
        let Some(entry) = self.alerts.remove(&fingerprint) else {
            return;
        };
        let Entry { alert, roles, .. } = *entry;
        self.inhibition
            .remove(fingerprint, &alert.labels, &roles, end(&alert));
        let alerts = &self.alerts;
        self.by_label
            .remove(&alert.labels, |it| alerts.contains_key(&it));
        let name = alert.labels.value(ALERT_NAME);
        if let Some(n_alerts) = self.n_by_name.get_mut(name) {
            *n_alerts -= 1;
            if *n_alerts == 0 {
                self.n_by_name.remove(name);
            }
        }
        self.dirty.insert(DirtyKey::Alert(fingerprint));
    }

    // --- silences --------------------------------------------------------------------------------

    fn new_silence_id(&mut self, now: Timestamp) -> SilenceId {
        self.counters.silences += 1;
        self.dirty.insert(DirtyKey::Counters);
        let half = |which: u8| {
            let seed = (&self.options.identity, self.counters.silences, now.0, which);
            hash(format!("{seed:?}").as_bytes())
        };
        SilenceId::from_bits(half(0), half(1))
    }

    fn put_silence(&mut self, now: Timestamp, silence: Silence) {
        let id = silence.id;
        // One millisecond later it no longer mutes.
        self.deadlines
            .push(silence.ends_at + Duration(1), Deadline::Silence(id));
        self.list_terms(&silence);
        if self.silences.put(now, silence) {
            self.for_alerts_under(id, |silences| {
                if let Err(idx) = silences.binary_search(&id) {
                    silences.insert(idx, id);
                }
            });
        }
        self.dirty.insert(DirtyKey::Silence(id));
        self.heed_terms(now, id);
    }

    // Before a silence looks for its alerts.
    fn index_alerts(&mut self) {
        let alerts = &self.alerts;
        self.by_label.catch_up(|it| alerts.contains_key(&it));
    }

    // Of the alerts that a silence matches.
    fn for_alerts_under(&mut self, id: SilenceId, mut change: impl FnMut(&mut Vec<SilenceId>)) {
        self.index_alerts();
        let Some(silence) = self.silences.get(id) else {
            return;
        };
        for fingerprint in self.candidates(&silence.matchers) {
            let entry = self.alerts.get_mut(&fingerprint);
            if let Some(entry) = entry.filter(|it| silence.matches(&it.alert.labels)) {
                change(&mut entry.silences);
            }
        }
    }

    fn age_silence(&mut self, now: Timestamp, id: SilenceId) {
        let Some(silence) = self.silences.get(id) else {
            return;
        };
        let forgotten_at = silence.ends_at + self.options.retention;
        if silence.state_at(now) != SilenceState::Expired {
            return self.heed_terms(now, id);
        }
        self.looks.remove(&id);
        if self.silences.unlink(id) {
            self.for_alerts_under(id, |silences| silences.retain(|it| *it != id));
        }
        if forgotten_at > now {
            self.deadlines.push(forgotten_at, Deadline::Silence(id));
        } else {
            self.silences.remove(id);
            self.dirty.insert(DirtyKey::Silence(id));
        }
    }
}

impl Entry {
    fn n_left(&self) -> usize {
        self.memberships
            .iter()
            .filter(|membership| !membership.is_in)
            .count()
    }

    // `None` while a group waits for it, and for an alert that never ends.
    fn forgotten_at(&self) -> Option<Timestamp> {
        let is_awaited = self.memberships.iter().any(|membership| membership.is_in);
        let ends_at = self.alert.ends_at.filter(|_| !is_awaited)?;
        Some(ends_at.max(self.alert.updated_at) + RESOLVED_KEPT_FOR)
    }
}

// `terms`: those that it had.
fn to_silence(
    id: SilenceId,
    request: SilenceRequest,
    terms: SilenceTerms,
    now: Timestamp,
) -> Silence {
    let SilenceRequest {
        id: _,
        matchers,
        starts_at,
        ends_at,
        created_by,
        comment,
        annotations,
        terms: asked,
    } = request;
    let updated_at = now;
    Silence {
        id,
        matchers,
        starts_at,
        ends_at,
        updated_at,
        created_by,
        comment,
        annotations,
        terms: asked.unwrap_or(terms),
    }
}

// Whether a silence can become what is asked for without rewriting history.
fn can_update(previous: &Silence, request: &SilenceRequest, now: Timestamp) -> bool {
    let second = |at: Timestamp| at.0.div_euclid(1000);
    previous.matchers == request.matchers
        && match previous.state_at(now) {
            SilenceState::Expired => false,
            SilenceState::Pending if now < previous.starts_at => request.starts_at >= now,
            SilenceState::Active | SilenceState::Pending => {
                second(request.starts_at) == second(previous.starts_at) && request.ends_at >= now
            }
        }
}

// FNV-1a with a final mix, so that near inputs give far hashes.
fn hash(bytes: &[u8]) -> u64 {
    let fnv = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (fnv ^ (fnv >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    mixed ^ (mixed >> 33)
}
