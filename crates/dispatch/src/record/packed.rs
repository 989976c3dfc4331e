//! The packed form of those records that there are many of. The others have no other form than JSON.
//!
//! A record begins with its kind. What stands behind a kind never changes: another layout is another
//! kind. What is left over behind a record makes it unreadable.

use std::sync::Arc;

use firebell_model::{
    Alert, Fingerprint, Notification, NotificationReason, ReceiverData, Timestamp,
};

use super::{AlertRecord, DeliveryRecord, DispatchRecord, GroupRecord, Renewed};
use crate::group::{Attempts, Flush, Timers};
use crate::ingest::Times;
use crate::nflog::{Batch, NflogEntry};
use crate::pack::{Packer, Unpacker};
use crate::window::HeldRecord;
use crate::{DeliveryId, Integration};

const ALERT: u8 = 1;
const RENEWED: u8 = 2;
const GROUP: u8 = 3;
const NFLOG: u8 = 4;
const DELIVERY: u8 = 5;
const SUMMARY: u8 = 6;
const HELD: u8 = 7;

impl DispatchRecord {
    /// Writes the record, unless there is no packed form of it; then nothing is written.
    pub fn pack(&self, out: &mut Packer) -> bool {
        if self.has_own_keys() {
            return false;
        }
        match self {
            Self::Alert { fingerprint, value } => {
                out.byte(ALERT);
                out.fingerprint(*fingerprint);
                out.option(value.as_ref(), |out, value| {
                    put_alert(out, &value.alert);
                    out.list(&value.left, |out, route| out.text(route));
                });
            }
            Self::Renewed(renewed) => {
                out.byte(RENEWED);
                out.list(renewed, |out, it| {
                    out.fingerprint(it.fingerprint);
                    put_times(out, it.times);
                });
            }
            Self::Group {
                value: Some(GroupRecord(timers)),
                ..
            } if timers.last_failure.is_some() => {
                return false;
            }
            Self::Group {
                route,
                labels,
                value,
            } => {
                out.byte(GROUP);
                out.text(route);
                out.labels(labels);
                out.option(value.as_ref(), |out, value| put_timers(out, &value.0));
            }
            Self::Nflog { key, value } => {
                out.byte(NFLOG);
                out.text(key);
                out.option(value.as_ref(), put_entry);
            }
            Self::Delivery { id, value } => {
                let is_summary = value.as_ref().is_some_and(|it| it.is_summary);
                out.byte(if is_summary { SUMMARY } else { DELIVERY });
                out.number(id.0);
                out.option(value.as_ref(), |out, value| put_delivery(out, value));
            }
            Self::Held {
                receiver,
                route,
                labels,
                value,
            } => {
                out.byte(HELD);
                out.text(receiver);
                out.text(route);
                out.labels(labels);
                out.option(value.as_ref(), |out, value| {
                    out.option(value.flush.as_ref(), put_flush);
                });
            }
            Self::Silence { .. }
            | Self::Window { .. }
            | Self::Period { .. }
            | Self::Counters(_) => return false,
        }
        true
    }

    // What own keys need to be kept is rare, and has no packed form.
    fn has_own_keys(&self) -> bool {
        match self {
            Self::Alert { value, .. } => value.as_ref().is_some_and(|it| !it.firings.is_empty()),
            Self::Group { value, .. } => value.as_ref().is_some_and(|GroupRecord(timers)| {
                !timers.flapping.is_empty() || timers.flush.as_ref().is_some_and(has_own_keys)
            }),
            Self::Nflog { value, .. } => {
                let has = |it: &NflogEntry| it.n_repeats > 0 || !it.flapping.is_empty();
                value.as_ref().is_some_and(has)
            }
            Self::Held { value, .. } => {
                let flush = value.as_ref().and_then(|it| it.flush.as_ref());
                flush.is_some_and(has_own_keys)
            }
            _ => false,
        }
    }

