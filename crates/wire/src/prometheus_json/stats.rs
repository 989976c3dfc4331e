//! What a query cost: `stats` of its answer.
//!
//! *Sources*: Prometheus, `util/stats/query_stats.go`.

use firebell_model::Timestamp;
use serde::Serialize;

use super::number::seconds;

/// `{"timings":{…},"samples":{…}}`
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
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
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SampleStats {
    /// Samples of each step, when that was asked for: `[[1435781451.781,12]]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub total_queryable_samples_per_step: Vec<StepStat>,
    /// Samples of all steps.
    pub total_queryable_samples: u64,
    /// Those of each step that no step before it has read, when that was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub samples_read_per_step: Vec<StepStat>,
    /// What all steps have read.
    pub samples_read: u64,
    /// The most samples and results that the evaluation held at once.
    pub peak_samples: u64,
}

/// A step, and how many samples it is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct StepStat(#[serde(serialize_with = "seconds")] pub Timestamp, pub u64);
