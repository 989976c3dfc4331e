//! People's queries when the series are in a cluster: passed on as they are, within limits.
//!
//! *Limits*: [`FORM_BYTES_MAX`] of a request, [`ANSWER_BYTES_MAX`] of an answer and
//! [`ANSWERS_BYTES_MAX`] of all that are read or written at the same time, the time of the
//! configuration, and as many queries at a time as are computed here.

mod held;
#[cfg(test)]
mod tests;

use axum::body::to_bytes;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use firebell_config::ExternalSource;
use firebell_wire::prometheus_json::{ApiError, ErrorKind};
use firebell_wire::source::{AnswerError, check_answer};

use self::held::{Room, held};
use super::{ASIDE_BYTES, App, json, may_wait};
use crate::external::{address, foreign, is_json, params};
use crate::http_client::{self, BodyError};

/// Answers what the cluster can answer, when there is one; else passes on to the handlers here.
pub(super) async fn forward(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some(source) = app.live.config().source.clone() else {
        return next.run(request).await;
    };
    let is_reading = matches!(*request.method(), Method::GET | Method::HEAD | Method::POST);
    if !is_reading || !is_forwarded(request.uri().path()) {
        return next.run(request).await;
    }
    ask(&app, &source, request)
        .await
        .unwrap_or_else(|error| json(error.kind.status(), error.to_json()))
}

/// Whether a request is about series.
fn is_forwarded(path: &str) -> bool {
    let Some(name) = path.strip_prefix("/api/v1/") else {
        return false;
    };
    let label = name.strip_prefix("label/");
    let label = label.and_then(|rest| rest.strip_suffix("/values"));
    FORWARDED.contains(&name) || label.is_some_and(|label| !label.contains('/'))
}

async fn ask(app: &App, source: &ExternalSource, request: Request) -> Result<Response, ApiError> {
    let Ok(_slot) =
        tokio::time::timeout(source.timeout.to_std(), app.slots.queries.acquire()).await
    else {
        let message = "query timed out in query queue";
        return Err(ApiError::new(ErrorKind::Timeout, message));
    };
    let response = pass_on(app, source, request).await?;
    let (status, is_json) = (response.status(), is_json(&response));
    let mut room = Room::new(&app.slots.answers);
    let has_room = |n_bytes| room.reaches(n_bytes);
    let body = http_client::body_within(response, ANSWER_BYTES_MAX, has_room).await;
    let body = body.map_err(unread)?;
    if !is_json {
        let from = address(source);
        return Err(unavailable(format!("{from}: {}", foreign(status, &body))));
    }
    let (body, checked) = checked(body).await?;
    if let Err(error) = checked {
        let (from, said) = (address(source), foreign(status, &body));
        return Err(unavailable(format!("{from}: {error}: {said}")));
    }
    Ok(answer(status, body, room))
}

/// Sends a request as it came; returns the head of what is answered.
async fn pass_on(
    app: &App,
    source: &ExternalSource,
    request: Request,
) -> Result<reqwest::Response, ApiError> {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, FORM_BYTES_MAX).await.map_err(|_| {
        let message = format!("the form is longer than {FORM_BYTES_MAX} bytes");
        ApiError::new(ErrorKind::BadData, message)
    })?;
    let kind = head.headers.get(header::CONTENT_TYPE).cloned();
    let mut url = format!("{}{}", source.url.reveal(), head.uri.path());
    let query = head.uri.query().unwrap_or_default();
    url.push('?');
    url.push_str(query);
    url.push_str(&params(source));
    // Clusters refuse HEAD, which is answered here wherever GET is: without the body.
    let method = match head.method {
        Method::HEAD => Method::GET,
        other => other,
    };
    let request = app.external.client().request(source, method, &url);
    let mut request = request.map_err(unavailable)?;
    if let Some(kind) = kind {
        request = request.header(header::CONTENT_TYPE, kind);
    }
    let response = request.body(body).send().await;
    response.map_err(|error| match error.is_timeout() {
        true => late(),
        false => unavailable(http_client::why(&error.without_url())),
    })
}

/// A body with what is wrong with it as an answer of the API: proxies and clusters that break off
/// send others with a status and a type as if all were well.
async fn checked(body: Vec<u8>) -> Result<(Vec<u8>, Result<(), AnswerError>), ApiError> {
    let takes_time = body.len() > ASIDE_BYTES;
    let check = move || {
        let checked = check_answer(&body);
        (body, checked)
    };
    if !takes_time {
        return Ok(check());
    }
    let checked = may_wait(check).await;
    checked.ok_or_else(|| ApiError::new(ErrorKind::Unavailable, "firebell is shutting down"))
}

/// An answer that was not read to its end.
fn unread(error: BodyError) -> ApiError {
    match error {
        BodyError::NoRoom => {
            let message = "the answers of the source that are being read are too large together: \
                           ask again later, or for less";
            ApiError::new(ErrorKind::Unavailable, message)
        }
        BodyError::TooLong(_) => ApiError::new(ErrorKind::Execution, error.to_string()),
        BodyError::Late(_) => late(),
        BodyError::Broken(why) => unavailable(why),
    }
}

fn late() -> ApiError {
    ApiError::new(ErrorKind::Timeout, "the source did not answer in time")
}

fn unavailable(why: String) -> ApiError {
    let message = format!("failed to query the source: {why}");
    ApiError::new(ErrorKind::Unavailable, message)
}

fn answer(status: StatusCode, body: Vec<u8>, room: Room) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (status, kind, held(body, room)).into_response()
}

/// Below `/api/v1/`, besides `label/NAME/values`. What needs no series, such as `format_query`, which
/// not all clusters know, is answered here.
const FORWARDED: [&str; 6] = [
    "query",
    "query_range",
    "query_exemplars",
    "series",
    "labels",
    "metadata",
];
const FORM_BYTES_MAX: usize = 10 << 20;
const ANSWER_BYTES_MAX: usize = 128 << 20;
/// Who asks and does not read makes others go without large answers, and takes no more memory.
pub(super) const ANSWERS_BYTES_MAX: usize = 256 << 20;
