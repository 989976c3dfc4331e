//! A check: a function of an application whose answers become alerts, as evaluations of a rule do.
//!
//! Whoever runs the function hands in what came of it ([`Check::observe`]); what people have to hear
//! comes out as [`CheckNews`]. An alert lives as that of a rule ([`AlertInstance`]): pending for
//! `hold_for`, firing, held until it is clear, resolved.
//!
//! *Invariants*: a check that is broken neither ends nor begins its alert: that is an alert of its
//! own, by the label [`REASON`]. Nobody hears of an alert again within its cooldown, unless it is
//! worse; what was muted and still fires when the cooldown is over is told then. Whoever heard that
//! an alert fires hears that it is resolved, and nobody else does. Time never goes back.
//!
//! *Limits*: one answer has at most [`PROBLEMS_MAX`] problems, and [`COOLDOWNS_MAX`] cooldowns are
//! remembered; of more, the oldest is forgotten.

mod options;

use std::collections::BTreeMap;

use firebell_model::{Labels, SampleValue, Timestamp};
use serde::{Deserialize, Serialize};

use crate::alert::{AlertInstance, AlertPhase, Cause, Hold, Timing};
use crate::evaluate::RuleSample;

pub use self::options::{Bound, CheckOptions, CheckOptionsError, Edge, OnNoData, Rank};

/// A check and its alerts.
#[derive(Debug)]
pub struct Check {
    options: CheckOptions,
    state: State,
}

/// What a check has to remember over a restart.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
struct State {
    now: Timestamp,
    alerts: Vec<CheckAlert>,
    /// When people were last told of an alert, by its labels, and how bad it was then.
    #[serde(with = "pairs")]
    cooldowns: BTreeMap<Labels, (Timestamp, Rank)>,
}

/// What came of running the function.
#[derive(Clone, PartialEq, Debug)]
pub enum CheckAnswer {
    /// Nothing is wrong.
    Well,
    /// These are.
    Problems(Vec<Problem>),
    /// A number, to be held against the bound.
    Number(f64),
    /// It does not know.
    NoData,
    /// It gave none.
    Broken(Breakage),
}

/// Something that is wrong.
#[derive(Clone, PartialEq, Debug)]
pub struct Problem {
    /// What tells it from others of the same check.
    pub labels: Labels,
    /// How much; NaN when there is no number.
    pub value: f64,
    /// How bad it is, where that is not as the check has it.
    pub severity: Option<Rank>,
}

/// Why there is no answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Breakage {
    /// The function raised, or answered what no check can.
    Raised,
    /// It took too long.
    TimedOut,
}

/// An alert of a check.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct CheckAlert {
    /// How far it has come.
    pub alert: AlertInstance,
    /// How bad it is.
    pub severity: Rank,
    /// How bad it was when people were told, if they know that it fires.
    pub told: Option<Rank>,
}

/// What people have to hear.
#[derive(Clone, PartialEq, Debug)]
pub struct CheckNews {
    /// What happened.
    pub kind: NewsKind,
    /// To which alert.
    pub alert: CheckAlert,
}

/// What happened to an alert that people have to hear of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NewsKind {
    /// It fires.
    Fired,
    /// It got worse.
    Rose,
    /// It fires on.
    Repeated,
    /// It is over.
    Resolved,
}

impl NewsKind {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::Rose => "rose",
            Self::Repeated => "repeated",
            Self::Resolved => "resolved",
        }
    }
}

impl Breakage {
    /// The value of [`REASON`] of its alert.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Raised => "check_raised",
            Self::TimedOut => "check_timeout",
        }
    }
}

impl Check {
    /// A check that was never run.
    #[must_use]
    pub fn new(options: CheckOptions) -> Self {
        let state = State::default();
        Self { options, state }
    }

