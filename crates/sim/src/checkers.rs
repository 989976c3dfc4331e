//! What has to hold at every step of every run.
//!
//! - A firing alert that is routed and not muted is told within its bound, while its receiver
//!   works; and so is its end, to those who want to hear of it.
//! - A message tells of at least one alert; what it calls firing fires and is not muted, what it
//!   calls resolved had fired.
//! - The notification log notes only what was delivered.
//! - A message is durable before it leaves: what was under way when the process ended is taken up
//!   again, and a number never stands for two messages.
//!
//! *Invariants*: what fires is judged by the rules' alerts and what was told by what the world
//! received, never by dispatch's own log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firebell_dispatch::{
    AlertState, DELIVERY_ALERT, DeliveryId, DispatchRecord, GroupBy, NflogEntry, Routing,
};
use firebell_engine::{Engine, Record, Step};
use firebell_model::{
    ALERT_NAME, Alert, AlertStatus, Duration, Fingerprint, Labels, Notification, Timestamp,
    label_set_text,
};

use crate::phases::{Change, Phases, alert_text};
use crate::simulator::{Happening, Scene, Watch};
use crate::world::{Attempt, Behaviour, Fate, World};

/// Checks a run while it goes, and keeps what is compared with other runs.
#[derive(Default)]
pub(crate) struct Checkers {
    start: Timestamp,
    /// What was wrong, the first things first.
    pub(crate) violations: Vec<String>,
    /// Changes of alerts, in order of time.
    pub(crate) changes: Vec<(Timestamp, Change, Labels)>,
    /// Messages that left, each once.
    pub(crate) messages: BTreeMap<DeliveryId, (String, Arc<Notification>)>,
    pub(crate) n_delivered: u64,
    pub(crate) n_starts: u64,
    /// An evaluation was cut short by the end of the process.
    pub(crate) has_lost_a_slot: bool,
    phases: Phases,
    firing: BTreeMap<Fingerprint, Labels>,
    had_fired: BTreeSet<Fingerprint>,
    routes: Routes,
    told: BTreeMap<Arc<str>, Told>,
    owed: BTreeMap<(Arc<str>, Fingerprint), Owed>,
    works_since: BTreeMap<Arc<str>, Timestamp>,
    muted: BTreeSet<Fingerprint>,
    arrived_at: BTreeMap<Arc<str>, Timestamp>,
    taken_up: BTreeSet<DeliveryId>,
    stopped_at: Option<Timestamp>,
    is_behind: bool,
    /// A part of the past was not written down when the process ended.
    has_forgotten: bool,
    /// It has started since, from an older state: what fires in that state had been told.
    needs_amnesty: bool,
}

/// What an integration was last told of a group.
#[derive(Default)]
struct Told {
    firing: BTreeMap<Fingerprint, Labels>,
    /// Those of which the end need not be told, because somebody or something muted them.
    excused: BTreeSet<Fingerprint>,
}

/// Something that an integration has to be told, and since when.
#[derive(Clone, Copy)]
struct Owed {
    since: Timestamp,
    is_end: bool,
}

/// Where alerts go, as computed once for each.
#[derive(Default)]
struct Routes {
    routing: usize,
    /// Groups that stay over a reload keep their timers: the longest interval that there was.
    longest_interval: Duration,
    n_reloads: u32,
    of_alert: BTreeMap<Fingerprint, Arc<[Slot]>>,
}

/// One integration of one group of an alert.
struct Slot {
    /// As the notification log names it.
    key: Arc<str>,
    receiver: Arc<str>,
    sends_resolved: bool,
    wait: Duration,
    interval: Duration,
}

impl Checkers {
    pub(crate) fn new(start: Timestamp) -> Self {
        Self {
            start,
            stopped_at: Some(start),
            ..Self::default()
        }
    }

    /// The messages in order of time and group, without their numbers.
    pub(crate) fn messages_in_order(&self) -> Vec<String> {
        let mut lines: Vec<(Timestamp, String)> = Vec::new();
        for (to, notification) in self.messages.values() {
            let alerts = notification.alerts.iter().map(|alert| {
                format!(
                    "{:?} {}",
                    alert.status_at(notification.at),
                    alert_text(&alert.labels)
                )
            });
            let alerts: Vec<String> = alerts.collect();
            let reason = notification.reason;
            let after = notification.at - self.start;
            lines.push((
                notification.at,
                format!("{after} {to} {reason:?} {alerts:?}"),
            ));
        }
        lines.sort();
        lines.into_iter().map(|(_, line)| line).collect()
    }

