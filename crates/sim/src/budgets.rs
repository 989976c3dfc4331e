//! What is left of error budgets, measured at a moment of simulated time.

use firebell_engine::{Budgets, ObjectiveBudgets};
use firebell_model::{Duration, Timestamp};
use firebell_promql::Options;
use firebell_rules::StoreQuerier;
use firebell_slo::{Objectives, left};
use firebell_tsdb::Store;

/// Measures all of them; what cannot be measured has nothing, as live.
pub(crate) fn measure(objectives: &Objectives, now: Timestamp, store: &Store) -> Budgets {
    let view = store.view();
    let querier = StoreQuerier {
        source: &view,
        options: Options::default(),
    };
    let all = objectives.all.iter().map(|objective| {
        let found = left(objective, now, &querier).unwrap_or_default();
        ObjectiveBudgets::new(&objective.id, objective.identity(), found)
    });
    Budgets {
        all: all.collect(),
        took: Duration::ZERO,
    }
}
