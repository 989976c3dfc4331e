//! The world outside: receivers that deliver, delay, fail or hang, and all that was tried.
//!
//! *Invariants*: an attempt has one outcome, known when it begins; a receiver that changes later
//! changes later attempts. When the process ends, the attempts under way end with it: each may or
//! may not have arrived.

use std::collections::BTreeMap;
use std::sync::Arc;

use firebell_dispatch::{Delivery, DeliveryId, Failure, Integration};
use firebell_engine::PageRecipient;
use firebell_model::{Duration, Notification, Timestamp};

use crate::chance::Chance;

/// How a receiver answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Behaviour {
    /// It takes the notification, after some time.
    Delivers {
        /// How long it takes.
        after: Duration,
    },
    /// It refuses, at once.
    Fails {
        /// The HTTP status it gives.
        status: u16,
    },
    /// It never answers; whoever tries gives up after [`ANSWER_MAX`].
    Hangs,
}

impl Behaviour {
    /// It takes the notification at once.
    pub const PROMPT: Self = Self::Delivers {
        after: Duration::ZERO,
    };
}

/// One attempt to tell one integration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Attempt {
    /// The delivery that it belongs to.
    pub id: DeliveryId,
    /// Who was told.
    pub receiver: Arc<str>,
    /// Which of the receiver's integrations.
    pub integration: Integration,
    /// Counts from 1 within the delivery.
    pub attempt: u32,
    /// What was said.
    pub notification: Arc<Notification>,
    /// When it began.
    pub began_at: Timestamp,
    /// When it ended; `None` while it is under way.
    pub ended_at: Option<Timestamp>,
    /// What became of it.
    pub fate: Fate,
}

/// What became of an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fate {
    /// It is under way.
    UnderWay,
    /// It arrived.
    Arrived,
    /// It arrived, but the process ended before it heard of that.
    ArrivedUnheard,
    /// It did not arrive.
    Failed(String),
    /// It was given up, or the process ended, before it arrived.
    Lost,
}

/// What the process hears, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Answer {
    pub(crate) at: Timestamp,
    pub(crate) id: DeliveryId,
    pub(crate) idx: usize,
    pub(crate) outcome: Result<(), Failure>,
}

/// See the module's documentation.
#[derive(Default, Debug)]
pub struct World {
    behaviours: BTreeMap<String, Behaviour>,
    attempts: Vec<Attempt>,
    /// By delivery, as an index into `attempts`.
    under_way: BTreeMap<DeliveryId, usize>,
}

impl World {
    /// From now on a receiver answers like this. One that was never set delivers at once.
    pub fn set(&mut self, receiver: &str, behaviour: Behaviour) {
        self.behaviours.insert(receiver.to_owned(), behaviour);
    }

    /// How a receiver answers now.
    #[must_use]
    pub fn behaviour(&self, receiver: &str) -> Behaviour {
        self.behaviours
            .get(receiver)
            .copied()
            .unwrap_or(Behaviour::PROMPT)
    }

    /// Whether a message of a page arrives, and when that is known; `None` when nothing is heard.
    pub(crate) fn page(&self, now: Timestamp, to: &PageRecipient) -> Option<(Timestamp, bool)> {
        let keys = match to {
            PageRecipient::Person { name, contact } => {
                let kind = contact.kind.name();
                [vec![&**name, kind], vec![&**name], vec![kind]].map(|it| contact_key(&it))
            }
            PageRecipient::Channel(receiver) => {
                [receiver.to_string(), String::new(), String::new()]
            }
        };
        let mut set = keys.iter().filter_map(|key| self.behaviours.get(key));
        match set.next().copied().unwrap_or(Behaviour::PROMPT) {
            Behaviour::Delivers { after } => Some((now + after, true)),
            Behaviour::Fails { .. } => Some((now, false)),
            Behaviour::Hangs => None,
        }
    }

    /// Every attempt so far, in order of beginning.
    #[must_use]
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// The deliveries that are being attempted.
    pub fn under_way(&self) -> impl Iterator<Item = &Attempt> {
        self.under_way.values().map(|idx| &self.attempts[*idx])
    }

    /// An attempt begins; returns the answer to come.
    pub(crate) fn begin(&mut self, now: Timestamp, delivery: Delivery) -> Answer {
        let behaviour = self.behaviour(&delivery.receiver);
        let Delivery {
            id,
            receiver,
            integration,
            attempt,
            notification,
            known: _,
        } = delivery;
        let idx = self.attempts.len();
        self.under_way.insert(id, idx);
        self.attempts.push(Attempt {
            id,
            receiver,
            integration,
            attempt,
            notification,
            began_at: now,
            ended_at: None,
            fate: Fate::UnderWay,
        });
        let failure = |why: String, is_retryable| Failure {
            why,
            is_retryable,
            after: None,
            cause: Default::default(),
        };
        let (after, outcome) = match behaviour {
            Behaviour::Delivers { after } if after < ANSWER_MAX => (after, Ok(())),
            Behaviour::Delivers { .. } | Behaviour::Hangs => {
                let why = format!("no answer within {ANSWER_MAX}");
                (ANSWER_MAX, Err(failure(why, true)))
            }
            Behaviour::Fails { status } => {
                let is_retryable = status == 429 || status >= 500;
                (
                    Duration::ZERO,
                    Err(failure(format!("status {status}"), is_retryable)),
                )
            }
        };
        Answer {
            at: now + after,
            id,
            idx,
            outcome,
        }
    }

    /// An answer arrives; `None` when nobody waits for it any more.
    pub(crate) fn hear(&mut self, answer: &Answer) -> Option<&Attempt> {
        if self.under_way.get(&answer.id) != Some(&answer.idx) {
            return None;
        }
        self.under_way.remove(&answer.id);
        let fate = match &answer.outcome {
            Ok(()) => Fate::Arrived,
            Err(failure) => Fate::Failed(failure.why.clone()),
        };
        Some(self.end(answer.idx, answer.at, fate))
    }

    /// The process gives a delivery up.
    pub(crate) fn cancel(&mut self, now: Timestamp, id: DeliveryId) -> Option<&Attempt> {
        let idx = self.under_way.remove(&id)?;
        Some(self.end(idx, now, Fate::Lost))
    }

    /// The process ends: what is under way may or may not have arrived.
    pub(crate) fn forsake(&mut self, now: Timestamp, chance: &mut Chance) {
        for (_, idx) in std::mem::take(&mut self.under_way) {
            let behaviour = self.behaviour(&self.attempts[idx].receiver.clone());
            let may_arrive = matches!(behaviour, Behaviour::Delivers { .. });
            let fate = if may_arrive && chance.one_in(2) {
                Fate::ArrivedUnheard
            } else {
                Fate::Lost
            };
            self.end(idx, now, fate);
        }
    }

    fn end(&mut self, idx: usize, at: Timestamp, fate: Fate) -> &Attempt {
        let attempt = &mut self.attempts[idx];
        attempt.ended_at = Some(at);
        attempt.fate = fate;
        attempt
    }
}

/// What [`World::set`] calls the contacts of a person, of a kind, or of a person and a kind.
pub(crate) fn contact_key(of: &[&str]) -> String {
    format!("contact {}", of.join(" "))
}

/// How long an attempt may take: that of the live driver.
pub const ANSWER_MAX: Duration = Duration::from_secs(10);
