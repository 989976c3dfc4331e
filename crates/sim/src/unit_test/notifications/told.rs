//! One notification as it came, with what its receiver's templates made of it.

use std::sync::Arc;

use firebell_config::Config;
use firebell_dispatch::Integration;
use firebell_engine::Record;
use firebell_model::{Duration, Labels, Notification, Timestamp};
use firebell_notify::{Context, SaidText};

use super::super::sides::Came;
use crate::scenario::{alert_texts, integration_text, is_inbox_only, reason_text};
use crate::simulator::{Happening, Scene, Watch};

/// Hears everything that is told.
pub(super) struct Listener {
    start: Timestamp,
    heard: Vec<Heard>,
}

struct Heard {
    at: Timestamp,
    /// `None` when there is nobody but the inbox.
    integration: Option<Integration>,
    notification: Arc<Notification>,
}

/// A notification.
#[derive(Debug)]
pub(in crate::unit_test) struct Told {
    /// After the start.
    pub(super) at: Duration,
    receiver: String,
    /// `pager/slack`; `None` when there is nobody but the inbox.
    integration: Option<String>,
    pub(super) reason: &'static str,
    pub(super) group: Labels,
    /// `firing Down{job="a"}`
    pub(super) alerts: Vec<String>,
    /// The texts, or why there are none.
    said: Result<Vec<SaidText>, String>,
}

impl Listener {
    pub(super) fn new(start: Timestamp) -> Self {
        let heard = Vec::new();
        Self { start, heard }
    }

    /// What was heard.
    pub(super) fn told(self, config: &Config) -> Vec<Told> {
        let heard = self.heard.into_iter();
        heard
            .map(|heard| {
                let notification = Notification::clone(&heard.notification);
                let receiver = notification.receiver.clone();
                let integration = heard.integration.as_ref();
                Told {
                    at: heard.at - self.start,
                    integration: integration.map(|it| integration_text(&receiver, it)),
                    reason: reason_text(notification.reason),
                    group: notification.group_labels.clone(),
                    alerts: alert_texts(&notification),
                    said: integration.map_or(Ok(Vec::new()), |it| said(config, it, notification)),
                    receiver,
                }
            })
            .collect()
    }
}

impl Watch for Listener {
    fn see(&mut self, scene: &Scene<'_>, what: &Happening<'_>) {
        match what {
            Happening::Began(attempt) => self.heard.push(Heard {
                at: scene.now,
                integration: Some(attempt.integration.clone()),
                notification: Arc::clone(&attempt.notification),
            }),
            Happening::Settled { step, .. } => {
                for record in &step.records {
                    if let (Record::Inbox(entry), Some(engine)) = (record, scene.engine)
                        && is_inbox_only(engine, &entry.notification.receiver)
                    {
                        self.heard.push(Heard {
                            at: scene.now,
                            integration: None,
                            notification: Arc::new(Notification::clone(&entry.notification)),
                        });
                    }
                }
            }
            Happening::Started { .. }
            | Happening::Ended(_)
            | Happening::Paged(_)
            | Happening::Stopped { .. } => {}
        }
    }
}

/// What an integration says of a notification.
fn said(
    config: &Config,
    integration: &Integration,
    mut notification: Notification,
) -> Result<Vec<SaidText>, String> {
    let key = (
        notification.receiver.clone(),
        integration.kind.to_string(),
        integration.idx,
    );
    let Some(integration) = config.integrations.get(&key) else {
        return Ok(Vec::new());
    };
    let (route_labels, errors) = config
        .templates
        .route_labels(&notification, &config.external_url);
    if let Some(error) = errors.first() {
        return Err(error.clone());
    }
    notification.route_labels = route_labels;
    let context = Context {
        templates: &config.templates,
        external_url: &config.external_url,
        version: env!("CARGO_PKG_VERSION"),
        host_name: "localhost",
        idx: 0,
        read_yaml: firebell_config::read_yaml,
    };
    integration.said(&notification, &context).map_err(|error| {
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            text += &format!(": {error}");
            cause = error.source();
        }
        text
    })
}

impl Told {
    /// `2m30s notify pager/webhook: first [firing Down]`
    pub(super) fn line(&self) -> String {
        let at = self.at.to_string();
        line(&at, &self.to(), self.is_inbox(), self.reason, &self.alerts)
    }

    /// All that there is to say, for debugging.
    pub(super) fn everything(&self) -> Vec<String> {
        let mut rows = Came::rows(self);
        rows.push(super::group_row(&self.group));
        for (place, text) in self.said.iter().flatten() {
            rows.extend(super::text_rows(place, text));
        }
        rows
    }

    /// Why nobody could be told, if that is so.
    pub(super) fn failure(&self) -> Option<String> {
        let why = self.said.as_ref().err()?;
        Some(format!("  cannot be rendered: {why}"))
    }

    pub(super) fn is_inbox(&self) -> bool {
        self.integration.is_none()
    }

    /// `pager/slack`, or the receiver's name where there is nobody but the inbox.
    pub(super) fn to(&self) -> String {
        self.integration.as_ref().unwrap_or(&self.receiver).clone()
    }

    /// Whether a receiver, or an integration of it, is meant.
    pub(super) fn is_to(&self, to: &str) -> bool {
        to == self.receiver || to == self.to()
    }

    /// Whether these are the alerts, in any order.
    pub(super) fn has_alerts(&self, alerts: &[String]) -> bool {
        let sorted = |alerts: &[String]| {
            let mut alerts: Vec<String> = alerts.to_vec();
            alerts.sort();
            alerts
        };
        sorted(alerts) == sorted(&self.alerts)
    }

    /// The text at a place, or at the only one that ends so.
    ///
    /// # Errors
    /// Why it is not clear which one is meant.
    pub(super) fn text(&self, place: &str) -> Result<&str, String> {
        let said = self.said.as_deref().unwrap_or_default();
        let is_at = |path: &str| path == place;
        let ends_so = |path: &str| {
            let before = path.strip_suffix(place);
            before.is_some_and(|before| before.ends_with('.') || place.starts_with('['))
        };
        let mut found: Vec<&SaidText> = said.iter().filter(|(path, _)| is_at(path)).collect();
        if found.is_empty() {
            found = said.iter().filter(|(path, _)| ends_so(path)).collect();
        }
        let places = |said: &mut dyn Iterator<Item = &SaidText>| {
            let places: Vec<&str> = said.map(|(path, _)| &**path).collect();
            places.join(", ")
        };
        match &found[..] {
            [] if said.is_empty() => Err("nothing is said".to_owned()),
            [] => {
                let all = places(&mut said.iter());
                Err(format!("there is no such text; there are {all}"))
            }
            [(_, text), rest @ ..] if rest.iter().all(|(_, it)| it == text) => Ok(text),
            several => {
                let several = places(&mut several.iter().copied());
                Err(format!("which one is not clear: {several}"))
            }
        }
    }
}

/// A notification in one line.
pub(super) fn line(at: &str, to: &str, is_inbox: bool, reason: &str, alerts: &[String]) -> String {
    let alerts = alerts.join(", ");
    match is_inbox {
        true => format!("{at} inbox: {reason} [{alerts}]"),
        false => format!("{at} notify {to}: {reason} [{alerts}]"),
    }
}
