//! Measures what is left of error budgets, for incidents and their pages.
//!
//! *Invariants*: it ends with an answer, also when its code panics: the engine waits for one. What
//! cannot be measured has nothing, and is logged.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use firebell_config::Config;
use firebell_engine::{Budgets, ObjectiveBudgets};
use firebell_model::{Duration, Timestamp};
use firebell_promql::Options;
use firebell_rules::{Querier, StoreQuerier};
use firebell_slo::{Objective, left};
use firebell_tsdb::View;

use crate::clock::Stopwatch;
use crate::external::ClusterQuerier;

/// Everything that it takes.
pub(crate) struct Measuring {
    /// At this moment.
    pub at: Timestamp,
    pub config: Arc<Config>,
    pub view: View,
    /// Who has the series, if the store does not.
    pub cluster: Option<ClusterQuerier>,
}

impl Measuring {
    /// Measures all of them.
    pub(crate) fn measure(&self) -> Budgets {
        let watch = Stopwatch::start();
        let objectives = self.config.objectives.all.iter();
        let all = objectives.map(|it| self.measure_one(it)).collect();
        let took = i64::try_from(watch.elapsed().as_millis()).unwrap_or(i64::MAX);
        Budgets {
            all,
            took: Duration(took),
        }
    }

    fn measure_one(&self, objective: &Objective) -> ObjectiveBudgets {
        let limits = &self.config.query;
        let (watch, timeout) = (Stopwatch::start(), limits.timeout.to_std());
        let is_over = || watch.elapsed() > timeout;
        let store = StoreQuerier {
            source: &self.view,
            options: Options {
                lookback: limits.lookback,
                subquery_step: self.config.evaluation_interval,
                samples_max: limits.samples_max,
                series_max: limits.series_max.unwrap_or(usize::MAX),
                is_cancelled: Some(&is_over),
                ..Options::default()
            },
        };
        let querier: &dyn Querier = match &self.cluster {
            Some(cluster) => cluster,
            None => &store,
        };
        let measured = catch_unwind(AssertUnwindSafe(|| left(objective, self.at, querier)));
        let failed = "the evaluator failed: please report this objective".to_owned();
        let left = measured.unwrap_or(Err(failed)).unwrap_or_else(|error| {
            tracing::warn!(objective = objective.id, %error, "failed to measure an error budget");
            Default::default()
        });
        ObjectiveBudgets::new(&objective.id, objective.identity(), left)
    }
}
