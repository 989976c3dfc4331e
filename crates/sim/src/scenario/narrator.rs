//! The transcript: what happened, each line with its time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use firebell_dispatch::{DeliveryId, DispatchRecord, Integration};
use firebell_engine::{Effect, Engine, PageMessage, PageRecipient, PageWhy, Record, Step};
use firebell_incident::IncidentRecord;
use firebell_model::{
    Alert, AlertStatus, Fingerprint, Notification, NotificationReason, Timestamp,
};

use crate::phases::{Phases, alert_text};
use crate::simulator::{Happening, Scene, Stop, Watch};
use crate::world::{Attempt, Fate};

/// Writes a transcript.
pub(crate) struct Narrator {
    start: Timestamp,
    pub(crate) transcript: String,
    phases: Phases,
    /// Alerts that are muted, with the words for it.
    muted: BTreeMap<Fingerprint, (String, String)>,
    /// Deliveries that have no final outcome yet, with the number of their last attempt.
    open: BTreeMap<DeliveryId, (String, u32)>,
    failed: BTreeSet<DeliveryId>,
    is_behind: bool,
    is_stopped: bool,
}

impl Narrator {
    pub(crate) fn new(start: Timestamp) -> Self {
        Self {
            start,
            transcript: String::new(),
            phases: Phases::default(),
            muted: BTreeMap::new(),
            open: BTreeMap::new(),
            failed: BTreeSet::new(),
            is_behind: false,
            is_stopped: false,
        }
    }

    fn say(&mut self, now: Timestamp, what: &str) {
        let after = (now - self.start).to_string();
        // Writing to a string cannot fail.
        let _ = writeln!(self.transcript, "{after:<9} {what}");
    }

    fn settled(&mut self, scene: &Scene<'_>, step: &Step, failure: Option<&str>, is_behind: bool) {
        let Some(engine) = scene.engine else {
            return;
        };
        for (rule, error) in self.phases.health(engine) {
            let line = match error {
                Some(error) => format!("rule {rule} fails: {error}"),
                None => format!("rule {rule} works again"),
            };
            self.say(scene.now, &line);
        }
        for (change, labels) in self.phases.changes(engine) {
            self.say(
                scene.now,
                &format!("{} {}", change.word(), alert_text(&labels)),
            );
        }
        self.mutes(scene);
        if let (Some(failure), false) = (failure, self.is_behind) {
            self.say(scene.now, &format!("not written down: {failure}"));
        }
        if self.is_behind && !is_behind {
            self.say(scene.now, "written down again");
        }
        self.is_behind = is_behind;
        for record in &step.records {
            match record {
                Record::Inbox(entry) if is_inbox_only(engine, &entry.notification.receiver) => {
                    let line = format!("inbox: {}", notification_text(&entry.notification));
                    self.say(scene.now, &line);
                }
                Record::Dispatch(DispatchRecord::Delivery { id, value: None }) => {
                    if let Some((to, n_attempts)) = self.open.remove(id) {
                        let times = if n_attempts == 1 {
                            "attempt"
                        } else {
                            "attempts"
                        };
                        let line = format!("gave up {to} after {n_attempts} {times}");
                        self.say(scene.now, &line);
                    }
                }
                record => {
                    if let Some(line) = incident_text(record) {
                        self.say(scene.now, &line);
                    }
                }
            }
        }
        for effect in &step.effects {
            match effect {
                Effect::Send(alerts) => self.sent_outside(scene.now, alerts),
                Effect::PageBroken(key, why) => {
                    let line = format!("BROKEN page {}: {why}", key.0);
                    self.say(scene.now, &line);
                }
                _ => {}
            }
        }
    }

