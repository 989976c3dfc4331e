//! Remote write 1: `POST /api/v1/write`.
//!
//! *Sources*: Prometheus's remote-write specification 1.0; `storage/remote/write_handler.go`.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use firebell_tsdb::{AppendReport, Batch};
use firebell_wire::remote_write::{DECODED_BYTES_MAX, RemoteWriteError, WriteRequest};

use super::App;

/// Takes samples in. What is good of a request is stored even when some of it is refused; the
/// sender must then not send it again (400). When nothing could be stored it should (503).
pub(super) async fn remote_write(
    State(app): State<App>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    app.metrics.remote_write_requests.inc();
    if let Err(why) = check_headers(&headers) {
        return (StatusCode::UNSUPPORTED_MEDIA_TYPE, why).into_response();
    }
    let result = tokio::task::spawn_blocking(move || store(&app, &body)).await;
    result.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

fn check_headers(headers: &HeaderMap) -> Result<(), String> {
    let get = |name| {
        headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let encoding = get(header::CONTENT_ENCODING);
    if !encoding.is_empty() && encoding != "snappy" {
        return Err(format!(
            "the body is encoded as `{encoding}`; remote write wants `snappy`\n"
        ));
    }
    let kind = get(header::CONTENT_TYPE);
    if kind.contains("proto=io.prometheus.write.v2") {
        return Err(
            "remote write 2 is not supported yet; send prometheus.WriteRequest (1.0)\n".to_owned(),
        );
    }
    let is_protobuf = kind.is_empty() || kind.starts_with("application/x-protobuf");
    if is_protobuf {
        Ok(())
    } else {
        Err(format!(
            "the body is of type `{kind}`; remote write wants application/x-protobuf\n"
        ))
    }
}

fn store(app: &App, body: &[u8]) -> Response {
    let read = match read(body) {
        Ok(read) => read,
        Err(error) => return (status_of(&error), format!("{error}\n")).into_response(),
    };
    let report = match app.store.append(&read.batch) {
        Ok(report) => report,
        Err(error) => {
            let why = format!("nothing of the request was stored: {error}\n");
            return (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
        }
    };
    app.metrics.count_append(&report);
    app.metrics
        .remote_write_histograms_dropped
        .inc_by(read.n_histograms);
    let mut problems = problems(&report, &read.invalid);
    if report.over_limit > 0 {
        problems.push(app.store.too_many_series().to_string());
    }
    if problems.is_empty() {
        StatusCode::NO_CONTENT.into_response()
    } else {
        (
            StatusCode::BAD_REQUEST,
            format!("{}\n", problems.join("; ")),
        )
            .into_response()
    }
}

fn status_of(error: &RemoteWriteError) -> StatusCode {
    match error {
        RemoteWriteError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        RemoteWriteError::Snappy(_) | RemoteWriteError::Protobuf(_) => StatusCode::BAD_REQUEST,
    }
}

/// What a request holds.
struct Read {
    batch: Batch,
    invalid: Vec<String>,
    n_histograms: u64,
}

fn read(body: &[u8]) -> Result<Read, RemoteWriteError> {
    let request = WriteRequest::decode(body, DECODED_BYTES_MAX)?;
    let mut read = Read {
        batch: Batch::default(),
        invalid: Vec::new(),
        n_histograms: 0,
    };
    let mut reader = request.series();
    while let Some(series) = reader.next_series()? {
        read.n_histograms += series.n_histograms as u64;
        match series.labels() {
            Ok(labels) => read.batch.add(labels, series.samples),
            Err(error) => read.invalid.push(error.to_string()),
        }
    }
    Ok(read)
}

fn problems(report: &AppendReport, invalid: &[String]) -> Vec<String> {
    let mut problems: Vec<String> = invalid.iter().take(PROBLEMS_SHOWN).cloned().collect();
    if invalid.len() > PROBLEMS_SHOWN {
        problems.push(format!(
            "{} more invalid series",
            invalid.len() - PROBLEMS_SHOWN
        ));
    }
    let refused = [
        (report.out_of_order, "out of order sample"),
        (
            report.duplicate_different_value,
            "duplicate sample for timestamp",
        ),
        (report.too_old, "too old sample"),
    ];
    let refused = refused.iter().filter(|(n, _)| *n > 0);
    problems.extend(refused.map(|(n, what)| format!("{what} ({n} times)")));
    problems
}

/// Invalid series that an answer names.
const PROBLEMS_SHOWN: usize = 10;
