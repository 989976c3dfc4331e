//! Delivers what dispatch decided: an attempt at a time, counted and logged.
//!
//! *Limits*: [`DELIVERIES_MAX`] at a time to each integration of a receiver; more wait their turn, so
//! that one that does not answer holds up nobody else. Dispatch asks for at most one per group and
//! integration. `firebell_deliveries_under_way` counts, with those that wait.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use firebell_dispatch::{Delivery, Failure, FailureCause};
use firebell_model::ReceiverData;
use firebell_notify::Verdict;
use tokio::sync::Semaphore;

use crate::live::Live;
use crate::notification_metrics::NotificationMetrics;
use crate::send::{Sender, Telling};

/// Sends what dispatch decided.
pub(crate) struct Deliverer {
    pub live: Arc<Live>,
    pub sender: Arc<Sender>,
    pub metrics: Arc<NotificationMetrics>,
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
        let counted = self.metrics.attempt(&delivery.integration.kind);
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
                counted.succeed();
                tracing::info!(%receiver, %integration, group, %id, "notified");
            }
            Err(Failure {
                why, is_retryable, ..
            }) => {
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
            let why = format!("the receiver `{}` is gone", delivery.receiver);
            return outcome((Verdict::Rejected { why }, FailureCause::Other));
        };
        let telling = Telling {
            config: &config,
            integration,
            idx: key.2,
            notification: &delivery.notification,
            known: &delivery.known,
        };
        outcome(self.sender.tell(&telling).await)
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

fn outcome((verdict, cause): (Verdict, FailureCause)) -> Result<Option<ReceiverData>, Failure> {
    match verdict {
        Verdict::Delivered => Ok(None),
        Verdict::DeliveredAs(data) => Ok(Some(data)),
        Verdict::Retry { why, after } => Err(Failure {
            why,
            is_retryable: true,
            after,
            cause,
        }),
        Verdict::Rejected { why } => Err(Failure {
            why,
            is_retryable: false,
            after: None,
            cause,
        }),
    }
}

/// Deliveries under way at the same time to one integration: each holds a connection.
const DELIVERIES_MAX: usize = 16;
