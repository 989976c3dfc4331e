//! `/federate`: the latest samples of chosen series, for another Prometheus to scrape.
//!
//! *Sources*: Prometheus, `web/federate.go`, as behaviour.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use firebell_model::{
    Histogram, Labels, Matcher, Sample, Series, SourceError, TimeRange, Timestamp, is_stale,
};
use firebell_wire::exposition::{FamilyWriter, Negotiated, Point, TextWriter};
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
    let wanted = Negotiated::of_accept(accept.unwrap_or_default());
    let external = app.live.config().external_labels.clone();
    let now = app.clock.now();
    let written = compute_with(&app, None, move |job| {
        write(job, &selectors, &external, now, wanted)
    });
    match written.await {
        Ok(body) => ([(header::CONTENT_TYPE, wanted.content_type())], body).into_response(),
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
    wanted: Negotiated,
) -> Result<Vec<u8>, ApiError> {
    let range = TimeRange {
        after: now - job.options.lookback,
        until: now,
    };
    // By name first: a family has to stand together.
    let mut latest = BTreeMap::new();
    for matchers in selectors {
        for series in job.source.select(matchers, range).map_err(failed)? {
            job.check()?;
            if let Some(point) = newest(&*series, range)? {
                let labels = series.labels().clone();
                latest.insert((labels.metric_name().to_owned(), labels), point);
            }
        }
    }
    let extra = external.iter().map(|it| (&*it.name, &*it.value));
    let mut extra: BTreeMap<&str, &str> = extra.collect();
    // What has no instance must not get that of this Firebell.
    extra.entry("instance").or_insert("");
    let extra: Vec<(&str, &str)> = extra.into_iter().collect();
    if wanted.is_protobuf {
        let mut writer = FamilyWriter::new(wanted.allows_utf8);
        for ((_, labels), (at, point)) in &latest {
            writer.point(labels, &extra, (*at, point));
        }
        return Ok(writer.finish());
    }
    let mut writer = TextWriter::new(wanted.allows_utf8);
    for ((_, labels), (at, point)) in &latest {
        // The text has no form for native histograms: they are left out, as upstream.
        if let Point::Float(value) = *point {
            writer.sample(labels, &extra, Sample { at: *at, value });
        }
    }
    Ok(writer.finish().into_bytes())
}

/// The newest value of a series, float or histogram; none where it ended.
fn newest(series: &dyn Series, range: TimeRange) -> Result<Option<(Timestamp, Point)>, ApiError> {
    let float = series.last_sample(range).map_err(failed)?;
    let mut histograms = Vec::new();
    if series.has_histograms() {
        series.histograms(range, &mut histograms).map_err(failed)?;
    }
    if let Some(last) = histograms.pop()
        && float.is_none_or(|float| float.at < last.at)
    {
        let point = Point::Histogram(Box::new(Histogram::clone(&last.histogram)));
        return Ok((!last.histogram.is_stale()).then_some((last.at, point)));
    }
    let float = float.filter(|it| !is_stale(it.value));
    Ok(float.map(|it| (it.at, Point::Float(it.value))))
}

fn failed(error: SourceError) -> ApiError {
    ApiError::new(ErrorKind::Internal, error.to_string())
}
