//! The two lists of alerts. They may be long: the driver looks at them in parts, and a part becomes
//! text while it looks at the next.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use firebell_config::Config;
use firebell_dispatch::{
    AlertState as Muted, AlertView, GroupCursor, GroupView, Routing, by_label_set, by_origin,
};
use firebell_engine::Engine;
use firebell_model::{Duration, Fingerprint, Labels, Notification, NotificationReason, Timestamp};
use firebell_wire::alertmanager_json::{
    AlertFilter, AlertGroupJson, AlertState, AlertStatusJson, GettableAlert, ReceiverJson,
    RequestError,
};

use super::refused;
use crate::http::{App, PART_ALERTS, json, may_wait, params, stopped};

/// The receivers by name, and whether a filter wants them.
struct ReceiverNames<'r>(BTreeMap<&'r str, (&'r Arc<str>, bool)>);

impl<'r> ReceiverNames<'r> {
    fn new(filter: &AlertFilter, routing: &'r Routing) -> Self {
        let receivers = routing.receivers().iter().map(|receiver| {
            let name = receiver.name();
            let is_wanted = filter.wants_receiver(name, receiver.labels());
            (&**name, (name, is_wanted))
        });
        Self(receivers.collect())
    }

    fn is_wanted(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|(_, is_wanted)| *is_wanted)
    }

    fn shown(&self, name: &str) -> ReceiverJson {
        let known = self.0.get(name).map(|(name, _)| Arc::clone(name));
        ReceiverJson {
            labels: None,
            name: known.unwrap_or_else(|| name.into()),
        }
    }
}

pub(super) async fn alerts(State(app): State<App>, uri: Uri) -> Response {
    let filter = match AlertFilter::parse(&params(&uri, &Bytes::new())) {
        Ok(filter) => filter,
        Err(error) => return refused(&error),
    };
    let filter = Arc::new(filter);
    // In parts, so that a long list holds up nobody.
    let look = |after| {
        let filter = Arc::clone(&filter);
        let part = app
            .handle
            .read(move |engine, now| alerts_part(engine, now, &filter, after));
        async { part.await.map_err(|_| Broken::Stopped) }
    };
    let add = |list: &mut Vec<u8>, part: Vec<GettableAlert>| {
        for alert in &part {
            separate(list);
            // A Vec takes everything, and an alert is text in any state.
            let _ = serde_json::to_writer(&mut *list, alert);
        }
    };
    match gather(look, vec![b'['], add).await {
        Ok(mut list) => {
            list.push(b']');
            json(200, list)
        }
        Err(_) => stopped(),
    }
}

/// [`PART_ALERTS`] alerts behind one, those that are wanted; and behind which one to go on.
fn alerts_part(
    engine: &Engine,
    now: Timestamp,
    filter: &AlertFilter,
    after: Option<Fingerprint>,
) -> (Vec<GettableAlert>, Option<Fingerprint>) {
    let names = ReceiverNames::new(filter, engine.dispatch().routing());
    let is_for = |view: &AlertView<'_>| view.receivers.iter().any(|it| names.is_wanted(it));
    let views = engine.dispatch().alerts_after(now, after);
    let views: Vec<AlertView<'_>> = views.take(PART_ALERTS).collect();
    let next = views.get(PART_ALERTS - 1).map(|view| view.fingerprint);
    let views = views.iter();
    let views = views.filter(|view| is_for(view) && is_wanted(filter, view));
    let part = views.map(|view| gettable(view, &names, &[], now));
    (part.collect(), next)
}

/// Why a list could not be had whole.
enum Broken {
    /// The driver has.
    Stopped,
    /// Another configuration has other groups.
    Reloaded,
}