    /// What [`Check::restore`] takes.
    #[must_use]
    pub fn saved(&self) -> impl Serialize + '_ {
        &self.state
    }

    /// Goes on where another check of the same name has stopped.
    ///
    /// # Errors
    /// When it is not what [`Check::saved`] gave; nothing has changed then.
    pub fn restore<'d, D: serde::Deserializer<'d>>(&mut self, saved: D) -> Result<(), D::Error> {
        self.state = State::deserialize(saved)?;
        Ok(())
    }

    /// Its alerts that are pending or firing, in order of labels.
    #[must_use]
    pub fn alerts(&self) -> &[CheckAlert] {
        &self.state.alerts
    }

    /// Takes what came of running the function at a moment.
    pub fn observe(&mut self, at: Timestamp, answer: CheckAnswer, out: &mut Vec<CheckNews>) {
        let at = at.max(self.state.now);
        self.state.now = at;
        let (found, rest) = self.judge(answer);
        let before = std::mem::take(&mut self.state.alerts);
        let mut found: BTreeMap<Labels, Problem> = found
            .into_iter()
            .take(PROBLEMS_MAX)
            .map(|it| (it.labels.clone(), it))
            .collect();
        let mut after = Vec::with_capacity(before.len().max(found.len()));
        for alert in before {
            let problem = found.remove(&alert.alert.labels);
            after.push(self.carry_on(alert, problem, &rest));
        }
        after.extend(found.into_values().map(|it| Some(self.begin(it))));
        for mut alert in after.into_iter().flatten() {
            self.tell(&mut alert, out);
            if alert.alert.is_active() {
                self.state.alerts.push(alert);
            }
        }
        self.state
            .alerts
            .sort_by(|a, b| a.alert.labels.cmp(&b.alert.labels));
        self.forget_cooldowns();
    }

    /// What is wrong by an answer, and what that says of everything else.
    fn judge(&self, answer: CheckAnswer) -> (Vec<Problem>, Rest) {
        let options = &self.options;
        let own = |reason: &str, severity| Problem {
            labels: Labels::from_pairs([(REASON, reason)]),
            value: f64::NAN,
            severity: Some(severity),
        };
        match answer {
            CheckAnswer::Well => (Vec::new(), Rest::Ends),
            CheckAnswer::Problems(found) => (found, Rest::Ends),
            CheckAnswer::Number(value) => match options.bound {
                _ if value.is_nan() => self.judge(CheckAnswer::Broken(Breakage::Raised)),
                None => self.judge(CheckAnswer::Broken(Breakage::Raised)),
                Some(bound) if bound.is_past(value) => {
                    let (labels, severity) = (Labels::empty(), None);
                    let problem = Problem {
                        labels,
                        value,
                        severity,
                    };
                    (vec![problem], Rest::Ends)
                }
                Some(bound) if !bound.is_clear(value) => (Vec::new(), Rest::Unclear),
                Some(_) => (Vec::new(), Rest::Ends),
            },
            CheckAnswer::NoData => match options.on_no_data {
                OnNoData::Ok => (Vec::new(), Rest::Ends),
                OnNoData::Keep => (Vec::new(), Rest::Stays),
                OnNoData::Alert => (vec![own(NO_DATA, options.severity)], Rest::Stays),
            },
            CheckAnswer::Broken(breakage) => {
                let severity = options.severity.max(options.error_severity);
                (vec![own(breakage.reason(), severity)], Rest::Unknown)
            }
        }
    }

    fn timing(&self, labels: &Labels) -> Timing {
        // What is wrong with the check itself is so at once.
        let is_own = reason(labels).is_some();
        Timing {
            at: self.state.now,
            hold_for: match is_own {
                true => firebell_model::Duration::ZERO,
                false => self.options.hold_for,
            },
            keep_firing_for: firebell_model::Duration::ZERO,
        }
    }

    fn begin(&self, problem: Problem) -> CheckAlert {
        let severity = problem.severity.unwrap_or(self.options.severity);
        let cause = match reason(&problem.labels) {
            None => Cause::Condition,
            Some(NO_DATA) => Cause::NoData,
            Some(_) => Cause::Error,
        };
        let timing = self.timing(&problem.labels);
        CheckAlert {
            alert: AlertInstance::begin(sample(problem), timing, cause),
            severity,
            told: None,
        }
    }

    fn carry_on(
        &self,
        mut alert: CheckAlert,
        problem: Option<Problem>,
        rest: &Rest,
    ) -> Option<CheckAlert> {
        let timing = self.timing(&alert.alert.labels);
        if let Some(problem) = problem {
            alert.severity = problem.severity.unwrap_or(self.options.severity);
            alert.alert.seen(sample(problem), timing);
            return Some(alert);
        }
        let hold = match rest {
            Rest::Ends => None,
            Rest::Unclear if alert.alert.cause == Cause::Condition => Some(Hold::Clear),
            Rest::Unclear => None,
            // Whether there is data is known again, or not known either.
            Rest::Stays => (alert.alert.cause == Cause::Condition).then_some(Hold::NoData),
            Rest::Unknown => (alert.alert.cause != Cause::Error).then_some(Hold::NoData),
        };
        alert.alert.missed(timing, hold).then_some(alert)
    }

    /// What people have to hear of an alert now.
    fn tell(&mut self, alert: &mut CheckAlert, out: &mut Vec<CheckNews>) {
        let Some(kind) = self.news(alert) else {
            return;
        };
        if kind == NewsKind::Resolved {
            alert.told = None;
        } else {
            alert.told = Some(alert.severity);
            let told = (self.state.now, alert.severity);
            let labels = alert.alert.labels.clone();
            self.state.cooldowns.insert(labels, told);
        }
        let alert = alert.clone();
        out.push(CheckNews { kind, alert });
    }

    fn news(&mut self, alert: &mut CheckAlert) -> Option<NewsKind> {
        let now = self.state.now;
        let last = self.state.cooldowns.get(&alert.alert.labels).copied();
        let since = last.map(|(at, _)| now - at);
        let is_cold = since.is_none_or(|it| it >= self.options.cooldown);
        match (alert.alert.phase, alert.told) {
            (AlertPhase::Pending, _) => None,
            (AlertPhase::Resolved { .. }, told) => told.map(|_| NewsKind::Resolved),
            (AlertPhase::Firing { .. }, None) => {
                let is_worse = last.is_some_and(|(_, severity)| alert.severity > severity);
                (is_cold || is_worse).then_some(NewsKind::Fired)
            }
            (AlertPhase::Firing { .. }, Some(told)) if alert.severity > told => {
                Some(NewsKind::Rose)
            }
            (AlertPhase::Firing { .. }, Some(_)) => {
                if is_cold {
                    // What gets worse after that is worth a word again.
                    alert.told = Some(alert.severity);
                }
                let repeat_after = self.options.repeat_after?;
                since
                    .is_none_or(|it| it >= repeat_after)
                    .then_some(NewsKind::Repeated)
            }
        }
    }

    fn forget_cooldowns(&mut self) {
        let (now, options) = (self.state.now, &self.options);
        let kept_for = options
            .cooldown
            .max(options.repeat_after.unwrap_or(options.cooldown));
        let state = &mut self.state;
        let alerts = &state.alerts;
        let is_there = |labels: &Labels| {
            let found = alerts.binary_search_by(|it| it.alert.labels.cmp(labels));
            found.is_ok()
        };
        state
            .cooldowns
            .retain(|labels, (at, _)| now - *at < kept_for || is_there(labels));
        while state.cooldowns.len() > COOLDOWNS_MAX {
            let oldest = state.cooldowns.iter().min_by_key(|(_, (at, _))| *at);
            let Some(labels) = oldest.map(|(labels, _)| labels.clone()) else {
                return;
            };
            state.cooldowns.remove(&labels);
        }
    }
}

