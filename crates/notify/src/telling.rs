//! One notification, as the texts of one integration see it.

use std::cell::OnceCell;

use firebell_model::{AlertStatus, Notification, ReceiverData, Secret, hex};
use firebell_template::{NotificationData, NotificationTemplates, NotificationText, TemplateError};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::error::RenderError;
use crate::http::is_address;
use crate::json::encode;
use crate::tree::Tree;

/// What every integration needs besides its own options.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The named templates that the options may call.
    pub templates: &'a NotificationTemplates,
    /// Where people reach Firebell.
    pub external_url: &'a str,
    /// Our version, for the header `User-Agent`.
    pub version: &'a str,
    /// What this machine is called, for names of mails.
    pub host_name: &'a str,
    /// Which of the integrations of its kind in the receiver this is; counts from 0.
    pub idx: usize,
    /// Reads a rendered text as YAML; `None` when it is none.
    pub read_yaml: fn(&str) -> Option<Tree<String>>,
}

/// What a kind has at hand when it begins a delivery.
pub struct Telling<'a> {
    kind: &'static str,
    notification: &'a Notification,
    known: &'a ReceiverData,
    context: &'a Context<'a>,
    // Made by the first text that has an action.
    data: OnceCell<NotificationData>,
}

impl<'a> Telling<'a> {
    pub(crate) fn new(
        kind: &'static str,
        notification: &'a Notification,
        known: &'a ReceiverData,
        context: &'a Context<'a>,
    ) -> Self {
        Self {
            kind,
            notification,
            known,
            context,
            data: OnceCell::new(),
        }
    }

    /// The same, of another notification.
    pub(crate) fn of<'b>(&'b self, notification: &'b Notification) -> Telling<'b> {
        Telling::new(self.kind, notification, self.known, self.context)
    }

    /// What is told.
    pub(crate) fn notification(&self) -> &'a Notification {
        self.notification
    }

    /// What the integration wanted to know again, by name; the empty text when it is not known.
    pub(crate) fn known(&self, name: &str) -> &str {
        self.known.get(name).map_or("", |value| value)
    }

    /// Where people reach Firebell.
    pub(crate) fn external_url(&self) -> &'a str {
        self.context.external_url
    }

    /// What this machine is called.
    pub(crate) fn host_name(&self) -> &'a str {
        self.context.host_name
    }

    /// Which of the integrations of its kind in the receiver this is.
    pub(crate) fn idx(&self) -> usize {
        self.context.idx
    }

    /// Whether any alert fires.
    pub(crate) fn is_firing(&self) -> bool {
        self.notification.status() == AlertStatus::Firing
    }

    /// SHA-256 of the group key, in hexadecimal: how receivers that limit the length of keys know
    /// the group. Source: Alertmanager, `notify/util.go`, `Key.Hash`.
    pub(crate) fn key_hash(&self) -> String {
        hex(&Sha256::digest(self.notification.group_key.as_bytes()))
    }

    /// The text of an option.
    pub(crate) fn text(
        &self,
        field: &'static str,
        text: &NotificationText,
    ) -> Result<String, RenderError> {
        self.rendered(field, |templates, data| templates.expand_with(text, data))
    }

    /// The text of an option that is HTML: values in it are escaped.
    pub(crate) fn html(
        &self,
        field: &'static str,
        text: &NotificationText,
    ) -> Result<String, RenderError> {
        self.rendered(field, |templates, data| {
            templates.expand_html_with(text, data)
        })
    }

    fn rendered(
        &self,
        field: &'static str,
        expand: impl FnOnce(&NotificationTemplates, &NotificationData) -> Result<String, TemplateError>,
    ) -> Result<String, RenderError> {
        let (notification, url) = (self.notification, self.context.external_url);
        let made = || NotificationData::new(notification, url);
        let rendered = expand(self.context.templates, self.data.get_or_init(made));
        rendered.map_err(|source| RenderError::Template {
            integration: self.kind,
            field,
            source,
        })
    }

    /// The text, if it is an address for HTTP.
    pub(crate) fn address(&self, field: &'static str, url: &str) -> Result<Secret, RenderError> {
        if is_address(url) {
            return Ok(Secret::new(url));
        }
        let integration = self.kind;
        Err(RenderError::Address { integration, field })
    }

    /// What a rendered text says as YAML.
    pub(crate) fn read_yaml(&self, text: &str) -> Option<Tree<String>> {
        (self.context.read_yaml)(text)
    }

    /// A body of JSON.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<String, RenderError> {
        encode(self.kind, value)
    }

    /// What cannot be sent as it is.
    pub(crate) fn refused(&self, why: impl Into<String>) -> RenderError {
        let (integration, why) = (self.kind, why.into());
        RenderError::Refused { integration, why }
    }
}
