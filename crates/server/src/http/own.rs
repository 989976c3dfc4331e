//! Firebell's own API, as `docs/openapi.json` has it: what the page reads.

use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use firebell_dispatch::{AlertState, AlertView, Dispatch, DispatchStats};
use firebell_engine::{Engine, InboxEntry};
use firebell_heartbeat::HeartbeatState;
use firebell_model::{Fingerprint, Labels, Timestamp, format_float};
use firebell_rules::{AlertInstance, AlertPhase, GroupView, Hold, Mode, RuleView};
use firebell_wire::prometheus_json::{ApiError, ErrorKind};
use serde::Serialize;
use serde_json::{Value, json};

use super::{App, may_wait, written};
use crate::quality_metrics::IncidentFigures;

/// `GET /api/firebell/v1/status`.
pub(super) async fn status(State(app): State<App>) -> Response {
    let look = |engine: &Engine, now| (counts(engine, now), rule_problems(engine));
    let Ok((counts, problems)) = app.handle.read(look).await else {
        return stopped();
    };
    let store = Arc::clone(&app.store);
    let Some(stats) = may_wait(move || store.stats()).await else {
        return stopped();
    };
    let (targets, up) = app.scraper.count_up();
    let is_empty = targets == 0 && counts.rules == 0 && stats.series == 0;
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "startedAt": app.started_at.to_string(),
        "ready": true,
        "configFile": app.live.file().map(|path| path.display().to_string()),
        "configLoadedAt": app.live.file().map(|_| app.live.loaded_at().to_string()),
        "configProblems": app.live.problems(),
        "storageProblems": storage_problems(&app),
        "ruleProblems": problems,
        "counts": {
            "targets": targets,
            "targetsUp": up,
            "rules": counts.rules,
            "alertsFiring": counts.firing,
            "alertsPending": counts.pending,
            "series": stats.series,
            "samplesPerSecond": app.metrics.samples_rate.per_second(),
            "inbox": counts.inbox,
        },
        "nextSteps": if is_empty { next_steps(&app) } else { json!([]) },
    }))
    .into_response()
}

/// What a restart would forget, and why: the disk is full or fails.
pub(super) fn storage_problems(app: &App) -> Vec<String> {
    let samples = app.store.trouble().map(|error| error.to_string());
    let journal = app.metrics.journal_trouble.lock();
    let journal = journal.unwrap_or_else(PoisonError::into_inner).clone();
    let troubles = [
        ("alerts, silences and what was told", journal),
        ("samples", samples),
    ];
    let troubles = troubles.into_iter();
    troubles
        .filter_map(|(what, why)| Some(format!("the latest {what} are in memory only: {}", why?)))
        .collect()
}

/// `GET /api/firebell/v1/alerts`.
pub(super) async fn alerts(State(app): State<App>) -> Response {
    match app.handle.read(list_alerts).await {
        Ok(alerts) => written(move || json!({ "alerts": alerts })).await,
        Err(_) => stopped(),
    }
}

/// `GET /api/firebell/v1/inbox`.
pub(super) async fn inbox(State(app): State<App>) -> Response {
    let entries = app.handle.read(|engine, _| {
        engine
            .inbox()
            .entries()
            .rev()
            .cloned()
            .collect::<Vec<InboxEntry>>()
    });
    match entries.await {
        Ok(entries) => {
            let entries = move || entries.iter().map(inbox_entry).collect::<Vec<_>>();
            written(move || json!({ "entries": entries() })).await
        }
        Err(_) => stopped(),
    }
}

/// The driver has stopped: Firebell is shutting down.
pub(super) fn stopped() -> Response {
    let error = ApiError::new(ErrorKind::Unavailable, "firebell is shutting down");
    super::json(error.kind.status(), error.to_json())
}

