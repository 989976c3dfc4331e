//! Objectives over Firebell's own API: what is promised, what is left of the error budgets, which
//! flows nobody promised anything about.

mod spending;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use firebell_model::{Labels, Matcher, Sample, TimeRange, Timestamp};
use firebell_promql::{Prepared, VectorSample};
use firebell_rules::{Querier, StoreQuerier};
use firebell_slo::{Budget, Ledger, Objective, Objectives, history, ledger};
use firebell_wire::prometheus_json::{ApiError, ErrorKind};
use serde_json::{Value, json};

pub(super) use self::spending::spent;

use super::prometheus::{Job, compute_with};
use super::{App, written};
use crate::http::params;

/// `GET /api/firebell/v1/slos`.
pub(super) async fn list(State(app): State<App>) -> Response {
    let objectives = Arc::clone(&app.live.config().objectives);
    let at = app.clock.now();
    let flows = flows(&objectives);
    let listed = ask(&app, move |querier, job| {
        let mut listed = Vec::with_capacity(objectives.all.len());
        for objective in &objectives.all {
            job.check()?;
            listed.push(objective_json(objective, &ledger(objective, at, querier)));
        }
        Ok(listed)
    });
    match listed.await {
        Ok(listed) => {
            let said = json!({ "at": at.to_string(), "objectives": listed, "flows": flows });
            written(move || said).await
        }
        Err(error) => super::json(error.kind.status(), error.to_json()),
    }
}

/// `GET /api/firebell/v1/slos/history?id=SERVICE/NAME`.
pub(super) async fn past(State(app): State<App>, uri: Uri) -> Response {
    let objective = match named(&app, &uri) {
        Ok(objective) => objective,
        Err(error) => return super::json(error.kind.status(), error.to_json()),
    };
    let at = app.clock.now();
    let points = ask(&app, move |querier, _| {
        let points = history(&objective, at, HISTORY_POINTS, querier);
        points.map_err(|why| ApiError::new(ErrorKind::Execution, why))
    });
    match points.await {
        Ok(points) => {
            let budgets = move || points.iter().map(points_json).collect::<Vec<_>>();
            written(move || json!({ "at": at.to_string(), "budgets": budgets() })).await
        }
        Err(error) => super::json(error.kind.status(), error.to_json()),
    }
}

/// The objective of `id`.
fn named(app: &App, uri: &Uri) -> Result<Arc<Objective>, ApiError> {
    let params = params(uri, &axum::body::Bytes::new());
    let id = params.get("id").unwrap_or_default();
    let config = app.live.config();
    let mut objectives = config.objectives.all.iter();
    let found = objectives.find(|it| it.id == id).cloned();
    found.ok_or_else(|| ApiError::new(ErrorKind::NotFound, format!("there is no objective `{id}`")))
}

/// Asks the store, or the cluster that holds the series, on a thread that may wait.
async fn ask<T: Send + 'static>(
    app: &App,
    work: impl FnOnce(&dyn Querier, &Job<'_>) -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    let cluster = app.external.source().map(|it| app.external.querier(it));
    let answered = compute_with(app, None, move |job| {
        let store = StoreQuerier {
            source: job.source,
            options: job.options.clone(),
        };
        let inner: &dyn Querier = match &cluster {
            Some(cluster) => cluster,
            None => &store,
        };
        let found = work(&WhileAwaited { inner, job }, job);
        // What failed for want of time says so, whatever words it passed through.
        found
            .map(Answered)
            .map_err(|error| job.check().err().unwrap_or(error))
    });
    answered.await.map(|Answered(answered)| answered)
}

/// Asks no further when time is over or nobody waits: a cluster cannot tell.
struct WhileAwaited<'a> {
    inner: &'a dyn Querier,
    job: &'a Job<'a>,
}

impl Querier for WhileAwaited<'_> {
    fn vector(&self, expr: &mut Prepared, at: Timestamp) -> Result<Vec<VectorSample>, String> {
        self.job.check().map_err(|error| error.to_string())?;
        self.inner.vector(expr, at)
    }

    fn last_samples(
        &self,
        matchers: &[Matcher],
        range: TimeRange,
    ) -> Result<Vec<(Labels, Sample)>, String> {
        self.job.check().map_err(|error| error.to_string())?;
        self.inner.last_samples(matchers, range)
    }
}

