//! What is decided at reviews: about a rule or anything else, by whom, when.

use firebell_model::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Incidents, people};
use crate::act::{Outcome, Refusal};
use crate::incident::Person;
use crate::postmortem::parse_day;

/// What was decided.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Decision {
    /// At the review of this month, such as `2026-11`.
    pub month: String,
    /// About this: a rule by its name, or a topic.
    pub about: String,
    /// What.
    pub decision: String,
    /// Who says so.
    pub by: Person,
    /// When.
    pub at: Timestamp,
}

impl Incidents {
    /// Notes a decision. The same again, with nothing else decided about it since, is once. Of more
    /// than [`DECISIONS_MAX`] the oldest goes.
    ///
    /// # Errors
    /// When the month is none, or a text is empty, too long or of several lines.
    pub fn decide(
        &mut self,
        now: Timestamp,
        by: Person,
        month: &str,
        (about, decision): (&str, &str),
    ) -> Result<Outcome, Refusal> {
        let wrong = |_| Refusal::Invalid(format!("`{month}` is no month: write it as 2026-11"));
        parse_day(&format!("{month}-01")).map_err(wrong)?;
        let about = people::checked_name("what it is about", about)?;
        let decision = people::checked_name("the decision", decision)?;
        let is_about = |it: &&Decision| it.month == month && it.about == about;
        let last = self.decisions.values().rev().find(is_about);
        if last.is_some_and(|it| it.decision == decision && it.by == by) {
            return Ok(Outcome::Already);
        }
        let n = self.decisions.keys().next_back().map_or(0, |last| last + 1);
        let decided = Decision {
            month: month.to_owned(),
            about,
            decision,
            by,
            at: now,
        };
        self.decisions.insert(n, decided);
        self.changes.decision(n);
        while self.decisions.len() > DECISIONS_MAX {
            let Some((oldest, _)) = self.decisions.pop_first() else {
                break;
            };
            self.changes.decision(oldest);
        }
        Ok(Outcome::Changed)
    }

    /// What was decided at the review of a month, the oldest first.
    pub fn decisions<'a>(&'a self, month: &'a str) -> impl Iterator<Item = &'a Decision> {
        self.decisions.values().filter(move |it| it.month == month)
    }
}

/// The most decisions that are kept.
pub const DECISIONS_MAX: usize = 5_000;
