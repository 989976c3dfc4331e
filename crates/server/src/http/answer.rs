//! What a link in a message leads to: a page that says what it would do, and a button that does it.
//!
//! *Invariants*: to look changes nothing, because mail scanners follow links. A link is used once;
//! of two people at once one is second, and is told so. It works without scripts.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use firebell_config::Config;
use firebell_engine::{Engine, PageAct, PageRefusal};
use firebell_escalation::{Answer, End, Page, Phase, Wait};
use firebell_incident::{IncidentId, Person};
use firebell_model::Timestamp;
use jiff::tz::TimeZone;

use super::pages::page_act;
use super::{App, may_wait, params, unrecorded};
use crate::pages::links::{Link, LinkAct, Looked};
use crate::pages::without_service;

/// What is shown of a page.
struct Shown {
    /// Its severity, title and service.
    title: String,
    /// What is known of its alerts.
    facts: Vec<String>,
    /// Who looks into it, or what comes next.
    state: String,
    /// Why the link does nothing, if so.
    why_not: Option<&'static str>,
}

/// What came of a button.
enum Outcome {
    Answered(Answer, Shown),
    Refused(PageRefusal, Shown),
    /// It does nothing any more, or there is no such page.
    Late(Option<Shown>),
}

/// `GET /a/{link}`.
pub(super) async fn show(State(app): State<App>, Path(text): Path<String>) -> Response {
    let link = match app.links.look(app.clock.now(), &text) {
        Looked::Good(link) => link,
        other => return nothing(&app, other).await,
    };
    let of_link = link.clone();
    let zone = zone(&app, &link);
    let shown = app
        .handle
        .read(move |engine, _| Shown::of(engine, &of_link, &zone));
    match shown.await {
        Ok(Some(shown)) if shown.why_not.is_none() => {
            let form = form(&app, &link);
            let who = format!("You are {}.", link.person);
            html(StatusCode::OK, &app, &link, &shown.text(&[&who]), &form)
        }
        Ok(shown) => late(&app, &link, shown),
        Err(error) => unrecorded(&error),
    }
}

/// `POST /a/{link}`.
pub(super) async fn act(
    State(app): State<App>,
    Path(text): Path<String>,
    uri: Uri,
    body: Bytes,
) -> Response {
    let _one_at_a_time = app.links.using.lock().await;
    let link = match app.links.look(app.clock.now(), &text) {
        Looked::Good(link) => link,
        other => return nothing(&app, other).await,
    };
    let said = params(&uri, &body);
    let read = || {
        let act = page_act(link.act, said.get("for"), said.get("to"))?;
        Ok::<_, String>((Person::new(&link.person)?, act))
    };
    let (by, act) = match read() {
        Ok(read) => read,
        Err(why) => return html(StatusCode::BAD_REQUEST, &app, &link, &[why], ""),
    };
    let (of_link, zone) = (link.clone(), zone(&app, &link));
    let outcome = app
        .handle
        .command(move |engine, now, step| answer(engine, now, step, (&of_link, &zone), (by, act)));
    let (answer, shown) = match outcome.await {
        Ok(Outcome::Answered(answer, shown)) => (answer, shown),
        Ok(Outcome::Refused(why, shown)) => {
            let lines = shown.text(&[&why.to_string()]);
            return html(StatusCode::CONFLICT, &app, &link, &lines, "");
        }
        Ok(Outcome::Late(shown)) => return late(&app, &link, shown),
        Err(error) => return unrecorded(&error),
    };
    let (links, now) = (Arc::clone(&app.links), app.clock.now());
    let noted = may_wait(move || links.note_used(now, &text)).await;
    if let Some(Err(error)) = noted {
        tracing::error!(%error, "failed to write down that a link was used");
    }
    app.metrics.pages.answered(link.act, "link");
    let said = words(answer, link.act);
    html(StatusCode::OK, &app, &link, &shown.text(&[&said]), "")
}

fn answer(
    engine: &mut Engine,
    now: Timestamp,
    step: &mut firebell_engine::Step,
    (link, zone): (&Link, &TimeZone),
    (by, act): (Person, PageAct),
) -> Outcome {
    match Shown::of(engine, link, zone) {
        Some(shown) if shown.why_not.is_none() => {}
        other => return Outcome::Late(other),
    }
    let answer = engine.answer_page(now, link.page, by, act, step);
    let Some(shown) = Shown::of(engine, link, zone) else {
        return Outcome::Late(None);
    };
    match answer {
        Ok(answer) => Outcome::Answered(answer, shown),
        Err(why) => Outcome::Refused(why, shown),
    }
}

