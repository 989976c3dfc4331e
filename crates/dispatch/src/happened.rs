//! What happened to alerts and notifications, as the history keeps it: changes only.
//!
//! *Not here*: writing it down and finding it again (`firebell-engine`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firebell_model::{Alert, AlertStatus, Fingerprint, Labels, NotificationReason, Timestamp};
use serde::{Deserialize, Serialize};

use crate::group::GroupKey;
use crate::{FailureCause, SilenceId};

/// One thing that happened. As JSON, times are in milliseconds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// When.
    pub at: Timestamp,
    /// The labels of the alert; of a notification those that its alerts share.
    pub labels: Labels,
    /// What.
    #[serde(flatten)]
    pub event: HistoryEvent,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum HistoryEvent {
    /// The condition of its rule began to hold.
    Pending,
    /// The alert began to fire.
    Firing,
    /// It resolved, or ran out.
    Resolved,
    /// A group decided without it: it was muted.
    Suppressed {
        /// Who would have been told.
        receiver: Arc<str>,
        /// What mutes it.
        by: Mutes,
    },
    /// A group decided with it again.
    Unsuppressed {
        /// Who is told.
        receiver: Arc<str>,
    },
    /// What became of a notification.
    Notification(Box<Notified>),
    /// Somebody looks into it.
    Acknowledged {
        /// Who.
        by: Option<Arc<str>>,
        /// In this incident.
        incident: Option<u64>,
    },
    /// What it was, since a moment; the last word counts.
    Judged {
        /// Name of the verdict.
        verdict: Arc<str>,
        /// Who says so; nobody when it is guessed.
        by: Option<Arc<str>>,
        /// What fired since then.
        since: Timestamp,
        /// In this incident.
        incident: Option<u64>,
    },
}

/// What mutes an alert; the first of what does.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mutes {
    /// This alert.
    Inhibition(Fingerprint),
    /// This time interval, or none of those in which the route is active.
    Interval(Arc<str>),
    /// This silence.
    Silence(SilenceId),
}

/// What became of a notification.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Notified {
    /// Who was or would have been told.
    pub receiver: Arc<str>,
    /// Which of its integrations, as `webhook[0]`; `None` when it was muted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integration: Option<String>,
    /// Alertmanager's group key.
    pub group: Arc<str>,
    /// What became of it.
    pub status: NotifiedStatus,
    /// Why it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<NotificationReason>,
    /// The alerts that it named, or that were muted: at most [`ALERTS_NAMED_MAX`]. The labels of the
    /// entry of what was sent are those that all have in common.
    pub alerts: Vec<Fingerprint>,
    /// How many there were.
    pub n_alerts: usize,
    /// How many attempts it took.
    #[serde(default)]
    pub attempts: u32,
    /// How long the last one took, in milliseconds.
    #[serde(default)]
    pub took_ms: i64,
    /// What the last attempt said, when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Arc<str>>,
    /// What kind of failure that was, for those who count as it happens; not kept.
    #[serde(skip)]
    pub cause: Option<FailureCause>,
    /// What muted it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<Mutes>,
}

/// What became of a notification.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotifiedStatus {
    /// It arrived.
    Sent,
    /// It was given up.
    Failed,
    /// It was not sent: what it would have said was silenced, inhibited or muted.
    Muted,
}

/// The most alerts that an entry names.
pub const ALERTS_NAMED_MAX: usize = 100;
/// The most different things that an entry names as muting.
const MUTES_NAMED_MAX: usize = 10;

/// What has happened since it was last taken, and what is known to be muted.
#[derive(Debug, Default)]
pub(crate) struct Happened {
    entries: Vec<HistoryEntry>,
    // By group, those alerts that were muted when it last decided. Built anew after a restart or a
    // reload: what is muted then is told again.
    muted: BTreeMap<GroupKey, BTreeMap<Fingerprint, (Mutes, Labels)>>,
}

/// A group that decides.
pub(crate) struct Deciding<'a> {
    pub(crate) now: Timestamp,
    pub(crate) key: &'a GroupKey,
    pub(crate) key_text: &'a Arc<str>,
    pub(crate) receiver: &'a Arc<str>,
    pub(crate) alerts: &'a BTreeSet<Fingerprint>,
}

impl HistoryEvent {
    /// Its name in the API.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
            Self::Suppressed { .. } => "suppressed",
            Self::Unsuppressed { .. } => "unsuppressed",
            Self::Notification(_) => "notification",
            Self::Acknowledged { .. } => "acknowledged",
            Self::Judged { .. } => "judged",
        }
    }

    /// Whom it is about.
    #[must_use]
    pub fn receiver(&self) -> Option<&str> {
        match self {
            Self::Pending
            | Self::Firing
            | Self::Resolved
            | Self::Acknowledged { .. }
            | Self::Judged { .. } => None,
            Self::Suppressed { receiver, .. } | Self::Unsuppressed { receiver } => Some(receiver),
            Self::Notification(notified) => Some(&notified.receiver),
        }
    }
}

