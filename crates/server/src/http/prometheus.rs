//! Prometheus's HTTP API, as far as alerting clients and Grafana use it.
//!
//! *Sources*: Prometheus, `web/api/v1/api.go`, as behaviour.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::routing::{get, post};
use firebell_engine::Engine;
use firebell_model::{
    Duration, Labels, Matcher, Sample, Source, TimeRange, Timestamp, format_float_exponent,
};
use firebell_promql::{Annotation, EvalError, Node, Plan, Prepared, Value};
use firebell_rules::{AlertInstance, AlertPhase, GroupView, RuleView};
use firebell_wire::params::Params;
use firebell_wire::prometheus_json::{
    AlertJson, AlertingRuleJson, Alerts, ApiError, BuildInfo, ErrorKind, InstantQuery,
    MatrixSeries, QueryData, RangeQuery, RuleGroupJson, RuleGroups, RuleJson, RuleKind, RuleState,
    Success, VectorSample, limit_of, time_range,
};
use serde::Serialize;

use super::{App, json, params, write};
use crate::clock::Stopwatch;

/// Routes below `/api/v1`.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/query", get(query).post(query))
        .route("/query_range", get(query_range).post(query_range))
        .route("/series", get(series).post(series))
        .route("/labels", get(labels).post(labels))
        .route("/label/{name}/values", get(label_values))
        .route("/rules", get(rules))
        .route("/alerts", get(alerts))
        .route("/targets", get(targets))
        .route("/status/buildinfo", get(build_info))
        .route("/write", post(write::remote_write))
        .method_not_allowed_fallback(async || {
            (StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed\n")
        })
}

type Answer<T> = Result<Success<T>, ApiError>;

fn answer<T: Serialize>(result: Answer<T>) -> Response {
    match result {
        Ok(success) => json(200, success.to_json()),
        Err(error) => json(error.kind.status(), error.to_json()),
    }
}

async fn query(State(app): State<App>, uri: Uri, body: Bytes) -> Response {
    let params = params(&uri, &body);
    let now = app.clock.now();
    let result = match InstantQuery::parse(&params, now) {
        Ok(request) => {
            let timeout = request.timeout;
            compute(&app, timeout, move |source, options| {
                let mut prepared = prepare(&request.query)?;
                let value = prepared
                    .instant(source, request.at, options)
                    .map_err(failed)?;
                Ok(limited(
                    data(value, request.at),
                    request.limit,
                    prepared.annotations(),
                ))
            })
            .await
        }
        Err(error) => Err(error),
    };
    answer(result)
}

async fn query_range(State(app): State<App>, uri: Uri, body: Bytes) -> Response {
    let result = match RangeQuery::parse(&params(&uri, &body)) {
        Ok(request) => {
            let timeout = request.timeout;
            compute(&app, timeout, move |source, options| {
                let RangeQuery {
                    start, end, step, ..
                } = request;
                let mut prepared = prepare(&request.query)?;
                let value = prepared
                    .range(source, start, end, step, options)
                    .map_err(failed)?;
                Ok(limited(
                    data(value, end),
                    request.limit,
                    prepared.annotations(),
                ))
            })
            .await
        }
        Err(error) => Err(error),
    };
    answer(result)
}

/// Computes on a thread for blocking work, over the store as it is now, for a limited time, and no
/// longer than somebody waits for the answer.
async fn compute<T: Send + 'static>(
    app: &App,
    timeout: Option<Duration>,
    work: impl FnOnce(&dyn Source, &firebell_promql::Options<'_>) -> Answer<T> + Send + 'static,
) -> Answer<T> {
    let timeout = timeout
        .map_or(QUERY_TIMEOUT, |timeout| timeout.min(QUERY_TIMEOUT))
        .to_std();
    let watch = Stopwatch::start();
    let slot = tokio::time::timeout(timeout, app.slots.queries.acquire()).await;
    let Ok(_slot) = slot else {
        let message = "query timed out in query queue";
        return Err(ApiError::new(ErrorKind::Timeout, message));
    };
    let asker = Arc::new(());
    let is_awaited = Arc::downgrade(&asker);
    let view = app.store.view();
    let task = tokio::task::spawn_blocking(move || {
        let is_over = || watch.elapsed() > timeout || is_awaited.strong_count() == 0;
        let options = firebell_promql::Options {
            is_cancelled: Some(&is_over),
            ..Default::default()
        };
        let result = work(&view, &options);
        match result {
            Err(error) if error.kind == ErrorKind::Canceled && is_over() => {
                let message = "query timed out in expression evaluation";
                Err(ApiError::new(ErrorKind::Timeout, message))
            }
            result => result,
        }
    });
    let result = task.await.unwrap_or_else(|_| {
        Err(ApiError::new(
            ErrorKind::Internal,
            "the query failed: please report it",
        ))
    });
    drop(asker);
    result
}

