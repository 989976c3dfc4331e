//! `/rules`, `/alerts` and `/alertmanagers`.
//!
//! The driver is held up only for a copy of references: filters that need no work are applied there,
//! everything else, the texts above all, is made elsewhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::Uri;
use axum::response::Response;
use firebell_engine::Engine;
use firebell_model::{Matcher, Timestamp, format_float_exponent};
use firebell_rules::{AlertInstance, AlertPhase, Cause, GroupView, Hold, Mode, Rule, RuleView};
use firebell_wire::go;
use firebell_wire::params::Params;
use firebell_wire::prometheus_json::{
    AlertJson, AlertingRuleJson, Alerts, ApiError, RuleGroupJson, RuleGroups, RuleJson, RuleKind,
    RuleState, Success,
};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::{answer, aside, bad_data, refused, selectors, stopped};
use crate::http::{App, params};

pub(super) async fn rules(State(app): State<App>, uri: Uri) -> Response {
    let params = params(&uri, &Bytes::new());
    let (filter, page) = match (Filter::parse(&params), Page::parse(&params)) {
        (Ok(filter), Ok(page)) => (Arc::new(filter), page),
        (Err(error), _) | (_, Err(error)) => return refused(&error),
    };
    let wanted = Arc::clone(&filter);
    let copied = app
        .handle
        .read(move |engine, _| copy(engine, &wanted))
        .await;
    match copied {
        Ok(groups) => aside(move || page_of(groups, &filter, &page).map(Success::new)).await,
        Err(error) => refused(&stopped(error)),
    }
}

pub(super) async fn alerts(State(app): State<App>) -> Response {
    let copied = app.handle.read(|engine, _| {
        let rules = engine.rules().groups().flat_map(|group| group.rules());
        rules
            .flat_map(|rule| active_alerts(rule).chain(failing_report(rule)))
            .collect::<Vec<AlertCopy>>()
    });
    match copied.await {
        Ok(alerts) => {
            let alerts = move || Alerts {
                alerts: alerts.into_iter().map(AlertCopy::into_json).collect(),
            };
            aside(move || Ok(Success::new(alerts()))).await
        }
        Err(error) => refused(&stopped(error)),
    }
}

