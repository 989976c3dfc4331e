//! Verdicts: what an incident turned out to be, and what is guessed when nobody says.
//!
//! *Sources*: the tags of Etsy's opsweekly; the reference's section 6.

use std::fmt;
use std::str::FromStr;

use firebell_model::{Duration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::incident::Who;
use crate::life::listed;

/// What an incident, or an alert, turned out to be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Somebody had to act, and did.
    Acted,
    /// Real, but the cause was elsewhere.
    Elsewhere,
    /// Real, but it could have waited for the day.
    WrongTime,
    /// Somebody worked there, and knew.
    PlannedWork,
    /// Its threshold or its `for` is too tight.
    Threshold,
    /// The check itself is broken.
    BrokenCheck,
    /// Another one said the same.
    Duplicate,
    /// There was nothing.
    False,
}

/// A verdict with its author.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Judgement {
    /// What it was.
    pub verdict: Verdict,
    /// Who says so; [`Who::Firebell`] has guessed.
    pub by: Who,
    /// When.
    pub at: Timestamp,
}

impl Verdict {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 8] = [
        Self::Acted,
        Self::Elsewhere,
        Self::WrongTime,
        Self::PlannedWork,
        Self::Threshold,
        Self::BrokenCheck,
        Self::Duplicate,
        Self::False,
    ];

    /// Whether something real was told of: what counts as actionable.
    #[must_use]
    pub fn is_actionable(self) -> bool {
        matches!(self, Self::Acted | Self::Elsewhere | Self::WrongTime)
    }

    /// Its name in answers and commands.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Acted => "acted",
            Self::Elsewhere => "elsewhere",
            Self::WrongTime => "wrong_time",
            Self::PlannedWork => "planned_work",
            Self::Threshold => "threshold",
            Self::BrokenCheck => "broken_check",
            Self::Duplicate => "duplicate",
            Self::False => "false",
        }
    }

    /// What people read.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Acted => "acted",
            Self::Elsewhere => "real, but elsewhere",
            Self::WrongTime => "right, but at the wrong time",
            Self::PlannedWork => "planned work",
            Self::Threshold => "the threshold is wrong",
            Self::BrokenCheck => "the check is broken",
            Self::Duplicate => "a duplicate",
            Self::False => "false",
        }
    }

    /// What is guessed of something that is over and that nobody judged: whoever was there acted;
    /// what went away by itself within [`TRANSIENT_MAX`] has a threshold that is too tight; what
    /// nobody looked at for longer than that was not worth a look.
    #[must_use]
    pub fn guess(is_attended: bool, lasted: Duration) -> Self {
        match (is_attended, lasted < TRANSIENT_MAX) {
            (true, _) => Self::Acted,
            (false, true) => Self::Threshold,
            (false, false) => Self::False,
        }
    }
}

impl Judgement {
    /// Whether nobody said it.
    #[must_use]
    pub fn is_guessed(&self) -> bool {
        self.by == Who::Firebell
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Verdict {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|it| it.name() == text);
        found.ok_or_else(|| format!("`{text}` is no verdict, only {}", listed(&Self::ALL)))
    }
}

/// What nobody touched and went away sooner was transient.
pub const TRANSIENT_MAX: Duration = Duration::from_mins(5);