    fn sent_outside(&mut self, now: Timestamp, alerts: &[Alert]) {
        for alert in alerts {
            let text = alert_text(&alert.labels);
            let line = match (alert.status_at(now), alert.ends_at) {
                (AlertStatus::Firing, Some(ends_at)) => {
                    format!("send outside: firing {text} until {}", ends_at - self.start)
                }
                (AlertStatus::Firing, None) => format!("send outside: firing {text}"),
                (AlertStatus::Resolved, _) => format!("send outside: resolved {text}"),
            };
            self.say(now, &line);
        }
    }

    fn mutes(&mut self, scene: &Scene<'_>) {
        let Some(dispatch) = scene.engine.map(Engine::dispatch) else {
            return;
        };
        let mut muted = BTreeMap::new();
        for view in dispatch.alerts(scene.now) {
            let inhibitor = view.inhibited_by.first();
            let inhibitor = inhibitor.and_then(|it| dispatch.alert(scene.now, *it));
            let by = match inhibitor {
                _ if !view.silenced_by.is_empty() => "silenced".to_owned(),
                Some(by) => format!("inhibited by {}:", alert_text(&by.alert.labels)),
                None => continue,
            };
            muted.insert(view.fingerprint, (by, alert_text(&view.alert.labels)));
        }
        let before = std::mem::take(&mut self.muted);
        for (fingerprint, (by, alert)) in &muted {
            if before
                .get(fingerprint)
                .is_none_or(|(before, _)| before != by)
            {
                self.say(scene.now, &format!("{by} {alert}"));
            }
        }
        for (fingerprint, (_, alert)) in &before {
            let is_there = |it: firebell_dispatch::AlertView<'_>| {
                it.alert.status_at(scene.now) == AlertStatus::Firing
            };
            let still_fires = dispatch
                .alert(scene.now, *fingerprint)
                .is_some_and(is_there);
            if !muted.contains_key(fingerprint) && still_fires {
                self.say(scene.now, &format!("no longer muted {alert}"));
            }
        }
        self.muted = muted;
    }

    fn began(&mut self, now: Timestamp, attempt: &Attempt) {
        let to = integration_text(&attempt.receiver, &attempt.integration);
        let known = self.open.insert(attempt.id, (to.clone(), attempt.attempt));
        let is_retry = known
            .as_ref()
            .is_some_and(|(_, before)| *before < attempt.attempt);
        if is_retry {
            return;
        }
        let again = if known.is_some() { " again" } else { "" };
        let text = notification_text(&attempt.notification);
        self.say(now, &format!("notify{again} {to}: {text}"));
    }

    fn ended(&mut self, now: Timestamp, attempt: &Attempt) {
        let to = integration_text(&attempt.receiver, &attempt.integration);
        match &attempt.fate {
            Fate::Arrived => {
                self.open.remove(&attempt.id);
                self.failed.remove(&attempt.id);
                let n = attempt.attempt;
                let nth = if n > 1 {
                    format!(" by attempt {n}")
                } else {
                    String::new()
                };
                self.say(now, &format!("delivered {to}{nth}"));
            }
            Fate::Failed(why) if self.failed.insert(attempt.id) => {
                self.say(now, &format!("failed {to}: {why}"));
            }
            _ => {}
        }
    }
}

impl Watch for Narrator {
    fn note(&mut self, now: Timestamp, what: &str) {
        self.say(now, what);
    }

    fn see(&mut self, scene: &Scene<'_>, what: &Happening<'_>) {
        match what {
            Happening::Started { damage, .. } => {
                if self.is_stopped {
                    self.is_stopped = false;
                    self.say(scene.now, "restarted");
                }
                for damage in *damage {
                    self.say(scene.now, &format!("damage: {damage}"));
                }
            }
            Happening::Settled {
                step,
                failure,
                is_behind,
            } => {
                self.settled(scene, step, failure.as_deref(), *is_behind);
            }
            Happening::Began(attempt) => self.began(scene.now, attempt),
            Happening::Ended(attempt) => self.ended(scene.now, attempt),
            Happening::Paged(message) => self.say(scene.now, &page_text(message)),
            Happening::Stopped { stop, .. } => {
                self.is_stopped = true;
                self.is_behind = false;
                self.say(
                    scene.now,
                    match stop {
                        Stop::Kill => "killed",
                        Stop::PowerLoss => "power lost",
                    },
                );
            }
        }
    }
}