/// Takes a list in parts: while the driver looks at one, the one before is added to what the answer
/// is made of, elsewhere.
async fn gather<T, P, A, L>(
    look: impl Fn(Option<A>) -> L,
    mut all: T,
    add: impl Fn(&mut T, P) + Clone + Send + 'static,
) -> Result<T, Broken>
where
    T: Send + 'static,
    P: Send + 'static,
    L: Future<Output = Result<(P, Option<A>), Broken>>,
{
    let (mut part, mut after) = look(None).await?;
    loop {
        let add = add.clone();
        let added = may_wait(move || {
            add(&mut all, part);
            all
        });
        let Some(place) = after else {
            return added.await.ok_or(Broken::Stopped);
        };
        let (added, next) = tokio::join!(added, look(Some(place)));
        all = added.ok_or(Broken::Stopped)?;
        (part, after) = next?;
    }
}

/// Goes to the next element of a JSON list that is not closed.
fn separate(list: &mut Vec<u8>) {
    if list.len() > 1 {
        list.push(b',');
    }
}

pub(super) async fn groups(State(app): State<App>, uri: Uri) -> Response {
    let filter = match AlertFilter::parse(&params(&uri, &Bytes::new())) {
        Ok(filter) => Arc::new(filter),
        Err(error) => return refused(&error),
    };
    for _ in 0..=RELOADS_MAX {
        match all_groups(&app, &filter).await {
            Ok(groups) => {
                let list = may_wait(move || in_order(groups));
                return list.await.map_or_else(stopped, |list| json(200, list));
            }
            Err(Broken::Reloaded) => {}
            Err(Broken::Stopped) => return stopped(),
        }
    }
    refused(&RequestError::Meaning {
        status: StatusCode::SERVICE_UNAVAILABLE.as_u16(),
        message: "the configuration changes again and again: ask later".to_owned(),
    })
}

fn in_order(mut groups: Vec<GroupText>) -> Vec<u8> {
    groups.sort_by(|a, b| {
        let by_labels = by_label_set(&a.labels, &b.labels);
        by_labels.then_with(|| a.receiver.cmp(&b.receiver))
    });
    let mut list = vec![b'['];
    for group in &groups {
        separate(&mut list);
        list.extend_from_slice(&group.text);
    }
    list.push(b']');
    list
}

/// The groups that a filter wants, in any order.
async fn all_groups(app: &App, filter: &Arc<AlertFilter>) -> Result<Vec<GroupText>, Broken> {
    let look = |after| {
        let filter = Arc::clone(filter);
        let part = app
            .handle
            .read(move |engine, now| groups_part(engine, now, &filter, after));
        async {
            part.await
                .map_err(|_| Broken::Stopped)?
                .ok_or(Broken::Reloaded)
        }
    };
    let config = app.live.config();
    let add = move |groups: &mut Vec<GroupText>, part: Vec<ShownGroup>| {
        groups.extend(part.into_iter().map(|group| GroupText::of(group, &config)));
    };
    gather(look, Vec::new(), add).await
}

/// A group as the answer has it.
struct GroupText {
    labels: Labels,
    receiver: Arc<str>,
    text: Vec<u8>,
}

impl GroupText {
    fn of((mut group, told): ShownGroup, config: &Config) -> Self {
        group.alerts.sort_by(|a, b| by_origin(&a.labels, &b.labels));
        if let Some(mut told) = told {
            told.alerts.sort_by(|a, b| by_origin(&a.labels, &b.labels));
            let (labels, _) = config.templates.route_labels(&told, &config.external_url);
            group.route_labels = labels;
        }
        Self {
            text: serde_json::to_vec(&group).unwrap_or_default(),
            receiver: group.receiver.name,
            labels: group.labels,
        }
    }
}

/// A group that is shown, and what templates in the labels of its route see.
type ShownGroup = (AlertGroupJson, Option<Notification>);

