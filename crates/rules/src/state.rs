//! What the core knows of each rule, and what an evaluation did to it.

use std::sync::Arc;

use firebell_model::{Alert, HistogramSample, Labels, STALE_NAN, Sample, SampleValue, Timestamp};

use crate::alert::{AlertInstance, AlertPhase, Cause, Handed};
use crate::anomaly::{SharedWatch, WatchedSeries, shared};
use crate::definition::{Context, Rule};
use crate::flapping::{Flap, Flaps};
use crate::policy::Mode;
use crate::record::{RuleKey, RuleRecord};
use crate::status::Status;
use crate::tally::Tally;

/// How the last evaluation of a rule went.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Health {
    /// There was none since the start.
    #[default]
    Unknown,
    /// Well.
    Ok,
    /// It failed; [`crate::RuleView::last_error`] says why.
    Err,
}

/// One rule's state.
#[derive(Debug)]
pub(crate) struct RuleState {
    pub(crate) key: Arc<RuleKey>,
    pub(crate) generator_url: Arc<str>,
    /// How many rules before it in the group have the same name.
    pub(crate) nth_of_name: usize,
    /// Evaluations until an imported Prometheus has been asked since when alerts are active; no
    /// series of alerts are written before.
    pub(crate) n_before_migration: u8,
    /// How often one of its alerts began to fire.
    pub(crate) n_fired: u64,
    /// In order of labels.
    pub(crate) alerts: Vec<AlertInstance>,
    /// Alerts about the rule rather than by it, in order of labels.
    pub(crate) reports: Vec<AlertInstance>,
    /// Which label sets changed lately, where flapping is looked for.
    pub(crate) flaps: Flaps,
    /// What an anomaly rule has learned.
    pub(crate) watch: Option<SharedWatch>,
    /// What the last evaluation wrote, in order of labels. For an alerting rule only series that
    /// its alerts do not account for, because they were dropped by the limit.
    pub(crate) series: Vec<Labels>,
}

/// What a step of the core did.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) writes: Vec<(Labels, Sample)>,
    pub(crate) histograms: Vec<(Labels, HistogramSample)>,
    pub(crate) alerts: Vec<Alert>,
    /// For Alertmanagers elsewhere.
    pub(crate) sends: Vec<Alert>,
    pub(crate) records: Vec<RuleRecord>,
}

impl RuleState {
    pub(crate) fn new(key: Arc<RuleKey>) -> Self {
        Self {
            key,
            generator_url: Arc::from(""),
            nth_of_name: 0,
            n_before_migration: 0,
            n_fired: 0,
            alerts: Vec::new(),
            reports: Vec::new(),
            flaps: Flaps::default(),
            watch: None,
            series: Vec::new(),
        }
    }

    /// Whether there is nothing to keep.
    pub(crate) fn is_blank(&self) -> bool {
        let is_quiet = self.alerts.is_empty() && self.reports.is_empty();
        let has_learned = || self.watch.as_ref().is_some_and(|it| !it.read().is_empty());
        is_quiet && self.series.is_empty() && self.flaps.is_empty() && !has_learned()
    }

