//! What a target says of its metrics: kind, unit and help.
//!
//! *Sources*: Prometheus, `scrape/scrape.go`, `scrapeCache`, as behaviour.

use std::collections::BTreeMap;

use firebell_model::{Metadata, MetricKind};

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
    /// Whether the store was told.
    is_told: bool,
    /// The scrape that last had it.
    seen: u64,
}

impl Families {
    /// Notes what is said of a metric at a scrape; says whether that is news. It is not when there
    /// are too many metrics.
    pub(super) fn note(&mut self, metric: &str, said: &Metadata, round: u64) -> bool {
        let Some(family) = self.at(metric, round) else {
            return false;
        };
        let Metadata { kind, help, unit } = said;
        let is_known = family.kind == *kind && *family.help == **help && *family.unit == **unit;
        if is_known && family.is_told {
            return false;
        }
        (family.kind, family.is_told) = (*kind, true);
        (family.help, family.unit) = ((&**help).into(), (&**unit).into());
        true
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

/// Metrics of a target of which is known what it says.
const FAMILIES_MAX: usize = 100_000;
