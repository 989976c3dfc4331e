//! What is decided at reviews, over HTTP.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use firebell_incident::{Decision, Outcome, Person};
use firebell_wire::prometheus_json::ErrorKind;
use serde::Deserialize;
use serde_json::{Value, json};

use super::refused;
use crate::http::{App, unrecorded};

/// What is posted.
#[derive(Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "an object with `by`, `month`, `about` and `decision`"
)]
struct Decided {
    by: String,
    month: String,
    about: String,
    decision: String,
}

/// `POST /api/firebell/v1/review/decisions`.
pub(in crate::http) async fn decide(State(app): State<App>, body: Bytes) -> Response {
    let read = || {
        let decided: Decided = serde_json::from_slice(&body)
            .map_err(|error| format!("the body is no decision: {error}"))?;
        let by = Person::new(&decided.by)?;
        Ok::<_, String>((by, decided))
    };
    let (by, decided) = match read() {
        Ok(read) => read,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    let done = app.handle.command(move |engine, now, step| {
        let what = (decided.about.as_str(), decided.decision.as_str());
        let outcome = engine.decide(now, by, &decided.month, what, step)?;
        Ok::<_, firebell_incident::Refusal>((
            outcome,
            all_json(engine.incidents().decisions(&decided.month)),
        ))
    });
    match done.await {
        Ok(Ok((outcome, decisions))) => {
            let told = match outcome {
                Outcome::Changed => "changed",
                Outcome::Already => "already",
            };
            Json(json!({ "outcome": told, "decisions": decisions })).into_response()
        }
        Ok(Err(why)) => refused(ErrorKind::BadData, why.to_string()),
        Err(error) => unrecorded(&error),
    }
}

/// As `Decision` of `docs/openapi.json`.
pub(super) fn all_json<'a>(decisions: impl IntoIterator<Item = &'a Decision>) -> Vec<Value> {
    let decisions = decisions.into_iter().map(|it| {
        json!({
            "about": it.about,
            "decision": it.decision,
            "by": it.by,
            "at": it.at.to_string(),
        })
    });
    decisions.collect()
}
