//! Exemplars: the newest of all series, up to a number of them.
//!
//! They are in memory only: a restart forgets them.
//!
//! *Sources*: Prometheus, `tsdb/exemplar.go`: what is refused, and that the oldest go first whichever
//! series they are of.

use std::collections::{BTreeMap, VecDeque};
use std::sync::PoisonError;

use firebell_model::{Exemplar, Labels, Matcher, TimeRange};

use crate::Store;
use crate::batch::{Batch, SeriesKey};

/// The exemplars of a store.
#[derive(Default)]
pub(crate) struct Exemplars {
    by_series: BTreeMap<Labels, VecDeque<Exemplar>>,
    /// Whose exemplar came when, oldest first.
    order: VecDeque<Labels>,
}

impl Exemplars {
    /// False when it is refused: its labels are too long, or it does not come after the newest one
    /// of its series. A repeated one is taken and not kept twice.
    pub(crate) fn push(&mut self, series: &Labels, exemplar: &Exemplar, n_max: usize) -> bool {
        let chars = |text: &str| text.chars().count();
        let labels = exemplar.labels.iter();
        let n_chars: usize = labels.map(|it| chars(&it.name) + chars(&it.value)).sum();
        if n_max == 0 || n_chars > LABELS_CHARS_MAX {
            return false;
        }
        if let Some(newest) = self.by_series.get(series).and_then(VecDeque::back) {
            if newest == exemplar {
                return true;
            }
            let is_before = (exemplar.at, exemplar.value) < (newest.at, newest.value);
            if is_before || exemplar.value.is_nan() && exemplar.at <= newest.at {
                return false;
            }
        }
        while self.order.len() >= n_max {
            self.drop_oldest();
        }
        self.order.push_back(series.clone());
        let own = self.by_series.entry(series.clone()).or_default();
        own.push_back(exemplar.clone());
        true
    }

    fn drop_oldest(&mut self) {
        let Some(series) = self.order.pop_front() else {
            return;
        };
        if let Some(own) = self.by_series.get_mut(&series) {
            own.pop_front();
            if own.is_empty() {
                self.by_series.remove(&series);
            }
        }
    }

    fn select(&self, selectors: &[Vec<Matcher>], range: TimeRange) -> Vec<(Labels, Vec<Exemplar>)> {
        let matches = |labels: &Labels| {
            let all = |matchers: &Vec<Matcher>| matchers.iter().all(|it| it.matches(labels));
            selectors.iter().any(all)
        };
        let found = self.by_series.iter().filter(|(labels, _)| matches(labels));
        let found = found.map(|(labels, own)| {
            let own = own.iter().filter(|it| range.contains(it.at));
            (labels.clone(), own.cloned().collect::<Vec<_>>())
        });
        found.filter(|(_, own)| !own.is_empty()).collect()
    }
}

impl Store {
    /// The exemplars in the range of all series that satisfy all matchers of one of the selectors, in
    /// order of labels and then of time.
    #[must_use]
    pub fn exemplars(
        &self,
        selectors: &[Vec<Matcher>],
        range: TimeRange,
    ) -> Vec<(Labels, Vec<Exemplar>)> {
        let exemplars = self.shared.exemplars.lock();
        let exemplars = exemplars.unwrap_or_else(PoisonError::into_inner);
        exemplars.select(selectors, range)
    }

    /// How many exemplars there are.
    #[must_use]
    pub fn n_exemplars(&self) -> u64 {
        let exemplars = self.shared.exemplars.lock();
        let exemplars = exemplars.unwrap_or_else(PoisonError::into_inner);
        exemplars.order.len() as u64
    }

    /// Takes the exemplars of a batch; returns how many were taken and how many refused.
    pub(crate) fn append_exemplars(&self, batch: &Batch) -> (u64, u64) {
        if batch.exemplars().is_empty() {
            return (0, 0);
        }
        let index = self.shared.index();
        let exemplars = self.shared.exemplars.lock();
        let mut exemplars = exemplars.unwrap_or_else(PoisonError::into_inner);
        let n_max = self.shared.options.exemplars_max;
        let is_taken = |(key, exemplar): &&(SeriesKey, Exemplar)| match key {
            SeriesKey::Labels(labels) => exemplars.push(labels, exemplar, n_max),
            SeriesKey::Id(id) => index
                .get(*id)
                .is_some_and(|cell| exemplars.push(&cell.labels, exemplar, n_max)),
        };
        let n_taken = batch.exemplars().iter().filter(is_taken).count();
        let n_refused = batch.exemplars().len() - n_taken;
        (n_taken as u64, n_refused as u64)
    }
}

/// Names and values of an exemplar's labels together, as OpenMetrics has it.
const LABELS_CHARS_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use firebell_model::Timestamp;

    use super::*;

    fn series(name: &str) -> Labels {
        Labels::from_pairs([("__name__", name)])
    }

    fn exemplar(at: i64, value: f64) -> Exemplar {
        Exemplar {
            labels: Labels::from_pairs([("trace_id", format!("t{at}"))]),
            value,
            at: Timestamp(at),
        }
    }

    #[test]
    fn the_oldest_go_and_what_is_late_is_refused() {
        let mut all = Exemplars::default();
        for (name, at, value, expected) in [
            ("a", 10, 1.0, true),
            ("b", 5, 1.0, true),
            ("a", 10, 1.0, true),
            ("a", 9, 1.0, false),
            ("a", 10, 0.5, false),
            ("a", 10, 2.0, true),
            ("b", 20, f64::NAN, true),
            ("b", 20, f64::NAN, false),
            ("b", 30, 3.0, true),
        ] {
            let taken = all.push(&series(name), &exemplar(at, value), 4);
            assert_eq!(taken, expected, "{name} {at} {value}");
        }
        let mut long = exemplar(99, 1.0);
        long.labels = Labels::from_pairs([("trace_id", "x".repeat(121))]);
        assert!(!all.push(&series("a"), &long, 4));
        let select = |matchers: Vec<Matcher>, after, until| {
            let (after, until) = (Timestamp(after), Timestamp(until));
            let found = all.select(&[matchers], TimeRange { after, until });
            let times = |own: Vec<Exemplar>| own.iter().map(|it| it.at.0).collect::<Vec<_>>();
            found
                .into_iter()
                .map(|(labels, own)| (labels.metric_name().to_owned(), times(own)))
                .collect::<Vec<_>>()
        };
        let both = vec![
            ("a".to_owned(), vec![10]),
            ("b".to_owned(), vec![5, 20, 30]),
        ];
        assert_eq!(select(vec![], 0, 99), both);
        let only_b = vec![("b".to_owned(), vec![20])];
        assert_eq!(select(vec![Matcher::equal("__name__", "b")], 5, 29), only_b);
    }
}
