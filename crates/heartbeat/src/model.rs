//! What a heartbeat is, what is expected of it, and what may be said of it.

use std::fmt;
use std::sync::Arc;

use firebell_model::{ALERT_NAME, Alert, Duration, Labels, Timestamp};
use serde::{Deserialize, Serialize};

/// The name of the alert about a job that has not reported.
pub const MISSED_ALERT: &str = "HeartbeatMissed";
/// The name of the alert about a job that reported that it failed.
pub const FAILED_ALERT: &str = "HeartbeatFailed";
/// How late a beat may be where nobody says it.
pub const GRACE: Duration = Duration::from_mins(1);

/// Which job: two services may have jobs of the same name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct HeartbeatKey {
    /// Empty when no service was named.
    service: Arc<str>,
    name: Arc<str>,
}

impl HeartbeatKey {
    /// A job of a service; the service may be empty.
    ///
    /// # Errors
    /// When the name is empty, or one of them is too long or has control characters.
    pub fn new(service: &str, name: &str) -> Result<Self, Refusal> {
        if name.is_empty() {
            return Err(Refusal::Bad("a heartbeat needs a name".to_owned()));
        }
        for (what, text) in [("service", service), ("name", name)] {
            if text.chars().count() > NAME_CHARS_MAX || text.chars().any(char::is_control) {
                return Err(Refusal::Bad(format!(
                    "the {what} of a heartbeat has at most {NAME_CHARS_MAX} characters, and no line breaks"
                )));
            }
        }
        Ok(Self {
            service: service.into(),
            name: name.into(),
        })
    }

    /// The service; may be empty.
    #[must_use]
    pub fn service(&self) -> &str {
        &self.service
    }

    /// The name of the job.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The job of this name of which no service is known.
    pub(crate) fn of_any_service(&self) -> Self {
        Self {
            service: "".into(),
            name: Arc::clone(&self.name),
        }
    }
}

/// `nightly`, or `nightly of backup`.
impl fmt::Display for HeartbeatKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        if !self.service.is_empty() {
            write!(f, " of {}", self.service)?;
        }
        Ok(())
    }
}

/// What is expected of a job.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Expectation {
    every: Duration,
    grace: Duration,
    /// Of the alerts, besides their names, `heartbeat` and `service`; `severity` among them.
    pub labels: Labels,
    /// Of the alerts, besides `summary` and `description`, which they have unless these say so.
    pub annotations: Labels,
}

impl Expectation {
    /// It runs well once in so long a time, and may be so late.
    ///
    /// # Errors
    /// When one of the times cannot be.
    pub fn new(every: Duration, grace: Duration) -> Result<Self, Refusal> {
        let bad = |why: String| Err(Refusal::Bad(why));
        if every < EVERY_MIN || every > EVERY_MAX {
            return bad(format!(
                "`every` lies between {EVERY_MIN} and {EVERY_MAX}, not {every}"
            ));
        }
        if grace < Duration::ZERO || grace > EVERY_MAX {
            return bad(format!(
                "`grace` lies between 0s and {EVERY_MAX}, not {grace}"
            ));
        }
        Ok(Self {
            every,
            grace,
            labels: Labels::empty(),
            annotations: Labels::empty(),
        })
    }

    /// The same with labels and annotations of the alerts.
    #[must_use]
    pub fn with(self, labels: Labels, annotations: Labels) -> Self {
        Self {
            labels,
            annotations,
            ..self
        }
    }

    /// The longest time between two runs.
    #[must_use]
    pub fn every(&self) -> Duration {
        self.every
    }

    /// How late a run may be.
    #[must_use]
    pub fn grace(&self) -> Duration {
        self.grace
    }
}

/// A job that the configuration knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Declared {
    /// Without a service it means the jobs of this name of all services, as one.
    pub key: HeartbeatKey,
    /// What is expected of it, whatever its beats say.
    pub expectation: Expectation,
}

/// What the configuration says of heartbeats.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    /// The jobs that are awaited from the start. No key is there twice.
    pub declared: Vec<Declared>,
}

/// What a job says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Beat {
    /// Which job.
    pub key: HeartbeatKey,
    /// When its run ended.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// What is expected of it from now on; a job that was never heard of needs it.
    pub expectation: Option<Expectation>,
}

/// How a run ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Well.
    Done,
    /// Not, and why.
    Failed(String),
}

/// What is known of a job.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Heartbeat {
    /// What is expected of it.
    pub expectation: Expectation,
    /// Whether the configuration says so.
    pub is_declared: bool,
    /// Since when it is awaited.
    pub since: Timestamp,
    /// When it last ran well.
    pub last: Option<Timestamp>,
    /// When it last said something.
    pub(crate) heard: Option<Timestamp>,
    /// The alert about its silence, while there is one.
    pub missed: Option<Alert>,
    /// The alert about its failure, while there is one.
    pub failed: Option<Alert>,
}

