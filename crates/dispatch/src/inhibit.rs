//! Which alerts mute which: per rule and values of its `equal` labels, the set of live sources.
//!
//! Rules with the same target side and the same `equal` labels are one *family*: whether an alert
//! is a target is one question, and the sources of all of them stand together. Which families an
//! alert is a target of, and which rules' source it is, is found once, when it is inserted;
//! whether it is inhibited is then one look per family that has sources at all.
//!
//! *Invariants*: sources stand by their end, the latest first, so the first one alone tells
//! whether any is alive; a key without sources is not there.
//!
//! *Sources*: Alertmanager, `inhibit/inhibit.go`. Upstream (0.30 to 0.34.0) keeps one source per
//! key and forgets the others; see COMPAT.md.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use firebell_model::{Fingerprint, LabelHasher, Labels, Timestamp};

use crate::InhibitRule;
use crate::matcher_index::MatcherIndex;

/// The rules, compiled, and the sources that are there.
#[derive(Debug, Default)]
pub(crate) struct Inhibition {
    by_source: MatcherIndex,
    by_target: MatcherIndex,
    family_of_rule: Vec<u32>,
    families: Vec<Family>,
    // Most alerts are targets of the same few combinations of families.
    target_lists: HashSet<Arc<[u32]>, BuildHasherDefault<LabelHasher>>,
}

#[derive(Debug)]
struct Family {
    equal: Vec<String>,
    keys: HashMap<Box<[u8]>, Sources>,
}

/// What an alert is to the rules.
#[derive(Clone, Debug)]
pub(crate) struct Roles {
    // Families whose target side it matches, in the order of their first rule.
    targets: Arc<[u32]>,
    // Rules whose source side it matches, in order.
    sources: Box<[u32]>,
}

type SourceSet = BTreeSet<(Reverse<Timestamp>, Fingerprint)>;

// The sources under one key of a family.
#[derive(Debug, Default)]
struct Sources {
    // Match only the source side: they inhibit every target.
    one_sided: SourceSet,
    // Match the target side too, by rule: they do not inhibit what is a source of the same rule,
    // hence not each other nor themselves.
    two_sided: BTreeMap<u32, SourceSet>,
}

impl Inhibition {
    pub(crate) fn new(rules: &[InhibitRule]) -> Self {
        let mut inhibition = Self::default();
        let mut known: BTreeMap<(String, Vec<String>), u32> = BTreeMap::new();
        for (idx, rule) in rules.iter().enumerate() {
            inhibition.by_source.insert(idx as u32, &rule.source);
            let target = firebell_model::matchers_text(&rule.target);
            let family = *known
                .entry((target, rule.equal.clone()))
                .or_insert_with(|| {
                    let family = inhibition.families.len() as u32;
                    inhibition.by_target.insert(family, &rule.target);
                    let equal = rule.equal.clone();
                    inhibition.families.push(Family {
                        equal,
                        keys: HashMap::new(),
                    });
                    family
                });
            inhibition.family_of_rule.push(family);
        }
        inhibition
    }

    /// Notes an alert; its roles have to be given back to [`Self::remove`].
    pub(crate) fn insert(
        &mut self,
        fingerprint: Fingerprint,
        labels: &Labels,
        ends_at: Timestamp,
    ) -> Roles {
        let targets = self.by_target.matches(labels);
        let known = self.target_lists.get(&*targets).cloned();
        let targets = known.unwrap_or_else(|| {
            let targets: Arc<[u32]> = targets.into();
            self.target_lists.insert(Arc::clone(&targets));
            targets
        });
        let sources = self.by_source.matches(labels).into();
        let roles = Roles { targets, sources };
        self.note(fingerprint, labels, &roles, ends_at);
        roles
    }

