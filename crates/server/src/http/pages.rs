//! Pages over HTTP: which are open, who was told of one, what comes next, and what people answer.
//!
//! *Invariants*: whoever answers says who they are, and is answered once it is written down. The same
//! wish twice is answered as fulfilled, and says so.

pub(super) mod json;

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use firebell_engine::{PageAct, PageRefusal};
use firebell_escalation::{Answer, Page, PageKey, Refusal};
use firebell_incident::{IncidentId, Person, Refusal as IncidentRefusal};
use firebell_model::Duration;
use firebell_oncall::Oncall;
use firebell_wire::params::Params;
use firebell_wire::prometheus_json::{ApiError, ErrorKind};
use serde::Deserialize;
use serde_json::json;

use super::{App, limit_param, params, stopped, unrecorded, written};
use crate::pages::links::LinkAct;

/// Which pages somebody wants to see, the newest first.
struct Wanted {
    /// Those that are over too.
    is_all: bool,
    limit: usize,
    /// Only those with a lower number.
    before: Option<PageKey>,
}

/// What is posted to answer one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `by`")]
struct Said {
    #[serde(default)]
    by: String,
    /// How long a snooze is.
    #[serde(default, rename = "for")]
    time: Option<String>,
    /// The policy that goes on with it.
    #[serde(default)]
    to: Option<String>,
}

/// `GET /api/firebell/v1/pages`.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Response {
    let wanted = match Wanted::read(&params(&uri, &Bytes::new())) {
        Ok(wanted) => wanted,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    let oncall = oncall(&app);
    let listed = app.handle.read(move |engine, _| {
        let escalation = engine.escalation();
        let is_wanted = |it: &&Page| {
            (wanted.is_all || it.is_open()) && wanted.before.is_none_or(|before| it.key < before)
        };
        let mut found: Vec<&Page> = escalation.pages().filter(is_wanted).collect();
        found.reverse();
        let has_more = found.len() > wanted.limit;
        found.truncate(wanted.limit);
        let next = found.last().filter(|_| has_more).map(|it| id(it.key));
        let n_open = escalation.pages().filter(|it| it.is_open()).count();
        let pages = found.into_iter().map(|it| json::page(it, engine, &oncall));
        json!({ "pages": pages.collect::<Vec<_>>(), "next": next, "open": n_open })
    });
    match listed.await {
        Ok(listed) => written(move || listed).await,
        Err(_) => stopped(),
    }
}

