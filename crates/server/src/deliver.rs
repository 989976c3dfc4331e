//! Delivers what dispatch decided: an attempt at a time, counted and logged.
//!
//! *Limits*: [`DELIVERIES_MAX`] at a time to each integration of a receiver; more wait their turn, so
//! that one that does not answer holds up nobody else. Dispatch asks for at most one per group and
//! integration. `firebell_deliveries_under_way` counts, with those that wait.

use std::sync::Arc;

use firebell_dispatch::{Delivery, Failure, FailureCause};
use firebell_model::ReceiverData;
use firebell_notify::Verdict;

use crate::live::Live;
use crate::notification_metrics::NotificationMetrics;
use crate::send::{Sender, Telling};
use crate::turns::Turns;

/// Sends what dispatch decided.
pub(crate) struct Deliverer {
    pub live: Arc<Live>,
    pub sender: Arc<Sender>,
    pub metrics: Arc<NotificationMetrics>,
    pub turns: Turns<IntegrationKey>,
}

/// Receiver, kind and index of an integration.
pub(crate) type IntegrationKey = (String, String, usize);

impl Deliverer {
    /// One attempt. Returns what the integration wants to be told again, or why it failed, and
    /// whether another attempt may help; `None` when it had not begun when the end came.
    pub(crate) async fn deliver(
        &self,
        delivery: &Delivery,
    ) -> Option<Result<Option<ReceiverData>, Failure>> {
        let key = key_of(delivery);
        let _turn = self.turns.take(key.clone()).await?;
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
        Some(result)
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
pub(crate) const DELIVERIES_MAX: usize = 16;
