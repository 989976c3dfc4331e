//! The series that an anomaly rule watches, and what it has learned of each.
//!
//! *Invariants*: a series keeps its number while it is watched; records of later values name it by
//! that. A series that is not seen for as many evaluations as its window has values is forgotten.
//!
//! What was learned is saved every [`SAVED_EVERY`], and before it makes up more than a quarter of a
//! window. A series is saved at once when it turns odd or ceases to be, when it learns while it is odd,
//! and when what is expected of it has left what was expected when it was saved, give or take
//! [`DRIFT_MAX`]. Until a rule has caught up after a kill, a value turns odd only by [`SLACK`], so that
//! nobody is told of what is only odd because the last values are unknown.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use firebell_model::{Duration, Labels, Timestamp};

use crate::alerting::Step;
use crate::anomaly::digits::{Reader, Writer};
use crate::anomaly::saved::{VERSION, WatchedSeries};
use crate::anomaly::{AnomalyOptions, Detector, Expectation, Verdict, WINDOW_MAX};
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
    // When all was saved.
    saved_at: Option<Timestamp>,
    // After a kill: values may have been learned that are not known any more.
    is_behind: bool,
    // When that matters no longer.
    caught_up_at: Option<Timestamp>,
}

/// A watch as the core and its workers share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct SharedWatch(Arc<RwLock<Watch>>);

#[derive(Debug)]
pub(super) struct Series {
    labels: Labels,
    /// When its last value was judged.
    at: Timestamp,
    /// How many odd values came in a row.
    n_odd: usize,
    /// What was learned, oldest first.
    past: VecDeque<f64>,
    detector: Box<dyn Detector>,
    /// How many of the latest are in no [`RuleRecord::Learned`] yet.
    n_unsaved: usize,
    /// The last value that is, as who reads the records has it.
    saved_value: f64,
    /// What was expected when it was saved, and how far off a value may be.
    saved_band: Option<Expectation>,
    /// Whether anything was learned since it was saved, and whether that cannot wait.
    needs_saving: bool,
    is_urgent: bool,
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
    pub(super) fn new(
        labels: Labels,
        at: Timestamp,
        saved_value: f64,
        options: &AnomalyOptions,
    ) -> Self {
        Self {
            labels,
            at,
            n_odd: 0,
            past: VecDeque::new(),
            detector: options.detector.begin(),
            n_unsaved: 0,
            saved_value,
            saved_band: None,
            needs_saving: false,
            is_urgent: false,
        }
    }

    /// Takes a value of an evaluation.
    pub(super) fn observe(&mut self, seen: &Observed, at: Timestamp, options: &AnomalyOptions) {
        self.at = at;
        self.needs_saving = true;
        self.is_urgent |= seen.is_odd != (self.n_odd > 0);
        self.n_odd = if seen.is_odd { self.n_odd + 1 } else { 0 };
        // What is odd is not taken for usual until it has lasted.
        if seen.is_odd && self.n_odd <= options.window / 2 {
            return;
        }
        self.learn(seen.value, options.window);
        self.n_unsaved += 1;
        // What is odd already is judged without slack after a kill, by all that was learned.
        self.is_urgent |= seen.is_odd || self.n_unsaved * UNSAVED_DIVISOR >= options.window;
        self.is_urgent |= self.band(options).is_some_and(|now| {
            let saved = self.saved_band;
            !saved.is_some_and(|it| covers(it, now) && covers(now, it))
        });
    }

    /// What it expects; `None` while that is too little to judge by.
    fn expectation(&self, options: &AnomalyOptions) -> Option<Expectation> {
        let is_warm = self.past.len() >= options.warm_up.max(1);
        is_warm.then(|| self.detector.expect(&self.past))
    }

    /// Judges a value; `slack` is how many tolerances it has to be off.
    pub(super) fn judge(
        &self,
        value: f64,
        slack: f64,
        options: &AnomalyOptions,
    ) -> Option<Verdict> {
        let expectation = self.expectation(options)?;
        Some(Verdict::new(value, expectation, slack, options))
    }

