//! Contacts that prove themselves: test messages are asked for over the API, and a link in them leads
//! to a page with a button.
//!
//! *Invariants*: to look changes nothing, because mail scanners follow links. What nobody has
//! confirmed is used for pages all the same: nobody goes unpaged.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use firebell_incident::Person as Who;
use firebell_model::Timestamp;
use firebell_oncall::Directory;
use firebell_wire::prometheus_json::ErrorKind;
use serde::Deserialize;
use serde_json::json;

use super::answer::{document, respond};
use super::{App, refused, stopped};
use crate::pages::Unasked;
use crate::pages::links::{LookedContact, Proof};

/// What is posted to have somebody asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with `by`")]
struct Said {
    #[serde(default)]
    by: String,
}

/// `POST /api/firebell/v1/oncall/people/{name}/verify`: asks them by every contact that nobody has
/// confirmed yet.
pub(super) async fn ask(State(app): State<App>, Path(name): Path<String>, body: Bytes) -> Response {
    // It sends messages, as others do there.
    let asked = app.runtime.spawn(ask_all(app.clone(), name, body));
    asked.await.unwrap_or_else(|_| stopped())
}

async fn ask_all(app: App, name: String, body: Bytes) -> Response {
    let said: Result<Said, _> = serde_json::from_slice(&body);
    let said = said.map_err(|error| format!("the body cannot be read: {error}"));
    let by = match said.and_then(|it| Who::new(&it.by)) {
        Ok(by) => by,
        Err(why) => return refused(ErrorKind::BadData, why),
    };
    let config = app.live.config();
    let directory = &config.oncall.oncall.directory;
    let Some(id) = directory.find_person(&name) else {
        return refused(
            ErrorKind::NotFound,
            format!("there is nobody called `{name}`"),
        );
    };
    let person = directory.person(id);
    let (mut contacts, mut n_asked, mut often) = (Vec::new(), 0, None);
    for contact in &person.contacts {
        let kind = contact.kind.name();
        if app.links.is_verified(person, contact) {
            contacts.push(json!({ "kind": kind, "verified": true, "asked": false, "error": null }));
            continue;
        }
        let asked = app.pager.ask_to_confirm(person, contact).await;
        tracing::info!(person = name, kind, %by, is_asked = asked.is_ok(), "asked to confirm a contact");
        let error = asked.err();
        match &error {
            Some(Unasked::Often(at)) => often = often.min(Some(*at)).or(Some(*at)),
            _ => n_asked += 1,
        }
        contacts.push(json!({
            "kind": kind,
            "verified": false,
            "asked": error.is_none(),
            "error": error.map(|it| it.to_string()),
        }));
    }
    match often {
        Some(at) if n_asked == 0 => asked_often(&app, at),
        _ => Json(json!({ "person": name, "contacts": contacts })).into_response(),
    }
}

/// Nobody was asked, because all was asked often enough; once more may be at this moment.
fn asked_often(app: &App, at: Timestamp) -> Response {
    let wait = (at - app.clock.now()).0.max(0) / 1_000 + 1;
    let why = Unasked::Often(at).to_string();
    let mut response = refused(ErrorKind::TooMany, why);
    response
        .headers_mut()
        .insert(header::RETRY_AFTER, wait.into());
    response
}

/// `GET /c/{link}`.
pub(super) async fn show(State(app): State<App>, Path(text): Path<String>) -> Response {
    match looked(&app, &text) {
        Ok(proof) => {
            let lines = [
                "Does this reach you?".to_owned(),
                format!(
                    "You are {}, and Firebell pages you by {}.",
                    proof.person,
                    proof.kind.name()
                ),
            ];
            let form = "<form method=\"post\"><button>Yes, it reaches me</button></form>";
            page(&app, StatusCode::OK, &lines, form)
        }
        Err(refusal) => *refusal,
    }
}

/// `POST /c/{link}`.
pub(super) async fn confirm(State(app): State<App>, Path(text): Path<String>) -> Response {
    let proof = match looked(&app, &text) {
        Ok(proof) => proof,
        Err(refusal) => return *refusal,
    };
    let (links, of, now) = (app.links.clone(), proof.clone(), app.clock.now());
    let noted = super::may_wait(move || links.note_verified(now, &of)).await;
    let kind = proof.kind.name();
    match noted {
        Some(Ok(is_new)) => {
            tracing::info!(
                person = proof.person,
                kind,
                is_new,
                "a contact was confirmed"
            );
            let lines = [
                "Thank you".to_owned(),
                format!("Pages reach you by {kind}."),
            ];
            page(&app, StatusCode::OK, &lines, "")
        }
        Some(Err(error)) => {
            tracing::error!(%error, "failed to write down that a contact was confirmed");
            let lines = [
                "Please try again".to_owned(),
                "It could not be written down.".to_owned(),
            ];
            page(&app, StatusCode::SERVICE_UNAVAILABLE, &lines, "")
        }
        None => super::stopped(),
    }
}

fn looked(app: &App, text: &str) -> Result<Proof, Box<Response>> {
    let config = app.live.config();
    let directory: &Directory = &config.oncall.oncall.directory;
    let (status, why) = match app.links.look_contact(app.clock.now(), text, directory) {
        LookedContact::Good(proof) => return Ok(proof),
        LookedContact::Ended => (
            StatusCode::GONE,
            "This link has ended: links work for a day.",
        ),
        LookedContact::Gone => (StatusCode::GONE, "Nobody has this contact any more."),
        LookedContact::Forged => (
            StatusCode::NOT_FOUND,
            "This is no link of a message from here: it may be cut off, or the data folder was made \
             anew.",
        ),
    };
    let lines = ["Nothing to do".to_owned(), why.to_owned()];
    Err(Box::new(page(app, status, &lines, "")))
}

fn page(app: &App, status: StatusCode, lines: &[String], form: &str) -> Response {
    respond(
        status,
        document(form, lines, &app.live.config().external_url),
    )
}