fn prepare(query: &str) -> Result<Prepared, ApiError> {
    let plan = Plan::new(query).map_err(|error| {
        let message = format!("invalid parameter \"query\": {}", error);
        ApiError::new(ErrorKind::BadData, message)
    })?;
    Ok(Prepared::new(plan))
}

fn failed(error: EvalError) -> ApiError {
    let kind = match error {
        EvalError::Cancelled => ErrorKind::Canceled,
        EvalError::Source(_) => ErrorKind::Internal,
        _ => ErrorKind::Execution,
    };
    ApiError::new(kind, error.to_string())
}

fn data(value: Value, at: Timestamp) -> QueryData {
    match value {
        Value::Scalar(value) => QueryData::Scalar(Sample { at, value }),
        Value::String(text) => QueryData::String(at, text),
        Value::Vector(samples) => {
            let samples = samples.into_iter().map(|sample| VectorSample {
                metric: sample.labels,
                at: sample.at,
                value: sample.value,
            });
            QueryData::Vector(samples.collect())
        }
        Value::Matrix(series) => {
            let series = series.into_iter().map(|series| MatrixSeries {
                metric: series.labels,
                values: series.samples,
                histograms: series.histograms,
            });
            QueryData::Matrix(series.collect())
        }
    }
}

fn limited(
    mut data: QueryData,
    limit: Option<usize>,
    annotations: &[Annotation],
) -> Success<QueryData> {
    let limit = limit.unwrap_or(usize::MAX);
    let is_cut = match &mut data {
        QueryData::Vector(samples) => cut(samples, limit),
        QueryData::Matrix(series) => cut(series, limit),
        QueryData::Scalar(_) | QueryData::String(..) => false,
    };
    let mut success = noting_cut(data, is_cut);
    for annotation in annotations {
        let list = if annotation.is_warning {
            &mut success.warnings
        } else {
            &mut success.infos
        };
        list.push(annotation.message.clone());
    }
    success
}

fn cut<T>(items: &mut Vec<T>, limit: usize) -> bool {
    let is_cut = items.len() > limit;
    items.truncate(limit);
    is_cut
}

fn noting_cut<T: Serialize>(data: T, is_cut: bool) -> Success<T> {
    let mut success = Success::new(data);
    if is_cut {
        success
            .warnings
            .push("results truncated due to limit".to_owned());
    }
    success
}

async fn series(State(app): State<App>, uri: Uri, body: Bytes) -> Response {
    let params = params(&uri, &body);
    if params.all("match[]").next().is_none() {
        let message = "no match[] parameter provided";
        return answer::<()>(Err(ApiError::new(ErrorKind::BadData, message)));
    }
    answer(
        list(&app, params, |source, matchers, range| {
            let found = source.select(matchers, range)?;
            Ok(found
                .iter()
                .map(|series| series.labels().clone())
                .collect::<Vec<Labels>>())
        })
        .await,
    )
}

async fn labels(State(app): State<App>, uri: Uri, body: Bytes) -> Response {
    let params = params(&uri, &body);
    answer(
        list(&app, params, |source, matchers, range| {
            source.label_names(matchers, range)
        })
        .await,
    )
}

async fn label_values(State(app): State<App>, Path(name): Path<String>, uri: Uri) -> Response {
    if name.is_empty() {
        let error = ApiError::new(ErrorKind::BadData, "invalid label name: \"\"");
        return answer::<()>(Err(error));
    }
    let params = params(&uri, &Bytes::new());
    answer(
        list(&app, params, move |source, matchers, range| {
            source.label_values(&name, matchers, range)
        })
        .await,
    )
}

