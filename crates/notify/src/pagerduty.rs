//! PagerDuty: one event per notification, to the Events API v2, or v1 with a service key.
//!
//! *Sources*: Alertmanager, `notify/pagerduty`; PagerDuty, "Events API v2", "Events API v1".

use std::collections::BTreeMap;

use firebell_model::{Duration, Secret};
use firebell_template::NotificationText;
use serde::{Deserialize, Serialize};

use crate::error::RenderError;
use crate::http::{HttpRequest, HttpResponse};
use crate::integration::Kind;
use crate::secret_text::SecretText;
use crate::step::Step;
use crate::telling::Telling;
use crate::tree::Tree;
use crate::truncate;
use crate::verdict::{TOO_MANY_REQUESTS, Verdict, one_line};

/// Options of one of `pagerduty_configs`. Every text may be a template.
#[derive(Clone, Debug)]
pub struct PagerDutyConfig {
    /// Which service, and by which of the two protocols.
    pub key: PagerDutyKey,
    /// Where events of v2 are sent (`url`, `global.pagerduty_url`).
    pub url: String,
    /// Who sends.
    pub client: NotificationText,
    /// Where people find the sender.
    pub client_url: NotificationText,
    /// What happened; cut at 1024 characters.
    pub description: NotificationText,
    /// Anything else, by name.
    pub details: BTreeMap<String, Tree<NotificationText>>,
    /// Pictures; those without an address are left out.
    pub images: Vec<PagerDutyImage>,
    /// Links; those without an address are left out.
    pub links: Vec<PagerDutyLink>,
    /// What is affected; as written, `client`.
    pub source: NotificationText,
    /// `critical`, `error`, `warning` or `info`.
    pub severity: NotificationText,
    /// Class of the event.
    pub class: NotificationText,
    /// Part of the source.
    pub component: NotificationText,
    /// Group of parts.
    pub group: NotificationText,
    /// How long to wait for the answer (`timeout`, 0 is `None`).
    pub timeout: Option<Duration>,
}

/// By what PagerDuty knows the service.
#[derive(Clone, Debug)]
pub enum PagerDutyKey {
    /// `service_key`, `service_key_file`: Events API v1.
    Service(SecretText),
    /// `routing_key`, `routing_key_file`: Events API v2.
    Routing(SecretText),
}

/// A picture.
#[derive(Clone, Debug, Default)]
pub struct PagerDutyImage {
    /// Its address.
    pub src: NotificationText,
    /// What is said instead.
    pub alt: NotificationText,
    /// Where it leads.
    pub href: NotificationText,
}

/// A link.
#[derive(Clone, Debug, Default)]
pub struct PagerDutyLink {
    /// Where it leads.
    pub href: NotificationText,
    /// What it says.
    pub text: NotificationText,
}

impl PagerDutyConfig {
    /// PagerDuty with upstream's defaults.
    #[must_use]
    pub fn new(key: PagerDutyKey, url: String) -> Self {
        let built_in = |name: &str| NotificationText::calling(&format!("pagerduty.default.{name}"));
        let details = DETAILS.map(|(name, text)| {
            // A test holds that these compile.
            let text = NotificationText::compile(text).unwrap_or_default();
            (name.to_owned(), Tree::Text(text))
        });
        Self {
            key,
            url,
            client: built_in("client"),
            client_url: built_in("clientURL"),
            description: built_in("description"),
            details: details.into(),
            images: Vec::new(),
            links: Vec::new(),
            source: built_in("client"),
            severity: NotificationText::default(),
            class: NotificationText::default(),
            component: NotificationText::default(),
            group: NotificationText::default(),
            timeout: None,
        }
    }

    fn v1(&self, telling: &Telling<'_>, key: &SecretText) -> Result<HttpRequest, RenderError> {
        let is_firing = telling.is_firing();
        let mut event = Event {
            service_key: self.key_text(telling, "service_key", key)?,
            incident_key: telling.key_hash(),
            event_type: event_name(is_firing),
            description: self.summary(telling)?,
            details: self.details(telling)?,
            ..Event::default()
        };
        if is_firing {
            event.client = telling.text("client", &self.client)?;
            event.client_url = telling.text("client_url", &self.client_url)?;
        }
        let mut body = telling.json(&event)?;
        if body.len() > EVENT_BYTES_MAX {
            event.details = instead_of_details();
            body = telling.json(&event)?;
        }
        Ok(HttpRequest::post_json(Secret::new(URL_V1), body))
    }

    fn v2(&self, telling: &Telling<'_>, key: &SecretText) -> Result<HttpRequest, RenderError> {
        let mut event = Event {
            routing_key: self.key_text(telling, "routing_key", key)?,
            dedup_key: telling.key_hash(),
            event_action: event_name(telling.is_firing()),
            payload: Some(self.payload(telling)?),
            client: telling.text("client", &self.client)?,
            client_url: telling.text("client_url", &self.client_url)?,
            images: self.images(telling)?,
            links: self.links(telling)?,
            ..Event::default()
        };
        let mut body = telling.json(&event)?;
        if body.len() > EVENT_BYTES_MAX
            && let Some(payload) = &mut event.payload
        {
            payload.custom_details = instead_of_details();
            body = telling.json(&event)?;
        }
        let url = telling.address("url", &self.url)?;
        Ok(HttpRequest::post_json(url, body))
    }

