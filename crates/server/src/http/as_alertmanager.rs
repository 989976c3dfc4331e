//! What `firebell alertmanager` answers otherwise than `firebell serve`: limits, and what is gone.
//!
//! *Sources*: Alertmanager, `api/api.go` and `api/v1_deprecation_router.go`, as behaviour.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use firebell_model::Duration;

use super::{App, json};

/// The API that Alertmanager had once.
pub(super) fn removed_api() -> Router<App> {
    let removed = async || {
        let why = "The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of \
                   version 0.27.0 - please use the equivalent route in the v2 API";
        let body = serde_json::json!({ "status": "deprecated", "error": why });
        json(410, format!("{body}\n").into_bytes())
    };
    Router::new().route("/{*path}", any(removed))
}

/// Answers so many GET requests at the same time, and gives up what takes too long.
pub(super) async fn limit(State(app): State<App>, request: Request, next: Next) -> Response {
    let _slot = match request.method() == Method::GET {
        false => None,
        true => match app.slots.gets.try_acquire() {
            Ok(slot) => Some(slot),
            Err(_) => {
                app.metrics.gets_refused.inc();
                let n_gets = app.slots.gets_max;
                let why = format!(
                    "Limit of concurrent GET requests reached ({n_gets}), try again later.\n\n"
                );
                return (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
            }
        },
    };
    let timeout = app.flags.alertmanager.as_ref().and_then(|it| it.timeout);
    let Some(timeout) = timeout else {
        return next.run(request).await;
    };
    let answered = tokio::time::timeout(timeout.to_std(), next.run(request)).await;
    answered.unwrap_or_else(|_| {
        let why = format!("Exceeded configured timeout of {}.\n", go_text(timeout));
        (StatusCode::SERVICE_UNAVAILABLE, why).into_response()
    })
}

// As Go prints durations: `1m0s`, `1.5s`, `200ms`.
fn go_text(duration: Duration) -> String {
    let ms = duration.0.unsigned_abs();
    let (minutes, seconds) = (ms / 60_000, (ms % 60_000) as f64 / 1000.0);
    match (minutes / 60, minutes % 60) {
        (0, 0) if ms < 1000 => format!("{ms}ms"),
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_as_in_go() {
        for (ms, expected) in [
            (200, "200ms"),
            (1500, "1.5s"),
            (60_000, "1m0s"),
            (5_400_000, "1h30m0s"),
        ] {
            assert_eq!(go_text(Duration(ms)), expected);
        }
    }
}
