//! `/query_exemplars`.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use firebell_model::{Duration, Matcher, TimeRange};
use firebell_wire::params::Params;
use firebell_wire::prometheus_json::{ApiError, SeriesExemplars, Success, time_range};

use super::compute::compute;
use super::{bad_data, refused};
use crate::http::{App, params};

pub(super) async fn query(State(app): State<App>, uri: Uri, body: Bytes) -> Response {
    let (selectors, range) = match asked(&params(&uri, &body)) {
        Ok(asked) => asked,
        Err(error) => return refused(&error),
    };
    if selectors.is_empty() {
        // As upstream, which has nothing to say to an expression without series.
        return StatusCode::NO_CONTENT.into_response();
    }
    let store = std::sync::Arc::clone(&app.store);
    compute(&app, None, move |_| {
        let found = store.exemplars(&selectors, range).into_iter();
        let found = found.map(|(labels, exemplars)| SeriesExemplars { labels, exemplars });
        Ok(Success::new(found.collect::<Vec<_>>()))
    })
    .await
}

/// The selectors of the expression, and when.
fn asked(params: &Params) -> Result<(Vec<Vec<Matcher>>, TimeRange), ApiError> {
    let (start, end) = time_range(params)?;
    if end < start {
        return Err(bad_data("end timestamp must not be before start timestamp"));
    }
    let query = params.get("query").unwrap_or("");
    let expr = firebell_promql::parse(query).map_err(|error| bad_data(error.to_string()))?;
    let selectors = expr.selectors().into_iter();
    let range = TimeRange {
        after: start - Duration(1),
        until: end,
    };
    Ok((
        selectors.map(|(it, _)| it.matchers.clone()).collect(),
        range,
    ))
}
