//! What a receiver with a limit was told in the current period, and what waits for its end.
//!
//! It is recorded a group at a time: in a storm thousands begin to wait one after another.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use firebell_model::{Labels, Timestamp};
use serde::{Deserialize, Serialize};

use crate::DeliveryId;
use crate::group::Flush;

/// A group by what outlives a reload: route id and labels.
pub(crate) type HeldKey = (Arc<str>, Labels);

/// The groups that a summary tells of, each with what it would have told by itself.
pub(crate) type Summarized = BTreeMap<HeldKey, Flush>;

/// A period of a receiver, from the first notification in it.
#[derive(Debug)]
pub(crate) struct Window {
    pub(crate) since: Timestamp,
    /// What arrived, and what may yet.
    pub(crate) n_told: u32,
    /// The groups that wait for the summary.
    pub(crate) held: BTreeSet<HeldKey>,
    pub(crate) summary: Option<Summary>,
}

/// A summary whose deliveries are under way.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) head: SummaryHead,
    pub(crate) groups: Summarized,
    /// The deliveries without an outcome; follows from what is under way.
    pub(crate) open: BTreeSet<DeliveryId>,
}

/// A period without its groups.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PeriodRecord {
    pub(crate) since: Timestamp,
    pub(crate) n_told: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) summary: Option<SummaryHead>,
}

/// A summary without its groups.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct SummaryHead {
    pub(crate) deadline: Timestamp,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) has_failed: bool,
    /// Whether it arrived at somebody outside, so that it counts.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) has_left: bool,
}

/// A group that waits for a summary, or is in the one under way.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct HeldRecord {
    /// What is told of it, once a summary tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) flush: Option<Flush>,
}

/// A period with all its groups: the record of the journal's first two versions, read only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct WholeWindow {
    since: Timestamp,
    n_told: u32,
    #[serde(default)]
    held: BTreeSet<HeldKey>,
    #[serde(default)]
    summary: Option<WholeSummary>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct WholeSummary {
    groups: Vec<WholeSummarized>,
    #[serde(flatten)]
    head: SummaryHead,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct WholeSummarized {
    route: Arc<str>,
    labels: Labels,
    flush: Flush,
}

impl Window {
    pub(crate) fn new(since: Timestamp) -> Self {
        Self {
            since,
            n_told: 1,
            held: BTreeSet::new(),
            summary: None,
        }
    }

    /// Whether a group has to wait for a summary, or is in the one under way.
    pub(crate) fn has(&self, key: &HeldKey) -> bool {
        let summary = self.summary.as_ref();
        summary.is_some_and(|summary| summary.groups.contains_key(key)) || self.held.contains(key)
    }

    /// Whether nothing was told in it, and nothing waits.
    pub(crate) fn is_idle(&self) -> bool {
        self.n_told == 0 && self.held.is_empty() && self.summary.is_none()
    }

    /// All groups that wait or are told of.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &HeldKey> {
        let told = self.summary.iter().flat_map(|it| it.groups.keys());
        self.held.iter().chain(told)
    }

    pub(crate) fn period_record(&self) -> PeriodRecord {
        PeriodRecord {
            since: self.since,
            n_told: self.n_told,
            summary: self.summary.as_ref().map(|it| it.head),
        }
    }

    pub(crate) fn held_record(&self, key: &HeldKey) -> Option<HeldRecord> {
        let summary = self.summary.as_ref();
        let flush = summary.and_then(|it| it.groups.get(key)).cloned();
        (flush.is_some() || self.held.contains(key)).then_some(HeldRecord { flush })
    }

    /// Takes a record from before; its groups have records of their own.
    pub(crate) fn restore(&mut self, record: PeriodRecord) {
        let PeriodRecord {
            since,
            n_told,
            summary,
        } = record;
        (self.since, self.n_told) = (since, n_told);
        let groups = self.summary.take().map(|it| it.groups);
        self.summary = summary.map(|head| Summary {
            head,
            groups: groups.unwrap_or_default(),
            open: BTreeSet::new(),
        });
    }

    /// Takes the record of a group from before.
    pub(crate) fn restore_held(&mut self, key: HeldKey, record: Option<HeldRecord>) {
        self.held.remove(&key);
        if let Some(summary) = &mut self.summary {
            summary.groups.remove(&key);
        }
        match (record, &mut self.summary) {
            (None, _) => {}
            (Some(HeldRecord { flush: Some(flush) }), Some(summary)) => {
                summary.groups.insert(key, flush);
            }
            (Some(_), _) => {
                self.held.insert(key);
            }
        }
    }
}

impl From<WholeWindow> for Window {
    fn from(whole: WholeWindow) -> Self {
        let summary = whole.summary.map(|WholeSummary { groups, head }| Summary {
            head,
            groups: groups
                .into_iter()
                .map(|it| ((it.route, it.labels), it.flush))
                .collect(),
            open: BTreeSet::new(),
        });
        Self {
            since: whole.since,
            n_told: whole.n_told,
            held: whole.held,
            summary,
        }
    }
}
