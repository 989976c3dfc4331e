//! Where the budgets of an objective went: `GET /api/firebell/v1/slos/spending?id=SERVICE/NAME`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use firebell_slo::{BudgetSpending, DeploySpending, Episode, IncidentSpending, Stretch, spending};
use firebell_wire::prometheus_json::{ApiError, ErrorKind};
use serde_json::{Value, json};

use super::super::deploys::deploy_json;
use super::{App, ask, named};

pub(in crate::http) async fn spent(State(app): State<App>, uri: Uri) -> Response {
    let objective = match named(&app, &uri) {
        Ok(objective) => objective,
        Err(error) => return super::super::json(error.kind.status(), error.to_json()),
    };
    let at = app.clock.now();
    let (since, _) = objective.window.around(at);
    let Ok(incidents) = app
        .handle
        .read(move |engine, _| engine.incidents().spans(since))
        .await
    else {
        return super::super::stopped();
    };
    let kept = Arc::clone(&app.deploys);
    let found = ask(&app, move |querier, _| {
        let mut deploys = kept.all();
        deploys.retain(|it| it.service == objective.service);
        let found = spending(&objective, &deploys, &incidents, at, querier);
        found.map_err(|why| ApiError::new(ErrorKind::Execution, why))
    });
    match found.await {
        Ok(found) => Json(json!({
            "at": found.at.to_string(),
            "from": found.from.to_string(),
            "budgets": found.budgets.iter().map(budget_json).collect::<Vec<_>>(),
        }))
        .into_response(),
        Err(error) => super::super::json(error.kind.status(), error.to_json()),
    }
}

fn budget_json(budget: &BudgetSpending) -> Value {
    json!({
        "labels": budget.labels,
        "episodes": budget.episodes.iter().map(episode_json).collect::<Vec<_>>(),
        "moreEpisodes": budget.n_more,
        "incidents": budget.incidents.iter().map(of_incident_json).collect::<Vec<_>>(),
        "moreIncidents": budget.n_more_incidents,
        "deploys": budget.deploys.iter().map(of_deploy_json).collect::<Vec<_>>(),
    })
}

fn episode_json(episode: &Episode) -> Value {
    json!({
        "stretch": stretch_json(&episode.stretch),
        "alerts": episode.alerts,
        "isOpen": episode.is_open,
        "incidents": episode.incidents,
        "deploy": episode.deploy.as_ref().map(deploy_json),
    })
}

fn of_incident_json(of: &IncidentSpending) -> Value {
    let incident = of.incident.as_ref().map(|it| {
        json!({
            "id": it.name,
            "title": it.title,
            "isOpen": it.until.is_none(),
            "isDeclined": it.is_declined,
        })
    });
    json!({
        "incident": incident,
        "stretch": stretch_json(&of.stretch),
        "parts": of.n_parts,
    })
}

fn of_deploy_json(of: &DeploySpending) -> Value {
    json!({
        "deploy": of.deploy.as_ref().map(deploy_json),
        "stretch": stretch_json(&of.stretch),
        "rateBefore": of.before,
        "rateAfter": of.after,
    })
}

fn stretch_json(stretch: &Stretch) -> Value {
    json!({
        "from": stretch.from.to_string(),
        "until": stretch.until.to_string(),
        "badEvents": stretch.bad,
        "totalEvents": stretch.total,
        "spent": stretch.share,
        "rate": stretch.rate,
    })
}
