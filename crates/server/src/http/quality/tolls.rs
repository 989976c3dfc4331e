//! What the pages of each rule, service and team took of people.

use std::collections::{BTreeMap, BTreeSet};

use firebell_incident::{Incident, Paged, PartOfDay, Policy, Toll};
use firebell_model::{Labels, Timestamp};
use serde_json::{Value, json};

use super::{rule, service, team};

/// Pages by the names of those whose alerts their incidents have: of several, each has all of them.
#[derive(Default)]
pub(super) struct Groups {
    rules: BTreeMap<String, Paged>,
    services: BTreeMap<String, Paged>,
    teams: BTreeMap<String, Paged>,
}

/// What they took, by name.
pub(super) struct Tolls {
    pub(super) rules: BTreeMap<String, Toll>,
    pub(super) services: BTreeMap<String, Toll>,
    pub(super) teams: BTreeMap<String, Toll>,
}

impl Groups {
    /// What of an incident was in a span.
    pub(super) fn add(
        &mut self,
        incident: &Incident,
        policy: &Policy,
        span: (Timestamp, Timestamp),
    ) {
        let add = |group: &mut BTreeMap<String, Paged>, name: &dyn Fn(&Labels) -> String| {
            let alerts = incident.alerts.values();
            let names: BTreeSet<String> = alerts.map(|it| name(&it.labels)).collect();
            for name in names {
                group.entry(name).or_default().add(incident, span);
            }
        };
        add(&mut self.rules, &rule);
        add(&mut self.services, &|labels| service(policy, labels));
        add(&mut self.teams, &team);
    }

    /// `part_of` knows the clocks of people.
    pub(super) fn tolls(self, part_of: impl Fn(&str, Timestamp) -> Option<PartOfDay>) -> Tolls {
        let of = |group: BTreeMap<String, Paged>| {
            let group = group.into_iter();
            group.map(|(name, it)| (name, it.toll(&part_of))).collect()
        };
        Tolls {
            rules: of(self.rules),
            services: of(self.services),
            teams: of(self.teams),
        }
    }
}

/// Fields of `Figures` of `docs/openapi.json`.
pub(super) fn fields(toll: Toll) -> [(&'static str, Value); 4] {
    [
        ("pages", json!(toll.n_pages)),
        ("escalated", json!(toll.n_escalated)),
        ("atNight", json!(toll.n_at_night)),
        (
            "sleepLostMinutes",
            json!(toll.sleep_lost.as_secs_f64() / 60.0),
        ),
    ]
}