impl Shown {
    fn of(engine: &Engine, link: &Link, zone: &TimeZone) -> Option<Self> {
        let page = engine.escalation().page(link.page)?;
        let incident = engine.incidents().get(IncidentId(link.page.0))?;
        let service = incident.key.value("service");
        let title = without_service(&incident.title, Some(service));
        let service = match service {
            "" => String::new(),
            service => format!(" ({service})"),
        };
        let firing = incident.alerts.values().filter(|it| it.ended_at.is_none());
        let n_firing = firing.count();
        let opened = clock(incident.opened_at, zone);
        let why_not = match page {
            it if !it.is_open() => Some("It is over, and nothing is left to do."),
            it if it.run != link.run => {
                Some("This message is old: a newer one has a link that works.")
            }
            _ => None,
        };
        Some(Self {
            title: format!("{} {title}{service}", page.severity),
            facts: vec![format!("Open since {opened}, {n_firing} alerts fire.")],
            state: in_words(page, zone),
            why_not,
        })
    }

    fn text(&self, more: &[&str]) -> Vec<String> {
        let mut lines = vec![self.title.clone()];
        lines.extend(more.iter().map(|it| (*it).to_owned()));
        lines.extend(self.facts.iter().cloned());
        lines.push(self.state.clone());
        lines
    }
}

/// Where a page is, in a sentence.
fn in_words(page: &Page, zone: &TimeZone) -> String {
    let next = page.next_at.map(|at| clock(at, zone));
    match (&page.acknowledgement, page.phase, next) {
        (Some(it), ..) => format!("{} looks into it since {}.", it.by, clock(it.at, zone)),
        (None, Phase::Done(End::Resolved), _) => "It is resolved.".to_owned(),
        (None, Phase::Done(End::Cancelled), _) => "It was called off.".to_owned(),
        (None, Phase::Done(_), _) => "Nobody looks into it, and nobody is left to tell.".to_owned(),
        (None, Phase::Waiting, Some(next)) if page.wait == Some(Wait::Snooze) => {
            format!("It is quiet until {next}.")
        }
        (None, _, Some(next)) => format!("Nobody looks into it; the next are told at {next}."),
        (None, _, None) => "Nobody looks into it.".to_owned(),
    }
}

/// What came of an answer, for who gave it.
pub(super) fn words(answer: Answer, act: LinkAct) -> String {
    let text = match (answer, act) {
        (Answer::Done, LinkAct::Acknowledge) => "Thank you: you look into it, nobody else is told.",
        (Answer::Done, LinkAct::Resolve) => "Thank you: it is resolved.",
        (Answer::Done, LinkAct::Snooze) => "Nobody is told for a while.",
        (Answer::Done, LinkAct::HandOver) => "Others are told from now on.",
        (Answer::Counted, _) => "Thank you: your answer is noted; others have to answer as well.",
        (Answer::Already, _) => "It was so already, and nothing has changed.",
        (Answer::Over, _) => "It is over, and nothing has changed.",
    };
    text.to_owned()
}

/// The person's clock.
fn zone(app: &App, link: &Link) -> TimeZone {
    let config = app.live.config();
    let directory = &config.oncall.oncall.directory;
    let known = directory.find_person(&link.person);
    known.map_or(TimeZone::UTC, |id| directory.person(id).zone.clone())
}

fn clock(at: Timestamp, zone: &TimeZone) -> String {
    let civil = at.to_jiff().to_zoned(zone.clone());
    civil.strftime("%a %H:%M %Z").to_string()
}

/// A link that may not be used.
async fn nothing(app: &App, looked: Looked) -> Response {
    app.metrics.pages.refused();
    let (link, why) = match looked {
        Looked::Used(link, at) => {
            let at = clock(at, &zone(app, &link));
            (link, format!("This link was used on {at}, and works once."))
        }
        Looked::Ended(link) => {
            let why = "This link has ended: links work for a day.".to_owned();
            (link, why)
        }
        Looked::Good(_) | Looked::Forged => {
            let why = "This is no link of a message from here: it may be cut off, or the data \
                       folder was made anew.";
            let lines = ["Nothing to do".to_owned(), why.to_owned()];
            let body = document("", &lines, &app.live.config().external_url);
            return respond(StatusCode::NOT_FOUND, body);
        }
    };
    tracing::info!(person = %link.person, page = link.page.0, act = link.act.name(), why, "a link did nothing");
    let (of_link, zone) = (link.clone(), zone(app, &link));
    let shown = app
        .handle
        .read(move |engine, _| Shown::of(engine, &of_link, &zone));
    let lines = match shown.await {
        Ok(Some(shown)) => shown.text(&[&why]),
        _ => vec![why],
    };
    html(StatusCode::GONE, app, &link, &lines, "")
}

