//! `/query_exemplars`.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use firebell_wire::params::Params;
use firebell_wire::prometheus_json::{ApiError, Success, time_range};

use super::{answer, bad_data, refused};
use crate::http::{App, params};

/// The store keeps no exemplars yet: what is asked is checked, and nothing found.
pub(super) async fn query(State(_app): State<App>, uri: Uri, body: Bytes) -> Response {
    match selects(&params(&uri, &body)) {
        Ok(true) => answer(Ok(Success::new([(); 0]))),
        // As upstream, which has nothing to say to an expression without series.
        Ok(false) => StatusCode::NO_CONTENT.into_response(),
        Err(error) => refused(&error),
    }
}

/// Whether the expression selects any series at all.
fn selects(params: &Params) -> Result<bool, ApiError> {
    let (start, end) = time_range(params)?;
    if end < start {
        return Err(bad_data("end timestamp must not be before start timestamp"));
    }
    let query = params.get("query").unwrap_or("");
    let expr = firebell_promql::parse(query).map_err(|error| bad_data(error.to_string()))?;
    Ok(!expr.selectors().is_empty())
}
