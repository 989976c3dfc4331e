//! OpenTelemetry: `POST /v1/metrics` (as upstream `/api/v1/otlp/v1/metrics`), `/v1/traces`,
//! `/v1/logs`, and gRPC.
//!
//! *Sources*: the OTLP specification 1.x; Prometheus, `storage/remote/write_handler.go`; "gRPC over
//! HTTP/2".

use std::borrow::Cow;
use std::convert::Infallible;
use std::io::Read as _;
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use firebell_config::{Otlp, OtlpNaming, OtlpPromotion};
use firebell_disk::LogError;
use firebell_model::Deploy;
use firebell_telemetry::{LogRecord, Span};
use firebell_tsdb::AHEAD_MAX;
use firebell_wire::otlp::{
    self, DECODED_BYTES_MAX, Deltas, Encoding, Item, Naming, Options, Promotion, Rejected, Signal,
    read_context,
};
use flate2::read::MultiGzDecoder;
use hyper::body::Frame;

use super::App;
use super::intake::Intake;
use crate::deploys;
use crate::flags::{Flags, TYPE_LABELS, ZERO_AT_CREATION};
use crate::heartbeats::of_records;
use crate::telemetry::Place;

/// All places at the root.
pub(super) fn routes() -> Router<App> {
    let grpc = |signal: &str, service: &str| {
        format!("/opentelemetry.proto.collector.{signal}.v1.{service}Service/Export")
    };
    Router::new()
        .route("/v1/metrics", post(export))
        .route("/v1/traces", post(export))
        .route("/v1/logs", post(export))
        .route(&grpc("metrics", "Metrics"), post(export_grpc))
        .route(&grpc("trace", "Trace"), post(export_grpc))
        .route(&grpc("logs", "Logs"), post(export_grpc))
}

/// What is sent to a path of these.
fn signal_of(path: &str) -> Signal {
    if path.ends_with("/v1/traces") || path.ends_with(".TraceService/Export") {
        Signal::Traces
    } else if path.ends_with("/v1/logs") || path.ends_with(".LogsService/Export") {
        Signal::Logs
    } else {
        Signal::Metrics
    }
}

/// Why nothing of a request was stored.
enum Failure {
    /// It cannot be read; the sender must not try again.
    Bad(String),
    /// It decompresses to too much.
    TooLarge,
    /// The store cannot take it now; the sender should try again.
    Unavailable(String),
    /// A bug.
    Internal,
}

/// Takes a signal over HTTP, in protobuf or JSON.
pub(super) async fn export(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let signal = signal_of(uri.path());
    let get = |name| text(&headers, name);
    let kind = get(header::CONTENT_TYPE);
    let Some(encoding) = Encoding::of_content_type(kind) else {
        let why = format!(
            "unsupported content type: {kind}, supported: [application/json, \
             application/x-protobuf]\n"
        );
        return (StatusCode::BAD_REQUEST, why).into_response();
    };
    let is_gzip = match get(header::CONTENT_ENCODING) {
        "gzip" => true,
        "" | "identity" => false,
        other => {
            let why = format!(
                "unsupported compression: {other}. Only \"gzip\" or no compression supported\n"
            );
            return (StatusCode::BAD_REQUEST, why).into_response();
        }
    };
    let (status, body) = match take(app, signal, body, is_gzip, encoding).await {
        Ok(rejected) => (StatusCode::OK, rejected.to_response(signal, encoding)),
        Err(failure) => {
            let (status, code, why) = failure.words();
            (status, Rejected::status(encoding, code, &why))
        }
    };
    let kind = encoding.content_type();
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}