/// How many of what there are.
#[derive(Default)]
pub(super) struct Counts {
    /// Rules of both kinds.
    pub rules: usize,
    /// Alerts that fire, of own rules and from outside.
    pub firing: usize,
    /// Of these, those that are not muted, and those that are.
    pub marked: [u64; 2],
    /// What dispatch holds, and what it left out.
    pub dispatch: DispatchStats,
    /// Alerts that wait for their `for`.
    pub pending: usize,
    /// Alerts that begin and end too often.
    pub flapping: usize,
    /// Rules whose last evaluation failed.
    pub rules_failing: usize,
    /// Alerts of rules in shadow mode that began to fire.
    pub shadow_fired: u64,
    /// Entries of the inbox.
    pub inbox: usize,
    /// Incidents.
    pub incidents: IncidentFigures,
    /// Jobs that are awaited, by how they fare.
    pub heartbeats: [u64; HeartbeatState::ALL.len()],
    /// Leases that are held.
    pub leases: usize,
}

/// Counts what the engine holds. Costs as much as there are groups of rules,
/// alerts that fire, jobs that are awaited and leases.
pub(super) fn counts(engine: &Engine, now: Timestamp) -> Counts {
    let mut counts = Counts {
        inbox: engine.inbox().entries().len(),
        incidents: IncidentFigures::of(engine),
        leases: engine.leases().held(now).count(),
        ..Counts::default()
    };
    for (_, it) in engine.heartbeats().iter() {
        counts.heartbeats[it.state_at(now) as usize] += 1;
    }
    for group in engine.rules().groups() {
        let tally = group.tally();
        counts.rules += group.group.rules.len();
        counts.pending += tally.n_pending;
        counts.flapping += tally.n_flapping;
        counts.shadow_fired += tally.n_shadow_fired;
        counts.rules_failing += tally.n_failing;
    }
    for state in engine.dispatch().states(now) {
        counts.firing += 1;
        counts.marked[usize::from(state == AlertState::Suppressed)] += 1;
    }
    counts.dispatch = engine.dispatch().stats();
    counts
}

/// Of each rule whose last evaluation failed why, and of many how many more.
fn rule_problems(engine: &Engine) -> Vec<String> {
    let groups = engine.rules().groups();
    let n_failing: usize = groups.map(|group| group.tally().n_failing).sum();
    let problem = |(group, rule): (GroupView<'_>, RuleView<'_>)| {
        let error = rule.last_error()?;
        let (name, group) = (&rule.rule.name, &group.group.name);
        Some(format!("{name} in group {group}: {error}"))
    };
    let n_named = n_failing.min(RULE_PROBLEMS_MAX);
    let mut problems: Vec<_> = all_rules(engine)
        .filter_map(problem)
        .take(n_named)
        .collect();
    let n_more = n_failing - problems.len();
    if n_more > 0 {
        problems.push(format!("and {n_more} more"));
    }
    problems
}

fn all_rules(engine: &Engine) -> impl Iterator<Item = (GroupView<'_>, RuleView<'_>)> {
    let groups = engine.rules().groups();
    groups.flat_map(|group| group.rules().map(move |rule| (group, rule)))
}

/// So many rules that fail are named at the head of the page.
const RULE_PROBLEMS_MAX: usize = 5;

