//! The notification log: what an integration was told of a group, and until when that counts.

use std::sync::Arc;

use firebell_model::{Fingerprint, NotificationReason, ReceiverData, Timestamp};

use super::Dispatch;
use crate::deadlines::Deadline;
use crate::group::GroupKey;
use crate::nflog::Batch;
use crate::record::DirtyKey;
use crate::{Integration, NflogEntry};

/// What an integration was told of a group.
pub(super) struct Told<'a> {
    pub(super) reason: NotificationReason,
    pub(super) batch: &'a Batch,
    /// The alerts of which it was told that they flap; `None` if nothing was sent.
    pub(super) flapping: Option<&'a [Fingerprint]>,
    /// What it wants to be told again; `None` is what it was told this time.
    pub(super) data: Option<ReceiverData>,
}

impl Dispatch {
    pub(super) fn nflog_key(
        &self,
        key: &GroupKey,
        receiver: &str,
        integration: &Integration,
    ) -> Arc<str> {
        let group = self.groups.get(key).map_or("", |group| &group.key_text);
        format!(
            "{group}:{receiver}/{}/{}",
            integration.kind, integration.idx
        )
        .into()
    }

    pub(super) fn log(
        &mut self,
        now: Timestamp,
        key: &GroupKey,
        log_key: Arc<str>,
        told: Told<'_>,
    ) {
        let Told {
            reason,
            batch,
            flapping,
            data,
        } = told;
        let route = self.routing.route(key.route);
        let old = self.nflog.get(&log_key);
        let n_repeats = NflogEntry::n_repeats(old, reason);
        let kept_for = route.repeat_after(n_repeats) * 2;
        // A pause that grew is longer than what upstream would remember.
        let kept_for = match route.own.repeat_backoff {
            Some(_) => kept_for,
            None => kept_for.min(self.options.retention),
        };
        let data = data.unwrap_or_else(|| NflogEntry::known(old, reason));
        let mut entry = NflogEntry::new(now, reason, batch, kept_for, data, n_repeats);
        entry.flapping = match (flapping, old) {
            (Some(flapping), _) => flapping.to_vec(),
            (None, Some(old)) => old.flapping.clone(),
            (None, None) => Vec::new(),
        };
        if let Some(old) = old {
            self.deadlines
                .remove(old.expires_at, Deadline::Nflog(log_key.clone()));
        }
        self.deadlines
            .push(entry.expires_at, Deadline::Nflog(log_key.clone()));
        self.nflog.insert(log_key.clone(), entry);
        self.dirty.insert(DirtyKey::Nflog(log_key));
    }

    pub(super) fn forget_nflog(&mut self, now: Timestamp, key: &Arc<str>) {
        if self
            .nflog
            .get(key)
            .is_some_and(|entry| entry.expires_at <= now)
        {
            self.nflog.remove(key);
            self.dirty.insert(DirtyKey::Nflog(key.clone()));
        }
    }
}
