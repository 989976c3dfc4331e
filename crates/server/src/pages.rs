//! Pages on their way to people and channels.
//!
//! *Invariants*: every message to a person has an outcome, also when its code panics. An address and
//! a link are shown to nobody but their person.
//!
//! *Limits*: [`MESSAGES_MAX`] at a time by each kind of contact; more wait their turn. A message that
//! fails is tried [`TRIES_MAX`] times within seconds; then the next one of the policy is told.

pub(crate) mod links;
mod message;
pub(crate) mod metrics;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration as StdDuration;

use firebell_config::Config;
use firebell_engine::{Input, PageMessage, PageRecipient};
use firebell_model::Notification;
use firebell_notify::{Integration, Verdict};
use tokio::sync::Semaphore;

pub(crate) use self::message::{PATH, without_service};

use self::links::Links;
use self::metrics::PageMetrics;
use crate::clock::Clock;
use crate::driver::Handle;
use crate::live::Live;
use crate::send::{Sender, Telling};

/// Tells people and channels of pages.
pub(crate) struct Pager {
    pub live: Arc<Live>,
    pub clock: Arc<Clock>,
    pub sender: Arc<Sender>,
    pub links: Arc<Links>,
    pub metrics: Arc<PageMetrics>,
    pub slots: Mutex<BTreeMap<&'static str, Arc<Semaphore>>>,
}

impl Pager {
    /// Has a message sent, and the driver told what became of it.
    pub(crate) fn send(
        self: &Arc<Self>,
        runtime: &tokio::runtime::Handle,
        handle: Handle,
        message: PageMessage,
    ) {
        let id = message.id;
        let pager = Arc::clone(self);
        let task = runtime.spawn(async move { pager.tell(&message).await });
        runtime.spawn(async move {
            // A text that brings the code down did not arrive.
            let arrived = task.await.unwrap_or(false);
            if let Some(id) = id {
                handle.input(Input::PageOutcome { id, arrived });
            }
        });
    }

    async fn tell(&self, message: &PageMessage) -> bool {
        match &message.to {
            PageRecipient::Person { name, contact } => {
                let by = contact.kind.name();
                let _slot = self.slot(by).acquire_owned().await;
                let now = self.clock.now();
                let config = self.live.config();
                let told = message::write(now, message, &self.links, &config.external_url);
                let Some(integration) = config.paging.to(contact, told.hidden) else {
                    let why = "no receiver has an account for it: see `via` of `paging`";
                    tracing::error!(person = %name, by, why, "failed to page");
                    self.metrics.failed(by);
                    return false;
                };
                let outcome = self
                    .try_all(&config, &integration, &told.notification)
                    .await;
                self.note(name, by, message, outcome)
            }
            PageRecipient::Channel(receiver) => self.tell_channel(receiver, message).await,
        }
    }

    /// Tells every integration of a receiver, as it tells of alerts.
    async fn tell_channel(&self, receiver: &Arc<str>, message: &PageMessage) -> bool {
        let _slot = self.slot(CHANNEL).acquire_owned().await;
        let config = self.live.config();
        let told = message::write(self.clock.now(), message, &self.links, &config.external_url);
        let of_receiver = config.integrations.iter();
        let of_receiver = of_receiver.filter(|((name, ..), _)| **name == **receiver);
        let mut has_arrived = false;
        for (_, integration) in of_receiver {
            let outcome = self.try_all(&config, integration, &told.notification).await;
            has_arrived |= self.note(receiver, CHANNEL, message, outcome);
        }
        has_arrived
    }

    fn note(
        &self,
        to: &Arc<str>,
        by: &'static str,
        message: &PageMessage,
        outcome: Result<(), String>,
    ) -> bool {
        let pages = message.pages.iter().map(|it| it.key.0).collect::<Vec<_>>();
        match outcome {
            Ok(()) => {
                self.metrics.sent(by);
                tracing::info!(%to, by, ?pages, "paged");
                true
            }
            Err(why) => {
                self.metrics.failed(by);
                tracing::warn!(%to, by, ?pages, why, "failed to page");
                false
            }
        }
    }

    /// Tries until it is taken, or refused, or was tried often enough.
    async fn try_all(
        &self,
        config: &Config,
        integration: &Integration,
        notification: &Notification,
    ) -> Result<(), String> {
        let telling = Telling {
            config,
            integration,
            idx: 0,
            notification,
            known: &BTreeMap::new(),
        };
        let mut wait = FIRST_WAIT;
        for nth in 1.. {
            let why = match self.sender.tell(&telling).await.0 {
                Verdict::Delivered | Verdict::DeliveredAs(_) => return Ok(()),
                Verdict::Retry { why, .. } if nth < TRIES_MAX => why,
                Verdict::Retry { why, .. } | Verdict::Rejected { why } => return Err(why),
            };
            tracing::debug!(why, nth, "a page is tried again");
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        Ok(())
    }

    fn slot(&self, by: &'static str) -> Arc<Semaphore> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots.entry(by);
        Arc::clone(slot.or_insert_with(|| Arc::new(Semaphore::new(MESSAGES_MAX))))
    }
}

/// What metrics call a message to a receiver.
const CHANNEL: &str = "channel";
/// Messages under way at the same time by each kind of contact.
const MESSAGES_MAX: usize = 16;
/// Tries of a message; they take seconds, because somebody else may have to be told instead.
const TRIES_MAX: u32 = 3;
const FIRST_WAIT: StdDuration = StdDuration::from_secs(1);