    /// Reads a record to its end; `None` when it is none that this version knows.
    #[must_use]
    pub fn unpack(mut from: Unpacker<'_>) -> Option<Self> {
        let from = &mut from;
        let record = match from.byte()? {
            ALERT => Self::Alert {
                fingerprint: from.fingerprint()?,
                value: from.option(|from| {
                    let alert = get_alert(from)?;
                    let left = from.list(Unpacker::shared_text)?;
                    let firings = Vec::new();
                    Some(AlertRecord {
                        alert,
                        left,
                        firings,
                    })
                })?,
            },
            RENEWED => Self::Renewed(from.list(|from| {
                let fingerprint = from.fingerprint()?;
                let times = get_times(from)?;
                Some(Renewed { fingerprint, times })
            })?),
            GROUP => Self::Group {
                route: from.shared_text()?,
                labels: from.labels()?,
                value: from.option(|from| get_timers(from).map(GroupRecord))?,
            },
            NFLOG => Self::Nflog {
                key: from.shared_text()?,
                value: from.option(get_entry)?,
            },
            kind @ (DELIVERY | SUMMARY) => Self::Delivery {
                id: DeliveryId(from.number()?),
                value: from.option(|from| {
                    let is_summary = kind == SUMMARY;
                    let delivery = get_delivery(from)?;
                    Some(Box::new(DeliveryRecord {
                        is_summary,
                        ..delivery
                    }))
                })?,
            },
            HELD => Self::Held {
                receiver: from.shared_text()?,
                route: from.shared_text()?,
                labels: from.labels()?,
                value: from.option(|from| {
                    let flush = from.option(get_flush)?;
                    Some(Box::new(HeldRecord { flush }))
                })?,
            },
            _ => return None,
        };
        from.rest().is_empty().then_some(record)
    }
}

fn has_own_keys(flush: &Flush) -> bool {
    !flush.flapping.is_empty() || !flush.batch.held.is_empty() || flush.counts_in.is_some()
}

// The other times are near to the last one.
fn put_times(out: &mut Packer, times: Times) {
    let Times {
        starts_at,
        ends_at,
        updated_at,
        is_timeout,
    } = times;
    let from_update = |at: Timestamp| at.0.wrapping_sub(updated_at.0);
    out.at(updated_at);
    out.signed(from_update(starts_at));
    out.option(ends_at, |out, at| out.signed(from_update(at)));
    out.flag(is_timeout);
}

fn get_times(from: &mut Unpacker<'_>) -> Option<Times> {
    let updated_at = from.at()?;
    let behind = |ms: i64| Timestamp(updated_at.0.wrapping_add(ms));
    Some(Times {
        starts_at: behind(from.signed()?),
        ends_at: from.option(Unpacker::signed)?.map(behind),
        updated_at,
        is_timeout: from.flag()?,
    })
}

fn put_alert(out: &mut Packer, alert: &Alert) {
    out.labels(&alert.labels);
    out.labels(&alert.annotations);
    put_times(out, Times::of(alert));
    out.text(&alert.generator_url);
}

fn get_alert(from: &mut Unpacker<'_>) -> Option<Alert> {
    let (labels, annotations) = (from.labels()?, from.labels()?);
    let times = get_times(from)?;
    let generator_url = from.text()?.to_owned();
    let mut alert = Alert {
        labels,
        annotations,
        starts_at: times.starts_at,
        ends_at: None,
        generator_url,
        updated_at: times.updated_at,
        is_timeout: false,
    };
    times.put_into(&mut alert);
    Some(alert)
}

// Those with a failure are not packed.
fn put_timers(out: &mut Packer, timers: &Timers) {
    let Timers {
        flush_at,
        is_due,
        flush,
        last_failure: _,
        muted_by,
        flapping: _,
    } = timers;
    out.at(*flush_at);
    out.flag(*is_due);
    out.option(flush.as_ref(), put_flush);
    out.list(muted_by, |out, name| out.text(name));
}

// Without what own keys need.
fn put_flush(out: &mut Packer, flush: &Flush) {
    let Flush {
        deadline,
        batch,
        leaving,
        has_failed,
        flapping: _,
        counts_in: _,
    } = flush;
    out.at(*deadline);
    put_fingerprints(out, &batch.firing);
    put_fingerprints(out, &batch.resolved);
    out.list(leaving, |out, (fingerprint, updated_at)| {
        out.fingerprint(*fingerprint);
        out.at(*updated_at);
    });
    out.flag(*has_failed);
}

fn get_flush(from: &mut Unpacker<'_>) -> Option<Flush> {
    let deadline = from.at()?;
    let (firing, resolved) = (get_fingerprints(from)?, get_fingerprints(from)?);
    Some(Flush {
        deadline,
        batch: Batch {
            firing,
            resolved,
            ..Batch::default()
        },
        leaving: from.list(|from| Some((from.fingerprint()?, from.at()?)))?,
        has_failed: from.flag()?,
        flapping: Vec::new(),
        counts_in: None,
    })
}

fn get_timers(from: &mut Unpacker<'_>) -> Option<Timers> {
    let (flush_at, is_due) = (from.at()?, from.flag()?);
    let flush = from.option(get_flush)?;
    Some(Timers {
        flush_at,
        is_due,
        flush,
        last_failure: None,
        muted_by: from.list(Unpacker::shared_text)?,
        flapping: Vec::new(),
    })
}