/// A link that would have been good before.
fn late(app: &App, link: &Link, shown: Option<Shown>) -> Response {
    app.metrics.pages.refused();
    let lines = match shown {
        Some(shown) => {
            let why = shown.why_not.unwrap_or_default();
            shown.text(&[why])
        }
        None => vec!["This was long ago: nothing of it is kept here.".to_owned()],
    };
    html(StatusCode::GONE, app, link, &lines, "")
}

/// The button, and what is to be chosen.
fn form(app: &App, link: &Link) -> String {
    let config = app.live.config();
    let (choice, button) = match link.act {
        LinkAct::Acknowledge => (String::new(), "Acknowledge"),
        LinkAct::Resolve => (String::new(), "Resolve"),
        LinkAct::Snooze => {
            let times = [
                ("30m", "half an hour"),
                ("1h", "an hour"),
                ("4h", "4 hours"),
            ];
            let times = times
                .into_iter()
                .chain([("8h", "8 hours"), ("1d", "a day")]);
            let options = times.map(|(time, words)| {
                let is_usual = if time == "1h" { " selected" } else { "" };
                format!("<option value=\"{time}\"{is_usual}>{words}</option>")
            });
            let options: String = options.collect();
            let choice =
                format!("<label>Quiet for <select name=\"for\">{options}</select></label>");
            (choice, "Snooze")
        }
        LinkAct::HandOver => {
            let choice = format!(
                "<label>Goes on with <select name=\"to\">{}</select></label>",
                takers(&config, &link.person)
            );
            (choice, "Hand over")
        }
    };
    // Without a target it is sent to where it came from.
    format!("<form method=\"post\">{choice}<button>{button}</button></form>")
}

/// Who can go on with a page: policies, and the others who can be told.
fn takers(config: &Config, by: &str) -> String {
    let policies = config.escalation.policies.iter().map(|it| {
        let name = escaped(&it.name);
        format!("<option value=\"{name}\">{name}</option>")
    });
    let people = config.oncall.oncall.directory.people.iter();
    let others = people.filter(|it| !it.contacts.is_empty() && *it.name != *by);
    let others = others.map(|it| {
        let (name, full_name) = (escaped(&it.name), escaped(&it.full_name));
        format!("<option value=\"person:{name}\">{full_name}</option>")
    });
    let (policies, others): (String, String) = (policies.collect(), others.collect());
    format!(
        "<optgroup label=\"Policies\">{policies}</optgroup>\
         <optgroup label=\"People\">{others}</optgroup>"
    )
}

fn html(status: StatusCode, app: &App, link: &Link, lines: &[String], form: &str) -> Response {
    let url = &app.live.config().external_url;
    let incident = format!("{url}/#/incidents/{}", super::pages::id(link.page));
    respond(status, document(form, lines, &incident))
}

pub(super) fn respond(status: StatusCode, body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (status, headers, body).into_response()
}

/// The first line is what it is about.
pub(super) fn document(form: &str, lines: &[String], incident: &str) -> String {
    let (title, rest) = lines
        .split_first()
        .map_or(("", &[][..]), |(a, b)| (a.as_str(), b));
    let title = escaped(title);
    let rest = rest.iter().map(|it| format!("<p>{}</p>", escaped(it)));
    let rest: String = rest.collect();
    let incident = escaped(incident);
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\">\
         <meta name=\"robots\" content=\"noindex\"><title>{title}</title><style>{STYLE}</style>\
         <main><h1>{title}</h1>{rest}{form}<p><a href=\"{incident}\">Everything about it</a></p>\
         </main></html>"
    )
}

pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The page loads nothing, and nobody else shows it in a frame.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; \
    frame-ancestors 'none'; base-uri 'none'";
const STYLE: &str = "body{margin:0;font:16px/1.5 system-ui,sans-serif;background:Canvas;\
    color:CanvasText}main{max-width:34rem;margin:0 auto;padding:1rem}h1{font-size:1.25rem;\
    overflow-wrap:anywhere}p{overflow-wrap:anywhere}button,select{font:inherit;padding:.75rem 1rem;\
    margin:.5rem 0;width:100%;box-sizing:border-box}button{font-weight:600}";
