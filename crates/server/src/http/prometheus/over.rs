//! An expression over a time, for what is not asked by a query.

use firebell_model::{Duration, Timestamp};
use firebell_promql::{MatrixSeries, Value};
use firebell_wire::prometheus_json::ApiError;

use super::compute::compute_with;
use super::query::{Kind, failed, prepare};
use crate::http::App;

/// What an expression is from the first moment to the second, a value each step; like a query it
/// waits for its turn, and has as long as one.
pub(in crate::http) async fn over(
    app: &App,
    expr: &str,
    (from, to, step): (Timestamp, Timestamp, Duration),
) -> Result<Vec<MatrixSeries>, ApiError> {
    let (features, expr) = (app.promql(), expr.to_owned());
    let (answer, answered) = tokio::sync::oneshot::channel();
    compute_with(app, None, move |job| {
        let mut prepared = prepare(&expr, features, Kind::Range)?;
        let value = prepared.range(job.source, from, to, step, &job.options);
        let series = match value.map_err(failed)? {
            Value::Matrix(series) => series,
            _ => Vec::new(),
        };
        // Whoever waits for the computation waits for this.
        let _ = answer.send(series);
        Ok(())
    })
    .await?;
    Ok(answered.await.unwrap_or_default())
}
