//! One alert instance: a label set of an alerting rule, and how an evaluation moves it on.
//!
//! *Sources*: Prometheus, `rules/alerting.go`, as behaviour.

use std::sync::Arc;

use firebell_model::{Duration, Labels, METRIC_NAME, Timestamp};
use serde::{Deserialize, Serialize};

use crate::evaluate::RuleSample;

/// One label set of one alerting rule that is pending, firing or lately resolved.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AlertInstance {
    /// Identity within the rule.
    pub labels: Labels,
    /// Texts for people, as expanded when the condition last held.
    pub annotations: Labels,
    /// The value of the expression when the condition last held.
    #[serde(with = "crate::record::float_text")]
    pub value: f64,
    /// When the condition began to hold: a slot of the group.
    pub active_at: Timestamp,
    /// How far it has come.
    #[serde(flatten)]
    pub phase: AlertPhase,
    /// When it was last due to be sent to external Alertmanagers; see [`AlertInstance::is_due`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_sent_at: Option<Timestamp>,
    /// What it is about.
    #[serde(default, skip_serializing_if = "Cause::is_condition")]
    pub cause: Cause,
    /// Whether it begins and ends too often to be told each time.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_flapping: bool,
    /// Whether its rule was in the shadow when it was last evaluated: no series tell of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_shadow: bool,
    /// As what dispatch knows it while it fires; `None` also when relabelling drops it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed: Option<Handed>,
    // The series that the last evaluation wrote for it: `ALERTS`, then `ALERTS_FOR_STATE`.
    #[serde(skip)]
    pub(crate) written: Option<[Labels; 2]>,
}

/// What an alert is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The condition of its rule.
    #[default]
    Condition,
    /// None of the series is there that the rule asks for.
    NoData,
    /// The rule fails, and wants that told in its own name.
    Error,
    /// The rule fails: Firebell's own alert.
    Failing,
}

/// Why an alert fires on although its condition does not hold, besides `keep_firing_for`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hold {
    /// `clear` does not hold yet.
    Clear,
    /// There is no data, and `no_data: keep`.
    NoData,
    /// It flaps.
    Flapping,
}

/// How far an alert has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum AlertPhase {
    /// The condition holds, but not yet for as long as `for` wants.
    Pending,
    /// It burns.
    Firing {
        /// Since when.
        fired_at: Timestamp,
        /// The first evaluation at which the condition no longer held, while `keep_firing_for`
        /// holds the alert.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keep_firing_since: Option<Timestamp>,
        /// What else holds it while the condition does not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        held: Option<Hold>,
    },
    /// It has ended, and is kept for [`RESOLVED_KEPT_FOR`].
    Resolved {
        /// Since when it had burnt.
        fired_at: Timestamp,
        /// When it ended.
        resolved_at: Timestamp,
    },
}

/// As what dispatch knows an alert.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Handed {
    /// The alert's labels, after external labels and relabelling.
    pub labels: Labels,
    /// The link to the expression.
    pub generator_url: Arc<str>,
}

/// What an alert needs to know of its rule to be moved on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) at: Timestamp,
    pub(crate) hold_for: Duration,
    pub(crate) keep_firing_for: Duration,
}

impl AlertInstance {
    /// A new alert, at the first evaluation that finds it.
    pub(crate) fn begin(sample: RuleSample, timing: Timing, cause: Cause) -> Self {
        let mut alert = Self {
            labels: sample.labels,
            annotations: sample.annotations,
            value: sample.value.float_or_zero(),
            active_at: timing.at,
            phase: AlertPhase::Pending,
            last_sent_at: None,
            cause,
            is_flapping: false,
            is_shadow: false,
            handed: None,
            written: None,
        };
        alert.judge_hold(timing);
        alert
    }

    /// Whether it is pending or firing: upstream's "active".
    #[must_use]
    pub fn is_active(&self) -> bool {
        !matches!(self.phase, AlertPhase::Resolved { .. })
    }

    /// Since when it fires, if it does.
    #[must_use]
    pub fn firing_since(&self) -> Option<Timestamp> {
        self.phase.firing_since()
    }

