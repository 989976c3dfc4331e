//! One incident: what is known of it, its alerts, its timeline.
//!
//! *Invariants*: entries are only added, never changed; their numbers are their places.

mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use firebell_escalation::BudgetLeft;
use firebell_model::{Fingerprint, IncidentSpan, Labels, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::words::alert_text;
use crate::life::{Phase, State, listed};
use crate::picture::{Picture, PictureId};
use crate::postmortem::{Graph, Part, Postmortem};
use crate::runbook::Tick;
use crate::verdict::{Judgement, Verdict};

/// Counts up from 1; written `INC-1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct IncidentId(pub u64);

/// Somebody's name: not empty, one line, at most [`Person::CHARS_MAX`] characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Person(Arc<str>);

/// Who did something.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// The core itself: a rule of the policy, or an alert.
    Firebell,
    /// A person.
    Person(Person),
}

/// How bad it is; the first is the worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Everybody is hit.
    Sev1,
    /// Many are.
    Sev2,
    /// Some are.
    Sev3,
    /// Nobody is, yet.
    Sev4,
}

/// What somebody does in an incident; each is held by one person at a time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Decides.
    Commander,
    /// Changes systems.
    Operations,
    /// Tells those outside.
    Liaison,
    /// Writes down.
    Scribe,
}

/// Whom a note is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Those who work on it.
    #[default]
    Team,
    /// Those who wait for it.
    Stakeholders,
}

/// Whether data is as it should be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataState {
    /// Nobody knows yet.
    Unknown,
    /// Somebody looked: it is.
    Intact,
    /// It may not be.
    AtRisk,
    /// Some is wrong or gone.
    Lost,
}

/// Who looks into it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Acknowledged {
    /// The first one who said so.
    pub by: Person,
    /// When.
    pub at: Timestamp,
}

/// Something to do. Its number is its place, from 1.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Task {
    /// What.
    pub text: String,
    /// Who does it.
    pub owner: Option<Person>,
    /// Who did it, and when.
    pub done: Option<(Person, Timestamp)>,
}

/// Something to look at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Link {
    /// An address of HTTP: the page loads nothing from elsewhere, and leads there.
    pub url: String,
    /// What it is; may be empty.
    pub title: String,
}

/// What users notice.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Impact {
    /// In words.
    pub text: String,
    /// How many users.
    pub users: Option<u64>,
}

/// What is known of data.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct DataStatement {
    /// In a word.
    pub state: DataState,
    /// How that is known.
    pub text: String,
}

/// An alert of an incident.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Member {
    /// Its labels.
    pub labels: Labels,
    /// When it joined.
    pub joined_at: Timestamp,
    /// When it last ended; `None` while it fires.
    pub ended_at: Option<Timestamp>,
}

/// What is left of the error budget behind an incident.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ErrorBudget {
    /// Of this objective, as `service/name`.
    pub objective: Arc<str>,
    /// So much, when it was last measured.
    pub left: BudgetLeft,
}

/// One line of a timeline.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// When it was noted.
    pub at: Timestamp,
    /// Who did it.
    pub by: Who,
    /// What.
    pub what: What,
}

/// What happened in an incident.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It was opened.
    Opened,
    /// An alert joined, firing.
    Joined(Labels),
    /// One of its alerts fires again.
    Returned(Labels),
    /// One of its alerts ended.
    Ended(Labels),
    /// More alerts than are kept: so many were left out when this was written.
    LeftOut(usize),
    /// A notification of its alerts.
    Notified {
        /// Who was told.
        receiver: Arc<str>,
        /// By what, such as `webhook[0]`.
        integration: Arc<str>,
        /// Why it did not arrive, if it did not.
        error: Option<Arc<str>>,
    },
    /// Something happened to its page.
    Page(firebell_escalation::What),
    /// Somebody looks into it.
    Acknowledged,
    /// It got worse, so somebody has to look again.
    AcknowledgementEnded,
    /// It moved.
    Moved {
        /// From here.
        from: Phase,
        /// To here.
        to: Phase,
    },
    /// Another severity.
    Severity {
        /// Before.
        from: Severity,
        /// From now on.
        to: Severity,
    },
    /// A worse alert joined, and the severity that a person set stays.
    SeverityKept(Severity),
    /// Another title.
    Titled(String),
    /// A role was given to somebody, or given back.
    Role(Role, Option<Person>),
    /// Somebody wrote something.
    Note(String, Audience),
    /// Something to look at.
    Linked(Link),
    /// A picture, what it shows in words, and for whom.
    Pictured(Box<Picture>, String, Audience),
    /// A picture was shown here, and was taken back: what it showed, and for whom.
    PictureGone(String, Audience),
    /// A picture was taken back.
    TookBack(PictureId),
    /// A task with its number.
    Task(usize, String, Option<Person>),
    /// The task is done.
    TaskDone(usize),
    /// A step of a runbook is done: the runbook's name, the step's number, and what it says.
    Step(Arc<str>, usize, Arc<str>),
    /// What users notice.
    Impact(Impact),
    /// What is hit.
    Components(Vec<String>),
    /// What is known of data.
    Data(DataStatement),
    /// What it was.
    Judged(Verdict),
    /// It goes on as that one.
    MergedInto(IncidentId),
    /// That one goes on here.
    Absorbed(IncidentId),
    /// An alert belongs elsewhere.
    Detached(Labels),
    /// It returned after that one was closed.
    Follows(IncidentId),
    /// So many graphs were frozen for its postmortem.
    Drafted(usize),
    /// A part of its postmortem was written.
    Wrote(Part),
    /// A follow-up with its number, its owner and the day until which it is to be done.
    FollowUp(usize, String, Person, Timestamp),
    /// A follow-up is done: what proves it.
    Proven(usize, String),
    /// A wish that had been fulfilled already, by somebody else.
    Again(Box<What>),
}

