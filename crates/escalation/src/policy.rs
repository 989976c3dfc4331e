//! Escalation policies: who is told when, for as long as nobody answers.
//!
//! A policy is a list of steps, each with the time since its round began at which it is taken, if
//! its conditions hold then. There is no tree: `when` on one step and `unless` on another are the
//! two sides of a branch, and both are read from top to bottom.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use firebell_model::Duration;
use serde::{Deserialize, Serialize};

use crate::window::Window;

/// How bad it is: 1 is the worst, 4 the least; written `sev1`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Severity(u8);

/// What is left of an error budget, in hundredths of a percent of the whole; below zero when more
/// than all is gone.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BudgetLeft(pub i32);

/// Who is told when.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Policy {
    /// As configuration calls it; unique.
    pub name: Arc<str>,
    /// In order; none is taken earlier than one before it.
    pub steps: Vec<Step>,
    /// How many more rounds follow the first.
    pub repeat: u32,
    /// From the last step of a round until the next one begins, or until nobody is left.
    pub repeat_after: Duration,
    /// An acknowledgement ends when so long nothing followed; zero is never.
    pub acknowledged_for: Duration,
    /// Whoever acknowledged is asked again after so long, from when on they can renew it.
    pub remind_after: Duration,
}

/// One step of a policy.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Counted from the beginning of the round, or the end of its last deferral.
    pub after: Duration,
    /// Passed over unless this holds.
    pub when: Option<Condition>,
    /// Passed over when this holds.
    pub unless: Option<Condition>,
    /// What is done.
    pub act: Act,
}

/// What a step does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Tells people and channels.
    Notify(Level),
    /// Goes on with another policy, from its beginning.
    HandOver(Arc<str>),
    /// Waits until the next of these hours begins; what follows counts from then.
    Defer(Window),
}

/// Who is told together.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Level {
    /// Who.
    pub targets: Vec<Target>,
    /// Whose answer ends it.
    pub acknowledge: AckMode,
    /// Who of them.
    pub who: Who,
}

/// Somebody to tell, by name: what the name means is looked up at the moment of the step.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A person.
    Person(Arc<str>),
    /// Whoever is on call on a schedule.
    Schedule(Arc<str>),
    /// Whoever of a team is on call; all of it when it has no schedule.
    Team(Arc<str>),
    /// A channel: the receiver of this name. Channels are told and cannot answer.
    Receiver(Arc<str>),
}

/// Whose answer ends a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AckMode {
    /// Anybody's.
    #[default]
    First,
    /// Everybody's who was told.
    All,
}

/// Who of those that a step means.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// Everybody.
    #[default]
    All,
    /// One, the next of them each time.
    RoundRobin,
}

/// What has to be so; all of it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Condition {
    /// This bad or worse.
    pub severity: Option<Severity>,
    /// In these hours.
    pub hours: Option<Window>,
    /// Less than this is left of the error budget; not so while that is not known.
    pub budget_below: Option<BudgetLeft>,
}

impl Policy {
    /// One more round is none: nobody left after the last step.
    pub const REPEAT: u32 = 0;
    /// See [`Policy::repeat_after`].
    pub const REPEAT_AFTER: Duration = Duration::from_mins(15);
    /// See [`Policy::acknowledged_for`].
    pub const ACKNOWLEDGED_FOR: Duration = Duration::from_mins(30);
    /// See [`Policy::remind_after`].
    pub const REMIND_AFTER: Duration = Duration::from_mins(20);

    /// With steps, and everything else as it is where nothing is said.
    #[must_use]
    pub fn new(name: &str, steps: Vec<Step>) -> Self {
        Self {
            name: name.into(),
            steps,
            repeat: Self::REPEAT,
            repeat_after: Self::REPEAT_AFTER,
            acknowledged_for: Self::ACKNOWLEDGED_FOR,
            remind_after: Self::REMIND_AFTER,
        }
    }

    /// Whether any of its steps depends on an error budget.
    #[must_use]
    pub fn asks_for_budget(&self) -> bool {
        let conditions = self.steps.iter().flat_map(|it| [&it.when, &it.unless]);
        let mut conditions = conditions.flatten();
        conditions.any(|it| it.budget_below.is_some())
    }
}

