//! Incidents: from the first alert to the verdict. Their life, what people do with them, the
//! timeline that writes itself, which alerts belong together, and what it was all worth.
//!
//! A core without IO: time and inputs go in ([`Incidents::handle_alert`], [`Incidents::act`]),
//! records come out ([`Incidents::take_changes`]) and what the history is to be told
//! ([`Incidents::take_happened`]).
//!
//! *Invariants*: an alert belongs to one incident at a time. Every change is in the timeline, with
//! its moment and who made it. Twice the same wish is the same as once. The same inputs give the
//! same records: no clock, no chance; numbers come from a counter.
//!
//! *Not here*: who is told and who escalates (`firebell-dispatch`, on-call), JSON of the API
//! (`firebell-server`).

mod life;

mod act;
mod burden;
mod incident;
mod incidents;
mod picture;
mod policy;
mod postmortem;
mod quality;
mod review;
mod runbook;
mod verdict;

pub use crate::act::{Act, ActTextError, Outcome, Refusal};
pub use crate::burden::{
    Burden, Light, OFF_HOURS_BURNOUT, OFF_HOURS_GOOD, ONE_INTERRUPTION, PAGES_IN_SHIFT, Paged,
    PartOfDay, TO_SLEEP_AGAIN, Toll,
};
pub use crate::incident::{
    Acknowledged, Audience, DataState, DataStatement, Entry, ErrorBudget, Impact, Incident,
    IncidentId, Link, Member, Person, Role, Severity, Task, What, Who, alert_text,
};
pub use crate::incidents::{
    AlertEvent, DECISIONS_MAX, Decision, Happened, HappenedKind, INCIDENTS_KEPT_MAX,
    INCIDENTS_OPEN_MAX, IncidentRecord, Incidents, Opening, Told, Waiting, WaitsFor,
};
pub use crate::life::{Phase, State};
pub use crate::picture::{
    PICTURE_BYTES_MAX, PICTURES_BYTES_ALL_MAX, PICTURES_BYTES_MAX, PICTURES_MAX, Picture,
    PictureError, PictureId, PictureKind,
};
pub use crate::policy::{BudgetOpening, LOW_BUDGET_ALERT, Policy};
pub use crate::postmortem::{
    FollowUp, GRAPH_POINTS_MAX, GRAPH_SERIES_MAX, GRAPHS_MAX, Graph, GraphSeries, Hint, Moments,
    POSTMORTEM_VERSION, Part, Postmortem, Proof, hints,
};
pub use crate::quality::{
    Advice, DELETE_UNDER, Episode, Episodes, FLAPS_WITHIN, Figures, Spread, TARGET,
};
pub use crate::review::{BusinessMonth, RUNBOOK_WITHIN, Review, ReviewedIncident};
pub use crate::runbook::{Runbook, STEPS_MAX, Tick};
pub use crate::verdict::{Judgement, TRANSIENT_MAX, Verdict};
