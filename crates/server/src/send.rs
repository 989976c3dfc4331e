//! Sends: runs the steps that `firebell-notify` asks for until there is a verdict.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration as StdDuration;

use firebell_config::Config;
use firebell_dispatch::FailureCause;
use firebell_model::{Notification, ReceiverData};
use firebell_notify::{
    Context, HttpConfig, HttpRequest, HttpResponse, Integration, Method, Preview, RenderError,
    Step, Verdict,
};

use crate::clock::Clock;
use crate::exec;
use crate::http_client::{self, Clients};
use crate::sign::sign;
use crate::smtp_client::{self, MailTls};

/// The ways out.
#[derive(Default)]
pub(crate) struct Sender {
    clients: Clients,
    mail_tls: MailTls,
    clock: Arc<Clock>,
}

/// What is told by which integration of which configuration.
pub(crate) struct Telling<'a> {
    pub config: &'a Config,
    pub integration: &'a Integration,
    /// Which of its kind in the receiver.
    pub idx: usize,
    pub notification: &'a Notification,
    /// What the integration wanted to be told again.
    pub known: &'a ReceiverData,
}

impl Telling<'_> {
    /// The first step of a delivery.
    fn begin(&self) -> Result<Step, RenderError> {
        let (told, known) = (self.rendered(), self.known);
        self.with_context(|context| self.integration.begin(&told, known, context))
    }

    /// What that step would be.
    pub(crate) fn preview(&self) -> Result<Preview, String> {
        let told = self.rendered();
        let preview = self.with_context(|context| self.integration.preview(&told, context));
        preview.map_err(|error| with_causes(&error))
    }

    fn with_context<T>(&self, what: impl FnOnce(&Context<'_>) -> T) -> T {
        let uname = rustix::system::uname();
        what(&Context {
            templates: &self.config.templates,
            external_url: &self.config.external_url,
            version: env!("CARGO_PKG_VERSION"),
            host_name: &uname.nodename().to_string_lossy(),
            idx: self.idx,
            read_yaml: firebell_config::read_yaml,
        })
    }

    /// The notification, the labels of its route without templates.
    fn rendered(&self) -> Notification {
        let Self {
            config,
            notification,
            ..
        } = self;
        let (route_labels, errors) = config
            .templates
            .route_labels(notification, &config.external_url);
        for why in errors {
            let receiver = &notification.receiver;
            tracing::error!(receiver, why, "failed to render a route label");
        }
        Notification {
            route_labels,
            ..Notification::clone(notification)
        }
    }
}

impl Sender {
    /// By this clock.
    pub(crate) fn new(clock: Arc<Clock>) -> Self {
        Self {
            clock,
            ..Self::default()
        }
    }

    /// Tells once. With the verdict goes what kind of failure it is, unless it is none.
    pub(crate) async fn tell(&self, telling: &Telling<'_>) -> (Verdict, FailureCause) {
        let mut cause = FailureCause::Other;
        let mut step = match telling.begin() {
            Ok(step) => step,
            Err(error) => {
                let why = with_causes(&error);
                return (Verdict::Rejected { why }, cause);
            }
        };
        let http = telling.integration.http();
        for _ in 0..STEPS_MAX {
            step = match step {
                Step::Http(request, then) => {
                    let answer = self.ask(request, http).await;
                    cause = answer
                        .as_ref()
                        .map_or(FailureCause::Other, |it| cause_of(it.status));
                    then(answer)
                }
                Step::Smtp(mail, then) => then(smtp_client::send(&mail, &self.mail_tls).await),
                Step::Exec(command, then) => then(exec::run(&command).await),
                Step::Sign(assertion, then) => then(sign(&assertion, self.clock.now())),
                Step::Done(verdict) => return (verdict, cause),
            };
        }
        let why = format!("no end after {STEPS_MAX} requests");
        (Verdict::Rejected { why }, cause)
    }

    async fn ask(&self, request: HttpRequest, http: &HttpConfig) -> Result<HttpResponse, String> {
        let timeout = request.timeout.map_or(TIMEOUT, |timeout| timeout.to_std());
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
        };
        let client = self.clients.get(http)?;
        let mut builder = client.request(method, request.url.reveal());
        for (name, value) in &request.headers {
            builder = builder.header(name, value.reveal());
        }
        let response = builder.timeout(timeout).body(request.body).send().await;
        // The address may be a secret, so an error never names it.
        let response = response.map_err(|error| http_client::why(&error.without_url()))?;
        let status = response.status().as_u16();
        let headers = http_client::headers(&response);
        // Most kinds look at the status only, and are content with that.
        let body = http_client::body(response, RESPONSE_BYTES_MAX)
            .await
            .unwrap_or_default();
        Ok(HttpResponse {
            status,
            headers,
            body,
        })
    }
}

// What kind of failure an answer is, if it is one. What fails with a good status is refused in words,
// as Slack does.
fn cause_of(status: u16) -> FailureCause {
    match status {
        200..=299 | 400..=499 => FailureCause::ClientError,
        500..=599 => FailureCause::ServerError,
        _ => FailureCause::Other,
    }
}

/// An error and what caused it, in one line.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}

/// Requests of one delivery: more than any kind needs, and an end for one that goes in circles.
const STEPS_MAX: usize = 32;
/// How long a receiver may take when nothing else is configured.
const TIMEOUT: StdDuration = StdDuration::from_secs(10);
/// What is read of a receiver's answer: some echo the message, which Slack takes up to 40,000
/// characters of.
const RESPONSE_BYTES_MAX: usize = 4 << 20;