    /// What it expects, and how far off a value may be; `None` while it judges none.
    fn band(&self, options: &AnomalyOptions) -> Option<Expectation> {
        let expectation = self.expectation(options)?;
        Some(Expectation {
            spread: expectation.tolerance(options),
            ..expectation
        })
    }

    /// Takes what was learned elsewhere.
    pub(super) fn relearn(&mut self, past: Vec<f64>, n_odd: usize, options: &AnomalyOptions) {
        self.past = past.into();
        self.n_odd = n_odd;
        self.rebuild(options);
    }

    /// Writes what was learned since the last time, and when, `now` at the latest.
    fn save(&mut self, now: Timestamp, options: &AnomalyOptions, out: &mut Writer) {
        out.number(self.n_odd);
        out.number(usize::try_from((now - self.at).0).unwrap_or(0));
        // Never more than there are: what is not saved is a part of the window.
        let n = self.n_unsaved.min(self.past.len());
        out.number(n);
        for value in self.past.range(self.past.len() - n..) {
            out.value(*value, &mut self.saved_value);
        }
        self.n_unsaved = 0;
        self.saved_band = self.band(options);
        (self.needs_saving, self.is_urgent) = (false, false);
    }

    /// Reads what [`Self::save`] has written, but for what it has already.
    fn restore_saved(&mut self, now: Timestamp, saved: &mut Reader<'_>) -> Option<()> {
        self.n_odd = saved.number()?;
        self.at = now - Duration(i64::try_from(saved.number()?).ok()?);
        let n = saved.number()?;
        let n_known = std::mem::take(&mut self.n_unsaved);
        for nth in 0..n {
            let value = saved.value(&mut self.saved_value)?;
            if nth >= n_known {
                self.learn(value, WINDOW_MAX);
            }
        }
        Some(())
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

    pub(super) fn record(&self, number: usize) -> WatchedSeries {
        let (mut past, mut before) = (Writer::default(), f64::NAN);
        for value in &self.past {
            past.value(*value, &mut before);
        }
        WatchedSeries {
            version: VERSION,
            number,
            series: self.labels.clone(),
            at: self.at,
            n_odd: self.n_odd,
            past: past.finish(),
            n_unsaved: self.n_unsaved,
            saved_value: self.saved_value,
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
        // What is odd already stays so by the same measure.
        let slack = match self.is_behind && series.n_odd == 0 {
            true => SLACK,
            false => 1.0,
        };
        series.judge(value, slack, &self.options)
    }

    /// Takes the values of an evaluation.
    pub(crate) fn observe(
        &mut self,
        observed: &[Observed],
        step: &Step<'_>,
        (rule, out): (&Arc<RuleKey>, &mut Outcome),
    ) {
        let options = self.options;
        for seen in observed {
            let number = self.number(seen, step.at, rule, out);
            let Some(Some(series)) = self.series.get_mut(number) else {
                continue;
            };
            // The clock may have been set back: no moment counts twice.
            if series.at < step.at || series.past.is_empty() {
                series.observe(seen, step.at, &options);
            }
        }
        self.forget_unseen(step, rule, out);
        // The journal may say that nothing more was learned, which is true no longer.
        let is_first = self.saved_at.is_none() && !self.is_empty();
        let is_due = self.saved_at.is_none_or(|at| step.at - at >= SAVED_EVERY);
        let saved = self.save(step.at, |series| is_due || series.is_urgent);
        if is_due {
            self.saved_at = Some(step.at);
        }
        if is_first || !saved.is_empty() {
            out.records
                .push(learned(rule, step.at, saved, /* is_all */ false));
        }
        if self.is_behind {
            let caught_up_at = *self.caught_up_at.get_or_insert(step.at + SAVED_EVERY);
            self.is_behind = step.at < caught_up_at;
        }
    }

    /// All that was learned and is not saved. Nothing follows but the end, or the next evaluation,
    /// which saves at once.
    pub(crate) fn settle(&mut self, rule: &Arc<RuleKey>) -> Option<RuleRecord> {
        let last = self.series.iter().flatten().map(|it| it.at).max()?;
        let saved = self.save(last, |_| true);
        self.saved_at = None;
        Some(learned(rule, last, saved, !self.is_behind))
    }

    /// Writes what of the series that `wanted` names is not saved.
    fn save(&mut self, now: Timestamp, wanted: impl Fn(&Series) -> bool) -> String {
        let (mut out, mut next) = (Writer::default(), 0);
        for (number, slot) in self.series.iter_mut().enumerate() {
            let Some(series) = slot.as_mut().filter(|it| it.needs_saving && wanted(it)) else {
                continue;
            };
            out.number(number - next);
            next = number + 1;
            series.save(now, &self.options, &mut out);
        }
        out.finish()
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
        let series = Series::new(seen.series.clone(), at, seen.value, &self.options);
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

    /// The rule may have other options now. What a shorter window would drop is saved before.
    pub(crate) fn configure(
        &mut self,
        options: AnomalyOptions,
        (rule, out): (&Arc<RuleKey>, &mut Outcome),
    ) {
        if self.options == options && !self.is_restored {
            return;
        }
        if !self.is_restored {
            let saved = self.settle(rule);
            out.records.extend(saved);
        }
        (self.options, self.is_restored) = (options, false);
        for series in self.series.iter_mut().flatten() {
            series.rebuild(&options);
            series.saved_band = series.band(&options);
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
        let Some(past) = watched.values().filter(|_| watched.number < WATCHED_MAX) else {
            return;
        };
        (self.is_restored, self.is_behind) = (true, true);
        let mut series = Series::new(
            watched.series,
            watched.at,
            watched.saved_value,
            &self.options,
        );
        (series.n_odd, series.n_unsaved) = (watched.n_odd, watched.n_unsaved);
        for value in past {
            series.learn(value, WINDOW_MAX);
        }
        self.put(watched.number, series);
    }

    /// Takes a record of what was learned. How long the window is, is known only later.
    pub(crate) fn restore_learned(&mut self, at: Timestamp, saved: &str, is_all: bool) {
        self.is_behind = !is_all;
        let (mut saved, mut next) = (Reader::new(saved), 0);
        while let Some(gap) = saved.number() {
            let number = gap.saturating_add(next);
            let Some(Some(series)) = self.series.get_mut(number) else {
                return;
            };
            if series.restore_saved(at, &mut saved).is_none() {
                return;
            }
            next = number + 1;
        }
    }

    pub(crate) fn restore_gone(&mut self, number: usize) {
        if let Some(gone) = self.series.get_mut(number).and_then(Option::take) {
            self.numbers.remove(&gone.labels);
        }
    }
}

fn learned(rule: &Arc<RuleKey>, at: Timestamp, series: String, is_all: bool) -> RuleRecord {
    RuleRecord::Learned {
        rule: rule.clone(),
        at,
        series,
        is_all,
    }
}

/// Whether values that one calls odd with [`DRIFT_MAX`] to spare are odd for the other.
fn covers(saved: Expectation, now: Expectation) -> bool {
    let tolerance = saved.spread * (1.0 + DRIFT_MAX);
    (saved.expected - now.expected).abs() + now.spread <= tolerance
}

/// A rule that finds more series is in error.
pub const WATCHED_MAX: usize = 10_000;

/// How often what was learned is saved: so much may be unlearned after a kill.
pub const SAVED_EVERY: Duration = Duration::from_mins(5);
/// And never more than this part of the window.
const UNSAVED_DIVISOR: usize = 4;
/// So much of the tolerance what is expected may move before it is saved, and the tolerance shrink: a
/// snapshot between two savings may be all that is known after a kill.
const DRIFT_MAX: f64 = 0.125;
/// How many tolerances a value has to be off after a kill: from what a snapshot knew to what was saved,
/// and from there to what was learned last.
const SLACK: f64 = (1.0 + DRIFT_MAX) * (1.0 + DRIFT_MAX);

#[cfg(test)]
mod tests;
