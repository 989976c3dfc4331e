//! Alertmanager's HTTP API v2.
//!
//! *Sources*: Alertmanager, `api/v2/api.go`, as behaviour; `alert-engines.md` items 23, 24, 53-62.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use firebell_dispatch::{
    AlertState as Muted, AlertView, GroupCursor, GroupView, PostedAlerts, PostedBody, Routing,
    Silence, SilenceError, SilenceId, SilenceRequest, SilenceState, SilenceTerms, by_label_set,
    by_origin,
};
use firebell_engine::Engine;
use firebell_model::{Duration, Notification, NotificationReason, Timestamp, is_valid_label_name};
use firebell_wire::alertmanager_json::{
    AlertFilter, AlertGroupJson, AlertInBody, AlertState, AlertStatusJson, ClusterJson, ConfigJson,
    GettableAlert, GettableSilence, MatcherJson, PostableSilence, ReceiverJson, RequestError,
    SilenceIdJson, SilenceStates, SilenceStatusJson, StatusJson, each_alert_in_body,
    each_alert_in_text, parse_filters, parse_receiver_matchers, parse_silence,
};
use serde::Serialize;

use super::{App, PART_ALERTS, json, may_wait, params, prometheus, stopped, unrecorded};

/// Routes below `/api/v2`.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/status", only("GET", get(status)))
        .route("/swagger.json", only("GET", get(swagger)))
        .route("/receivers", only("GET", get(receivers)))
        .route("/alerts", only("GET,POST", get(alerts).post(post_alerts)))
        .route("/alerts/groups", only("GET", get(groups)))
        .route(
            "/silences",
            only("GET,POST", get(silences).post(post_silence)),
        )
        .route(
            "/silence/{id}",
            only("DELETE,GET", get(silence).delete(delete_silence)),
        )
        .fallback(async |uri: Uri| {
            form_refused(404, format!("path /api/v2{} was not found", uri.path()))
        })
        .layer(middleware::map_response(not_stored))
}

/// Refuses other methods than these, in go-openapi's words.
fn only(methods: &'static str, router: MethodRouter<App>) -> MethodRouter<App> {
    router.fallback(async move |method: Method| {
        let message = format!("method {method} is not allowed, but [{methods}] are");
        form_refused(405, message)
    })
}

async fn not_stored(mut response: Response) -> Response {
    let value = header::HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, value);
    response
}

fn ok(value: &impl Serialize) -> Response {
    json(200, serde_json::to_vec(value).unwrap_or_default())
}

/// The description of this API.
async fn swagger() -> Response {
    json(200, include_bytes!("alertmanager/swagger.json").to_vec())
}

pub(super) fn refused(error: &RequestError) -> Response {
    json(error.status(), error.to_json())
}

async fn status(State(app): State<App>) -> Response {
    ok(&StatusJson {
        cluster: app
            .cluster
            .as_ref()
            .map_or_else(ClusterJson::default, |it| it.shown()),
        version_info: prometheus::version("0.33.1"),
        config: ConfigJson {
            original: app.live.config().alertmanager_text.clone(),
        },
        uptime: app.started_at,
    })
}

async fn receivers(State(app): State<App>, uri: Uri) -> Response {
    let matchers = match parse_receiver_matchers(&params(&uri, &Bytes::new())) {
        Ok(matchers) => matchers,
        Err(error) => return refused(&error),
    };
    let config = app.live.config();
    let receivers = config.routing.receivers().iter();
    let receivers = receivers.filter(|it| matchers.iter().all(|one| one.matches(it.labels())));
    let receivers = receivers.map(|receiver| ReceiverJson {
        labels: Some(receiver.labels().clone()).filter(|it| !it.is_empty()),
        name: Arc::clone(receiver.name()),
    });
    ok(&receivers.collect::<Vec<_>>())
}

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

async fn alerts(State(app): State<App>, uri: Uri) -> Response {
    let filter = match AlertFilter::parse(&params(&uri, &Bytes::new())) {
        Ok(filter) => filter,
        Err(error) => return refused(&error),
    };
    let filter = Arc::new(filter);
    let (mut shown, mut after) = (Vec::new(), None);
    // In parts, so that a long list holds up nobody. It is made text elsewhere.
    loop {
        let filter = Arc::clone(&filter);
        let part = app.handle.read(move |engine, now| {
            let names = ReceiverNames::new(&filter, engine.dispatch().routing());
            let is_for = |view: &AlertView<'_>| view.receivers.iter().any(|it| names.is_wanted(it));
            let views: Vec<AlertView<'_>> = engine
                .dispatch()
                .alerts_after(now, after)
                .take(PART_ALERTS)
                .collect();
            let next = views.get(PART_ALERTS - 1).map(|view| view.fingerprint);
            let views = views.iter();
            let views = views.filter(|view| is_for(view) && is_wanted(&filter, view));
            let part: Vec<_> = views.map(|view| gettable(view, &names, &[], now)).collect();
            (part, next)
        });
        let Ok((part, next)) = part.await else {
            return stopped();
        };
        shown.extend(part);
        after = next;
        if after.is_none() {
            return long(shown).await;
        }
    }
}

