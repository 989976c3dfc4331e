//! Pictures of timelines over HTTP: how one is sent, looked at and taken back.
//!
//! *Invariants*: what a picture is, its bytes say; what is sent beside them is not believed. Only what
//! an entry names is shown, and never so that a browser could run something of it.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use firebell_incident::{
    Act, Audience, IncidentId, Outcome, Person, Picture, PictureError, PictureId, Refusal,
};
use firebell_wire::params::Params;
use firebell_wire::prometheus_json::{ApiError, ErrorKind};

use super::{answer, parse_id, refusal, refused};
use crate::http::streamed::sized;
use crate::http::{App, json, may_wait, params, stopped, unrecorded};
use crate::pictures::{Changing, Pictures};

/// What is said of a picture that is sent.
struct Said {
    id: IncidentId,
    by: Person,
    text: String,
    audience: Audience,
}

/// `POST /api/firebell/v1/incidents/{id}/pictures?by=…`; the body is the picture.
pub(in crate::http) async fn add(
    State(app): State<App>,
    Path(id): Path<String>,
    uri: Uri,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let said = match Said::read(&id, &params(&uri, &Bytes::new())) {
        Ok(said) => said,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    let body = match body {
        Ok(body) => body,
        Err(error) if error.status() == StatusCode::PAYLOAD_TOO_LARGE => {
            return unfit(&PictureError::TooLarge);
        }
        Err(error) => return refused(ErrorKind::BadData, error.body_text()),
    };
    let bytes = body.clone();
    let looked = may_wait(move || Picture::look(Pictures::id_of(&bytes), &bytes)).await;
    match looked {
        Some(Ok(picture)) => {
            // One after the other, so that none is taken beyond a limit. Who goes away before it is
            // their turn has sent nothing; from then on it ends as it must, whoever still listens.
            let changing = app.pictures.change().await;
            let shown = show_in(app.clone(), changing, said, picture, body);
            let shown = app.runtime.spawn(shown).await;
            shown.unwrap_or_else(|_| stopped())
        }
        Some(Err(why)) => unfit(&why),
        None => stopped(),
    }
}

/// Keeps the bytes, then has the entry written down that names them.
async fn show_in(
    app: App,
    changing: Changing,
    said: Said,
    picture: Picture,
    body: Bytes,
) -> Response {
    let (id, picture_id) = (said.id, picture.id);
    let act = Act::Picture {
        picture,
        text: said.text,
        audience: said.audience,
    };
    let asked = act.clone();
    let look =
        move |engine: &firebell_engine::Engine, _| engine.incidents().check_picture(id, &asked);
    match app.handle.read(look).await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => return refusal(&why),
        Err(error) => return unrecorded(&error),
    }
    let mut changing = match keep(&app, changing, picture_id, body).await {
        Ok(changing) => changing,
        Err(response) => return response,
    };
    let done = app.handle.command(move |engine, now, step| {
        let done = engine.act_on_incident(now, id, said.by, act, step);
        let incidents = engine.incidents();
        match done {
            Ok(outcome) => Ok(answer(incidents.get(id), outcome).1),
            Err(why) => Err((why, incidents.has_picture(picture_id))),
        }
    });
    match done.await {
        Ok(Ok(body)) => Json(body).into_response(),
        Ok(Err((why, is_named))) => {
            let pictures = Arc::clone(&app.pictures);
            let undo = move || pictures.undo(&mut changing, picture_id);
            if !is_named {
                may_wait(undo).await;
            }
            refusal(&why)
        }
        // It may be written down later, or never: then nobody names the file, and it goes.
        Err(error) => unrecorded(&error),
    }
}

/// On a thread that may wait.
async fn keep(
    app: &App,
    mut changing: Changing,
    id: PictureId,
    body: Bytes,
) -> Result<Changing, Response> {
    let pictures = Arc::clone(&app.pictures);
    let written = may_wait(move || (pictures.write(&mut changing, id, &body), changing)).await;
    match written {
        Some((Ok(()), changing)) => Ok(changing),
        Some((Err(error), _)) => {
            tracing::error!(%error, "a picture could not be kept");
            let why = format!("the picture could not be kept: {error}\n");
            Err((StatusCode::SERVICE_UNAVAILABLE, why).into_response())
        }
        None => Err(stopped()),
    }
}