/// How a job fares.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HeartbeatState {
    /// It has not reported yet, and need not have.
    Awaited,
    /// It ran well in time.
    Fine,
    /// It is late, but not later than it may be.
    Late,
    /// It has not reported in time.
    Missed,
    /// It reported that it failed.
    Failed,
}

impl HeartbeatState {
    /// All, the better ones first.
    pub const ALL: [Self; 5] = [
        Self::Awaited,
        Self::Fine,
        Self::Late,
        Self::Missed,
        Self::Failed,
    ];

    /// `awaited`, `fine`, `late`, `missed` or `failed`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Awaited => "awaited",
            Self::Fine => "fine",
            Self::Late => "late",
            Self::Missed => "missed",
            Self::Failed => "failed",
        }
    }
}

impl Heartbeat {
    pub(crate) fn new(now: Timestamp, expectation: Expectation, is_declared: bool) -> Self {
        Self {
            expectation,
            is_declared,
            since: now,
            last: None,
            heard: None,
            missed: None,
            failed: None,
        }
    }

    /// When its next run is due.
    #[must_use]
    pub fn due_at(&self) -> Timestamp {
        self.last.unwrap_or(self.since) + self.expectation.every
    }

    /// From when on people are told that it did not run.
    #[must_use]
    pub fn missed_at(&self) -> Timestamp {
        self.due_at() + self.expectation.grace
    }

    /// How it fares.
    #[must_use]
    pub fn state_at(&self, now: Timestamp) -> HeartbeatState {
        match () {
            () if self.missed.is_some() => HeartbeatState::Missed,
            () if self.failed.is_some() => HeartbeatState::Failed,
            () if now >= self.due_at() => HeartbeatState::Late,
            () if self.last.is_none() => HeartbeatState::Awaited,
            () => HeartbeatState::Fine,
        }
    }

    pub(crate) fn missed_alert(&self, now: Timestamp, key: &HeartbeatKey) -> Alert {
        let Expectation { every, grace, .. } = &self.expectation;
        let last = match self.last {
            Some(at) => format!("it last did at {at}"),
            None => format!("it never has since {}", self.since),
        };
        let about = (
            format!("{key} has not reported that it ran"),
            format!("It runs every {every} and may be {grace} late; {last}."),
        );
        let starts_at = self.missed_at();
        self.alert((now, starts_at), key, (MISSED_ALERT, about))
    }

    pub(crate) fn failed_alert(
        &self,
        (now, at): (Timestamp, Timestamp),
        key: &HeartbeatKey,
        why: &str,
    ) -> Alert {
        let why: String = why.chars().take(WHY_CHARS_MAX).collect();
        let about = (
            format!("{key} failed"),
            format!("Its run that ended at {at} failed: {why}"),
        );
        self.alert((now, at), key, (FAILED_ALERT, about))
    }

    fn alert(
        &self,
        (now, starts_at): (Timestamp, Timestamp),
        key: &HeartbeatKey,
        (name, (summary, description)): (&str, (String, String)),
    ) -> Alert {
        let mut annotations =
            Labels::from_pairs([("summary", &*summary), ("description", &*description)])
                .to_builder();
        for own in self.expectation.annotations.iter() {
            annotations.set(own.name.clone(), own.value.clone());
        }
        Alert {
            labels: self.labels(key, name),
            annotations: annotations.build(),
            starts_at,
            ends_at: None,
            generator_url: String::new(),
            updated_at: now,
            is_timeout: false,
        }
    }

    pub(crate) fn labels(&self, key: &HeartbeatKey, alert_name: &str) -> Labels {
        let mut labels = self.expectation.labels.to_builder();
        for (name, value) in [
            (ALERT_NAME, alert_name),
            ("heartbeat", key.name()),
            ("service", key.service()),
        ] {
            if !value.is_empty() {
                labels.set(name, value);
            }
        }
        labels.build()
    }
}

/// Why something cannot be done.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// What was said cannot be.
    #[error("{0}")]
    Bad(String),
    /// A job that is not known, and nothing says what to expect of it.
    #[error(
        "`{0}` is not known: say how often it runs, as in `every=1d`, or declare it under \
         `heartbeats` of the configuration"
    )]
    Unknown(HeartbeatKey),
    /// It would be awaited again at once.
    #[error("`{0}` stands under `heartbeats` of the configuration: remove it there")]
    Declared(HeartbeatKey),
    /// There are too many.
    #[error(
        "{0} heartbeats are known, which is the most there can be: is something that changes part of \
         their names? `firebell heartbeats forget` removes one"
    )]
    TooMany(usize),
}

const NAME_CHARS_MAX: usize = 200;
/// Of what a run says why it failed, so much is told.
const WHY_CHARS_MAX: usize = 1_000;
const EVERY_MIN: Duration = Duration::from_secs(1);
/// Longer than a year, by some.
const EVERY_MAX: Duration = Duration::from_hours(24 * 400);
