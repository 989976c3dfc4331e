//! Incidents as JSON: `Incident` and `IncidentDetail` of `docs/openapi.json`.

use firebell_incident::{Entry, Incident, Phase, Picture, Runbook, State, What, Who, alert_text};
use serde_json::{Value, json};

/// What a list shows of one.
pub(super) fn summary(incident: &Incident) -> Value {
    let merged_into = match incident.state {
        State::Merged(into) => Some(into.to_string()),
        State::In(_) => None,
    };
    let firing = incident.alerts.values().filter(|it| it.ended_at.is_none());
    let acknowledged = incident.acknowledged.as_ref();
    let verdict = incident.verdict.as_ref();
    json!({
        "id": incident.id.to_string(),
        "title": incident.title,
        "severity": incident.severity.to_string(),
        "state": incident.state.name(),
        "isOpen": incident.state.is_open(),
        "mergedInto": merged_into,
        "service": incident.key.value("service"),
        "openedAt": incident.opened_at.to_string(),
        "openedBy": name(&incident.opened_by),
        "movedAt": incident.moved_at.to_string(),
        "resolvedAt": incident.resolved_at.map(|it| it.to_string()),
        "aliveAt": incident.alive_at.to_string(),
        "acknowledged": acknowledged.map(|it| json!({
            "by": it.by.name(),
            "at": it.at.to_string(),
        })),
        "alertCount": incident.alerts.len() + incident.n_left_out,
        "firingCount": firing.count(),
        "verdict": verdict.map(|it| json!({
            "verdict": it.verdict.name(),
            "words": it.verdict.words(),
            "by": name(&it.by),
            "guessed": it.is_guessed(),
            "at": it.at.to_string(),
        })),
    })
}

/// All of one, with the last entries of its timeline that come before number `before`.
pub(super) fn detail(incident: &Incident, before: usize) -> Value {
    let mut value = summary(incident);
    let next = incident.state.phase().map_or(&[][..], Phase::next);
    let next: Vec<&str> = next.iter().map(|it| it.name()).collect();
    let roles = incident.roles.iter();
    let roles = roles.map(|(role, person)| json!({ "role": role, "person": person }));
    let alerts = incident.alerts.iter().map(|(fingerprint, member)| {
        json!({
            "fingerprint": fingerprint.to_string(),
            "text": alert_text(&member.labels),
            "labels": member.labels,
            "joinedAt": member.joined_at.to_string(),
            "endedAt": member.ended_at.map(|it| it.to_string()),
        })
    });
    let n_before = before.min(incident.timeline.len());
    let first = n_before.saturating_sub(ENTRIES_SHOWN_MAX);
    let shown = incident.timeline.iter().enumerate();
    let shown = shown.skip(first).take(n_before - first);
    let more = json!({
        "severityBy": incident.severity_by,
        "follows": incident.follows.map(|it| it.to_string()),
        "key": incident.key,
        "isAttended": incident.is_attended,
        "next": next,
        "roles": roles.collect::<Vec<_>>(),
        "tasks": tasks(incident),
        "impact": incident.impact,
        "components": incident.components,
        "data": incident.data,
        "budget": incident.budget.as_ref().map(|it| json!({
            "objective": it.objective,
            "left": it.left.share(),
        })),
        "alerts": alerts.collect::<Vec<_>>(),
        "leftOut": incident.n_left_out,
        "timeline": shown.map(|(n, it)| entry(n, it)).collect::<Vec<_>>(),
        "timelineBefore": (first > 0).then_some(first),
    });
    if let (Value::Object(fields), Value::Object(more)) = (&mut value, more) {
        fields.extend(more);
    }
    value
}

fn tasks(incident: &Incident) -> Vec<Value> {
    let tasks = incident.tasks.iter().enumerate();
    let tasks = tasks.map(|(idx, task)| {
        let done = task.done.as_ref();
        json!({
            "n": idx + 1,
            "text": task.text,
            "owner": task.owner,
            "done": done.map(|(by, at)| json!({ "by": by, "at": at.to_string() })),
        })
    });
    tasks.collect()
}

/// `Runbook` of `docs/openapi.json`.
pub(super) fn runbook(runbook: &Runbook, incident: &Incident) -> Value {
    let steps = runbook.steps().enumerate().map(|(idx, step)| {
        let tick = runbook.tick(incident, step);
        json!({
            "n": idx + 1,
            "text": step,
            "done": tick.map(|it| json!({ "by": it.by, "at": it.at.to_string() })),
        })
    });
    json!({
        "name": runbook.name,
        "text": runbook.ticked(incident),
        "steps": steps.collect::<Vec<_>>(),
    })
}

fn entry(n: usize, entry: &Entry) -> Value {
    let url = match &entry.what {
        What::Linked(link) => Some(&link.url),
        _ => None,
    };
    json!({
        "n": n,
        "at": entry.at.to_string(),
        "by": name(&entry.by),
        "kind": kind(&entry.what),
        "text": entry.words(),
        "url": url,
        "picture": entry.what.picture().map(|it| picture(it, &entry.what)),
    })
}

/// `IncidentPicture` of `docs/openapi.json`.
fn picture(picture: &Picture, what: &What) -> Value {
    let text = match what {
        What::Pictured(_, text, _) => text.as_str(),
        _ => "",
    };
    json!({
        "id": picture.id.to_string(),
        "type": picture.kind.media_type(),
        "bytes": picture.n_bytes,
        "width": picture.width,
        "height": picture.height,
        "text": text,
    })
}

/// Nobody when Firebell did it itself.
fn name(who: &Who) -> Option<&str> {
    match who {
        Who::Firebell => None,
        Who::Person(person) => Some(person.name()),
    }
}

fn kind(what: &What) -> &'static str {
    match what {
        What::Opened => "opened",
        What::Joined(_) => "joined",
        What::Returned(_) => "returned",
        What::Ended(_) => "ended",
        What::LeftOut(_) => "left_out",
        What::Notified { .. } => "notified",
        What::Page(_) => "page",
        What::Acknowledged => "acknowledged",
        What::AcknowledgementEnded => "acknowledgement_ended",
        What::Moved { .. } => "moved",
        What::Severity { .. } => "severity",
        What::SeverityKept(_) => "severity_kept",
        What::Titled(_) => "titled",
        What::Role(..) => "role",
        What::Note(..) => "note",
        What::Linked(_) => "linked",
        What::Pictured(..) => "picture",
        What::PictureGone(..) => "picture_gone",
        What::TookBack(_) => "took_back",
        What::Task(..) => "task",
        What::TaskDone(_) => "task_done",
        What::Step(..) => "step",
        What::Impact(_) => "impact",
        What::Components(_) => "components",
        What::Data(_) => "data",
        What::Judged(_) => "judged",
        What::MergedInto(_) => "merged_into",
        What::Absorbed(_) => "absorbed",
        What::Detached(_) => "detached",
        What::Follows(_) => "follows",
        What::Drafted(_) => "drafted",
        What::Wrote(_) => "wrote",
        What::FollowUp(..) => "follow_up",
        What::Proven(..) => "proven",
        What::Again(_) => "again",
    }
}

/// The most entries of a timeline that are told at once.
const ENTRIES_SHOWN_MAX: usize = 500;
