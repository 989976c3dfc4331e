//! What Firebell's own keys of an alerting rule ask for; the defaults are upstream's behaviour.

use firebell_model::Duration;
use firebell_promql::Plan;

use crate::anomaly::AnomalyOptions;

/// The own keys of one alerting rule.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// `mode`: whether anybody is told.
    pub mode: Mode,
    /// `no_data`: what it means that none of the series is there that the expression asks for.
    pub no_data: Reaction,
    /// `on_error`: what it means that the evaluation fails.
    pub on_error: Reaction,
    /// `clear`: once an alert fires, it does so until this holds.
    pub clear: Option<Plan>,
    /// `flapping`: how often an alert may begin and end before it is held firing.
    pub flapping: Option<FlapLimit>,
    /// `anomaly`: only values are alerts that are not as their past leads to expect.
    pub anomaly: Option<AnomalyOptions>,
}

/// Whether a rule's alerts reach people.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Mode {
    /// They do.
    #[default]
    Live,
    /// The rule is evaluated, shown and counted, and tells nobody, not by series either.
    Shadow,
}

/// What a rule does where its condition is unknown.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Reaction {
    /// As upstream: no data ends the alerts, an error leaves them as they are.
    #[default]
    Upstream,
    /// As upstream, and an alert of its own says so once that has lasted.
    Alert {
        /// For how long.
        hold_for: Duration,
    },
    /// The alerts stay as they are.
    Keep,
    /// The alerts end, as if the condition did not hold.
    End,
}

/// How often an alert may change between firing and not firing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FlapLimit {
    /// More changes than these are flapping; at most [`FLAP_CHANGES_MAX`].
    pub changes: usize,
    /// The time in which they are counted.
    pub within: Duration,
}

/// The alert of Firebell's own about rules that fail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FailingAlert {
    /// How long a rule has to fail before anybody is told.
    pub hold_for: Duration,
    /// Labels besides those that name the rule, such as a severity.
    pub labels: firebell_model::Labels,
}

impl Default for FailingAlert {
    fn default() -> Self {
        Self {
            hold_for: Duration::from_mins(5),
            labels: firebell_model::Labels::from_pairs([("severity", "warning")]),
        }
    }
}

/// So many moments are kept for an alert that flaps.
pub const FLAP_CHANGES_MAX: usize = 100;
