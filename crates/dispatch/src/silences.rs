//! The silences that are kept, and which alerts they match.

use std::collections::BTreeMap;

use firebell_model::{Labels, Timestamp};

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
