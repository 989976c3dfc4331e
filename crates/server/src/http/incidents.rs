//! Incidents over HTTP: what there is, how one is opened, what people do with it.
//!
//! *Invariants*: whoever changes something says who they are, and is answered once it is written
//! down. The same wish twice is answered as fulfilled, and says so.

mod json;
pub(super) mod pictures;
pub(super) mod postmortem;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use firebell_engine::Engine;
use firebell_incident::{
    Act, INCIDENTS_KEPT_MAX, Incident, IncidentId, Opening, Outcome, Person, Phase, Refusal,
    Severity,
};
use firebell_model::{Fingerprint, Timestamp};
use firebell_wire::params::Params;
use firebell_wire::prometheus_json::ErrorKind;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::why::parse_fingerprint;
use super::{App, limit_param, params, refused, stopped, unrecorded, written};

/// Which incidents somebody wants to see, the newest first.
struct Wanted {
    /// Any of these; none means all.
    states: Vec<String>,
    severities: Vec<Severity>,
    service: Option<String>,
    /// Opened not before.
    from: Timestamp,
    /// Opened not after.
    to: Timestamp,
    limit: usize,
    /// Only those with a lower number.
    before: Option<IncidentId>,
}

/// What is posted to open one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `by` and `title`")]
struct Declared {
    #[serde(default)]
    by: String,
    title: String,
    #[serde(default)]
    severity: Option<String>,
    #[serde(default)]
    service: Option<String>,
    /// Fingerprints.
    #[serde(default)]
    alerts: Vec<String>,
}