    /// Whether an evaluation that found nothing changes nothing, but when it was; then the rule asks
    /// for nothing either. Of a rule that did not fail.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.n_before_migration == 0 && self.watch.is_none() && self.is_blank()
    }

    /// The rule has moved: its records go along.
    pub(crate) fn rename(&mut self, key: Arc<RuleKey>, out: &mut Outcome) {
        for alert in self.all_alerts() {
            out.records.push(RuleRecord::AlertGone {
                rule: self.key.clone(),
                labels: alert.labels.clone(),
                cause: alert.cause,
            });
        }
        self.records_of_keys(true, &mut out.records);
        self.record_series(Vec::new(), self.series.clone(), out);
        self.key = key;
        self.records(&mut out.records);
    }

    /// The rule is gone: what fires is resolved, and what it wrote ends.
    ///
    /// Upstream just stops sending and lets the alerts run out; here nothing runs out by itself.
    pub(crate) fn retire(mut self, now: Timestamp, out: &mut Outcome) {
        self.records_of_keys(true, &mut out.records);
        let alerts = std::mem::take(&mut self.alerts).into_iter();
        for mut alert in alerts.chain(std::mem::take(&mut self.reports)) {
            if let Some(series) = alert.written.take() {
                out.end_series(series, now);
            }
            if let Some(fired_at) = alert.firing_since() {
                out.withdraw(&mut alert, fired_at, now, now);
            }
            out.records.push(RuleRecord::AlertGone {
                rule: self.key.clone(),
                labels: alert.labels,
                cause: alert.cause,
            });
        }
        out.end_series(self.series.iter().cloned(), now);
        self.record_series(Vec::new(), self.series.clone(), out);
    }

    /// External labels, relabelling, links or whether people are told may have changed: dispatch is
    /// told what fires as it is now.
    pub(crate) fn readdress(
        &mut self,
        rule: &Rule,
        context: &Context,
        now: Timestamp,
        out: &mut Outcome,
    ) {
        let is_live = rule.mode() == Mode::Live;
        for alert in self.alerts.iter_mut().chain(&mut self.reports) {
            let Some(fired_at) = alert.firing_since() else {
                continue;
            };
            let outgoing = is_live.then(|| context.outgoing(&alert.labels)).flatten();
            let wanted = outgoing.map(|labels| Handed {
                labels,
                generator_url: self.generator_url.clone(),
            });
            if alert.handed == wanted {
                continue;
            }
            let labels_of = |handed: &Option<Handed>| handed.as_ref().map(|it| it.labels.clone());
            if labels_of(&alert.handed) != labels_of(&wanted) {
                out.withdraw(alert, fired_at, now, now);
            }
            alert.handed = wanted;
            out.tell(alert, fired_at, None, now);
            out.records.push(RuleRecord::Alert {
                rule: self.key.clone(),
                alert: alert.clone(),
            });
        }
    }

    /// Takes a part of the state from before a restart.
    pub(crate) fn restore_alert(&mut self, mut alert: AlertInstance) {
        // An active alert's series were written by the evaluation that made it what it is.
        alert.written = alert.series();
        let alerts = self.list_of(alert.cause);
        match find(alerts, &alert.labels) {
            Ok(idx) => alerts[idx] = alert,
            Err(idx) => alerts.insert(idx, alert),
        }
    }

    pub(crate) fn forget_alert(&mut self, labels: &Labels, cause: Cause) {
        let alerts = self.list_of(cause);
        if let Ok(idx) = find(alerts, labels) {
            alerts.remove(idx);
        }
    }

    /// What own keys have to remember.
    fn records_of_keys(&self, is_gone: bool, out: &mut Vec<RuleRecord>) {
        out.extend(self.flaps.records(&self.key, is_gone));
        if let Some(watch) = &self.watch {
            out.extend(watch.read().records(&self.key, is_gone));
        }
    }

    /// Begins, changes or ends what an anomaly rule learns.
    pub(crate) fn configure_watch(&mut self, rule: &Rule, out: &mut Outcome) {
        let options = rule.as_alerting().and_then(|rule| rule.policy.anomaly);
        match options {
            Some(options) => {
                let watch = self.watch().clone();
                watch.write().configure(options, (&self.key, out));
            }
            None => {
                if let Some(watch) = self.watch.take() {
                    out.records.extend(watch.read().records(&self.key, true));
                }
            }
        }
    }

    fn watch(&mut self) -> &SharedWatch {
        self.watch.get_or_insert_with(shared)
    }

    /// Takes a record of what an anomaly rule has learned.
    pub(crate) fn restore_watched(&mut self, watched: WatchedSeries) {
        self.watch().write().restore(watched);
    }

    pub(crate) fn restore_learned(&mut self, at: Timestamp, series: &str, is_all: bool) {
        self.watch().write().restore_learned(at, series, is_all);
    }

    /// What has to be written down before the end.
    pub(crate) fn settle(&self) -> Option<RuleRecord> {
        self.watch.as_ref()?.write().settle(&self.key)
    }

    pub(crate) fn restore_unwatched(&mut self, number: usize) {
        self.watch().write().restore_gone(number);
    }

    pub(crate) fn restore_flap(&mut self, labels: Labels, flap: Option<Flap>) {
        self.flaps.restore(labels, flap);
    }

    fn list_of(&mut self, cause: Cause) -> &mut Vec<AlertInstance> {
        match cause {
            Cause::Condition => &mut self.alerts,
            Cause::NoData | Cause::Error | Cause::Failing => &mut self.reports,
        }
    }

    /// What the rule, which this is the state of, adds to its group's tally.
    pub(crate) fn tally(&self, rule: &Rule, status: &Status) -> Tally {
        let n = |is: fn(&&AlertInstance) -> bool| self.alerts.iter().filter(is).count();
        Tally {
            n_pending: n(|alert| alert.phase == AlertPhase::Pending),
            n_flapping: n(|alert| alert.is_flapping),
            n_failing: usize::from(status.last_error.is_some()),
            n_shadow_fired: if rule.mode() == Mode::Shadow {
                self.n_fired
            } else {
                0
            },
        }
    }

    /// Its alerts, and those about it.
    pub(crate) fn all_alerts(&self) -> impl Iterator<Item = &AlertInstance> {
        self.alerts.iter().chain(&self.reports)
    }

    pub(crate) fn restore_series(&mut self, added: Vec<Labels>, removed: &[Labels]) {
        self.series
            .retain(|series| removed.binary_search(series).is_err());
        self.series.extend(added);
        self.series.sort();
        self.series.dedup();
    }

    /// Both lists are in order of labels.
    pub(crate) fn record_series(
        &self,
        added: Vec<Labels>,
        removed: Vec<Labels>,
        out: &mut Outcome,
    ) {
        if !added.is_empty() || !removed.is_empty() {
            out.records.push(RuleRecord::Series {
                rule: self.key.clone(),
                added,
                removed,
            });
        }
    }

    /// The whole state, as records.
    pub(crate) fn records(&self, out: &mut Vec<RuleRecord>) {
        out.extend(self.all_alerts().map(|alert| RuleRecord::Alert {
            rule: self.key.clone(),
            alert: alert.clone(),
        }));
        self.records_of_keys(false, out);
        if !self.series.is_empty() {
            out.push(RuleRecord::Series {
                rule: self.key.clone(),
                added: self.series.clone(),
                removed: Vec::new(),
            });
        }
    }
}

