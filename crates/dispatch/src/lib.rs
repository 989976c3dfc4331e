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
mod silence_terms;
mod time_interval;

mod deadlines;
mod failing;
mod group;
mod happened;
mod ingest;
mod inhibit;
mod label_index;
mod matcher_index;
mod nflog;
mod order;
mod outcome;
mod own_keys;
mod pack;
mod pairs;
mod record;
mod silences;
mod why;
mod window;

pub use crate::dispatch::{
    AlertState, AlertView, DEFAULT_RETENTION, Dispatch, DispatchStats, GroupCursor, GroupView,
    NotifiedView, Options, SILENCE_EXPIRES, Suppressed, UnderWayView,
};
pub use crate::effect::{Delivery, DeliveryId, DispatchEffect, Failure, FailureCause};
pub use crate::failing::{
    DELIVERY_ALERT, DeliveryAlert, FailingDeliveries, FailingRecord, FailingSince,
};
pub use crate::group::LastFailure;
pub use crate::happened::{
    ALERTS_NAMED_MAX, HistoryEntry, HistoryEvent, Mutes, Notified, NotifiedStatus,
};
pub use crate::ingest::{PostedAlert, PostedAlerts, PostedBody};
pub use crate::nflog::NflogEntry;
pub use crate::order::{by_label_set, by_origin};
pub use crate::outcome::Outcome;
pub use crate::own_keys::{FIRINGS_MAX, FlapDamping, OwnKeys, RateLimit, RepeatBackoff};
pub use crate::pack::{Packer, Unpacker};
pub use crate::record::{
    AlertRecord, Counters, DeliveryRecord, DispatchRecord, GroupRecord, Renewed,
};
pub use crate::routing::{
    DEFAULT_GROUP_INTERVAL, DEFAULT_GROUP_WAIT, DEFAULT_REPEAT_INTERVAL, DEFAULT_RESOLVE_TIMEOUT,
    DuplicateReceiver, GroupBy, INBOX, InhibitRule, Integration, IntegrationSlot, ROUTE_DEPTH_MAX,
    ROUTES_MAX, Receiver, ReceiverId, Receivers, Route, RouteIdx, RouteSpec, RouteVerdict, Routing,
    RoutingProblem, RoutingProblemKind, TriedRoute, Walk,
};
pub use crate::silence::{
    ParseSilenceIdError, Silence, SilenceError, SilenceId, SilenceRequest, SilenceState,
};
pub use crate::silence_terms::{SilenceTerms, UNTIL_RESOLVED_MAX, Weekly};
pub use crate::time_interval::{ParseTimeError, Span, TimeInterval, TimeOfDay, TimeSpec, zone};
pub use crate::why::{
    GroupWhy, InhibitedBy, IntegrationWhy, IntervalMute, Mute, Next, Nothing, Timer, Why,
};
pub use crate::window::{HeldRecord, PeriodRecord, WholeWindow};