/// Groups behind a place, with [`PART_ALERTS`] alerts and what the last of them has more; and where
/// to go on. `None` when that place is of another configuration.
fn groups_part(
    engine: &Engine,
    now: Timestamp,
    filter: &AlertFilter,
    after: Option<GroupCursor>,
) -> Option<(Vec<ShownGroup>, Option<GroupCursor>)> {
    let names = ReceiverNames::new(filter, engine.dispatch().routing());
    let (mut part, mut n_alerts) = (Vec::new(), 0);
    for group in engine.dispatch().groups_after(now, after)? {
        n_alerts += group.alerts.len().max(1);
        if (filter.muted || group.muted_by.is_empty()) && names.is_wanted(group.receiver) {
            let shown = group_json(filter, &names, &group, now);
            if !shown.alerts.is_empty() {
                part.push((shown, told(&group, now)));
            }
        }
        if n_alerts >= PART_ALERTS {
            return Some((part, Some(engine.dispatch().behind(&group))));
        }
    }
    Some((part, None))
}

fn group_json(
    filter: &AlertFilter,
    names: &ReceiverNames<'_>,
    group: &GroupView<'_>,
    now: Timestamp,
) -> AlertGroupJson {
    let alerts = group.alerts.iter().filter(|view| is_wanted(filter, view));
    AlertGroupJson {
        alerts: alerts
            .map(|view| gettable(view, names, group.muted_by, now))
            .collect(),
        labels: group.labels.clone(),
        receiver: names.shown(group.receiver),
        route_labels: group.route_labels.clone(),
    }
}

/// What the templates in the labels of a group's route see; `None` when there are none.
fn told(group: &GroupView<'_>, now: Timestamp) -> Option<Notification> {
    let mut labels = group.route_labels.iter();
    labels.any(|label| label.value.contains("{{")).then(|| {
        let alerts = group.alerts.iter().map(|view| view.alert.clone());
        Notification {
            at: now,
            receiver: group.receiver.to_owned(),
            group_key: group.key.to_owned(),
            group_labels: group.labels.clone(),
            route_labels: group.route_labels.clone(),
            reason: NotificationReason::First,
            alerts: alerts.collect(),
            measured: Default::default(),
        }
    })
}

fn is_wanted(filter: &AlertFilter, view: &AlertView<'_>) -> bool {
    (filter.active || view.state != Muted::Active)
        && (filter.silenced || view.silenced_by.is_empty())
        && (filter.inhibited || view.inhibited_by.is_empty())
        && filter
            .matchers
            .iter()
            .all(|matcher| matcher.matches(&view.alert.labels))
}

// `muted_by`: the time intervals that mute the group in which the alert is shown.
fn gettable(
    view: &AlertView<'_>,
    names: &ReceiverNames<'_>,
    muted_by: &[Arc<str>],
    now: Timestamp,
) -> GettableAlert {
    let alert = view.alert;
    GettableAlert {
        annotations: alert.annotations.clone(),
        // An own rule holds the alert: clients that want an end get what a sender would say.
        ends_at: alert.ends_at.unwrap_or(now + OWN_ALERT_HELD_FOR),
        fingerprint: view.fingerprint,
        receivers: view
            .receivers
            .iter()
            .map(|name| names.shown(name))
            .collect(),
        starts_at: alert.starts_at,
        status: AlertStatusJson {
            inhibited_by: view.inhibited_by.clone(),
            muted_by: muted_by.to_vec(),
            silenced_by: view.silenced_by.iter().map(ToString::to_string).collect(),
            state: match view.state {
                Muted::Active if muted_by.is_empty() => AlertState::Active,
                Muted::Active | Muted::Suppressed => AlertState::Suppressed,
            },
        },
        updated_at: alert.updated_at,
        generator_url: alert.generator_url.clone(),
        labels: alert.labels.clone(),
    }
}

/// A list of groups is begun anew so often, when the configuration changes meanwhile.
const RELOADS_MAX: usize = 8;
/// What Prometheus says of an alert with rules evaluated every minute: four times the interval.
const OWN_ALERT_HELD_FOR: Duration = Duration::from_mins(4);
