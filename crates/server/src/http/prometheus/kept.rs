//! Plans of queries that have been asked: a dashboard asks the same again and again, and what is
//! bound for the one answer serves the next.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use firebell_model::{Duration, Timestamp};
use firebell_promql::{Features, Prepared};

/// How many plans are kept.
const PLANS_MAX: usize = 256;
/// How many label sets they may have bound, together.
const BOUND_MAX: usize = 400_000;
/// The longest query whose plan is kept, in bytes.
const QUERY_BYTES_MAX: usize = 16 << 10;

/// A query, and the settings that its binding depends on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Key {
    pub query: String,
    pub features: Features,
    pub delays_name_removal: bool,
    pub has_type_labels: bool,
    pub series_max: usize,
    /// From the first moment to the last. What is bound for a long time holds more series than a
    /// short one needs.
    pub length: Duration,
    /// The day of the first moment, for the same reason.
    pub day: i64,
}

impl Key {
    /// The day of a moment.
    pub(super) fn day(at: Timestamp) -> i64 {
        at.0.div_euclid(Duration::from_hours(24).0)
    }
}

/// Plans that nobody uses just now, the latest used first.
pub(crate) struct KeptPlans {
    kept: Mutex<VecDeque<(Key, Prepared)>>,
    bound_max: usize,
}

impl Default for KeptPlans {
    fn default() -> Self {
        Self::new(BOUND_MAX)
    }
}

impl KeptPlans {
    fn new(bound_max: usize) -> Self {
        Self {
            kept: Mutex::default(),
            bound_max,
        }
    }

    /// Hands out the plan of a query, which is nobody else's until it comes back.
    pub(super) fn take(&self, key: &Key) -> Option<Prepared> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let idx = kept.iter().position(|(it, _)| it == key)?;
        kept.remove(idx).map(|(_, prepared)| prepared)
    }

    /// Takes a plan back. Those that have waited longest make room, and a plan that needs too much
    /// of it is dropped.
    pub(super) fn keep(&self, key: Key, mut prepared: Prepared) {
        prepared.rest();
        let mut room = self.bound_max;
        let mut fits = |prepared: &Prepared| match room.checked_sub(prepared.n_bound()) {
            Some(rest) => {
                room = rest;
                true
            }
            None => false,
        };
        let is_large = key.query.len() > QUERY_BYTES_MAX || prepared.n_bound() > self.bound_max / 4;
        if is_large || !fits(&prepared) {
            return;
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Of two who asked the same at once, one plan is enough.
        kept.retain(|(it, _)| *it != key);
        kept.truncate(PLANS_MAX - 1);
        let n_fitting = kept.iter().take_while(|(_, it)| fits(it)).count();
        kept.truncate(n_fitting);
        kept.push_front((key, prepared));
    }
}

#[cfg(test)]
mod tests {
    use firebell_model::{Labels, Sample};
    use firebell_promql::{MemorySource, Options, Plan, Value};

    use super::*;

    fn key(query: &str) -> Key {
        Key {
            query: query.to_owned(),
            features: Features::default(),
            delays_name_removal: false,
            has_type_labels: false,
            series_max: usize::MAX,
            length: Duration::ZERO,
            day: 0,
        }
    }

    fn bound(query: &str, source: &MemorySource) -> Prepared {
        let mut prepared = Prepared::new(Plan::new(query).expect("a query"));
        prepared
            .instant(source, Timestamp(1_000), &Options::default())
            .expect("a value");
        prepared
    }

    fn source(n: usize) -> MemorySource {
        let mut source = MemorySource::new();
        (0..n).for_each(|idx| append(&mut source, idx));
        source
    }

    fn append(source: &mut MemorySource, idx: usize) {
        let labels = [("__name__", "x".to_owned()), ("i", idx.to_string())];
        let at = Timestamp(1_000);
        source.append(&Labels::from_pairs(labels), [Sample { at, value: 1.0 }]);
    }

    #[test]
    fn a_plan_is_kept_bound_and_has_one_user() {
        let (kept, source) = (KeptPlans::default(), source(10));
        assert!(kept.take(&key("rate(x[5m])")).is_none());
        kept.keep(key("rate(x[5m])"), bound("rate(x[5m])", &source));
        let prepared = kept.take(&key("rate(x[5m])")).expect("kept");
        assert!((10..100).contains(&prepared.n_bound()));
        assert!(kept.take(&key("rate(x[5m])")).is_none());
        kept.keep(key("x"), prepared);
        let mut other = key("x");
        other.delays_name_removal = true;
        assert!(kept.take(&other).is_none());
        assert!(kept.take(&key("x")).is_some());
    }

    #[test]
    fn a_kept_plan_sees_what_has_come_and_gone_meanwhile() {
        let (kept, mut source) = (KeptPlans::default(), source(2));
        kept.keep(key("count(x)"), bound("count(x)", &source));
        append(&mut source, 2);
        let mut prepared = kept.take(&key("count(x)")).expect("kept");
        let mut count = |source: &MemorySource| {
            let value = prepared.instant(source, Timestamp(1_000), &Options::default());
            let Ok(Value::Vector(samples)) = value else {
                panic!("no vector");
            };
            samples
                .iter()
                .map(|it| format!("{:?}", it.value))
                .collect::<Vec<_>>()
        };
        assert_eq!(count(&source), ["Float(3.0)"]);
        source.remove(&Labels::from_pairs([("__name__", "x"), ("i", "0")]));
        assert_eq!(count(&source), ["Float(2.0)"]);
    }

    #[test]
    fn who_has_waited_longest_makes_room() {
        let source = source(10);
        let n_bound = bound("-x", &source).n_bound();
        let n_fitting = 5;
        let kept = KeptPlans::new(n_bound * n_fitting);
        for idx in 0..=n_fitting {
            let query = format!("-x # {idx}");
            kept.keep(key(&query), bound(&query, &source));
        }
        assert!(kept.take(&key("-x # 0")).is_none());
        assert!(kept.take(&key("-x # 1")).is_some());
        let large = "- - - - - - - x + x + x + x + x";
        kept.keep(key(large), bound(large, &source));
        assert!(kept.take(&key(large)).is_none(), "it needs too much");
        let long = format!("1 # {}", "x".repeat(QUERY_BYTES_MAX));
        kept.keep(key(&long), bound(&long, &source));
        assert!(kept.take(&key(&long)).is_none(), "it is too long");
        for idx in 0..2 * PLANS_MAX {
            let query = idx.to_string();
            kept.keep(key(&query), bound(&query, &source));
        }
        assert!(kept.take(&key(&(PLANS_MAX - 1).to_string())).is_none());
        assert!(kept.take(&key(&PLANS_MAX.to_string())).is_some());
    }
}
