//! Finds, of many sets of matchers, those that a label set satisfies, at the cost of the hits.
//!
//! A matcher that the empty string fails can only be satisfied by a label that is there. Those
//! are looked up by name and value, and counted; the rest of a set is tried only when all of them
//! were hit. An expression shared by many sets is tried once for all of them.
//!
//! *Not here*: what a set belongs to; callers give it a small number.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use firebell_model::{LabelHasher, Labels, MatchOp, Matcher};

/// Sets of matchers, each under a number given by its owner; numbers are dense and reused.
#[derive(Debug, Default)]
pub(crate) struct MatcherIndex {
    sets: Vec<Option<MatcherSet>>,
    names: BTreeMap<Arc<str>, NameIndex>,
    // Sets that no label is needed for.
    unbound: Vec<u32>,
}

// Without a secret: what is put in comes from those who write routes, rules and silences; alerts are
// only looked up.
type ByText<T> = HashMap<Arc<str>, T, BuildHasherDefault<LabelHasher>>;

#[derive(Debug)]
struct MatcherSet {
    // Satisfied only by a label that is there; found through `names`.
    n_bound: u32,
    bound: Vec<Matcher>,
    // Satisfied also by an absent label; tried one by one.
    rest: Vec<Matcher>,
}

#[derive(Debug, Default)]
struct NameIndex {
    equal: ByText<Vec<u32>>,
    others: Vec<(Matcher, Vec<u32>)>,
}

impl MatcherIndex {
    /// Adds a set; one that was there under the number has to be removed before.
    pub(crate) fn insert(&mut self, set: u32, matchers: &[Matcher]) {
        let (rest, bound): (Vec<Matcher>, Vec<Matcher>) = matchers
            .iter()
            .cloned()
            .partition(|matcher| matcher.matches_value(""));
        for matcher in &bound {
            let index = self.names.entry(matcher.name().into()).or_default();
            index.sets_mut(matcher).push(set);
        }
        if bound.is_empty() {
            self.unbound.push(set);
        }
        let idx = set as usize;
        if self.sets.len() <= idx {
            self.sets.resize_with(idx + 1, || None);
        }
        self.sets[idx] = Some(MatcherSet {
            n_bound: bound.len() as u32,
            bound,
            rest,
        });
    }

    /// Takes a set out again.
    pub(crate) fn remove(&mut self, set: u32) {
        let Some(removed) = self.sets.get_mut(set as usize).and_then(Option::take) else {
            return;
        };
        if removed.bound.is_empty() {
            self.unbound.retain(|it| *it != set);
        }
        for matcher in &removed.bound {
            if let Some(index) = self.names.get_mut(matcher.name()) {
                index.remove(matcher, set);
                if index.equal.is_empty() && index.others.is_empty() {
                    self.names.remove(matcher.name());
                }
            }
        }
    }

    /// The sets whose matchers are all satisfied, sorted.
    pub(crate) fn matches(&self, labels: &Labels) -> Vec<u32> {
        let mut hits: Vec<u32> = Vec::with_capacity(HITS_USUAL);
        // Most have few names, and some have thousands.
        if self.names.len() <= labels.len() {
            for (name, index) in &self.names {
                if let Some(value) = labels.get(name) {
                    index.collect(value, &mut hits);
                }
            }
        } else {
            for label in labels.iter() {
                if let Some(index) = self.names.get(&label.name) {
                    index.collect(&label.value, &mut hits);
                }
            }
        }
        hits.sort_unstable();
        let (mut found, mut rest) = (0, 0);
        while let Some(set) = hits.get(rest).copied() {
            let n_hits = hits[rest..].iter().take_while(|it| **it == set).count();
            rest += n_hits;
            if self.is_satisfied(set, n_hits as u32, labels) {
                // Those that were found take the places of what was looked at.
                hits[found] = set;
                found += 1;
            }
        }
        hits.truncate(found);
        if !self.unbound.is_empty() {
            let unbound = self.unbound.iter().copied();
            hits.extend(unbound.filter(|set| self.is_satisfied(*set, 0, labels)));
            hits.sort_unstable();
        }
        hits
    }

    fn is_satisfied(&self, set: u32, n_hits: u32, labels: &Labels) -> bool {
        self.sets[set as usize].as_ref().is_some_and(|set| {
            set.n_bound == n_hits && set.rest.iter().all(|matcher| matcher.matches(labels))
        })
    }
}

impl NameIndex {
    fn sets_mut(&mut self, matcher: &Matcher) -> &mut Vec<u32> {
        if matcher.op() == MatchOp::Equal {
            return self.equal.entry(matcher.value().into()).or_default();
        }
        let known = self.others.iter().position(|(other, _)| other == matcher);
        let idx = known.unwrap_or_else(|| {
            self.others.push((matcher.clone(), Vec::new()));
            self.others.len() - 1
        });
        &mut self.others[idx].1
    }

    fn remove(&mut self, matcher: &Matcher, set: u32) {
        let sets = self.sets_mut(matcher);
        if let Some(idx) = sets.iter().position(|it| *it == set) {
            sets.swap_remove(idx);
        }
        if !sets.is_empty() {
            return;
        }
        if matcher.op() == MatchOp::Equal {
            self.equal.remove(matcher.value());
        } else {
            self.others.retain(|(other, _)| other != matcher);
        }
    }

    fn collect(&self, value: &str, hits: &mut Vec<u32>) {
        if let Some(sets) = self.equal.get(value) {
            hits.extend_from_slice(sets);
        }
        for (matcher, sets) in &self.others {
            if matcher.matches_value(value) {
                hits.extend_from_slice(sets);
            }
        }
    }
}

/// Room for what most label sets hit.
const HITS_USUAL: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matchers() -> impl Strategy<Value = Vec<Matcher>> {
        let ops = vec![
            MatchOp::Equal,
            MatchOp::NotEqual,
            MatchOp::Regex,
            MatchOp::NotRegex,
        ];
        let value = prop::sample::select(vec!["", "x", "y", "x|y", ".+", ".*", "x?"]);
        let matcher = (0..3_usize, prop::sample::select(ops), value);
        let made = matcher.prop_map(|(name, op, value)| {
            Matcher::new(["a", "b", "c"][name], op, value).expect("a good matcher")
        });
        prop::collection::vec(made, 0..4)
    }

    proptest! {
        #[test]
        fn the_index_finds_what_trying_every_set_finds(
            sets in prop::collection::vec(matchers(), 0..12),
            removed in prop::collection::vec(0..12_usize, 0..6),
            values in prop::collection::vec(prop::sample::select(vec!["", "x", "y", "z"]), 3),
        ) {
            let mut index = MatcherIndex::default();
            for (set, matchers) in sets.iter().enumerate() {
                index.insert(set as u32, matchers);
            }
            for set in &removed {
                index.remove(*set as u32);
            }
            let labels = Labels::from_pairs(["a", "b", "c"].into_iter().zip(values));
            let is_there = |set: usize| !removed.contains(&set);
            let tried = sets.iter().enumerate().filter(|(set, matchers)| {
                is_there(*set) && matchers.iter().all(|matcher| matcher.matches(&labels))
            });
            let tried: Vec<u32> = tried.map(|(set, _)| set as u32).collect();
            prop_assert_eq!(index.matches(&labels), tried);
        }
    }
}
