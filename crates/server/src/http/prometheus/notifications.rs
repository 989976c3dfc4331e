//! `/notifications`: what an operator ought to know, as a list and as a stream.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use firebell_wire::prometheus_json::Success;
use serde::Serialize;
use tokio::sync::mpsc;

use super::answer;
use crate::http::{App, events, own};

/// `{"text":"…","date":"…","active":true}`
#[derive(Clone, PartialEq, Eq, Serialize)]
struct Notification {
    text: String,
    /// Since when.
    date: String,
    /// Whether it still holds.
    active: bool,
}

/// What holds now, by text.
fn current(app: &App) -> BTreeMap<String, Notification> {
    let mut texts = own::storage_problems(app);
    if !app.live.problems().is_empty() {
        texts.push("Configuration reload has failed.".to_owned());
    }
    let date = app.clock.now().to_string();
    let one = |text: String| {
        let notification = Notification {
            text: text.clone(),
            date: date.clone(),
            active: true,
        };
        (text, notification)
    };
    texts.into_iter().map(one).collect()
}

pub(super) async fn list(State(app): State<App>) -> Response {
    let notifications: Vec<Notification> = current(&app).into_values().collect();
    answer(Ok(Success::new(notifications)))
}

/// Tells of each notification as it comes, and again, no longer active, when it is over.
pub(super) async fn live(State(app): State<App>) -> Response {
    let (frames, stream) = mpsc::channel(FRAMES_MAX);
    tokio::spawn(tell(app, frames));
    events::stream(stream)
}

async fn tell(app: App, frames: mpsc::Sender<Bytes>) {
    let mut changes = app.handle.changes();
    let mut told = BTreeMap::new();
    loop {
        changes.mark_unchanged();
        let frame = difference(&mut told, current(&app));
        if frames.send(frame.into()).await.is_err() {
            return;
        }
        // The stopped driver takes its end along.
        if let Ok(Err(_)) = tokio::time::timeout(events::KEEP_ALIVE, changes.changed()).await {
            return;
        }
    }
}

/// What to say of the change from one list to the next, which takes its place.
fn difference(
    told: &mut BTreeMap<String, Notification>,
    mut now: BTreeMap<String, Notification>,
) -> String {
    let mut text = String::new();
    let mut say = |notification: &Notification| {
        let json = serde_json::to_string(notification).unwrap_or_default();
        text += &format!("data: {json}\n\n");
    };
    now.values()
        .filter(|it| !told.contains_key(&it.text))
        .for_each(&mut say);
    for (key, known) in std::mem::take(told) {
        match now.get_mut(&key) {
            // It holds since then.
            Some(still) => still.date = known.date,
            None => say(&Notification {
                active: false,
                ..known
            }),
        }
    }
    *told = now;
    if text.is_empty() {
        text.push_str(": alive\n\n");
    }
    text
}

/// A reader that falls behind is waited for.
const FRAMES_MAX: usize = 4;
