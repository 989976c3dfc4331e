//! Which alerts of rules fired over a time, as `ALERTS` in the store says.

use std::fmt::Write as _;

use firebell_model::{
    Duration, Labels, METRIC_NAME, Matcher, Quoted, Timestamp, is_valid_label_name,
};
use firebell_promql::Value;
use firebell_wire::prometheus_json::ApiError;
use serde::Serialize;

use super::compute::compute_with;
use super::query::{Kind, failed, prepare};
use crate::http::App;

/// An alert that fired, as often as a look each [`STEP`] finds.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::http) struct Fired {
    pub labels: Labels,
    /// How often it began.
    times: usize,
    /// How long in all, such as `2h35m`.
    fired_for: String,
    first_at: String,
    last_at: String,
}

/// The alerts with these labels, those that fired longest first.
pub(in crate::http) async fn fired(
    app: &App,
    matchers: &[Matcher],
    start: Timestamp,
    end: Timestamp,
) -> Result<Vec<Fired>, ApiError> {
    // No alert has such a label, and the query would ask for another metric.
    if matchers.iter().any(|it| it.name() == METRIC_NAME) {
        return Ok(Vec::new());
    }
    let query = query_for(matchers);
    let features = app.promql();
    let found = compute_with(app, None, move |job| {
        let mut prepared = prepare(&query, features, Kind::Range)?;
        let value = prepared.range(job.source, start, end, STEP, &job.options);
        let Value::Matrix(series) = value.map_err(failed)? else {
            return Ok(axum::Json(Vec::new()));
        };
        let mut found: Vec<(usize, Fired)> = Vec::new();
        for one in &series {
            let moments: Vec<Timestamp> = one.samples.iter().map(|sample| sample.at).collect();
            found.extend(of_series(&one.labels, &moments));
        }
        found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.labels.cmp(&b.1.labels)));
        Ok(axum::Json(
            found.into_iter().map(|(_, fired)| fired).collect(),
        ))
    });
    found.await.map(|axum::Json(found)| found)
}

fn query_for(matchers: &[Matcher]) -> String {
    let mut query = "ALERTS{alertstate=\"firing\"".to_owned();
    for matcher in matchers {
        let (name, op, value) = (matcher.name(), matcher.op(), matcher.value());
        // Writing to a string does not fail.
        let _ = match is_valid_label_name(name) {
            true => write!(query, ",{name}{op}{}", Quoted(value)),
            false => write!(query, ",{}{op}{}", Quoted(name), Quoted(value)),
        };
    }
    query.push('}');
    query
}

fn of_series(labels: &Labels, moments: &[Timestamp]) -> Option<(usize, Fired)> {
    let (first, last) = (moments.first()?, moments.last()?);
    let pairs = moments.iter().zip(moments.iter().skip(1));
    let pauses = pairs.filter(|(before, after)| **after - **before > STEP);
    let fired = Fired {
        labels: labels.filter(|name| !matches!(name, "__name__" | "alertstate")),
        times: pauses.count() + 1,
        fired_for: (STEP * moments.len() as i64).to_string(),
        first_at: first.to_string(),
        last_at: last.to_string(),
    };
    Some((moments.len(), fired))
}

/// So often the store is looked at: 30 days have fewer points then than a query may have.
pub(in crate::http) const STEP: Duration = Duration::from_mins(5);