/// A list that may be long.
async fn long<T: Serialize + Send + 'static>(list: Vec<T>) -> Response {
    let answer = may_wait(move || ok(&list)).await;
    answer.unwrap_or_else(stopped)
}

async fn groups(State(app): State<App>, uri: Uri) -> Response {
    let filter = match AlertFilter::parse(&params(&uri, &Bytes::new())) {
        Ok(filter) => filter,
        Err(error) => return refused(&error),
    };
    let filter = Arc::new(filter);
    let (mut groups, mut after) = (Vec::new(), None);
    let mut n_reloads = 0;
    // In parts, as alerts are; they are put in order and made text elsewhere.
    loop {
        let (filter, behind) = (Arc::clone(&filter), after.take());
        let part = app
            .handle
            .read(move |engine, now| groups_part(engine, now, &filter, behind));
        let Ok(part) = part.await else {
            return stopped();
        };
        let Some((part, next)) = part else {
            // Another configuration has other groups.
            n_reloads += 1;
            if n_reloads > RELOADS_MAX {
                return refused(&RequestError::Meaning {
                    status: StatusCode::SERVICE_UNAVAILABLE.as_u16(),
                    message: "the configuration changes again and again: ask later".to_owned(),
                });
            }
            groups.clear();
            continue;
        };
        groups.extend(part);
        after = next;
        if after.is_none() {
            break;
        }
    }
    let config = app.live.config();
    let answer = may_wait(move || {
        groups.sort_by(|(a, _), (b, _)| {
            let by_labels = by_label_set(&a.labels, &b.labels);
            by_labels.then_with(|| a.receiver.name.cmp(&b.receiver.name))
        });
        let rendered = groups.into_iter().map(|(mut group, told)| {
            group.alerts.sort_by(|a, b| by_origin(&a.labels, &b.labels));
            if let Some(mut told) = told {
                told.alerts.sort_by(|a, b| by_origin(&a.labels, &b.labels));
                let (labels, _) = config.templates.route_labels(&told, &config.external_url);
                group.route_labels = labels;
            }
            group
        });
        ok(&rendered.collect::<Vec<_>>())
    });
    answer.await.unwrap_or_else(stopped)
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

async fn post_alerts(State(app): State<App>, body: Bytes) -> Response {
    let has_classic_names = app.flags.has_feature(CLASSIC_MODE);
    let (posted, mut errors) = match read_posted(body, has_classic_names) {
        Ok(read) => read,
        Err(error) => return refused(&error),
    };
    let n_received = posted.len() + errors.len();
    app.metrics.alerts_received.inc_by(n_received as u64);
    let others = app
        .handle
        .command(move |engine, now, step| engine.post_alerts(now, &posted, step));
    match others.await {
        Ok(others) => errors.extend(others),
        Err(error) => return unrecorded(&error),
    }
    if errors.is_empty() {
        return StatusCode::OK.into_response();
    }
    app.metrics.alerts_invalid.inc_by(errors.len() as u64);
    refused(&RequestError::bad_request(errors.join("\n")))
}

/// The alerts of a body, and what is wrong with those that are left out, as their names are none.
fn read_posted(
    body: Bytes,
    has_classic_names: bool,
) -> Result<(PostedAlerts, Vec<String>), RequestError> {
    let mut errors = Vec::new();
    let mut add = |posted: &mut PostedBody<'_>, alert: &AlertInBody<'_>| {
        let wrong = has_classic_names.then(|| wrong_name(alert)).flatten();
        if let Some(wrong) = wrong {
            errors.push(wrong);
            return;
        }
        let times = (alert.starts_at, alert.ends_at);
        let (labels, annotations) = (alert.labels.iter(), alert.annotations.iter());
        posted.push(labels, annotations, times, &alert.generator_url);
    };
    let read = match String::from_utf8(body.into()) {
        Ok(text) => PostedAlerts::of_body(text, |text, posted| {
            each_alert_in_text(text, |alert| add(posted, alert))
        }),
        Err(error) => PostedAlerts::of_body(String::new(), |_, posted| {
            each_alert_in_body(error.as_bytes(), |alert| add(posted, alert))
        }),
    };
    let (posted, ()) = read?;
    Ok((posted, errors))
}

/// What is wrong with an alert when names have to fit the classic grammar.
fn wrong_name(alert: &AlertInBody<'_>) -> Option<String> {
    let sets = [
        ("label set", &alert.labels),
        ("annotations", &alert.annotations),
    ];
    sets.into_iter().find_map(|(what, set)| {
        let (wrong, _) = set.iter().find(|(name, _)| !is_valid_label_name(name))?;
        Some(format!("invalid {what}: invalid name {wrong:?}"))
    })
}

async fn silences(State(app): State<App>, uri: Uri) -> Response {
    let params = params(&uri, &Bytes::new());
    let states = SilenceStates::parse(&params);
    let filter = match parse_filters(&params) {
        Ok(filter) => filter,
        Err(error) => return refused(&error),
    };
    let silences = app.handle.read(move |engine, now| {
        let silences = engine.dispatch().silences(now).into_iter();
        let silences = silences.filter(|(state, silence)| {
            let is_wanted = match state {
                SilenceState::Active => states.active,
                SilenceState::Pending => states.pending,
                SilenceState::Expired => states.expired,
            };
            is_wanted && silence.has_matchers(&filter)
        });
        silences
            .map(|(state, silence)| gettable_silence(silence, state))
            .collect::<Vec<_>>()
    });
    silences
        .await
        .map_or_else(|_| stopped(), |silences| ok(&silences))
}

async fn silence(State(app): State<App>, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse::<SilenceId>() else {
        return not_uuid(&id);
    };
    let silence = app.handle.read(move |engine, now| {
        let silence = engine.dispatch().silence(id)?;
        Some(gettable_silence(silence, silence.state_at(now)))
    });
    match silence.await {
        Ok(Some(silence)) => ok(&silence),
        Ok(None) => StatusCode::NOT_FOUND.into_response(),
        Err(_) => stopped(),
    }
}

fn not_uuid(id: &str) -> Response {
    let message = format!("silenceID in path must be of type uuid: {id:?}");
    form_refused(601, message)
}

fn form_refused(code: u16, message: String) -> Response {
    refused(&RequestError::Form { code, message })
}

pub(super) fn gettable_silence(silence: &Silence, state: SilenceState) -> GettableSilence {
    GettableSilence {
        id: silence.id.to_string(),
        status: SilenceStatusJson {
            state: match state {
                SilenceState::Active => "active",
                SilenceState::Pending => "pending",
                SilenceState::Expired => "expired",
            },
        },
        updated_at: silence.updated_at,
        annotations: silence.annotations.clone(),
        comment: silence.comment.clone(),
        created_by: silence.created_by.clone(),
        ends_at: silence.ends_at,
        matchers: silence.matchers.iter().map(MatcherJson::from).collect(),
        starts_at: silence.starts_at,
    }
}

async fn post_silence(State(app): State<App>, body: Bytes) -> Response {
    match parse_silence(&body) {
        Ok(posted) => put_silence(&app, posted, None).await,
        Err(error) => refused(&error),
    }
}

/// Makes or changes a silence; without `terms` it keeps those that it has.
pub(super) async fn put_silence(
    app: &App,
    posted: PostableSilence,
    terms: Option<SilenceTerms>,
) -> Response {
    let mut matchers = posted.matchers.iter();
    let wrong = matchers.position(|it| !is_valid_label_name(it.name()));
    if let Some(idx) = wrong.filter(|_| app.flags.has_feature(CLASSIC_MODE)) {
        let name = posted.matchers[idx].name();
        let why = format!(
            "invalid silence: invalid label matcher {idx} in set 0: invalid label name {name:?}"
        );
        return silence_refused(&why, StatusCode::BAD_REQUEST);
    }
    let id = match posted.id.as_str() {
        "" => None,
        text => match text.parse() {
            Ok(id) => Some(id),
            // An id that cannot exist is not found.
            Err(_) => return silence_refused("silence not found", StatusCode::NOT_FOUND),
        },
    };
    let request = SilenceRequest {
        id,
        matchers: posted.matchers,
        starts_at: posted.starts_at,
        ends_at: posted.ends_at,
        created_by: posted.created_by,
        comment: posted.comment,
        annotations: posted.annotations,
        terms,
    };
    let result = app
        .handle
        .command(|engine, now, step| engine.set_silence(now, request, step));
    match result.await {
        Ok(Ok(id)) => ok(&SilenceIdJson { id: id.to_string() }),
        Ok(Err(error)) => silence_error(&error),
        Err(error) => unrecorded(&error),
    }
}

async fn delete_silence(State(app): State<App>, Path(id): Path<String>) -> Response {
    let Ok(id) = id.parse::<SilenceId>() else {
        return not_uuid(&id);
    };
    let result = app
        .handle
        .command(move |engine, now, step| engine.expire_silence(now, &id, step));
    match result.await {
        Ok(Ok(())) => StatusCode::OK.into_response(),
        Ok(Err(SilenceError::NotFound(_))) => StatusCode::NOT_FOUND.into_response(),
        Ok(Err(error)) => silence_error(&error),
        Err(error) => unrecorded(&error),
    }
}

fn silence_error(error: &SilenceError) -> Response {
    let status = match error {
        SilenceError::NotFound(_) => StatusCode::NOT_FOUND,
        SilenceError::Invalid(_) | SilenceError::TooMany { .. } => StatusCode::BAD_REQUEST,
    };
    silence_refused(&error.to_string(), status)
}

fn silence_refused(why: &str, status: StatusCode) -> Response {
    refused(&RequestError::Meaning {
        status: status.as_u16(),
        message: why.to_owned(),
    })
}

/// A list of groups is begun anew so often, when the configuration changes meanwhile.
const RELOADS_MAX: usize = 8;
/// The feature with which names have to fit the classic grammar.
const CLASSIC_MODE: &str = "classic-mode";
/// What Prometheus says of an alert with rules evaluated every minute: four times the interval.
const OWN_ALERT_HELD_FOR: Duration = Duration::from_mins(4);
