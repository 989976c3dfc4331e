//! Delivers notifications: runs the steps that `firebell-notify` asks for until there is a verdict.
//!
//! *Limits*: [`DELIVERIES_MAX`] at a time to each integration of a receiver; more wait their turn, so
//! that one that does not answer holds up nobody else. Dispatch asks for at most one per group and
//! integration. `firebell_deliveries_under_way` counts, with those that wait.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration as StdDuration;

use firebell_dispatch::{Delivery, Failure};
use firebell_model::{Notification, ReceiverData};
use firebell_notify::{Context, HttpConfig, HttpRequest, HttpResponse, Method, Step, Verdict};
use tokio::sync::Semaphore;

use crate::http_client::{self, Clients};
use crate::live::Live;
use crate::metrics::{IntegrationLabel, Metrics};

/// Sends what dispatch decided.
pub(crate) struct Deliverer {
    pub live: Arc<Live>,
    pub clients: Clients,
    pub metrics: Arc<Metrics>,
    pub slots: Slots,
}

/// Permits to deliver, of each integration.
pub(crate) type Slots = Mutex<BTreeMap<IntegrationKey, Arc<Semaphore>>>;

/// Receiver, kind and index of an integration.
type IntegrationKey = (String, String, usize);

impl Deliverer {
    /// One attempt. Returns what the integration wants to be told again.
    ///
    /// # Errors
    /// Why it failed, and whether another attempt may help.
    pub(crate) async fn deliver(
        &self,
        delivery: &Delivery,
    ) -> Result<Option<ReceiverData>, Failure> {
        let key = key_of(delivery);
        let slots = self.slots_of(&key);
        let _slot = slots.acquire().await;
        let integration = delivery.integration.kind.to_string();
        let label = IntegrationLabel { integration };
        self.metrics.notifications.get_or_create(&label).inc();
        let result = self.attempt(delivery, &key).await;
        let Delivery {
            id,
            receiver,
            integration,
            attempt,
            notification,
            known: _,
        } = delivery;
        let group = &notification.group_key;
        match &result {
            Ok(_) => {
                tracing::info!(%receiver, %integration, group, %id, "notified");
            }
            Err(Failure {
                why, is_retryable, ..
            }) => {
                self.metrics
                    .notifications_failed
                    .get_or_create(&label)
                    .inc();
                tracing::warn!(
                    %receiver, %integration, group, %id, attempt, why, retried = is_retryable,
                    "failed to notify"
                );
            }
        }
        result
    }

    fn slots_of(&self, key: &IntegrationKey) -> Arc<Semaphore> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slots = slots.entry(key.clone());
        Arc::clone(slots.or_insert_with(|| Arc::new(Semaphore::new(DELIVERIES_MAX))))
    }

    async fn attempt(
        &self,
        delivery: &Delivery,
        key: &IntegrationKey,
    ) -> Result<Option<ReceiverData>, Failure> {
        let config = self.live.config();
        let Some(integration) = config.integrations.get(key) else {
            return Err(permanent(format!(
                "the receiver `{}` is gone",
                delivery.receiver
            )));
        };
        let context = Context {
            templates: &config.templates,
            external_url: &config.external_url,
            version: env!("CARGO_PKG_VERSION"),
            read_yaml: firebell_config::read_yaml,
        };
        let (route_labels, errors) = config
            .templates
            .route_labels(&delivery.notification, &config.external_url);
        for why in errors {
            tracing::error!(receiver = %delivery.receiver, why, "failed to render a route label");
        }
        let rendered;
        let notification = match route_labels == delivery.notification.route_labels {
            true => &*delivery.notification,
            false => {
                rendered = Notification {
                    route_labels,
                    ..Notification::clone(&delivery.notification)
                };
                &rendered
            }
        };
        let mut step = integration
            .begin(notification, &delivery.known, &context)
            .map_err(|error| permanent(error.to_string()))?;
        for _ in 0..STEPS_MAX {
            step = match step {
                Step::Http(request, then) => then(self.send(request, integration.http()).await),
                Step::Done(verdict) => return outcome(verdict),
            };
        }
        Err(permanent(format!("no end after {STEPS_MAX} requests")))
    }

    async fn send(&self, request: HttpRequest, http: &HttpConfig) -> Result<HttpResponse, String> {
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

fn key_of(delivery: &Delivery) -> IntegrationKey {
    let integration = &delivery.integration;
    (
        delivery.receiver.to_string(),
        integration.kind.to_string(),
        integration.idx,
    )
}

fn outcome(verdict: Verdict) -> Result<Option<ReceiverData>, Failure> {
    match verdict {
        Verdict::Delivered => Ok(None),
        Verdict::DeliveredAs(data) => Ok(Some(data)),
        Verdict::Retry { why, after } => Err(Failure {
            why,
            is_retryable: true,
            after,
        }),
        Verdict::Rejected { why } => Err(permanent(why)),
    }
}

fn permanent(why: String) -> Failure {
    Failure {
        why,
        is_retryable: false,
        after: None,
    }
}

/// Deliveries under way at the same time to one integration: each holds a connection.
const DELIVERIES_MAX: usize = 16;
/// Requests of one delivery: more than any kind needs, and an end for one that goes in circles.
const STEPS_MAX: usize = 32;
/// How long a receiver may take when nothing else is configured.
const TIMEOUT: StdDuration = StdDuration::from_secs(10);
/// What is read of a receiver's answer: some echo the message, which Slack takes up to 40,000
/// characters of.
const RESPONSE_BYTES_MAX: usize = 4 << 20;