    /// The changes of alerts in order, as text.
    pub(crate) fn changes_in_order(&self) -> Vec<String> {
        let line = |(at, change, labels): &(Timestamp, Change, Labels)| {
            format!(
                "{} {} {}",
                *at - self.start,
                change.word(),
                alert_text(labels)
            )
        };
        self.changes.iter().map(line).collect()
    }

    fn object(&mut self, now: Timestamp, what: &str) {
        if self.violations.len() < VIOLATIONS_MAX {
            self.violations
                .push(format!("{}: {what}", now - self.start));
        }
    }

    fn settled(&mut self, scene: &Scene<'_>, step: &Step) {
        let Some(engine) = scene.engine else {
            return;
        };
        if step.records.is_empty() && step.effects.is_empty() {
            return;
        }
        let changes = self.phases.changes(engine);
        let now = scene.now;
        self.changes.extend(
            changes
                .into_iter()
                .map(|(change, labels)| (now, change, labels)),
        );
        self.routes
            .refresh(engine.dispatch().routing(), &mut self.told);
        self.look_at_alerts(engine, now);
        for record in &step.records {
            if let Record::Dispatch(DispatchRecord::Nflog {
                key,
                value: Some(entry),
            }) = record
            {
                self.check_log(now, key, entry);
            }
            if let Record::Inbox(entry) = record {
                let key = format!(
                    "{}:{}/inbox/0",
                    entry.notification.group_key, entry.notification.receiver
                );
                self.arrived(key.as_str().into(), &entry.notification);
            }
        }
        self.note_works(scene.world, engine, now);
        self.check_owed(engine, scene.world, now);
    }

    /// What fires now, and what of it is muted.
    fn look_at_alerts(&mut self, engine: &Engine, now: Timestamp) {
        let rules = engine.rules();
        if rules.groups().count() != rules.set().groups().len() {
            return;
        }
        self.firing.clear();
        for alert in rules
            .groups()
            .flat_map(|it| it.rules())
            .flat_map(|it| it.alerts())
        {
            if alert.firing_since().is_some() {
                self.firing
                    .insert(alert.labels.fingerprint(), alert.labels.clone());
            }
        }
        self.muted.clear();
        for view in engine.dispatch().alerts(now) {
            let labels = &view.alert.labels;
            let is_posted = labels.value(ALERT_NAME) == POSTED;
            if is_posted && view.alert.status_at(now) == AlertStatus::Firing {
                self.firing.insert(view.fingerprint, labels.clone());
            }
            if view.state == AlertState::Suppressed {
                self.muted.insert(view.fingerprint);
            }
        }
        self.had_fired.extend(self.firing.keys().copied());
        if std::mem::take(&mut self.needs_amnesty) {
            self.grant_amnesty(engine);
        }
        for told in self.told.values_mut() {
            for fingerprint in told.firing.keys() {
                let view = engine.dispatch().alert(now, *fingerprint);
                if view.is_some_and(|view| view.state == AlertState::Suppressed) {
                    told.excused.insert(*fingerprint);
                }
            }
        }
    }

    /// What fires counts as told, and no end is owed any more.
    fn grant_amnesty(&mut self, engine: &Engine) {
        for (alert, labels) in &self.firing {
            for slot in self.routes.slots(engine, *alert, labels).iter() {
                let told = self.told.entry(slot.key.clone()).or_default();
                told.firing.insert(*alert, labels.clone());
            }
        }
        for told in self.told.values_mut() {
            told.excused.extend(told.firing.keys().copied());
        }
    }

    /// A log entry stands for a delivery, or for an end that nobody wants to hear of.
    fn check_log(&mut self, now: Timestamp, key: &Arc<str>, entry: &NflogEntry) {
        let was_delivered = self.arrived_at.get(key) == Some(&entry.at) || key.contains("/inbox/");
        if entry.at == now && !was_delivered && !entry.firing.is_empty() {
            self.object(
                now,
                &format!("the log notes a message to {key} that was not delivered"),
            );
        }
    }

    fn note_works(&mut self, world: &World, engine: &Engine, now: Timestamp) {
        for receiver in engine.dispatch().routing().receivers().iter() {
            let is_prompt = matches!(world.behaviour(receiver.name()), Behaviour::Delivers { .. });
            if !is_prompt {
                self.works_since.remove(receiver.name());
            } else if !self.works_since.contains_key(receiver.name()) {
                self.works_since.insert(receiver.name().clone(), now);
            }
        }
    }

