//! The life of an incident: which state may follow which.
//!
//! *Invariants*: [`Phase`] is what people can ask for, so that nobody can ask for `merged` without
//! saying into what. What may follow stands in one table, [`Phase::next`], and every refusal says it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::incident::IncidentId;

/// A state that people can move an incident to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It was opened; nobody has said yet whether it is one.
    Triage,
    /// It is one, and hurts.
    Active,
    /// It hurts no longer; the cause is still there.
    Mitigated,
    /// It is over.
    Resolved,
    /// People learn from it.
    Review,
    /// It has its verdict.
    Closed,
    /// It was none.
    Declined,
}

/// Where an incident stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Where people or the core moved it.
    In(Phase),
    /// It goes on as another one.
    Merged(IncidentId),
}

impl Phase {
    /// All of them, in the order of a life.
    pub const ALL: [Self; 7] = [
        Self::Triage,
        Self::Active,
        Self::Mitigated,
        Self::Resolved,
        Self::Review,
        Self::Closed,
        Self::Declined,
    ];

    /// What may follow. Going back is allowed, and stands in the timeline.
    #[must_use]
    pub fn next(self) -> &'static [Self] {
        match self {
            Self::Triage => &[
                Self::Active,
                Self::Mitigated,
                Self::Resolved,
                Self::Declined,
            ],
            Self::Active => &[
                Self::Mitigated,
                Self::Resolved,
                Self::Triage,
                Self::Declined,
            ],
            Self::Mitigated => &[Self::Resolved, Self::Active],
            Self::Resolved => &[Self::Review, Self::Closed, Self::Active, Self::Mitigated],
            Self::Review => &[Self::Closed, Self::Resolved, Self::Active],
            Self::Closed => &[Self::Review, Self::Active],
            Self::Declined => &[Self::Triage, Self::Active],
        }
    }

    /// Whether it still has to be worked on.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Triage | Self::Active | Self::Mitigated)
    }

    /// Its name in files, answers and commands.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Triage => "triage",
            Self::Active => "active",
            Self::Mitigated => "mitigated",
            Self::Resolved => "resolved",
            Self::Review => "review",
            Self::Closed => "closed",
            Self::Declined => "declined",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Phase {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|it| it.name() == text);
        found.ok_or_else(|| format!("`{text}` is no state, only {}", listed(&Self::ALL)))
    }
}

impl State {
    /// The phase, unless it was merged.
    #[must_use]
    pub fn phase(self) -> Option<Phase> {
        match self {
            Self::In(phase) => Some(phase),
            Self::Merged(_) => None,
        }
    }

    /// Whether it still has to be worked on.
    #[must_use]
    pub fn is_open(self) -> bool {
        self.phase().is_some_and(Phase::is_open)
    }

    /// Whether nothing can come of it any more, unless a person opens it again.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(
            self,
            Self::In(Phase::Closed | Phase::Declined) | Self::Merged(_)
        )
    }

    /// Its name in answers.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.phase().map_or("merged", Phase::name)
    }
}

/// `a, b or c`.
pub(crate) fn listed<T: fmt::Display>(items: &[T]) -> String {
    match items {
        [] => "nothing".to_owned(),
        [one] => one.to_string(),
        [many @ .., last] => {
            let many: Vec<String> = many.iter().map(ToString::to_string).collect();
            format!("{} or {last}", many.join(", "))
        }
    }
}
