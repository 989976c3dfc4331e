//! Why, as JSON: `AlertWhy` of `docs/openapi.json`.

use firebell_dispatch::{
    GroupWhy, InhibitedBy, IntegrationWhy, IntervalMute, Outcome, RouteVerdict, Silence, TriedRoute,
};
use firebell_model::{AlertStatus, Labels, Timestamp, matchers_text};
use firebell_rules::{AlertPhase, GroupView, RuleView};
use serde_json::{Value, json};

use super::Explained;
use crate::http::own::{number, rule_json};

/// An alert.
pub(super) fn explained(explained: &Explained<'_>) -> Value {
    let Explained { why, own } = explained;
    let phase = own.map(|it| it.alert.phase);
    let state = match (phase, why.alert) {
        (Some(phase), _) => phase.name(),
        (None, Some(alert)) => match alert.status_at(why.now) {
            AlertStatus::Firing => "firing",
            AlertStatus::Resolved => "resolved",
        },
        (None, None) => "resolved",
    };
    let tried = why.walk.tried.iter().map(|it| route(it, why.labels));
    json!({
        "fingerprint": why.fingerprint.to_string(),
        "labels": why.labels,
        "state": state,
        "value": own.map_or(Value::Null, |it| number(it.alert.value)),
        "activeAt": own.map(|it| it.alert.active_at.to_string()),
        "firesAt": own.and_then(|it| fires_at(&it)).map(text),
        "startsAt": why.alert.map(|it| it.starts_at.to_string()),
        "endsAt": why.alert.and_then(|it| it.ends_at).map(text),
        "rule": own.map(|it| rule(it.group, it.rule)),
        "silencedBy": why.silences.iter().map(|it| silence(it)).collect::<Vec<_>>(),
        "inhibitedBy": why.inhibited_by.as_ref().map(inhibited_by),
        "routes": tried.collect::<Vec<_>>(),
        "routesLeftOut": why.walk.n_left_out,
        "groups": why.groups.iter().map(group).collect::<Vec<_>>(),
    })
}

/// The slot from which on a pending alert fires, if its condition still holds.
pub(super) fn fires_at(own: &super::OwnAlert<'_>) -> Option<Timestamp> {
    let hold_for = own.rule.rule.as_alerting()?.hold_for;
    let is_pending = own.alert.phase == AlertPhase::Pending;
    is_pending.then_some(own.alert.active_at + hold_for)
}

/// A rule, with how it fares.
pub(super) fn rule(group: GroupView<'_>, rule: RuleView<'_>) -> Value {
    let mut value = rule_json(group, rule);
    value["state"] = json!(rule.state_name());
    value["health"] = json!(rule.health().name());
    value["lastError"] = json!(rule.last_error());
    value["lastEvaluationAt"] = json!(rule.last_evaluation().map(text));
    value["intervalSeconds"] = json!(group.group.interval.as_secs_f64());
    value
}

fn text(at: Timestamp) -> String {
    at.to_string()
}

fn silence(silence: &Silence) -> Value {
    json!({
        "id": silence.id.to_string(),
        "createdBy": silence.created_by,
        "comment": silence.comment,
        "matchers": matchers_text(&silence.matchers),
        "startsAt": silence.starts_at.to_string(),
        "endsAt": silence.ends_at.to_string(),
    })
}

fn inhibited_by(by: &InhibitedBy<'_>) -> Value {
    let rule = by.rule.map(|(idx, rule)| {
        json!({
            "index": idx,
            "source": matchers_text(&rule.source),
            "target": matchers_text(&rule.target),
            "equal": rule.equal,
        })
    });
    json!({
        "fingerprint": by.source.to_string(),
        "labels": by.alert.labels,
        "rule": rule,
    })
}

fn route(tried: &TriedRoute<'_>, labels: &Labels) -> Value {
    let (verdict, refusing) = match tried.verdict {
        RouteVerdict::Takes => ("takes", None),
        RouteVerdict::Leads => ("leads", None),
        RouteVerdict::NotTried => ("not_tried", None),
        RouteVerdict::Refuses(matcher) => ("refuses", Some(matcher)),
    };
    let refusing = refusing.map(
        |matcher| json!({ "matcher": matcher.to_string(), "value": labels.get(matcher.name()) }),
    );
    json!({
        "depth": tried.depth,
        "matchers": matchers_text(&tried.route.matchers),
        "receiver": tried.receiver,
        "continues": tried.route.does_continue,
        "verdict": verdict,
        "refusedBy": refusing,
    })
}

fn group(group: &GroupWhy<'_>) -> Value {
    let GroupWhy {
        route,
        receiver,
        labels,
        key,
        is_waiting,
        n_alerts,
        muted_by,
        next_flush_at,
        integrations,
    } = group;
    json!({
        "key": key,
        "labels": labels,
        "receiver": receiver.name(),
        "isWaiting": is_waiting,
        "alerts": n_alerts,
        "groupWaitSeconds": route.group_wait.as_secs_f64(),
        "groupIntervalSeconds": route.group_interval.as_secs_f64(),
        "repeatIntervalSeconds": route.repeat_interval.as_secs_f64(),
        "mutedBy": muted_by.as_ref().map(interval_mute),
        "nextDecisionAt": next_flush_at.map(text),
        "integrations": integrations.iter().map(integration).collect::<Vec<_>>(),
    })
}

fn interval_mute(mute: &IntervalMute) -> Value {
    json!({
        "intervals": mute.names,
        "isOutside": mute.is_inactive,
        "until": mute.until.map(text),
    })
}

fn integration(why: &IntegrationWhy<'_>) -> Value {
    let IntegrationWhy {
        integration,
        send_resolved,
        told,
        told_alert,
        under_way,
        outcomes,
        next,
    } = why;
    let told = told.as_ref().map(|told| {
        json!({ "at": told.at.to_string(), "reason": told.reason, "namedAlert": told_alert })
    });
    let under_way = under_way.as_ref().map(|it| {
        json!({
            "attempt": it.attempt,
            "retryAt": it.retry_at.map(text),
            "lastError": it.last_error,
        })
    });
    json!({
        "integration": integration.to_string(),
        "sendResolved": send_resolved,
        "told": told,
        "underWay": under_way,
        "deliveries": outcomes.iter().map(|it| outcome(it)).collect::<Vec<_>>(),
        "next": { "at": next.at().map(text), "reason": next.name(), "because": next.because() },
    })
}

fn outcome(outcome: &Outcome) -> Value {
    json!({
        "at": outcome.at.to_string(),
        "status": if outcome.error.is_none() { "delivered" } else { "failed" },
        "reason": outcome.reason,
        "attempts": outcome.attempts,
        "tookMs": outcome.took.0,
        "error": outcome.error,
    })
}