/// `GET /api/firebell/v1/pages/{id}`.
pub(super) async fn one(State(app): State<App>, Path(id): Path<String>) -> Response {
    let key = match parse_key(&id) {
        Ok(key) => key,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    let oncall = oncall(&app);
    let found = app.handle.read(move |engine, _| {
        let found = engine.escalation().page(key);
        found.map(|it| json::page(it, engine, &oncall))
    });
    match found.await {
        Ok(Some(found)) => Json(found).into_response(),
        Ok(None) => refusal(&Refusal::Unknown(key).into()),
        Err(_) => stopped(),
    }
}

/// `POST /api/firebell/v1/pages/{id}/{act}`.
pub(super) async fn act(
    State(app): State<App>,
    Path((id, act)): Path<(String, String)>,
    body: Bytes,
) -> Response {
    let read = || Ok::<_, String>((parse_key(&id)?, Said::read(&body)?.check(&act)?));
    let (key, (by, kind, act)) = match read() {
        Ok(read) => read,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    let oncall = oncall(&app);
    let answered = app.handle.command(move |engine, now, step| {
        let answer = engine.answer_page(now, key, by, act, step)?;
        let page = engine.escalation().page(key);
        let page = page.map(|it| json::page(it, engine, &oncall));
        Ok::<_, PageRefusal>(json!({ "outcome": outcome(answer), "page": page }))
    });
    match answered.await {
        Ok(Ok(body)) => {
            app.metrics.pages.answered(kind, "api");
            Json(body).into_response()
        }
        Ok(Err(why)) => refusal(&why),
        Err(error) => unrecorded(&error),
    }
}

impl Wanted {
    fn read(params: &Params) -> Result<Self, String> {
        let is_all = match params.get("status") {
            None | Some("" | "open") => false,
            Some("all") => true,
            Some(other) => return Err(format!("`status` is open or all, not `{other}`")),
        };
        let limit = limit_param(params, LIMIT_DEFAULT, LIMIT_MAX)?;
        let before = params.get("page").filter(|it| !it.is_empty());
        Ok(Self {
            is_all,
            limit,
            before: before.map(parse_key).transpose()?,
        })
    }
}

impl Said {
    fn read(body: &[u8]) -> Result<Self, String> {
        if body.len() > BODY_BYTES_MAX {
            let n_bytes = body.len();
            return Err(format!(
                "the body has {n_bytes} bytes, and {BODY_BYTES_MAX} are read at most"
            ));
        }
        serde_json::from_slice(body).map_err(|error| format!("the body cannot be read: {error}"))
    }

    fn check(self, act: &str) -> Result<(Person, LinkAct, PageAct), String> {
        let by = Person::new(&self.by)?;
        let mut known = LinkAct::ALL.into_iter();
        let (kind, ..) = known.find(|(.., name)| *name == act).ok_or_else(|| {
            let names = LinkAct::ALL.map(|(.., name)| name).join(", ");
            format!("`{act}` is none of {names}")
        })?;
        let act = page_act(kind, self.time.as_deref(), self.to.as_deref())?;
        Ok((by, kind, act))
    }
}

/// An act with what it needs besides: how long, or to whom.
///
/// # Errors
/// What is missing.
pub(super) fn page_act(
    kind: LinkAct,
    time: Option<&str>,
    to: Option<&str>,
) -> Result<PageAct, String> {
    Ok(match kind {
        LinkAct::Acknowledge => PageAct::Acknowledge,
        LinkAct::Resolve => PageAct::Resolve,
        LinkAct::Snooze => {
            let time = time.ok_or("`for` says how long, such as 1h")?;
            let parsed = time.parse::<Duration>();
            PageAct::Snooze(parsed.map_err(|error| format!("`for` is no duration: {error}"))?)
        }
        LinkAct::HandOver => {
            let to = to.ok_or("`to` names the policy or the person that goes on with it")?;
            PageAct::HandOver(to.into())
        }
    })
}

fn oncall(app: &App) -> Arc<Oncall> {
    Arc::clone(&app.live.config().oncall.oncall)
}

fn outcome(answer: Answer) -> &'static str {
    match answer {
        Answer::Done => "done",
        Answer::Counted => "counted",
        Answer::Already => "already",
        Answer::Over => "over",
    }
}

/// A page is called as its incident.
pub(super) fn id(key: PageKey) -> String {
    IncidentId(key.0).to_string()
}

fn parse_key(text: &str) -> Result<PageKey, String> {
    let id: IncidentId = text.parse()?;
    Ok(PageKey(id.0))
}

fn refusal(why: &PageRefusal) -> Response {
    let kind = match why {
        PageRefusal::Page(Refusal::Unknown(_))
        | PageRefusal::Incident(IncidentRefusal::Unknown(_) | IncidentRefusal::NoPicture(..)) => {
            ErrorKind::NotFound
        }
        PageRefusal::Page(
            Refusal::UnknownPolicy(_)
            | Refusal::UnknownTarget(_)
            | Refusal::Unreachable(_)
            | Refusal::Snooze,
        )
        | PageRefusal::Incident(IncidentRefusal::Invalid(_)) => ErrorKind::BadData,
        PageRefusal::Page(Refusal::Full)
        | PageRefusal::Incident(IncidentRefusal::Conflict(_) | IncidentRefusal::Full(_)) => {
            ErrorKind::Conflict
        }
    };
    refused(kind, why.to_string())
}

fn refused(kind: ErrorKind, why: String) -> Response {
    let error = ApiError::new(kind, why);
    super::json(error.kind.status(), error.to_json())
}

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_000;
const BODY_BYTES_MAX: usize = 16 << 10;
