//! Prometheus's HTTP API: parameters of requests and the JSON of answers.
//!
//! *Sources*: Prometheus, `web/api/v1/api.go`, `util/jsonutil`.

mod envelope;
mod exemplars;
mod number;
mod query;
mod result;
mod stats;
mod status;

pub use self::envelope::{ApiError, ErrorKind, Success};
pub use self::exemplars::SeriesExemplars;
pub use self::query::{
    InstantQuery, POINTS_MAX, QuerySettings, RangeQuery, limit_of, moment_of, parse_step,
    parse_time, time_range,
};
pub use self::result::{MatrixSeries, QueryAnswer, QueryData, VectorSample};
pub use self::stats::{QueryStats, SampleStats, Timings};
pub use self::status::{
    ActiveTarget, AlertJson, AlertingRuleJson, Alerts, BuildInfo, DroppedTarget, MetricMetadata,
    NamedCount, RuleGroupJson, RuleGroups, RuleJson, RuleKind, RuleState, TargetMetadata, Targets,
    TsdbHead, TsdbStatus,
};
