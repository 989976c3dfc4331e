//! Records: every piece of state that changes, whole; put back, they give the same state.

use std::collections::BTreeSet;
use std::sync::Arc;

use firebell_model::Timestamp;
use firebell_oncall::ContactKind;
use serde::{Deserialize, Serialize};

use super::Escalation;
use crate::hand_offs::Notices;
use crate::page::{Page, PageKey, Send, SendState};
use crate::policy::Policy;
use crate::rules::Method;

/// One piece of state.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EscalationRecord {
    /// A version of all policies; `None` when no run is on it any more.
    Policies {
        /// Its number.
        version: u64,
        /// All of them.
        policies: Option<Arc<[Policy]>>,
    },
    /// A page.
    Page(Box<Page>),
    /// A page that is over and no longer kept.
    Forgotten(PageKey),
    /// Whom a step with turns told last; `None` when that is forgotten.
    Turn {
        /// The policy and the targets of the step.
        step: String,
        /// Whom.
        person: Option<Arc<str>>,
    },
    /// When somebody was last told, the newest last.
    Told {
        /// Who.
        person: Arc<str>,
        /// By which kind of contact: the first of it stands for all.
        method: Method,
        /// When.
        at: Vec<Timestamp>,
    },
    /// How many messages there were.
    Sent(u64),
    /// Who was on call on a schedule when this was last asked; `None` when there is no such schedule
    /// any more.
    OnCall {
        /// The schedule.
        schedule: Arc<str>,
        /// Who.
        people: Option<Vec<Arc<str>>>,
    },
    /// What somebody is to be told of shifts that begin and end; `None` is nothing any more.
    HandOff {
        /// Who.
        person: Arc<str>,
        /// What.
        notices: Option<Notices>,
    },
}

/// What changed since it was last asked for.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) versions: BTreeSet<u64>,
    pub(super) pages: BTreeSet<PageKey>,
    pub(super) forgotten: BTreeSet<PageKey>,
    pub(super) turns: BTreeSet<String>,
    pub(super) told: BTreeSet<(Arc<str>, ContactKind)>,
    n_sent: u64,
}

impl Escalation {
    /// What changed since this was last called.
    pub fn take_changes(&mut self) -> Vec<EscalationRecord> {
        let n_sent = self.n_sent;
        let changes = std::mem::replace(
            &mut self.changes,
            Changes {
                n_sent,
                ..Changes::default()
            },
        );
        let mut records: Vec<EscalationRecord> = Vec::new();
        records.extend(changes.versions.iter().map(|it| self.version_record(*it)));
        let forgotten = changes.forgotten.into_iter();
        let gone = forgotten.filter(|key| !self.pages.contains_key(key));
        records.extend(gone.map(EscalationRecord::Forgotten));
        let pages = changes.pages.iter().filter_map(|key| self.pages.get(key));
        records.extend(pages.map(|it| EscalationRecord::Page(Box::new(it.clone()))));
        records.extend(
            changes
                .turns
                .into_iter()
                .map(|step| EscalationRecord::Turn {
                    person: self.turns.get(&step).cloned(),
                    step,
                }),
        );
        records.extend(changes.told.iter().map(|it| self.told_record(it)));
        self.hand_offs.take_changes(&mut records);
        if changes.n_sent != n_sent {
            records.push(EscalationRecord::Sent(n_sent));
        }
        records
    }

    /// The whole state.
    #[must_use]
    pub fn records(&self) -> Vec<EscalationRecord> {
        let versions = self.versions.keys().map(|it| self.version_record(*it));
        let pages = self.pages.values();
        let pages = pages.map(|it| EscalationRecord::Page(Box::new(it.clone())));
        let turns = self
            .turns
            .iter()
            .map(|(step, person)| EscalationRecord::Turn {
                step: step.clone(),
                person: Some(Arc::clone(person)),
            });
        let told = self.told.keys().map(|it| self.told_record(it));
        let sent = [EscalationRecord::Sent(self.n_sent)];
        versions
            .chain(pages)
            .chain(turns)
            .chain(told)
            .chain(self.hand_offs.records())
            .chain(sent)
            .collect()
    }

    fn version_record(&self, version: u64) -> EscalationRecord {
        EscalationRecord::Policies {
            version,
            policies: self.versions.get(&version).cloned(),
        }
    }

    fn told_record(&self, (person, kind): &(Arc<str>, ContactKind)) -> EscalationRecord {
        let at = self.told.get(&(Arc::clone(person), *kind));
        EscalationRecord::Told {
            person: Arc::clone(person),
            method: Method {
                kind: *kind,
                nth: 0,
            },
            at: at.map_or_else(Vec::new, |it| it.iter().copied().collect()),
        }
    }

    /// Puts a piece of state back. Follow the last one with [`Escalation::resume`], and that with
    /// [`Escalation::configure`].
    pub fn restore(&mut self, record: EscalationRecord) {
        match record {
            EscalationRecord::Policies { version, policies } => {
                match policies {
                    Some(policies) => self.versions.insert(version, policies),
                    None => self.versions.remove(&version),
                };
            }
            EscalationRecord::Page(page) => {
                self.pages.insert(page.key, *page);
            }
            EscalationRecord::Forgotten(key) => {
                self.pages.remove(&key);
            }
            EscalationRecord::Turn { step, person } => {
                match person {
                    Some(person) => self.turns.insert(step, person),
                    None => self.turns.remove(&step),
                };
            }
            EscalationRecord::Told { person, method, at } => {
                self.told.insert((person, method.kind), at.into());
            }
            EscalationRecord::Sent(n) => self.n_sent = n,
            EscalationRecord::OnCall { schedule, people } => {
                self.hand_offs.restore_watch(schedule, people);
            }
            EscalationRecord::HandOff { person, notices } => {
                self.hand_offs.restore_notices(person, notices);
            }
        }
    }

    /// After a restart: what was under way may have been lost, and is sent again. Follow with
    /// [`Escalation::look_at_schedules`].
    pub fn resume(&mut self, now: Timestamp) {
        self.changes.n_sent = self.n_sent;
        self.hand_offs.resume(now);
        let mut lost = BTreeSet::new();
        for page in self.pages.values_mut() {
            let n_levels = page.levels.len();
            // What an earlier round sent is over.
            page.sends.retain(|it| it.level < n_levels);
            // Whoever has answered need not be told again.
            let has_answered = |it: &Send| page.answered.contains(&it.person);
            page.sends.retain(|it| !has_answered(it));
            for send in &mut page.sends {
                if matches!(send.state, SendState::Sent(_)) {
                    lost.insert((Arc::clone(&send.person), send.method.kind, send.at));
                    (send.state, send.at) = (SendState::Planned, now);
                }
            }
        }
        // It counts for no limit: it may never have left.
        for (person, kind, at) in lost {
            let told = (person, kind);
            let moments = self.told.get_mut(&told);
            if let Some(moments) = moments.filter(|it| it.back() == Some(&at)) {
                moments.pop_back();
                self.changes.told.insert(told);
            }
        }
        let keys: Vec<PageKey> = self.pages.keys().copied().collect();
        keys.into_iter().for_each(|key| self.queue(key));
    }
}
