//! Alertmanager's HTTP API v2.
//!
//! *Sources*: Alertmanager, `api/v2/api.go`, as behaviour; `alert-engines.md` items 23, 24, 53-62.

mod lists;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{Method, StatusCode, Uri, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use firebell_dispatch::{
    PostedAlerts, PostedBody, Silence, SilenceError, SilenceId, SilenceRequest, SilenceState,
    SilenceTerms,
};
use firebell_model::is_valid_label_name;
use firebell_wire::alertmanager_json::{
    AlertInBody, ClusterJson, ConfigJson, GettableSilence, MatcherJson, PostableSilence,
    ReceiverJson, RequestError, SilenceIdJson, SilenceStates, SilenceStatusJson, StatusJson,
    each_alert_in_body, each_alert_in_text, parse_filters, parse_receiver_matchers, parse_silence,
};
use serde::Serialize;

use super::{App, json, may_wait, params, prometheus, stopped, unrecorded};

/// Routes below `/api/v2`.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/status", only("GET", get(status)))
        .route("/swagger.json", only("GET", get(swagger)))
        .route("/receivers", only("GET", get(receivers)))
        .route(
            "/alerts",
            only("GET,POST", get(lists::alerts).post(post_alerts)),
        )
        .route("/alerts/groups", only("GET", get(lists::groups)))
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
    let Ok(silences) = silences.await else {
        return stopped();
    };
    let answer = may_wait(move || ok(&silences)).await;
    answer.unwrap_or_else(stopped)
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

/// The feature with which names have to fit the classic grammar.
const CLASSIC_MODE: &str = "classic-mode";