/// Whether a receiver has no integration besides the inbox, to which every receiver tells.
pub(crate) fn is_inbox_only(engine: &Engine, receiver: &str) -> bool {
    let mut receivers = engine.dispatch().routing().receivers().iter();
    receivers.any(|it| **it.name() == *receiver && it.slots().len() == 1)
}

/// `INC-1 ana: acknowledged it` or `review 2026-11 ana: Down: delete it`, if it is such a thing.
pub(crate) fn incident_text(record: &Record) -> Option<String> {
    match record {
        Record::Incident(IncidentRecord::Entry { id, value, .. }) => {
            Some(format!("{id} {}: {}", value.by, value.words()))
        }
        Record::Incident(IncidentRecord::Decision {
            value: Some(decided),
            ..
        }) => Some(format!(
            "review {} {}: {}: {}",
            decided.month,
            decided.by.name(),
            decided.about,
            decided.decision
        )),
        _ => None,
    }
}

/// `page ana by phone: sev1 INC-1 Down (cart)`.
pub(crate) fn page_text(message: &PageMessage) -> String {
    let verb = why_text(&message.why);
    let to = match &message.to {
        PageRecipient::Person { name, contact } => format!("{name} by {}", contact.kind.name()),
        PageRecipient::Channel(receiver) => receiver.to_string(),
    };
    let pages = message.pages.iter();
    let pages = pages.map(|it| format!("{} INC-{} {}", it.severity, it.key.0, it.title));
    let pages = pages.collect::<Vec<_>>().join(", ");
    match &message.why {
        PageWhy::HandOff(brief) if pages.is_empty() => format!("{verb} {to}: {brief}"),
        PageWhy::HandOff(brief) => format!("{verb} {to}: {brief}; open: {pages}"),
        _ => format!("{verb} {to}: {pages}"),
    }
}

pub(crate) fn why_text(why: &PageWhy) -> &'static str {
    match why {
        PageWhy::Page => "page",
        PageWhy::Remind => "remind",
        PageWhy::Tell | PageWhy::HandOff(_) => "tell",
    }
}

/// `pager/webhook`, or `pager/webhook[1]` for the second of its kind.
pub(crate) fn integration_text(receiver: &str, integration: &Integration) -> String {
    match integration.idx {
        0 => format!("{receiver}/{}", integration.kind),
        idx => format!("{receiver}/{}[{idx}]", integration.kind),
    }
}

/// `new alerts [firing A, resolved B]`, with what is told of deploys.
fn notification_text(notification: &Notification) -> String {
    let reason = reason_text(notification.reason);
    let texts = alert_texts(notification).into_iter();
    let texts = texts.zip(&notification.alerts).map(|(text, alert)| {
        let deploy = alert.annotations.get("deploy");
        deploy.map_or(text.clone(), |it| format!("{text} after deploy {it}"))
    });
    format!("{reason} [{}]", texts.collect::<Vec<_>>().join(", "))
}

pub(crate) fn reason_text(reason: NotificationReason) -> &'static str {
    match reason {
        NotificationReason::First => "first",
        NotificationReason::NewAlerts => "new alerts",
        NotificationReason::AllResolved => "all resolved",
        NotificationReason::NewResolved => "new resolved",
        NotificationReason::Repeat => "repeat",
    }
}

/// `firing A` and `resolved B`.
pub(crate) fn alert_texts(notification: &Notification) -> Vec<String> {
    let alerts = notification.alerts.iter().map(|alert| {
        let status = match alert.status_at(notification.at) {
            AlertStatus::Firing => "firing",
            AlertStatus::Resolved => "resolved",
        };
        format!("{status} {}", alert_text(&alert.labels))
    });
    alerts.collect()
}