    fn check_owed(&mut self, engine: &Engine, world: &World, now: Timestamp) {
        let before = std::mem::take(&mut self.owed);
        let mut late = Vec::new();
        let mut owe = |owed: &mut BTreeMap<_, _>, slot: &Slot, alert: Fingerprint, is_end, calm| {
            let key = (slot.key.clone(), alert);
            let known = before
                .get(&key)
                .copied()
                .filter(|it: &Owed| it.is_end == is_end);
            let entry = known.unwrap_or(Owed { since: now, is_end });
            if now - entry.since > slot.bound(entry.since, calm) {
                late.push((slot.key.clone(), alert, entry));
                return;
            }
            owed.insert(key, entry);
        };
        let mut owed = BTreeMap::new();
        let works =
            |receiver: &str| matches!(world.behaviour(receiver), Behaviour::Delivers { .. });
        for (alert, labels) in &self.firing {
            if self.muted.contains(alert) {
                continue;
            }
            for slot in self.routes.slots(engine, *alert, labels).iter() {
                let told = self.told.get(&slot.key);
                if !told.is_some_and(|told| told.firing.contains_key(alert))
                    && works(&slot.receiver)
                {
                    let calm = self.works_since.get(&slot.receiver).copied();
                    owe(&mut owed, slot, *alert, false, calm);
                }
            }
        }
        for (key, told) in &self.told {
            for (alert, labels) in &told.firing {
                if self.firing.contains_key(alert) || told.excused.contains(alert) {
                    continue;
                }
                let slots = self.routes.slots(engine, *alert, labels);
                let slot = slots
                    .iter()
                    .find(|slot| slot.key == *key && slot.sends_resolved);
                if let Some(slot) = slot.filter(|slot| works(&slot.receiver)) {
                    let calm = self.works_since.get(&slot.receiver).copied();
                    owe(&mut owed, slot, *alert, true, calm);
                }
            }
        }
        self.owed = owed;
        for (key, alert, Owed { since, is_end }) in late {
            let what = if is_end { "the end of" } else { "" };
            let after = now - since;
            let view = engine.dispatch().alert(now, alert);
            let labels = view.map_or_else(String::new, |view| alert_text(&view.alert.labels));
            self.object(
                now,
                &format!("{key} was not told {what} {labels} for {after}"),
            );
        }
    }

    fn began(&mut self, scene: &Scene<'_>, attempt: &Attempt) {
        let now = scene.now;
        let known = self.messages.get(&attempt.id);
        // Values are those of the attempt.
        let told = Arc::new(Notification {
            measured: BTreeMap::new(),
            ..Notification::clone(&attempt.notification)
        });
        match known {
            Some((_, known)) if *known == told => return,
            Some(_) if self.has_forgotten => {}
            Some(_) => self.object(now, &format!("two messages have the number {}", attempt.id)),
            None => {}
        }
        let key = slot_key(attempt);
        self.messages.insert(attempt.id, (key.to_string(), told));
        self.check_message(scene, &attempt.notification);
    }

    fn check_message(&mut self, scene: &Scene<'_>, notification: &Notification) {
        let now = scene.now;
        if notification.alerts.is_empty() {
            self.object(now, "a message tells of no alert");
        }
        let alerts = notification.alerts.iter();
        for alert in alerts.filter(|alert| is_of_rules(alert)) {
            let fingerprint = alert.labels.fingerprint();
            let is_firing = alert.status_at(notification.at) == AlertStatus::Firing;
            let had_fired = self.had_fired.contains(&fingerprint);
            // A sender may call resolved what it never called firing.
            let is_word_of_sender = alert.labels.value(ALERT_NAME) == POSTED && !is_firing;
            let problem = match (is_firing, notification.at == now) {
                (true, true)
                    if !self.firing.contains_key(&fingerprint)
                        && !is_running_out(scene, fingerprint) =>
                {
                    "does not fire"
                }
                (true, true) if is_silenced(scene, alert) => "is silenced",
                _ if !had_fired && !is_word_of_sender => "never fired",
                _ => continue,
            };
            let text = alert_text(&alert.labels);
            let state = if is_firing { "firing" } else { "resolved" };
            self.object(
                now,
                &format!("a message says {state} of {text}, which {problem}"),
            );
        }
    }

