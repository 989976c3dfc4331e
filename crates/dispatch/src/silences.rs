//! The silences that are kept, and which alerts they match.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use firebell_model::{Fingerprint, Labels, MatchOp, Matcher, Timestamp};

use crate::matcher_index::MatcherIndex;
use crate::{Silence, SilenceId, SilenceState};

/// All silences by id; those that have not ended also by what they match.
#[derive(Debug, Default)]
pub(crate) struct Silences {
    by_id: BTreeMap<SilenceId, Silence>,
    index: MatcherIndex,
    slots: BTreeMap<SilenceId, u32>,
    ids: Vec<SilenceId>,
    free_slots: Vec<u32>,
}

impl Silences {
    pub(crate) fn get(&self, id: SilenceId) -> Option<&Silence> {
        self.by_id.get(&id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Silence> {
        self.by_id.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Keeps a silence, in place of the one with its id, whose matchers are the same. Returns
    /// whether alerts have to be told of it.
    pub(crate) fn put(&mut self, now: Timestamp, silence: Silence) -> bool {
        let is_new =
            silence.state_at(now) != SilenceState::Expired && !self.slots.contains_key(&silence.id);
        if is_new {
            let slot = self.free_slots.pop().unwrap_or_else(|| {
                self.ids.push(silence.id);
                (self.ids.len() - 1) as u32
            });
            self.ids[slot as usize] = silence.id;
            self.slots.insert(silence.id, slot);
            self.index.insert(slot, &silence.matchers);
        }
        self.by_id.insert(silence.id, silence);
        is_new
    }

    /// Keeps a silence in place of itself with other terms.
    pub(crate) fn replace(&mut self, silence: Silence) {
        self.by_id.insert(silence.id, silence);
    }

    /// No longer matches alerts with a silence. Returns whether it did until now.
    pub(crate) fn unlink(&mut self, id: SilenceId) -> bool {
        let Some(slot) = self.slots.remove(&id) else {
            return false;
        };
        self.index.remove(slot);
        self.free_slots.push(slot);
        true
    }

    pub(crate) fn remove(&mut self, id: SilenceId) {
        self.unlink(id);
        self.by_id.remove(&id);
    }

    /// Of the silences that have not ended, those that match; sorted.
    pub(crate) fn matching(&self, labels: &Labels) -> Vec<SilenceId> {
        let slots = self.index.matches(labels);
        let mut ids: Vec<SilenceId> = slots.iter().map(|slot| self.ids[*slot as usize]).collect();
        ids.sort_unstable();
        ids
    }
}

/// Finds alerts by label, so that a new silence looks only at alerts that it may match.
#[derive(Debug, Default)]
pub(crate) struct LabelIndex(HashMap<Arc<str>, BTreeMap<Arc<str>, BTreeSet<Fingerprint>>>);

impl LabelIndex {
    pub(crate) fn insert(&mut self, fingerprint: Fingerprint, labels: &Labels) {
        for label in labels.iter() {
            let values = match self.0.get_mut(&label.name) {
                Some(values) => values,
                None => self.0.entry(label.name.clone()).or_default(),
            };
            match values.get_mut(&label.value) {
                Some(alerts) => {
                    alerts.insert(fingerprint);
                }
                None => {
                    values.insert(label.value.clone(), BTreeSet::from([fingerprint]));
                }
            }
        }
    }

    pub(crate) fn remove(&mut self, fingerprint: Fingerprint, labels: &Labels) {
        for label in labels.iter() {
            let Some(values) = self.0.get_mut(&label.name) else {
                continue;
            };
            if let Some(alerts) = values.get_mut(&label.value) {
                alerts.remove(&fingerprint);
                if alerts.is_empty() {
                    values.remove(&label.value);
                }
            }
            if values.is_empty() {
                self.0.remove(&label.name);
            }
        }
    }

    /// Alerts that may match, each once; `None` when any alert may.
    pub(crate) fn candidates(&self, matchers: &[Matcher]) -> Option<Vec<Fingerprint>> {
        let is_bound = |matcher: &&Matcher| !matcher.matches_value("");
        let is_equal = |matcher: &&Matcher| matcher.op() == MatchOp::Equal;
        let bound = || matchers.iter().filter(is_bound);
        let n_alerts = |matcher: &Matcher| self.values(matcher).map(BTreeSet::len).sum::<usize>();
        let best = bound()
            .filter(is_equal)
            .min_by_key(|matcher| n_alerts(matcher));
        let best = best.or_else(|| bound().next())?;
        Some(self.values(best).flatten().copied().collect())
    }

    fn values(&self, matcher: &Matcher) -> impl Iterator<Item = &BTreeSet<Fingerprint>> {
        let values = self.0.get(matcher.name());
        let is_equal = matcher.op() == MatchOp::Equal;
        let exact = values
            .filter(|_| is_equal)
            .and_then(|values| values.get(matcher.value()));
        let tried = values.filter(|_| !is_equal).into_iter().flatten();
        let hits = tried.filter(|(value, _)| matcher.matches_value(value));
        exact.into_iter().chain(hits.map(|(_, alerts)| alerts))
    }
}
