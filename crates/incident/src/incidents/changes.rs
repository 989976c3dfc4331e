//! What has to be written down, and how it is put back.
//!
//! *Invariants*: records hold state. An incident, each of its alerts and each entry of its timeline
//! has a record of its own, so that what is written is as long as what changed.

use std::collections::{BTreeMap, BTreeSet};

use firebell_model::{Fingerprint, Timestamp};
use serde::{Deserialize, Serialize};

use super::pictures::Named;
use super::{Decision, Happened, Incidents, Waiting};
use crate::incident::{Entry, Incident, IncidentId, Member};
use crate::postmortem::Graph;

/// A piece of state to write down; the last one of a key wins.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IncidentRecord {
    /// An incident without its alerts and its timeline.
    Incident(Box<Incident>),
    /// One of its alerts; `None` when it was taken out.
    Alert {
        /// Of this incident.
        id: IncidentId,
        /// Which.
        fingerprint: Fingerprint,
        /// What is known of it.
        value: Option<Member>,
    },
    /// An entry of its timeline.
    Entry {
        /// Of this incident.
        id: IncidentId,
        /// Its place.
        n: usize,
        /// What happened.
        value: Entry,
    },
    /// What was frozen for its postmortem; all of it.
    Graphs {
        /// Of which incident.
        id: IncidentId,
        /// What.
        value: Vec<Graph>,
    },
    /// A decision of a review.
    Decision {
        /// Its number.
        n: u64,
        /// What; `None` when it is kept no longer.
        value: Option<Decision>,
    },
    /// It is kept no longer, with all of it.
    Forgotten(IncidentId),
    /// An alert that waits to open one.
    Waiting {
        /// Which.
        fingerprint: Fingerprint,
        /// What is known of it; `None` when it waits no more.
        value: Option<Waiting>,
    },
}

/// What has changed since it was last taken.
#[derive(Default)]
pub(super) struct Changes {
    heads: BTreeSet<IncidentId>,
    alerts: BTreeSet<(IncidentId, Fingerprint)>,
    entries: BTreeSet<(IncidentId, usize)>,
    forgotten: BTreeSet<IncidentId>,
    waiting: BTreeSet<Fingerprint>,
    graphs: BTreeSet<IncidentId>,
    decisions: BTreeSet<u64>,
    /// When each was last said to be due; not written down, as it follows from the rest.
    queued: BTreeMap<IncidentId, Timestamp>,
}

impl Changes {
    pub(super) fn heads(&self) -> impl Iterator<Item = IncidentId> {
        self.heads.iter().copied()
    }

    pub(super) fn head(&mut self, id: IncidentId) {
        self.heads.insert(id);
    }

    pub(super) fn alert(&mut self, id: IncidentId, fingerprint: Fingerprint) {
        self.alerts.insert((id, fingerprint));
    }

    pub(super) fn entry(&mut self, id: IncidentId, n: usize) {
        self.entries.insert((id, n));
    }

    pub(super) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    pub(super) fn waiting(&mut self, alert: Fingerprint) {
        self.waiting.insert(alert);
    }

    pub(super) fn decision(&mut self, n: u64) {
        self.decisions.insert(n);
    }

    pub(super) fn graphs(&mut self, id: IncidentId) {
        self.graphs.insert(id);
    }

    pub(super) fn forget(&mut self, id: IncidentId) {
        self.queued.remove(&id);
        self.forgotten.insert(id);
    }

    /// Says when an incident is due from now on; returns what was said before.
    pub(super) fn queued(&mut self, id: IncidentId, due: Option<Timestamp>) -> Option<Timestamp> {
        match due {
            Some(at) => self.queued.insert(id, at),
            None => self.queued.remove(&id),
        }
    }
}

impl Incidents {
    /// Puts a recorded piece of state back. Follow the last one with [`Incidents::resume`].
    pub fn restore(&mut self, record: IncidentRecord) {
        match record {
            IncidentRecord::Incident(head) => match self.all.get_mut(&head.id) {
                Some(known) => {
                    let alerts = std::mem::take(&mut known.alerts);
                    let timeline = std::mem::take(&mut known.timeline);
                    let graphs = std::mem::take(&mut known.graphs);
                    *known = Incident {
                        alerts,
                        timeline,
                        graphs,
                        ..*head
                    };
                }
                None => {
                    self.all.insert(head.id, *head);
                }
            },
            IncidentRecord::Alert {
                id,
                fingerprint,
                value,
            } => {
                let incident = self.all.get_mut(&id);
                match (incident, value) {
                    (Some(incident), Some(member)) => {
                        incident.alerts.insert(fingerprint, member);
                    }
                    (Some(incident), None) => {
                        incident.alerts.remove(&fingerprint);
                    }
                    (None, _) => {}
                }
            }
            IncidentRecord::Entry { id, n, value } => {
                if let Some(incident) = self.all.get_mut(&id) {
                    match incident.timeline.get_mut(n) {
                        Some(known) => *known = value,
                        None => incident.timeline.push(value),
                    }
                }
            }
            IncidentRecord::Graphs { id, value } => {
                if let Some(incident) = self.all.get_mut(&id) {
                    incident.graphs = value;
                }
            }
            IncidentRecord::Decision { n, value } => {
                match value {
                    Some(decision) => self.decisions.insert(n, decision),
                    None => self.decisions.remove(&n),
                };
            }
            IncidentRecord::Forgotten(id) => {
                self.all.remove(&id);
            }
            IncidentRecord::Waiting { fingerprint, value } => {
                match value {
                    Some(waiting) => self.waiting.insert(fingerprint, waiting),
                    None => self.waiting.remove(&fingerprint),
                };
            }
        }
    }

