//! `/federate`: the latest samples of chosen series, for another Prometheus to scrape.
//!
//! *Sources*: Prometheus, `web/federate.go`, as behaviour.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use firebell_model::{Labels, Matcher, TimeRange, Timestamp, is_stale};
use firebell_wire::exposition::TextWriter;
use firebell_wire::prometheus_json::{ApiError, ErrorKind};

use super::prometheus::{Job, compute_with, selector};
use super::{App, params};

pub(super) async fn federate(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let params = params(&uri, &body);
    let selectors: Result<Vec<_>, _> = params.all("match[]").map(selector).collect();
    let selectors = match selectors {
        Ok(selectors) => selectors,
        Err(why) => return (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response(),
    };
    let accept = headers.get(header::ACCEPT);
    let accept = accept.and_then(|accept| accept.to_str().ok());
    let allows_utf8 = accept.is_some_and(|accept| accept.contains("escaping=allow-utf-8"));
    let external = app.live.config().external_labels.clone();
    let now = app.clock.now();
    let written = compute_with(&app, None, move |job| {
        write(job, &selectors, &external, now, allows_utf8)
    });
    let escaping = if allows_utf8 {
        "allow-utf-8"
    } else {
        "underscores"
    };
    let kind = format!("text/plain; version=0.0.4; charset=utf-8; escaping={escaping}");
    match written.await {
        Ok(text) => ([(header::CONTENT_TYPE, kind)], text).into_response(),
        Err(error) => {
            let status = StatusCode::from_u16(error.kind.status());
            let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, format!("{error}\n")).into_response()
        }
    }
}

fn write(
    job: &Job<'_>,
    selectors: &[Vec<Matcher>],
    external: &Labels,
    now: Timestamp,
    allows_utf8: bool,
) -> Result<String, ApiError> {
    let range = TimeRange {
        after: now - job.options.lookback,
        until: now,
    };
    let failed =
        |error: firebell_model::SourceError| ApiError::new(ErrorKind::Internal, error.to_string());
    // By name first: a family has to stand together.
    let mut latest = BTreeMap::new();
    for matchers in selectors {
        for series in job.source.select(matchers, range).map_err(failed)? {
            job.check()?;
            let Some(sample) = series.last_sample(range).map_err(failed)? else {
                continue;
            };
            if !is_stale(sample.value) {
                let labels = series.labels().clone();
                latest.insert((labels.metric_name().to_owned(), labels), sample);
            }
        }
    }
    let extra = external.iter().map(|it| (&*it.name, &*it.value));
    let mut extra: BTreeMap<&str, &str> = extra.collect();
    // What has no instance must not get that of this Firebell.
    extra.entry("instance").or_insert("");
    let extra: Vec<(&str, &str)> = extra.into_iter().collect();
    let mut writer = TextWriter::new(allows_utf8);
    for ((_, labels), sample) in latest {
        writer.sample(&labels, &extra, sample);
    }
    Ok(writer.finish())
}
