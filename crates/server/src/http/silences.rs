//! Silences with what upstream does not know: until resolved, weekly, and what one would mute.
//!
//! Bodies and answers are those of `/api/v2/silences` with `untilResolvedFor` and `weekly` besides.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use firebell_dispatch::{Silence, SilenceTerms, Weekly};
use firebell_model::{Duration, Labels, Matcher, Timestamp, parse_matchers};
use firebell_wire::alertmanager_json::{GettableSilence, parse_silence};
use firebell_wire::prometheus_json::{ApiError, ErrorKind};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::alertmanager::{gettable_silence, put_silence, refused};
use super::prometheus::fired;
use super::{App, PART_ALERTS, params, stopped, written};
use crate::driver::Unrecorded;

/// A silence as it is shown.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SilenceJson {
    #[serde(flatten)]
    silence: GettableSilence,
    /// A duration.
    #[serde(skip_serializing_if = "Option::is_none")]
    until_resolved_for: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    weekly: Option<WeeklyJson>,
}

/// A part of each week.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WeeklyJson {
    /// In English.
    weekdays: Vec<String>,
    /// Such as `02:00`.
    start: String,
    /// Such as `04:00`; one before the start is on the next day.
    end: String,
    /// IANA name.
    #[serde(default = "utc")]
    zone: String,
}

/// What a body has besides upstream's fields.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Terms {
    until_resolved_for: Option<Duration>,
    weekly: Option<WeeklyJson>,
}

/// How long a silence lasts at most that says no end.
const LASTS: Duration = Duration::from_hours(30 * 24);
/// How far a preview looks back.
const PREVIEW_RANGE: Duration = Duration::from_hours(30 * 24);
/// More alerts are counted, not shown.
const SHOWN_MAX: usize = 200;

/// `GET /api/firebell/v1/silences`.
pub(super) async fn list(State(app): State<App>) -> Response {
    let list = app.handle.read(|engine, now| {
        let silences = engine.dispatch().silences(now).into_iter();
        let silences = silences.map(|(state, silence)| {
            let terms = &silence.terms;
            SilenceJson {
                silence: gettable_silence(silence, state),
                until_resolved_for: terms.until_resolved_for.map(|it| it.to_string()),
                weekly: weekly_json(silence),
            }
        });
        silences.collect::<Vec<_>>()
    });
    match list.await {
        Ok(silences) => written(move || json!({ "silences": silences })).await,
        Err(_) => stopped(),
    }
}

/// `POST /api/firebell/v1/silences`.
pub(super) async fn add(State(app): State<App>, body: Bytes) -> Response {
    let now = app.clock.now();
    let read = || {
        let value: Value = serde_json::from_slice(&body).map_err(|it| it.to_string())?;
        let terms: Terms = serde_json::from_value(value.clone()).map_err(|it| it.to_string())?;
        let terms = terms.check()?;
        let Value::Object(mut fields) = value else {
            return Err("the body is no silence".to_owned());
        };
        if is_absent(&fields, "startsAt") {
            fields.insert("startsAt".to_owned(), now.to_string().into());
        }
        if is_absent(&fields, "endsAt") && !terms.is_plain() {
            let ends_at = now + LASTS;
            fields.insert("endsAt".to_owned(), ends_at.to_string().into());
        }
        Ok((terms, Value::Object(fields).to_string()))
    };
    let (terms, body) = match read() {
        Ok(read) => read,
        Err(why) => return bad_data(why),
    };
    match parse_silence(body.as_bytes()) {
        Ok(posted) => put_silence(&app, posted, Some(terms)).await,
        Err(error) => refused(&error),
    }
}

/// `GET /api/firebell/v1/silences/preview?filter=MATCHER…`.
pub(super) async fn preview(State(app): State<App>, uri: Uri, body: Bytes) -> Response {
    let params = params(&uri, &body);
    let parsed: Result<Vec<Vec<Matcher>>, _> = params.all("filter").map(parse_matchers).collect();
    let matchers = match parsed {
        Ok(parsed) => parsed.concat(),
        Err(error) => return bad_data(error.to_string()),
    };
    if matchers.iter().all(|matcher| matcher.matches_value("")) {
        let why = "a `filter` is needed that does not match the empty text";
        return bad_data(why.to_owned());
    }
    let Ok((burning, now)) = firing(&app, &matchers).await else {
        return stopped();
    };
    let since = now - PREVIEW_RANGE;
    let past = match fired(&app, &matchers, since, now).await {
        Ok(past) => past,
        Err(error) => return super::json(error.kind.status(), error.to_json()),
    };
    let n_past = past.len();
    written(move || {
        let past: Vec<_> = past.into_iter().take(SHOWN_MAX).collect();
        json!({
            "now": { "count": burning.len(), "alerts": &burning[..burning.len().min(SHOWN_MAX)] },
            "past": { "since": since.to_string(), "count": n_past, "alerts": past },
        })
    })
    .await
}

/// The alerts that fire and match, and when they were looked at. In parts, so that a look at many
/// holds up nobody.
async fn firing(app: &App, matchers: &[Matcher]) -> Result<(Vec<Labels>, Timestamp), Unrecorded> {
    let asked: Arc<[Matcher]> = matchers.into();
    let of_these = Arc::clone(&asked);
    let candidates = app
        .handle
        .read(move |engine, now| (engine.dispatch().candidates(&of_these), now));
    let (candidates, now) = candidates.await?;
    let mut firing = Vec::new();
    for part in candidates.chunks(PART_ALERTS) {
        let (part, asked) = (part.to_vec(), Arc::clone(&asked));
        let part = app.handle.read(move |engine, now| {
            let labels = engine.dispatch().firing_of(now, &part, &asked);
            labels.cloned().collect::<Vec<_>>()
        });
        firing.extend(part.await?);
    }
    Ok((firing, now))
}

impl Terms {
    fn check(self) -> Result<SilenceTerms, String> {
        match (self.until_resolved_for, self.weekly) {
            (Some(_), Some(_)) => {
                Err("`untilResolvedFor` and `weekly` do not go together".to_owned())
            }
            (Some(after), None) => Ok(SilenceTerms::until_resolved(after)),
            (None, Some(week)) => {
                let days: Vec<&str> = week.weekdays.iter().map(String::as_str).collect();
                let weekly = Weekly::new(&days, &week.start, &week.end, &week.zone)?;
                Ok(SilenceTerms::weekly(weekly))
            }
            (None, None) => Ok(SilenceTerms::default()),
        }
    }
}

fn weekly_json(silence: &Silence) -> Option<WeeklyJson> {
    let weekly = silence.terms.weekly.as_ref()?;
    let (start, end) = weekly.times();
    Some(WeeklyJson {
        weekdays: weekly.weekdays().into_iter().map(str::to_owned).collect(),
        start,
        end,
        zone: weekly.zone().to_owned(),
    })
}

fn is_absent(fields: &Map<String, Value>, name: &str) -> bool {
    fields.get(name).is_none_or(Value::is_null)
}

fn utc() -> String {
    "UTC".to_owned()
}

fn bad_data(why: String) -> Response {
    let error = ApiError::new(ErrorKind::BadData, why);
    super::json(error.kind.status(), error.to_json())
}
