//! What is left of error budgets, and where it went, measured at a moment of simulated time.

use firebell_engine::{Budgets, ObjectiveBudgets};
use firebell_model::{Duration, IncidentSpan, Timestamp, label_set_text};
use firebell_promql::Options;
use firebell_rules::StoreQuerier;
use firebell_slo::{IncidentSpending, Objectives, left, spending};
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

/// On which incidents budgets were spent, each line by itself, with times since `start`.
pub(crate) fn spent(
    objectives: &Objectives,
    incidents: &[IncidentSpan],
    (start, now): (Timestamp, Timestamp),
    store: &Store,
) -> Vec<String> {
    let view = store.view();
    let querier = StoreQuerier {
        source: &view,
        options: Options::default(),
    };
    let mut lines = Vec::new();
    for objective in &objectives.all {
        let found = match spending(objective, &[], incidents, now, &querier) {
            Ok(found) => found,
            Err(why) => {
                lines.push(format!("budget of {}: {why}", objective.id));
                continue;
            }
        };
        for budget in &found.budgets {
            let labels = match budget.labels.is_empty() {
                true => String::new(),
                false => label_set_text(&budget.labels),
            };
            if budget.incidents.is_empty() {
                lines.push(format!(
                    "budget of {}{labels}: spent on nothing",
                    objective.id
                ));
            }
            let incidents = budget.incidents.iter();
            let texts = incidents.map(|it| spent_text(it, start));
            lines.extend(texts.map(|text| format!("budget of {}{labels}: {text}", objective.id)));
        }
    }
    lines
}

fn spent_text(of: &IncidentSpending, start: Timestamp) -> String {
    let name = match &of.incident {
        None => "outside any incident".to_owned(),
        Some(it) if it.is_declined => format!("{} (declined)", it.name),
        Some(it) => it.name.clone(),
    };
    let (from, until) = (of.stretch.from - start, of.stretch.until - start);
    // Whole events: what is computed of counters has no exact parts.
    let bad = of.stretch.bad.map(|bad| format!(", {bad:.0} bad events"));
    let share = of.stretch.share * 100.0;
    format!(
        "{name} took {share:.0}%{}, from {from} to {until}",
        bad.unwrap_or_default()
    )
}
