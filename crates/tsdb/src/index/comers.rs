//! Series that come back many at a time: a pair is looked up once for all of them.

use std::collections::BTreeSet;
use std::ptr;
use std::sync::Arc;

use firebell_model::{Label, Labels, SeriesId};

use super::{ByValue, Claim, Index, Postings, hash_of_pairs, slot_of};
use crate::series::Cell;

/// Adds series to an index; their postings are there when it is dropped.
pub(crate) struct Comers<'i> {
    index: &'i mut Index,
    pairs: Vec<Comer>,
    /// Names that are new.
    names: BTreeSet<Arc<str>>,
}

/// A pair, and the slots that its postings lack.
struct Comer {
    label: Arc<Label>,
    slots: Vec<u32>,
}

impl<'i> Comers<'i> {
    pub(crate) fn new(index: &'i mut Index) -> Self {
        let (pairs, names) = (Vec::new(), BTreeSet::new());
        Self {
            index,
            pairs,
            names,
        }
    }

    /// Has a pair ready; returns its place.
    pub(crate) fn add_pair(&mut self, name: &str, value: &str) -> usize {
        let known = self.index.names.get_key_value(name);
        let pair = known.and_then(|(_, values)| values.get_key_value(value));
        let label = if let Some((pair, _)) = pair {
            Arc::clone(&pair.0)
        } else {
            let name = match (known, self.names.get(name)) {
                (Some((name, _)), _) | (None, Some(name)) => Arc::clone(name),
                (None, None) => name.into(),
            };
            self.names.insert(Arc::clone(&name));
            let value = value.into();
            Arc::new(Label { name, value })
        };
        let slots = Vec::new();
        self.pairs.push(Comer { label, slots });
        self.pairs.len() - 1
    }

    /// As [`Index::make_as`], of the pairs in these places, in order of name. `None` also when there
    /// are no such pairs.
    pub(crate) fn make_as(&mut self, id: SeriesId, places: &[usize]) -> Option<Arc<Cell>> {
        let labels = places
            .iter()
            .map(|&place| Some(&*self.pairs.get(place)?.label));
        let labels: Vec<&Label> = labels.collect::<Option<_>>()?;
        if let Some(cell) = self.index.get(id)
            && cell.labels.len() == labels.len()
            && cell
                .labels
                .iter()
                .zip(&labels)
                .all(|(own, it)| ptr::eq(own, *it))
        {
            return Some(Arc::clone(cell));
        }
        if !labels.is_sorted_by(|a, b| a.name < b.name) {
            return None;
        }
        let pairs = labels.iter().map(|it| (&*it.name, &*it.value));
        let hash = hash_of_pairs(pairs.clone());
        match self.index.claim(id, hash, pairs) {
            Claim::Known(cell) => return Some(cell),
            Claim::Lost => return None,
            Claim::Free(rivals) => {
                for rival in rivals.into_iter().flatten() {
                    self.flush();
                    self.index.remove(rival);
                }
            }
        }
        let slot = slot_of(id);
        let mut labels = Vec::with_capacity(places.len());
        for &place in places {
            let Comer { label, slots } = &mut self.pairs[place];
            labels.push(Arc::clone(label));
            slots.push(slot);
        }
        self.index.place(id, hash, Labels::from_shared(labels));
        self.index.at(slot).cloned()
    }

    /// Gives the pairs their postings.
    fn flush(&mut self) {
        for Comer { label, slots } in &mut self.pairs {
            if slots.is_empty() {
                continue;
            }
            let values = self.index.names.entry(Arc::clone(&label.name)).or_default();
            if let Some(postings) = values.get_mut(&*label.value) {
                postings.extend(slots);
            } else {
                values.insert(ByValue(Arc::clone(label)), Postings::of(slots));
            }
            slots.clear();
        }
    }
}

impl Drop for Comers<'_> {
    fn drop(&mut self) {
        self.flush();
    }
}