impl Policy {
    /// By which a page climbs that was handed to a person, such as `person:ana`: they are told, and
    /// when they do not answer, another policy goes on. `None` when the name is no person's.
    pub(crate) fn of_person(name: &Arc<str>, then: &Arc<str>) -> Option<Self> {
        let person = Self::person_in(name)?;
        let level = Level {
            targets: vec![Target::Person(person.into())],
            acknowledge: AckMode::First,
            who: Who::All,
        };
        let step = |after, act| Step {
            after,
            when: None,
            unless: None,
            act,
        };
        let steps = vec![
            step(Duration::ZERO, Act::Notify(level)),
            step(Self::REPEAT_AFTER, Act::HandOver(Arc::clone(then))),
        ];
        Some(Self::new(name, steps))
    }

    /// The person whom a name such as `person:ana` means.
    #[must_use]
    pub fn person_in(name: &str) -> Option<&str> {
        name.strip_prefix("person:")
    }
}

impl Severity {
    /// The worst.
    pub const WORST: Self = Self(1);
    /// All, the worst first.
    pub const ALL: [Self; 4] = [Self(1), Self(2), Self(3), Self(4)];

    /// From 1 to 4.
    #[must_use]
    pub fn new(level: u8) -> Option<Self> {
        (1..=4).contains(&level).then_some(Self(level))
    }

    /// Whether it is as bad as another, or worse.
    #[must_use]
    pub fn is_at_least(self, other: Self) -> bool {
        self.0 <= other.0
    }

    /// Whether somebody has to act now: `sev1` and `sev2`.
    #[must_use]
    pub fn is_urgent(self) -> bool {
        self.0 <= 2
    }
}

impl TryFrom<u8> for Severity {
    type Error = String;

    fn try_from(level: u8) -> Result<Self, String> {
        Self::new(level).ok_or_else(|| format!("{level} is no severity from 1 to 4"))
    }
}

impl From<Severity> for u8 {
    fn from(severity: Severity) -> Self {
        severity.0
    }
}

impl FromStr for Severity {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|it| it.to_string() == text);
        let failed = || format!("`{text}` is none of sev1, sev2, sev3, sev4");
        found.copied().ok_or_else(failed)
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sev{}", self.0)
    }
}

impl BudgetLeft {
    /// Of a share: 1 is the whole of it, 0 is none. What is not quite there counts as gone.
    #[must_use]
    pub fn of_share(share: f64) -> Self {
        // Saturates, and nothing is left of what is no number.
        Self((share * 10_000.0).floor() as i32)
    }

    /// The share: 1 is the whole of it.
    #[must_use]
    pub fn share(self) -> f64 {
        f64::from(self.0) / 10_000.0
    }
}

impl fmt::Display for BudgetLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", f64::from(self.0) / 100.0)
    }
}

impl FromStr for BudgetLeft {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let failed = || format!("`{text}` is no part of a budget such as `10%`");
        let number = text.trim().strip_suffix('%').ok_or_else(failed)?;
        let percent: f64 = number.trim().parse().map_err(|_| failed())?;
        let is_right = percent > 0.0 && percent <= 100.0;
        is_right
            .then(|| Self((percent * 100.0).round() as i32))
            .ok_or_else(failed)
    }
}

impl Target {
    /// The channel that a name such as `receiver:ops` means.
    #[must_use]
    pub fn receiver_in(name: &str) -> Option<&str> {
        name.strip_prefix("receiver:")
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let failed = || {
            format!(
                "`{text}` is none of `person:NAME`, `schedule:NAME`, `team:NAME`, `receiver:NAME`"
            )
        };
        let (kind, name) = text.split_once(':').ok_or_else(failed)?;
        let name: Arc<str> = name.trim().into();
        match kind.trim() {
            _ if name.is_empty() => Err(failed()),
            "person" => Ok(Self::Person(name)),
            "schedule" => Ok(Self::Schedule(name)),
            "team" => Ok(Self::Team(name)),
            "receiver" => Ok(Self::Receiver(name)),
            _ => Err(failed()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(name) => write!(f, "person:{name}"),
            Self::Schedule(name) => write!(f, "schedule:{name}"),
            Self::Team(name) => write!(f, "team:{name}"),
            Self::Receiver(name) => write!(f, "receiver:{name}"),
        }
    }
}