fn put_entry(out: &mut Packer, entry: &NflogEntry) {
    let NflogEntry {
        at,
        reason,
        firing,
        resolved,
        expires_at,
        receiver_data,
        n_repeats: _,
        flapping: _,
    } = entry;
    out.at(*at);
    put_reason(out, *reason);
    put_fingerprints(out, firing);
    put_fingerprints(out, resolved);
    out.at(*expires_at);
    out.number(receiver_data.len() as u64);
    for (name, value) in receiver_data {
        out.text(name);
        out.text(value);
    }
}

fn get_entry(from: &mut Unpacker<'_>) -> Option<NflogEntry> {
    let pair = |from: &mut Unpacker<'_>| Some((from.text()?.to_owned(), from.text()?.to_owned()));
    Some(NflogEntry {
        at: from.at()?,
        reason: get_reason(from)?,
        firing: get_fingerprints(from)?,
        resolved: get_fingerprints(from)?,
        expires_at: from.at()?,
        receiver_data: ReceiverData::from_iter(from.list(pair)?),
        n_repeats: 0,
        flapping: Vec::new(),
    })
}

fn put_delivery(out: &mut Packer, delivery: &DeliveryRecord) {
    let DeliveryRecord {
        route,
        group_labels,
        receiver,
        integration,
        notification,
        attempts,
        is_summary: _,
    } = delivery;
    out.text(route);
    out.labels(group_labels);
    out.text(receiver);
    out.text(&integration.kind);
    out.number(integration.idx as u64);
    put_notification(out, notification);
    let Attempts {
        attempt,
        attempted_at,
        retry_at,
        last_error,
    } = attempts;
    out.number(u64::from(*attempt));
    out.at(*attempted_at);
    out.option(*retry_at, Packer::at);
    out.option(last_error.as_deref(), Packer::text);
}

fn get_delivery(from: &mut Unpacker<'_>) -> Option<DeliveryRecord> {
    let (route, group_labels, receiver) =
        (from.shared_text()?, from.labels()?, from.shared_text()?);
    let (kind, idx) = (from.shared_text()?, usize::try_from(from.number()?).ok()?);
    Some(DeliveryRecord {
        is_summary: false,
        route,
        group_labels,
        receiver,
        integration: Integration { kind, idx },
        notification: get_notification(from).map(Arc::new)?,
        attempts: Attempts {
            attempt: u32::try_from(from.number()?).ok()?,
            attempted_at: from.at()?,
            retry_at: from.option(Unpacker::at)?,
            last_error: from.option(|from| from.text().map(str::to_owned))?,
        },
    })
}

fn put_notification(out: &mut Packer, notification: &Notification) {
    let Notification {
        at,
        receiver,
        group_key,
        group_labels,
        route_labels,
        reason,
        alerts,
        // Of an attempt, not kept.
        measured: _,
    } = notification;
    out.at(*at);
    out.text(receiver);
    out.text(group_key);
    out.labels(group_labels);
    out.labels(route_labels);
    put_reason(out, *reason);
    out.list(alerts, put_alert);
}

fn get_notification(from: &mut Unpacker<'_>) -> Option<Notification> {
    Some(Notification {
        at: from.at()?,
        receiver: from.text()?.to_owned(),
        group_key: from.text()?.to_owned(),
        group_labels: from.labels()?,
        route_labels: from.labels()?,
        reason: get_reason(from)?,
        alerts: from.list(get_alert)?,
        measured: Default::default(),
    })
}

fn put_fingerprints(out: &mut Packer, fingerprints: &[Fingerprint]) {
    out.list(fingerprints, |out, it| out.fingerprint(*it));
}

fn get_fingerprints(from: &mut Unpacker<'_>) -> Option<Arc<[Fingerprint]>> {
    from.list(Unpacker::fingerprint).map(Arc::from)
}

// Places in this list are in files.
const REASONS: [NotificationReason; 5] = [
    NotificationReason::First,
    NotificationReason::NewAlerts,
    NotificationReason::AllResolved,
    NotificationReason::NewResolved,
    NotificationReason::Repeat,
];

fn put_reason(out: &mut Packer, reason: NotificationReason) {
    let place = REASONS.iter().position(|it| *it == reason);
    out.byte(place.map_or(u8::MAX, |place| place as u8));
}

fn get_reason(from: &mut Unpacker<'_>) -> Option<NotificationReason> {
    REASONS.get(usize::from(from.byte()?)).copied()
}