/// `GET /api/firebell/v1/incidents`.
pub(super) async fn list(State(app): State<App>, uri: Uri) -> Response {
    let wanted = match Wanted::read(&params(&uri, &Bytes::new())) {
        Ok(wanted) => wanted,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    let listed = app.handle.read(move |engine, _| {
        let all = engine.incidents();
        let mut found: Vec<Value> = Vec::new();
        let mut next = None;
        let wanted_ones = all.iter().rev().filter(|it| wanted.wants(it));
        for incident in wanted_ones.take(wanted.limit + 1) {
            if found.len() == wanted.limit {
                next = found.last().map(|it| it["id"].clone());
                break;
            }
            found.push(json::summary(incident));
        }
        let n_open = all.iter().filter(|it| it.state.is_open()).count();
        json!({ "incidents": found, "next": next, "open": n_open, "notOpened": all.n_not_opened() })
    });
    match listed.await {
        Ok(listed) => written(move || listed).await,
        Err(_) => stopped(),
    }
}

/// `GET /api/firebell/v1/incidents/{id}`.
pub(super) async fn one(State(app): State<App>, Path(id): Path<String>, uri: Uri) -> Response {
    let id = match parse_id(&id) {
        Ok(id) => id,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    let params = params(&uri, &Bytes::new());
    let before = match params.get("before").filter(|it| !it.is_empty()) {
        None => usize::MAX,
        Some(text) => match text.parse() {
            Ok(number) => number,
            Err(_) => {
                let why = format!("`before` is the number of an entry, not `{text}`");
                return refused(ErrorKind::BadData, why);
            }
        },
    };
    let found = app.handle.read(move |engine, _| {
        let found = engine.incidents().get(id);
        found.map(|it| json::detail(it, before))
    });
    match found.await {
        Ok(Some(found)) => written(move || found).await,
        Ok(None) => refusal(&Refusal::Unknown(id)),
        Err(_) => stopped(),
    }
}

/// `GET /api/firebell/v1/incidents/{id}/runbooks`: what to do by them, and what was done.
pub(super) async fn runbooks(State(app): State<App>, Path(id): Path<String>) -> Response {
    let id = match parse_id(&id) {
        Ok(id) => id,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    let found = app.handle.read(move |engine, _| {
        let incident = engine.incidents().get(id)?;
        let runbooks = engine.incidents().runbooks(incident);
        let runbooks: Vec<Value> = runbooks.map(|it| json::runbook(it, incident)).collect();
        Some(json!({ "runbooks": runbooks }))
    });
    match found.await {
        Ok(Some(found)) => written(move || found).await,
        Ok(None) => refusal(&Refusal::Unknown(id)),
        Err(_) => stopped(),
    }
}

/// `POST /api/firebell/v1/incidents`.
pub(super) async fn open(State(app): State<App>, body: Bytes) -> Response {
    let declared = match read_body(&body).and_then(Declared::check) {
        Ok(declared) => declared,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    let (by, opening, alerts) = declared;
    let opened = app.handle.command(move |engine, now, step| {
        let newest = |engine: &Engine| engine.incidents().iter().next_back().map(|it| it.id);
        let before = newest(engine);
        let (id, outcome) = engine.open_incident(now, by, opening, &alerts, step)?;
        let is_new = newest(engine) != before;
        Ok((is_new, answer(engine.incidents().get(id), outcome).1))
    });
    match opened.await {
        Ok(Ok((true, body))) => (StatusCode::CREATED, Json(body)).into_response(),
        Ok(Ok((false, body))) => Json(body).into_response(),
        Ok(Err(why)) => refusal(&why),
        Err(error) => unrecorded(&error),
    }
}

/// `POST /api/firebell/v1/incidents/{id}/acts`.
pub(super) async fn act(State(app): State<App>, Path(id): Path<String>, body: Bytes) -> Response {
    let read = || Ok::<_, String>((parse_id(&id)?, read_act(&body)?));
    let (id, (by, act)) = match read() {
        Ok(read) => read,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    let done = app.handle.command(move |engine, now, step| {
        let outcome = engine.act_on_incident(now, id, by, act, step)?;
        Ok(answer(engine.incidents().get(id), outcome))
    });
    match done.await {
        Ok(Ok((_, body))) => Json(body).into_response(),
        Ok(Err(why)) => refusal(&why),
        Err(error) => unrecorded(&error),
    }
}

fn answer(incident: Option<&Incident>, outcome: Outcome) -> (Outcome, Value) {
    let told = match outcome {
        Outcome::Changed => "changed",
        Outcome::Already => "already",
    };
    let incident = incident.map(|it| json::detail(it, usize::MAX));
    (outcome, json!({ "outcome": told, "incident": incident }))
}

impl Wanted {
    fn read(params: &Params) -> Result<Self, String> {
        let moment = |name: &str, default| match params.get(name) {
            None | Some("") => Ok(default),
            Some(text) => text
                .parse::<Timestamp>()
                .map_err(|error| format!("`{name}` is no time: {error}")),
        };
        let states: Vec<String> = given(params, "status").map(str::to_owned).collect();
        for state in &states {
            let is_group = ["open", "over", "merged"].contains(&state.as_str());
            if !is_group && let Err(why) = state.parse::<Phase>() {
                return Err(format!("{why}, besides open, over and merged"));
            }
        }
        let severities = given(params, "severity").map(str::parse);
        let limit = limit_param(params, LIMIT_DEFAULT, LIMIT_MAX)?;
        let page = params.get("page").filter(|it| !it.is_empty());
        Ok(Self {
            states,
            severities: severities.collect::<Result<_, _>>()?,
            service: given(params, "service").next().map(str::to_owned),
            from: moment("from", Timestamp::MIN)?,
            to: moment("to", Timestamp::MAX)?,
            limit,
            before: page.map(str::parse).transpose()?,
        })
    }

    fn wants(&self, incident: &Incident) -> bool {
        let state = incident.state;
        let is_in = |name: &String| match name.as_str() {
            "open" => state.is_open(),
            "over" => state.is_over(),
            name => state.name() == name,
        };
        let service = self.service.as_deref();
        (self.states.is_empty() || self.states.iter().any(is_in))
            && (self.severities.is_empty() || self.severities.contains(&incident.severity))
            && service.is_none_or(|it| incident.key.value("service") == it)
            && (self.from..=self.to).contains(&incident.opened_at)
            && self.before.is_none_or(|before| incident.id < before)
    }
}

fn given<'a>(params: &'a Params, name: &'a str) -> impl Iterator<Item = &'a str> {
    params.all(name).filter(|it| !it.is_empty())
}

impl Declared {
    fn check(self) -> Result<(Person, Opening, Vec<Fingerprint>), String> {
        if self.alerts.len() > ALERTS_MAX {
            return Err(format!(
                "`alerts` names {ALERTS_MAX} at most: name the service instead"
            ));
        }
        let severity = self.severity.as_deref().map(str::parse).transpose()?;
        let alerts = self.alerts.iter().map(|it| {
            let wrong = || format!("`{it}` is no fingerprint: that is 16 hexadecimal digits");
            parse_fingerprint(it).ok_or_else(wrong)
        });
        let opening = Opening {
            title: self.title,
            severity: severity.unwrap_or(Severity::Sev3),
            service: self.service.filter(|it| !it.trim().is_empty()),
            alerts: Vec::new(),
        };
        Ok((
            Person::new(&self.by)?,
            opening,
            alerts.collect::<Result<_, _>>()?,
        ))
    }
}

/// An act is its own fields and `by`.
fn read_act(body: &[u8]) -> Result<(Person, Act), String> {
    let mut fields: Map<String, Value> = read_body(body)?;
    let by = match fields.remove("by") {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(by)) => by,
        Some(_) => return Err("`by` is a text: say who you are".to_owned()),
    };
    let by = Person::new(&by)?;
    let act = serde_json::from_value(Value::Object(fields));
    Ok((
        by,
        act.map_err(|error| format!("the body is no act: {error}"))?,
    ))
}

fn read_body<T: for<'a> Deserialize<'a>>(body: &[u8]) -> Result<T, String> {
    if body.len() > BODY_BYTES_MAX {
        let n_bytes = body.len();
        return Err(format!(
            "the body has {n_bytes} bytes, and {BODY_BYTES_MAX} are read at most"
        ));
    }
    serde_json::from_slice(body).map_err(|error| format!("the body cannot be read: {error}"))
}

fn parse_id(text: &str) -> Result<IncidentId, String> {
    text.parse()
}

fn refusal(why: &Refusal) -> Response {
    match why {
        Refusal::Unknown(_) => {
            let why = format!(
                "{why}: `GET /api/firebell/v1/incidents` lists those that are kept, the last \
                 {INCIDENTS_KEPT_MAX}"
            );
            refused(ErrorKind::NotFound, why)
        }
        Refusal::NoPicture(..) => refused(ErrorKind::NotFound, why.to_string()),
        Refusal::Invalid(why) => refused(ErrorKind::BadData, why.clone()),
        Refusal::Conflict(why) | Refusal::Full(why) => refused(ErrorKind::Conflict, why.clone()),
    }
}

const LIMIT_DEFAULT: usize = 100;
const LIMIT_MAX: usize = 1_000;
/// The most alerts that are named when one is opened.
const ALERTS_MAX: usize = 1_000;
/// The longest body: the longest list of components and some room.
const BODY_BYTES_MAX: usize = 256 << 10;
