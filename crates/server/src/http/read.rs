//! Remote read: `POST /api/v1/read`, for others to query what is stored here.
//!
//! *Sources*: Prometheus, `storage/remote/read_handler.go`, as behaviour.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use firebell_model::{
    HistogramSample, Labels, MatchOp, Matcher, Sample, Series, Source, SourceError, TimeRange,
};
use firebell_wire::remote_read::{
    ChunkedSeries, ReadQuery, ReadRequest, ResponseType, SamplesWriter,
};
use hyper::body::Frame;
use tokio::sync::mpsc;

use super::App;

/// Answers with raw samples, in the first of the ways that the sender accepts.
pub(super) async fn remote_read(State(app): State<App>, body: Bytes) -> Response {
    let request = match ReadRequest::decode(&body) {
        Ok(request) => request,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let selected = tokio::task::spawn_blocking({
        let app = app.clone();
        move || Selection::new(&app, request)
    });
    let selection = match selected.await {
        Ok(Ok(selection)) => selection,
        Ok(Err(error)) => {
            return (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response();
        }
        Err(_) => return StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    };
    if selection.is_streamed {
        return stream(app, selection);
    }
    let _slot = app.slots.queries.acquire().await.ok();
    let whole = tokio::task::spawn_blocking(move || selection.to_message()).await;
    match whole {
        Ok(Ok(message)) => {
            let kind = (header::CONTENT_TYPE, "application/x-protobuf");
            let encoding = (header::CONTENT_ENCODING, "snappy");
            ([kind, encoding], message).into_response()
        }
        Ok(Err(why)) => (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The series that a request asks for.
struct Selection {
    queries: Vec<(ReadQuery, Vec<Arc<dyn Series>>)>,
    external_labels: Labels,
    is_streamed: bool,
}

impl Selection {
    fn new(app: &App, request: ReadRequest) -> Result<Self, SourceError> {
        let external_labels = app.live.config().external_labels.clone();
        let view = app.store.view();
        let mut queries = Vec::new();
        for mut query in request.queries {
            // Others know our series with these labels; in the store they do not have them.
            query
                .matchers
                .retain(|matcher| !is_external(matcher, &external_labels));
            let series = view.select(&query.matchers, query.range)?;
            queries.push((query, series));
        }
        Ok(Self {
            queries,
            external_labels,
            is_streamed: request.response == ResponseType::StreamedChunks,
        })
    }

    fn labels_of(&self, series: &dyn Series) -> Labels {
        if self.external_labels.is_empty() {
            return series.labels().clone();
        }
        let mut labels = series.labels().to_builder();
        for external in self.external_labels.iter() {
            if series.labels().get(&external.name).is_none() {
                labels.set(external.name.clone(), external.value.clone());
            }
        }
        labels.build()
    }

    /// The whole answer.
    fn to_message(&self) -> Result<Vec<u8>, String> {
        let mut writer = SamplesWriter::default();
        let mut n_samples = 0;
        for (query, series) in &self.queries {
            for series in series {
                let (mut samples, mut histograms) = (Vec::new(), Vec::new());
                let read = read(series.as_ref(), query.range, &mut samples, &mut histograms);
                read.map_err(|error| error.to_string())?;
                n_samples += samples.len() + histograms.len();
                if n_samples > SAMPLES_MAX {
                    return Err(format!("exceeded sample limit ({SAMPLES_MAX})"));
                }
                if !samples.is_empty() || !histograms.is_empty() {
                    let labels = self.labels_of(series.as_ref());
                    writer.series(&labels, &samples, &histograms);
                }
            }
            writer.end_query();
        }
        writer.finish().map_err(|error| error.to_string())
    }

    /// The answer frame by frame, until nobody listens any more.
    fn send_frames(&self, outbox: &Outbox) -> Result<(), SourceError> {
        let (mut samples, mut histograms) = (Vec::new(), Vec::new());
        for (idx, (query, series)) in self.queries.iter().enumerate() {
            for series in series {
                read(series.as_ref(), query.range, &mut samples, &mut histograms)?;
                let labels = self.labels_of(series.as_ref());
                let chunked = ChunkedSeries {
                    query: idx,
                    labels: &labels,
                    samples: &samples,
                    histograms: &histograms,
                };
                for frame in chunked.frames() {
                    if outbox.blocking_send(Ok(frame.into())).is_err() {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }
}

/// Reads a series in place of what was read before.
fn read(
    series: &dyn Series,
    range: TimeRange,
    samples: &mut Vec<Sample>,
    histograms: &mut Vec<HistogramSample>,
) -> Result<(), SourceError> {
    samples.clear();
    histograms.clear();
    series.samples(range, samples)?;
    if series.has_histograms() {
        series.histograms(range, histograms)?;
    }
    Ok(())
}

/// Whether a matcher asks for a label that all series have for others.
fn is_external(matcher: &Matcher, external: &Labels) -> bool {
    matcher.op() == MatchOp::Equal && external.get(matcher.name()) == Some(matcher.value())
}

fn stream(app: App, selection: Selection) -> Response {
    let (outbox, inbox) = mpsc::channel(FRAMES_WAITING_MAX);
    tokio::spawn(async move {
        let _slot = app.slots.queries.acquire().await.ok();
        let send = move || {
            if let Err(error) = selection.send_frames(&outbox) {
                // Breaks the connection off: what was sent is not all.
                let _ = outbox.blocking_send(Err(error));
            }
        };
        let _ = tokio::task::spawn_blocking(send).await;
    });
    let kind = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse";
    ([(header::CONTENT_TYPE, kind)], Body::new(Frames(inbox))).into_response()
}

type Outbox = mpsc::Sender<Result<Bytes, SourceError>>;

/// A body of frames as they come.
struct Frames(mpsc::Receiver<Result<Bytes, SourceError>>);

impl HttpBody for Frames {
    type Data = Bytes;
    type Error = SourceError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, SourceError>>> {
        let polled = self.0.poll_recv(context);
        polled.map(|frame| frame.map(|frame| frame.map(Frame::data)))
    }
}

/// Samples and histograms of an answer in one message; with more the request is refused.
const SAMPLES_MAX: usize = 10_000_000;
/// Frames that wait to be sent; reading goes on when there is room.
const FRAMES_WAITING_MAX: usize = 4;
