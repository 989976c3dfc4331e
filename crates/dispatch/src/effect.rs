//! What dispatch wants done, and what it is told of the outcome.

use std::fmt;
use std::sync::Arc;

use firebell_model::{Duration, Notification, ReceiverData};
use serde::{Deserialize, Serialize};

use crate::Integration;

/// Something for the driver to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum DispatchEffect {
    /// Deliver, then say `handle_delivered` or `handle_failed`.
    Notify(Delivery),
    /// Stop trying: the time of its flush is over, or its receiver is gone. An outcome that still
    /// comes is ignored.
    Cancel(DeliveryId),
}

/// Identity of a delivery, through all its attempts; counted by the engine.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(pub u64);

/// One attempt to tell one integration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Which delivery.
    pub id: DeliveryId,
    /// Name of the receiver.
    pub receiver: Arc<str>,
    /// Which of the receiver's integrations.
    pub integration: Integration,
    /// Counts from 1.
    pub attempt: u32,
    /// What to tell. Holds no resolved alerts when the integration does not want them.
    pub notification: Arc<Notification>,
    /// What the integration asked to be told again when it was last told of the group.
    pub known: ReceiverData,
}

/// Why an attempt failed, and whether another may help.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    /// For people.
    pub why: String,
    /// Whether to try again before the flush's deadline.
    pub is_retryable: bool,
    /// The earliest moment of another attempt, from now, as the receiver asked (`Retry-After`).
    pub after: Option<Duration>,
    /// What kind of failure it is.
    pub cause: FailureCause,
}

/// What kind of failure a notification met, in upstream's words: the label `reason` of
/// `alertmanager_notifications_failed_total`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum FailureCause {
    /// None of the others: no connection, a template that fails.
    #[default]
    Other,
    /// The receiver refused it.
    ClientError,
    /// The receiver failed.
    ServerError,
    /// It was called off.
    ContextCanceled,
    /// There was no answer before the time of its flush was over.
    ContextDeadlineExceeded,
}

impl FailureCause {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::ClientError,
        Self::ContextCanceled,
        Self::ContextDeadlineExceeded,
        Self::Other,
        Self::ServerError,
    ];

    /// Upstream's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Other => "other",
            Self::ClientError => "clientError",
            Self::ServerError => "serverError",
            Self::ContextCanceled => "contextCanceled",
            Self::ContextDeadlineExceeded => "contextDeadlineExceeded",
        }
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
