//! Prometheus's HTTP API: parameters of requests and the JSON of answers.
//!
//! *Sources*: Prometheus, `web/api/v1/api.go`, `util/jsonutil`.

mod envelope;
mod exemplars;
mod number;
mod pieces;
mod query;
mod result;
mod self_metrics;
mod stats;
mod status;

pub use self::envelope::{ApiError, ErrorKind, Success};
pub use self::exemplars::SeriesExemplars;
pub use self::pieces::{PIECE_BYTES, Pieces};
pub use self::query::{
    InstantQuery, POINTS_MAX, QuerySettings, RangeQuery, limit_of, moment_of, parse_step,
    parse_time, time_range,
};
pub use self::result::{MatrixSeries, QueryAnswer, QueryData, VectorSample};
pub use self::self_metrics::self_metrics;
pub use self::stats::{QueryStats, SampleStats, StepStat, Timings};
pub use self::status::{
    ActiveTarget, AlertJson, AlertingRuleJson, Alerts, BuildInfo, DroppedTarget, MetricMetadata,
    NamedCount, RuleGroupJson, RuleGroups, RuleJson, RuleKind, RuleState, TargetMetadata, Targets,
    TsdbHead, TsdbStatus,
};
