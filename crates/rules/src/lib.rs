//! Rules: from groups of rules in files to alerts that are pending, firing and resolved.
//!
//! The core [`Rules`] decides which rule is evaluated when, and what a result means; [`evaluate`]
//! computes a result on a worker, over an immutable view of the series. Effects are values.
//!
//! *Invariants*: the rules of a group are evaluated at one slot of time, and a rule sees what the
//! earlier ones wrote: only those that do not read one another's series run together. State is keyed by what people wrote, never by position, and all of
//! it is handed out as records, so that a restart at any moment changes nothing; of what anomaly
//! rules learn, a kill takes minutes.
//!
//! *Not here*: reading rule files (`firebell-config`), what happens to an alert after it was handed
//! over (`firebell-dispatch`).
//!
//! *Sources*: Prometheus, `rules/group.go`, `rules/alerting.go`, `rules/recording.go`, as behaviour.

mod definition;
mod policy;

mod ask;
mod evaluate;
mod probe;

mod alert;
mod alerting;
mod anomaly;
mod apply;
mod flapping;
mod held;
mod join;
mod migrate;
mod recording;
mod reports;

mod record;
mod round;
mod runs;
mod schedule;
mod state;
mod status;
mod tally;

mod arrivals;
mod check;
mod group;
mod lone;
mod measured;
mod preview;
mod rules;
mod view;

pub use crate::alert::{AlertInstance, AlertPhase, Cause, Handed, Hold, RESOLVED_KEPT_FOR, expiry};
pub use crate::anomaly::{
    AnomalyOptions, DetectorKind, Direction, Judgement, LoneDetector,
    SAVED_EVERY as ANOMALY_SAVED_EVERY, SavedDetector, VARIABLES as ANOMALY_VARIABLES, WATCHED_MAX,
    WINDOW_MAX, WINDOW_MIN,
};
pub use crate::arrivals::{Arrived, Watchlist};
pub use crate::ask::{Answers, Asks};
pub use crate::check::{
    Bound, Breakage, COOLDOWNS_MAX, Check, CheckAlert, CheckAnswer, CheckNews, CheckOptions,
    CheckOptionsError, Edge, NO_DATA, NewsKind, OnNoData, PROBLEMS_MAX, Problem, REASON, Rank,
};
pub use crate::definition::{
    AlertingRule, Cadence, Context, Place, Rule, RuleGroup, RuleKind, RuleSet, RuleSetError,
};
pub use crate::evaluate::{
    Evaluation, EvaluationRequest, Found, NO_VECTOR, Querier, QuietRules, RESULT_RESTS_MAX,
    RuleEvaluation, RuleHandle, RuleSample, RunId, RunRule, StoreQuerier, evaluate, evaluate_by,
    evaluate_rule, evaluate_rule_by, quiet_rules, split_quiet,
};
pub use crate::flapping::Flap;
pub use crate::lone::{LoneRule, Written};
pub use crate::policy::{FLAP_CHANGES_MAX, FailingAlert, FlapLimit, Mode, Policy, Reaction};
pub use crate::preview::{Firing, PreviewGrid, firings};
pub use crate::record::{RuleKey, RuleRecord};
pub use crate::reports::REPORTS;
pub use crate::rules::{Options, RuleEffect, Rules};
pub use crate::state::Health;
pub use crate::tally::Tally;
pub use crate::view::{GroupView, RuleView};
