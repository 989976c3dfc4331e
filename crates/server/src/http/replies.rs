//! Answers to pages from chats, texts and mails: `POST /api/firebell/v1/replies/…`.
//!
//! *Invariants*: what is not signed is refused, and so is everything while `replies` names nobody who
//! signs. The same request twice answers once, also over a restart. Whoever answers is told what came of it, where they
//! answered.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use firebell_engine::{Engine, PageAct};
use firebell_escalation::{Answer, PageKey};
use firebell_incident::Person;
use firebell_oncall::Directory;
use serde_json::json;

use super::answer::words;
use super::pages::{id, page_act};
use super::{App, may_wait};
use crate::driver::Unrecorded;
use crate::pages::PATH;
use crate::pages::links::{Heard, LinkAct, Looked};
use crate::replies::{Reply, Unfit, mail, slack, sms, telegram};

/// The routes.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/replies/slack", post(from_slack))
        .route("/replies/telegram", post(from_telegram))
        .route("/replies/sms", post(from_sms))
        .route("/replies/mail", post(from_mail))
}

/// What came of an answer, in words for who gave it.
enum Said {
    Text(String),
    /// It could not be written down: it has to come again.
    Again,
}

/// A button of Slack.
async fn from_slack(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let config = app.live.config();
    let Some(secret) = &config.replies.slack else {
        return unsigned(NOT_SET);
    };
    let head = slack::Head {
        at: text(&headers, "x-slack-request-timestamp"),
        signature: text(&headers, "x-slack-signature"),
    };
    let reply = match slack::read(head, &body, app.clock.now(), secret) {
        Ok(reply) => reply,
        Err(why) => return unfit(&app, "slack", &why),
    };
    match answer(&app, reply, "slack").await {
        Said::Again => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Said::Text(text) => {
            let told = json!({
                "response_type": "ephemeral",
                "replace_original": false,
                "text": text,
            });
            Json(told).into_response()
        }
    }
}

/// A button or a message of Telegram.
async fn from_telegram(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let config = app.live.config();
    let Some(secret) = &config.replies.telegram else {
        return unsigned(NOT_SET);
    };
    let token = text(&headers, "x-telegram-bot-api-secret-token");
    let update = match telegram::read(token, &body, secret) {
        Ok(update) => update,
        Err(why) => return unfit(&app, "telegram", &why),
    };
    let said = match update.reply {
        Ok(reply) => answer(&app, reply, "telegram").await,
        Err(usage) => Said::Text(usage),
    };
    let text = match said {
        Said::Again => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Said::Text(text) => text,
    };
    let told = match update.query {
        Some(query) => json!({
            "method": "answerCallbackQuery",
            "callback_query_id": query,
            "text": text,
        }),
        None => json!({ "method": "sendMessage", "chat_id": update.chat, "text": text }),
    };
    Json(told).into_response()
}

/// A text by way of Twilio.
async fn from_sms(State(app): State<App>, headers: HeaderMap, body: Bytes) -> Response {
    let config = app.live.config();
    let Some(secret) = &config.replies.twilio else {
        return unsigned(NOT_SET);
    };
    let url = format!("{}/api/firebell/v1/replies/sms", config.external_url);
    let read = sms::read(text(&headers, "x-twilio-signature"), &url, &body, secret);
    let said = match read {
        Ok(Ok(reply)) => answer(&app, reply, "sms").await,
        Ok(Err(usage)) => Said::Text(usage),
        Err(why) => return unfit(&app, "sms", &why),
    };
    match said {
        Said::Again => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Said::Text(text) => {
            let text = super::answer::escaped(&text);
            let told = format!("<Response><Message>{text}</Message></Response>");
            ([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], told).into_response()
        }
    }
}

/// A mail by way of Mailgun.
async fn from_mail(State(app): State<App>, body: Bytes) -> Response {
    let config = app.live.config();
    let Some(secret) = &config.replies.mailgun else {
        return unsigned(NOT_SET);
    };
    let mail = match mail::read(&body, PATH, app.clock.now(), secret) {
        Ok(mail) => mail,
        Err(why) => return unfit(&app, "email", &why),
    };
    let reply = mail
        .reply
        .and_then(|reply| quoted(&app, reply, &mail.quoted));
    match reply {
        Ok(reply) => match answer(&app, reply, "email").await {
            Said::Again => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            Said::Text(text) => Json(json!({ "said": text })).into_response(),
        },
        // Mailgun tries nothing again that was not acceptable.
        Err(why) => {
            tracing::info!(why, "a mail answered nothing");
            (StatusCode::NOT_ACCEPTABLE, Json(json!({ "said": why }))).into_response()
        }
    }
}

/// The answer of a mail, of the page whose message it quotes.
fn quoted(app: &App, mut reply: Reply, quoted: &[String]) -> Result<Reply, String> {
    let config = app.live.config();
    let person = reply.from.find(&config.oncall.oncall.directory);
    let person = person.ok_or("nobody has this address as a contact")?;
    let now = app.clock.now();
    let mut pages: Vec<(PageKey, u32)> = Vec::new();
    for text in quoted {
        if let Looked::Good(link) | Looked::Used(link, _) = app.links.look(now, text)
            && link.person == person.name
            && !pages.contains(&(link.page, link.run))
        {
            pages.push((link.page, link.run));
        }
    }
    let is_meant = |(page, _): &&(PageKey, u32)| reply.wish.page.is_none_or(|it| it == *page);
    match pages.iter().filter(is_meant).collect::<Vec<_>>()[..] {
        [(page, run)] => {
            (reply.wish.page, reply.wish.run) = (Some(*page), Some(*run));
            Ok(reply)
        }
        [] => Err("the mail does not quote a message about this page to its sender".to_owned()),
        _ => Err("the mail quotes several pages: say which one, as in `ack 4`".to_owned()),
    }
}