/// Takes a signal over gRPC: one message in, one out.
async fn export_grpc(
    State(app): State<App>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !text(&headers, header::CONTENT_TYPE).starts_with("application/grpc") {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let signal = signal_of(uri.path());
    let encoding = text(&headers, HeaderName::from_static("grpc-encoding"));
    let result = match grpc_message(&body, encoding) {
        Ok((message, is_gzip)) => take(app, signal, message, is_gzip, Encoding::Protobuf).await,
        Err(why) => Err(Failure::Bad(why)),
    };
    match result {
        Ok(rejected) => {
            let message = rejected.to_response(signal, Encoding::Protobuf);
            let mut frame = vec![0];
            frame.extend((message.len() as u32).to_be_bytes());
            frame.extend(message);
            let body = Body::new(WithTrailers {
                data: Some(frame.into()),
                is_done: false,
            });
            ([(header::CONTENT_TYPE, GRPC)], body).into_response()
        }
        Err(failure) => {
            let (_, code, why) = failure.words();
            let why: String = why.chars().map(grpc_safe).collect();
            let mut response = ([(header::CONTENT_TYPE, GRPC)], ()).into_response();
            let headers = response.headers_mut();
            headers.insert(GRPC_STATUS, code.into());
            if let Ok(why) = HeaderValue::from_str(&why) {
                headers.insert("grpc-message", why);
            }
            response
        }
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// Messages of gRPC are percent-encoded; what would need that is left out.
fn grpc_safe(c: char) -> char {
    if c.is_ascii_graphic() && c != '%' {
        c
    } else {
        ' '
    }
}

/// The one message of a request, and whether it is compressed.
fn grpc_message(body: &Bytes, encoding: &str) -> Result<(Bytes, bool), String> {
    let Some((&[flag, a, b, c, d], _)) = body.split_first_chunk::<5>() else {
        return Err("the message has no length".to_owned());
    };
    let message = body.slice(5..);
    if u32::from_be_bytes([a, b, c, d]) as usize != message.len() {
        return Err("the message has another length than it says".to_owned());
    }
    match (flag, encoding) {
        (0, _) => Ok((message, false)),
        (1, "gzip") => Ok((message, true)),
        _ => Err(format!(
            "the message is compressed with `{encoding}`, not gzip"
        )),
    }
}

impl Failure {
    /// HTTP status, gRPC code, and the reason.
    fn words(self) -> (StatusCode, u64, String) {
        match self {
            Self::Bad(why) => (StatusCode::BAD_REQUEST, 3, why),
            Self::TooLarge => {
                let why = format!("the body decompresses to more than {DECODED_BYTES_MAX} bytes");
                (StatusCode::PAYLOAD_TOO_LARGE, 3, why)
            }
            Self::Unavailable(why) => (StatusCode::SERVICE_UNAVAILABLE, 14, why),
            Self::Internal => {
                let why = "the request could not be handled".to_owned();
                (StatusCode::INTERNAL_SERVER_ERROR, 13, why)
            }
        }
    }
}

async fn take(
    app: App,
    signal: Signal,
    body: Bytes,
    is_gzip: bool,
    encoding: Encoding,
) -> Result<Rejected, Failure> {
    app.metrics.otlp_requests.inc();
    let taken = tokio::task::spawn_blocking(move || {
        let unzipped = unzipped(&body, is_gzip)?;
        match signal {
            Signal::Metrics => store(&app, &unzipped, encoding),
            Signal::Traces => keep(&app, read::<Span>(&unzipped, encoding)?),
            Signal::Logs => keep_logs(&app, &unzipped, encoding),
        }
    })
    .await;
    taken.unwrap_or(Err(Failure::Internal))
}

/// The body itself, which is small enough.
fn unzipped(body: &[u8], is_gzip: bool) -> Result<Cow<'_, [u8]>, Failure> {
    let body = match is_gzip {
        true => Cow::Owned(unzip(body)?),
        false => Cow::Borrowed(body),
    };
    if body.len() > DECODED_BYTES_MAX {
        return Err(Failure::TooLarge);
    }
    Ok(body)
}

/// Keeps log records, and takes the heartbeats and deploys among them. These come first: who is told
/// that it failed sends all of it again, and what comes twice counts once.
fn keep_logs(app: &App, body: &[u8], encoding: Encoding) -> Result<Rejected, Failure> {
    let context = read::<LogRecord>(body, encoding)?;
    let (beats, mut wrong) = of_records(app.clock.now(), &context.kept);
    if !beats.is_empty() {
        let taken = app.handle.command(|engine, now, step| {
            let taken = beats.into_iter().map(|it| engine.beat(now, it, step));
            taken.filter_map(Result::err).collect::<Vec<_>>()
        });
        let refused = tokio::runtime::Handle::current().block_on(taken);
        wrong.extend(refused.map_err(|error| Failure::Unavailable(error.to_string()))?);
    }
    let (begun, no_deploys) = deploys::of_records(app.clock.now(), &context.kept);
    begin(app, begun).map_err(|error| Failure::Unavailable(error.to_string()))?;
    let wrong = wrong.iter().map(ToString::to_string).chain(no_deploys);
    let (n_wrong, wrong) = distinct(wrong);
    if n_wrong > 0 {
        app.metrics.telemetry.events_refused.inc_by(n_wrong);
        tracing::warn!(n_wrong, why = wrong, "events among log records are refused");
    }
    let mut answer = keep(app, context)?;
    let both = [&*answer.why, &wrong]
        .into_iter()
        .filter(|it| !it.is_empty());
    answer.why = both.collect::<Vec<_>>().join("; ");
    Ok(answer)
}

fn begin(app: &App, deploys: Vec<Deploy>) -> Result<(), LogError> {
    let mut new = Vec::new();
    let mut deploys = deploys.into_iter();
    let begun = deploys.try_for_each(|it| app.deploys.begin(it).map(|it| new.extend(it)));
    // Those that were kept before one failed are not new a second time.
    if !new.is_empty() {
        let noting = super::deploys::note(&app.handle, new);
        tokio::runtime::Handle::current().block_on(noting);
    }
    begun
}

/// How many there are, and the first that differ, in a sentence: many records have the same fault.
fn distinct(reasons: impl Iterator<Item = String>) -> (u64, String) {
    let (mut n_reasons, mut shown) = (0, Vec::new());
    for reason in reasons {
        n_reasons += 1;
        if shown.len() < REASONS_MAX && !shown.contains(&reason) {
            shown.push(reason);
        }
    }
    let mut text = shown.join("; ");
    if n_reasons > shown.len() as u64 {
        text.push_str(&format!("; {n_reasons} of these in all"));
    }
    (n_reasons, text)
}

fn read<R: Place>(body: &[u8], encoding: Encoding) -> Result<otlp::Context<R>, Failure> {
    read_context(body, encoding).map_err(|error| Failure::Bad(error.to_string()))
}

/// Keeps spans or log records.
fn keep<R: Place>(app: &App, context: otlp::Context<R>) -> Result<Rejected, Failure> {
    let kept = app.telemetry.keep(context.kept);
    kept.map_err(|error| Failure::Unavailable(error.to_string()))?;
    Ok(Rejected {
        n_refused: context.n_refused,
        why: context.why,
    })
}

fn store(app: &App, body: &[u8], encoding: Encoding) -> Result<Rejected, Failure> {
    let mut intake = Intake::default();
    let mut n_refused = 0;
    let options = options(&app.live.config().otlp, &app.flags);
    let mut read = |deltas: &mut Deltas| {
        otlp::read(body, encoding, &options, deltas, |item| match item {
            Item::Sample(labels, sample) => intake.add(&labels, &[sample], &[], &[]),
            Item::Histogram(labels, histogram) => intake.add(&labels, &[], &[histogram], &[]),
            Item::Beginning(labels, at, empty) => intake.begin(&app.store, labels, at, empty),
            Item::Exemplar(labels, exemplar) => intake.add(&labels, &[], &[], &[exemplar]),
            Item::Metadata(metric, metadata) => intake.batch.set_metadata(metric, metadata),
            Item::Refused { points, why } => {
                n_refused += points;
                intake.refuse(why);
            }
        })
    };
    let read = if options.adds_deltas {
        let deltas = app.slots.deltas.lock();
        let mut deltas = deltas.unwrap_or_else(PoisonError::into_inner);
        deltas.refuse_after(app.clock.now() + AHEAD_MAX);
        read(&mut deltas)
    } else {
        read(&mut Deltas::default())
    };
    read.map_err(|error| Failure::Bad(error.to_string()))?;
    let stored = intake.store(app);
    let stored = stored.map_err(|error| Failure::Unavailable(error.to_string()))?;
    Ok(Rejected {
        n_refused: n_refused + stored.refused,
        why: stored.problems.join("; "),
    })
}

fn unzip(body: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut unzipped = Vec::new();
    let bytes_max = DECODED_BYTES_MAX as u64;
    let read = MultiGzDecoder::new(body)
        .take(bytes_max + 1)
        .read_to_end(&mut unzipped);
    let failed = |error| Failure::Bad(format!("failed to decompress the body: {error}"));
    read.map_err(failed)?;
    if unzipped.len() > DECODED_BYTES_MAX {
        return Err(Failure::TooLarge);
    }
    Ok(unzipped)
}

fn options(otlp: &Otlp, flags: &Flags) -> Options {
    let OtlpNaming {
        is_utf8,
        has_suffixes,
        prefixes_underscores,
        keeps_underscores,
    } = otlp.naming;
    Options {
        naming: Naming {
            is_utf8,
            has_suffixes,
            prefixes_underscores,
            keeps_underscores,
        },
        promotion: match &otlp.promotion {
            OtlpPromotion::Only(names) => Promotion::Only(names.clone()),
            OtlpPromotion::AllBut(names) => Promotion::AllBut(names.clone()),
        },
        keep_identifying: otlp.keep_identifying,
        to_custom: otlp.to_custom,
        promote_scope: otlp.promote_scope,
        adds_deltas: otlp.adds_deltas,
        tells_beginnings: flags.has_feature(ZERO_AT_CREATION),
        has_type_labels: flags.has_feature(TYPE_LABELS),
    }
}

/// A body with the trailers of a gRPC answer that is fine.
struct WithTrailers {
    data: Option<Bytes>,
    is_done: bool,
}

impl HttpBody for WithTrailers {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if std::mem::replace(&mut self.is_done, true) {
            return Poll::Ready(None);
        }
        let trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("0"))]);
        Poll::Ready(Some(Ok(Frame::trailers(trailers))))
    }
}