    fn ended(&mut self, now: Timestamp, attempt: &Attempt) {
        if attempt.fate == Fate::Arrived {
            self.n_delivered += 1;
            let key = slot_key(attempt);
            self.arrived_at.insert(key.clone(), now);
            self.arrived(key, &attempt.notification);
        }
    }

    fn arrived(&mut self, key: Arc<str>, notification: &Notification) {
        let is_firing = |alert: &&Alert| alert.status_at(notification.at) == AlertStatus::Firing;
        let firing = notification.alerts.iter().filter(is_firing);
        let firing = firing.filter(|alert| is_of_rules(alert));
        let firing = firing.map(|alert| (alert.labels.fingerprint(), alert.labels.clone()));
        let excused = BTreeSet::new();
        self.told.insert(
            key,
            Told {
                firing: firing.collect(),
                excused,
            },
        );
    }

    fn started(&mut self, scene: &Scene<'_>, step: &Step, damage: &[String]) {
        self.n_starts += 1;
        for damage in damage {
            if !self.has_forgotten {
                self.object(scene.now, &format!("damage: {damage}"));
            }
        }
        for effect in &step.effects {
            if let firebell_engine::Effect::Notify(delivery) = effect {
                self.taken_up.remove(&delivery.id);
            }
        }
        if !self.has_forgotten {
            for id in std::mem::take(&mut self.taken_up) {
                self.object(
                    scene.now,
                    &format!("the message {id} was under way and is forgotten"),
                );
            }
        }
        self.taken_up.clear();
        self.check_shown(scene);
        // Nobody can be told while nothing runs.
        if let Some(stopped_at) = self.stopped_at.take() {
            let downtime = scene.now - stopped_at;
            self.owed
                .values_mut()
                .for_each(|owed| owed.since += downtime);
        }
    }

    /// Whoever looks before anything else happens sees alerts with their rules, as before the stop.
    fn check_shown(&mut self, scene: &Scene<'_>) {
        let Some(engine) = scene.engine else {
            return;
        };
        let groups = engine.rules().groups();
        let rules = groups.flat_map(|group| group.rules().collect::<Vec<_>>());
        let alerts = rules.flat_map(|rule| rule.alerts().iter().chain(rule.reports()));
        let handed = alerts.filter_map(|alert| alert.handed.as_ref());
        let handed: BTreeSet<Fingerprint> = handed.map(|it| it.labels.fingerprint()).collect();
        for view in engine.dispatch().alerts(scene.now) {
            // Only what is its own fires until it says otherwise.
            if is_of_rules(view.alert)
                && view.alert.ends_at.is_none()
                && !handed.contains(&view.fingerprint)
            {
                let alert = alert_text(&view.alert.labels);
                self.object(scene.now, &format!("{alert} is there without its rule"));
            }
        }
    }

    fn stopped(&mut self, scene: &Scene<'_>) {
        self.stopped_at = Some(scene.now);
        self.has_forgotten |= self.is_behind;
        self.needs_amnesty |= self.is_behind;
        let at = scene.now;
        let attempts = scene.world.attempts().iter().rev();
        let lost = attempts.take_while(|attempt| at - attempt.began_at <= Duration::from_secs(10));
        let lost = lost.filter(|attempt| {
            let is_cut = matches!(attempt.fate, Fate::Lost | Fate::ArrivedUnheard);
            is_cut && attempt.ended_at == Some(at)
        });
        self.taken_up = lost.map(|attempt| attempt.id).collect();
        self.is_behind = false;
    }
}

impl Watch for Checkers {
    fn see(&mut self, scene: &Scene<'_>, what: &Happening<'_>) {
        match what {
            Happening::Started { step, damage } => self.started(scene, step, damage),
            Happening::Settled {
                step, is_behind, ..
            } => {
                self.is_behind = *is_behind;
                self.settled(scene, step);
            }
            Happening::Began(attempt) => self.began(scene, attempt),
            Happening::Ended(attempt) => self.ended(scene.now, attempt),
            // Of pages there is a simulation of its own.
            Happening::Paged(_) => {}
            Happening::Stopped {
                is_mid_evaluation, ..
            } => {
                self.has_lost_a_slot |= is_mid_evaluation;
                self.stopped(scene);
            }
        }
    }