    /// Goes on after a restart: finds out whose the alerts are and what is due.
    pub fn resume(&mut self) {
        self.of_alert.clear();
        // Of several, that to which it came last.
        let mut joined: BTreeMap<Fingerprint, (Timestamp, IncidentId)> = BTreeMap::new();
        for incident in self.all.values() {
            for (fingerprint, member) in &incident.alerts {
                let at = (member.joined_at, incident.id);
                let last = joined.entry(*fingerprint).or_insert(at);
                *last = at.max(*last);
            }
        }
        self.of_alert = joined.into_iter().map(|(it, (_, id))| (it, id)).collect();
        self.text_bytes = self.all.values().map(Incident::text_bytes).sum();
        self.pictures = Named::default();
        let pictures = self.all.values().flat_map(Incident::pictures);
        pictures.for_each(|it| self.pictures.add(it));
        let ids: Vec<IncidentId> = self.all.keys().copied().collect();
        ids.into_iter().for_each(|id| self.queue(id));
    }

    /// What has changed since the last call.
    pub fn take_changes(&mut self) -> Vec<IncidentRecord> {
        let Changes {
            heads,
            alerts,
            entries,
            forgotten,
            waiting,
            graphs,
            decisions,
            queued: _,
        } = &mut self.changes;
        let (heads, alerts) = (std::mem::take(heads), std::mem::take(alerts));
        let (entries, forgotten) = (std::mem::take(entries), std::mem::take(forgotten));
        let decisions = std::mem::take(decisions).into_iter();
        let decisions = decisions.map(|n| IncidentRecord::Decision {
            n,
            value: self.decisions.get(&n).cloned(),
        });
        let graphs = std::mem::take(graphs).into_iter();
        let graphs = graphs.filter_map(|id| Some(graphs_of(self.all.get(&id)?)));
        let waiting = std::mem::take(waiting).into_iter();
        let waiting = waiting.map(|fingerprint| IncidentRecord::Waiting {
            fingerprint,
            value: self.waiting.get(&fingerprint).cloned(),
        });
        let forgotten = forgotten.into_iter().map(IncidentRecord::Forgotten);
        let heads = heads.iter().filter_map(|id| Some(head(self.all.get(id)?)));
        let alerts = alerts.into_iter().filter_map(|(id, fingerprint)| {
            let value = self.all.get(&id)?.alerts.get(&fingerprint).cloned();
            Some(IncidentRecord::Alert {
                id,
                fingerprint,
                value,
            })
        });
        let entries = entries.into_iter().filter_map(|(id, n)| {
            let value = self.all.get(&id)?.timeline.get(n)?.clone();
            Some(IncidentRecord::Entry { id, n, value })
        });
        forgotten
            .chain(heads)
            .chain(alerts)
            .chain(entries)
            .chain(graphs)
            .chain(decisions)
            .chain(waiting)
            .collect()
    }

    /// The whole state, for a snapshot.
    pub fn records(&self) -> impl Iterator<Item = IncidentRecord> {
        let waiting = self.waiting.iter();
        let waiting = waiting.map(|(fingerprint, it)| IncidentRecord::Waiting {
            fingerprint: *fingerprint,
            value: Some(it.clone()),
        });
        let all = self.all.values().flat_map(|incident| {
            let id = incident.id;
            let alerts = incident.alerts.iter();
            let alerts = alerts.map(move |(fingerprint, member)| IncidentRecord::Alert {
                id,
                fingerprint: *fingerprint,
                value: Some(member.clone()),
            });
            let entries = incident.timeline.iter().enumerate();
            let entries = entries.map(move |(n, entry)| IncidentRecord::Entry {
                id,
                n,
                value: entry.clone(),
            });
            let has_graphs = !incident.graphs.is_empty();
            let graphs = has_graphs.then(|| graphs_of(incident));
            let head = std::iter::once(head(incident));
            head.chain(graphs).chain(alerts).chain(entries)
        });
        let decisions = self.decisions.iter();
        let decisions = decisions.map(|(n, it)| IncidentRecord::Decision {
            n: *n,
            value: Some(it.clone()),
        });
        all.chain(waiting).chain(decisions)
    }

    /// What the history is to be told, since the last call.
    pub fn take_happened(&mut self) -> Vec<Happened> {
        std::mem::take(&mut self.happened)
    }
}

fn graphs_of(incident: &Incident) -> IncidentRecord {
    IncidentRecord::Graphs {
        id: incident.id,
        value: incident.graphs.clone(),
    }
}

fn head(incident: &Incident) -> IncidentRecord {
    let head = Incident {
        title: incident.title.clone(),
        alerts: BTreeMap::new(),
        timeline: Vec::new(),
        key: incident.key.clone(),
        opened_by: incident.opened_by.clone(),
        severity_by: incident.severity_by.clone(),
        acknowledged: incident.acknowledged.clone(),
        roles: incident.roles.clone(),
        tasks: incident.tasks.clone(),
        ticks: incident.ticks.clone(),
        impact: incident.impact.clone(),
        components: incident.components.clone(),
        data: incident.data.clone(),
        verdict: incident.verdict.clone(),
        detached: incident.detached.clone(),
        budget: incident.budget.clone(),
        postmortem: incident.postmortem.clone(),
        graphs: Vec::new(),
        ..*incident
    };
    IncidentRecord::Incident(Box::new(head))
}
