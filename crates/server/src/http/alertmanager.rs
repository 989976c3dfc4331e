//! Alertmanager's HTTP API v2.
//!
//! *Sources*: Alertmanager, `api/v2/api.go`, as behaviour; `alert-engines.md` items 23, 24, 53-62.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use firebell_dispatch::{
    AlertState as Muted, AlertView, GroupView, PostedAlert, Routing, Silence, SilenceError,
    SilenceId, SilenceRequest, SilenceState,
};
use firebell_engine::Input;
use firebell_model::{
    Duration, Labels, Notification, NotificationReason, Timestamp, is_valid_label_name,
};
use firebell_wire::alertmanager_json::{
    AlertFilter, AlertGroupJson, AlertState, AlertStatusJson, ClusterJson, ConfigJson,
    GettableAlert, GettableSilence, MatcherJson, ReceiverJson, RequestError, SilenceIdJson,
    SilenceStates, SilenceStatusJson, StatusJson, parse_alerts, parse_filters,
    parse_receiver_matchers, parse_silence,
};
use serde::Serialize;

use super::{App, json, params, prometheus, stopped, unrecorded};

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

fn refused(error: &RequestError) -> Response {
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
        labels: receiver.labels().clone(),
        name: receiver.name().to_string(),
    });
    ok(&receivers.collect::<Vec<_>>())
}

fn named(name: &str) -> ReceiverJson {
    ReceiverJson {
        labels: Labels::empty(),
        name: name.to_owned(),
    }
}

async fn alerts(State(app): State<App>, uri: Uri) -> Response {
    let filter = match AlertFilter::parse(&params(&uri, &Bytes::new())) {
        Ok(filter) => filter,
        Err(error) => return refused(&error),
    };
    let alerts = app.handle.read(move |engine, now| {
        let wanted = wanted_receivers(&filter, engine.dispatch().routing());
        let is_for = |view: &AlertView<'_>| view.receivers.iter().any(|it| wanted.contains(it));
        let views = engine.dispatch().alerts(now);
        let views = views.filter(|view| is_for(view) && is_wanted(&filter, view));
        views
            .map(|view| gettable(&view, &[], now))
            .collect::<Vec<_>>()
    });
    alerts
        .await
        .map_or_else(|_| stopped(), |alerts| ok(&alerts))
}

/// The names of the receivers that a filter wants.
fn wanted_receivers<'r>(filter: &AlertFilter, routing: &'r Routing) -> BTreeSet<&'r str> {
    let receivers = routing.receivers().iter();
    let wanted = receivers.filter(|it| filter.wants_receiver(it.name(), it.labels()));
    wanted.map(|it| &**it.name()).collect()
}

async fn groups(State(app): State<App>, uri: Uri) -> Response {
    let filter = match AlertFilter::parse(&params(&uri, &Bytes::new())) {
        Ok(filter) => filter,
        Err(error) => return refused(&error),
    };
    let groups = app.handle.read(move |engine, now| {
        let wanted = wanted_receivers(&filter, engine.dispatch().routing());
        let is_for = |group: &GroupView<'_>| {
            (filter.muted || group.muted_by.is_empty()) && wanted.contains(group.receiver)
        };
        let groups = engine.dispatch().groups(now).into_iter().filter(is_for);
        let groups = groups.map(|group| (group_json(&filter, &group, now), told(&group, now)));
        let groups = groups.filter(|(group, _)| !group.alerts.is_empty());
        groups.collect::<Vec<_>>()
    });
    let Ok(groups) = groups.await else {
        return stopped();
    };
    let config = app.live.config();
    let rendered = groups.into_iter().map(|(mut group, told)| {
        if let Some(told) = told {
            let (labels, _) = config.templates.route_labels(&told, &config.external_url);
            group.route_labels = labels;
        }
        group
    });
    ok(&rendered.collect::<Vec<_>>())
}

fn group_json(filter: &AlertFilter, group: &GroupView<'_>, now: Timestamp) -> AlertGroupJson {
    let alerts = group.alerts.iter().filter(|view| is_wanted(filter, view));
    AlertGroupJson {
        alerts: alerts
            .map(|view| gettable(view, group.muted_by, now))
            .collect(),
        labels: group.labels.clone(),
        receiver: named(group.receiver),
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
fn gettable(view: &AlertView<'_>, muted_by: &[Arc<str>], now: Timestamp) -> GettableAlert {
    let alert = view.alert;
    GettableAlert {
        annotations: alert.annotations.clone(),
        // An own rule holds the alert: clients that want an end get what a sender would say.
        ends_at: alert.ends_at.unwrap_or(now + OWN_ALERT_HELD_FOR),
        fingerprint: view.fingerprint,
        receivers: view.receivers.iter().map(|name| named(name)).collect(),
        starts_at: alert.starts_at,
        status: AlertStatusJson {
            inhibited_by: view.inhibited_by.iter().map(ToString::to_string).collect(),
            muted_by: muted_by.iter().map(ToString::to_string).collect(),
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
    let posted = match parse_alerts(&body) {
        Ok(posted) => posted,
        Err(error) => return refused(&error),
    };
    let posted: Vec<PostedAlert> = posted
        .into_iter()
        .map(|alert| PostedAlert {
            labels: alert.labels,
            annotations: alert.annotations,
            starts_at: alert.starts_at,
            ends_at: alert.ends_at,
            generator_url: alert.generator_url,
        })
        .collect();
    app.metrics.alerts_received.inc_by(posted.len() as u64);
    let has_classic_names = app.flags.has_feature(CLASSIC_MODE);
    let errors = app.handle.command(move |engine, now, step| {
        let (posted, mut errors) = match has_classic_names {
            true => with_classic_names(posted),
            false => (posted, Vec::new()),
        };
        let (alerts, others) = engine.dispatch().post_alerts(now, posted);
        errors.extend(others);
        engine.handle(now, Input::AlertsPosted(alerts), step);
        errors
    });
    match errors.await {
        Ok(errors) if errors.is_empty() => StatusCode::OK.into_response(),
        Ok(errors) => {
            app.metrics.alerts_invalid.inc_by(errors.len() as u64);
            refused(&RequestError::bad_request(errors.join("\n")))
        }
        Err(error) => unrecorded(&error),
    }
}

/// Those whose names fit the classic grammar, and what is wrong with the others.
fn with_classic_names(posted: Vec<PostedAlert>) -> (Vec<PostedAlert>, Vec<String>) {
    let mut errors = Vec::new();
    let is_fine = |alert: &PostedAlert| {
        let sets = [
            ("label set", &alert.labels),
            ("annotations", &alert.annotations),
        ];
        let wrong = sets.into_iter().find_map(|(what, set)| {
            let wrong = set.iter().find(|it| !is_valid_label_name(&it.name))?;
            Some(format!("invalid {what}: invalid name {:?}", wrong.name))
        });
        errors.extend(wrong.clone());
        wrong.is_none()
    };
    (posted.into_iter().filter(is_fine).collect(), errors)
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

fn gettable_silence(silence: &Silence, state: SilenceState) -> GettableSilence {
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
    let posted = match parse_silence(&body) {
        Ok(posted) => posted,
        Err(error) => return refused(&error),
    };
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

/// The feature with which names have to fit the classic grammar.
const CLASSIC_MODE: &str = "classic-mode";
/// What Prometheus says of an alert with rules evaluated every minute: four times the interval.
const OWN_ALERT_HELD_FOR: Duration = Duration::from_mins(4);