fn next_steps(app: &App) -> Value {
    let config = app.live.config();
    let url = &*config.external_url;
    json!([
        {
            "title": "See it work",
            "detail": "The demo starts a small shop, breaks it, and shows who is told. Stop this \
                       Firebell, and run it in a checkout: both use the same port.",
            "command": "make demo",
        },
        {
            "title": "Watch your own service",
            "detail": "Say where its metrics are, put alerting rules beside it, and start \
                       Firebell anew with both.",
            "command": "cat > firebell.yml <<'END'\nrule_files: ['*.rules.yml']\nscrape_configs:\n  \
                        - job_name: my-service\n    static_configs:\n      \
                        - targets: ['127.0.0.1:8000']\nEND\nfirebell serve --config firebell.yml",
        },
        {
            "title": "Use the files that you have",
            "detail": "An existing prometheus.yml and alertmanager.yml are taken as they are; \
                       either will do.",
            "command": "cat > firebell.yml <<'END'\nprometheus: prometheus.yml\n\
                        alertmanager: alertmanager.yml\nEND\nfirebell serve --config firebell.yml",
        },
        {
            "title": "Or send it what you have",
            "detail": "Prometheus can write its samples here, and send its alerts here.",
            "command": format!(
                "remote_write:\n  - url: {url}/api/v1/write\nalerting:\n  alertmanagers:\n    \
                 - static_configs:\n        - targets: ['{}']",
                url.split_once("://").map_or(url, |(_, host)| host),
            ),
        },
    ])
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AlertJson {
    fingerprint: String,
    state: &'static str,
    labels: Labels,
    annotations: Labels,
    value: Value,
    active_at: String,
    fired_at: Option<String>,
    resolved_at: Option<String>,
    is_flapping: bool,
    held_by: Option<&'static str>,
    #[serde(rename = "generatorURL")]
    generator_url: String,
    rule: Value,
    #[serde(flatten)]
    told: ToldJson,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct ToldJson {
    receivers: Vec<String>,
    silenced_by: Vec<String>,
    inhibited_by: Vec<String>,
    next_notification_at: Option<String>,
    last_notified_at: Option<String>,
}

fn list_alerts(engine: &Engine, now: Timestamp) -> Vec<AlertJson> {
    let mut listed = Vec::new();
    let mut own = std::collections::BTreeSet::new();
    for group in engine.rules().groups() {
        for rule in group.rules() {
            for alert in rule.alerts().iter().chain(rule.reports()) {
                let labels = outgoing(engine, alert);
                own.insert(labels.fingerprint());
                listed.push(own_alert(engine, now, (group, rule), alert, labels));
            }
        }
    }
    for view in engine.dispatch().alerts(now) {
        if !own.contains(&view.fingerprint) {
            listed.push(posted_alert(engine, &view, now));
        }
    }
    listed
}

/// The labels under which dispatch knows an alert of an own rule, or would.
pub(super) fn outgoing(engine: &Engine, alert: &AlertInstance) -> Labels {
    let handed = alert.handed.as_ref().map(|handed| handed.labels.clone());
    let context = engine.rules().set().context();
    handed
        .or_else(|| context.outgoing(&alert.labels))
        .unwrap_or_else(|| alert.labels.clone())
}

fn own_alert(
    engine: &Engine,
    now: Timestamp,
    (group, rule): (GroupView<'_>, RuleView<'_>),
    alert: &AlertInstance,
    labels: Labels,
) -> AlertJson {
    let (state, fired_at, resolved_at) = match alert.phase {
        AlertPhase::Pending => ("pending", None, None),
        AlertPhase::Firing { fired_at, .. } => ("firing", Some(fired_at), None),
        AlertPhase::Resolved {
            fired_at,
            resolved_at,
        } => ("resolved", Some(fired_at), Some(resolved_at)),
    };
    let context = engine.rules().set().context();
    AlertJson {
        fingerprint: labels.fingerprint().to_string(),
        state,
        annotations: annotations(
            engine,
            &labels,
            &alert.annotations,
            fired_at.unwrap_or(alert.active_at),
        ),
        value: number(alert.value),
        active_at: alert.active_at.to_string(),
        fired_at: fired_at.map(|at| at.to_string()),
        resolved_at: resolved_at.map(|at| at.to_string()),
        is_flapping: alert.is_flapping,
        held_by: alert.held().map(Hold::name),
        generator_url: context.generator_url(&rule.rule.expr_text()),
        rule: rule_json(group, rule),
        told: told(engine.dispatch(), now, labels.fingerprint()),
        labels,
    }
}

/// As its messages have them: with the deploy before it.
fn annotations(engine: &Engine, labels: &Labels, own: &Labels, began_at: Timestamp) -> Labels {
    let annotated = engine.deploys().annotated(labels, own, began_at);
    annotated.unwrap_or_else(|| own.clone())
}

fn posted_alert(engine: &Engine, view: &AlertView<'_>, now: Timestamp) -> AlertJson {
    let alert = view.alert;
    AlertJson {
        fingerprint: view.fingerprint.to_string(),
        state: "firing",
        labels: alert.labels.clone(),
        annotations: annotations(engine, &alert.labels, &alert.annotations, alert.starts_at),
        value: Value::Null,
        active_at: alert.starts_at.to_string(),
        fired_at: Some(alert.starts_at.to_string()),
        resolved_at: None,
        is_flapping: false,
        held_by: None,
        generator_url: alert.generator_url.clone(),
        rule: Value::Null,
        told: told(engine.dispatch(), now, view.fingerprint),
    }
}

/// Who is told of an alert, when, and why not.
fn told(dispatch: &Dispatch, now: Timestamp, fingerprint: Fingerprint) -> ToldJson {
    let Some(view) = dispatch.alert(now, fingerprint) else {
        return ToldJson::default();
    };
    let groups = dispatch.groups_of(now, fingerprint);
    let notified = groups.iter().flat_map(|group| &group.notified);
    // What its group was told before it fired was not about it.
    let told_at = notified.map(|notified| notified.at);
    let last_notified_at = told_at.filter(|at| *at >= view.alert.starts_at).max();
    let next_notification_at = groups.iter().map(|group| group.next_flush_at).min();
    ToldJson {
        receivers: view.receivers.iter().map(ToString::to_string).collect(),
        silenced_by: view.silenced_by.iter().map(ToString::to_string).collect(),
        inhibited_by: view.inhibited_by.iter().map(ToString::to_string).collect(),
        next_notification_at: next_notification_at.map(|at| at.to_string()),
        last_notified_at: last_notified_at.map(|at| at.to_string()),
    }
}

pub(super) fn rule_json(group: GroupView<'_>, rule: RuleView<'_>) -> Value {
    let graph = firebell_promql::threshold(rule.rule.expr.expr()).map(|threshold| {
        json!({
            "query": threshold.left.to_string(),
            "op": threshold.op.text(),
            "threshold": threshold.value,
        })
    });
    json!({
        "file": group.group.file,
        "group": group.group.name,
        "name": rule.rule.name,
        "query": rule.rule.expr.text(),
        "isShadow": rule.rule.mode() == Mode::Shadow,
        "forSeconds": rule.rule.as_alerting().map_or(0.0, |it| it.hold_for.as_secs_f64()),
        "graph": graph,
    })
}

/// JSON has no infinities and no NaN: those are text.
pub(super) fn number(value: f64) -> Value {
    if value.is_finite() {
        json!(value)
    } else {
        json!(format_float(value))
    }
}

fn inbox_entry(entry: &InboxEntry) -> Value {
    let notification = &entry.notification;
    let alerts: Vec<Value> = notification
        .alerts
        .iter()
        .map(|alert| {
            json!({
                "fingerprint": alert.labels.fingerprint().to_string(),
                "status": alert.status_at(notification.at),
                "labels": alert.labels,
                "annotations": alert.annotations,
                "startsAt": alert.starts_at.to_string(),
                "endsAt": alert.ends_at.map(|at| at.to_string()),
                "generatorURL": alert.generator_url,
            })
        })
        .collect();
    json!({
        "id": entry.id.to_string(),
        "at": entry.at.to_string(),
        "receiver": notification.receiver,
        "status": notification.status(),
        "reason": notification.reason,
        "groupLabels": notification.group_labels,
        "commonLabels": notification.common_labels(),
        "commonAnnotations": notification.common_annotations(),
        "alerts": alerts,
    })
}
