//! `/targets`, `/metadata`, `/scrape_pools` and what they lead to.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use firebell_model::{LabelsBuilder, RelabelRule};
use firebell_wire::go;
use firebell_wire::params::Params;
use firebell_wire::prometheus_json::{ApiError, MetricMetadata, Success, TargetMetadata};
use serde::Serialize;

use super::{Answer, answer, aside, bad_data, selector};
use crate::http::{App, params};

pub(super) async fn targets(State(app): State<App>, uri: Uri) -> Response {
    let params = params(&uri, &Bytes::new());
    aside(move || {
        let state = params.get("state").unwrap_or("").to_lowercase();
        let pool = params.get("scrapePool").filter(|pool| !pool.is_empty());
        let external_url = &app.live.config().external_url;
        Ok(Success::new(app.scraper.targets(
            &state,
            pool,
            external_url,
        )))
    })
    .await
}

/// What targets say of their metrics, without repetitions.
pub(super) async fn metadata(State(app): State<App>, uri: Uri) -> Response {
    aside(move || list_metadata(&app, &params(&uri, &Bytes::new()))).await
}

fn list_metadata(app: &App, params: &Params) -> Answer<BTreeMap<String, BTreeSet<MetricMetadata>>> {
    let limit = number(params, "limit")?;
    let per_metric = number(params, "limit_per_metric")?.filter(|limit| *limit > 0);
    let metric = params.get("metric").filter(|name| !name.is_empty());
    let mut listed: BTreeMap<String, BTreeSet<MetricMetadata>> = BTreeMap::new();
    app.scraper.for_each_family(metric, |_, name, family| {
        let known = match listed.get_mut(name) {
            Some(known) => known,
            None => listed.entry(name.to_owned()).or_default(),
        };
        if per_metric.is_none_or(|limit| known.len() < limit) {
            known.insert(MetricMetadata {
                kind: family.kind.name(),
                unit: family.unit.to_string(),
                help: family.help.to_string(),
            });
        }
    });
    // What was written here rather than scraped.
    for (name, written) in app.store.all_metadata() {
        if metric.is_none_or(|metric| *name == *metric) && !listed.contains_key(&*name) {
            let written = MetricMetadata {
                kind: written.kind.name(),
                unit: written.unit.to_string(),
                help: written.help.to_string(),
            };
            listed.insert(name.to_string(), BTreeSet::from([written]));
        }
    }
    if let Some(limit) = limit {
        listed = listed.into_iter().take(limit).collect();
    }
    Ok(Success::new(listed))
}

/// A limit; `None` when it is absent or negative.
fn number(params: &Params, name: &str) -> Result<Option<usize>, ApiError> {
    let Some(text) = params.get(name).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let number = go::int(text).map_err(|_| bad_data(format!("{name} must be a number")))?;
    Ok(usize::try_from(number).ok())
}

/// What each target says of its metrics.
pub(super) async fn target_metadata(State(app): State<App>, uri: Uri) -> Response {
    aside(move || list_target_metadata(&app, &params(&uri, &Bytes::new()))).await
}

fn list_target_metadata(app: &App, params: &Params) -> Answer<Vec<TargetMetadata>> {
    let limit = number(params, "limit")?;
    let chosen = params.get("match_target").filter(|text| !text.is_empty());
    let chosen = chosen.map(selector).transpose();
    let chosen = chosen
        .map_err(|why| bad_data(format!("invalid parameter \"match_target\": {why}")))?
        .unwrap_or_default();
    let metric = params.get("metric").filter(|name| !name.is_empty());
    let mut listed: Vec<TargetMetadata> = Vec::new();
    // The target at which the limit was reached is listed to its end, as upstream does.
    let mut last = None;
    app.scraper.for_each_family(metric, |target, name, family| {
        let is_full = limit.is_some_and(|limit| listed.len() >= limit);
        if (is_full && last.as_ref() != Some(target))
            || !chosen.iter().all(|matcher| matcher.matches(target))
        {
            return;
        }
        last = Some(target.clone());
        listed.push(TargetMetadata {
            target: target.clone(),
            metric: metric.is_none().then(|| name.to_owned()),
            kind: family.kind.name(),
            help: family.help.to_string(),
            unit: family.unit.to_string(),
        });
    });
    Ok(Success::new(listed))
}