/// What is not yet an answer.
struct Answered<T>(T);

impl<T> IntoResponse for Answered<T> {
    fn into_response(self) -> Response {
        ().into_response()
    }
}

fn objective_json(objective: &Objective, ledger: &Result<Ledger, String>) -> Value {
    let (from, until) = match ledger {
        Ok(ledger) => (ledger.from, ledger.until),
        Err(_) => (Timestamp(0), Timestamp(0)),
    };
    let budgets = ledger.as_ref().map_or(&[][..], |it| &it.budgets);
    let alerts: Vec<Value> = objective
        .tiers
        .iter()
        .map(|tier| {
            json!({
                "name": tier.name,
                "severity": tier.severity.name(),
                "long": tier.long.to_string(),
                "short": tier.short.to_string(),
                "factor": tier.factor,
                "threshold": tier.threshold(objective.target.budget()),
            })
        })
        .collect();
    json!({
        "id": objective.id,
        "service": objective.service,
        "name": objective.name,
        "flow": objective.flow,
        "description": objective.description,
        "objective": objective.target.percent(),
        "window": objective.window.to_string(),
        "windowSeconds": objective.window.period().as_secs_f64(),
        "from": from.to_string(),
        "until": until.to_string(),
        "owner": objective.owner,
        "runbook": objective.runbook,
        "notify": objective.page.0.get("notify"),
        "alertName": objective.alert,
        "file": objective.file,
        "line": objective.place.line,
        "state": state(budgets, ledger.is_err()),
        "error": ledger.as_ref().err(),
        "alerts": alerts,
        "budgets": budgets.iter().map(budget_json).collect::<Vec<_>>(),
    })
}

/// The worst of its budgets.
fn state(budgets: &[Budget], is_wrong: bool) -> &'static str {
    let any = |is: fn(&Budget) -> bool| budgets.iter().any(is);
    if is_wrong {
        "error"
    } else if budgets.is_empty() {
        "noData"
    } else if any(|it| it.tiers.iter().any(|tier| tier.is_firing)) {
        "burning"
    } else if any(|it| it.spent.share > 1.0) {
        "spent"
    } else {
        "ok"
    }
}

fn budget_json(budget: &Budget) -> Value {
    let burns: Vec<Value> = budget
        .burns
        .iter()
        .map(|burn| json!({ "window": burn.window.to_string(), "rate": burn.rate }))
        .collect();
    let alerts: Vec<Value> = budget
        .tiers
        .iter()
        .map(|tier| {
            json!({
                "name": tier.name,
                "isFiring": tier.is_firing,
                "heldBack": tier.held.as_ref().map(ToString::to_string),
            })
        })
        .collect();
    json!({
        "labels": budget.labels,
        "badEvents": budget.spent.bad,
        "totalEvents": budget.spent.total,
        "badRatio": budget.spent.ratio,
        "spent": budget.spent.share,
        "remaining": 1.0 - budget.spent.share,
        "exhaustedInSeconds": budget.exhausted_in.map(|it| it.as_secs_f64()),
        "burns": burns,
        "alerts": alerts,
    })
}

fn points_json((labels, points): (&Labels, &Vec<(Timestamp, f64)>)) -> Value {
    let points: Vec<Value> = points
        .iter()
        .map(|(at, remaining)| json!({ "at": at.to_string(), "remaining": remaining }))
        .collect();
    json!({ "labels": labels, "points": points })
}

/// The catalogue, each flow with its objectives.
fn flows(objectives: &Objectives) -> Vec<Value> {
    let mut by_flow: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for objective in &objectives.all {
        let key = (&*objective.service, &*objective.flow);
        by_flow.entry(key).or_default().push(&objective.id);
    }
    let flows = objectives.flows.iter().map(|flow| {
        let ids = by_flow.get(&(&*flow.service, &*flow.name));
        json!({
            "service": flow.service,
            "name": flow.name,
            "description": flow.description,
            "owner": flow.owner,
            "critical": flow.is_critical,
            "objectives": ids.cloned().unwrap_or_default(),
        })
    });
    flows.collect()
}

/// Moments of a history.
const HISTORY_POINTS: usize = 90;
