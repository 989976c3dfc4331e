//! `/api/firebell/v1/rules/preview`: what a rule would have done, before it is one.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use firebell_model::{Duration, Labels, Timestamp};
use firebell_promql::Value;
use firebell_rules::{Firing, PreviewGrid, firings};
use firebell_wire::params::Params;
use firebell_wire::prometheus_json::{ApiError, RangeQuery, Success};
use serde::Serialize;

use super::compute::compute;
use super::query::{Kind, failed, prepare};
use super::{Answer, bad_data, refused};
use crate::http::{App, params};

/// `query`, `for` and `keep_firing_for` as in a rule; `start`, `end` and `step` as of a range query,
/// by default the last day at the evaluation interval.
pub(in crate::http) async fn preview(State(app): State<App>, uri: Uri, body: Bytes) -> Response {
    let asked = match Asked::parse(&app, &params(&uri, &body)) {
        Ok(asked) => asked,
        Err(error) => return refused(&error),
    };
    let (features, timeout) = (app.promql(), asked.range.settings.timeout);
    compute(&app, timeout, move |job| {
        let RangeQuery {
            query,
            start,
            end,
            step,
            ..
        } = &asked.range;
        let mut prepared = prepare(query, features, Kind::Range)?;
        let value = prepared.range(job.source, *start, *end, *step, &job.options);
        preview_of(&asked, value.map_err(failed)?)
    })
    .await
}

struct Asked {
    range: RangeQuery,
    hold_for: Duration,
    keep_firing_for: Duration,
}

impl Asked {
    fn parse(app: &App, params: &Params) -> Result<Self, ApiError> {
        let now = app.clock.now();
        let interval = app.live.config().evaluation_interval;
        let step = interval.max(STEP_MIN);
        let (start, end) = ((now - DEFAULT_RANGE).as_secs_f64(), now.as_secs_f64());
        let defaults = format!("start={start}&end={end}&step={step}");
        let range = RangeQuery::parse(&params.or(&defaults))?;
        let duration = |name: &str| match params.get(name) {
            None | Some("") => Ok(Duration::ZERO),
            Some(text) => text
                .parse()
                .map_err(|why| bad_data(format!("invalid parameter \"{name}\": {why}"))),
        };
        Ok(Self {
            hold_for: duration("for")?,
            keep_firing_for: duration("keep_firing_for")?,
            range,
        })
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Preview {
    start: String,
    end: String,
    step: String,
    /// Series of the result; each would be an alert.
    series: usize,
    /// Alerts that would have been pending and never fired.
    never_fired: usize,
    /// How often an alert would have begun to fire.
    fired: usize,
    /// In order of time; not all when there are very many.
    firings: Vec<FiringJson>,
}

#[derive(Serialize)]
struct FiringJson {
    labels: Labels,
    from: String,
    /// Absent while it fires at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
}

fn preview_of(asked: &Asked, value: Value) -> Answer<Preview> {
    let RangeQuery {
        start, end, step, ..
    } = asked.range;
    let grid = PreviewGrid {
        start,
        end,
        interval: step,
        hold_for: asked.hold_for,
        keep_firing_for: asked.keep_firing_for,
    };
    let Value::Matrix(series) = value else {
        return Err(bad_data("the expression gives no series".to_owned()));
    };
    let mut found: Vec<(Firing, &Labels)> = Vec::new();
    let mut never_fired = 0;
    for one in &series {
        let floats = one.samples.iter().map(|sample| sample.at);
        let histograms = one.histograms.iter().map(|sample| sample.at);
        let mut held: Vec<Timestamp> = floats.chain(histograms).collect();
        held.sort_unstable();
        let of_one = firings(grid, &held);
        never_fired += usize::from(of_one.is_empty());
        found.extend(of_one.into_iter().map(|firing| (firing, &one.labels)));
    }
    found.sort_by(|a, b| (a.0.from, a.1).cmp(&(b.0.from, b.1)));
    let shown = found.iter().take(FIRINGS_SHOWN_MAX);
    let shown = shown.map(|(firing, labels)| FiringJson {
        labels: (*labels).clone(),
        from: firing.from.to_string(),
        to: firing.to.map(|to| to.to_string()),
    });
    Ok(Success::new(Preview {
        start: start.to_string(),
        end: end.to_string(),
        step: step.to_string(),
        series: series.len(),
        never_fired,
        fired: found.len(),
        firings: shown.collect(),
    }))
}

const FIRINGS_SHOWN_MAX: usize = 1000;
const DEFAULT_RANGE: Duration = Duration::from_hours(24);
/// A day has fewer points then than a range query may have.
const STEP_MIN: Duration = Duration::from_secs(10);
