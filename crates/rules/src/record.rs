//! The state of the rules as records: what the engine makes durable, and hands back after a restart.
//!
//! *Invariants*: a record names its rule by what people wrote, never by position. Records are applied
//! in order and the last one wins, so a journal is a snapshot's records followed by later ones.
//!
//! What may be older in a record than it was in memory: what an anomaly rule has learned, by
//! [`crate::ANOMALY_SAVED_EVERY`]; and, since the next evaluation says it again,
//! the value of an alert; the annotations of a pending one; `last_sent_at` of one that was sent
//! again; a group's last slot, by less than a minute.

use std::sync::Arc;

use firebell_model::{Fingerprint, Labels, Timestamp};
use serde::{Deserialize, Serialize};

use crate::alert::{AlertInstance, Cause};
use crate::anomaly::WatchedSeries;
use crate::definition::{Rule, RuleGroup};
use crate::flapping::Flap;

/// Identity of a rule over reloads and restarts. A rule whose name or labels were changed is
/// another rule, as upstream; its expression, `for` and annotations may change.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct RuleKey {
    /// File of the group.
    pub file: String,
    /// Name of the group.
    pub group: String,
    /// Name of the alert or the recorded series.
    pub rule: String,
    /// Whether it records.
    #[serde(default)]
    pub is_recording: bool,
    /// Fingerprint of the labels as written.
    pub labels: Fingerprint,
    /// How many rules before it in the group have the same name and labels.
    #[serde(default)]
    pub nth: usize,
}

impl RuleKey {
    /// The keys of a group's rules, in order.
    pub(crate) fn of_group(group: &RuleGroup) -> Vec<Arc<Self>> {
        let mut keys: Vec<Arc<Self>> = Vec::with_capacity(group.rules.len());
        let mut seen = std::collections::BTreeMap::new();
        for rule in &group.rules {
            let mut key = Self::first(group, rule);
            let nth = seen
                .entry((rule.name.as_str(), key.is_recording, key.labels))
                .or_insert(0);
            key.nth = *nth;
            *nth += 1;
            keys.push(Arc::new(key));
        }
        keys
    }

    /// Whether the other key is of the same rule in another place.
    pub(crate) fn is_moved(&self, other: &Self) -> bool {
        let place_free = |key: &Self| (key.is_recording, key.labels);
        self.rule == other.rule && place_free(self) == place_free(other)
    }

    fn first(group: &RuleGroup, rule: &Rule) -> Self {
        Self {
            file: group.file.clone(),
            group: group.name.clone(),
            rule: rule.name.clone(),
            is_recording: rule.as_alerting().is_none(),
            labels: rule.label_texts.fingerprint(),
            nth: 0,
        }
    }
}

/// One change of state, or one part of the whole state.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum RuleRecord {
    /// An alert is as it says.
    Alert {
        /// Its rule.
        rule: Arc<RuleKey>,
        /// The alert.
        alert: AlertInstance,
    },
    /// An alert is there no more.
    AlertGone {
        /// Its rule.
        rule: Arc<RuleKey>,
        /// Its labels.
        labels: Labels,
        /// What it was about.
        #[serde(default)]
        cause: Cause,
    },
    /// An anomaly rule watches a series; this is all that it has learned of it.
    Watched {
        /// The rule.
        rule: Arc<RuleKey>,
        /// The series.
        watched: WatchedSeries,
    },
    /// An anomaly rule watches a series no longer.
    Unwatched {
        /// The rule.
        rule: Arc<RuleKey>,
        /// The series's number.
        number: usize,
    },
    /// What an anomaly rule has learned of some series since it was last written down.
    Learned {
        /// The rule.
        rule: Arc<RuleKey>,
        /// The slot.
        at: Timestamp,
        /// The series, each by its number, and their values, as `anomaly::watch` writes them. Version
        /// 1 had them in other fields, which are passed over: what was learned before is kept.
        #[serde(default)]
        series: String,
        /// Whether nothing was learned besides, up to the end of the program.
        #[serde(default)]
        is_all: bool,
    },
    /// When an alert began or ended lately, or that this is long ago.
    Flap {
        /// Its rule.
        rule: Arc<RuleKey>,
        /// Its labels.
        labels: Labels,
        /// The changes.
        #[serde(default)]
        flap: Option<Flap>,
    },
    /// What the last evaluation of a rule wrote, as a difference. For an alerting rule only series
    /// that its alerts do not account for.
    Series {
        /// The rule.
        rule: Arc<RuleKey>,
        /// Series written now, and not before.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        added: Vec<Labels>,
        /// Series written before, and no longer.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        removed: Vec<Labels>,
    },
    /// A group was evaluated.
    Slot {
        /// File of the group.
        file: String,
        /// Name of the group.
        group: String,
        /// The slot.
        at: Timestamp,
    },
    /// Written by a later version; has no effect.
    #[serde(other)]
    Unknown,
}

/// A number as text, since JSON has no infinity and no NaN.
pub(crate) mod float_text {
    use std::borrow::Cow;

    use firebell_model::{format_float, parse_float};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format_float(*value))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        parse_float(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a number")))
    }
}
