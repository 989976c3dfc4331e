//! What the API tells of rules, alerts, targets and the program.

use std::collections::BTreeMap;

use firebell_model::{Duration, Labels, Timestamp};
use serde::Serialize;

use super::number::{duration, moment};

/// Data of `/api/v1/rules`.
#[derive(Clone, Debug, Serialize)]
pub struct RuleGroups {
    /// In order of file and name.
    pub groups: Vec<RuleGroupJson>,
    /// Where the next page begins, when there is one.
    #[serde(rename = "groupNextToken", skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A group of rules.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleGroupJson {
    /// Its name.
    pub name: String,
    /// The file it stands in.
    pub file: String,
    /// Its rules, in order.
    pub rules: Vec<RuleJson>,
    /// Between two evaluations.
    #[serde(serialize_with = "duration")]
    pub interval: Duration,
    /// At most so many results per rule; 0 is no limit.
    pub limit: usize,
    /// Seconds that the last evaluation took.
    pub evaluation_time: f64,
    /// When it was.
    #[serde(serialize_with = "moment")]
    pub last_evaluation: Option<Timestamp>,
}

/// A rule: alerting when [`RuleJson::kind`] says so.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleJson {
    /// What only alerting rules have.
    #[serde(flatten)]
    pub alerting: Option<AlertingRuleJson>,
    /// Its name.
    pub name: String,
    /// The expression.
    pub query: String,
    /// Its labels, as written; upstream leaves out those of a recording rule that has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
    /// `ok`, `err` or `unknown`.
    pub health: &'static str,
    /// What went wrong last.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub last_error: String,
    /// Seconds that the last evaluation took.
    pub evaluation_time: f64,
    /// When it was.
    #[serde(serialize_with = "moment")]
    pub last_evaluation: Option<Timestamp>,
    /// Alerting or recording.
    #[serde(rename = "type")]
    pub kind: RuleKind,
}

/// What only alerting rules have.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertingRuleJson {
    /// The worst state of its alerts.
    pub state: RuleState,
    /// `for`.
    #[serde(serialize_with = "duration")]
    pub duration: Duration,
    /// `keep_firing_for`.
    #[serde(serialize_with = "duration")]
    pub keep_firing_for: Duration,
    /// As written.
    pub annotations: Labels,
    /// Firebell's own: whether the rule tells nobody. Only there when it does not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_shadow: bool,
    /// Those that are pending or firing; `null` when they were not asked for.
    pub alerts: Option<Vec<AlertJson>>,
}

/// Kinds of rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "upstream's words")]
pub enum RuleKind {
    Alerting,
    Recording,
}

/// States of alerting rules and of alerts, from harmless to bad.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleState {
    /// Not evaluated yet.
    Unknown,
    /// No alert.
    Inactive,
    /// The condition holds, but not for long enough.
    Pending,
    /// It burns.
    Firing,
}

/// Data of `/api/v1/alerts`.
#[derive(Clone, Debug, Serialize)]
pub struct Alerts {
    /// Those that are pending or firing.
    pub alerts: Vec<AlertJson>,
}

/// An alert of a rule.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertJson {
    /// Its identity.
    pub labels: Labels,
    /// For people.
    pub annotations: Labels,
    /// Pending or firing.
    pub state: RuleState,
    /// Since when the condition holds.
    #[serde(serialize_with = "moment")]
    pub active_at: Option<Timestamp>,
    /// Since when it only fires because of `keep_firing_for`.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "moment")]
    pub keep_firing_since: Option<Timestamp>,
    /// In the form `1e+00`.
    pub value: String,
    /// Firebell's own: whether it begins and ends too often. Only there when it does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_flapping: bool,
    /// Firebell's own: what holds it firing although its condition does not hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_by: Option<&'static str>,
}

/// Data of `/api/v1/targets`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Targets {
    /// Those that are scraped.
    pub active_targets: Vec<ActiveTarget>,
    /// Those that relabelling dropped.
    pub dropped_targets: Vec<DroppedTarget>,
    /// How many were dropped, per job; `null` when only active ones were asked for.
    pub dropped_target_counts: Option<BTreeMap<String, usize>>,
}

