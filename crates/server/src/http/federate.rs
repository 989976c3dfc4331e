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
use firebell_wire::prometheus_json::{ApiError, ErrorKind, PIECE_BYTES, Pieces};

use super::prometheus::{Job, compute_with, selector};
use super::streamed::streamed;
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
        let latest = latest(job, &selectors, now)?;
        let pieces = pieces(latest, &external, wanted);
        Ok(streamed(&wanted.content_type(), pieces))
    });
    match written.await {
        Ok(answer) => answer,
        Err(error) => {
            let status = StatusCode::from_u16(error.kind.status());
            let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, format!("{error}\n")).into_response()
        }
    }
}

/// The newest values, by name first: a family has to stand together.
type Latest = BTreeMap<(String, Labels), (Timestamp, Point)>;

fn latest(job: &Job<'_>, selectors: &[Vec<Matcher>], now: Timestamp) -> Result<Latest, ApiError> {
    let range = TimeRange {
        after: now - job.options.lookback,
        until: now,
    };
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
    Ok(latest)
}

/// Writes values as they are read.
fn pieces(latest: Latest, external: &Labels, wanted: Negotiated) -> Pieces {
    let extra = external.iter();
    let extra = extra.map(|it| (it.name.to_string(), it.value.to_string()));
    let mut extra: BTreeMap<String, String> = extra.collect();
    // What has no instance must not get that of this Firebell.
    extra.entry("instance".to_owned()).or_default();
    let mut latest = latest.into_iter();
    let mut writer = Some(Writer::new(wanted));
    Box::new(std::iter::from_fn(move || {
        let open = writer.as_mut()?;
        let extra: Vec<(&str, &str)> = extra.iter().map(|(a, b)| (&**a, &**b)).collect();
        while open.n_bytes() < PIECE_BYTES {
            let Some(((_, labels), (at, point))) = latest.next() else {
                return writer.take().map(Writer::finish);
            };
            open.point(&labels, &extra, at, &point);
        }
        Some(open.take())
    }))
}

/// One of the two formats.
enum Writer {
    Text(TextWriter),
    Families(FamilyWriter),
}

impl Writer {
    fn new(wanted: Negotiated) -> Self {
        match wanted.is_protobuf {
            true => Self::Families(FamilyWriter::new(wanted.escaping)),
            false => Self::Text(TextWriter::new(wanted.escaping)),
        }
    }

    fn point(&mut self, labels: &Labels, extra: &[(&str, &str)], at: Timestamp, point: &Point) {
        match (self, point) {
            (Self::Families(writer), point) => writer.point(labels, extra, (at, point)),
            (Self::Text(writer), &Point::Float(value)) => {
                writer.sample(labels, extra, Sample { at, value });
            }
            // The text has no form for native histograms: they are left out, as upstream.
            (Self::Text(_), Point::Histogram(_)) => {}
        }
    }

    fn n_bytes(&self) -> usize {
        match self {
            Self::Text(writer) => writer.n_bytes(),
            Self::Families(writer) => writer.n_bytes(),
        }
    }

    fn take(&mut self) -> Vec<u8> {
        match self {
            Self::Text(writer) => writer.take().into_bytes(),
            Self::Families(writer) => writer.take(),
        }
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Text(mut writer) => writer.take().into_bytes(),
            Self::Families(writer) => writer.finish(),
        }
    }
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