/// An incident.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Incident {
    /// Its number.
    pub id: IncidentId,
    /// What it is called. Alerts that join never change it.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// Who set the severity by hand: alerts do not change it then.
    pub severity_by: Option<Person>,
    /// Where it stands.
    pub state: State,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Who opened it.
    pub opened_by: Who,
    /// What its alerts share.
    pub key: Labels,
    /// Whether a person did anything but write.
    pub is_attended: bool,
    /// Who looks into it.
    pub acknowledged: Option<Acknowledged>,
    /// When somebody first did.
    pub first_acknowledged_at: Option<Timestamp>,
    /// Who does what.
    pub roles: BTreeMap<Role, Person>,
    /// What is to be done.
    pub tasks: Vec<Task>,
    /// What was done of its runbooks, in the order in which it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ticks: Vec<Tick>,
    /// What users notice.
    pub impact: Option<Impact>,
    /// What is hit.
    pub components: Vec<String>,
    /// What is known of data.
    pub data: Option<DataStatement>,
    /// What it was.
    pub verdict: Option<Judgement>,
    /// When it last got to where it stands.
    pub moved_at: Timestamp,
    /// When it was last over.
    pub resolved_at: Option<Timestamp>,
    /// When an alert or a person last did something.
    pub alive_at: Timestamp,
    /// The incident that it follows.
    pub follows: Option<IncidentId>,
    /// Alerts that people took out: they do not come back.
    pub detached: BTreeSet<Fingerprint>,
    /// The worst severity of an alert before which the severity of a person was kept, since that
    /// was set.
    #[serde(default)]
    pub kept_before: Option<Severity>,
    /// Alerts that did not fit in.
    pub n_left_out: usize,
    /// What was left, while it was open, of the error budget behind its alerts, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<ErrorBudget>,
    /// What people have written about it, for those who learn from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub postmortem: Option<Box<Postmortem>>,
    /// Samples that were frozen for it, at most [`crate::GRAPHS_MAX`]. Written down together.
    #[serde(skip)]
    pub graphs: Vec<Graph>,
    /// Its alerts. Written down one by one.
    #[serde(skip)]
    pub alerts: BTreeMap<Fingerprint, Member>,
    /// What happened. Written down one by one.
    #[serde(skip)]
    pub timeline: Vec<Entry>,
}

impl Incident {
    /// Whether any of its alerts fires.
    #[must_use]
    pub fn is_firing(&self) -> bool {
        self.alerts.values().any(|it| it.ended_at.is_none())
    }

    /// How long it hurt, as far as is known.
    #[must_use]
    pub fn lasted(&self, now: Timestamp) -> firebell_model::Duration {
        let ended = self.alerts.values().filter_map(|it| it.ended_at).max();
        let last = match self.is_firing() {
            true => None,
            false => ended,
        };
        last.or(self.resolved_at).unwrap_or(now) - self.opened_at
    }

    /// When it was, and of what; `root` is the incident as which it goes on, or itself.
    pub(crate) fn span(&self, root: &Self) -> IncidentSpan {
        let over_at = match self.state {
            State::In(phase) if phase.is_open() => None,
            State::In(Phase::Declined) | State::Merged(_) => Some(self.moved_at),
            State::In(_) => Some(self.resolved_at.unwrap_or(self.moved_at)),
        };
        IncidentSpan {
            name: root.id.to_string(),
            title: root.title.clone(),
            from: self.opened_at,
            until: over_at,
            is_declined: root.state == State::In(Phase::Declined),
            key: self.key.clone(),
            // A merged one has given its alerts away.
            alerts: root.alerts.values().map(|it| it.labels.clone()).collect(),
        }
    }