/// The Alertmanagers elsewhere; that of this process is not among them.
pub(super) async fn alertmanagers(State(app): State<App>) -> Response {
    let (active, dropped) = app.alertmanagers.addresses();
    let named = |urls: BTreeSet<String>| urls.into_iter().map(|url| AlertmanagerJson { url });
    answer(Ok(Success::new(Alertmanagers {
        active_alertmanagers: named(active).collect(),
        dropped_alertmanagers: named(dropped).collect(),
    })))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Alertmanagers {
    active_alertmanagers: Vec<AlertmanagerJson>,
    dropped_alertmanagers: Vec<AlertmanagerJson>,
}

#[derive(Serialize)]
struct AlertmanagerJson {
    url: String,
}

/// Which rules are asked for; an empty list asks for all.
struct Filter {
    kind: Option<RuleKind>,
    names: Vec<String>,
    groups: Vec<String>,
    files: Vec<String>,
    /// A rule is wanted when its labels satisfy any of these.
    matchers: Vec<Vec<Matcher>>,
    with_alerts: bool,
}

impl Filter {
    fn parse(params: &Params) -> Result<Self, ApiError> {
        let matchers = selectors(params);
        let kind = match params.get("type").unwrap_or("").to_lowercase().as_str() {
            "" => None,
            "alert" => Some(RuleKind::Alerting),
            "record" => Some(RuleKind::Recording),
            other => {
                let why = format!("not supported value {other:?}");
                return Err(bad_data(format!("invalid parameter \"type\": {why}")));
            }
        };
        let all = |name| params.all(name).map(str::to_owned).collect();
        let excludes = params.get("exclude_alerts").filter(|text| !text.is_empty());
        let excludes = excludes.map(go::bool).transpose().map_err(|why| {
            let why = format!("error converting exclude_alerts: {why}");
            bad_data(format!("invalid parameter \"exclude_alerts\": {why}"))
        })?;
        Ok(Self {
            kind,
            names: all("rule_name[]"),
            groups: all("rule_group[]"),
            files: all("file[]"),
            matchers: matchers?,
            with_alerts: !excludes.unwrap_or(false),
        })
    }

    fn wants(&self, rule: &Rule) -> bool {
        let satisfies = |all: &Vec<Matcher>| all.iter().all(|it| it.matches(&rule.label_texts));
        self.kind.is_none_or(|kind| kind == kind_of(rule))
            && (self.names.is_empty() || self.names.contains(&rule.name))
            && (self.matchers.is_empty() || self.matchers.iter().any(satisfies))
    }

    fn wants_group(&self, group: GroupView<'_>) -> bool {
        (self.groups.is_empty() || self.groups.contains(&group.group.name))
            && (self.files.is_empty() || self.files.contains(&group.group.file))
    }
}

/// Which part of the groups is asked for.
struct Page {
    /// At most so many groups; `None` is no limit.
    limit: Option<usize>,
    /// Where to begin; empty for the start.
    token: String,
}

impl Page {
    fn parse(params: &Params) -> Result<Self, ApiError> {
        let invalid =
            |name: &str, why: String| Err(bad_data(format!("invalid parameter {name:?}: {why}")));
        let token = params.get("group_next_token").unwrap_or("").to_owned();
        let limit = params.get("group_limit").filter(|text| !text.is_empty());
        let Some(limit) = limit else {
            if token.is_empty() {
                return Ok(Self { limit: None, token });
            }
            let why = "group_limit needs to be present in order to paginate over the groups";
            return invalid("group_next_token", why.to_owned());
        };
        match go::int_as(limit, "ParseInt") {
            Err(why) => {
                let why = format!("group_limit needs to be a valid number: {why}");
                invalid("group_limit", why)
            }
            Ok(limit) if limit <= 0 => invalid(
                "group_limit",
                "group_limit needs to be greater than 0".to_owned(),
            ),
            Ok(limit) => Ok(Self {
                limit: usize::try_from(limit).ok(),
                token,
            }),
        }
    }
}

/// Where the page begins whose first group this is.
fn token_of(group: &RuleGroupJson) -> String {
    let hash = Sha256::digest(format!("{};{}", group.file, group.name));
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A group as the driver knows it.
struct GroupCopy {
    json: RuleGroupJson,
    rules: Vec<RuleCopy>,
}

struct RuleCopy {
    rule: Arc<Rule>,
    state: RuleState,
    health: &'static str,
    last_error: String,
    took_secs: f64,
    last_evaluation: Option<Timestamp>,
    alerts: Vec<AlertCopy>,
}

struct AlertCopy {
    json: AlertJson,
    value: f64,
}

fn copy(engine: &Engine, filter: &Filter) -> Vec<GroupCopy> {
    let groups = engine.rules().groups();
    let groups = groups.filter(|group| filter.wants_group(*group));
    groups
        .map(|group| GroupCopy {
            json: RuleGroupJson {
                name: group.group.name.clone(),
                file: group.group.file.clone(),
                rules: Vec::new(),
                interval: group.group.interval,
                limit: group.group.limit.unwrap_or(0),
                evaluation_time: group.took().as_secs_f64(),
                last_evaluation: group.last_evaluation(),
            },
            rules: group
                .rules()
                .map(|rule| RuleCopy {
                    rule: Arc::clone(rule.rule),
                    state: match rule.state_name() {
                        "firing" => RuleState::Firing,
                        "pending" => RuleState::Pending,
                        "inactive" => RuleState::Inactive,
                        _ => RuleState::Unknown,
                    },
                    health: rule.health().name(),
                    last_error: rule.last_error().unwrap_or_default().to_owned(),
                    took_secs: rule.took().as_secs_f64(),
                    last_evaluation: rule.last_evaluation(),
                    alerts: match filter.with_alerts {
                        true => active_alerts(rule).collect(),
                        false => Vec::new(),
                    },
                })
                .collect(),
        })
        .collect()
}

fn page_of(groups: Vec<GroupCopy>, filter: &Filter, page: &Page) -> Result<RuleGroups, ApiError> {
    let mut shown = Vec::new();
    let mut is_begun = page.token.is_empty();
    for group in groups {
        is_begun = is_begun || token_of(&group.json) == page.token;
        if !is_begun {
            continue;
        }
        let rules = group.rules.into_iter().filter(|it| filter.wants(&it.rule));
        let rules: Vec<RuleJson> = rules.map(|it| it.into_json(filter.with_alerts)).collect();
        if rules.is_empty() {
            continue;
        }
        let group = RuleGroupJson {
            rules,
            ..group.json
        };
        if page.limit == Some(shown.len()) {
            let next = Some(token_of(&group));
            return Ok(RuleGroups {
                groups: shown,
                next,
            });
        }
        shown.push(group);
    }
    if !is_begun {
        let why = format!(
            "invalid group_next_token '{}'. were rule groups changed?",
            page.token
        );
        return Err(bad_data(format!(
            "invalid parameter \"group_next_token\": {why}"
        )));
    }
    Ok(RuleGroups {
        groups: shown,
        next: None,
    })
}

fn kind_of(rule: &Rule) -> RuleKind {
    if rule.as_alerting().is_some() {
        RuleKind::Alerting
    } else {
        RuleKind::Recording
    }
}

impl RuleCopy {
    fn into_json(self, with_alerts: bool) -> RuleJson {
        let rule = &self.rule;
        let alerts = self.alerts.into_iter().map(AlertCopy::into_json);
        let alerting = rule.as_alerting().map(|alerting| AlertingRuleJson {
            state: self.state,
            duration: alerting.hold_for,
            keep_firing_for: alerting.keep_firing_for,
            annotations: rule.annotation_texts.clone(),
            is_shadow: alerting.policy.mode == Mode::Shadow,
            alerts: with_alerts.then(|| alerts.collect()),
        });
        let labels = rule.label_texts.clone();
        RuleJson {
            labels: (alerting.is_some() || !labels.is_empty()).then_some(labels),
            alerting,
            name: rule.name.clone(),
            query: rule.expr_text(),
            health: self.health,
            last_error: self.last_error,
            evaluation_time: self.took_secs,
            last_evaluation: self.last_evaluation,
            kind: kind_of(rule),
        }
    }
}

impl AlertCopy {
    fn into_json(self) -> AlertJson {
        let value = format_float_exponent(self.value);
        AlertJson { value, ..self.json }
    }
}

fn active_alerts(rule: RuleView<'_>) -> impl Iterator<Item = AlertCopy> {
    // That a rule fails is told, and shown as its health; it is no alert of the rule.
    let reports = rule.reports().iter();
    let reports = reports.filter(|alert| alert.cause != Cause::Failing);
    rule.alerts().iter().chain(reports).filter_map(copy_alert)
}

/// Firebell's own alert that a rule fails, while there is one.
fn failing_report(rule: RuleView<'_>) -> Option<AlertCopy> {
    let mut reports = rule.reports().iter();
    let failing = reports.find(|alert| alert.cause == Cause::Failing);
    failing.and_then(copy_alert)
}

/// `None` for a resolved alert: the API lists only those that are pending or firing.
fn copy_alert(alert: &AlertInstance) -> Option<AlertCopy> {
    let (state, keep_firing_since, held) = match alert.phase {
        AlertPhase::Pending => (RuleState::Pending, None, None),
        AlertPhase::Firing {
            keep_firing_since,
            held,
            ..
        } => (RuleState::Firing, keep_firing_since, held),
        AlertPhase::Resolved { .. } => return None,
    };
    let json = AlertJson {
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        state,
        active_at: Some(alert.active_at),
        keep_firing_since,
        // Written elsewhere.
        value: String::new(),
        is_flapping: alert.is_flapping,
        held_by: held.map(Hold::name),
    };
    Some(AlertCopy {
        json,
        value: alert.value,
    })
}
