//! Alerts by label, so that a new silence looks only at those that it may match.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use firebell_model::{Fingerprint, LabelHasher, Labels, MatchOp, Matcher};

/// Which alerts have a label, as far as a look has to be taken at them.
///
/// Alerts come by the thousand and silences now and then, so that new alerts wait to be entered until
/// a silence looks for its own, or until there are many; an alert is put at the end of the list of each of its
/// labels, and one that went is taken from it when half of the list is gone.
#[derive(Debug, Default)]
pub(crate) struct LabelIndex {
    names: HashMap<Arc<str>, ByValue, BuildHasherDefault<LabelHasher>>,
    /// As with [`Listed`], one that went and came back is there twice until half of them are gone.
    waiting: Vec<(Fingerprint, Labels)>,
    n_gone: usize,
}

// With a secret: senders choose values, and there are many. What is found is put in order.
type ByValue = HashMap<Arc<str>, Listed>;

/// The alerts of one label.
#[derive(Debug, Default)]
struct Listed {
    // In the order in which they came; one that went and came back is there twice until then.
    alerts: Vec<Fingerprint>,
    n_gone: usize,
}

impl LabelIndex {
    pub(crate) fn insert(&mut self, fingerprint: Fingerprint, labels: &Labels) {
        match self.waiting.len() < WAITING_MAX {
            true => self.waiting.push((fingerprint, labels.clone())),
            false => self.enter(fingerprint, labels),
        }
    }

    /// Enters those that wait and are among those that `is_kept` knows, so that
    /// [`LabelIndex::candidates`] need not try them one by one.
    pub(crate) fn catch_up(&mut self, is_kept: impl Fn(Fingerprint) -> bool) {
        self.keep_waiting(is_kept);
        for (fingerprint, labels) in std::mem::take(&mut self.waiting) {
            self.enter(fingerprint, &labels);
        }
    }

    fn enter(&mut self, fingerprint: Fingerprint, labels: &Labels) {
        for label in labels.iter() {
            let values = match self.names.get_mut(&label.name) {
                Some(values) => values,
                None => self.names.entry(label.name.clone()).or_default(),
            };
            let listed = match values.get_mut(&label.value) {
                Some(listed) => listed,
                None => values.entry(label.value.clone()).or_default(),
            };
            listed.alerts.push(fingerprint);
        }
    }

    /// Forgets an alert, which is no longer among those that `is_kept` knows.
    pub(crate) fn remove(&mut self, labels: &Labels, is_kept: impl Fn(Fingerprint) -> bool) {
        self.lose_waiting(&is_kept);
        for label in labels.iter() {
            let Some(values) = self.names.get_mut(&label.name) else {
                continue;
            };
            if let Some(listed) = values.get_mut(&label.value) {
                listed.lose_one(&is_kept);
                if listed.alerts.is_empty() {
                    values.remove(&label.value);
                }
            }
            if values.is_empty() {
                self.names.remove(&label.name);
            }
        }
    }

    fn lose_waiting(&mut self, is_kept: impl Fn(Fingerprint) -> bool) {
        self.n_gone += 1;
        if self.n_gone * 2 >= self.waiting.len() {
            self.keep_waiting(is_kept);
            self.waiting.shrink_to(self.waiting.len() * 2);
        }
    }

    fn keep_waiting(&mut self, is_kept: impl Fn(Fingerprint) -> bool) {
        self.n_gone = 0;
        self.waiting.retain(|(it, _)| is_kept(*it));
        self.waiting.sort_unstable_by_key(|(it, _)| *it);
        self.waiting.dedup_by_key(|(it, _)| *it);
    }

    /// Alerts that may match, each once and in order, some of which may be gone; `None` when any
    /// alert may.
    pub(crate) fn candidates(&self, matchers: &[Matcher]) -> Option<Vec<Fingerprint>> {
        let is_bound = |matcher: &&Matcher| !matcher.matches_value("");
        let is_equal = |matcher: &&Matcher| matcher.op() == MatchOp::Equal;
        let bound = || matchers.iter().filter(is_bound);
        let n_alerts = |matcher: &Matcher| self.lists(matcher).map(|it| it.alerts.len()).sum();
        let best = bound()
            .filter(is_equal)
            .min_by_key(|matcher| -> usize { n_alerts(matcher) });
        let best = best.or_else(|| bound().next())?;
        let lists = self.lists(best).flat_map(|it| &it.alerts);
        let waiting = self
            .waiting
            .iter()
            .filter(|(_, labels)| best.matches(labels));
        let waiting = waiting.map(|(it, _)| it);
        let mut alerts: Vec<Fingerprint> = lists.chain(waiting).copied().collect();
        alerts.sort_unstable();
        alerts.dedup();
        Some(alerts)
    }

