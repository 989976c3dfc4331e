//! The integrations that can be configured, behind one door.

use firebell_model::{Notification, Secret};
use firebell_template::{NotificationData, NotificationTemplates, NotificationText};

use crate::error::RenderError;
use crate::http::{HttpConfig, HttpRequest, HttpResponse};
use crate::slack::SlackConfig;
use crate::verdict::{Verdict, scrub};
use crate::webhook::WebhookConfig;

/// One way to tell people, as configured. Cheap enough to clone on reload.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Integration {
    /// `webhook_configs`
    Webhook(WebhookConfig),
    /// `slack_configs`
    Slack(Box<SlackConfig>),
}

/// What every integration needs besides its own options.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The named templates that the options may call.
    pub templates: &'a NotificationTemplates,
    /// Where people reach Firebell.
    pub external_url: &'a str,
    /// Our version, for the header `User-Agent`.
    pub version: &'a str,
}

impl Integration {
    /// The name of its kind, as in Alertmanager's logs and metrics: `webhook`, `slack`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Slack(_) => "slack",
        }
    }

    /// Whether it is told of resolved alerts. When not, dispatch leaves them out of notifications.
    #[must_use]
    pub fn send_resolved(&self) -> bool {
        match self {
            Self::Webhook(config) => config.send_resolved,
            Self::Slack(config) => config.send_resolved,
        }
    }

    /// How its requests are to be made.
    #[must_use]
    pub fn http(&self) -> &HttpConfig {
        match self {
            Self::Webhook(config) => &config.http,
            Self::Slack(config) => &config.http,
        }
    }

    /// The request that tells of a notification.
    ///
    /// # Errors
    /// When a template fails, or the address is none; trying again does not help.
    pub fn request(
        &self,
        notification: &Notification,
        context: &Context<'_>,
    ) -> Result<HttpRequest, RenderError> {
        match self {
            Self::Webhook(config) => config.request(notification, context),
            Self::Slack(config) => config.request(notification, context),
        }
    }

    /// What an answer means. Its text shows no secret, even if the answer echoes one.
    #[must_use]
    pub fn verdict(&self, response: &HttpResponse) -> Verdict {
        let verdict = match self {
            // What a rendered address looked like is gone, so an echo of it could not be found.
            Self::Webhook(config) if config.url.has_action() => {
                let body = Vec::new();
                let bare = HttpResponse {
                    body,
                    ..response.clone()
                };
                Verdict::of_status(&bare, &[])
            }
            Self::Webhook(_) => Verdict::of_status(response, &[]),
            Self::Slack(_) => SlackConfig::verdict(response),
        };
        self.without_secrets(verdict)
    }

    /// What it means that no answer came: another attempt. `why` is the client's error; it should
    /// not name the address.
    #[must_use]
    pub fn verdict_without_answer(&self, why: &str) -> Verdict {
        let why = why.to_owned();
        self.without_secrets(Verdict::Retry { why, after: None })
    }

    fn without_secrets(&self, mut verdict: Verdict) -> Verdict {
        if let Verdict::Retry { why, .. } | Verdict::Rejected { why } = &mut verdict {
            for secret in self.http().secrets().chain([&self.address()]) {
                scrub(why, secret);
            }
        }
        verdict
    }

    fn address(&self) -> Secret {
        match self {
            Self::Webhook(config) => config.url.to_secret(),
            Self::Slack(config) => config.api_url.clone(),
        }
    }
}

/// Renders the options of one integration for one notification.
pub(crate) struct Renderer<'a> {
    integration: &'static str,
    templates: &'a NotificationTemplates,
    data: NotificationData,
}

impl<'a> Renderer<'a> {
    pub(crate) fn new(
        integration: &'static str,
        notification: &Notification,
        context: &Context<'a>,
    ) -> Self {
        Self {
            integration,
            templates: context.templates,
            data: NotificationData::new(notification, context.external_url),
        }
    }

    pub(crate) fn render(
        &self,
        field: &'static str,
        text: &NotificationText,
    ) -> Result<String, RenderError> {
        let rendered = self.templates.expand_with(text, &self.data);
        rendered.map_err(|source| RenderError::Template {
            integration: self.integration,
            field,
            source,
        })
    }
}