fn find(alerts: &[AlertInstance], labels: &Labels) -> Result<usize, usize> {
    alerts.binary_search_by(|alert| alert.labels.cmp(labels))
}

impl Outcome {
    /// How many samples are written.
    pub(crate) fn n_samples(&self) -> u64 {
        (self.writes.len() + self.histograms.len()) as u64
    }

    pub(crate) fn write(&mut self, series: Labels, at: Timestamp, value: f64) {
        self.writes.push((series, Sample { at, value }));
    }

    /// Writes what a recording rule found.
    pub(crate) fn record(&mut self, series: Labels, at: Timestamp, value: SampleValue) {
        match value {
            SampleValue::Float(value) => self.write(series, at, value),
            SampleValue::Histogram(histogram) => {
                let sample = HistogramSample { at, histogram };
                self.histograms.push((series, sample));
            }
        }
    }

    pub(crate) fn end_series(&mut self, series: impl IntoIterator<Item = Labels>, at: Timestamp) {
        for series in series {
            self.write(series, at, STALE_NAN);
        }
    }

    /// Tells dispatch of an alert that it knows; `ends_at` is `None` while it fires.
    pub(crate) fn tell(
        &mut self,
        alert: &AlertInstance,
        starts_at: Timestamp,
        ends_at: Option<Timestamp>,
        now: Timestamp,
    ) {
        let Some(handed) = &alert.handed else {
            return;
        };
        self.alerts.push(Alert {
            labels: handed.labels.clone(),
            annotations: alert.annotations.clone(),
            starts_at,
            ends_at,
            generator_url: handed.generator_url.to_string(),
            updated_at: now,
            is_timeout: false,
        });
    }

    /// Tells dispatch that an alert ends, if it knows of it.
    pub(crate) fn withdraw(
        &mut self,
        alert: &mut AlertInstance,
        starts_at: Timestamp,
        ends_at: Timestamp,
        now: Timestamp,
    ) {
        self.tell(alert, starts_at, Some(ends_at), now);
        alert.handed = None;
    }
}
