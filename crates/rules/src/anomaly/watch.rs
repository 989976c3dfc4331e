//! The series that an anomaly rule watches, and what it has learned of each.
//!
//! *Invariants*: a series keeps its number while it is watched; records of later values name it by
//! that. A series that is not seen for as many evaluations as its window has values is forgotten.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use firebell_model::{Labels, Timestamp};
use serde::{Deserialize, Serialize};

use crate::alerting::Step;
use crate::anomaly::{AnomalyOptions, Detector, Verdict, WINDOW_MAX};
use crate::record::{RuleKey, RuleRecord};
use crate::state::Outcome;

/// One value of an evaluation, as it was judged.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Observed {
    pub(crate) series: Labels,
    /// Finite.
    pub(crate) value: f64,
    pub(crate) is_odd: bool,
}

/// What a rule has learned. The worker judges by it, the core teaches it; they never do so at the
/// same time, since a rule has one evaluation under way.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    numbers: BTreeMap<Labels, usize>,
    // By number.
    series: Vec<Option<Series>>,
    options: AnomalyOptions,
    // What is restored may reach back further than the options want.
    is_restored: bool,
}

/// A watch as the core and its workers share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedWatch(Arc<RwLock<Watch>>);

#[derive(Debug)]
struct Series {
    labels: Labels,
    /// When its last value was judged.
    at: Timestamp,
    /// How many odd values came in a row.
    n_odd: usize,
    /// What was learned, oldest first.
    past: VecDeque<f64>,
    detector: Box<dyn Detector>,
}

/// A series as records have it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct WatchedSeries {
    /// Of the state's form; another is not taken.
    pub(crate) version: u32,
    pub(crate) number: usize,
    pub(crate) series: Labels,
    pub(crate) at: Timestamp,
    pub(crate) n_odd: usize,
    #[serde(with = "crate::record::float_list")]
    pub(crate) past: Vec<f64>,
}

pub(crate) fn shared() -> SharedWatch {
    SharedWatch::default()
}

impl SharedWatch {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Watch> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, Watch> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Series {
    fn new(labels: Labels, at: Timestamp, options: &AnomalyOptions) -> Self {
        Self {
            labels,
            at,
            n_odd: 0,
            past: VecDeque::new(),
            detector: options.detector.begin(),
        }
    }

    fn learn(&mut self, value: f64, window: usize) {
        let forgotten = match self.past.len() >= window {
            true => self.past.pop_front(),
            false => None,
        };
        self.past.push_back(value);
        self.detector.learn(value, forgotten);
    }

    /// Learns anew what is in the window.
    fn rebuild(&mut self, options: &AnomalyOptions) {
        self.detector = options.detector.begin();
        let past = std::mem::take(&mut self.past);
        let n_over = past.len().saturating_sub(options.window);
        for value in past.into_iter().skip(n_over) {
            self.learn(value, options.window);
        }
    }

    fn record(&self, number: usize) -> WatchedSeries {
        WatchedSeries {
            version: VERSION,
            number,
            series: self.labels.clone(),
            at: self.at,
            n_odd: self.n_odd,
            past: self.past.iter().copied().collect(),
        }
    }
}

impl Watch {
    pub(crate) fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    /// Judges a value by what its series has shown. `None` while that is too little.
    pub(crate) fn judge(&self, series: &Labels, value: f64) -> Option<Verdict> {
        let number = self.numbers.get(series)?;
        let series = self.series.get(*number)?.as_ref()?;
        if series.past.len() < self.options.warm_up.max(1) {
            return None;
        }
        let expectation = series.detector.expect(&series.past);
        Some(Verdict::new(value, expectation, &self.options))
    }

    /// Takes the values of an evaluation.
    pub(crate) fn observe(
        &mut self,
        observed: &[Observed],
        step: &Step<'_>,
        (rule, out): (&Arc<RuleKey>, &mut Outcome),
    ) {
        let window = self.options.window;
        let (mut odd, mut learned) = (Vec::new(), Vec::new());
        for seen in observed {
            let number = self.number(seen, step.at, rule, out);
            let Some(Some(series)) = self.series.get_mut(number) else {
                continue;
            };
            // The clock may have been set back: no moment counts twice.
            if series.at >= step.at && !series.past.is_empty() {
                continue;
            }
            series.at = step.at;
            series.n_odd = if seen.is_odd { series.n_odd + 1 } else { 0 };
            // What is odd is not taken for usual until it has lasted.
            if !seen.is_odd || series.n_odd > window / 2 {
                series.learn(seen.value, window);
                learned.push((number, seen.value));
            }
            if seen.is_odd {
                odd.push(number);
            }
        }
        odd.sort_unstable();
        if !odd.is_empty() || !learned.is_empty() {
            out.records.push(RuleRecord::Learned {
                rule: rule.clone(),
                at: step.at,
                numbers: learned.iter().map(|(number, _)| *number).collect(),
                values: learned.into_iter().map(|(_, value)| value).collect(),
                odd,
            });
        }
        self.forget_unseen(step, rule, out);
    }

