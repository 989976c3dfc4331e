//! What a review says of incidents, as JSON: `ReviewedIncident` of `docs/openapi.json`.

use firebell_incident::{ReviewedIncident, Who};
use serde_json::{Value, json};

use super::LISTED_MAX;

/// The oldest first.
pub(super) fn all_json(incidents: &[ReviewedIncident]) -> Vec<Value> {
    incidents.iter().take(LISTED_MAX).map(one).collect()
}

fn one(it: &ReviewedIncident) -> Value {
    let by = match &it.opened_by {
        Who::Firebell => None,
        Who::Person(person) => Some(person.name()),
    };
    json!({
        "id": it.id.to_string(),
        "title": it.title,
        "severity": it.severity.to_string(),
        "openedAt": it.opened_at.to_string(),
        "openedBy": by,
        "lastedSeconds": it.lasted.as_secs_f64(),
        "alertCount": it.n_alerts,
        "hadNoAlert": it.had_no_alert,
        "verdict": it.verdict.map(|(verdict, guessed)| json!({
            "words": verdict.words(),
            "guessed": guessed,
        })),
    })
}
