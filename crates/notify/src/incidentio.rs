//! incident.io: the webhook's JSON to an alert source.
//!
//! *Sources*: Alertmanager, `notify/incidentio`; incident.io, "Alert events".

use firebell_model::{Duration, Secret};
use serde::Deserialize;

use crate::error::RenderError;
use crate::http::{HttpRequest, HttpResponse};
use crate::integration::Kind;
use crate::step::Step;
use crate::telling::Telling;
use crate::verdict::{TOO_MANY_REQUESTS, Verdict, one_line};
use crate::webhook::{first_alerts, message};

/// Options of one of `incidentio_configs`.
#[derive(Clone, Debug)]
pub struct IncidentioConfig {
    /// Where to send (`url`, `url_file`).
    pub url: Secret,
    /// Of the alert source; replaces what `http_config` says of `Authorization`.
    pub alert_source_token: Option<Secret>,
    /// How many alerts are sent at most (`max_alerts`); 0 is all.
    pub alerts_max: usize,
    /// How long to wait for the answer (`timeout`, 0 is `None`).
    pub timeout: Option<Duration>,
}

impl IncidentioConfig {
    /// incident.io with upstream's defaults.
    #[must_use]
    pub fn new(url: Secret) -> Self {
        Self {
            url,
            alert_source_token: None,
            alerts_max: 0,
            timeout: None,
        }
    }
}

impl Kind for IncidentioConfig {
    fn name(&self) -> &'static str {
        "incidentio"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let (sent, n_truncated) = first_alerts(telling.notification(), self.alerts_max);
        let telling = telling.of(&sent);
        let mut message = message(&telling, n_truncated);
        message.version = "1";
        let mut body = telling.json(&message)?;
        if body.len() > BODY_BYTES_MAX {
            message.alerts.truncate(1);
            body = telling.json(&message)?;
        }
        let url = telling.address("url", self.url.reveal())?;
        let mut request = HttpRequest::post_json(url, body).within(self.timeout);
        if let Some(token) = &self.alert_source_token {
            let bearer = Secret::new(format!("Bearer {}", token.reveal()));
            request = request.with_header("Authorization", bearer);
        }
        Ok(Step::ask(request, judge))
    }

    fn secrets(&self) -> Vec<Secret> {
        self.alert_source_token.iter().cloned().collect()
    }
}

fn judge(answer: &HttpResponse) -> Verdict {
    Verdict::of_status_with(answer, &[TOO_MANY_REQUESTS], |body| {
        let Refusal {
            message,
            error,
            errors,
        } = serde_json::from_slice(body).unwrap_or_default();
        let parts = [message, error, errors.join(", ")];
        let parts = parts.into_iter().filter(|part| !part.is_empty());
        one_line(parts.collect::<Vec<_>>().join(": ").as_bytes())
    })
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Refusal {
    message: String,
    error: String,
    errors: Vec<String>,
}

/// Source: incident.io's limit, as upstream reads it.
const BODY_BYTES_MAX: usize = 512 << 10;