    /// The bytes of what people typed into it, and of what was frozen for it.
    pub(crate) fn text_bytes(&self) -> usize {
        let timeline = self.timeline.iter().map(|it| it.what.text_bytes());
        timeline.sum::<usize>() + self.postmortem_bytes()
    }

    /// Notes of a person who works on it: notes, links and pictures, the oldest first.
    pub fn notes(&self) -> impl Iterator<Item = &Entry> {
        let is_note = |it: &&Entry| {
            matches!(
                it.what,
                What::Note(..) | What::Linked(_) | What::Pictured(..) | What::PictureGone(..)
            )
        };
        self.timeline.iter().filter(is_note)
    }

    /// The pictures of its timeline, the oldest first; one that was shown twice comes twice.
    pub fn pictures(&self) -> impl Iterator<Item = &Picture> {
        self.timeline.iter().filter_map(|it| it.what.picture())
    }

    /// One of them.
    #[must_use]
    pub fn picture(&self, id: PictureId) -> Option<&Picture> {
        self.pictures().find(|it| it.id == id)
    }
}

impl What {
    /// The picture that was shown.
    #[must_use]
    pub fn picture(&self) -> Option<&Picture> {
        match self {
            Self::Pictured(picture, ..) => Some(picture),
            _ => None,
        }
    }

    /// The bytes of what somebody typed.
    pub(crate) fn text_bytes(&self) -> usize {
        match self {
            Self::Titled(text)
            | Self::Note(text, _)
            | Self::Pictured(_, text, _)
            | Self::PictureGone(text, _)
            | Self::Task(_, text, _)
            | Self::FollowUp(_, text, ..)
            | Self::Proven(_, text) => text.len(),
            Self::Step(_, _, step) => step.len(),
            Self::Linked(link) => link.url.len() + link.title.len(),
            Self::Impact(impact) => impact.text.len(),
            Self::Components(names) => names.iter().map(String::len).sum(),
            Self::Data(data) => data.text.len(),
            _ => 0,
        }
    }
}

impl Person {
    /// The longest name.
    pub const CHARS_MAX: usize = 100;

    /// Makes one of what somebody typed.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Err("`by` is missing: say who you are".to_owned());
        }
        let is_long = text.chars().count() > Self::CHARS_MAX;
        if is_long || text.chars().any(char::is_control) {
            let max = Self::CHARS_MAX;
            return Err(format!("a name is one line of at most {max} characters"));
        }
        Ok(Self(text.into()))
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }
}

impl Severity {
    /// All of them, the worst first.
    pub const ALL: [Self; 4] = [Self::Sev1, Self::Sev2, Self::Sev3, Self::Sev4];
}

impl Role {
    const ALL: [Self; 4] = [
        Self::Commander,
        Self::Operations,
        Self::Liaison,
        Self::Scribe,
    ];
}

impl DataState {
    const ALL: [Self; 4] = [Self::Unknown, Self::Intact, Self::AtRisk, Self::Lost];
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "INC-{}", self.0)
    }
}

/// Reads `INC-12`, `inc-12` or `12`.
impl FromStr for IncidentId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix("INC-");
        let number = number.or_else(|| text.strip_prefix("inc-")).unwrap_or(text);
        let parsed = number.parse().ok().filter(|it| *it > 0);
        let wrong = || format!("`{text}` is no incident: write it as INC-12 or 12");
        parsed.map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Firebell => f.write_str("firebell"),
            Self::Person(person) => person.fmt(f),
        }
    }
}

/// Gives a closed list of words its text form and reads it.
macro_rules! words {
    ($kind:ty, $what:literal, $($variant:ident => $name:literal),+) => {
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $name),+ })
            }
        }

        impl FromStr for $kind {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($name => Ok(Self::$variant),)+
                    _ => Err(format!("`{text}` is no {}, only {}", $what, listed(&Self::ALL))),
                }
            }
        }
    };
}

words!(Severity, "severity", Sev1 => "sev1", Sev2 => "sev2", Sev3 => "sev3", Sev4 => "sev4");
words!(
    Role, "role",
    Commander => "commander", Operations => "operations", Liaison => "liaison", Scribe => "scribe"
);
words!(
    DataState, "state of data",
    Unknown => "unknown", Intact => "intact", AtRisk => "at_risk", Lost => "lost"
);
