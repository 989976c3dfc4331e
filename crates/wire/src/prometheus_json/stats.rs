//! What a query cost: `stats` of its answer.
//!
//! *Sources*: Prometheus, `util/stats/query_stats.go`.

use serde::Serialize;

/// `{"timings":{…},"samples":{…}}`
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct QueryStats {
    /// Seconds.
    pub timings: Timings,
    /// How many.
    pub samples: SampleStats,
}

/// Where the seconds went.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "upstream's words")]
pub struct Timings {
    pub eval_total_time: f64,
    pub result_sort_time: f64,
    pub query_preparation_time: f64,
    pub inner_eval_time: f64,
    pub exec_queue_time: f64,
    pub exec_total_time: f64,
}

/// What was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SampleStats {
    /// Samples and results that the evaluation held.
    pub total_queryable_samples: u64,
    /// The most of them at the same time.
    pub peak_samples: u64,
}