/// What an answer says of alerts that it does not name.
enum Rest {
    /// They are over.
    Ends,
    /// They are over unless they fire: the value is between the bound and where it is clear.
    Unclear,
    /// There is no data: they are as they were.
    Stays,
    /// The check is broken: they are as they were, but for those about other breakages.
    Unknown,
}

/// What an alert is about besides the condition.
fn reason(labels: &Labels) -> Option<&str> {
    labels.get(REASON).filter(|it| REASONS.contains(it))
}

fn sample(problem: Problem) -> RuleSample {
    RuleSample {
        labels: problem.labels,
        annotations: Labels::empty(),
        value: SampleValue::Float(problem.value),
    }
}

/// A map with keys that are no texts, as JSON can have it.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Labels, Rank, Timestamp};

    type Cooldowns = BTreeMap<Labels, (Timestamp, Rank)>;

    pub(super) fn serialize<S: Serializer>(map: &Cooldowns, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(map)
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Cooldowns, D::Error> {
        let pairs = Vec::deserialize(from)?;
        Ok(pairs.into_iter().collect())
    }
}

/// The label by which alerts about a check itself are told from those that it raises.
pub const REASON: &str = "reason";
/// The value of [`REASON`] of an alert that there is no data.
pub const NO_DATA: &str = "no_data";
const REASONS: [&str; 3] = [NO_DATA, "check_raised", "check_timeout"];
/// The most problems that one answer has.
pub const PROBLEMS_MAX: usize = 1_000;
/// The most alerts whose cooldown is remembered.
pub const COOLDOWNS_MAX: usize = 10_000;

#[cfg(test)]
mod tests;
