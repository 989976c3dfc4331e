//! Pages on their way to people and channels.
//!
//! *Invariants*: every message to a person that began has an outcome, also when its code panics. An
//! address and a link are shown to nobody but their person.
//!
//! *Limits*: [`MESSAGES_MAX`] at a time by each kind of contact; more wait their turn. A message that
//! fails is tried [`TRIES_MAX`] times within seconds; then the next one of the policy is told.

pub(crate) mod links;
mod message;
pub(crate) mod metrics;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration as StdDuration;

use firebell_config::Config;
use firebell_engine::{Input, PageMessage, PageRecipient, PageWhy};
use firebell_model::{Notification, Timestamp};
use firebell_notify::{Integration, Verdict};
use firebell_oncall::{Contact, ContactKind, Person};

pub(crate) use self::message::{CONTACT_PATH, PATH, without_service};

use self::links::{ASKED_MAX, Links};
use self::metrics::PageMetrics;
use crate::clock::Clock;
use crate::driver::Handle;
use crate::live::Live;
use crate::send::{Sender, Telling};
use crate::turns::Turns;

/// Tells people and channels of pages.
pub(crate) struct Pager {
    pub live: Arc<Live>,
    pub clock: Arc<Clock>,
    pub sender: Arc<Sender>,
    pub links: Arc<Links>,
    pub metrics: Arc<PageMetrics>,
    pub turns: Turns<&'static str>,
    /// One test message of a kind at a time: they are counted when they have arrived.
    pub asking: Turns<&'static str>,
}

/// Why somebody was not asked to confirm a contact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Unasked {
    /// They were asked often enough there; once more may be at this moment.
    Often(Timestamp),
    /// It did not arrive, or was not to be written down, in words that show no address.
    Failed(String),
}

impl fmt::Display for Unasked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Often(at) => {
                let at = at.to_jiff().strftime("%Y-%m-%d %H:%M UTC");
                write!(
                    f,
                    "{ASKED_MAX} test messages were sent there within a day: the link of any of \
                     them confirms it, and the next one may be sent at {at}"
                )
            }
            Self::Failed(why) => f.write_str(why),
        }
    }
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
            // A text that brings the code down did not arrive. What has not begun when the end comes
            // is sent after a restart.
            let arrived = task.await.unwrap_or(Some(false));
            if let (Some(id), Some(arrived)) = (id, arrived) {
                handle.input(Input::PageOutcome { id, arrived });
            }
        });
    }

    /// Whether it arrived; `None` when it had not begun when the end came.
    async fn tell(&self, message: &PageMessage) -> Option<bool> {
        match &message.to {
            PageRecipient::Person { name, contact } => {
                let by = contact.kind.name();
                let _turn = self.turns.take(by).await?;
                let now = self.clock.now();
                let config = self.live.config();
                let told = self.write(now, message, &config);
                let Some(integration) = config.paging.to(contact, told.hidden) else {
                    let why = "no receiver has an account for it: see `via` of `paging`";
                    tracing::error!(person = %name, by, why, "failed to page");
                    self.metrics.failed(by);
                    return Some(false);
                };
                let outcome = self
                    .try_all(&config, &integration, &told.notification)
                    .await;
                Some(self.note(name, by, message, outcome))
            }
            PageRecipient::Channel(receiver) => self.tell_channel(receiver, message).await,
        }
    }

    /// Asks a person to confirm that a contact reaches them; what cannot carry a link is asked by
    /// texts to the same number.
    ///
    /// # Errors
    /// Why it did not arrive, in words that show no address.
    pub(crate) async fn ask_to_confirm(
        &self,
        person: &Person,
        contact: &Contact,
    ) -> Result<(), Unasked> {
        let contact = Contact {
            kind: match contact.kind {
                ContactKind::Phone => ContactKind::Sms,
                other => other,
            },
            address: Arc::clone(&contact.address),
        };
        let by = contact.kind.name();
        let stops = || Unasked::Failed("Firebell stops".to_owned());
        let _alone = self.asking.take(by).await.ok_or_else(stops)?;
        let _turn = self.turns.take(by).await.ok_or_else(stops)?;
        let (now, config) = (self.clock.now(), self.live.config());
        let link = self.links.make_contact(now, person, &contact);
        let told = message::test(now, (person, &contact), link, &config.external_url);
        let integration = config.paging.to(&contact, told.hidden);
        let integration = integration.ok_or_else(|| {
            let why = format!("no receiver has an account for {by}: see `via` of `paging`");
            Unasked::Failed(why)
        })?;
        if let Some(at) = self.links.asked_often(now, &contact) {
            return Err(Unasked::Often(at));
        }
        let outcome = self.try_all(&config, &integration, &told.notification);
        outcome.await.map_err(Unasked::Failed)?;
        // What does not arrive is not counted: whoever sets a receiver up tries it again and again.
        let links = Arc::clone(&self.links);
        let noted = tokio::task::spawn_blocking(move || links.note_asked(now, &contact)).await;
        let noted = noted.map_err(|_| stops())?;
        noted.map_err(|error| Unasked::Failed(error.to_string()))
    }

    /// Tells every integration of a receiver, as it tells of alerts.
    async fn tell_channel(&self, receiver: &Arc<str>, message: &PageMessage) -> Option<bool> {
        let _turn = self.turns.take(CHANNEL).await?;
        let config = self.live.config();
        let told = self.write(self.clock.now(), message, &config);
        let of_receiver = config.integrations.iter();
        let of_receiver = of_receiver.filter(|((name, ..), _)| **name == **receiver);
        let mut has_arrived = false;
        for (_, integration) in of_receiver {
            let outcome = self.try_all(&config, integration, &told.notification).await;
            has_arrived |= self.note(receiver, CHANNEL, message, outcome);
        }
        Some(has_arrived)
    }

    fn write(&self, now: Timestamp, message: &PageMessage, config: &Config) -> message::Told {
        let (url, replies) = (&config.external_url, &config.replies);
        message::write(now, message, &self.links, (url, replies))
    }

    fn note(
        &self,
        to: &Arc<str>,
        by: &'static str,
        message: &PageMessage,
        outcome: Result<(), String>,
    ) -> bool {
        let pages = message.pages.iter().map(|it| it.key.0).collect::<Vec<_>>();
        // Of what is no page, pages' metrics do not tell.
        if let PageWhy::HandOff(_) = message.why {
            self.metrics.hand_off(by, outcome.is_ok());
            match &outcome {
                Ok(()) => tracing::info!(%to, by, ?pages, "told of a hand-over"),
                Err(why) => tracing::warn!(%to, by, ?pages, why, "failed to tell of a hand-over"),
            }
            return outcome.is_ok();
        }
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
}

/// What metrics call a message to a receiver.
const CHANNEL: &str = "channel";
/// Messages under way at the same time by each kind of contact.
pub(crate) const MESSAGES_MAX: usize = 16;
/// Tries of a message; they take seconds, because somebody else may have to be told instead.
const TRIES_MAX: u32 = 3;
const FIRST_WAIT: StdDuration = StdDuration::from_secs(1);