    fn note(&mut self, now: Timestamp, what: &str) {
        if what.starts_with("cannot start:") {
            self.object(now, what);
        }
        if what == "reloaded" {
            // What starts with other routes may drop what was under way.
            self.taken_up.clear();
        }
    }
}

impl Routes {
    /// Forgets what another configuration had said. Ends of what was told under other routes are
    /// not owed any more.
    fn refresh(&mut self, routing: &Routing, told: &mut BTreeMap<Arc<str>, Told>) {
        let address = std::ptr::from_ref(routing) as usize;
        if self.routing != address {
            self.n_reloads += u32::from(self.routing != 0);
            self.routing = address;
            self.of_alert.clear();
            let intervals = routing.routes().iter().map(|route| route.group_interval);
            self.longest_interval = intervals.fold(self.longest_interval, Duration::max);
            for told in told.values_mut() {
                told.excused.extend(told.firing.keys().copied());
            }
        }
    }

    fn slots(&mut self, engine: &Engine, alert: Fingerprint, labels: &Labels) -> Arc<[Slot]> {
        let floor = if self.n_reloads > 0 {
            self.longest_interval
        } else {
            Duration::ZERO
        };
        let make = || {
            let routing = engine.dispatch().routing();
            let mut slots = Vec::new();
            for idx in routing.matches(labels) {
                let route = &routing.routes()[idx.position()];
                let group = match &route.group_by {
                    GroupBy::All => labels.clone(),
                    GroupBy::Names(names) => {
                        labels.filter(|name| names.iter().any(|it| it == name))
                    }
                };
                let receiver = routing.receiver(route.receiver);
                for slot in receiver.slots() {
                    let (name, integration) = (receiver.name(), &slot.integration);
                    let group = format!("{}:{}", route.key, label_set_text(&group));
                    let key = format!("{group}:{name}/{}/{}", integration.kind, integration.idx);
                    slots.push(Slot {
                        key: key.into(),
                        receiver: name.clone(),
                        sends_resolved: slot.send_resolved,
                        wait: route.group_wait,
                        interval: route.group_interval.max(floor),
                    });
                }
            }
            slots.into()
        };
        self.of_alert.entry(alert).or_insert_with(make).clone()
    }
}

impl Slot {
    /// How long it may take to tell. `calm`: since when the receiver has worked.
    fn bound(&self, since: Timestamp, calm: Option<Timestamp>) -> Duration {
        let plain = self.wait.max(self.interval) + SLACK;
        // A flush lasts as long as the interval, and an attempt may have to wait for its turn.
        let flush = self.interval.max(Duration::from_secs(10)) + PAUSE_MAX;
        match calm.is_some_and(|calm| calm + flush <= since) {
            true => plain,
            false => plain + flush,
        }
    }
}

fn slot_key(attempt: &Attempt) -> Arc<str> {
    let group = &attempt.notification.group_key;
    let (receiver, integration) = (&attempt.receiver, &attempt.integration);
    format!(
        "{group}:{receiver}/{}/{}",
        integration.kind, integration.idx
    )
    .into()
}

/// That others cannot be told is no matter of rules.
fn is_of_rules(alert: &Alert) -> bool {
    alert.labels.value(ALERT_NAME) != DELIVERY_ALERT
}

/// Whether it burns on although its rule says otherwise: when `for` was made longer, or too many
/// alerts were dropped, upstream says no more of an alert and lets it run out.
fn is_running_out(scene: &Scene<'_>, alert: Fingerprint) -> bool {
    let view = scene
        .engine
        .and_then(|engine| engine.dispatch().alert(scene.now, alert));
    view.is_some_and(|view| view.alert.ends_at.is_some())
}

fn is_silenced(scene: &Scene<'_>, alert: &Alert) -> bool {
    let Some(engine) = scene.engine else {
        return false;
    };
    engine
        .dispatch()
        .silences(scene.now)
        .iter()
        .any(|(state, silence)| {
            *state == firebell_dispatch::SilenceState::Active
                && silence
                    .matchers
                    .iter()
                    .all(|matcher| matcher.matches(&alert.labels))
        })
}

/// What alerts from outside are called in random scenarios.
pub(crate) const POSTED: &str = "Posted";
/// For evaluations that take their time, and receivers that do.
const SLACK: Duration = Duration::from_secs(15);
/// The longest pause between two attempts, with an attempt that hangs before it.
const PAUSE_MAX: Duration = Duration::from_secs(100);
/// More are not listed.
const VIOLATIONS_MAX: usize = 20;
