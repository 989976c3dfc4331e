//! One way to tell people, as configured: a kind with what all kinds share.

use std::fmt;
use std::sync::Arc;

use firebell_model::{Notification, ReceiverData, Secret};
use firebell_template::NotificationText;

use crate::aim::{Aim, Hiding};
use crate::error::RenderError;
use crate::http::HttpConfig;
use crate::oauth2::OAuth2;
use crate::preview::Preview;
use crate::step::Step;
use crate::telling::{Context, Telling};
use crate::verdict::{Verdict, scrub, scrub_bytes};

/// What makes one kind of receiver differ from another. Implemented by the options of the kind.
///
/// Everything is rendered when a delivery begins, so that what follows depends on answers only.
pub trait Kind: fmt::Debug + Send + Sync {
    /// Its name, as in Alertmanager's logs and metrics, such as `webhook`.
    fn name(&self) -> &'static str;

    /// Begins a delivery.
    ///
    /// # Errors
    /// When the options cannot be put into their form; trying again does not help.
    fn begin(&self, telling: &Telling<'_>) -> Result<Step, RenderError>;

    /// What an answer could echo besides the addresses of requests and what `http_config` holds.
    fn secrets(&self) -> Vec<Secret> {
        Vec::new()
    }

    /// The same account, told to reach one person with a page; `None` when it cannot.
    fn aimed(&self, aim: &Aim<'_>) -> Option<Box<dyn Kind>> {
        let _ = aim;
        None
    }
}

/// One way to tell people. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Integration {
    kind: Arc<dyn Kind>,
    send_resolved: bool,
    http: Arc<HttpConfig>,
}

impl Integration {
    /// A kind's options, whether it is told of resolved alerts, and its `http_config`.
    #[must_use]
    pub fn new(kind: impl Kind + 'static, send_resolved: bool, http: HttpConfig) -> Self {
        Self::boxed(Box::new(kind), send_resolved, http)
    }

    /// As [`Integration::new`], for options of any kind.
    #[must_use]
    pub fn boxed(kind: Box<dyn Kind>, send_resolved: bool, http: HttpConfig) -> Self {
        Self {
            kind: kind.into(),
            send_resolved,
            http: Arc::new(http),
        }
    }

    /// The same account, told to reach one person with a page: notifications whose alerts are pages,
    /// as `firebell.page.…` in the built-in templates read them. No text of ours shows `hidden`, such
    /// as where the person is reached and links that act for them. `None` when it reaches nobody by
    /// that kind of contact, or not there.
    #[must_use]
    pub fn aimed(&self, aim: &Aim<'_>, hidden: Vec<Secret>) -> Option<Self> {
        let kind = self.kind.aimed(aim)?;
        Some(Self {
            kind: Arc::new(Hiding { kind, hidden }),
            send_resolved: self.send_resolved,
            http: Arc::clone(&self.http),
        })
    }

    /// The name of its kind.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind.name()
    }

    /// Whether it is told of resolved alerts. When not, dispatch leaves them out of notifications.
    #[must_use]
    pub fn send_resolved(&self) -> bool {
        self.send_resolved
    }

    /// How its requests are to be made.
    #[must_use]
    pub fn http(&self) -> &HttpConfig {
        &self.http
    }

    /// Begins to tell of a notification. `known` is what it asked to be told again at the last
    /// notification of the group ([`Verdict::DeliveredAs`]). No verdict shows a secret, even if an
    /// answer echoes one.
    ///
    /// # Errors
    /// When a template fails, or what it makes cannot be sent; trying again does not help.
    pub fn begin(
        &self,
        notification: &Notification,
        known: &ReceiverData,
        context: &Context<'_>,
    ) -> Result<Step, RenderError> {
        let step = self.begin_bare(notification, known, context)?;
        let guard = Guard {
            http: Arc::clone(&self.http),
            user_agent: format!("Alertmanager/{}", context.version),
            token: None,
            hidden: self.secrets().collect(),
        };
        Ok(match self.http.oauth2.clone() {
            None => guard.over(step),
            Some(oauth2) => guard.token_then(oauth2, step),
        })
    }

    /// As [`Integration::begin`], without what `http_config` adds and without hiding secrets.
    pub(crate) fn begin_bare(
        &self,
        notification: &Notification,
        known: &ReceiverData,
        context: &Context<'_>,
    ) -> Result<Step, RenderError> {
        let telling = Telling::new(self.kind(), notification, known, context);
        self.kind.begin(&telling)
    }

    /// What no text of ours may show, besides the addresses of requests.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = Secret> {
        let own = self.kind.secrets().into_iter();
        own.chain(self.http.secrets().cloned())
    }

    /// What the first request of a delivery would be, or the mail, or the program; secrets hidden.
    ///
    /// # Errors
    /// As [`Integration::begin`].
    pub fn preview(
        &self,
        notification: &Notification,
        context: &Context<'_>,
    ) -> Result<Preview, RenderError> {
        let known = ReceiverData::new();
        let telling = Telling::new(self.kind(), notification, &known, context);
        let step = self.begin_bare(notification, &known, context)?;
        let mut hidden: Vec<_> = self.secrets().collect();
        // A secret that is a template stands there as what it was made of.
        let templates = hidden
            .iter()
            .filter(|secret| secret.reveal().contains("{{"));
        let made = templates.filter_map(|secret| {
            let text = NotificationText::compile(secret.reveal()).ok()?;
            telling.text("secret", &text).ok().map(Secret::new)
        });
        let made: Vec<_> = made.collect();
        hidden.extend(made);
        Ok(Preview::new(&step, &hidden))
    }
}

/// Gives every request of a delivery what `http_config` says, and keeps secrets out of its verdict.
struct Guard {
    http: Arc<HttpConfig>,
    user_agent: String,
    token: Option<Secret>,
    hidden: Vec<Secret>,
}

impl Guard {
    /// Asks for a token, by requests that carry none of our headers, and goes on.
    fn token_then(mut self, oauth2: OAuth2, step: Step) -> Step {
        oauth2.then(move |token| {
            self.hidden.push(token.clone());
            self.token = Some(token);
            self.over(step)
        })
    }

    fn over(mut self, step: Step) -> Step {
        match step {
            Step::Http(mut request, then) => {
                self.hidden.push(request.url.clone());
                self.http
                    .apply(&mut request, &self.user_agent, self.token.as_ref());
                Step::Http(
                    request,
                    Box::new(|mut answer| {
                        if let Ok(answer) = &mut answer {
                            scrub_bytes(&mut answer.body, &self.hidden);
                        }
                        self.over(then(answer))
                    }),
                )
            }
            Step::Smtp(mail, then) => Step::Smtp(mail, Box::new(|answer| self.over(then(answer)))),
            Step::Sign(assertion, then) => {
                Step::Sign(assertion, Box::new(|signed| self.over(then(signed))))
            }
            Step::Exec(command, then) => Step::Exec(
                command,
                Box::new(|mut exit| {
                    if let Ok(exit) = &mut exit {
                        scrub_bytes(&mut exit.output, &self.hidden);
                    }
                    self.over(then(exit))
                }),
            ),
            Step::Done(mut verdict) => {
                if let Verdict::Retry { why, .. } | Verdict::Rejected { why } = &mut verdict {
                    self.hidden.iter().for_each(|secret| scrub(why, secret));
                }
                Step::Done(verdict)
            }
        }
    }
}