/// A target that is scraped.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ActiveTarget {
    /// Labels before relabelling.
    pub discovered_labels: Labels,
    /// Labels that its series get.
    pub labels: Labels,
    /// The job.
    pub scrape_pool: String,
    /// Where it is scraped.
    pub scrape_url: String,
    /// The same, for people who are on another machine.
    pub global_url: String,
    /// Why the last scrape failed; empty when it did not.
    pub last_error: String,
    /// When it was.
    #[serde(serialize_with = "moment")]
    pub last_scrape: Option<Timestamp>,
    /// Seconds that it took.
    pub last_scrape_duration: f64,
    /// `up`, `down` or `unknown`.
    pub health: &'static str,
    /// Between two scrapes.
    pub scrape_interval: Duration,
    /// How long one may take.
    pub scrape_timeout: Duration,
}

/// A target that relabelling dropped.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DroppedTarget {
    /// Labels before relabelling.
    pub discovered_labels: Labels,
    /// The job.
    pub scrape_pool: String,
}

/// What a target says of a metric, in `/api/v1/metadata`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
pub struct MetricMetadata {
    /// Such as `counter`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Such as `seconds`; empty when unknown.
    pub unit: String,
    /// What it means.
    pub help: String,
}

/// What a target says of a metric, in `/api/v1/targets/metadata`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TargetMetadata {
    /// Labels of the target.
    pub target: Labels,
    /// Its name, unless it was asked for by that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// Such as `counter`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What it means.
    pub help: String,
    /// Such as `seconds`; empty when unknown.
    pub unit: String,
}

/// Data of `/api/v1/status/tsdb`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TsdbStatus {
    /// In figures.
    pub head_stats: TsdbHead,
    /// Metric names with the most series.
    pub series_count_by_metric_name: Vec<NamedCount>,
    /// Labels with the most values.
    pub label_value_count_by_label_name: Vec<NamedCount>,
    /// Labels whose values take the most bytes, over all series.
    pub memory_in_bytes_by_label_name: Vec<NamedCount>,
    /// Pairs `name=value` with the most series.
    pub series_count_by_label_value_pair: Vec<NamedCount>,
}

/// The store in figures.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "upstream's words")]
pub struct TsdbHead {
    pub num_series: u64,
    pub num_label_pairs: u64,
    pub chunk_count: u64,
    /// Milliseconds since the epoch; the end of time when there is no sample.
    pub min_time: i64,
    /// Milliseconds since the epoch; the beginning of time when there is no sample.
    pub max_time: i64,
}

/// How many of something with a name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[expect(missing_docs, reason = "upstream's words")]
pub struct NamedCount {
    pub name: String,
    pub value: u64,
}

/// Data of `/api/v1/status/buildinfo`, and `versionInfo` of Alertmanager's status.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "upstream's words")]
pub struct BuildInfo {
    pub version: String,
    pub revision: String,
    pub branch: String,
    pub build_user: String,
    pub build_date: String,
    pub go_version: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_written_as_upstream_writes_them() {
        let alerting = AlertingRuleJson {
            state: RuleState::Firing,
            duration: Duration::from_mins(5),
            keep_firing_for: Duration(1500),
            annotations: Labels::empty(),
            is_shadow: false,
            alerts: Some(vec![AlertJson {
                is_flapping: false,
                held_by: None,
                labels: Labels::from_pairs([("alertname", "Down")]),
                annotations: Labels::empty(),
                state: RuleState::Firing,
                active_at: Some(Timestamp(1500)),
                keep_firing_since: None,
                value: "1e+00".to_owned(),
            }]),
        };
        let rule = RuleJson {
            alerting: Some(alerting),
            name: "Down".to_owned(),
            query: "up == 0".to_owned(),
            labels: Some(Labels::empty()),
            health: "ok",
            last_error: String::new(),
            evaluation_time: 0.25,
            last_evaluation: None,
            kind: RuleKind::Alerting,
        };
        assert_eq!(
            serde_json::to_string(&rule).unwrap(),
            r#"{"state":"firing","duration":300,"keepFiringFor":1.5,"annotations":{},"alerts":[{"labels":{"alertname":"Down"},"annotations":{},"state":"firing","activeAt":"1970-01-01T00:00:01.5Z","value":"1e+00"}],"name":"Down","query":"up == 0","labels":{},"health":"ok","evaluationTime":0.25,"lastEvaluation":"0001-01-01T00:00:00Z","type":"alerting"}"#
        );
        let recording = RuleJson {
            alerting: None,
            kind: RuleKind::Recording,
            ..rule
        };
        let json = serde_json::to_string(&recording).unwrap();
        assert!(json.starts_with(r#"{"name":"Down","#), "{json}");
    }
}
