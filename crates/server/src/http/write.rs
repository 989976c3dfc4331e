//! Remote write 1 and 2: `POST /api/v1/write`.
//!
//! *Sources*: Prometheus's remote-write specifications 1.0 and 2.0;
//! `storage/remote/write_handler.go`.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use firebell_model::{
    Labels, METRIC_NAME, METRIC_TYPE, METRIC_UNIT, Metadata, MetricKind, Timestamp,
};
use firebell_wire::histogram::empty_of;
use firebell_wire::remote_write::{
    DECODED_BYTES_MAX, RemoteWriteError, WriteRequest, WriteVersion, WrittenSeries,
};
use firebell_wire::remote_write2;

use super::App;
use super::intake::{Intake, Stored};
use crate::flags::{TYPE_LABELS, ZERO_AT_CREATION};

/// Takes samples in. What is good of a request is stored even when some of it is refused; the
/// sender must then not send it again (400). When nothing could be stored it should (503).
pub(super) async fn remote_write(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    app.metrics.remote_write_requests.inc();
    let version = match version(&headers) {
        Ok(version) => version,
        Err(why) => return (StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into_response(),
    };
    let result = tokio::task::spawn_blocking(move || store(&app, version, &body)).await;
    result.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

fn version(headers: &HeaderMap) -> Result<WriteVersion, String> {
    let get = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let encoding = get(header::CONTENT_ENCODING);
    if !encoding.is_empty() && !encoding.eq_ignore_ascii_case("snappy") {
        return Err(format!(
            "the body is encoded as `{encoding}`; remote write wants `snappy`\n"
        ));
    }
    let kind = get(header::CONTENT_TYPE);
    WriteVersion::of_content_type(kind).ok_or_else(|| {
        format!(
            "the body is of type `{kind}`; remote write wants application/x-protobuf, with proto= \
             prometheus.WriteRequest or io.prometheus.write.v2.Request\n"
        )
    })
}

fn store(app: &App, version: WriteVersion, body: &[u8]) -> Response {
    let mut intake = Intake::default();
    let read = match version {
        WriteVersion::One => read_one(app, body, &mut intake),
        WriteVersion::Two => read_two(app, body, &mut intake),
    };
    let is_two = version == WriteVersion::Two;
    if let Err(error) = read {
        let response = (status_of(&error), format!("{error}\n")).into_response();
        return if is_two {
            with_counts(response, [0; 3])
        } else {
            response
        };
    }
    let (response, counts) = match intake.store(app) {
        Err(error) => {
            let why = format!("the request is not sure to be stored: {error}\n");
            let response = (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
            (response, [0; 3])
        }
        Ok(stored) => answer(&stored),
    };
    if is_two {
        with_counts(response, counts)
    } else {
        response
    }
}

fn answer(stored: &Stored) -> (Response, [u64; 3]) {
    let response = if stored.problems.is_empty() {
        StatusCode::NO_CONTENT.into_response()
    } else {
        let why = format!("{}\n", stored.problems.join("; "));
        (StatusCode::BAD_REQUEST, why).into_response()
    };
    (
        response,
        [stored.samples, stored.histograms, stored.exemplars],
    )
}

/// Remote write 2 tells its sender how much was stored, also when something was refused.
fn with_counts(mut response: Response, counts: [u64; 3]) -> Response {
    for (name, count) in COUNT_HEADERS.into_iter().zip(counts) {
        response.headers_mut().insert(name, count.into());
    }
    response
}

fn status_of(error: &RemoteWriteError) -> StatusCode {
    match error {
        RemoteWriteError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        RemoteWriteError::Snappy(_) | RemoteWriteError::Protobuf(_) => StatusCode::BAD_REQUEST,
    }
}

fn read_one(app: &App, body: &[u8], intake: &mut Intake) -> Result<(), RemoteWriteError> {
    let request = WriteRequest::decode(body, DECODED_BYTES_MAX)?;
    let mut reader = request.series();
    while let Some(series) = reader.next_series()? {
        take(app, &series, intake);
    }
    for (metric, metadata) in reader.metadata() {
        intake.batch.set_metadata(metric, metadata.clone());
    }
    Ok(())
}

fn read_two(app: &App, body: &[u8], intake: &mut Intake) -> Result<(), RemoteWriteError> {
    let request = WriteRequest::decode(body, DECODED_BYTES_MAX)?;
    let mut reader = remote_write2::SeriesReader::new(&request)?;
    // Series of a metric most often follow each other, and say the same of it.
    let mut last_said = None;
    while let Some(series) = reader.next_series()? {
        if let Some(metadata) = series.metadata {
            let metric = series.pairs.iter().find(|pair| pair.0 == METRIC_NAME);
            let metric = metric.map_or("", |pair| pair.1);
            let said = (metric, metadata.clone());
            if !metric.is_empty() && last_said.as_ref() != Some(&said) {
                intake.batch.set_metadata(metric, said.1.clone());
                last_said = Some(said);
            }
        }
        if series.is_empty() {
            intake.refuse(format!(
                "TimeSeries must contain at least one sample or histogram for series {}",
                series.text()
            ));
            continue;
        }
        take(app, &series, intake);
    }
    Ok(())
}

fn take(app: &App, series: &WrittenSeries<'_, '_>, intake: &mut Intake) {
    // What is in the store was found to be fine when it came.
    let said = series.metadata.filter(|said| is_label(app, said));
    let is_in_order = said.is_none() && series.pairs.is_sorted_by(|a, b| a.0 < b.0);
    let known = is_in_order.then(|| app.store.find(series.pairs)).flatten();
    let labels = known.map_or_else(|| series.labels(), Ok);
    match labels.map(|labels| typed(labels, said)) {
        Ok(labels) => {
            let (samples, histograms) = (series.samples, series.histograms);
            if let Some(created) = series.created.filter(|_| stores_beginnings(app)) {
                begin(app, series, (&labels, created), intake);
            }
            intake.add(labels, samples, histograms, series.exemplars);
            for why in series.invalid_histograms {
                intake.refuse(format!("series `{}`: {why}", series.text()));
            }
        }
        Err(error) => intake.refuse(error.to_string()),
    }
}

/// Whether what is said of a metric is to be in labels.
fn is_label(app: &App, said: &Metadata) -> bool {
    let is_known = said.kind != MetricKind::Unknown || !said.unit.is_empty();
    is_known && app.flags.has_feature(TYPE_LABELS)
}

/// Labels that say what their metric is, in place of what they said of that.
fn typed(labels: Labels, said: Option<&Metadata>) -> Labels {
    let Some(said) = said else {
        return labels;
    };
    let mut labels = labels.to_builder();
    labels.remove(METRIC_TYPE).remove(METRIC_UNIT);
    said.set_labels(&mut labels);
    labels.build()
}

fn stores_beginnings(app: &App) -> bool {
    app.flags.has_feature(ZERO_AT_CREATION)
}

/// Takes when a series began that has something later.
fn begin(
    app: &App,
    series: &WrittenSeries<'_, '_>,
    (labels, created): (&Labels, Timestamp),
    intake: &mut Intake,
) {
    if series
        .samples
        .first()
        .is_some_and(|first| created < first.at)
    {
        intake.begin(&app.store, labels.clone(), created, None);
    } else if let Some(first) = series.histograms.first()
        && created < first.at
    {
        let empty = empty_of(&first.histogram);
        intake.begin(&app.store, labels.clone(), created, Some(empty));
    }
}

/// What remote write 2 answers with: samples, native histograms and exemplars that were stored.
const COUNT_HEADERS: [&str; 3] = [
    "x-prometheus-remote-write-samples-written",
    "x-prometheus-remote-write-histograms-written",
    "x-prometheus-remote-write-exemplars-written",
];

#[cfg(test)]
mod tests {
    use firebell_model::{Duration, Sample};
    use firebell_tsdb::AHEAD_MAX;
    use firebell_wire::source::write_request;

    use super::*;
    use crate::flags::Flags;
    use crate::serve::{Options, Server};

    async fn start() -> (Server, tempfile::TempDir) {
        // A second installation fails, and changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            config_file: None,
            listen: Some(([127, 0, 0, 1], 0).into()),
            data_dir: folder.path().join("data"),
            external_url: None,
            flags: Flags::default(),
        };
        (Server::start(&options).await.unwrap(), folder)
    }

    /// Status and text of the answer to a body.
    async fn send(server: &Server, body: Vec<u8>) -> (u16, String) {
        let url = format!("http://{}/api/v1/write", server.address);
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = client.post(url).body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.text().await.unwrap())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn samples_of_the_future_are_refused() {
        let (server, _folder) = start().await;
        let ahead = "out of bounds: timestamp is too far in the future (1 times)\n";
        for (after, expected) in [
            (AHEAD_MAX - Duration::from_mins(1), (204, "")),
            (AHEAD_MAX + Duration::from_mins(1), (400, ahead)),
            (Duration(i64::MAX), (400, ahead)),
        ] {
            let at = server.app.clock.now() + after;
            let labels = Labels::from_pairs([("__name__", "x")]);
            let body = write_request(&[(labels, Sample { at, value: 1.0 })]);
            let (status, text) = send(&server, body).await;
            assert_eq!((status, &*text), expected, "{after:?}");
        }
        server.stop().await.unwrap();
    }

    #[test]
    fn what_a_metric_is_said_to_be_stands_in_place_of_labels_that_say_so() {
        let labels = Labels::from_pairs([("__name__", "a"), ("__type__", "x"), ("__unit__", "y")]);
        let said = Metadata {
            kind: MetricKind::Counter,
            ..Metadata::default()
        };
        let typed = |said| typed(labels.clone(), said).to_string();
        assert_eq!(typed(Some(&said)), r#"a{__type__="counter"}"#);
        assert_eq!(typed(None), r#"a{__type__="x", __unit__="y"}"#);
    }

    #[test]
    fn the_content_type_says_which_version_it_is() {
        for (kind, encoding, expected) in [
            ("", "", Some(WriteVersion::One)),
            ("application/x-protobuf", "snappy", Some(WriteVersion::One)),
            (
                "application/x-protobuf;proto=io.prometheus.write.v2.Request",
                "snappy",
                Some(WriteVersion::Two),
            ),
            ("application/x-protobuf;proto=other", "snappy", None),
            ("application/x-protobuf", "SNAPPY", Some(WriteVersion::One)),
            ("application/x-protobuf", "gzip", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
            headers.insert(header::CONTENT_ENCODING, encoding.parse().unwrap());
            assert_eq!(version(&headers).ok(), expected, "{kind} {encoding}");
        }
    }
}
