//! Prometheus's HTTP API: parameters of requests and the JSON of answers.
//!
//! *Sources*: Prometheus, `web/api/v1/api.go`, `util/jsonutil`.

mod envelope;
mod number;
mod query;
mod result;
mod status;

pub use self::envelope::{ApiError, ErrorKind, Success};
pub use self::query::{
    InstantQuery, POINTS_MAX, RangeQuery, limit_of, parse_step, parse_time, time_range,
};
pub use self::result::{MatrixSeries, QueryData, VectorSample};
pub use self::status::{
    ActiveTarget, AlertJson, AlertingRuleJson, Alerts, BuildInfo, DroppedTarget, RuleGroupJson,
    RuleGroups, RuleJson, RuleKind, RuleState, Targets,
};