    /// What holds it firing although its condition does not hold, besides `keep_firing_for`.
    #[must_use]
    pub fn held(&self) -> Option<Hold> {
        match self.phase {
            AlertPhase::Firing { held, .. } => held,
            AlertPhase::Pending | AlertPhase::Resolved { .. } => None,
        }
    }

    /// The condition holds at this evaluation.
    pub(crate) fn seen(&mut self, sample: RuleSample, timing: Timing) {
        self.annotations = sample.annotations;
        self.value = sample.value.float_or_zero();
        if let AlertPhase::Firing {
            keep_firing_since,
            held,
            ..
        } = &mut self.phase
        {
            (*keep_firing_since, *held) = (None, None);
        }
        self.judge_hold(timing);
    }

    /// The condition does not hold at this evaluation; `hold` is what goes before `keep_firing_for`.
    /// Says whether anything is left of the alert.
    #[must_use]
    pub(crate) fn missed(&mut self, timing: Timing, hold: Option<Hold>) -> bool {
        let at = timing.at;
        match self.phase {
            AlertPhase::Pending => hold == Some(Hold::NoData),
            AlertPhase::Resolved { resolved_at, .. } => at - resolved_at <= RESOLVED_KEPT_FOR,
            AlertPhase::Firing {
                fired_at,
                keep_firing_since,
                ..
            } => {
                if hold.is_some() {
                    self.phase = AlertPhase::Firing {
                        fired_at,
                        keep_firing_since,
                        held: hold,
                    };
                } else if self.is_kept_firing(timing) {
                    self.phase = AlertPhase::Firing {
                        fired_at,
                        keep_firing_since: keep_firing_since.or(Some(at)),
                        held: None,
                    };
                    self.judge_hold(timing);
                } else {
                    self.phase = AlertPhase::Resolved {
                        fired_at,
                        resolved_at: at,
                    };
                }
                true
            }
        }
    }

    /// Whether it fires on although the condition does not hold at this evaluation.
    pub(crate) fn is_kept_firing(&self, timing: Timing) -> bool {
        let AlertPhase::Firing {
            keep_firing_since,
            held,
            ..
        } = self.phase
        else {
            return false;
        };
        // What flaps has been through that.
        held != Some(Hold::Flapping)
            && timing.at - keep_firing_since.unwrap_or(timing.at) < timing.keep_firing_for
    }

    /// Pending to firing once `for` has passed, and back when a reload made `for` longer.
    fn judge_hold(&mut self, Timing { at, hold_for, .. }: Timing) {
        let has_held = at - self.active_at >= hold_for;
        match self.phase {
            AlertPhase::Pending if has_held => {
                self.phase = AlertPhase::Firing {
                    fired_at: at,
                    keep_firing_since: None,
                    held: None,
                };
            }
            AlertPhase::Firing { .. } if !has_held => {
                self.phase = AlertPhase::Pending;
                self.last_sent_at = None;
            }
            _ => {}
        }
    }

    /// Whether external Alertmanagers have to hear of it at this evaluation: never while pending, at
    /// once when it has resolved, and again when more than `resend_delay` has passed.
    #[must_use]
    pub fn is_due(&self, at: Timestamp, resend_delay: Duration) -> bool {
        let Some(last_sent_at) = self.last_sent_at else {
            return self.phase != AlertPhase::Pending;
        };
        match self.phase {
            AlertPhase::Pending => false,
            AlertPhase::Resolved { resolved_at, .. } if resolved_at > last_sent_at => true,
            _ => last_sent_at + resend_delay < at,
        }
    }

    /// The end that external Alertmanagers are told: of a resolved alert when it ended, of a firing
    /// one when it would end if nothing more were heard of it.
    #[must_use]
    pub fn external_ends_at(&self, expiry: Timestamp) -> Timestamp {
        match self.phase {
            AlertPhase::Resolved { resolved_at, .. } => resolved_at,
            AlertPhase::Pending | AlertPhase::Firing { .. } => expiry,
        }
    }

