//! Dispatch: which alerts are told of, to whom and when. Routes, groups, timers, silences,
//! inhibition, the notification log and retries, as Alertmanager has them.
//!
//! A core without IO: time and inputs go in, effects come out. What was told is noted only when
//! the driver says that it was delivered.
//!
//! *Invariants*: costs follow the change, not the stock: an alert's labels never change, so the
//! routes, silences and inhibition rules that match it are found once, when it is inserted; what
//! is due stands in one queue. The same inputs give the same effects: no clock, no chance; ties
//! are ordered by key.
//!
//! *Not here*: reading configuration (`firebell-config`), making and judging requests
//! (`firebell-notify`), JSON of the API (`firebell-wire`).
//!
//! *Sources*: Alertmanager 0.33, `dispatch`, `notify`, `nflog`, `silence`, `inhibit`, `provider`.

mod dispatch;
mod effect;
mod routing;
mod silence;
mod time_interval;

mod deadlines;
mod group;
mod ingest;
mod inhibit;
mod matcher_index;
mod nflog;
mod order;
mod record;
mod silences;

pub use crate::dispatch::{
    AlertState, AlertView, DEFAULT_RETENTION, Dispatch, DispatchStats, GroupView, NotifiedView,
    Options, Suppressed, UnderWayView,
};
pub use crate::effect::{Delivery, DeliveryId, DispatchEffect, Failure};
pub use crate::group::LastFailure;
pub use crate::ingest::PostedAlert;
pub use crate::nflog::NflogEntry;
pub use crate::record::{AlertRecord, Counters, DeliveryRecord, DispatchRecord, GroupRecord};
pub use crate::routing::{
    DEFAULT_GROUP_INTERVAL, DEFAULT_GROUP_WAIT, DEFAULT_REPEAT_INTERVAL, DEFAULT_RESOLVE_TIMEOUT,
    DuplicateReceiver, GroupBy, InhibitRule, Integration, IntegrationSlot, ROUTE_DEPTH_MAX,
    ROUTES_MAX, Receiver, ReceiverId, Receivers, Route, RouteIdx, RouteSpec, Routing,
    RoutingProblem, RoutingProblemKind,
};
pub use crate::silence::{
    ParseSilenceIdError, Silence, SilenceError, SilenceId, SilenceRequest, SilenceState,
};
pub use crate::time_interval::{ParseTimeError, Span, TimeInterval, TimeOfDay, TimeSpec, zone};
