//! Which alerts mute which: per rule and values of its `equal` labels, the set of live sources.
//!
//! Rules are matched once, when an alert is inserted: its *roles* say for which rules it is source
//! or target, and under which key. Whether it is inhibited is then a look at the keys' first
//! source; whatever is inserted, resolved or removed touches its own keys only.
//!
//! *Invariants*: a key has an entry as long as a role refers to it; sources stand by their end,
//! the latest first, so the first one alone tells whether any is alive.
//!
//! *Sources*: Alertmanager, `inhibit/inhibit.go`. Upstream (0.30 to 0.34.0) keeps one source per
//! key and forgets the others; see COMPAT.md.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use firebell_model::{Fingerprint, Labels, Timestamp};

use crate::InhibitRule;
use crate::matcher_index::MatcherIndex;

/// The rules, compiled, and the sources that are there.
#[derive(Debug, Default)]
pub(crate) struct Inhibition {
    rules: Vec<Rule>,
    by_source: MatcherIndex,
    by_target: MatcherIndex,
    keys: Vec<Sources>,
    free_keys: Vec<u32>,
    absent: Arc<str>,
}

#[derive(Debug)]
struct Rule {
    equal: Vec<String>,
    keys: HashMap<Box<[Arc<str>]>, u32>,
}

/// What an alert is to one rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Role {
    rule: u32,
    key: u32,
    is_source: bool,
    is_target: bool,
}

type SourceSet = BTreeSet<(Reverse<Timestamp>, Fingerprint)>;

// The sources under one key.
#[derive(Debug, Default)]
struct Sources {
    n_roles: u32,
    // Match only the source side: they inhibit every target.
    one_sided: SourceSet,
    // Match the target side too: they do not inhibit each other, nor themselves.
    two_sided: SourceSet,
}

impl Inhibition {
    pub(crate) fn new(rules: &[InhibitRule]) -> Self {
        let mut inhibition = Self::default();
        for (idx, rule) in rules.iter().enumerate() {
            inhibition.by_source.insert(idx as u32, &rule.source);
            inhibition.by_target.insert(idx as u32, &rule.target);
            inhibition.rules.push(Rule {
                equal: rule.equal.clone(),
                keys: HashMap::new(),
            });
        }
        inhibition
    }

    /// Notes an alert; its roles have to be given back to [`Self::remove`].
    pub(crate) fn insert(
        &mut self,
        fingerprint: Fingerprint,
        labels: &Labels,
        ends_at: Timestamp,
    ) -> Box<[Role]> {
        if self.rules.is_empty() {
            return Box::default();
        }
        let sources = self.by_source.matches(labels);
        let targets = self.by_target.matches(labels);
        let rules: BTreeSet<u32> = sources.iter().chain(&targets).copied().collect();
        let mut roles = Vec::with_capacity(rules.len());
        for rule in rules {
            let key = self.key(rule, labels);
            let is_source = sources.binary_search(&rule).is_ok();
            let is_target = targets.binary_search(&rule).is_ok();
            let role = Role {
                rule,
                key,
                is_source,
                is_target,
            };
            self.keys[key as usize].n_roles += 1;
            if let Some(set) = self.sources_mut(role) {
                set.insert((Reverse(ends_at), fingerprint));
            }
            roles.push(role);
        }
        roles.into()
    }

    /// Notes that an alert ends at another moment.
    pub(crate) fn update(
        &mut self,
        fingerprint: Fingerprint,
        roles: &[Role],
        old_ends_at: Timestamp,
        ends_at: Timestamp,
    ) {
        if old_ends_at == ends_at {
            return;
        }
        for role in roles {
            if let Some(set) = self.sources_mut(*role) {
                set.remove(&(Reverse(old_ends_at), fingerprint));
                set.insert((Reverse(ends_at), fingerprint));
            }
        }
    }

    /// Forgets an alert.
    pub(crate) fn remove(
        &mut self,
        fingerprint: Fingerprint,
        labels: &Labels,
        roles: &[Role],
        ends_at: Timestamp,
    ) {
        for role in roles {
            if let Some(set) = self.sources_mut(*role) {
                set.remove(&(Reverse(ends_at), fingerprint));
            }
            let key = &mut self.keys[role.key as usize];
            key.n_roles -= 1;
            if key.n_roles == 0 {
                let values = self.equal_values(role.rule, labels);
                self.rules[role.rule as usize].keys.remove(&values);
                self.free_keys.push(role.key);
            }
        }
    }

    /// The alert that mutes a target at `now`: of the first rule that has one, the source that
    /// lives longest.
    pub(crate) fn inhibitor(&self, now: Timestamp, roles: &[Role]) -> Option<Fingerprint> {
        let targets = roles.iter().filter(|role| role.is_target);
        targets
            .map(|role| (role, &self.keys[role.key as usize]))
            .find_map(|(role, sources)| {
                let two_sided = if role.is_source {
                    None
                } else {
                    sources.two_sided.first()
                };
                [sources.one_sided.first(), two_sided]
                    .into_iter()
                    .flatten()
                    .find(|(Reverse(ends_at), _)| *ends_at > now)
                    .map(|(_, fingerprint)| *fingerprint)
            })
    }

    fn sources_mut(&mut self, role: Role) -> Option<&mut SourceSet> {
        let sources = &mut self.keys[role.key as usize];
        match (role.is_source, role.is_target) {
            (false, _) => None,
            (true, false) => Some(&mut sources.one_sided),
            (true, true) => Some(&mut sources.two_sided),
        }
    }

    fn key(&mut self, rule: u32, labels: &Labels) -> u32 {
        let values = self.equal_values(rule, labels);
        let known = &mut self.rules[rule as usize].keys;
        if let Some(key) = known.get(&values) {
            return *key;
        }
        let key = self.free_keys.pop().unwrap_or_else(|| {
            self.keys.push(Sources::default());
            (self.keys.len() - 1) as u32
        });
        known.insert(values, key);
        key
    }

    fn equal_values(&self, rule: u32, labels: &Labels) -> Box<[Arc<str>]> {
        let equal = &self.rules[rule as usize].equal;
        let value = |name: &String| {
            let label = labels.iter().find(|label| *label.name == **name);
            label.map_or_else(|| self.absent.clone(), |label| label.value.clone())
        };
        equal.iter().map(value).collect()
    }
}