/// What each relabelling rule of a job makes of a target.
pub(super) async fn relabel_steps(State(app): State<App>, uri: Uri) -> Response {
    #[derive(Serialize)]
    struct Steps {
        steps: Vec<Step>,
    }
    let steps = list_steps(&app, &params(&uri, &Bytes::new()));
    answer(steps.map(|steps| Success::new(Steps { steps })))
}

/// A rule, and the labels after it.
#[derive(Serialize)]
struct Step {
    rule: RuleJson,
    output: BTreeMap<String, String>,
    keep: bool,
}

/// A relabelling rule; what is empty is left out.
#[derive(Serialize)]
struct RuleJson {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    source_labels: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    separator: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    regex: String,
    #[serde(skip_serializing_if = "is_zero")]
    modulus: u64,
    #[serde(skip_serializing_if = "String::is_empty")]
    target_label: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    replacement: String,
    action: String,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl From<&RelabelRule> for RuleJson {
    fn from(rule: &RelabelRule) -> Self {
        let options = rule.options();
        Self {
            source_labels: options.source_labels,
            separator: options.separator.unwrap_or_default(),
            regex: options.regex.unwrap_or_default(),
            modulus: options.modulus.unwrap_or(0),
            target_label: options.target_label.unwrap_or_default(),
            replacement: options.replacement.unwrap_or_default(),
            action: options.action.to_string(),
        }
    }
}

fn list_steps(app: &App, params: &Params) -> Result<Vec<Step>, ApiError> {
    let given = |name: &str| {
        let text = params.get(name).filter(|text| !text.is_empty());
        text.ok_or_else(|| bad_data(format!("no {name} parameter provided")))
    };
    let (pool, labels) = (given("scrapePool")?, given("labels")?);
    let labels: BTreeMap<String, String> = serde_json::from_str(labels)
        .map_err(|error| bad_data(format!("error parsing labels: {error}")))?;
    let job = app.scraper.job(pool).ok_or_else(|| {
        let why = format!("scrape pool {pool:?} not found");
        bad_data(format!("error retrieving scrape config: {why}"))
    })?;
    let mut builder = LabelsBuilder::default();
    for (name, value) in labels {
        builder.set(name, value);
    }
    let mut keep = true;
    let step = |rule: &RelabelRule| {
        keep = keep && rule.apply(&mut builder);
        let labels = builder.iter().filter(|_| keep);
        let labels = labels.filter(|label| !label.value.is_empty());
        Step {
            rule: rule.into(),
            output: labels
                .map(|label| (label.name.to_string(), label.value.to_string()))
                .collect(),
            keep,
        }
    };
    Ok(job.relabel.iter().map(step).collect())
}

pub(super) async fn scrape_pools(State(app): State<App>) -> Response {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Pools {
        scrape_pools: Vec<String>,
    }
    let scrape_pools = app.scraper.pools();
    answer(Ok(Success::new(Pools { scrape_pools })))
}

/// The part of the configuration that a job takes.
pub(super) async fn scrape_pool_config(State(app): State<App>, uri: Uri) -> Response {
    let params = params(&uri, &Bytes::new());
    let pool = params.get("scrapePool").unwrap_or("");
    if pool.is_empty() {
        return answer::<()>(Err(bad_data("no scrapePool parameter provided")));
    }
    answer(match app.scraper.job(pool) {
        Some(job) => Ok(Success::new(super::status::Yaml {
            yaml: job.text.clone(),
        })),
        None => {
            let why = format!("scrape pool {pool:?} not found");
            Err(bad_data(format!("error retrieving scrape config: {why}")))
        }
    })
}
