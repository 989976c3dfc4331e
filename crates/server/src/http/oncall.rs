//! Who is on call, over HTTP.

mod calendar;
pub(super) mod changes;
mod set;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use firebell_oncall::Oncall;
use firebell_wire::params::Params;
use firebell_wire::prometheus_json::{ApiError, ErrorKind};
use serde::Serialize;

use super::{App, may_wait, params};
use crate::oncall::{OncallError, ShiftsAsked, oncall_at, oncall_calendar, oncall_shifts};

/// `GET /api/firebell/v1/oncall`.
pub(super) async fn now(State(app): State<App>, uri: Uri) -> Response {
    let (now, links) = (app.clock.now(), app.links.clone());
    let said = asked(&app, &uri, move |oncall, params| {
        let is_verified = |person: &_, contact: &_| links.is_verified(person, contact);
        oncall_at(oncall, params.get("at"), now, Some(&is_verified)).map(as_json)
    });
    said.await.unwrap_or_else(|it| it)
}

/// `GET /api/firebell/v1/oncall/shifts`.
pub(super) async fn shifts(State(app): State<App>, uri: Uri) -> Response {
    let now = app.clock.now();
    let said = asked(&app, &uri, move |oncall, params| {
        let asked = ShiftsAsked {
            schedule: params.get("schedule"),
            from: params.get("from"),
            to: params.get("to"),
            days: params.get("days"),
        };
        oncall_shifts(oncall, asked, now).map(as_json)
    });
    said.await.unwrap_or_else(|it| it)
}

/// `GET /api/firebell/v1/oncall/calendar.ics`.
pub(super) async fn calendar(State(app): State<App>, uri: Uri) -> Response {
    let times = (app.clock.now(), app.live.loaded_at());
    let said = asked(&app, &uri, move |oncall, params| {
        oncall_calendar(oncall, params.get("schedule"), params.get("person"), times)
    });
    let kind = "text/calendar; charset=utf-8";
    let shown = |text| ([(header::CONTENT_TYPE, kind)], text).into_response();
    said.await.map_or_else(|it| it, shown)
}

fn as_json(value: impl Serialize) -> Response {
    Json(value).into_response()
}

/// Computes an answer where that may take its time; the error is what is answered instead.
async fn asked<T: Send + 'static>(
    app: &App,
    uri: &Uri,
    answer: impl FnOnce(&Oncall, &Params) -> Result<T, OncallError> + Send + 'static,
) -> Result<T, Response> {
    let (config, params) = (app.live.config(), params(uri, &Bytes::new()));
    let said = may_wait(move || answer(&config.oncall.oncall, &params)).await;
    said.ok_or_else(super::stopped)?.map_err(|error| {
        let kind = match &error {
            OncallError::Unknown(_) => ErrorKind::NotFound,
            OncallError::Bad(_) => ErrorKind::BadData,
        };
        let error = ApiError::new(kind, error.to_string());
        super::json(error.kind.status(), error.to_json())
    })
}
