//! What a target says of its metrics: kind, unit and help.
//!
//! *Sources*: Prometheus, `scrape/scrape.go`, `scrapeCache`, as behaviour.

use std::collections::BTreeMap;

use firebell_wire::exposition::{Entry, MetricKind};

/// The metrics of a target by name.
#[derive(Default)]
pub(crate) struct Families(BTreeMap<Box<str>, Family>);

/// What a target says of a metric.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Family {
    /// Such as `counter`.
    pub kind: MetricKind,
    /// Such as `seconds`; empty when it does not say.
    pub unit: Box<str>,
    /// What it means; empty when it does not say.
    pub help: Box<str>,
    /// The scrape that last had it.
    seen: u64,
}

impl Families {
    /// Notes what a line says, at a scrape.
    pub(super) fn note(&mut self, entry: &Entry<'_, '_>, round: u64) {
        let metric = match entry {
            Entry::Sample(_) => return,
            Entry::Type { metric, .. }
            | Entry::Unit { metric, .. }
            | Entry::Help { metric, .. } => metric,
        };
        let Some(family) = self.at(metric, round) else {
            return;
        };
        match entry {
            Entry::Sample(_) => {}
            Entry::Type { kind, .. } => family.kind = *kind,
            Entry::Unit { unit, .. } => set(&mut family.unit, unit),
            Entry::Help { help, .. } => set(&mut family.help, help),
        }
    }

    /// The family of a name; `None` when it would be one too many.
    fn at(&mut self, metric: &str, round: u64) -> Option<&mut Family> {
        if !self.0.contains_key(metric) {
            if self.0.len() >= FAMILIES_MAX {
                return None;
            }
            self.0.insert(metric.into(), Family::default());
        }
        let family = self.0.get_mut(metric)?;
        family.seen = round;
        Some(family)
    }

    /// Forgets what was not said since a scrape.
    pub(super) fn forget_before(&mut self, round: u64) {
        self.0.retain(|_, family| family.seen >= round);
    }

    /// What is said of one metric, or of all when none is named.
    pub(crate) fn each(&self, name: Option<&str>, mut tell: impl FnMut(&str, &Family)) {
        match name {
            Some(name) => {
                if let Some(family) = self.0.get(name) {
                    tell(name, family);
                }
            }
            None => {
                let all = self.0.iter();
                all.for_each(|(name, family)| tell(name, family));
            }
        }
    }
}

fn set(text: &mut Box<str>, said: &str) {
    if **text != *said {
        *text = said.into();
    }
}

/// Metrics of a target of which is known what it says.
const FAMILIES_MAX: usize = 100_000;