const GRPC: &str = "application/grpc";
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Of what is wrong with the events of a request, so many sentences are said.
const REASONS_MAX: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grpc_message_says_its_length() {
        for (body, encoding, expected) in [
            (&[0, 0, 0, 0, 1, 9][..], "", Some((vec![9], false))),
            (&[1, 0, 0, 0, 1, 9], "gzip", Some((vec![9], true))),
            (&[1, 0, 0, 0, 1, 9], "zstd", None),
            (&[0, 0, 0, 0, 2, 9], "", None),
            (&[0, 0], "", None),
        ] {
            let read = grpc_message(&Bytes::copy_from_slice(body), encoding).ok();
            let read = read.map(|(message, is_gzip)| (message.to_vec(), is_gzip));
            assert_eq!(read, expected);
        }
    }

    #[test]
    fn a_gzip_bomb_is_given_up_at_the_limit() {
        use std::io::Write as _;
        let fast = flate2::Compression::fast();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), fast);
        for _ in 0..=DECODED_BYTES_MAX >> 20 {
            encoder.write_all(&[0; 1 << 20]).unwrap();
        }
        let bomb = encoder.finish().unwrap();
        assert!(matches!(unzip(&bomb), Err(Failure::TooLarge)));
        assert!(matches!(unzip(b"no gzip"), Err(Failure::Bad(_))));
    }
}
