//! `/format_query` and `/parse_query`: expressions as text and as trees.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use firebell_promql::ParseError;
use firebell_wire::prometheus_json::{ApiError, Success};
use serde_json::value::RawValue;

use super::{answer, ast, bad_data};
use crate::http::{App, params};

pub(super) async fn format(State(app): State<App>, uri: Uri, body: Bytes) -> Response {
    let parsed = expression(&app, &uri, &body);
    answer(parsed.map(|expr| Success::new(firebell_promql::pretty(&expr))))
}

pub(super) async fn tree(State(app): State<App>, uri: Uri, body: Bytes) -> Response {
    let tree = expression(&app, &uri, &body).and_then(|expr| {
        let json = ast::json(&expr);
        RawValue::from_string(json).map_err(|error| bad_data(error.to_string()))
    });
    answer(tree.map(Success::new))
}

fn expression(app: &App, uri: &Uri, body: &Bytes) -> Result<firebell_promql::Expr, ApiError> {
    let params = params(uri, body);
    let query = params.get("query").unwrap_or("");
    firebell_promql::parse_with(query, app.promql()).map_err(|error| bad_query(&error))
}

/// An expression that cannot be read.
pub(super) fn bad_query(error: &ParseError) -> ApiError {
    bad_data(format!("invalid parameter \"query\": {error}"))
}
