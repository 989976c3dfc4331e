//! Opsgenie: an alert is made when something fires, and closed when all has resolved.
//!
//! *Sources*: Alertmanager, `notify/opsgenie`; Opsgenie, "Alert API".

use std::collections::BTreeMap;

use firebell_model::Secret;
use firebell_template::NotificationText;
use serde::Serialize;

use crate::error::RenderError;
use crate::http::{HttpRequest, Method};
use crate::integration::Kind;
use crate::secret_text::SecretText;
use crate::step::Step;
use crate::telling::Telling;
use crate::truncate;
use crate::verdict::{TOO_MANY_REQUESTS, Verdict};

/// Options of one of `opsgenie_configs`. Every text may be a template.
#[derive(Clone, Debug)]
pub struct OpsgenieConfig {
    /// `api_key`, `api_key_file`, `global.opsgenie_api_key`.
    pub api_key: SecretText,
    /// Where the API is, with a slash at its end (`api_url`, `global.opsgenie_api_url`).
    pub api_url: String,
    /// What happened; cut at 130 characters.
    pub message: NotificationText,
    /// More about it.
    pub description: NotificationText,
    /// Who says so.
    pub source: NotificationText,
    /// Anything else, by name; the common labels are there besides.
    pub details: BTreeMap<String, NotificationText>,
    /// What it is about.
    pub entity: NotificationText,
    /// Who is to act.
    pub responders: Vec<OpsgenieResponder>,
    /// What can be done, separated by commas.
    pub actions: NotificationText,
    /// Tags, separated by commas.
    pub tags: NotificationText,
    /// A note.
    pub note: NotificationText,
    /// `P1` to `P5`.
    pub priority: NotificationText,
    /// Whether message and description of an alert that is open are written anew.
    pub updates_alerts: bool,
}

/// Who is to act: known by one of the first three.
#[derive(Clone, Debug, Default)]
pub struct OpsgenieResponder {
    /// By id.
    pub id: NotificationText,
    /// By name; of `teams`, several, separated by commas.
    pub name: NotificationText,
    /// By name of a user.
    pub username: NotificationText,
    /// `team`, `teams`, `user`, `escalation` or `schedule`.
    pub kind: NotificationText,
}

impl OpsgenieConfig {
    /// Opsgenie with upstream's defaults.
    #[must_use]
    pub fn new(api_key: SecretText, api_url: String) -> Self {
        let built_in = |name: &str| NotificationText::calling(&format!("opsgenie.default.{name}"));
        Self {
            api_key,
            api_url,
            message: built_in("message"),
            description: built_in("description"),
            source: built_in("source"),
            details: BTreeMap::new(),
            entity: NotificationText::default(),
            responders: Vec::new(),
            actions: NotificationText::default(),
            tags: NotificationText::default(),
            note: NotificationText::default(),
            priority: NotificationText::default(),
            updates_alerts: false,
        }
    }

    fn create(&self, telling: &Telling<'_>) -> Result<Create, RenderError> {
        let labels = telling.notification().common_labels();
        let labels = labels.iter();
        let mut details: BTreeMap<String, String> = labels
            .map(|label| (label.name.to_string(), label.value.to_string()))
            .collect();
        for (name, text) in &self.details {
            details.insert(name.clone(), telling.text("details", text)?);
        }
        let message = telling.text("message", &self.message)?;
        Ok(Create {
            alias: telling.key_hash(),
            message: truncate::in_chars(message, MESSAGE_CHARS_MAX),
            description: telling.text("description", &self.description)?,
            details,
            source: telling.text("source", &self.source)?,
            responders: self.responders(telling)?,
            tags: parts(&telling.text("tags", &self.tags)?),
            note: telling.text("note", &self.note)?,
            priority: telling.text("priority", &self.priority)?,
            entity: telling.text("entity", &self.entity)?,
            actions: parts(&telling.text("actions", &self.actions)?),
        })
    }

    /// Without those that are empty once they are rendered; `teams` become a team each.
    fn responders(&self, telling: &Telling<'_>) -> Result<Vec<Responder>, RenderError> {
        let mut responders = Vec::new();
        for responder in &self.responders {
            let responder = Responder {
                id: telling.text("responders.id", &responder.id)?,
                name: telling.text("responders.name", &responder.name)?,
                username: telling.text("responders.username", &responder.username)?,
                kind: telling.text("responders.type", &responder.kind)?,
            };
            if responder.kind == "teams" {
                responders.extend(parts(&responder.name).into_iter().map(|name| Responder {
                    name,
                    kind: "team".to_owned(),
                    ..Responder::default()
                }));
            } else if responder != Responder::default() {
                responders.push(responder);
            }
        }
        Ok(responders)
    }

    fn requests(&self, telling: &Telling<'_>) -> Result<Vec<HttpRequest>, RenderError> {
        let alias = telling.key_hash();
        let of_alert = |what: &str| format!("v2/alerts/{alias}/{what}?identifierType=alias");
        if !telling.is_firing() {
            let source = telling.text("source", &self.source)?;
            return Ok(vec![self.request(
                telling,
                &of_alert("close"),
                &Close { source },
            )?]);
        }
        let create = self.create(telling)?;
        let mut requests = vec![self.request(telling, "v2/alerts", &create)?];
        if self.updates_alerts {
            let Create {
                message,
                description,
                ..
            } = create;
            let message = self.request(telling, &of_alert("message"), &NewMessage { message })?;
            let description = NewDescription { description };
            let description = self.request(telling, &of_alert("description"), &description)?;
            requests.extend([message, description].map(|request| request.by(Method::Put)));
        }
        Ok(requests)
    }

    fn request(
        &self,
        telling: &Telling<'_>,
        path: &str,
        body: &impl Serialize,
    ) -> Result<HttpRequest, RenderError> {
        let url = telling.address("api_url", &format!("{}{path}", self.api_url))?;
        let key = telling.text("api_key", self.api_key.text())?;
        let authorization = Secret::new(format!("GenieKey {key}"));
        let request = HttpRequest::post_json(url, telling.json(body)?);
        Ok(request.with_header("Authorization", authorization))
    }
}

impl Kind for OpsgenieConfig {
    fn name(&self) -> &'static str {
        "opsgenie"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        let judge = |answer: &_| Verdict::of_status(answer, &[TOO_MANY_REQUESTS]);
        Ok(Step::ask_all(self.requests(telling)?, judge))
    }

    fn secrets(&self) -> Vec<Secret> {
        vec![self.api_key.to_secret()]
    }
}

/// The parts of a text between commas that are not empty.
fn parts(text: &str) -> Vec<String> {
    let parts = text.trim().split(',');
    let parts = parts.filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

/// The order of fields and what is left out when empty are upstream's.
#[derive(Serialize)]
struct Create {
    alias: String,
    message: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    details: BTreeMap<String, String>,
    source: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    responders: Vec<Responder>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    note: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    priority: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    entity: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<String>,
}

#[derive(Serialize, PartialEq, Default)]
struct Responder {
    #[serde(skip_serializing_if = "String::is_empty")]
    id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    username: String,
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Serialize)]
struct Close {
    source: String,
}

#[derive(Serialize)]
struct NewMessage {
    #[serde(skip_serializing_if = "String::is_empty")]
    message: String,
}

#[derive(Serialize)]
struct NewDescription {
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
}

/// Source: Opsgenie, "Alert API", "Create alert".
const MESSAGE_CHARS_MAX: usize = 130;
