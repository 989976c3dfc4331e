//! What a heartbeat is, what is expected of it, and what may be said of it.

use std::fmt;
use std::sync::Arc;

use firebell_model::{ALERT_NAME, Alert, Duration, Label, Labels, Timestamp};
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
    /// When the name is blank or dots, or one of them is too long or has control characters.
    pub fn new(service: &str, name: &str) -> Result<Self, Refusal> {
        if name.trim().is_empty() {
            return Err(Refusal::Bad("a heartbeat needs a name".to_owned()));
        }
        // As a part of a path they would be taken for a way up.
        if matches!(name, "." | "..") {
            return Err(Refusal::Bad(format!("`{name}` is no name of a heartbeat")));
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

    /// Whether what is known of another key is known of this one, when that is given up: one of them
    /// means the jobs of their name of all services.
    pub(crate) fn is_heir_of(&self, other: &Self) -> bool {
        self != other
            && self.name == other.name
            && (self.service.is_empty() || other.service.is_empty())
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
    ///
    /// # Errors
    /// When a value is too long: it is kept for each job.
    pub fn with(self, labels: Labels, annotations: Labels) -> Result<Self, Refusal> {
        let sets = [
            (&labels, LABEL_CHARS_MAX),
            (&annotations, ANNOTATION_CHARS_MAX),
        ];
        for (set, chars_max) in sets {
            let n_chars = |label: &&Label| label.value.chars().count();
            if let Some(long) = set.iter().find(|it| n_chars(it) > chars_max) {
                return Err(Refusal::Bad(format!(
                    "`{}` of a heartbeat has at most {chars_max} characters, not {}",
                    long.name,
                    n_chars(&long),
                )));
            }
        }
        Ok(Self {
            labels,
            annotations,
            ..self
        })
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
    /// Not missed before this: a beat that found nobody, because Firebell was away, comes again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) spared_until: Option<Timestamp>,
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
            spared_until: None,
            missed: None,
            failed: None,
        }
    }

    /// After a restart: nothing lies ahead that a clock ahead has put there, and a beat that would have
    /// come meanwhile has some time to. A deadline is put off once, however often Firebell restarts.
    pub(crate) fn resume(&mut self, now: Timestamp) {
        self.since = self.since.min(now);
        self.last = self.last.map(|at| at.min(now));
        self.heard = self.heard.map(|at| at.min(now));
        let missed_at = self.missed_at();
        let spared_until = now + AFTER_START;
        // Ahead by more than that it is of a clock that was.
        let is_put_off = self
            .spared_until
            .is_some_and(|until| until > missed_at && until <= spared_until);
        if !is_put_off {
            self.spared_until = Some(spared_until).filter(|until| *until > missed_at);
        }
    }

    /// Takes over when a job reported that is from now on known as this one.
    pub(crate) fn inherit_times(&mut self, before: &Self) {
        self.since = self.since.min(before.since);
        self.last = self.last.max(before.last);
        self.heard = self.heard.max(before.heard);
        self.spared_until = self.spared_until.max(before.spared_until);
    }

    /// And its alerts, as far as they hold; those of the other one end.
    pub(crate) fn inherit_alerts(
        &mut self,
        now: Timestamp,
        key: &HeartbeatKey,
        before: &Self,
        begun: &mut Vec<Alert>,
    ) {
        let holds = self.missed.is_none() && now >= self.missed_at();
        if let Some(alert) = before.missed.as_ref().filter(|_| holds) {
            let alert = self.said_now(now, key, MISSED_ALERT, alert);
            begun.push(alert.clone());
            self.missed = Some(alert);
        }
        let holds = self.failed.is_none();
        if let Some(alert) = before.failed.as_ref().filter(|_| holds) {
            let alert = self.said_now(now, key, FAILED_ALERT, alert);
            begun.push(alert.clone());
            self.failed = Some(alert);
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

    /// From when on it counts as missed: see `spared_until`.
    pub(crate) fn judged_at(&self) -> Timestamp {
        self.missed_at()
            .max(self.spared_until.unwrap_or(Timestamp::MIN))
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
        let times = (now, self.missed_at());
        self.alert(times, key, (MISSED_ALERT, self.missed_words(key)))
    }

    fn missed_words(&self, key: &HeartbeatKey) -> (String, String) {
        let Expectation { every, grace, .. } = &self.expectation;
        let last = match self.last {
            Some(at) => format!("it last did at {at}"),
            None => format!("it never has since {}", self.since),
        };
        (
            format!("{key} has not reported that it ran"),
            format!("It runs every {every} and may be {grace} late; {last}."),
        )
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

    /// An alert that was raised, in the words of now: what is expected may have changed.
    pub(crate) fn said_now(
        &self,
        now: Timestamp,
        key: &HeartbeatKey,
        name: &str,
        raised: &Alert,
    ) -> Alert {
        let word = |it: &str| raised.annotations.value(it).to_owned();
        let about = match name {
            MISSED_ALERT => self.missed_words(key),
            // Why it failed is not known otherwise.
            _ => (format!("{key} failed"), word("description")),
        };
        let times = (now, raised.starts_at);
        self.alert(times, key, (name, about))
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
    /// A job that is not known to be looked at or forgotten; some of other services may be meant.
    #[error("no job `{key}` is known{}", named(.others))]
    NotKnown {
        /// What was asked for.
        key: HeartbeatKey,
        /// Some that have this name.
        others: Vec<HeartbeatKey>,
    },
    /// It would be awaited again at once.
    #[error("`{0}` stands under `heartbeats` of the configuration: remove it there")]
    Declared(HeartbeatKey),
    /// There are too many.
    #[error(
        "{0} heartbeats are known, which is the most there can be: is something that changes part of \
         their names? `firebell heartbeat forget` removes one"
    )]
    TooMany(usize),
}

fn named(known: &[HeartbeatKey]) -> String {
    let Some(first) = known.first() else {
        return String::new();
    };
    let names: Vec<String> = known.iter().map(|it| format!("`{it}`")).collect();
    let names = names.join(", ");
    match first.service() {
        "" => format!("; known is {names}: name no service"),
        service => format!("; known is {names}: name the service, as in `--service {service}`"),
    }
}

/// Beats that found nobody are sent again within this.
const AFTER_START: Duration = Duration::from_mins(2);
const NAME_CHARS_MAX: usize = 200;
const LABEL_CHARS_MAX: usize = 200;
const ANNOTATION_CHARS_MAX: usize = 2_000;
/// Of what a run says why it failed, so much is told.
const WHY_CHARS_MAX: usize = 1_000;
const EVERY_MIN: Duration = Duration::from_secs(1);
/// Longer than a year, by some.
const EVERY_MAX: Duration = Duration::from_hours(24 * 400);