/// Lists over each `match[]` in turn, joined, sorted, without repetitions, cut at `limit`.
async fn list<T: Ord + Send + Serialize + 'static>(
    app: &App,
    params: Params,
    find: impl Fn(&dyn Source, &[Matcher], TimeRange) -> Result<Vec<T>, firebell_model::SourceError>
    + Send
    + 'static,
) -> Answer<Vec<T>> {
    let (start, end) = time_range(&params)?;
    let limit = limit_of(&params)?.unwrap_or(usize::MAX);
    let range = TimeRange {
        after: start - Duration(1),
        until: end,
    };
    compute(app, None, move |source, _| {
        let mut selectors = params
            .all("match[]")
            .map(selector)
            .collect::<Result<Vec<_>, _>>()?;
        if selectors.is_empty() {
            selectors.push(Vec::new());
        }
        let mut found = Vec::new();
        for matchers in &selectors {
            let failed = |error| failed(EvalError::Source(error));
            found.extend(find(source, matchers, range).map_err(failed)?);
        }
        found.sort_unstable();
        found.dedup();
        let is_cut = cut(&mut found, limit);
        Ok(noting_cut(found, is_cut))
    })
    .await
}

fn selector(text: &str) -> Result<Vec<Matcher>, ApiError> {
    let bad = |why: String| {
        ApiError::new(
            ErrorKind::BadData,
            format!("invalid parameter \"match[]\": {why}"),
        )
    };
    let expr = firebell_promql::parse(text).map_err(|error| bad(error.to_string()))?;
    match expr.node {
        Node::Selector(selector) => Ok(selector.matchers),
        _ => Err(bad(format!("{text:?} is not a series selector"))),
    }
}

async fn rules(State(app): State<App>, uri: Uri) -> Response {
    let params = params(&uri, &Bytes::new());
    let wanted = match RuleFilter::parse(&params) {
        Ok(wanted) => wanted,
        Err(error) => return answer::<()>(Err(error)),
    };
    let groups = app
        .handle
        .read(move |engine, _| rule_groups(engine, &wanted))
        .await;
    answer(
        groups
            .map(|groups| Success::new(RuleGroups { groups, next: None }))
            .map_err(stopped),
    )
}

fn stopped(error: crate::driver::Unrecorded) -> ApiError {
    ApiError::new(ErrorKind::Unavailable, error.to_string())
}

/// Which rules are asked for; an empty list asks for all.
struct RuleFilter {
    kind: Option<RuleKind>,
    names: Vec<String>,
    groups: Vec<String>,
    files: Vec<String>,
    with_alerts: bool,
}

impl RuleFilter {
    fn parse(params: &Params) -> Result<Self, ApiError> {
        let kind = match params.get("type").unwrap_or("").to_lowercase().as_str() {
            "" => None,
            "alert" => Some(RuleKind::Alerting),
            "record" => Some(RuleKind::Recording),
            other => {
                let message = format!("invalid parameter \"type\": not supported value {other:?}");
                return Err(ApiError::new(ErrorKind::BadData, message));
            }
        };
        let all = |name| params.all(name).map(str::to_owned).collect();
        Ok(Self {
            kind,
            names: all("rule_name[]"),
            groups: all("rule_group[]"),
            files: all("file[]"),
            with_alerts: params.get("exclude_alerts") != Some("true"),
        })
    }

    fn wants(&self, rule: RuleView<'_>) -> bool {
        self.kind.is_none_or(|kind| kind == kind_of(rule))
            && (self.names.is_empty() || self.names.contains(&rule.rule.name))
    }

    fn wants_group(&self, group: GroupView<'_>) -> bool {
        (self.groups.is_empty() || self.groups.contains(&group.group.name))
            && (self.files.is_empty() || self.files.contains(&group.group.file))
    }
}