    /// Notes that an alert ends at another moment.
    pub(crate) fn update(
        &mut self,
        fingerprint: Fingerprint,
        labels: &Labels,
        roles: &Roles,
        (old_ends_at, ends_at): (Timestamp, Timestamp),
    ) {
        if old_ends_at == ends_at || roles.sources.is_empty() {
            return;
        }
        let mut key = Vec::new();
        for (rule, family, is_target) in self.source_roles(roles) {
            let family = &mut self.families[family as usize];
            family.key(labels, &mut key);
            let sources = family.keys.get_mut(&*key);
            let set = sources.and_then(|sources| match is_target {
                true => sources.two_sided.get_mut(&rule),
                false => Some(&mut sources.one_sided),
            });
            if let Some(set) = set {
                set.remove(&(Reverse(old_ends_at), fingerprint));
                set.insert((Reverse(ends_at), fingerprint));
            }
        }
    }

    fn note(
        &mut self,
        fingerprint: Fingerprint,
        labels: &Labels,
        roles: &Roles,
        ends_at: Timestamp,
    ) {
        for (rule, family, is_target) in self.source_roles(roles) {
            let family = &mut self.families[family as usize];
            let mut key = Vec::new();
            family.key(labels, &mut key);
            let sources = family.keys.entry(key.into()).or_default();
            let set = match is_target {
                true => sources.two_sided.entry(rule).or_default(),
                false => &mut sources.one_sided,
            };
            set.insert((Reverse(ends_at), fingerprint));
        }
    }

    /// Forgets an alert.
    pub(crate) fn remove(
        &mut self,
        fingerprint: Fingerprint,
        labels: &Labels,
        roles: &Roles,
        ends_at: Timestamp,
    ) {
        for (rule, family, is_target) in self.source_roles(roles) {
            let family = &mut self.families[family as usize];
            let mut key = Vec::new();
            family.key(labels, &mut key);
            let Some(sources) = family.keys.get_mut(&*key) else {
                continue;
            };
            let gone = (Reverse(ends_at), fingerprint);
            if !is_target {
                sources.one_sided.remove(&gone);
            } else if let Some(set) = sources.two_sided.get_mut(&rule) {
                set.remove(&gone);
                if set.is_empty() {
                    sources.two_sided.remove(&rule);
                }
            }
            if sources.one_sided.is_empty() && sources.two_sided.is_empty() {
                family.keys.remove(&*key);
            }
        }
    }

    /// The alert that mutes a target at `now`: of the first family that has one, a source that
    /// lives longest.
    pub(crate) fn inhibitor(
        &self,
        now: Timestamp,
        labels: &Labels,
        roles: &Roles,
    ) -> Option<Fingerprint> {
        let mut key = Vec::new();
        for family in roles
            .targets
            .iter()
            .map(|family| &self.families[*family as usize])
        {
            if family.keys.is_empty() {
                continue;
            }
            family.key(labels, &mut key);
            let Some(sources) = family.keys.get(&*key) else {
                continue;
            };
            let is_own = |rule: &u32| roles.sources.binary_search(rule).is_ok();
            let two_sided = sources.two_sided.iter().filter(|(rule, _)| !is_own(rule));
            let sets = std::iter::once(&sources.one_sided).chain(two_sided.map(|(_, set)| set));
            let is_alive =
                |(Reverse(ends_at), _): &&(Reverse<Timestamp>, Fingerprint)| *ends_at > now;
            if let Some((_, source)) = sets.filter_map(BTreeSet::first).find(is_alive) {
                return Some(*source);
            }
        }
        None
    }

    // The rules that an alert is a source of, with their family and whether it is a target too.
    fn source_roles(&self, roles: &Roles) -> Vec<(u32, u32, bool)> {
        let with_family = |rule: &u32| {
            let family = self.family_of_rule[*rule as usize];
            (*rule, family, roles.targets.binary_search(&family).is_ok())
        };
        roles.sources.iter().map(with_family).collect()
    }
}

impl Family {
    // The values of the `equal` labels; no byte of UTF-8 is 0xff.
    fn key(&self, labels: &Labels, key: &mut Vec<u8>) {
        key.clear();
        for name in &self.equal {
            key.extend_from_slice(labels.value(name).as_bytes());
            key.push(0xff);
        }
    }
}
