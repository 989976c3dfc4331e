//! Work on the store for one request: on a thread of its own, in time, no longer than awaited.

use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use firebell_model::{Duration, Source};
use firebell_promql::Options;
use firebell_wire::prometheus_json::{ApiError, ErrorKind, Pieces};
use serde::Serialize;

use super::{Answer, answer, refused};
use crate::clock::Stopwatch;
use crate::http::App;
use crate::http::streamed::streamed;

/// What the work of a request goes by.
pub(in crate::http) struct Job<'a> {
    /// The store as it was when the work began.
    pub source: &'a dyn Source,
    /// Limits of an evaluation.
    pub options: Options<'a>,
    /// How long the request waited for its turn.
    pub queued: std::time::Duration,
}

impl Job<'_> {
    /// Whether time is over, or nobody waits for the answer any more.
    pub(in crate::http) fn is_over(&self) -> bool {
        self.options.is_cancelled.is_some_and(|is_over| is_over())
    }

    /// An error when [`Job::is_over`].
    pub(in crate::http) fn check(&self) -> Result<(), ApiError> {
        match self.is_over() {
            true => Err(ApiError::new(ErrorKind::Canceled, "query was canceled")),
            false => Ok(()),
        }
    }
}

/// Computes and writes the JSON of an answer; see [`compute_with`].
pub(super) async fn compute<T: Serialize>(
    app: &App,
    timeout: Option<Duration>,
    work: impl FnOnce(&Job<'_>) -> Answer<T> + Send + 'static,
) -> Response {
    let work = move |job: &Job<'_>| work(job).map(|success| answer(Ok(success)));
    let result = compute_with(app, timeout, work).await;
    result.unwrap_or_else(|error| refused(&error))
}

/// Computes, and writes the JSON of what may be a large answer as it is read; see [`compute_with`].
pub(super) async fn compute_pieces(
    app: &App,
    timeout: Option<Duration>,
    work: impl FnOnce(&Job<'_>) -> Result<Pieces, ApiError> + Send + 'static,
) -> Response {
    let work = move |job: &Job<'_>| work(job).map(|pieces| streamed("application/json", pieces));
    let result = compute_with(app, timeout, work).await;
    result.unwrap_or_else(|error| refused(&error))
}

/// Computes on a thread for blocking work, over the store as it is now, for a limited time, and no
/// longer than somebody waits for the answer. More requests than may compute at once wait, each for
/// as long as its own time allows.
pub(in crate::http) async fn compute_with<R: IntoResponse + Send + 'static>(
    app: &App,
    timeout: Option<Duration>,
    work: impl FnOnce(&Job<'_>) -> Result<R, ApiError> + Send + 'static,
) -> Result<R, ApiError> {
    let config = app.live.config();
    let limits = &config.query;
    let timeout = timeout.map_or(limits.timeout, |timeout| timeout.min(limits.timeout));
    let timeout = timeout.to_std();
    let watch = Stopwatch::start();
    let slot = Arc::clone(&app.slots.queries).acquire_owned();
    let Ok(slot) = tokio::time::timeout(timeout, slot).await else {
        let message = "query timed out in query queue";
        return Err(ApiError::new(ErrorKind::Timeout, message));
    };
    // Dropped with this future, when the connection ends.
    let asker = Arc::new(());
    let is_awaited = Arc::downgrade(&asker);
    let (view, queued) = (app.store.view(), watch.elapsed());
    let task = tokio::task::spawn_blocking(move || {
        // Given back when the work has ended, not when nobody waits for it any more.
        let _slot = slot;
        let limits = &config.query;
        let is_late = || watch.elapsed() > timeout;
        let is_over = || is_late() || is_awaited.strong_count() == 0;
        let job = Job {
            source: &view,
            options: Options {
                lookback: limits.lookback,
                subquery_step: config.evaluation_interval,
                samples_max: limits.samples_max,
                series_max: limits.series_max.unwrap_or(usize::MAX),
                is_cancelled: Some(&is_over),
                ..Options::default()
            },
            queued,
        };
        match work(&job) {
            Err(error) if error.kind == ErrorKind::Canceled && is_late() => {
                let message = "query timed out in expression evaluation";
                Err(ApiError::new(ErrorKind::Timeout, message))
            }
            result => result,
        }
    });
    let result = task.await.unwrap_or_else(|_| {
        let message = "the query failed: please report it";
        Err(ApiError::new(ErrorKind::Internal, message))
    });
    drop(asker);
    result
}