fn rule_groups(engine: &Engine, wanted: &RuleFilter) -> Vec<RuleGroupJson> {
    let groups = engine
        .rules()
        .groups()
        .filter(|group| wanted.wants_group(*group));
    let groups = groups.map(|group| RuleGroupJson {
        name: group.group.name.clone(),
        file: group.group.file.clone(),
        rules: group
            .rules()
            .filter(|rule| wanted.wants(*rule))
            .map(|rule| rule_json(rule, wanted.with_alerts))
            .collect(),
        interval: group.group.interval,
        limit: group.group.limit.unwrap_or(0),
        evaluation_time: group.took().as_secs_f64(),
        last_evaluation: group.last_evaluation(),
    });
    let is_asked_whole = wanted.kind.is_none() && wanted.names.is_empty();
    groups
        .filter(|group| is_asked_whole || !group.rules.is_empty())
        .collect()
}

fn kind_of(rule: RuleView<'_>) -> RuleKind {
    if rule.rule.as_alerting().is_some() {
        RuleKind::Alerting
    } else {
        RuleKind::Recording
    }
}

fn rule_json(rule: RuleView<'_>, with_alerts: bool) -> RuleJson {
    let alerting = rule.rule.as_alerting().map(|alerting| AlertingRuleJson {
        state: match rule.state_name() {
            "firing" => RuleState::Firing,
            "pending" => RuleState::Pending,
            "inactive" => RuleState::Inactive,
            _ => RuleState::Unknown,
        },
        duration: alerting.hold_for,
        keep_firing_for: alerting.keep_firing_for,
        annotations: rule.rule.annotation_texts.clone(),
        alerts: if with_alerts {
            active_alerts(rule).collect()
        } else {
            Vec::new()
        },
    });
    RuleJson {
        alerting,
        name: rule.rule.name.clone(),
        query: rule.rule.expr_text(),
        labels: rule.rule.label_texts.clone(),
        health: rule.health().name(),
        last_error: rule.last_error().unwrap_or_default().to_owned(),
        evaluation_time: rule.took().as_secs_f64(),
        last_evaluation: rule.last_evaluation(),
        kind: kind_of(rule),
    }
}

fn active_alerts(rule: RuleView<'_>) -> impl Iterator<Item = AlertJson> {
    rule.alerts().iter().filter_map(alert_json)
}

/// `None` for a resolved alert: the API lists only those that are pending or firing.
fn alert_json(alert: &AlertInstance) -> Option<AlertJson> {
    let (state, keep_firing_since) = match alert.phase {
        AlertPhase::Pending => (RuleState::Pending, None),
        AlertPhase::Firing {
            keep_firing_since, ..
        } => (RuleState::Firing, keep_firing_since),
        AlertPhase::Resolved { .. } => return None,
    };
    Some(AlertJson {
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        state,
        active_at: Some(alert.active_at),
        keep_firing_since,
        value: format_float_exponent(alert.value),
    })
}

async fn alerts(State(app): State<App>) -> Response {
    let alerts = app.handle.read(|engine, _| {
        let rules = engine.rules().groups().flat_map(|group| group.rules());
        rules.flat_map(active_alerts).collect::<Vec<AlertJson>>()
    });
    answer(
        alerts
            .await
            .map(|alerts| Success::new(Alerts { alerts }))
            .map_err(stopped),
    )
}

async fn targets(State(app): State<App>, uri: Uri) -> Response {
    let params = params(&uri, &Bytes::new());
    let state = params.get("state").unwrap_or("").to_lowercase();
    let targets = app.scraper.targets(&state, params.get("scrapePool"));
    answer(Ok(Success::new(targets)))
}

async fn build_info() -> Response {
    // Grafana chooses what it asks for by the version, and takes 2.x and 3.x for a Prometheus.
    answer(Ok(Success::new(version("3.5.0"))))
}

/// What clients are told of the program: the version of upstream's whose API this is.
pub(crate) fn version(upstream: &str) -> BuildInfo {
    BuildInfo {
        version: upstream.to_owned(),
        revision: concat!("firebell-", env!("CARGO_PKG_VERSION")).to_owned(),
        branch: "firebell".to_owned(),
        ..BuildInfo::default()
    }
}

/// The longest that a query may take.
const QUERY_TIMEOUT: Duration = Duration::from_mins(2);
