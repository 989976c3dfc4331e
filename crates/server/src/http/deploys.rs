//! Deploys over HTTP: who rolls out a version tells of it here, so that budgets can say by which
//! deploy they were spent.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use firebell_model::Deploy;
use firebell_wire::prometheus_json::ErrorKind;
use serde_json::{Value, json};

use super::{App, may_wait, refused, written};
use crate::deploys::Told;
use crate::driver::Handle;
use crate::http::params;

/// `POST /api/firebell/v1/deploys`.
pub(super) async fn add(State(app): State<App>, body: Bytes) -> Response {
    let told: Result<Told, _> = serde_json::from_slice(&body);
    let checked = told.map_err(|error| format!("the body is no deploy: {error}"));
    let now = app.clock.now();
    let checked = checked.and_then(|told| Ok((told.is_dated(), told.check(now)?)));
    let (is_dated, deploy) = match checked {
        Ok(checked) => checked,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    let handle = app.handle.clone();
    let added = may_wait(move || app.deploys.add(deploy, is_dated)).await;
    match added {
        Some(Ok((deploy, is_new))) => {
            // Also one that is kept already: who told of it first may have left before it was noted.
            note(&handle, vec![deploy.clone()]).await;
            let status = match is_new {
                true => StatusCode::CREATED,
                false => StatusCode::OK,
            };
            (status, Json(deploy_json(&deploy))).into_response()
        }
        Some(Err(error)) => {
            let why = format!("the deploy could not be written down: {error}");
            refused(ErrorKind::Unavailable, why)
        }
        None => super::stopped(),
    }
}

/// Has alerts told with deploys that are kept by now. Of one that shuts down nothing is told: the next
/// reads them.
pub(super) async fn note(handle: &Handle, deploys: Vec<Deploy>) {
    let noting = handle.change(|engine, _| engine.note_deploys(deploys));
    let _ = noting.await;
}

/// `GET /api/firebell/v1/deploys?service=SERVICE`.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Response {
    let params = params(&uri, &Bytes::new());
    written(move || {
        let service = params.get("service");
        let is_wanted = |it: &&Deploy| service.is_none_or(|service| it.is_of(service, None));
        let all = app.deploys.all();
        let wanted = all.iter().rev().filter(is_wanted);
        let listed: Vec<Value> = wanted.take(LISTED_MAX).map(deploy_json).collect();
        json!({ "deploys": listed })
    })
    .await
}

pub(super) fn deploy_json(deploy: &Deploy) -> Value {
    json!({
        "service": deploy.service,
        "namespace": deploy.namespace,
        "version": deploy.version,
        "at": deploy.at.to_string(),
        "environment": deploy.environment,
        "url": deploy.url,
    })
}

/// The newest that are told at once.
const LISTED_MAX: usize = 1_000;
