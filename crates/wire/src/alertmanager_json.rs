//! Alertmanager's HTTP API v2: parameters and bodies of requests, the JSON of answers.
//!
//! Unknown fields of bodies are passed over, as upstream; moments are written with milliseconds.
//!
//! *Sources*: Alertmanager, `api/v2/openapi.yaml` and `api/v2/api.go`; go-openapi's messages.

mod alerts_reader;
mod answers;
mod bodies;
mod error;
mod filter;
mod plain_reader;
mod sending;

pub use self::answers::{
    AlertGroupJson, AlertState, AlertStatusJson, ClusterJson, ConfigJson, GettableAlert,
    GettableSilence, MatcherJson, PeerJson, ReceiverJson, SilenceIdJson, SilenceStatusJson,
    StatusJson,
};
pub use self::bodies::{
    AlertInBody, Pairs, PostableAlert, PostableSilence, each_alert_in_body, each_alert_in_text,
    parse_alerts, parse_silence,
};
pub use self::error::RequestError;
pub use self::filter::{AlertFilter, SilenceStates, parse_filters, parse_receiver_matchers};
pub use self::sending::alerts_body;