    fn payload(&self, telling: &Telling<'_>) -> Result<Payload, RenderError> {
        let severity = telling.text("severity", &self.severity)?;
        let severity = if self.severity.text().is_empty() {
            SEVERITY.to_owned()
        } else {
            severity
        };
        Ok(Payload {
            summary: self.summary(telling)?,
            source: telling.text("source", &self.source)?,
            severity,
            class: telling.text("class", &self.class)?,
            component: telling.text("component", &self.component)?,
            group: telling.text("group", &self.group)?,
            custom_details: self.details(telling)?,
        })
    }

    fn summary(&self, telling: &Telling<'_>) -> Result<String, RenderError> {
        let description = telling.text("description", &self.description)?;
        Ok(truncate::in_chars(description, SUMMARY_CHARS_MAX))
    }

    fn details(&self, telling: &Telling<'_>) -> Result<Details, RenderError> {
        let details = self.details.iter();
        let details =
            details.map(|(name, value)| Ok((name.clone(), value.render(telling, "details")?)));
        details.collect()
    }

    fn images(&self, telling: &Telling<'_>) -> Result<Vec<Image>, RenderError> {
        let mut images = Vec::new();
        for PagerDutyImage { src, alt, href } in &self.images {
            let image = Image {
                src: telling.text("images.src", src)?,
                alt: telling.text("images.alt", alt)?,
                href: telling.text("images.href", href)?,
            };
            images.extend((!image.src.is_empty()).then_some(image));
        }
        Ok(images)
    }

    fn links(&self, telling: &Telling<'_>) -> Result<Vec<Link>, RenderError> {
        let mut links = Vec::new();
        for PagerDutyLink { href, text } in &self.links {
            let link = Link {
                href: telling.text("links.href", href)?,
                text: telling.text("links.text", text)?,
            };
            links.extend((!link.href.is_empty()).then_some(link));
        }
        Ok(links)
    }

    fn key_text(
        &self,
        telling: &Telling<'_>,
        field: &'static str,
        key: &SecretText,
    ) -> Result<String, RenderError> {
        let key = telling.text(field, key.text())?;
        if key.is_empty() {
            return Err(telling.refused(format!("`{field}` is empty once it is rendered")));
        }
        Ok(key)
    }
}

impl Kind for PagerDutyConfig {
    fn name(&self) -> &'static str {
        "pagerduty"
    }

    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError> {
        // Each protocol has its own way to say "too many requests".
        let (request, retried) = match &self.key {
            PagerDutyKey::Service(key) => (self.v1(telling, key)?, FORBIDDEN),
            PagerDutyKey::Routing(key) => (self.v2(telling, key)?, TOO_MANY_REQUESTS),
        };
        Ok(Step::ask(request.within(self.timeout), move |answer| {
            judge(answer, retried)
        }))
    }

    fn secrets(&self) -> Vec<Secret> {
        let (PagerDutyKey::Service(key) | PagerDutyKey::Routing(key)) = &self.key;
        vec![key.to_secret()]
    }
}

/// Only a refusal for bad content says in its body what is wrong.
fn judge(answer: &HttpResponse, retried: u16) -> Verdict {
    let detail = |body: &[u8]| {
        if answer.status != BAD_REQUEST {
            return String::new();
        }
        serde_json::from_slice::<Refusal>(body).map_or_else(
            |_| String::new(),
            |Refusal { message, errors }| {
                one_line(format!("{message}: {}", errors.join(",")).as_bytes())
            },
        )
    };
    Verdict::of_status_with(answer, &[retried], detail)
}

fn event_name(is_firing: bool) -> &'static str {
    if is_firing { "trigger" } else { "resolve" }
}

fn instead_of_details() -> Details {
    let text = "Custom details have been removed because the original event exceeds the maximum \
                size of 512KB";
    [("error".to_owned(), Tree::Text(text.to_owned()))].into()
}

type Details = BTreeMap<String, Tree<String>>;

/// The body for both protocols. The order of fields and what is left out when empty are upstream's.
#[derive(Default, Serialize)]
struct Event {
    #[serde(skip_serializing_if = "String::is_empty")]
    routing_key: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    service_key: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    dedup_key: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    incident_key: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    event_type: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    description: String,
    event_action: &'static str,
    payload: Option<Payload>,
    #[serde(skip_serializing_if = "String::is_empty")]
    client: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    client_url: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    details: Details,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Image>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    links: Vec<Link>,
}

#[derive(Serialize)]
struct Payload {
    summary: String,
    source: String,
    severity: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    class: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    component: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    group: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    custom_details: Details,
}

#[derive(Serialize)]
struct Image {
    src: String,
    alt: String,
    href: String,
}

#[derive(Serialize)]
struct Link {
    href: String,
    text: String,
}

/// What PagerDuty says of an event that it does not take.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Refusal {
    message: String,
    errors: Vec<String>,
}

/// Upstream's, which a receiver's own `details` of the same name replace.
const DETAILS: [(&str, &str); 4] = [
    ("firing", "{{ .Alerts.Firing | toJson }}"),
    ("resolved", "{{ .Alerts.Resolved | toJson }}"),
    ("num_firing", "{{ .Alerts.Firing | len }}"),
    ("num_resolved", "{{ .Alerts.Resolved | len }}"),
];
const URL_V1: &str = "https://events.pagerduty.com/generic/2010-04-15/create_event.json";
const SEVERITY: &str = "error";
/// Source: PagerDuty, "Size limits".
const EVENT_BYTES_MAX: usize = 512_000;
const SUMMARY_CHARS_MAX: usize = 1024;
const BAD_REQUEST: u16 = 400;
const FORBIDDEN: u16 = 403;