/// `DELETE /api/firebell/v1/incidents/{id}/pictures/{picture}?by=…`.
pub(in crate::http) async fn take_back(
    State(app): State<App>,
    Path((id, picture)): Path<(String, String)>,
    uri: Uri,
) -> Response {
    let params = params(&uri, &Bytes::new());
    let by = params.get("by").unwrap_or_default();
    let read = || Ok::<_, String>((parse_id(&id)?, picture.parse()?, Person::new(by)?));
    let (id, picture, by) = match read() {
        Ok(read) => read,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    // As one that is sent: it ends with its file, whoever still listens.
    let changing = app.pictures.change().await;
    let taken = app
        .runtime
        .spawn(take_back_in(app.clone(), changing, (id, picture, by)));
    taken.await.unwrap_or_else(|_| stopped())
}

/// Has it written down that the picture is shown no longer, then removes the file.
async fn take_back_in(
    app: App,
    mut changing: Changing,
    (id, picture, by): (IncidentId, PictureId, Person),
) -> Response {
    let done = app.handle.command(move |engine, now, step| {
        let act = Act::TakeBack { picture };
        let outcome = engine.act_on_incident(now, id, by, act, step)?;
        let incidents = engine.incidents();
        let body = answer(incidents.get(id), outcome).1;
        let is_gone = outcome == Outcome::Changed && !incidents.has_picture(picture);
        Ok::<_, Refusal>((body, is_gone))
    });
    let (body, is_gone) = match done.await {
        Ok(Ok(done)) => done,
        Ok(Err(why)) => return refusal(&why),
        // The file goes when that is written down: the folder is swept again and again.
        Err(error) => return unrecorded(&error),
    };
    if is_gone {
        let pictures = Arc::clone(&app.pictures);
        may_wait(move || pictures.remove(&mut changing, picture)).await;
    }
    Json(body).into_response()
}

/// `GET /api/firebell/v1/incidents/{id}/pictures/{picture}`.
pub(in crate::http) async fn show(
    State(app): State<App>,
    Path((id, picture)): Path<(String, String)>,
    asked: HeaderMap,
) -> Response {
    let read = || Ok::<_, String>((parse_id(&id)?, picture.parse::<PictureId>()?));
    let (id, picture_id) = match read() {
        Ok(read) => read,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    let found = app.handle.read(move |engine, _| {
        let incident = engine.incidents().get(id)?;
        Some(incident.picture(picture_id).cloned())
    });
    let picture = match found.await {
        Ok(Some(Some(picture))) => picture,
        Ok(Some(None)) => {
            let why = format!("{id} has no picture {picture_id}");
            return refused(ErrorKind::NotFound, why);
        }
        Ok(None) => return refusal(&Refusal::Unknown(id)),
        Err(_) => return stopped(),
    };
    // Who has it is only told that it is still shown.
    let tag = format!("\"{picture_id}\"");
    let known = asked.get(header::IF_NONE_MATCH);
    if known.is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        let headers = [
            (header::ETAG, tag),
            (header::CACHE_CONTROL, CACHING.to_owned()),
        ];
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    let pictures = Arc::clone(&app.pictures);
    match may_wait(move || pictures.read(picture_id)).await {
        Some(Ok((n_bytes, pieces))) => served(id, &picture, sized(n_bytes, pieces)),
        Some(Err(error)) => refused(ErrorKind::Internal, error.to_string()),
        None => stopped(),
    }
}

fn served(id: IncidentId, picture: &Picture, body: Body) -> Response {
    let short: String = picture.id.to_string().chars().take(8).collect();
    let name = format!("{id}-{short}.{}", picture.kind.extension());
    let headers = [
        (header::CONTENT_TYPE, picture.kind.media_type().to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("inline; filename=\"{name}\""),
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CONTENT_SECURITY_POLICY, POLICY.to_owned()),
        (
            header::HeaderName::from_static("cross-origin-resource-policy"),
            "same-origin".to_owned(),
        ),
        (header::CACHE_CONTROL, CACHING.to_owned()),
        (header::ETAG, format!("\"{}\"", picture.id)),
    ];
    (headers, body).into_response()
}

impl Said {
    fn read(id: &str, params: &Params) -> Result<Self, String> {
        let text = |name| params.get(name).unwrap_or_default();
        let audience = match text("audience") {
            "" | "team" => Audience::Team,
            "stakeholders" => Audience::Stakeholders,
            other => return Err(format!("`audience` is team or stakeholders, not `{other}`")),
        };
        Ok(Self {
            id: parse_id(id)?,
            by: Person::new(text("by"))?,
            text: text("text").to_owned(),
            audience,
        })
    }
}

/// Bytes that are no picture, or too many.
fn unfit(why: &PictureError) -> Response {
    let error = ApiError::new(ErrorKind::BadData, why.to_string());
    let status = match why {
        PictureError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE.as_u16(),
        _ => error.kind.status(),
    };
    json(status, error.to_json())
}

/// The browser's own page around a picture has a style; nothing else of it is to work.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'";
/// Another picture has another id; but one may be taken back.
const CACHING: &str = "private, no-cache";