    /// The number of a series, which is watched from now on.
    fn number(
        &mut self,
        seen: &Observed,
        at: Timestamp,
        rule: &Arc<RuleKey>,
        out: &mut Outcome,
    ) -> usize {
        if let Some(number) = self.numbers.get(&seen.series) {
            return *number;
        }
        let series = Series::new(seen.series.clone(), at, &self.options);
        let is_full = self.numbers.len() == self.series.len();
        let free = || self.series.iter().position(Option::is_none);
        let free = if is_full { None } else { free() };
        let number = free.unwrap_or(self.series.len());
        out.records.push(RuleRecord::Watched {
            rule: rule.clone(),
            watched: series.record(number),
        });
        self.put(number, series);
        number
    }

    fn put(&mut self, number: usize, series: Series) {
        if self.series.len() <= number {
            self.series.resize_with(number + 1, || None);
        }
        self.numbers.insert(series.labels.clone(), number);
        self.series[number] = Some(series);
    }

    fn forget_unseen(&mut self, step: &Step<'_>, rule: &Arc<RuleKey>, out: &mut Outcome) {
        let kept_for = step.interval * i64::try_from(self.options.window).unwrap_or(i64::MAX);
        for (number, slot) in self.series.iter_mut().enumerate() {
            let Some(gone) = slot.take_if(|it| step.at - it.at > kept_for) else {
                continue;
            };
            self.numbers.remove(&gone.labels);
            let rule = rule.clone();
            out.records.push(RuleRecord::Unwatched { rule, number });
        }
    }

    /// The rule may have other options now.
    pub(crate) fn configure(&mut self, options: AnomalyOptions) {
        if self.options == options && !self.is_restored {
            return;
        }
        (self.options, self.is_restored) = (options, false);
        for series in self.series.iter_mut().flatten() {
            series.rebuild(&options);
        }
    }

    /// The whole state, as records; as gone ones where the rule itself is gone.
    pub(crate) fn records(&self, rule: &Arc<RuleKey>, is_gone: bool) -> Vec<RuleRecord> {
        let series = self.series.iter().enumerate();
        let series = series.filter_map(|(number, series)| Some((number, series.as_ref()?)));
        let record = |(number, series): (usize, &Series)| match is_gone {
            true => RuleRecord::Unwatched {
                rule: rule.clone(),
                number,
            },
            false => RuleRecord::Watched {
                rule: rule.clone(),
                watched: series.record(number),
            },
        };
        series.map(record).collect()
    }

    /// Takes a record of a series.
    pub(crate) fn restore(&mut self, watched: WatchedSeries) {
        let is_sound = watched.version == VERSION && watched.number < WATCHED_MAX;
        if !is_sound {
            return;
        }
        self.is_restored = true;
        let mut series = Series::new(watched.series, watched.at, &self.options);
        series.n_odd = watched.n_odd;
        for value in watched.past {
            series.learn(value, WINDOW_MAX);
        }
        self.put(watched.number, series);
    }

    /// Takes a record of what was learned. How long the window is, is known only later.
    pub(crate) fn restore_learned(
        &mut self,
        at: Timestamp,
        learned: impl Iterator<Item = (usize, f64)>,
        odd: &[usize],
    ) {
        for number in odd {
            if let Some(Some(series)) = self.series.get_mut(*number) {
                series.at = at;
            }
        }
        for (number, value) in learned {
            if let Some(Some(series)) = self.series.get_mut(number) {
                series.at = at;
                series.learn(value, WINDOW_MAX);
                if odd.binary_search(&number).is_err() {
                    series.n_odd = 0;
                }
            }
        }
        for number in odd {
            if let Some(Some(series)) = self.series.get_mut(*number) {
                series.n_odd += 1;
            }
        }
    }

    pub(crate) fn restore_gone(&mut self, number: usize) {
        if let Some(gone) = self.series.get_mut(number).and_then(Option::take) {
            self.numbers.remove(&gone.labels);
        }
    }
}

/// A rule that finds more series is in error.
pub const WATCHED_MAX: usize = 10_000;

/// The form of [`WatchedSeries`].
const VERSION: u32 = 1;