impl Happened {
    pub(crate) fn push(&mut self, at: Timestamp, labels: Labels, event: HistoryEvent) {
        self.entries.push(HistoryEntry { at, labels, event });
    }

    /// Notes a new state of an alert, if it is one: `old_end` is when the state before ended, and
    /// `was_firing` what was noted last.
    pub(crate) fn note_alert(
        &mut self,
        now: Timestamp,
        old_end: Option<Timestamp>,
        new: &Alert,
        was_firing: bool,
    ) -> bool {
        let is_firing = new.status_at(now) == AlertStatus::Firing;
        // It had run out before it came anew.
        let is_anew = is_firing && old_end.is_some_and(|end| end <= new.starts_at && end <= now);
        if was_firing && (is_anew || !is_firing) {
            let end = if is_anew { old_end } else { new.ends_at };
            let end = end.unwrap_or(now).min(now);
            self.push(end, new.labels.clone(), HistoryEvent::Resolved);
        }
        if is_firing && (is_anew || !was_firing) {
            self.push(now, new.labels.clone(), HistoryEvent::Firing);
        }
        is_firing
    }

    /// Notes what a group leaves out, where that differs from when it last decided.
    pub(crate) fn note_muted(
        &mut self,
        deciding: &Deciding<'_>,
        muted: BTreeMap<Fingerprint, (Mutes, Labels)>,
    ) {
        let Deciding {
            now,
            key,
            key_text,
            receiver,
            alerts,
        } = *deciding;
        let known = self.muted.remove(key).unwrap_or_default();
        // One that resolved while it was muted is gone, not told of again.
        let is_told = |it: &Fingerprint| alerts.contains(it) && !muted.contains_key(it);
        let ended = known.iter().filter(|(it, _)| is_told(it));
        for (_, (_, labels)) in ended {
            let receiver = Arc::clone(receiver);
            let event = HistoryEvent::Unsuppressed { receiver };
            self.entries.push(HistoryEntry {
                at: now,
                labels: labels.clone(),
                event,
            });
        }
        let is_new = |(it, (by, _)): &(&Fingerprint, &(Mutes, Labels))| {
            known.get(*it).is_none_or(|(known, _)| known != by)
        };
        let new: Vec<_> = muted.iter().filter(is_new).collect();
        for (_, (by, labels)) in &new {
            let (receiver, by) = (Arc::clone(receiver), by.clone());
            self.push(
                now,
                labels.clone(),
                HistoryEvent::Suppressed { receiver, by },
            );
        }
        if let Some((_, (_, first))) = new.first() {
            let sets = new.iter().take(ALERTS_NAMED_MAX);
            let labels = shared(first, sets.map(|(_, (_, labels))| labels));
            let mut by: Vec<Mutes> = new.iter().map(|(_, (by, _))| by.clone()).collect();
            by.sort_unstable();
            by.dedup();
            by.truncate(MUTES_NAMED_MAX);
            let notified = Notified {
                receiver: Arc::clone(receiver),
                integration: None,
                group: Arc::clone(key_text),
                status: NotifiedStatus::Muted,
                reason: None,
                alerts: new
                    .iter()
                    .take(ALERTS_NAMED_MAX)
                    .map(|(it, _)| **it)
                    .collect(),
                n_alerts: new.len(),
                attempts: 0,
                took_ms: 0,
                error: None,
                cause: None,
                by,
            };
            self.push(now, labels, HistoryEvent::Notification(Box::new(notified)));
        }
        if !muted.is_empty() {
            self.muted.insert(key.clone(), muted);
        }
    }

    /// Whether anything of a group was muted when it last decided.
    pub(crate) fn has_muted(&self, key: &GroupKey) -> bool {
        self.muted.contains_key(key)
    }

    /// Forgets what is muted: groups are made anew.
    pub(crate) fn forget_muted(&mut self) {
        self.muted.clear();
    }

    pub(crate) fn forget_group(&mut self, key: &GroupKey) {
        self.muted.remove(key);
    }

    pub(crate) fn take(&mut self, out: &mut Vec<HistoryEntry>) {
        out.append(&mut self.entries);
    }
}

/// The labels that all have with the same value.
pub(crate) fn shared<'a>(first: &Labels, sets: impl Iterator<Item = &'a Labels> + Clone) -> Labels {
    let is_shared = |name: &str| sets.clone().all(|it| it.get(name) == first.get(name));
    first.filter(is_shared)
}
