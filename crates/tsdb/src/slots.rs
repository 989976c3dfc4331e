//! Slots by the hash of their labels: eight bytes a series.

/// A hash table with open addressing. Whoever asks knows whether a slot is the one meant.
#[derive(Default)]
pub(crate) struct SlotTable {
    /// A power of two of them; none at first.
    entries: Vec<Entry>,
    n_slots: usize,
}

#[derive(Clone, Copy, Default)]
struct Entry {
    /// A half of the hash; it says where the entry belongs.
    tag: u32,
    /// One more than the slot; 0 when there is none.
    slot: u32,
}

impl SlotTable {
    pub(crate) fn len(&self) -> usize {
        self.n_slots
    }

    /// The slot with this hash that `is_meant`.
    pub(crate) fn find(&self, hash: u64, is_meant: impl Fn(u32) -> bool) -> Option<u32> {
        let idx = self.place_of(hash, is_meant)?;
        Some(self.entries[idx].slot - 1)
    }

    fn place_of(&self, hash: u64, is_meant: impl Fn(u32) -> bool) -> Option<usize> {
        let tag = tag_of(hash);
        let mask = self.entries.len().checked_sub(1)?;
        let mut idx = tag as usize & mask;
        loop {
            let entry = self.entries[idx];
            if entry.slot == 0 {
                return None;
            }
            if entry.tag == tag && is_meant(entry.slot - 1) {
                return Some(idx);
            }
            idx = (idx + 1) & mask;
        }
    }

    /// Adds a slot that is not there.
    pub(crate) fn insert(&mut self, hash: u64, slot: u32) {
        if (self.n_slots + 1) * 4 > self.entries.len() * 3 {
            let doubled = vec![Entry::default(); (self.entries.len() * 2).max(16)];
            let entries = std::mem::replace(&mut self.entries, doubled);
            for entry in entries.into_iter().filter(|entry| entry.slot != 0) {
                self.put(entry);
            }
        }
        let (tag, slot) = (tag_of(hash), slot + 1);
        self.put(Entry { tag, slot });
        self.n_slots += 1;
    }

    fn put(&mut self, entry: Entry) {
        let mask = self.entries.len() - 1;
        let mut idx = entry.tag as usize & mask;
        while self.entries[idx].slot != 0 {
            idx = (idx + 1) & mask;
        }
        self.entries[idx] = entry;
    }

    pub(crate) fn remove(&mut self, hash: u64, slot: u32) {
        let Some(mut gap) = self.place_of(hash, |it| it == slot) else {
            return;
        };
        self.n_slots -= 1;
        let mask = self.entries.len() - 1;
        let mut idx = gap;
        loop {
            self.entries[gap].slot = 0;
            // What was pushed behind the gap comes back, unless it already is where it belongs.
            loop {
                idx = (idx + 1) & mask;
                let entry = self.entries[idx];
                if entry.slot == 0 {
                    return;
                }
                let home = entry.tag as usize & mask;
                if idx.wrapping_sub(home) & mask >= idx.wrapping_sub(gap) & mask {
                    break;
                }
            }
            self.entries[gap] = self.entries[idx];
            gap = idx;
        }
    }
}

fn tag_of(hash: u64) -> u32 {
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn slots_are_found_until_they_are_removed(
            steps in prop::collection::vec((0..40_u32, any::<bool>()), 1..300)
        ) {
            // Few hashes, and many that belong to the end of the table: neighbours and equals.
            let hash_of = |slot: u32| u64::from((slot % 7).wrapping_mul(5) | !31) << 32;
            let mut table = SlotTable::default();
            let mut model = BTreeMap::new();
            for (slot, is_insert) in steps {
                if !is_insert {
                    table.remove(hash_of(slot), slot);
                    model.remove(&slot);
                } else if model.insert(slot, ()).is_none() {
                    table.insert(hash_of(slot), slot);
                }
                prop_assert_eq!(table.len(), model.len());
                for slot in 0..40 {
                    let found = table.find(hash_of(slot), |it| it == slot);
                    prop_assert_eq!(found, model.get(&slot).map(|()| slot));
                }
            }
        }
    }
}