    fn lists(&self, matcher: &Matcher) -> impl Iterator<Item = &Listed> {
        let values = self.names.get(matcher.name());
        let is_equal = matcher.op() == MatchOp::Equal;
        let exact = values
            .filter(|_| is_equal)
            .and_then(|values| values.get(matcher.value()));
        let tried = values.filter(|_| !is_equal).into_iter().flatten();
        let hits = tried.filter(|(value, _)| matcher.matches_value(value));
        exact.into_iter().chain(hits.map(|(_, listed)| listed))
    }
}

impl Listed {
    fn lose_one(&mut self, is_kept: impl Fn(Fingerprint) -> bool) {
        self.n_gone += 1;
        if self.n_gone * 2 < self.alerts.len() {
            return;
        }
        self.n_gone = 0;
        self.alerts.retain(|it| is_kept(*it));
        self.alerts.sort_unstable();
        self.alerts.dedup();
        self.alerts.shrink_to(self.alerts.len() * 2);
    }
}

/// Entering so many keeps nobody waiting for long.
const WAITING_MAX: usize = if cfg!(test) { 4 } else { 1 << 15 };

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use firebell_model::{Fingerprint, Labels, MatchOp, Matcher};
    use proptest::prelude::*;

    use super::LabelIndex;

    fn labels(alert: u8) -> Labels {
        let (job, host) = (format!("job{}", alert % 3), format!("host{}", alert / 4));
        Labels::from_pairs([("job", &*job), ("host", &*host)])
    }

    proptest! {
        /// Whatever comes, goes and comes back: each alert that is there and has the label is
        /// found once, and lists that nobody is in are not kept.
        #[test]
        fn finds_what_is_there(
            moves in prop::collection::vec((0_u8..24, any::<bool>(), 0..4), 0..200),
        ) {
            let mut index = LabelIndex::default();
            let mut alerts: BTreeMap<Fingerprint, u8> = BTreeMap::new();
            for (alert, comes, look) in moves {
                let labels = labels(alert);
                let fingerprint = labels.fingerprint();
                if comes && alerts.insert(fingerprint, alert).is_none() {
                    index.insert(fingerprint, &labels);
                }
                if !comes && alerts.remove(&fingerprint).is_some() {
                    index.remove(&labels, |it| alerts.contains_key(&it));
                }
                if look == 0 {
                    index.catch_up(|it| alerts.contains_key(&it));
                }
                for (op, job) in [
                    (MatchOp::Equal, "job0"),
                    (MatchOp::Equal, "job1"),
                    (MatchOp::Regex, "job[12]"),
                ] {
                    let matcher = Matcher::new("job", op, job).unwrap();
                    let found = index.candidates(std::slice::from_ref(&matcher)).unwrap();
                    let unique: BTreeSet<_> = found.iter().copied().collect();
                    prop_assert_eq!(unique.len(), found.len());
                    let wanted = alerts.iter().filter(|(_, it)| matcher.matches(&self::labels(**it)));
                    let wanted: BTreeSet<_> = wanted.map(|(it, _)| *it).collect();
                    let kept = unique.into_iter().filter(|it| alerts.contains_key(it));
                    prop_assert_eq!(kept.collect::<BTreeSet<_>>(), wanted);
                }
                let lists = ["job", "host"].into_iter().filter_map(|it| index.names.get(it));
                let n_listed: usize = lists.flatten().map(|(_, it)| it.alerts.len()).sum();
                prop_assert!(n_listed <= 4 * alerts.len(), "{n_listed} listed");
                prop_assert!(index.waiting.len() <= 2 * alerts.len() + 2);
                let is_empty = index.names.is_empty() && index.waiting.is_empty();
                prop_assert_eq!(is_empty, alerts.is_empty());
            }
        }
    }
}
