//! `/admin/tsdb/…`: deletes and snapshots, where the operator has asked for them.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use axum::routing::post;
use firebell_wire::prometheus_json::{ApiError, ErrorKind, time_range};

use super::{bad_data, refused, selector};
use crate::http::{App, params};

/// Adds the routes.
pub(super) fn routes(router: Router<App>) -> Router<App> {
    router
        .route("/admin/tsdb/delete_series", post(delete).put(delete))
        .route("/admin/tsdb/clean_tombstones", post(clean).put(clean))
        .route("/admin/tsdb/snapshot", post(snapshot).put(snapshot))
}

/// An error unless the operator has asked for this API.
fn allowed(app: &App) -> Result<(), ApiError> {
    match app.flags.has_admin_api {
        true => Ok(()),
        false => Err(ApiError::new(ErrorKind::Unavailable, "admin APIs disabled")),
    }
}

async fn delete(State(app): State<App>, uri: Uri, body: Bytes) -> Response {
    let params = params(&uri, &body);
    let check = || {
        allowed(&app)?;
        if params.all("match[]").next().is_none() {
            return Err(bad_data("no match[] parameter provided"));
        }
        let _range = time_range(&params)?;
        for text in params.all("match[]") {
            selector(text)
                .map_err(|why| bad_data(format!("invalid parameter \"match[]\": {why}")))?;
        }
        Err(not_yet("deleting series"))
    };
    answer_or(check())
}

async fn clean(State(app): State<App>) -> Response {
    answer_or(allowed(&app).and_then(|()| Err(not_yet("cleaning tombstones"))))
}

async fn snapshot(State(app): State<App>) -> Response {
    answer_or(allowed(&app).and_then(|()| Err(not_yet("a snapshot"))))
}

fn not_yet(what: &str) -> ApiError {
    ApiError::new(ErrorKind::Internal, format!("{what} is not supported yet"))
}

fn answer_or(result: Result<Response, ApiError>) -> Response {
    result.unwrap_or_else(|error| refused(&error))
}
