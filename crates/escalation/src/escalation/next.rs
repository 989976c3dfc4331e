//! What comes next of a page, as far as it can be known now.

use std::sync::Arc;

use firebell_model::Timestamp;
use firebell_oncall::Oncall;

use super::Escalation;
use super::step::holds;
use crate::page::{Page, Wait};
use crate::policy::Act;
use crate::targets::{people_at, receivers};

/// What comes next of a page when nobody answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Next {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: NextWhat,
}

/// What comes next.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NextWhat {
    /// These people and channels are told; of a step with turns, one of the people.
    Tell(Vec<Arc<str>>),
    /// It goes on with this policy.
    HandOver(Arc<str>),
    /// It waits for the hours of a step, or they begin.
    Hours,
    /// It begins anew, after a snooze.
    Anew,
    /// The round ends: the next one begins, or nobody is left.
    RoundEnds,
}

impl Escalation {
    /// What comes next of a page, by who is on call then and by what is known of it now; `None` when
    /// its run is over.
    #[must_use]
    pub fn next(&self, page: &Page, oncall: &Oncall) -> Option<Next> {
        let due = page.next_at?;
        let anew = |what| Some(Next { at: due, what });
        match page.wait {
            Some(Wait::Snooze) => return anew(NextWhat::Anew),
            Some(Wait::Deferral) => return anew(NextWhat::Hours),
            None => {}
        }
        let Some(policy) = self.policy_of(page) else {
            return anew(NextWhat::RoundEnds);
        };
        for step in policy.steps.iter().skip(page.step) {
            let at = (page.base + step.after).max(due);
            if !holds(step, page, at) {
                continue;
            }
            let what = match &step.act {
                Act::Notify(level) => {
                    let mut told = people_at(&level.targets, oncall, at);
                    told.retain(|it| !page.answered.contains(it));
                    told.extend(receivers(&level.targets).cloned());
                    NextWhat::Tell(told)
                }
                Act::HandOver(to) => NextWhat::HandOver(Arc::clone(to)),
                Act::Defer(_) => NextWhat::Hours,
            };
            return Some(Next { at, what });
        }
        let last = policy.steps.last().map_or(due, |it| page.base + it.after);
        let is_waiting = page.step >= policy.steps.len();
        let ends_at = match is_waiting {
            true => due,
            false => (last + policy.repeat_after).max(due),
        };
        Some(Next {
            at: ends_at,
            what: NextWhat::RoundEnds,
        })
    }
}
