//! Webhook: Alertmanager's JSON, version 4, to any address.
//!
//! *Sources*: Alertmanager, `notify/webhook`, `template/template.go` (names and order of keys).

use std::borrow::Cow;

use firebell_model::{Alert, Duration, Labels, Notification, Secret, Timestamp};
use firebell_template::{NotificationText, ends_at, quote_meta, reason_name, status_name};
use serde::Serialize;

use crate::aim::Aim;
use crate::error::RenderError;
use crate::http::HttpRequest;
use crate::integration::Kind;
use crate::secret_text::SecretText;
use crate::step::Step;
use crate::telling::Telling;
use crate::tree::Tree;
use crate::verdict::Verdict;

/// Options of one of `webhook_configs`.
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    /// Where to send (`url`, `url_file`); may be a template.
    pub url: SecretText,
    /// How many alerts are sent at most (`max_alerts`); 0 is all.
    pub alerts_max: usize,
    /// How long to wait for the answer (`timeout`, 0 is `None`).
    pub timeout: Option<Duration>,
    /// What is sent instead of the message of version 4 (`payload`).
    pub payload: Option<Tree<NotificationText>>,
}

impl WebhookConfig {
    /// A webhook with upstream's defaults.
    #[must_use]
    pub fn new(url: SecretText) -> Self {
        Self {
            url,
            alerts_max: 0,
            timeout: None,
            payload: None,
        }
    }
}

impl Kind for WebhookConfig {
    fn name(&self) -> &'static str {
        "webhook"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let (sent, n_truncated) = first_alerts(telling.notification(), self.alerts_max);
        let telling = telling.of(&sent);
        let url = telling.text("url", self.url.text())?;
        let url = telling.address("url", &url)?;
        let body = match &self.payload {
            Some(payload) => telling.json(&payload.render(&telling, "payload")?)?,
            None => telling.json(&message(&telling, n_truncated))?,
        };
        let request = HttpRequest::post_json(url, body).within(self.timeout);
        Ok(Step::ask(request, |answer| Verdict::of_status(answer, &[])))
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.url.to_secret()]
    }

    fn aimed(&self, aim: &Aim<'_>) -> Option<Box<dyn Kind>> {
        // Of another kind of contact it is told where, and whoever listens does it.
        let url = match aim.by {
            "webhook" => SecretText::compile(aim.address).ok()?,
            _ => self.url.clone(),
        };
        Some(Box::new(Self {
            url,
            ..self.clone()
        }))
    }
}

/// A notification with at most so many of its alerts (0: all), and how many were left out. Status and
/// common labels are those of the alerts that are sent, as upstream has it.
pub(crate) fn first_alerts(
    notification: &Notification,
    alerts_max: usize,
) -> (Cow<'_, Notification>, usize) {
    let n_alerts = notification.alerts.len();
    if alerts_max == 0 || n_alerts <= alerts_max {
        return (Cow::Borrowed(notification), 0);
    }
    let cut = Notification {
        alerts: notification.alerts[..alerts_max].to_vec(),
        ..notification.clone()
    };
    (Cow::Owned(cut), n_alerts - alerts_max)
}

/// The body. The order of fields is that of upstream's.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message<'a> {
    receiver: String,
    status: &'static str,
    pub(crate) alerts: Vec<AlertMessage<'a>>,
    #[serde(rename = "notification_reason")]
    notification_reason: &'static str,
    group_labels: &'a Labels,
    common_labels: Labels,
    common_annotations: Labels,
    route_labels: &'a Labels,
    #[serde(rename = "externalURL")]
    external_url: &'a str,
    pub(crate) version: &'static str,
    group_key: &'a str,
    truncated_alerts: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AlertMessage<'a> {
    status: &'static str,
    labels: &'a Labels,
    annotations: &'a Labels,
    starts_at: String,
    ends_at: String,
    #[serde(rename = "generatorURL")]
    generator_url: &'a str,
    fingerprint: String,
}

pub(crate) fn message<'a>(telling: &Telling<'a>, n_truncated: usize) -> Message<'a> {
    let notification = telling.notification();
    let alerts = notification.alerts.iter();
    Message {
        receiver: quote_meta(&notification.receiver),
        status: status_name(notification.status()),
        alerts: alerts
            .map(|alert| alert_message(alert, notification.at))
            .collect(),
        notification_reason: reason_name(notification.reason),
        group_labels: &notification.group_labels,
        common_labels: notification.common_labels(),
        common_annotations: notification.common_annotations(),
        route_labels: &notification.route_labels,
        external_url: telling.external_url(),
        version: "4",
        group_key: &notification.group_key,
        truncated_alerts: n_truncated,
    }
}

fn alert_message(alert: &Alert, now: Timestamp) -> AlertMessage<'_> {
    AlertMessage {
        status: status_name(alert.status_at(now)),
        labels: &alert.labels,
        annotations: &alert.annotations,
        starts_at: alert.starts_at.to_string(),
        ends_at: ends_at(alert, now).to_string(),
        generator_url: &alert.generator_url,
        fingerprint: alert.labels.fingerprint().to_string(),
    }
}
