//! `/notifications`: what an operator ought to know, as a list and as a stream.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;
use firebell_model::Timestamp;
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

/// Since when there is what holds, by text.
#[derive(Default)]
pub(crate) struct Since(Mutex<BTreeMap<String, Timestamp>>);

impl Since {
    /// The same texts, each with the moment since which it is there without a gap.
    fn note(&self, texts: Vec<String>, now: Timestamp) -> BTreeMap<String, Timestamp> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = |text: String| {
            let at = known.get(&text).copied().unwrap_or(now);
            (text, at)
        };
        let noted: BTreeMap<_, _> = texts.into_iter().map(since).collect();
        known.clone_from(&noted);
        noted
    }
}

/// Notes now and then what has begun or ended, also while nobody asks; until the driver has stopped.
/// To hear of every change would cost each of them a wake.
pub(crate) async fn watch(app: App) {
    let changes = app.handle.changes();
    while changes.has_changed().is_ok() {
        drop(current(&app));
        tokio::time::sleep(events::KEEP_ALIVE).await;
    }
}

/// What holds now, by text.
fn current(app: &App) -> BTreeMap<String, Notification> {
    let mut texts = own::storage_problems(app);
    if !app.live.problems().is_empty() {
        texts.push("Configuration reload has failed.".to_owned());
    }
    let one = |(text, since): (String, Timestamp)| {
        let notification = Notification {
            text: text.clone(),
            date: since.to_string(),
            active: true,
        };
        (text, notification)
    };
    let noted = app.noted.note(texts, app.clock.now());
    noted.into_iter().map(one).collect()
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
    now: BTreeMap<String, Notification>,
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
        if !now.contains_key(&key) {
            say(&Notification {
                active: false,
                ..known
            });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_on_is_there_since_it_began_and_what_comes_back_is_new() {
        let since = Since::default();
        let noted = |texts: &[&str], at: i64| {
            let texts = texts.iter().map(|&text| text.to_owned()).collect();
            let noted = since.note(texts, Timestamp(at)).into_iter();
            noted.map(|(text, at)| (text, at.0)).collect::<Vec<_>>()
        };
        assert_eq!(noted(&["a"], 1), [("a".to_owned(), 1)]);
        let both = [("a".to_owned(), 1), ("b".to_owned(), 2)];
        assert_eq!(noted(&["b", "a"], 2), both);
        assert_eq!(noted(&["b"], 3), [("b".to_owned(), 2)]);
        assert_eq!(noted(&["a"], 4), [("a".to_owned(), 4)]);
    }
}