    /// The series that say its phase, `ALERTS` first; none once it has resolved, and none in the
    /// shadow: whoever reads `ALERTS` elsewhere would take it for an alert.
    pub(crate) fn series(&self) -> Option<[Labels; 2]> {
        if !self.is_active() || self.is_shadow {
            return None;
        }
        let mut alerts = self.labels.to_builder();
        alerts.set(METRIC_NAME, ALERTS);
        alerts.set(ALERT_STATE, self.phase.name());
        let mut for_state = self.labels.to_builder();
        for_state.set(METRIC_NAME, ALERTS_FOR_STATE);
        Some([alerts.build(), for_state.build()])
    }
}

impl Hold {
    /// Its name in APIs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::NoData => "no_data",
            Self::Flapping => "flapping",
        }
    }
}

impl Cause {
    fn is_condition(&self) -> bool {
        *self == Self::Condition
    }
}

impl AlertPhase {
    /// Its name in APIs and in the label `alertstate`. Upstream calls a resolved alert inactive.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing { .. } => "firing",
            Self::Resolved { .. } => "inactive",
        }
    }

    /// Since when it fires, if it does.
    #[must_use]
    pub fn firing_since(self) -> Option<Timestamp> {
        match self {
            Self::Firing { fired_at, .. } => Some(fired_at),
            Self::Pending | Self::Resolved { .. } => None,
        }
    }
}

/// When a firing alert ends for those who hear no more of it: four evaluations or resends later.
#[must_use]
pub fn expiry(at: Timestamp, interval: Duration, resend_delay: Duration) -> Timestamp {
    at + interval.max(resend_delay) * 4
}

/// How long a resolved alert is kept, and told to external Alertmanagers again.
pub const RESOLVED_KEPT_FOR: Duration = Duration::from_mins(15);

/// The series that tells the phase of an alert.
pub(crate) const ALERTS: &str = "ALERTS";
/// The series that tells since when an alert is active.
pub(crate) const ALERTS_FOR_STATE: &str = "ALERTS_FOR_STATE";
const ALERT_STATE: &str = "alertstate";

#[cfg(test)]
mod tests {
    use super::*;

    const MIN: Duration = Duration::from_mins(1);

    fn alert(phase: AlertPhase, last_sent_at: Option<i64>) -> AlertInstance {
        AlertInstance {
            labels: Labels::empty(),
            annotations: Labels::empty(),
            value: 1.0,
            active_at: Timestamp(0),
            phase,
            last_sent_at: last_sent_at.map(|mins| Timestamp(0) + MIN * mins),
            cause: Cause::Condition,
            is_flapping: false,
            is_shadow: false,
            handed: None,
            written: None,
        }
    }

    fn firing() -> AlertPhase {
        AlertPhase::Firing {
            fired_at: Timestamp(0),
            keep_firing_since: None,
            held: None,
        }
    }

    fn resolved(mins: i64) -> AlertPhase {
        AlertPhase::Resolved {
            fired_at: Timestamp(0),
            resolved_at: Timestamp(0) + MIN * mins,
        }
    }

    #[test]
    fn item_6_a_resend_is_due_strictly_after_the_delay() {
        let at = Timestamp(0) + MIN * 10;
        for (phase, last_sent_at, expected) in [
            (AlertPhase::Pending, None, false),
            (firing(), None, true),
            // With an interval of 1 m and a delay of 1 m, each second evaluation sends.
            (firing(), Some(10), false),
            (firing(), Some(9), false),
            (firing(), Some(8), true),
            (resolved(10), Some(9), true),
            (resolved(9), Some(9), false),
            (resolved(5), Some(8), true),
        ] {
            let is_due = alert(phase, last_sent_at).is_due(at, MIN);
            assert_eq!(is_due, expected, "{phase:?} sent at {last_sent_at:?}");
        }
    }

    #[test]
    fn item_7_a_firing_alert_ends_four_intervals_or_delays_after_it_was_sent() {
        let at = Timestamp(0) + MIN * 10;
        let after = |mins| at + MIN * mins;
        assert_eq!(expiry(at, Duration::from_secs(15), MIN), after(4));
        assert_eq!(expiry(at, MIN * 3, MIN), after(12));
        assert_eq!(alert(firing(), None).external_ends_at(after(4)), after(4));
        let ended = alert(resolved(7), None).external_ends_at(after(4));
        assert_eq!(ended, Timestamp(0) + MIN * 7);
    }
}