/// Does what somebody wants, and says what came of it.
async fn answer(app: &App, reply: Reply, by: &'static str) -> Said {
    let _one_at_a_time = app.links.using.lock().await;
    let heard = app.links.heard(app.clock.now(), &reply.id);
    if heard == Some(Heard::Done) {
        return Said::Text("This was heard before.".to_owned());
    }
    let config = app.live.config();
    let directory: &Directory = &config.oncall.oncall.directory;
    let Some(person) = reply.from.find(directory) else {
        tracing::warn!(by, "somebody answered a page whom no contact names");
        return Said::Text("Firebell does not know you: nobody has this as a contact.".to_owned());
    };
    let wish = &reply.wish;
    let read = || {
        let act = page_act(wish.act, wish.more.as_deref(), wish.more.as_deref())?;
        Ok::<_, String>((Person::new(&person.name)?, act))
    };
    let asked = match read() {
        Ok(read) => read,
        Err(why) => return Said::Text(why),
    };
    match done(app, &reply, heard, asked).await {
        Ok(done) => Said::Text(told(app, done, wish.act, by)),
        Err(error) => {
            tracing::error!(error, by, "an answer could not be written down");
            Said::Again
        }
    }
}

/// Does it, in a way that a kill at any moment leaves nothing done to another page; else says why it
/// could not be written down.
async fn done(
    app: &App,
    reply: &Reply,
    heard: Option<Heard>,
    (who, act): (Person, PageAct),
) -> Result<Result<(PageKey, Answer), String>, String> {
    let (page, run, now) = (reply.wish.page, reply.wish.run, app.clock.now());
    let meant = match heard {
        Some(Heard::Begun(page, run)) => Ok((page, run)),
        _ => {
            let look = app.handle.read(move |engine, _| meant(engine, page, run));
            look.await.map_err(|error| error.to_string())?
        }
    };
    let done = match meant {
        Err(why) => Err(why),
        Ok((key, run)) => {
            let (links, id) = (Arc::clone(&app.links), reply.id.clone());
            let begun = may_wait(move || links.note_begun(now, &id, (key, run))).await;
            let begun = begun.ok_or_else(|| Unrecorded::Stopped.to_string())?;
            begun.map_err(|error| error.to_string())?;
            let done = app.handle.command(move |engine, now, step| {
                meant_still(engine, key, run)?;
                let answered = engine.answer_page(now, key, who, act, step);
                answered.map_err(|why| why.to_string())
            });
            let done = done.await.map_err(|error| error.to_string())?;
            done.map(|answer| (key, answer))
        }
    };
    // What was done is durable. Should this fail, it may be heard once more, of the same run.
    let (links, id) = (Arc::clone(&app.links), reply.id.clone());
    if let Some(Err(error)) = may_wait(move || links.note_done(now, &id)).await {
        tracing::error!(%error, "failed to write down that an answer was heard");
    }
    Ok(done)
}

/// Which run of which page somebody means.
fn meant(
    engine: &Engine,
    page: Option<PageKey>,
    run: Option<u32>,
) -> Result<(PageKey, u32), String> {
    let key = match page {
        Some(key) => key,
        None => only_one(engine)?,
    };
    let known = engine.escalation().page(key);
    let known = known.ok_or_else(|| format!("There is no page {}.", id(key)))?;
    let run = run.unwrap_or(known.run);
    meant_still(engine, key, run)?;
    Ok((key, run))
}

fn meant_still(engine: &Engine, key: PageKey, run: u32) -> Result<(), String> {
    let known = engine.escalation().page(key);
    match known.is_some_and(|it| it.run == run) {
        true => Ok(()),
        false => Err("This message is old: a newer one has a button that works.".to_owned()),
    }
}

fn told(
    app: &App,
    done: Result<(PageKey, Answer), String>,
    kind: LinkAct,
    by: &'static str,
) -> String {
    match done {
        Ok((key, answer)) => {
            app.metrics.pages.answered(kind, by);
            format!("{}: {}", id(key), words(answer, kind))
        }
        Err(why) => {
            app.metrics.pages.refused();
            why
        }
    }
}

/// The page that nobody has answered, if there is only one.
fn only_one(engine: &Engine) -> Result<PageKey, String> {
    let pages = engine.escalation().pages();
    let mut waiting = pages.filter(|it| it.is_open() && it.acknowledgement.is_none());
    match (waiting.next(), waiting.next()) {
        (Some(page), None) => Ok(page.key),
        (None, _) => Err("There is no page that nobody has answered: say which one.".to_owned()),
        (Some(first), Some(second)) => Err(format!(
            "Say which page, as in `ack {}`: {} or {}.",
            first.key.0,
            id(first.key),
            id(second.key)
        )),
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> &'h str {
    let value = headers.get(name);
    value.and_then(|it| it.to_str().ok()).unwrap_or_default()
}

fn unfit(app: &App, by: &'static str, why: &Unfit) -> Response {
    match why {
        Unfit::Unsigned(why) => {
            app.metrics.pages.refused();
            tracing::warn!(by, why, "an answer to a page was refused");
            unsigned(why)
        }
        Unfit::Unreadable(why) => {
            tracing::warn!(by, why, "an answer to a page could not be read");
            (StatusCode::BAD_REQUEST, why.clone()).into_response()
        }
        Unfit::Other => StatusCode::OK.into_response(),
    }
}

fn unsigned(why: &str) -> Response {
    (StatusCode::UNAUTHORIZED, why.to_owned()).into_response()
}

const NOT_SET: &str = "`replies` of the configuration does not say how this is signed";
