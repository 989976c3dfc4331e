//! Rules over HTTP: read and changed as Mimir's ruler has it, so that Grafana can edit them.
//!
//! *Sources*: Grafana Mimir, "HTTP API", section "Ruler": `…/config/v1/rules`, and `pkg/ruler/api.go`
//! for statuses and bodies; what is wrong with a group is told in our words, with its place.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use firebell_config::{parse_rule_group, rule_list_text};
use serde_json::json;

use super::prometheus::preview;
use super::{App, json as json_bytes, may_wait, stopped, written};
use crate::managed::{Change, ChangeError, Managed, Namespaces};
use crate::serve::{ManagedError, ManagedKind, change_managed};

/// What a person wants.
type Plan = Result<(Change, Namespaces), ChangeError>;

/// The routes, to stand where clients look for them.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/config/v1/rules", get(list))
        .route(
            "/config/v1/rules/{namespace}",
            get(list_namespace).post(set_group).delete(remove_namespace),
        )
        .route(
            "/config/v1/rules/{namespace}/{group}",
            get(group).delete(remove_group),
        )
}

/// The routes of Firebell's own API.
pub(super) fn own_routes() -> Router<App> {
    Router::new()
        .route("/rules/preview", get(preview).post(preview))
        .route("/rules/changes", get(changes))
        .route("/rules/changes/{id}/revert", post(revert))
}

async fn list(State(app): State<App>) -> Response {
    let listed = |namespaces: Namespaces| {
        if namespaces.is_empty() {
            return nothing();
        }
        let texts = namespaces
            .iter()
            .map(|(name, groups)| rule_list_text(name, groups.values().map(String::as_str)));
        yaml(texts.collect())
    };
    of_namespaces(app, listed).await
}

/// Answers out of all there is; a change that is being written is waited for.
async fn of_namespaces(
    app: App,
    answer: impl FnOnce(Namespaces) -> Response + Send + 'static,
) -> Response {
    let answer = may_wait(move || answer(app.rules.namespaces()));
    answer.await.unwrap_or_else(stopped)
}

async fn list_namespace(State(app): State<App>, Path(namespace): Path<String>) -> Response {
    let listed = move |namespaces: Namespaces| match namespaces.get(&namespace) {
        Some(groups) => yaml(rule_list_text(
            &namespace,
            groups.values().map(String::as_str),
        )),
        None => nothing(),
    };
    of_namespaces(app, listed).await
}

async fn group(
    State(app): State<App>,
    Path((namespace, group)): Path<(String, String)>,
) -> Response {
    let found = move |namespaces: Namespaces| {
        let groups = namespaces.get(&namespace);
        match groups.and_then(|groups| groups.get(&group)) {
            Some(text) => yaml(text.clone()),
            None => plain(StatusCode::NOT_FOUND, ChangeError::NoGroup),
        }
    };
    of_namespaces(app, found).await
}

async fn set_group(
    State(app): State<App>,
    Path(namespace): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Ok(text) = String::from_utf8(body.to_vec()) else {
        return plain(StatusCode::BAD_REQUEST, "the body is not UTF-8");
    };
    let group = match parse_rule_group(&namespace, &text) {
        Ok(group) => group,
        Err(problems) => return plain(StatusCode::BAD_REQUEST, problems),
    };
    let edits = vec![(group.name, Some(group.text))];
    let who = who(&headers);
    change(app, move |rules, now| {
        rules.plan(now, &who, &namespace, edits)
    })
    .await
}

async fn remove_namespace(
    State(app): State<App>,
    Path(namespace): Path<String>,
    headers: HeaderMap,
) -> Response {
    let who = who(&headers);
    change(app, move |rules, now| {
        rules.plan_removal(now, &who, &namespace)
    })
    .await
}

async fn remove_group(
    State(app): State<App>,
    Path((namespace, group)): Path<(String, String)>,
    headers: HeaderMap,
) -> Response {
    let who = who(&headers);
    let plan = move |rules: &Managed, now| rules.plan(now, &who, &namespace, vec![(group, None)]);
    change(app, plan).await
}

async fn changes(State(app): State<App>) -> Response {
    match may_wait(move || app.rules.changes()).await {
        Some(changes) => listed(changes).await,
        None => stopped(),
    }
}

/// Who changed what.
pub(super) async fn listed(changes: Vec<Change>) -> Response {
    let changes = changes.into_iter().map(|change| {
        json!({
            "id": change.id,
            "at": change.at.to_string(),
            "who": change.who,
            "namespace": change.namespace,
            "reverts": change.reverts,
            "groups": change.groups,
        })
    });
    written(move || json!({ "changes": changes.collect::<Vec<_>>() })).await
}

async fn revert(State(app): State<App>, Path(id): Path<u64>, headers: HeaderMap) -> Response {
    let who = who(&headers);
    change(app, move |rules, now| rules.plan_revert(now, &who, id)).await
}

/// Makes a change, on a thread that may wait for the disk.
async fn change(
    app: App,
    plan: impl FnOnce(&Managed, firebell_model::Timestamp) -> Plan + Send + 'static,
) -> Response {
    match may_wait(move || change_managed(&app, ManagedKind::Rules, plan)).await {
        Some(Ok(_)) => {
            // As Mimir answers.
            let body = json!({"status": "success", "data": null, "errorType": "", "error": ""});
            json_bytes(202, body.to_string().into_bytes())
        }
        Some(Err(error)) => plain(status_of(&error), error),
        None => stopped(),
    }
}

pub(super) fn status_of(error: &ManagedError) -> StatusCode {
    match error {
        ManagedError::Change(ChangeError::NoGroup | ChangeError::NoNamespace) => {
            StatusCode::NOT_FOUND
        }
        ManagedError::Change(ChangeError::NoChange(_) | ChangeError::Forgotten { .. }) => {
            StatusCode::NOT_FOUND
        }
        ManagedError::Change(ChangeError::ChangedSince { .. } | ChangeError::Nothing) => {
            StatusCode::CONFLICT
        }
        ManagedError::Change(ChangeError::TooMany | ChangeError::TooManyShifts)
        | ManagedError::Config(_) => StatusCode::BAD_REQUEST,
        ManagedError::Log(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// Who asks: what Grafana or a reverse proxy says of its user. Firebell asks nobody who they are.
pub(super) fn who(headers: &HeaderMap) -> String {
    let names = ["x-grafana-user", "x-forwarded-user", "x-remote-user"];
    let mut values = names
        .iter()
        .filter_map(|name| headers.get(*name)?.to_str().ok());
    let who = values.find(|value| !value.is_empty()).unwrap_or("unknown");
    who.chars().take(WHO_CHARS_MAX).collect()
}

/// Upstream says 200 to a list of nothing, also to one of a namespace that is not there.
fn nothing() -> Response {
    yaml("{}\n".to_owned())
}

fn yaml(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/yaml")], text).into_response()
}

/// As Go's `http.Error` answers, and so Mimir.
fn plain(status: StatusCode, why: impl std::fmt::Display) -> Response {
    let nosniff = [(header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (status, nosniff, format!("{why}\n")).into_response()
}

const WHO_CHARS_MAX: usize = 200;
